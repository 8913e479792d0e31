"""``data prepare``, ``data split`` and ``data clinic-notes`` turn files into files, and mistakes into one line."""

import gzip
import json

import click
import pandas as pd
import pytest
import yaml
from click.testing import CliRunner

from pmhc_distil import cli
from pmhc_distil.errors import InputError

RECIPE = {
    "sources": [{"file": "ligands.csv", "lengths": [8, 11]}],
    "negatives_per_positive": 2,
    "uniform_share": 0.5,
    "validation_share": 0.3,
    "seed": 1,
}


def call(*arguments):
    """Run a command in this process; give its result."""
    result = CliRunner().invoke(cli.group, [str(argument) for argument in arguments], standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return result


@pytest.fixture
def prepare(tmp_path, protein_fasta, peptides):
    """Give a function that prepares the tables of a recipe."""
    short = [text for text in peptides if len(text) < 12]
    pd.DataFrame({"peptide": short, "allele": "A0201"}).to_csv(tmp_path / "ligands.csv", index=False)

    def run(recipe, *more):
        (tmp_path / "data.yaml").write_text(yaml.safe_dump(recipe))
        files = ["--proteins", protein_fasta, "--recipe", tmp_path / "data.yaml", "-o", tmp_path / "out"]
        return call("data", "prepare", tmp_path, *files, *more)

    return run


def test_prepare_writes_tables(prepare, tmp_path):
    """Prevents a command that does not hand its recipe on, or does not write down what the tables were made with."""
    result = prepare(RECIPE)
    assert json.loads((tmp_path / "out" / "report.json").read_text())["recipe"] == RECIPE
    table = pd.concat(pd.read_csv(tmp_path / "out" / f"{name}.csv.gz") for name in ("train", "validation"))
    # Two for each of 20 ligands: half of them follow the ligands' four lengths, half are spread over eight.
    assert (table["label"] == 1).sum() == 20 and (table["label"] == 0).sum() == pytest.approx(20 + 20 / 2, abs=3)
    assert set(table["peptide"].str.len()) == {8, 9, 10, 11}
    assert "20 ligands" not in result.stderr and "validation: " in result.stderr and result.stdout == ""


@pytest.mark.parametrize("key", RECIPE)
def test_every_setting_is_needed(prepare, key, tmp_path):
    """Prevents a traceback, or a default that nobody chose, where a setting is forgotten."""
    with pytest.raises(InputError, match="the setting is missing") as caught:
        prepare({name: value for name, value in RECIPE.items() if name != key})
    assert caught.value.column == key and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "changed",
    [
        {"negatives_per_length": 0.5},
        {"sources": [{"file": "ligands.csv", "length": [8, 11]}]},
        {"sources": "ligands.csv"},
        {"sources": [{"file": "ligands.csv", "lengths": 9}]},
        {"negatives_per_positive": "many"},
        {"uniform_share": 0},
        {"uniform_share": 2},
        {"hard_negatives": 40},
        {"hard_negatives": {"per_positive": 40}},
        {"hard_negatives": {"per_positive": 40, "least_kept": 0}},
        {"label_noise": "ligands.csv"},
        {"label_noise": {"reference": "ligands.csv"}},
        {"label_noise": {"reference": "ligands.csv", "least_ligands": 0}},
        {"label_noise": {"reference": "other.csv", "least_ligands": 100}},
        {"negatives_per_positive": True},
        {"seed": True},
        {"validation_share": 1},
        {"held_out_alleles": ["A*99:99"]},
    ],
    ids=str,
)
def test_mistakes_are_one_line(prepare, changed, tmp_path):
    """Prevents a traceback, and tables with infinite offsets."""
    with pytest.raises(InputError) as caught:
        prepare({**RECIPE, **changed})
    assert "\n" not in str(caught.value) and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "changed",
    [
        {"seed": 1.5},
        {"pooled": ["no.csv"]},
        {"held_out_alleles": ["A*99:99"]},
        {"hard_negatives": 40},
        {"label_noise": {"reference": "ligands.csv"}},
        {"label_noise": {"reference": "other.csv", "least_ligands": 100}},
        {"sources": "ligands.csv"},
        {"sources": [{"file": "ligands.csv", "lengths": 9}]},
        {"held_out": [{"file": "ligands.csv", "lengths": [8, 9]}]},
    ],
    ids=str,
)
def test_mistakes_name_the_recipe(prepare, changed, tmp_path):
    """Prevents a search through several recipes for a value that stands in one."""
    with pytest.raises(InputError) as caught:
        prepare({**RECIPE, **changed})
    assert str(caught.value).startswith(f"{tmp_path / 'data.yaml'}, column '{next(iter(changed))}")


