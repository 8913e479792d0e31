"""Tables in documents keep their digits and their place."""

import numpy as np
import pandas as pd
import pytest

from pmhc_distil.errors import InputError
from pmhc_distil.evaluation.markdown import insert, insert_into, to_markdown


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
    with pytest.raises(InputError, match=r"gone.md: no such file"):
        insert_into(str(tmp_path / "gone.md"), "new", "one")


def test_markdown_keeps_digits():
    """Ratios rounded to two digits could hide a difference between models."""
    table = pd.DataFrame({"auroc": [0.97123, np.nan], "n": pd.array([1234567, pd.NA], dtype="Int64")})
    assert to_markdown(table).splitlines()[2:] == ["| 0.9712 | 1,234,567 |", "|  |  |"]


def test_a_perfect_ratio_is_a_ratio():
    """Prevents 1.0000 from being written as another kind of number than its neighbours."""
    assert to_markdown(pd.DataFrame({"auroc": [1.0]})).splitlines()[-1] == "| 1.0000 |"
