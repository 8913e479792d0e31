"""What `mutants` refuses and says before and after the model."""

import functools
import io
import os
import threading
from pathlib import Path

import pandas as pd
import pytest

EXAMPLES = Path(__file__).parents[2] / "data" / "examples"


@pytest.fixture
def run(run_command):
    """Run ``mutants`` on the example proteins."""
    return functools.partial(run_command, "mutants", EXAMPLES / "oncogenes.fasta")


def test_a_table_and_options(run):
    """Prevents mutations of one place from being dropped for those of another, and unusable ones from going unsaid."""
    options = (
        "--mutation",
        "KRAS:Q61H",
        "--mutations",
        EXAMPLES / "mutations.csv",
        "--hla",
        "A0201",
        "--lengths",
        "9-9",
    )
    status, out, err = run(*options)
    rows = pd.read_csv(io.StringIO(out), keep_default_na=False)
    assert status == 0 and rows["mutation"].iloc[0] == "Q61H" and (rows["mutation"] == "Q61H").sum() == 9
    assert rows.columns[-10:].tolist()[0] == "protein" and rows["anchor"].isin(["True", "False", ""]).all()
    assert err == "3 of 9 mutations cannot be used; the column note says why\n"


def test_columns_of_the_user(run, tmp_path):
    """Prevents other columns of a table from getting lost, being read as numbers, or taking the place of ours."""
    path = tmp_path / "mutations.csv"
    path.write_text("protein,mutation,vaf,rank\nKRAS,G12D,0.50,007\nKRAS,nonsense,1e3,\n")
    options = ("--mutations", path, "--hla", "A1101,B0702", "--lengths", "9-9")
    status, out, _ = run("--mutation", "KRAS:Q61H", *options)
    rows = pd.read_csv(io.StringIO(out), keep_default_na=False, dtype=str)
    assert status == 0 and rows.columns[-3:].tolist() == ["in_proteome", "vaf", "rank_input"]
    own = rows[["mutation", "vaf", "rank_input"]].drop_duplicates().to_numpy().tolist()
    assert own == [["Q61H", "", ""], ["G12D", "0.50", "007"], ["nonsense", "1e3", ""]]
    samples = ("--samples", EXAMPLES / "samples.csv", "--genotype", "--max-rank", "2")
    status, out, _ = run("--mutations", path, *samples)
    rows = pd.read_csv(io.StringIO(out), keep_default_na=False, dtype=str)
    assert status == 0 and rows.columns[-3:].tolist() == ["sample", "vaf", "rank_input"]
    assert rows.loc[rows["mutation"] == "nonsense", "vaf"].tolist() == ["1e3"]
    assert set(rows.loc[rows["mutation"] == "G12D", "vaf"]) == {"0.50"}


def test_a_vcf_and_a_proteome(run):
    """Prevents a VCF from being read as a table, and the answer of the proteome from being left empty."""
    status, out, err = run(
        *("--mutations", EXAMPLES / "variants.vcf", "--hla", "A0201", "--proteome", EXAMPLES / "protein.fasta")
    )
    rows = pd.read_csv(io.StringIO(out), keep_default_na=False)
    assert status == 0 and set(rows.loc[rows["peptide"] != "", "in_proteome"]) == {"False"}
    assert "variants.vcf: 1 of the variants change no protein" in err and "1 of 3 mutations cannot be used" in err


def test_a_vcf_of_two_samples(run, tmp_path):
    """Prevents the variants of somebody else from being used without a word, and from staying when one is asked for."""
    path, lines = tmp_path / "pair.vcf", (EXAMPLES / "variants.vcf").read_text().splitlines()
    extra = {"12": "\tGT\t0/0\t0/1", "17": "\tGT\t0/1\t0/0", "#CHROM": "\tFORMAT\tNORMAL\tTUMOUR"}
    path.write_text("".join(line + extra.get(line.split("\t")[0], "") + "\n" for line in lines))
    status, out, err = run("--mutations", path, "--hla", "A0201")
    assert status == 0 and "P04637" in out and "variants of all samples (NORMAL, TUMOUR) are used; --vcf-sample" in err
    status, out, err = run("--mutations", path, "--hla", "A0201", "--vcf-sample", "TUMOUR")
    assert status == 0 and "P01116" in out and "P04637" not in out
    assert "pair.vcf: 2 variants that TUMOUR does not carry are left out" in err and "all samples" not in err


def test_pipes(run, tmp_path):
    """Prevents what can be read only once, as ``--mutations <(bcftools view ...)``, from being called empty."""
    pipes = {}
    for name in ("variants.vcf", "protein.fasta"):
        pipes[name] = tmp_path / name
        os.mkfifo(pipes[name])
        threading.Thread(target=pipes[name].write_bytes, args=[(EXAMPLES / name).read_bytes()], daemon=True).start()
    piped = run("--mutations", pipes["variants.vcf"], "--hla", "A0201", "--proteome", pipes["protein.fasta"])
    files = run("--mutations", EXAMPLES / "variants.vcf", "--hla", "A0201", "--proteome", EXAMPLES / "protein.fasta")
    assert piped[:2] == files[:2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "no mutations are given (for example --mutation KRAS:G12D"),
        (("--mutation", "G12D"), "--mutation: no protein and change: 'G12D' (for example KRAS:G12D)"),
        (("--mutations", "none.csv"), "none.csv: no such file"),
        (("--mutation", "KRAS:G12D", "--pass-only"), "--pass-only: there is no VCF that could tell (add --mutations)"),
        (("--mutation", "KRAS:G12D", "--vcf-sample", "T"), "--vcf-sample: there is no VCF that could tell"),
        (("--mutations", "peptides.csv"), "peptides.csv, row 1: no column protein"),
        (("--mutation", "KRAS:G12D", "--proteome", "none.fasta"), "none.fasta: no such file"),
        (("--mutation", "KRAS:G12D", "--samples", "none.csv"), "both by --hla and by --samples"),
        (("--mutation", "KRAS:G12D", "-o", "out.doc"), "out.doc: the name of the output does not tell its format"),
    ],
)
def test_mistakes_are_one_line(run, fake_predictor, arguments, message):
    """Prevents a traceback, and a prediction before all has been read."""
    Path("peptides.csv").write_text("peptide\nSLYNTVATL\n")
    fake_predictor.made = ()
    status, out, err = run(*arguments, "--hla", "A0201")
    assert (status, out, fake_predictor.made) == (2, "", ()) and message in err and err.count("\n") == 1


def test_an_allele_that_does_not_exist(run, fake_predictor):
    """Prevents a model from being loaded for an allele that does not exist, or for none."""
    for arguments in ((), ("--hla", "A*99:99")):
        fake_predictor.made = ()
        status, out, err = run("--mutation", "KRAS:G12D", *arguments)
        assert (status, out, fake_predictor.made) == (2, "", ()) and err.startswith("error: ")