def test_tables_are_not_written_over_a_source(prepare, tmp_path):
    """Prevents the loss of the raw data where a source has the name of a table that is made."""
    (tmp_path / "out").mkdir()
    source = (tmp_path / "ligands.csv").rename(tmp_path / "out" / "train.csv.gz")
    source.write_bytes(before := gzip.compress(source.read_bytes()))
    with pytest.raises(InputError, match=r"train\.csv\.gz: would be written over what is read"):
        prepare({**RECIPE, "sources": [{"file": "out/train.csv.gz"}]})
    assert source.read_bytes() == before


def test_a_setting_in_two_recipes(prepare, tmp_path):
    """Prevents one of two files from being overruled without a word."""
    (tmp_path / "more.yaml").write_text("seed: 2\n")
    with pytest.raises(InputError, match="twice") as caught:
        prepare(RECIPE, "--recipe", tmp_path / "more.yaml")
    assert caught.value.column == "seed" and not (tmp_path / "out").exists()


def test_split(tmp_path, protein_fasta, proteins):
    """Prevents proteins from getting lost between the two files."""
    result = call("data", "split", protein_fasta, "--validation-share", "0.5", "-o", tmp_path / "out")
    counts = [
        gzip.decompress((tmp_path / "out" / f"{name}.fasta.gz").read_bytes()).count(b">")
        for name in ("train", "validation")
    ]
    assert sum(counts) == len(proteins) and min(counts) > 0
    assert result.stderr == f"train: {counts[0]} proteins, validation: {counts[1]}\n"


def test_split_leaves_out_what_is_tested_on(tmp_path, protein_fasta, proteins):
    """Prevents an encoder from being pretrained on the proteins that it is measured on."""
    (tmp_path / "test.csv").write_text(f"seq,label\n{proteins[3].lower()},1\n{proteins[7]}*,0\n")
    (tmp_path / "other.txt").write_text("MKVLL\n")
    exclude = ["--exclude", tmp_path / "test.csv", "--exclude", tmp_path / "other.txt"]
    result = call("data", "split", protein_fasta, *exclude, "-o", tmp_path / "out")
    (warning,) = [line for line in result.stderr.splitlines() if line.startswith("warning")]
    assert warning == f"warning: {tmp_path / 'other.txt'}: none of its 1 sequences is in {protein_fasta}"
    files = (tmp_path / "out" / f"{name}.fasta.gz" for name in ("train", "validation"))
    text = "".join(gzip.decompress(path.read_bytes()).decode() for path in files)
    kept = [protein for protein in proteins if f"\n{protein}\n" in text]
    assert kept == [protein for number, protein in enumerate(proteins) if number not in (3, 7)]


def test_hard_negatives_of_a_recipe(prepare, tmp_path):
    """Prevents a setting that is read and not used."""
    prepare(RECIPE)
    plain = pd.read_csv(tmp_path / "out" / "train.csv.gz")
    prepare({**RECIPE, "hard_negatives": {"per_positive": 8, "least_kept": 0.5}})
    hard = pd.read_csv(tmp_path / "out" / "train.csv.gz")
    assert (hard["label"] == 0).sum() > (plain["label"] == 0).sum()
    assert (hard["label"] == 1).sum() == (plain["label"] == 1).sum()


