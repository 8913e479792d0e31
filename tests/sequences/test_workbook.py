"""Workbooks hold what the CSV holds, and no formulas."""

import sys

import numpy as np
import openpyxl
import pandas as pd
import pytest

from pmhc_distil.errors import InputError
from pmhc_distil.sequences import workbook
from pmhc_distil.sequences.tables import empty_predictions
from pmhc_distil.sequences.writers import open_predictions, write_predictions


@pytest.fixture
def frame():
    frame = empty_predictions(["own"])
    frame.loc[0] = [
        "SLYNTVATL",
        "HLA-A*02:01",
        0.98765432198,
        *[0.00012344] * 2,
        21.23456,
        "SB",
        *["", 0.5, 0, 0],
        "007",
    ]
    frame.loc[1] = ["SLYNTVA", "HLA-A*02:01", *[np.nan] * 4, "", "too short", *[np.nan] * 3, "=1+1"]
    frame.loc[2] = [*frame.loc[1].tolist()[:-1], "#N/A \x01"]
    return frame.assign(number=[1, 2, 3])


def test_cells(frame, tmp_path):
    """Prevents a formula in a user's column, a number taken for text, and identifiers that lose their zeros."""
    with open_predictions(tmp_path / "out.xlsx") as writer:
        writer.write(frame.iloc[:1])
        writer.write(frame.iloc[1:])
    rows = [[cell.value for cell in row] for row in openpyxl.load_workbook(tmp_path / "out.xlsx").active.iter_rows()]
    assert rows[0] == list(frame.columns) and len(rows) == 4
    assert rows[1][2:4] == [0.9876543, 0.0001234] and rows[2][2] is None
    assert [row[-2] for row in rows[1:]] == ["007", "=1+1", "#N/A \ufffd"] and [row[-1] for row in rows[1:]] == [
        1,
        2,
        3,
    ]
    cells = openpyxl.load_workbook(tmp_path / "out.xlsx").active["L"]
    assert {cell.data_type for cell in cells} == {"s"}


def test_same_table_same_bytes(frame, tmp_path, monkeypatch):
    """Prevents checksums that change with the clock."""
    write_predictions(frame, tmp_path / "a.xlsx")
    monkeypatch.setattr("time.time", lambda: 2e9)
    write_predictions(frame, tmp_path / "b.xlsx")
    data = (tmp_path / "a.xlsx").read_bytes()
    assert data == (tmp_path / "b.xlsx").read_bytes() and b"2026-" not in data


def test_more_rows_than_a_sheet_holds_are_told(frame, tmp_path, monkeypatch):
    """Prevents a workbook that Excel repairs by dropping rows."""
    monkeypatch.setattr(workbook, "MOST_ROWS", 3)
    with pytest.raises(InputError, match="an Excel sheet holds 3 rows"):
        write_predictions(frame, tmp_path / "out.xlsx")
    with pytest.raises(InputError, match="row 2, column 'own': a cell of Excel holds"):
        write_predictions(pd.DataFrame({"own": ["A", "A" * 40_000]}), tmp_path / "out.xlsx")
    monkeypatch.setattr(workbook, "MOST_COLUMNS", 3)
    with pytest.raises(InputError, match="an Excel sheet holds 3 columns"):
        write_predictions(frame, tmp_path / "out.xlsx")
    assert not list(tmp_path.iterdir())


def test_without_openpyxl_it_is_told_how_to_get_it(frame, tmp_path, monkeypatch):
    """Prevents minutes of prediction before the want of openpyxl is told."""
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(InputError, match=r"needs openpyxl \(pip install 'pmhc-distil\[xlsx\]'\)"):
        write_predictions(frame, tmp_path / "out.xlsx")
    with pytest.raises(InputError, match="packed already"):
        write_predictions(frame, tmp_path / "out.xlsx.gz")
