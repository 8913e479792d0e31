"""Compiled code and the module csv write the same bytes."""

import csv
import io
import math
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmhc_distil.sequences import delimited_lines as module
from pmhc_distil.sequences.cells import round_significant, rows_of
from pmhc_distil.sequences.writers import write_predictions

compiled = pytest.mark.skipif(module._library() is None, reason="no C compiler when the package was installed")


def delimited_lines(frame, digits, delimiter):
    lines = module.delimited_lines(frame, digits, delimiter)
    return None if lines is None else bytes(lines).decode("utf-8", "surrogateescape")


def by_csv(frame, digits, delimiter=","):
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\n").writerows(rows_of(frame, digits))
    return text.getvalue()


numbers = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True),
    st.floats(0, 1),
    st.floats(-300, 300).map(lambda exponent: 10.0**exponent),
    st.integers(-25, 25).map(lambda exponent: 10.0**exponent),
    st.integers(-(10**6), 10**6).map(float),
    st.sampled_from(
        [0.0, -0.0, 1e22, 1e23, 1e24, 9.9999995, 0.99999995, 99999.95, 1e-4, 9.9999999e-5, 1e15, 1e16, 5e-324, 1.7e308]
    ),
)


@compiled
@given(st.lists(numbers, min_size=1, max_size=30), st.integers(1, 13))
def test_numbers(values, digits):
    """Prevents a number that reads back as another, or looks different where no compiler was at hand."""
    rounded = round_significant(values, digits)
    frame = pd.DataFrame({"a": rounded, "b": "x"})
    assert delimited_lines(frame, {"a": digits}, ",") == by_csv(frame, {"a": digits})


@compiled
@given(st.lists(st.text(st.characters(exclude_categories=("Cs",)), max_size=8), min_size=1, max_size=8))
def test_texts(values):
    """Prevents commas, quotation marks and line ends of a user's own columns from moving the cells behind them."""
    frame = pd.DataFrame({"mine": values, "other": values[::-1]})
    for delimiter in (",", "\t"):
        found = delimited_lines(frame, {}, delimiter)
        if any("\0" in value or "\r" in value for value in values):
            assert found is None
        else:
            assert found == by_csv(frame, {}, delimiter)


@compiled
def test_all_kinds_of_columns():
    """Prevents missing values, whole numbers and objects from being written in another way than before."""
    frame = pd.DataFrame(
        {
            "text": pd.Series(["a", None, "\udce9"], dtype=object),
            "whole": pd.Series([1, None, 3], dtype="Int64"),
            "flag": [True, False, True],
            "own": [0.1, np.nan, math.inf],
            "mixed": [1, 2.5, "x,y"],
            "score": [0.1234567, np.nan, 1e-9],
        }
    )
    for part in (frame, frame.iloc[:0], frame.iloc[1:2]):
        assert delimited_lines(part, {"score": 7}, ",") == by_csv(part, {"score": 7})


@compiled
def test_without_pyarrow(monkeypatch):
    """Prevents a table of texts from needing pyarrow, which need not be installed, to be written."""
    frame = pd.DataFrame(
        {
            "text": pd.Series(["a", None, "\udce9,"], dtype=pd.StringDtype("python")),
            "whole": pd.Series([1, None, 3], dtype="Int64"),
            "day": pd.period_range("2020-01-01", periods=3, freq="D"),
        }
    )
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert delimited_lines(frame, {}, ",") == by_csv(frame, {})


@compiled
def test_parts_of_arrow_memory():
    """Prevents cells of other rows from being written for a table that is a part of another, or was put together."""
    pytest.importorskip("pyarrow")
    texts = [f"text {number}" * (number % 4) for number in range(100)]
    whole = pd.DataFrame({"a": pd.Series(texts, dtype=pd.StringDtype("pyarrow")), "b": "x"})
    quoted = whole.assign(a=whole["a"].where(whole.index != 50, 'a "b"'))
    missing = whole.assign(a=whole["a"].where(whole.index != 50))
    for frame in (whole, quoted, missing, pd.concat([whole[3:9], whole[20:], whole[:0], whole[:5]]), whole[:0]):
        for part in (frame, frame.iloc[7:60], frame.iloc[7:60].iloc[2:9], frame.iloc[::-3], frame[frame["a"] == ""]):
            assert delimited_lines(part, {}, ",") == by_csv(part, {})


@compiled
def test_one_column_is_left_to_csv():
    """Prevents an empty cell from becoming an empty line, which readers skip."""
    assert delimited_lines(pd.DataFrame({"a": ["", "b"]}), {}, ",") is None


def test_without_compiled_code(monkeypatch, tmp_path):
    """Prevents other bytes, or none, where the package was installed without a compiler."""
    frame = pd.DataFrame({"peptide": ["SLYNTVATL", "a,b"], "score": [0.5, np.nan], "note": ["", 'a "note"']})
    write_predictions(frame, tmp_path / "a.csv")
    monkeypatch.setattr(module, "_library", lambda: None)
    write_predictions(frame, tmp_path / "b.csv")
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