def test_held_out_and_benchmark(prepare, tmp_path, protein_fasta):
    """Prevents a benchmark of rows that were trained on."""
    pd.DataFrame({"peptide": ["SLYNTVATL", "GILGFVFTL"], "allele": "B0702"}).to_csv(tmp_path / "b.csv", index=False)
    (tmp_path / "held_out.yaml").write_text("held_out_alleles: ['B*07:02']\n")
    sources = [*RECIPE["sources"], {"file": "b.csv"}]
    prepare({**RECIPE, "sources": sources}, "--recipe", tmp_path / "held_out.yaml")
    out = tmp_path / "out"
    assert not pd.read_csv(out / "train.csv.gz")["allele"].str.contains("B").any()
    made = tmp_path / "unseen.csv.gz"
    options = ["--proteins", protein_fasta, "--exclude", out / "train.csv.gz", "--decoys", 3, "--most", 1]
    call("data", "benchmark", out / "held_out_ligands.csv.gz", "--where", "held_out == 'allele'", *options, "-o", made)
    table = pd.read_csv(made)
    assert table["label"].tolist() == [1, 0, 0, 0] and table["peptide"].str.len().eq(9).all()
    again = tmp_path / "again.csv.gz"
    call("data", "benchmark", out / "held_out_ligands.csv.gz", "--where", "held_out == 'allele'", *options, "-o", again)
    assert again.read_bytes() == made.read_bytes()
    call(
        "data", "benchmark", out / "held_out_ligands.csv.gz", *options, "--lengths", "8-11", "--decoys", 4, "-o", again
    )
    assert sorted(pd.read_csv(again)["peptide"].str.len()[1:]) == [8, 9, 10, 11]
    bad = tmp_path / "bad.csv"
    bad.write_text("peptide,allele,label\nSLYNTVATL,B0702,1\nSLYN,B0702,1\n")
    call("data", "benchmark", bad, "--where", "peptide != 'SLYN'", *options, "-o", again)


@pytest.mark.parametrize("lengths", ["7-11", "11-8", "16", "a-b"])
def test_lengths_of_decoys_are_checked(lengths, tmp_path, protein_fasta):
    """Prevents a traceback, and decoys that no model scores."""
    with pytest.raises(click.BadParameter, match="8 to 15"):
        call("data", "benchmark", "x.csv", "--proteins", protein_fasta, "--lengths", lengths, "-o", tmp_path / "o.csv")


def test_clinic_notes(tmp_path):
    """Prevents files that the reader of questions refuses, and counts that are not those of the files."""
    from pmhc_distil.texts.squad import read_questions

    result = call("data", "clinic-notes", "-o", tmp_path / "new", "--examples", 40)
    report = json.loads((tmp_path / "new/report.json").read_text())
    for role, counts in report["roles"].items():
        assert len(read_questions(tmp_path / f"new/{role}.json")) == counts["questions"]
        assert f"{role}: {counts['notes']} notes" in result.stderr
    with pytest.raises(click.UsageError):
        call("data", "clinic-notes", "-o", tmp_path / "other", "--examples", 5)


def test_unlabelled(prepare, tmp_path):
    """Prevents a table for distillation that the example of the help cannot make, or that differs each time."""
    prepare(RECIPE)
    options = [tmp_path / "out" / "train.csv.gz", "--alleles", 3, "--peptides", 4]
    result = call("data", "unlabelled", *options, "-o", tmp_path / "one.csv.gz")
    call("data", "unlabelled", *options, "-o", tmp_path / "two.csv.gz")
    assert "12 added" in result.stderr
    assert (tmp_path / "one.csv.gz").read_bytes() == (tmp_path / "two.csv.gz").read_bytes()
    assert (pd.read_csv(tmp_path / "one.csv.gz")["source"] == "unlabelled").sum() == 12
    with pytest.raises(InputError, match=r"0 ligands that are not with HLA-A\*02:01"):
        call("data", "unlabelled", *options, "--of-known", 2, "-o", tmp_path / "more.csv.gz")


