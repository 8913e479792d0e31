"""Tables come in and go out as they are, and what cannot be read is one line."""

import gzip

import numpy as np
import pandas as pd
import pytest

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.csv_tables import read_rows, select_rows, write_csv


@pytest.fixture
def table():
    return pd.DataFrame({"peptide": ["SLYNTVATL", "NA", "GILGFVFTL"], "n": [1, 2, 3]}, index=[5, 6, 7])


@pytest.mark.parametrize("name", ["table.csv", "table.csv.gz"])
def test_rows_that_meet_a_condition(tmp_path, table, name):
    """Prevents a peptide spelt NA from being read as missing, and rows that are left out from going uncounted."""
    write_csv(table, tmp_path / name)
    frame, left_out = read_rows(tmp_path / name, ("peptide", "n"))
    assert frame["peptide"].tolist() == ["SLYNTVATL", "NA", "GILGFVFTL"] and left_out == 0
    frame, left_out = read_rows(tmp_path / name, ("peptide",), "n > 1")
    assert frame.to_dict("list") == {"peptide": ["NA", "GILGFVFTL"], "n": [2, 3]} and left_out == 1


def test_selected_rows_keep_their_labels(table):
    """Prevents what belongs to a row, such as its line in the file, from being looked up for another one."""
    assert select_rows(table, "n != 2", "table").index.tolist() == [5, 7]


@pytest.mark.parametrize(
    "where", ["@pd.io.common.os.remove('x') == 0", "n.to_csv('made.csv') == 1", "n.__class__ == 1", "print(n) == 1"]
)
def test_a_condition_that_does_something(tmp_path, monkeypatch, table, where):
    """Prevents the recipe of somebody else from running code or writing files."""
    monkeypatch.chdir(tmp_path)
    write_csv(table, tmp_path / "table.csv")
    with pytest.raises(InputError, match="the condition is not allowed"):
        read_rows(tmp_path / "table.csv", ["n"], where)
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]


@pytest.mark.parametrize("where", ["peptide.str.startswith('S') and (n == 1)", "peptide == '@print(1)' or n.isin([1])"])
def test_a_condition_may_ask(tmp_path, table, where):
    """Prevents questions about texts, or what stands in quotation marks, from being refused."""
    write_csv(table, tmp_path / "table.csv")
    kept, left_out = read_rows(tmp_path / "table.csv", ["n"], where)
    assert kept["n"].tolist() == [1] and left_out == len(table) - 1


@pytest.mark.parametrize("where", ["m > 1", "n >", "n.nothing"])
def test_a_condition_that_means_nothing(tmp_path, table, where):
    """Prevents a traceback out of pandas where the user has mistyped a condition."""
    write_csv(table, tmp_path / "table.csv")
    with pytest.raises(InputError, match="the columns are: peptide, n") as caught:
        read_rows(tmp_path / "table.csv", ("peptide",), where)
    assert caught.value.value == where and "table.csv" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("column.csv", b"sequence,n\nSLYNTVATL,1\n"),
        ("empty.csv", b""),
        ("cut.csv.gz", gzip.compress(b"peptide\n" * 999, mtime=0)[:-9]),
        ("damaged.csv.gz", gzip.compress(b"peptide\n" * 999, mtime=0)[:10] + b"\xff" * 40),
        ("missing.csv", None),
    ],
)
def test_what_is_no_table_is_one_line(tmp_path, name, content):
    """Prevents a traceback, or an error without the file."""
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_rows(tmp_path / name, ("peptide",))
    assert name in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "t.csv: the table is empty"),
        (b"peptide,n\nSLYNTVATL,1\n\nGILGFVFTL,1,2\n", "row 4: the row has more fields than the header (3, and"),
        (b"peptide,n\n\nSLYNTVATL,1,2\nGILGFVFTL,1,2\n", "row 3: the row has more fields than the header (3, and"),
        (b"peptide,n\nSLYNTVATL,1\nGILGFVFTL,\xff\n", "row 3: byte 0xff is not UTF-8 text"),
        (b'peptide,n\nSLYNTVATL,"1\n' + b"GILGFVFTL,1\n" * 20_000, "row 2: a quotation mark is open"),
        (b'peptide,n\nSLYNTVATL,1\nGILGFVFTL,"1\nNLVPMVATV,1\n', "row 3: a quotation mark is open"),
        (b"peptide,n,n\nSLYNTVATL,1,0\n", "row 1: the column name occurs twice: 'n'"),
        (b"\npeptide\tn\nSLYNTVATL\t1,0\n", "row 2: the columns are not separated by commas"),
    ],
)
def test_what_is_wrong_with_a_table(tmp_path, content, expected):
    """Prevents a mistake that the user has to search the whole file for."""
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_rows(tmp_path / "t.csv", ("peptide",))
    assert expected in str(caught.value)


def test_same_table_same_bytes(tmp_path, table):
    """Prevents a checksum that changes with the time or the name of the file."""
    table = table.assign(score=np.float32(1 / 3))
    for name in ("one.csv", "one.csv.gz", "two.csv.gz"):
        write_csv(table, tmp_path / name)
    packed = (tmp_path / "one.csv.gz").read_bytes()
    assert packed == (tmp_path / "two.csv.gz").read_bytes()
    assert packed[3:8] == bytes(5), "neither a name nor a time in the header of gzip"
    assert gzip.decompress(packed) == (tmp_path / "one.csv").read_bytes()
    assert (tmp_path / "one.csv").read_text().splitlines()[1] == "SLYNTVATL,1,0.333333"


def test_a_missing_table_is_called_missing(tmp_path):
    """Prevents a misspelt name from being told as a table that is no CSV."""
    with pytest.raises(InputError, match="no such file"):
        read_rows(tmp_path / "none.csv", ("peptide",))
