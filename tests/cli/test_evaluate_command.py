"""Models measured on a labelled file: a table, all metrics as CSV, and a page."""

import io
import re
import shutil

import click
import pandas as pd
import pytest
from click.testing import CliRunner

from pmhc_distil import cli
from pmhc_distil.errors import InputError
from pmhc_distil.sequences.explain import TRAINING_FILE
from pmhc_distil.sequences.overlap import HASHES_FILE, write_hashes
from pmhc_distil.sequences.result_columns import EVALUATION_COLUMNS


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory, binding_folder, pairs):
    """Evaluate a model that knows of its training data and one that does not."""
    folder = tmp_path_factory.mktemp("evaluate")
    model = shutil.copytree(binding_folder, folder / "told")
    (model / TRAINING_FILE).write_text("allele,ligands,affinities\nHLA-A*02:01,120,3\nHLA-B*07:02,7,0\n")
    table = pairs[pairs["label"].notna()].assign(donor=lambda frame: "d" + (frame.index % 2).astype(str))
    table = pd.concat([table, table.iloc[:1].assign(peptide="SHORT")])
    write_hashes(table["peptide"][:10], table["allele"][:10], model / HASHES_FILE)
    file = folder / "labelled <1>.csv"
    table[["peptide", "allele", "label", "donor"]].to_csv(file, index=False)
    arguments = [file, "--model", model, "--model", binding_folder, "--windows", 100, "--by", "donor"]
    arguments += ["--resamples", 20, "-o", folder / "metrics.csv", "--report", folder / "page.html"]
    result = CliRunner().invoke(cli.group, ["evaluate", *map(str, arguments)], standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    page = (folder / "page.html").read_text(encoding="utf-8")
    return table, pd.read_csv(io.StringIO(result.stdout)), pd.read_csv(folder / "metrics.csv"), page


def test_overview(evaluated):
    """Prevents rows that were trained on, or that have no score, from going unmentioned."""
    table, overview, _, _ = evaluated
    explained = {column.name for column in EVALUATION_COLUMNS}
    assert {name for name in overview.columns if "_mean_by_" not in name} <= explained
    assert overview["n"].tolist() == [len(table) - 1] * 4 and overview["unscored"].tolist() == [1] * 4
    assert overview["output"].tolist() == ["score", "score_same_length"] * 2
    assert overview["in_training"].iloc[1] == 10 and pd.isna(overview["in_training"].iloc[2])
    assert overview["auroc"][::2].nunique() == 1 and overview["auroc"].between(0, 1, inclusive="neither").all()


def test_thresholds(tmp_path, binding_folder, pairs):
    """Prevents a threshold that is read and not used, or used for another output."""
    table = tmp_path / "labelled.csv"
    rows = pairs[pairs["label"].notna() & (pairs["allele"] == "HLA-A*02:01")]
    rows[["peptide", "allele", "label"]].to_csv(table, index=False)
    base = ["evaluate", str(table), "--model", str(binding_folder), "--windows", "100"]

    def overview(*more):
        result = CliRunner().invoke(cli.group, [*base, *more], standalone_mode=False)
        if result.exception is not None:
            raise result.exception
        return pd.read_csv(io.StringIO(result.stdout)).set_index("output")

    default = overview()
    best = default.loc["score_same_length", "best_threshold"]
    tuned = overview("--threshold", f"score_same_length={best}")
    assert tuned.loc["score_same_length", "mcc"] >= default.loc["score_same_length", "mcc"]
    assert tuned.loc["score", "mcc"] == default.loc["score", "mcc"]
    assert (overview("--threshold", "1")["f1"] == 0).all()
    for bad in ("rank=2", "score=high", "nan", "2", "score=-0.1"):
        with pytest.raises(click.BadParameter):
            overview("--threshold", bad)


def test_groups_hold_every_row_once(evaluated):
    """Prevents a group from losing rows, and groups that a model cannot tell from being made up."""
    table, _, metrics, _ = evaluated
    told = metrics[metrics["model"] == "told"]
    assert set(told["by"]) == {"all", "length", "allele", "ligands", "distance", "training", "donor"}
    assert set(metrics.loc[metrics["model"] != "told", "by"]) == {"all", "length", "allele", "donor"}
    assert set(metrics["output"]) == {"score", "rank", "rank_same_length", "score_same_length"}
    rows = (told["positives"] + told["negatives"]).groupby([told["by"], told["output"]]).sum()
    assert (rows == len(table) - 1).all()
    ligands = told[(told["by"] == "ligands") & (told["output"] == "score")]
    assert ligands["group"].tolist() == [">=0", ">=1", ">=100"]
    assert set(told.loc[told["by"] == "distance", "group"]) == {">=0", ">=0.08"}
    inside = metrics.dropna(subset=["auroc_low"])
    assert (inside["auroc_low"] <= inside["auroc"] + 0.05).all() and (inside["auroc_high"] <= 1).all()


def test_page(evaluated):
    """Prevents a page that needs the network, shows unescaped names, or lacks its plots."""
    _, _, metrics, page = evaluated
    assert page.count("<svg") == 7, "reliability, lengths, ligands, distance, training, alleles, donors"
    assert "labelled &lt;1&gt;.csv" in page and "<1>" not in page
    assert not re.search(r'(src|href)="(?!#)', page.replace('xlink:href="#', ""))
    assert "10 rows were in its training data" in page and "does not tell" in page
    value = metrics[(metrics["by"] == "all") & (metrics["output"] == "score")]["auroc"].iloc[0]
    assert float(re.findall(r"(\d\.\d{4}) \(", page)[0]) == pytest.approx(value, abs=1e-4)


def test_unknown_column(tmp_path, pairs):
    """Prevents a misspelt column from being found after minutes of scoring."""
    pairs[pairs["label"].notna()].to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(InputError, match=r"column 'doner': the column is missing; there are: .*peptide"):
        cli.group(["evaluate", str(tmp_path / "t.csv"), "--by", "doner"], standalone_mode=False)


def test_a_column_called_as_what_is_always_measured(tmp_path, pairs):
    """Prevents the lengths of the peptides from being replaced by a column of that name without a word."""
    pairs[pairs["label"].notna()].assign(length=3).to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(InputError, match=r"--by: the column cannot be told from .*'length' .*rename the column"):
        cli.group(["evaluate", str(tmp_path / "t.csv"), "--by", "length"], standalone_mode=False)


def test_measured_affinities(tmp_path, binding_folder, pairs):
    """Prevents affinities from being compared in the wrong direction, and open bounds from counting."""
    table = pairs[["peptide", "allele"]].drop_duplicates().head(40)
    predicted = tmp_path / "predicted.csv"
    table.to_csv(tmp_path / "pairs.csv", index=False)
    arguments = ["predict", tmp_path / "pairs.csv", "--model", binding_folder, "-o", predicted]
    assert CliRunner().invoke(cli.group, list(map(str, arguments)), standalone_mode=False).exception is None
    # Stretched so that both sides of 500 nM are there; the order stays.
    affinity = pd.read_csv(predicted)["affinity_nm"].rank()
    table = table.assign(measurement_nM=(10 + affinity * 40).to_numpy(), inequality="=", half=[0, 1] * 20)
    table.loc[table.index[:3], ["measurement_nM", "inequality"]] = [9000, "<"]
    table.to_csv(tmp_path / "measured.csv", index=False)
    arguments = ["evaluate", tmp_path / "measured.csv", "--model", binding_folder, "--by", "half"]
    result = CliRunner().invoke(cli.group, list(map(str, arguments)), standalone_mode=False)
    assert result.exception is None
    overview = pd.read_csv(io.StringIO(result.stdout)).iloc[0]
    assert overview["n"] == 37 and overview["unscored"] == 3
    assert overview["affinity_auroc"] == 1 and 0.8 < overview["affinity_pearson"] <= 1
    assert 0 <= overview["auroc_mean_by_half"] <= 1


PEPTIDES = ("SLYNTVATL", "GILGFVFTL", "GGGGGGGGG")
ROWS = "peptide,allele,label,year\nSLYNTVATL,A*02:01,1,2020\nGILGFVFTL,A*02:01,1,2009\nGGGGGGGGG,A*02:01,0,2020\n"


@pytest.fixture
def run_on(tmp_path, binding_folder, monkeypatch):
    """Give a function that writes a table and evaluates a small model on it, in its folder."""
    monkeypatch.chdir(tmp_path)

    def run(text, *more):
        (tmp_path / "t.csv").write_text(text)
        arguments = ["evaluate", "t.csv", "--windows", "100", "--resamples", "0", "--threads", "1", *more]
        arguments += [] if "--model" in more else ["--model", str(binding_folder)]
        result = CliRunner().invoke(cli.group, arguments, standalone_mode=False)
        if result.exception is not None:
            raise result.exception
        return pd.read_csv(io.StringIO(result.stdout))

    return run


@pytest.mark.parametrize(
    ("text", "more", "expected"),
    [
        (ROWS, ("-o", "t.csv"), "t.csv: would be written over what is read"),
        (ROWS, ("-o", "m.csv", "--report", "m.csv"), "m.csv: named for two outputs"),
        (ROWS, ("-o", "m.txt"), "m.txt: the name of the output does not tell its format"),
        (ROWS, ("-o", "m.csv", "--insert", "gone.md"), "gone.md: no such file"),
        (ROWS, ("-o", "m.csv", "--insert", "t.csv"), "t.csv: would be written over what is read"),
        (ROWS, ("--where", "1"), "not a condition that is true or false of every row"),
        (ROWS, ("--where", "label"), "not a condition that is true or false of every row"),
        (ROWS, ("--where", "year > 2030"), "no row meets the condition"),
        ("peptide,allele,label\n", (), "t.csv: there are no rows to measure models on"),
        ("", (), "t.csv: there are no rows to measure models on"),
        (ROWS, ("--by", "note"), "column 'note': the column is missing; there are: peptide, allele, label, year"),
        (ROWS, ("--where", "score > 0"), "the columns are: peptide, allele, label, year"),
        ("peptide,label\nSLYNTVATL,1\n", (), "t.csv, column 'allele': the column is missing"),
        ("peptide,allele,label,measurement_nM\nSLYNTVATL,A*02:01,1,ND\n", ("--model", "."), "not an affinity: 'ND'"),
        ("peptide,allele,label\nSLYN,A*02:01,1\n", (), "no row can be measured (length 4"),
        ("peptide,allele,measurement_nM\nSLYNTVATL,A*02:01,inf\n", (), "not an affinity: 'inf'"),
        ("peptide,allele,measurement_nM,inequality\nSLYNTVATL,A*02:01,5,?\n", (), "not an inequality: '?'"),
    ],
)
def test_mistakes(run_on, tmp_path, text, more, expected):
    """Prevents a traceback, an input that is lost, and hours of work before a mistake is told."""
    with pytest.raises(InputError) as caught:
        run_on(text, *more)
    assert expected in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"] and (tmp_path / "t.csv").read_text() == text


def test_metrics_are_written_as_their_name_says(run_on, tmp_path):
    """Prevents a workbook that no program opens, as it holds commas."""
    for name in ("m.csv", "m.tsv", "m.xlsx"):
        run_on(ROWS, "-o", name)
    whole = pd.read_csv("m.csv")
    pd.testing.assert_frame_equal(pd.read_csv("m.tsv", sep="\t"), whole)
    assert (tmp_path / "m.xlsx").read_bytes()[:2] == b"PK"


def test_conditions_on_numbers(run_on):
    """Prevents the columns of a table from being texts to its conditions."""
    assert run_on(ROWS, "--where", "label == 1")["n"].tolist() == [2, 2]
    assert run_on(ROWS, "--where", "year >= 2010 and allele == 'A*02:01'")["n"].tolist() == [2, 2]


def test_rows_without_a_group(run_on):
    """Prevents a group of those whose donor nobody knows in the printed mean, which the written metrics do not have."""
    # Without the name the labels are the other way round, so that a group of these rows would change the mean.
    rows = [(PEPTIDES[0], 1, "d1"), (PEPTIDES[1], 0, "d1"), (PEPTIDES[0], 0, ""), (PEPTIDES[1], 1, "")]
    text = "peptide,allele,label,donor\n" + "".join(f"{row[0]},A*02:01,{row[1]},{row[2]}\n" for row in rows)
    found = run_on(text, "--by", "donor", "-o", "m.csv")
    written = pd.read_csv("m.csv")
    written = written[(written["by"] == "donor") & (written["output"] == "score")]
    assert written["group"].tolist() == ["d1"]
    assert found["auroc_mean_by_donor"][0] == pytest.approx(written["auroc"].mean())


def test_columns_that_are_called_as_ours(run_on):
    """Prevents groups and conditions by our scores and notes, where the user's columns of these names are meant."""
    rows = [(PEPTIDES[0], 1, "first", 7), (PEPTIDES[1], 0, "first", 7), (PEPTIDES[2], 0, "second", 8)]
    text = "peptide,allele,label,note,score\n" + "".join(
        f"{row[0]},A*02:01,{row[1]},{row[2]},{row[3]}\n" for row in rows
    )
    found = run_on(text, "--by", "note", "--by", "score", "--where", "score > 5", "-o", "m.csv")
    assert found["n"].tolist() == [3, 3] and "auroc_mean_by_note" in found
    groups = pd.read_csv("m.csv").groupby("by")["group"].unique()
    assert groups["note"].tolist() == ["first", "second"] and groups["score"].tolist() == ["7", "8"]


@pytest.mark.filterwarnings("error::UserWarning")
def test_page_of_a_model_that_does_not_tell_of_its_training(run_on, tmp_path):
    """Prevents a plot without dots, and a line of matplotlib's warnings."""
    run_on(ROWS, "--report", "page.html")
    assert "Every dot is an allele" not in (tmp_path / "page.html").read_text()


def test_details_on_standard_output(run_on, tmp_path):
    """Prevents two tables on one output, which no program reads."""
    run_on(ROWS, "-o", "m.csv")
    printed = run_on(ROWS, "-o", "-")
    pd.testing.assert_frame_equal(printed, pd.read_csv(tmp_path / "m.csv"))


def test_pairs_of_a_genotype(run_on, binding_folder, tmp_path):
    """Prevents a row from being called unseen because another allele than that of training is the best one."""
    for name, allele in (("a", "HLA-A*02:01"), ("b", "HLA-B*07:02")):
        shutil.copytree(binding_folder, tmp_path / name)
        write_hashes(PEPTIDES[:2], [allele] * 2, tmp_path / name / HASHES_FILE)
    rows = zip(PEPTIDES, ("A0201/B0702", "B*07:02;A*02:01;A*99:99", "A*02:01"), (1, 0, 1), strict=True)
    text = "peptide,allele,label\n" + "".join(f"{peptide},{cell},{label}\n" for peptide, cell, label in rows)
    found = run_on(text.replace("/", "|"), "--genotype", "--model", "a", "--model", "b")
    assert found["in_training"].tolist() == [2] * 4


def test_models_of_one_name(run_on, binding_folder, tmp_path):
    """Prevents two models of equally named folders from being one in tables and plots."""
    for parent in ("a", "b"):
        shutil.copytree(binding_folder, tmp_path / parent / "student")
    found = run_on(ROWS, "--model", "a/student", "--model", "b/student")
    assert found["model"].tolist() == ["a/student"] * 2 + ["b/student"] * 2


def test_signs_of_affinities(run_on):
    """Prevents a bound from being taken for the affinity itself."""
    rows = "SLYNTVATL,A*02:01,100, >\nGILGFVFTL,A*02:01,500,<\nGGGGGGGGG,A*02:01,9000,>=\nAAAAAAAAA,A*02:01,9000,\n"
    found = run_on("peptide,allele,measurement_nM,inequality\n" + rows)
    assert found["n"].tolist() == [3, 3] and found["unscored"].tolist() == [1, 1]
