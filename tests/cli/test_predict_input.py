"""What `predict` does before and after the model: modes, refusals, streams and files."""

import functools
import gzip
import io
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from pmhc_distil.sequences.tables import PREDICTION_NAMES

EXAMPLES = Path(__file__).parents[2] / "data" / "examples"


@pytest.fixture
def run(run_command):
    """Run ``predict``."""
    return functools.partial(run_command, "predict")


def table(text, **options):
    return pd.read_csv(io.StringIO(text), keep_default_na=False, na_values={"score": ""}, **options)


def test_cross_product_of_the_example(run):
    """Prevents the first command of the README from failing."""
    status, out, err = run(EXAMPLES / "peptides.fasta", "--hla", "A*02:01,B0702", "--hla", "HLA-A*24:02")
    rows = table(out)
    assert status == 0 and err == "" and len(rows) == 15 * 3
    assert list(rows.columns) == [*PREDICTION_NAMES, "name"]
    assert list(rows["allele"][:3]) == ["HLA-A*02:01", "HLA-B*07:02", "HLA-A*24:02"]


def test_an_output_without_a_name(run):
    """Prevents `-o "$OUT"`, with a variable that is not set, from writing to the terminal or a log."""
    message = "error: --output: no file is named (leave it out for standard output)\n"
    assert run(EXAMPLES / "pairs.csv", "-o", "") == (2, "", message)


def test_letters_that_cannot_be_seen(run):
    """Prevents a note that shows nothing between its quotes."""
    _, out, _ = run("--peptide", "SLYNTV\u200bATL", "--hla", "A0201")
    assert list(table(out)["note"]) == ["non-standard residue U+200B"]


def test_pairs_of_the_example(run):
    """Prevents rows of the example from being lost, and unscored ones from going unsaid."""
    status, _, err = run(EXAMPLES / "pairs.csv", "-o", "out.tsv.gz")
    rows = table(gzip.decompress(Path("out.tsv.gz").read_bytes()).decode(), sep="\t")
    assert status == 0 and len(rows) == 9 and rows["score"].isna().sum() == 2
    assert err == "2 of 9 rows have no score; the column note says why\n"
    assert rows["origin"][0] == "influenza A matrix 1"


def test_parquet_of_the_example(run, monkeypatch, fake_predictor):
    """Prevents a format that only the library knows, and minutes of prediction before the want of pyarrow is told."""
    for name in ("out.csv", "out.parquet"):
        assert run(EXAMPLES / "pairs.csv", "-o", name, "--chunk-pairs", 4)[0] == 0
    rows = pd.read_parquet("out.parquet")
    text = rows.to_csv(index=False, lineterminator="\n")
    assert text == Path("out.csv").read_text()
    fake_predictor.made = ()
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    status, out, err = run(EXAMPLES / "pairs.csv", "--format", "parquet")
    assert (status, out, fake_predictor.made) == (2, "", ()) and err.endswith("(pip install 'pmhc-distil[parquet]')\n")


@pytest.mark.parametrize("pairs", [1, 4, 7])
def test_parts_make_the_same_output(run, monkeypatch, pairs):
    """Prevents rows from being lost or warned of twice where an input is read in parts."""
    inputs = [(EXAMPLES / "pairs.csv",), (EXAMPLES / "peptides.fasta", "--hla", "A0201,B0702")]
    whole = [run(*arguments) for arguments in inputs]
    monkeypatch.setattr("pmhc_distil.sequences.delimited._LINES", 2)
    monkeypatch.setattr("pmhc_distil.sequences.delimited._CHUNK", 3)
    monkeypatch.setattr("pmhc_distil.sequences.peptide_formats._CHUNK", 2)
    assert [run(*arguments, "--chunk-pairs", pairs) for arguments in inputs] == whole


def test_nothing_is_predicted_before_all_is_read(run, fake_predictor):
    """Prevents a bad last row from surfacing when hours have been spent, and half a table on standard output."""
    good = b"peptide,allele\n" + b"SLYNTVATL,A0201\n" * 5
    for arguments, tail in (((), b"NLVPMVATV,A0201,more\n"), (("--strict",), b"SHORT,A0201\n")):
        fake_predictor.made = ()
        status, out, err = run("-", *arguments, "--chunk-pairs", 1, stdin=good + tail)
        assert status == 2 and out == "" and "row 7" in err and fake_predictor.made == ()


def test_genotype_keeps_one_row_per_peptide(run):
    """Prevents a genotype from multiplying the rows of the input."""
    status, out, _ = run("-", "--hla", "A0201,B0702", "--genotype", stdin=b"SLYNTVATL\nSLYN\nSLYNTVATL\n")
    assert status == 0 and list(table(out)["peptide"]) == ["SLYNTVATL", "SLYN", "SLYNTVATL"]


