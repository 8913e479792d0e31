"""Labels and affinities of a table say what they say, and nothing else."""

import numpy as np
import pandas as pd
import pytest

from pmhc_distil.errors import InputError
from pmhc_distil.evaluation.labels import affinities_of, labels_of
from pmhc_distil.sequences.readers import table_from


def table(labels: list[object]) -> pd.DataFrame:
    return pd.DataFrame({"peptide": ["SLYNTVATL"] * len(labels), "allele": "A*02:01", "label": labels})


def test_labels_are_read():
    """Labels read as text would make every row positive."""
    assert labels_of(table_from(table(["1", "0", 1.0]))).tolist() == [True, False, True]


def test_a_bad_label_names_its_row():
    """A label such as 'yes' must not silently count as a negative."""
    with pytest.raises(InputError, match=r"row 2, column 'label'.*'yes'"):
        labels_of(table_from(table([1, "yes"])))


def test_a_missing_label_column_is_an_error():
    """Without labels there is nothing to measure."""
    with pytest.raises(InputError, match="label"):
        labels_of(table_from(table([1]).drop(columns="label")))


def measured(rows: list[tuple[object, str]]) -> pd.DataFrame:
    values, inequalities = zip(*rows, strict=True)
    return pd.DataFrame(
        {"peptide": "SLYNTVATL", "allele": "A*02:01", "measurement_nM": values, "inequality": inequalities}
    )


def test_affinities_tell_binders():
    """A bound must not decide what it leaves open."""
    rows = [(499, "="), (500, ""), (100, "<"), (900, "<"), (900, ">"), (100, ">")]
    assert labels_of(table_from(measured(rows))).tolist() == pytest.approx([1, 0, 1, np.nan, 0, np.nan], nan_ok=True)


def test_an_affinity_may_be_missing_beside_a_label():
    """A row that has a label must not be refused for what is not needed; what is no number still is."""
    rows = measured([(5, "="), ("", ""), (900, ">")]).assign(label=[1, 0, 0])
    assert affinities_of(table_from(rows))[0].tolist() == pytest.approx([5, np.nan, 900], nan_ok=True)
    with pytest.raises(InputError, match=r"row 2, column 'measurement_nM'.*'ND'"):
        affinities_of(table_from(rows.replace({"measurement_nM": {"": "ND"}})))


@pytest.mark.parametrize("value", ["", "high", 0, -5])
def test_a_bad_affinity_names_its_row(value):
    """A missing affinity must not count as a weak one."""
    with pytest.raises(InputError, match=r"row 2, column 'measurement_nM'"):
        labels_of(table_from(measured([(10, "="), (value, "=")])))