def test_unlabelled_texts(tmp_path):
    """Prevents labels that change, texts that come twice, and another table each time."""
    table, more, pairs = (tmp_path / name for name in ("train.tsv", "more.jsonl", "pairs.csv"))
    table.write_text('sentence\tlabel\na film .\t01\ngood , "really" .\tno\n')
    texts = ["One two. Three four five. <br />a film .", "A film.", "a film .", "A film."]
    more.write_text("".join(json.dumps({"text": text, "label": "yes"}) + "\n" for text in texts))
    pairs.write_text("text,text_pair,label\na,b,1\n")
    call("data", "unlabelled-texts", table, more, "-o", tmp_path / "all.csv")
    made = pd.read_csv(tmp_path / "all.csv", dtype=str, keep_default_na=False)
    assert made.columns.tolist() == ["text", "label"] and made["label"].tolist() == ["01", "no", "", ""]
    assert made["text"].tolist() == ["a film .", 'good , "really" .', texts[0], texts[1]]
    options = ["--words", 3, "--count", 3]
    result = call("data", "unlabelled-texts", table, more, *options, "-o", tmp_path / "one.csv.gz")
    call("data", "unlabelled-texts", table, more, *options, "-o", tmp_path / "two.csv.gz")
    assert "2 rows, 3 added" in result.stderr
    assert (tmp_path / "one.csv.gz").read_bytes() == (tmp_path / "two.csv.gz").read_bytes()
    drawn = pd.read_csv(tmp_path / "one.csv.gz")["text"][2:]
    assert drawn.tolist() == ["One two.", "Three four five.", "A film."]
    for files, extra, told in (
        ([table, more], ["--count", 9], r"more.jsonl: there are only 2 texts that are not in the table"),
        ([table, pairs], [], r"pairs.csv, row 2: the table has single texts, this row a pair"),
        ([pairs, more], [], r"more.jsonl, row 1: the table has pairs of texts, this row a single one"),
        ([pairs, pairs], ["--words", 5], r"words: pairs of texts are not cut"),
        ([pairs, pairs], [], r"there are only 0 texts"),
    ):
        with pytest.raises(InputError, match=told):
            call("data", "unlabelled-texts", *files, *extra, "-o", tmp_path / "no.csv")
    assert not (tmp_path / "no.csv").exists()


def test_contexts_are_known_by_what_is_in_them(tmp_path):
    """Prevents a file of questions from being refused for its name or its answers, and one of texts taken for it."""
    context = "Ann won in Paris. Bob was not there."
    squad = {
        "more": "x" * 2000,
        "data": [{"paragraphs": [{"context": context, "qas": [{"id": 1, "question": "Who?"}]}]}],
    }
    (tmp_path / "SQUAD.JSON").write_text(json.dumps(squad))
    lines = [{"data": [1], "text": f"Text {number}. One more."} for number in range(40)]
    (tmp_path / "texts.json").write_text("".join(json.dumps(line) + "\n" for line in lines))
    options = ["--validation-share", 0.3, "--vocabulary", 100, "-o", tmp_path / "out"]
    result = call("data", "texts", tmp_path / "SQUAD.JSON", tmp_path / "texts.json", *options)
    files = [tmp_path / "out" / f"{name}.txt.gz" for name in ("train", "validation")]
    found = [gzip.decompress(path.read_bytes()).decode() for path in files]
    assert sorted("".join(found).splitlines()) == sorted([context, *(line["text"] for line in lines)])
    assert f"vocab.txt: {len((tmp_path / 'out' / 'vocab.txt').read_text().splitlines())} pieces" in result.stderr