def test_peptides_of_the_command_line_and_options(run, fake_predictor):
    """Prevents an option from being parsed and then forgotten."""
    Path("model").mkdir()
    options = ("--model", "model", "--threads", 3, "--device", "cpu", "--precision", "half", "--format", "jsonl")
    status, out, _ = run("--peptide", "SLYNTVATL", "--peptide", "nlvpmvatv", "--hla", "A0201", *options)
    assert status == 0 and out.count("\n") == 2 and '"peptide": "NLVPMVATV"' in out
    assert fake_predictor.made == ("model", 3, "cpu", "half")


def test_a_peptide_that_is_no_utf_8_stays_as_a_row(run):
    """Prevents a traceback where pandas finds pyarrow, which holds only what UTF-8 can."""
    status, _, err = run("--peptide", "SLYNTVAT\udcff", "--peptide", "SLYNTVATL", "--hla", "A0201", "-o", "out.csv")
    written = Path("out.csv").read_bytes()
    assert status == 0 and err.startswith("1 of 2 rows") and written.count(b"\n") == 3
    assert b"non-standard residue" in written


def test_standard_input_is_the_default(run):
    """Prevents a pipe from needing a dash."""
    status, out, _ = run("--hla", "A0201", stdin=gzip.compress(b"peptide\nSLYNTVATL\n"))
    assert status == 0 and "SLYNTVATL" in out


