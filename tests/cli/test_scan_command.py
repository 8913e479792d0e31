"""Proteins come back as all of their windows, each once and in its place."""

import functools
import gzip
import io
from pathlib import Path

import pandas as pd
import pytest

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.peptide_source import PeptideSource
from pmhc_distil.sequences.result_columns import SCAN_COLUMNS
from pmhc_distil.sequences.windows import protein_windows, windows_of

PROTEINS = {"one": "MSLYNTVATLKKW", "short": "MSLY", "two": "MXNLVPMVATV"}


@pytest.fixture
def run(run_command):
    """Run ``scan`` in a folder with a FASTA of three proteins."""
    text = "".join(f">{name} some title\n{sequence[:6]}\n{sequence[6:]}\n" for name, sequence in PROTEINS.items())
    Path("proteins.fasta.gz").write_bytes(gzip.compress(text.encode()))
    return functools.partial(run_command, "scan", "proteins.fasta.gz")


def table(text):
    return pd.read_csv(io.StringIO(text), keep_default_na=False, na_values={"score": "", "rank": ""})


def expected(lengths):
    return [
        (sequence[start : start + length], name, start + 1)
        for name, sequence in PROTEINS.items()
        for start in range(len(sequence))
        for length in lengths
        if start + length <= len(sequence)
    ]


def test_every_window_once(run, monkeypatch):
    """Prevents windows from being lost at the end of a protein or of a part, and positions from being off by one."""
    monkeypatch.setattr("pmhc_distil.sequences.windows._PART", 3)
    status, out, _ = run("--hla", "A0201,B0702", "--chunk-pairs", 4)
    rows = table(out)
    assert status == 0
    assert list(rows.columns[-4:]) == [column.name for column in SCAN_COLUMNS]
    for _, own in rows.groupby("allele"):
        assert list(zip(own["peptide"], own["protein"], own["position"], strict=True)) == expected(range(8, 12))
    for row in rows.itertuples():
        sequence, start = PROTEINS[row.protein], row.position - 1
        assert row.n_flank == sequence[max(0, start - 5) : start]
        assert row.c_flank == sequence[start + len(row.peptide) :][:5]


def test_windows_of_one_length_and_unusual_residues(run):
    """Prevents windows with an unknown residue from vanishing, which would hide that nothing is known of them."""
    status, out, err = run("--hla", "A0201", "--lengths", "9-9")
    rows = table(out)
    assert status == 0 and rows["peptide"].str.len().eq(9).all()
    odd = rows["peptide"].str.contains("X")
    assert odd.sum() == 2 and rows.loc[odd, "score"].isna().all() and "2 of 8 rows have no score" in err


def test_only_binders_are_written(run):
    """Prevents a filter that keeps what cannot be scored, or loses the header where nothing is left."""
    rows = table(run("--hla", "A0201")[1])
    limit = rows["rank"].median()
    status, out, err = run("--hla", "A0201", "--max-rank", limit)
    kept = table(out)
    assert status == 0 and list(kept["peptide"]) == list(rows.loc[rows["rank"] <= limit, "peptide"])
    assert f"{len(kept)} of {len(rows)} rows have a rank of at most" in err
    status, out, _ = run("--hla", "A0201", "--max-rank", 0)
    assert status == 0 and out.startswith("peptide,allele,score,") and out.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "no HLA alleles are given"),
        (("--hla", "A0201", "--lengths", "12-20"), "8 to 15"),
        (("--hla", "A0201", "--regions", "--format", "bigmhc"), "this table has no such format: 'bigmhc'"),
    ],
)
def test_mistakes_are_one_line(run, arguments, message):
    """Prevents a traceback, and a scan that finds out after hours that it cannot be done."""
    status, out, err = run(*arguments)
    assert status == 2 and out == "" and message in err


def test_no_protein_is_long_enough(run_command):
    """Prevents an empty table from passing for a result."""
    Path("short.fasta").write_text(">a\nMSLY\n")
    status, out, err = run_command("scan", "short.fasta", "--hla", "A0201")
    assert status == 2 and out == "" and "no protein has 8 residues" in err


def test_regions_and_the_best_of_every_protein(run, run_command):
    """Prevents options that are parsed and then forgotten, and two proteins of one name from being mixed."""
    every = table(run("--hla", "A0201")[1])
    best = table(run("--hla", "A0201", "--top", 2)[1])
    for name, own in best.groupby("protein"):
        assert list(own["rank"]) == sorted(every.loc[every["protein"] == name, "rank"].dropna())[:2]
    status, out, _ = run("--hla", "A0201,B0702", "--regions", "--max-rank", 5, "--top", 1)
    regions = pd.read_csv(io.StringIO(out))
    assert status == 0 and list(regions.columns[:4]) == ["protein", "allele", "start", "end"]
    assert regions["protein"].is_unique and (regions["best_rank"] <= 5).all()
    assert all(PROTEINS[r.protein][r.start - 1 : r.end] == r.sequence for r in regions.itertuples())
    Path("twice.fasta").write_text(">a\nMSLYNTVATLK\n>a\nMSLYNTVATLA\n")
    status, out, err = run_command("scan", "twice.fasta", "--hla", "A0201", "--regions")
    assert status == 2 and out == "" and "twice.fasta, row 2: two proteins have the same name: 'a'" in err


def test_lengths_that_are_none():
    """Prevents windows that no model scores."""
    with pytest.raises(InputError, match=r"lengths: .* from 8 to 15"):
        windows_of([("one", "MSLYNTVATL")], [7, 8])


@pytest.mark.parametrize("sequences", [["MSLYNTVATLKKW", "MSLY", "MXNLVPMVATV"], ["ACGTACGTXACGTACG", "ACGTACGT"]])
def test_windows_are_counted_without_being_cut(tmp_path, sequences):
    """Prevents a progress bar, a count or a warning that differs from what the windows are."""
    fasta = tmp_path / "proteins.fasta"
    fasta.write_text("".join(f">{sequence}\n{sequence}\n" for sequence in sequences))
    windows = protein_windows(fasta, (8, 9, 10))
    assert windows.check() == PeptideSource.check(windows)
