"""The published columns keep their names, and a number keeps its order and its class when it is rounded."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmhc_distil.sequences.tables import (
    PREDICTION_COLUMNS,
    PREDICTION_NAMES,
    SCHEMA_VERSION,
    binder_class,
    column_help,
    empty_predictions,
    round_significant,
    validate_predictions,
)


def test_schema_is_frozen():
    """Prevents the renaming that breaks everyone's parser."""
    assert SCHEMA_VERSION == "1"
    assert " ".join(PREDICTION_NAMES) == (
        "peptide allele score rank rank_same_length affinity_nm binder note score_same_length distance uncertainty"
    )


@given(
    value=st.floats(allow_nan=False, allow_infinity=False, min_value=-1e300, max_value=1e300).filter(
        lambda x: x == 0 or abs(x) > 1e-290
    ),
    digits=st.integers(1, 9),
)
def test_rounding_is_short_and_close(value, digits):
    """Prevents tails such as 0.1234560000001 in the output, and a rounding that is off by more than half a digit."""
    rounded = round_significant([value], digits).item()
    shown = repr(rounded).replace("-", "").replace(".", "").split("e")[0].strip("0")
    assert len(shown) <= digits
    assert abs(rounded - value) <= abs(value) * 0.501 * 10.0 ** (1 - digits)


def test_rounding_makes_no_ties_at_the_strong_tail():
    """Prevents the collapse of the best ranks to 0.00."""
    rank = np.array([1.234e-6, 1.235e-6, 0.0012, 0.00121])
    assert len(set(round_significant(rank, 4))) == 4


def test_rounding_keeps_missing_and_zero():
    """Prevents log10(0) from turning a zero into a missing value."""
    assert np.array_equal(round_significant([np.nan, 0.0], 3), [np.nan, 0.0], equal_nan=True)


def test_binder_class():
    """Prevents a class that contradicts the rank as written: 0.50004 is written 0.5, which is a strong binder's."""
    rank = [0, 0.5, 0.50004, 0.501, 2, 2.0004, 2.001, 100, np.nan]
    assert list(binder_class(rank)) == ["SB", "SB", "SB", "WB", "WB", "WB", "", "", ""]
    assert list(binder_class([])) == []


def test_empty_predictions_are_valid():
    """Prevents a table without rows from losing columns or types."""
    frame = empty_predictions(["own"])
    validate_predictions(frame)
    assert list(frame.columns) == [*PREDICTION_NAMES, "own"] and frame["rank"].dtype == np.float64


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("score", 1.1),
        ("rank", -1.0),
        ("affinity_nm", np.inf),
        ("binder", ""),
        ("score", np.nan),
        ("score_same_length", 2.0),
        ("uncertainty", 0.6),
    ],
)
def test_validation_sees(column, value):
    """Prevents a table with impossible numbers, or a row that is silent about its missing score, from being written."""
    frame = empty_predictions()
    frame.loc[0] = ["SLYNTVATL", "HLA-A*02:01", 0.9, 0.1, 0.1, 20.0, "SB", "", 0.8, 0.0, 0.1]
    validate_predictions(frame)
    frame.loc[0, column] = value
    with pytest.raises(ValueError):
        validate_predictions(frame)


def test_column_help_names_every_column():
    """Prevents a column that the documentation does not explain."""
    assert all(f"| `{column.name}` |" in column_help() for column in PREDICTION_COLUMNS)