def test_a_terminal_gets_a_short_table(run, monkeypatch, capsys):
    """Prevents a screen full of commas."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    status, out, _ = run(EXAMPLES / "peptides.fasta", "--hla", "A0201,B0702")
    assert status == 0 and out.startswith("peptide     allele") and "10 more rows" in out.splitlines()[-1]


def test_empty_input_gives_the_full_header_and_no_failure(run):
    """Prevents a pipeline from stopping at a sample without peptides, with or without alleles."""
    for arguments in (("--hla", "A0201"), ()):
        status, out, err = run("-", *arguments)
        assert (status, out) == (0, ",".join(PREDICTION_NAMES) + "\n") and "holds no peptides" in err
    status, out, err = run("-", stdin=b"peptide,allele,score\n")
    assert (
        status == 0
        and err.count("holds no peptides") == 1
        and out == ",".join([*PREDICTION_NAMES, "score_input"]) + "\n"
    )


def test_a_first_line_that_is_too_long_for_a_field(run):
    """Prevents a traceback for a file of nucleotides, or of JSON, that was given by mistake."""
    Path("dna.txt").write_text("ACGT" * 40_000 + "\nSLYNTVATL\n")
    status, out, _ = run("dna.txt", "--hla", "A*02:01")
    notes = table(out)["note"].tolist()
    assert status == 0 and "160000" in notes[0].replace(",", "") and notes[1] == ""


def test_renamed_columns_and_alleles_to_mind_are_said(run):
    """Prevents a null allele, or a renamed column, from passing without a word."""
    status, _, err = run("-", "--hla", "A*24:09N", stdin=b"peptide,rank\nSLYNTVATL,1\n")
    assert status == 0 and "column 'rank' is written as 'rank_input'" in err and "A*24:09N" in err


def test_many_bad_alleles_do_not_flood(run):
    """Prevents a wrong column, taken for alleles, from printing a line for each of its million values."""
    status, out, err = run("-", stdin=b"peptide,allele\n" + b"".join(b"SLYNTVATL,foo%d\n" % i for i in range(500)))
    assert status == 0 and out.count("\n") == 501 and err.count("\n") == 22 and "and 480 more warnings" in err


ERRORS = [
    (("none.fasta", "--hla", "A0201"), "none.fasta: no such file"),
    (("", "--hla", "A0201"), "the name of a file to read is empty"),
    (("list.txt",), "no HLA alleles are given (for example --hla A*02:01"),
    (("list.txt", "--hla", "A*99:99"), "--hla: "),
    (("list.txt", "--hla", "DRB1*01:01"), "--hla: "),
    (("list.txt", "--hla", "A0201,,B0702"), "--hla: an empty allele name"),
    (
        ("list.txt", "--hla", "A0201", "--strict"),
        "list.txt, row 2, column 'peptide': length 4 is outside 8-15: 'SLYN'",
    ),
    (("list.txt", "--hla", "A0201", "--peptide", "SLYNTVATL"), "list.txt: peptides are given both by"),
    (("list.txt", "--hla", "A0201", "--peptide-column", "x"), "list.txt: a plain list has no columns"),
    (("--peptide", "SLYNTVATL", "--peptide-column", "x", "--hla", "A0201"), "--peptide has no columns"),
    (("list.txt", "--hla", "A0201", "--model", "gone"), "--model: no such model folder: 'gone'"),
    (("list.txt", "--hla-fasta", "gone.fasta"), "gone.fasta: "),
    (("list.txt", "--hla", "A0201", "-o", "gone/out.csv"), "gone/out.csv: cannot write: its folder does not exist"),
    (("list.txt", "--hla", "A0201", "-o", "out.xls"), "out.xls: the name of the output does not tell its format"),
    (("list.txt", "--hla", "A0201", "-o", "out.parquet.gz"), "out.parquet.gz: Parquet is packed already"),
    (("pairs.csv", "--hla", "A0201"), "pairs.csv, column 'HLA': the table has alleles for each peptide, and --hla"),
    (("pairs.csv", "--strict"), "pairs.csv, row 3, column 'HLA': "),
]


@pytest.mark.parametrize(("arguments", "message"), ERRORS)
def test_mistakes_are_one_line(run, tmp_path, arguments, message):
    """Prevents tracebacks, half-written files and a success status for input that cannot be answered."""
    (tmp_path / "list.txt").write_text("SLYNTVATL\nSLYN\n")
    (tmp_path / "pairs.csv").write_text("peptide,HLA\nSLYNTVATL,A0201\nSLYNTVATL,foo\n")
    output = () if "-o" in arguments else ("-o", "out.csv")
    status, out, err = run(*arguments, *output)
    assert (status, out) == (2, "") and err.startswith(f"error: {message}") and err.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["list.txt", "pairs.csv"]


def test_allele_column_can_be_ignored(run):
    """Prevents a table of earlier predictions from being unusable with another allele."""
    status, out, _ = run("-", "--hla", "B0702", "--allele-column", "", stdin=b"peptide,allele\nSLYNTVATL,foo\n")
    assert status == 0 and table(out)["allele_input"][0] == "foo"


@pytest.mark.parametrize("arguments", ["['predict', '--help']", "['predict', 'none.csv', '--hla', 'A0201']"])
def test_torch_is_not_imported_for_help_or_a_mistake(tmp_path, arguments):
    """Prevents seconds of waiting for a message that needs no model."""
    code = (
        f"import sys; sys.argv[1:] = {arguments}\n"
        "from pmhc_distil.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "assert not {'torch', 'transformers'} & sys.modules.keys()"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_slow_installation_is_told(run, monkeypatch, fake_predictor):
    """Prevents hours of waiting because a compiler was missing when the package was installed."""
    quick, _, nothing = run("--peptide", "GILGFVFTL", "--hla", "A0201")
    monkeypatch.setattr(fake_predictor, "slow", "no compiler")
    status, _, err = run("--peptide", "GILGFVFTL", "--hla", "A0201")
    assert quick == status == 0 and nothing == ""
    assert err == "warning: predictions are slower than they could be: no compiler\n"


def test_columns_that_a_format_has_no_place_for(run):
    """Prevents a text in which nobody can tell whose peptides are whose, without a word."""
    samples = EXAMPLES / "samples.csv"
    status, _, err = run("-", "--samples", samples, "--format", "netmhcpan", stdin=b"peptide,origin\nSLYNTVATL,HIV\n")
    assert status == 0 and "warning: the format netmhcpan has no columns for origin, sample: left out" in err
    for fasta, format in (("peptides.fasta", "netmhcpan"), ("pairs.csv", "mhctools")):
        _, _, err = run(EXAMPLES / fasta, *(("--hla", "A0201") if fasta[-1] == "a" else ()), "--format", format)
        assert "has no columns" not in err


def test_samples(run):
    """Prevents a cohort from being scored as one person, and two places of alleles from being guessed between."""
    samples = EXAMPLES / "samples.csv"
    status, out, _ = run(EXAMPLES / "peptides.fasta", "--samples", samples, "--genotype")
    rows = table(out)
    assert status == 0 and rows["sample"].tolist() == ["donor1", "donor2"] * 15
    assert list(rows.columns)[len(PREDICTION_NAMES) :] == ["alleles_bound", "name", "sample"]
    status, out, _ = run("-", "--samples", samples, "--genotype", stdin=b"peptide,sample\n")
    assert status == 0 and out == ",".join([*PREDICTION_NAMES, "alleles_bound", "sample"]) + "\n"
    status, out, err = run(EXAMPLES / "peptides.fasta", "--samples", samples, "--hla", "A0201")
    assert status == 2 and out == "" and "both by --hla and by --samples" in err


def test_supported_alleles(run):
    """Prevents a wrapper that asks for the alleles from having to know our commands."""
    status, out, _ = run("--list-supported-alleles")
    assert status == 0 and "\nHLA-A*02:01\n" in out and out.count("\n") > 10_000
