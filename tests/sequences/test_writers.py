"""What is written reads back, is the same bytes each time, and is never half there."""

import gzip
import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmhc_distil.errors import InputError
from pmhc_distil.sequences import cells, writers
from pmhc_distil.sequences.formats import choose_format
from pmhc_distil.sequences.result_columns import REGION_COLUMNS, make_frame
from pmhc_distil.sequences.tables import empty_predictions
from pmhc_distil.sequences.terminal import terminal_table
from pmhc_distil.sequences.writers import open_predictions, write_predictions


@pytest.fixture
def frame():
    frame = empty_predictions(["own"])
    numbers = [0.98765432198, 0.00012344, 1 / 3, 21.23456]
    frame.loc[0] = ["SLYNTVATL", "HLA-A*02:01", *numbers, "SB", "", 0.5, 0.012345, 0.012345, "x, y"]
    frame.loc[1] = ["SLYNTVA", "HLA-A*02:01", *[np.nan] * 4, "", "length 7 is outside 8-15", *[np.nan] * 3, ""]
    return frame


def test_csv(frame, tmp_path):
    """Prevents headers, precision, missing values or line ends from drifting."""
    write_predictions(frame, tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_bytes().decode() == (
        "peptide,allele,score,rank,rank_same_length,affinity_nm,binder,note,score_same_length,distance,uncertainty,own\n"
        'SLYNTVATL,HLA-A*02:01,0.9876543,0.0001234,0.3333,21.235,SB,,0.5,0.0123,0.0123,"x, y"\n'
        "SLYNTVA,HLA-A*02:01,,,,,,length 7 is outside 8-15,,,,\n"
    )


def test_json_lines(frame, tmp_path):
    """Prevents NaN, which is not JSON, from reaching a parser."""
    write_predictions(frame, tmp_path / "out.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert rows[0]["score"] == 0.9876543 and rows[0]["own"] == "x, y"
    assert rows[1]["rank"] is None and rows[1]["note"] == "length 7 is outside 8-15"


def test_packed_output_is_reproducible(frame, tmp_path):
    """Prevents checksums that change with the clock or the file name."""
    for name in ("a.tsv.gz", "b.tsv.GZ"):
        write_predictions(frame, tmp_path / name)
    data = (tmp_path / "a.tsv.gz").read_bytes()
    assert data == (tmp_path / "b.tsv.GZ").read_bytes() and data[4:8] == b"\0" * 4
    assert gzip.decompress(data).startswith(b"peptide\tallele\t")


@given(own=st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\0")), max_size=9), tab=st.booleans())
def test_own_text_reads_back(tmp_path_factory, own, tab):
    """Prevents quotes, tabs, line ends or emoji of the user's own from shifting columns, also across chunks."""
    path = tmp_path_factory.mktemp("own") / ("out.tsv" if tab else "out.csv")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cells, "_CHUNK", 4)
        write_predictions(pd.DataFrame({"peptide": own, "own": own}, dtype="str"), path)
    options = {"dtype": str, "keep_default_na": False, "sep": "\t" if tab else ","}
    with path.open(encoding="utf-8", newline="") as stream:
        back = pd.read_csv(stream, lineterminator="\n", **options)
    assert list(back["own"]) == own


def test_typed_own_columns(tmp_path):
    """Prevents integers from turning into floats, and missing values of any kind from being written as text."""
    frame = pd.DataFrame({"n": [1, 2], "x": [0.1, np.nan], "o": [None, pd.NA], "i": pd.array([1, None], dtype="Int64")})
    write_predictions(frame, tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text() == "n,x,o,i\n1,0.1,,1\n2,,,\n"
    write_predictions(frame, tmp_path / "out.jsonl")
    assert json.loads((tmp_path / "out.jsonl").read_text().splitlines()[1]) == {"n": 2, "x": None, "o": None, "i": None}


@pytest.mark.parametrize(
    ("name", "wanted", "found"),
    [
        ("a.CSV", None, "csv"),
        ("a.v2.tsv.gz", None, "tsv"),
        ("A.TSV.GZ", None, "tsv"),
        ("a.ndjson", None, "jsonl"),
        ("a.parquet", None, "parquet"),
        ("a.xlsx", None, "xlsx"),
        ("a.csv", "nf-core", "nf-core"),
        ("a", "tsv", "tsv"),
        ("-", None, "csv"),
    ],
)
def test_format_by_name(tmp_path, monkeypatch, name, wanted, found):
    """Prevents a TSV that holds commas."""
    monkeypatch.chdir(tmp_path)
    assert choose_format(name, wanted) == found


@pytest.mark.parametrize(("name", "wanted"), [("a.xls", None), ("a.gz", None), ("a", None), ("a.csv", "xls")])
def test_unknown_format(tmp_path, monkeypatch, frame, name, wanted):
    """Prevents a CSV under a workbook's name."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="csv, tsv, jsonl, parquet"):
        write_predictions(frame, name, wanted)
    assert list(tmp_path.iterdir()) == []


def test_failure_leaves_nothing(frame, tmp_path, monkeypatch):
    """Prevents a full disk from leaving half a table under the final name."""

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writers, "parts_of", fail)
    with pytest.raises(InputError, match=r"out\.csv: cannot write: no space left"):
        write_predictions(frame, tmp_path / "out.csv")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_device_is_told(frame):
    """Prevents an error that only surfaces when the last bytes are flushed from being a traceback."""
    with pytest.raises(InputError, match="/dev/full: cannot write: no space left"):
        write_predictions(frame, "/dev/full", "csv")


def test_parts_make_the_same_file(frame, tmp_path):
    """Prevents a second header, or lost rows, where a table is written in parts."""
    for name in ("a.csv", "a.jsonl.gz"):
        write_predictions(frame, tmp_path / name)
        with open_predictions(tmp_path / f"parts_{name}") as writer:
            writer.write(frame.iloc[:0])
            writer.write(frame.iloc[:1])
            writer.write(frame.iloc[1:])
            with pytest.raises(ValueError, match="columns change"):
                writer.write(frame.drop(columns="own"))
        assert (tmp_path / name).read_bytes() == (tmp_path / f"parts_{name}").read_bytes()


def test_standard_output(frame, monkeypatch):
    """Prevents standard output from being closed, or from using the locale's encoding."""
    raw = io.BytesIO()
    stdout = io.TextIOWrapper(raw, encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stdout)
    write_predictions(frame.assign(own="µ"), "-")
    assert not stdout.closed and "µ" in raw.getvalue().decode()


def test_a_reader_that_leaves_early_is_no_error():
    """Prevents `pmhc-distil predict ... | head` from ending in a traceback."""
    code = (
        "import pandas as pd; from pmhc_distil.sequences.writers import write_predictions\n"
        "write_predictions(pd.DataFrame({'peptide': ['SLYNTVATL'] * 200_000}), '-')"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b"" and process.wait() == 0


@pytest.mark.parametrize("width", [1, 20, 60, 100, 200])
def test_terminal_table_fits(frame, width):
    """Prevents wrapped lines, and control characters of a file from reaching the terminal."""
    frame["own"] = "\x1b[31mred"
    lines = terminal_table(pd.concat([frame] * 9), width, max_rows=4).splitlines()
    assert all(len(line) <= max(width, 1) for line in lines[:-1]) and len(lines) == 6
    assert "14 more rows" in lines[-1] and "-o predictions.csv" in lines[-1]
    assert "\x1b" not in "".join(lines)


def test_terminal_table_of_few_rows(frame):
    """Prevents a hint about rows that are all there."""
    assert terminal_table(frame.head(1), 120).splitlines() == [
        "peptide    allele       score      rank  affinity_nm  binder  own",
        "SLYNTVATL  HLA-A*02:01  0.988  0.000123         21.2  SB      x, y",
    ]


def test_terminal_table_of_regions():
    """Prevents the residues of a long region from taking the room of its best peptide and rank."""
    region = ["P03485", "HLA-A*02:01", 41, 68, "VLMEWLKTRPILSPLTKGILGFVFTLTV", 14, "GILGFVFTL", 0.1163]
    table = make_frame(REGION_COLUMNS, [region])
    assert terminal_table(table, 80, columns=REGION_COLUMNS).splitlines()[:2] == [
        "best_peptide  allele       best_rank  protein  start  end  sequence",
        "GILGFVFTL     HLA-A*02:01      0.116  P03485   41     68   VLMEWLKTRPILSPLTKGIL…",
    ]
