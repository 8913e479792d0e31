"""``data prepare`` and ``data split`` turn files into files, and mistakes into one line."""

import gzip

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

    def run(recipe):
        (tmp_path / "data.yaml").write_text(yaml.safe_dump(recipe))
        files = ["--proteins", protein_fasta, "--recipe", tmp_path / "data.yaml", "-o", tmp_path / "out"]
        return call("data", "prepare", tmp_path, *files)

    return run


def test_prepare_writes_tables(prepare, tmp_path):
    """Prevents a command that does not hand its recipe on."""
    result = prepare(RECIPE)
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
    ],
    ids=str,
)
def test_mistakes_are_one_line(prepare, changed, tmp_path):
    """Prevents a traceback, and tables with infinite offsets."""
    with pytest.raises(InputError) as caught:
        prepare({**RECIPE, **changed})
    assert "\n" not in str(caught.value) and not (tmp_path / "out").exists()


def test_split(tmp_path, protein_fasta, proteins):
    """Prevents proteins from getting lost between the two files."""
    result = call("data", "split", protein_fasta, "--validation-share", "0.5", "-o", tmp_path / "out")
    counts = [
        gzip.decompress((tmp_path / "out" / f"{name}.fasta.gz").read_bytes()).count(b">")
        for name in ("train", "validation")
    ]
    assert sum(counts) == len(proteins) and min(counts) > 0
    assert result.stderr == f"train: {counts[0]} proteins, validation: {counts[1]}\n"
