"""The comparison of models on labelled pairs."""

import numpy as np
import pandas as pd
import pytest

from pmhc_distil.errors import InputError
from pmhc_distil.evaluation.labels import labels_of
from pmhc_distil.evaluation.markdown import insert, insert_into, to_markdown
from pmhc_distil.sequences.readers import table_from
from pmhc_distil.tasks.metrics import binary_metrics


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


@pytest.mark.parametrize("value", ["", "high", 0, -5])
def test_a_bad_affinity_names_its_row(value):
    """A missing affinity must not count as a weak one."""
    with pytest.raises(InputError, match=r"row 2, column 'measurement_nM'"):
        labels_of(table_from(measured([(10, "="), (value, "=")])))


def test_results_replace_only_their_block():
    """A second run must not leave the first run's numbers, nor touch the text around them, nor other results."""
    text = "a\n<!-- one:begin -->\nold\n<!-- one:end -->\nb\n<!-- two:begin -->\nkept\n<!-- two:end -->\n"
    assert insert(text, "new", "one", "README.md") == text.replace("old", "new")
    assert insert(text, "new", "two", "README.md") == text.replace("kept", "new")
    for markers in ("no markers", "<!-- one:end --><!-- one:begin -->"):
        with pytest.raises(InputError, match="markers"):
            insert(markers, "new", "one", "README.md")


def test_a_document_that_is_not_there(tmp_path):
    """Prevents a traceback after a long evaluation."""
    with pytest.raises(InputError, match=r"gone.md: cannot be read"):
        insert_into(str(tmp_path / "gone.md"), "new", "one")


def test_markdown_keeps_digits():
    """Ratios rounded to two digits could hide a difference between models."""
    table = pd.DataFrame({"auroc": [0.97123, np.nan], "n": pd.array([1234567, pd.NA], dtype="Int64")})
    assert to_markdown(table).splitlines()[2:] == ["| 0.9712 | 1,234,567 |", "|  |  |"]


def test_metrics_tell_perfect_from_inverted():
    """A sign error would turn the best model into the worst."""
    labels, scores = np.array([1, 1, 0, 0]), np.array([4.0, 3.0, 2.0, 1.0])
    assert binary_metrics(labels, scores, 2.5) == pytest.approx(
        {"auroc": 1.0, "ap": 1.0, "accuracy": 1.0, "f1": 1.0, "mcc": 1.0}
    )
    assert binary_metrics(labels, -scores, 0.0)["auroc"] == 0.0
    assert np.isnan(binary_metrics(np.ones(3), scores[:3], 0.0)["auroc"])
