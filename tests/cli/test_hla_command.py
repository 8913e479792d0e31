"""``pmhc-distil hla`` prints names for pipelines and explanations for people."""

import gzip
import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from pmhc_distil.cli.hla import hla
from pmhc_distil.errors import InputError
from pmhc_distil.sequences.groove_table import groove_table
from pmhc_distil.sequences.grooves import REFERENCE


@pytest.fixture
def model(tmp_path):
    """Return a model folder with counts of training data and nothing else."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "training_alleles.csv").write_text("allele,ligands,affinities\nHLA-A*02:01,900,100\nHLA-B*07:02,50,0\n")
    return folder


def call(*arguments):
    return CliRunner().invoke(hla, [str(argument) for argument in arguments], catch_exceptions=True)


def test_list_is_one_canonical_name_per_line():
    """Anything else on stdout breaks a pipeline."""
    assert call("list").stdout.split("\n") == [*groove_table().names, ""]
    assert set(name[:6] for name in call("list", "--gene", "g").stdout.split()) == {"HLA-G*"}


def test_search_finds_limits_and_refuses():
    """No match must not look like success."""
    assert call("search", "B2705").stdout.startswith("HLA-B*27:05\n")
    assert "null allele" in call("search", "A*24:09").stdout
    limited = call("search", "A*02", "--limit", "2")
    assert limited.stdout.split() == ["HLA-A*02:01", "HLA-A*02:02"] and "more" in limited.stderr
    assert isinstance(call("search", "zzz").exception, InputError)


def test_explain_for_people(model):
    """The warning, the groove and the support by data are what a user decides on."""
    result = call("explain", "a2409n", "--model", model)
    assert result.exit_code == 0
    assert "HLA-A*24:09\n" in result.stdout and "null allele" in result.stdout
    assert "nearest        HLA-A*02:01, distance 0." in result.stdout


def test_explain_for_machines(model, tmp_path):
    """JSON is a list in the order asked, own sequences last."""
    fasta = tmp_path / "own.fasta"
    fasta.write_text(f">own\n{REFERENCE}\n")
    result = call("explain", "HLA-A0201", "B*44:01", "--hla-fasta", fasta, "--model", model, "--json")
    found = json.loads(result.stdout)
    assert [one["name"] for one in found] == ["HLA-A*02:01", "HLA-B*44:02", "own"]
    assert (found[0]["ligands"], found[0]["distance"], found[0]["requested"]) == (900, 0.0, "HLA-A0201")
    assert "retired" in found[1]["warning"]
    assert (found[2]["nearest"], found[2]["distance"], found[2]["ligands"]) == ("HLA-A*02:01", 0.0, 0)


def test_explain_without_its_file_says_which(tmp_path):
    """A model folder without counts is told by name, not as zero data."""
    error = call("explain", "A*02:01", "--model", tmp_path).exception
    assert isinstance(error, InputError) and "training_alleles.csv" in str(error)
    assert isinstance(call("explain").exception, InputError)


def test_build_writes_the_same_bytes_twice(tmp_path):
    """A time stamp in the table would change its checksum at every build."""
    fasta = tmp_path / "A_prot.fasta.gz"
    fasta.write_bytes(gzip.compress(f">HLA:HLA00005 A*02:01:01:01 365 bp\n{REFERENCE}\n".encode()))
    outputs = [tmp_path / "one.tsv.gz", tmp_path / "two.tsv.gz"]
    for output in outputs:
        result = call("build", fasta, "--release", "9.9.9", "-o", output)
        assert result.exit_code == 0, result.output
        assert "1 alleles with 1 grooves" in result.stderr
    assert outputs[0].read_bytes() == outputs[1].read_bytes()


def test_a_failed_build_leaves_the_old_table(tmp_path):
    """Half a table, or none, where a good one was."""
    output, fasta = tmp_path / "table.tsv.gz", tmp_path / "bad.fasta"
    output.write_text("old")
    fasta.write_text(">HLA:1\nMAV\n")
    assert isinstance(call("build", fasta, "--release", "1", "-o", output).exception, InputError)
    assert output.read_text() == "old"
    fasta.write_text(f">HLA:HLA00005 A*02:01:01:01 365 bp\n{REFERENCE}\n")
    assert "over what is read" in str(call("build", fasta, "--release", "1", "-o", fasta).exception)
    assert fasta.read_text().endswith(f"{REFERENCE}\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.fasta", "table.tsv.gz"]


def test_a_mistake_is_one_line_and_exit_status_two():
    """A traceback tells an immunologist nothing."""
    code = "import sys; from pmhc_distil.cli import main; sys.argv[1:] = ['hla', 'explain', 'DRB1*01:01']; main()"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert run.stdout == ""
    assert run.stderr.count("\n") == 1 and "class II" in run.stderr and "DRB1*01:01" in run.stderr
