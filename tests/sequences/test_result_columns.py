"""The documentation of the columns of results is that of the program."""

import re
from pathlib import Path

import pytest

from pmhc_distil.sequences import result_columns
from pmhc_distil.sequences.tables import column_help

TEXT = (Path(__file__).parents[2] / "data/result_columns.md").read_text(encoding="utf-8")
TABLES = [name for name in vars(result_columns) if name.endswith("_COLUMNS") and name != "PREDICTION_COLUMNS"]


@pytest.mark.parametrize("name", TABLES)
def test_columns_are_explained(name):
    """A column that nobody can look up, or whose unit the documentation tells wrongly."""
    found = re.search(rf"<!-- {name}:begin -->\n(.*?)<!-- {name}:end -->", TEXT, re.S)
    expected = column_help(getattr(result_columns, name))
    assert found is not None and found[1] == expected, f"data/result_columns.md should have:\n{expected}"
    assert all(column.meaning.endswith(".") or "**" in column.meaning for column in getattr(result_columns, name))
