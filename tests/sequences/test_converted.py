"""A spreadsheet is read as the CSV that it could have been saved as."""

import datetime
import gzip
import io
import sys

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from openpyxl import Workbook

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.readers import open_peptides, read_peptides
from pmhc_distil.sequences.shards import Shard
from pmhc_distil.sequences.small_tables import read_small_table
from pmhc_distil.sequences.text_files import read_text


@pytest.fixture
def workbook(tmp_path):
    """Save the rows of some sheets."""

    def workbook(**sheets):
        book = Workbook()
        book.remove(book.active)
        for name, rows in sheets.items():
            sheet = book.create_sheet(name)
            for row in rows:
                sheet.append(row)
        path = tmp_path / "table.xlsx"
        book.save(path)
        return path

    return workbook


def test_cells_of_a_workbook(workbook):
    """Prevents numbers that gain digits, dates that gain a time, and rows that lose their place or empty cells."""
    day = datetime.datetime(2026, 3, 1)
    rows = [
        [None],
        ["peptide", "allele", "n", "note", None],
        ["SLYNTVATL", "A0201", 7, 'a "b",\nc'],
        ["GILGFVFTL", None, 0.1],
        [],
        ["NLVPMVATV", "B0702", True, day],
        ["=1+1", "A0201", None, day.replace(hour=9)],
    ]
    path = workbook(notes=[], data=rows)
    expected = '\npeptide,allele,n,note\nSLYNTVATL,A0201,7,"a ""b"",\nc"\nGILGFVFTL,,0.1,\n\n'
    expected += "NLVPMVATV,B0702,True,2026-03-01\n,A0201,,2026-03-01T09:00:00\n"
    assert read_text(path) == expected, "a formula without a stored value is empty"
    assert read_peptides(path).frame["n"].tolist() == ["7", "0.1", "True", ""]


def test_a_workbook_of_samples_and_a_plain_column(workbook):
    """Prevents the table beside the peptides from having to be saved as text, and a list from losing its first row."""
    table, rows = read_small_table(
        workbook(one=[["Sample", "HLA"], ["p1", " A0201;B0702 "]]), {"sample": ("sample",), "alleles": ("hla",)}
    )
    assert table.to_numpy().tolist() == [["p1", "A0201;B0702"]] and rows.tolist() == [2]
    assert read_peptides(workbook(one=[["SLYNTVATL"], ["GILGFVFTL"]])).frame["peptide"].tolist()[0] == "SLYNTVATL"
    assert read_peptides(workbook(one=[])).warnings[0].endswith("holds no peptides")


def test_several_sheets_are_refused(workbook):
    """Prevents a sheet from being chosen for the user."""
    with pytest.raises(InputError, match=r"several sheets with content: 'a', 'c' \(save the one"):
        read_text(workbook(a=[["peptide"]], b=[[None]], c=[["x"]]))


def test_parquet(tmp_path):
    """Prevents texts such as 007 from becoming numbers, and missing values from becoming texts."""
    frame = pd.DataFrame(
        {
            "peptide": ["SLYNTVATL", 'a "b",c', None],
            "id": ["007", "NA", ""],
            "count": pd.array([1, None, 3], dtype="Int64"),
            "vaf": [0.1, 1e-9, None],
            "kind": pd.Categorical(["x", "y", "x"]),
        }
    )
    path = tmp_path / "table.parquet"
    frame.to_parquet(path, row_group_size=2)
    made = pd.read_csv(io.StringIO(read_text(path)), dtype=str, keep_default_na=False)
    assert made.to_numpy().tolist() == [
        ["SLYNTVATL", "007", "1", "0.1", "x"],
        ['a "b",c', "NA", "", "1e-9", "y"],
        ["", "", "3", "", "x"],
    ]
    parts = [open_peptides(path, shard=Shard(number, 2)) for number in (1, 2)]
    assert [table.frame["peptide"].tolist() for part in parts for table in part.tables(9)] == [
        ["SLYNTVATL", 'A "B",C'],
        [""],
    ]
    pq.write_table(pa.table({"peptide": [["SLYNTVATL"]]}), path)
    with pytest.raises(InputError, match="cannot be read as a table of texts and numbers: Unsupported Type") as caught:
        read_text(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-16-le"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_unicode_text_of_excel(tmp_path, encoding, pack):
    """Prevents what Excel calls Unicode text from being refused."""
    mark = "" if encoding == "utf-16" else "\ufeff"
    path = tmp_path / "table.txt"
    path.write_bytes(pack(f"{mark}peptide\tühr\r\nSLYNTVATL\t𐍈\r\n".encode(encoding)))
    assert read_text(path) == "peptide\tühr\nSLYNTVATL\t𐍈\n"
    assert read_peptides(path).frame["ühr"].tolist() == ["𐍈"]


def test_damage_is_one_line(tmp_path, workbook):
    """Prevents a traceback out of a library for a download that was cut short."""
    whole = workbook(one=[["peptide"], *[["SLYNTVATL"]] * 999]).read_bytes()
    pq.write_table(pa.table({"peptide": ["SLYNTVATL"] * 999}), tmp_path / "whole.parquet")
    parquet = (tmp_path / "whole.parquet").read_bytes()
    odd = "peptide\n".encode("utf-16")[:-1]
    middle = whole.index(b"xl/worksheets/sheet1.xml") + 60
    broken = whole[:middle] + bytes(40) + whole[middle + 40 :]
    wrong = {
        "cut.xlsx": (whole[:-200], "is a zip archive"),
        "broken.xlsx": (broken, "the workbook is damaged"),
        "cut.parquet": (parquet[:-20], "cannot be read as a table"),
        "cut.txt": (odd, "is damaged UTF-16 text"),
        "cut.gz": (gzip.compress("peptide\n".encode("utf-16") * 999)[:-30], "the gzip file is cut short"),
    }
    for name, (content, message) in wrong.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=f"{name}: {message}") as caught:
            read_text(tmp_path / name)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("library", "name"), [("openpyxl", "a.xlsx"), ("pyarrow.parquet", "a.parquet")])
def test_libraries_that_are_not_installed(tmp_path, monkeypatch, library, name):
    """Prevents a traceback for those who have not asked for the extra."""
    frame = pd.DataFrame({"peptide": ["SLYNTVATL"]})
    path = tmp_path / name
    frame.to_excel(path) if name == "a.xlsx" else frame.to_parquet(path)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(InputError, match=r"needed \(pip install 'pmhc-distil\[.*, or save it as CSV\)"):
        read_text(path)
