"""Texts or pairs of texts with a label or a number, for classification and regression."""

import math
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.column_names import plain_name
from pmhc_distil.texts.records import Records, read_records

LARGEST = 3.4e38
"""Of numbers in single precision."""

PAIR_NAMES = (
    ("text", "textpair"),
    ("sentence1", "sentence2"),
    ("text1", "text2"),
    ("question1", "question2"),
    ("premise", "hypothesis"),
    ("question", "sentence"),
    ("#1string", "#2string"),
)
"""Headers of two columns that are a pair, in lower case without separators."""

TEXT_NAMES = ("text", "sentence", "seq", "sequence", "sentence1", "premise", "question", "#1string")
"""Headers of a column of texts, in lower case without separators."""

LABEL_NAMES = ("label", "labels", "quality", "score", "target", "class")
"""Headers of a column of labels or numbers, in lower case without separators."""


def read_labelled(path: Path, *, numeric: bool = False, filled: bool = True) -> pd.DataFrame:
    """Read texts and their labels.

    Parameters
    ----------
    path : Path
        CSV, TSV or JSON lines, plain or gzip; see :func:`pmhc_distil.texts.records.read_records`.  Columns are found by
        :data:`PAIR_NAMES`, :data:`TEXT_NAMES` and :data:`LABEL_NAMES`.
    numeric : bool
        The labels are numbers, for regression.
    filled : bool
        Refuse a row without a label.

    Returns
    -------
    DataFrame
        A row per row of the file, in its order: ``text`` and ``text_pair`` (str without blanks around it, the pair
        ``""`` where there is none), ``label`` (str, ``""`` where there is none, or float, NaN where there is none, if
        `numeric`), ``row`` (1-based line), and as ``attrs["label"]`` the name of the column of labels.

    Raises
    ------
    InputError
        If the file cannot be read or has no rows, a column is missing or ambiguous, or a text or label is empty or not
        the finite number it should be.
    """
    records = read_records(path)
    _text_columns(records)
    label = records.need("labels", *LABEL_NAMES)
    frame = text_frame(records)
    texts = records.texts(label, filled=filled)
    frame.insert(2, "label", numbers(records, label, texts) if numeric else pd.Series(texts, dtype="str"))
    frame.attrs["label"] = label
    return frame


def text_frame(records: Records) -> pd.DataFrame:
    """Give the columns ``text``, ``text_pair`` and ``row`` of :func:`read_labelled`."""
    text, pair = _text_columns(records)
    if not len(records.rows):
        raise InputError("the table has no rows", records.source)
    texts = records.texts(text)
    table = {"text": texts, "text_pair": records.texts(pair, filled=False) if pair else [""] * len(texts)}
    frame = pd.DataFrame(table, dtype="str")
    frame["row"] = records.rows
    return frame


def numbers(records: Records, column: str, texts: Sequence[str]) -> list[float]:
    """Give the texts of a column as numbers that are finite in single precision, in which models compute.

    An empty text is no number (NaN).

    Raises
    ------
    InputError
        If another text is not such a number.
    """
    found = []
    for row, text in zip(records.rows.tolist(), texts, strict=True):
        try:
            number = float(text or math.nan) if "_" not in text else math.nan  # of Python alone
        except ValueError:
            number = math.nan
        if text and not abs(number) <= LARGEST:
            raise InputError("a number is expected", records.source, row, column, text)
        found.append(number)
    return found


def text_column(records: Records) -> str:
    """Find the column of texts by :data:`TEXT_NAMES`.

    Raises
    ------
    InputError
        If there is none, or there are texts in another column, too: the other half of a pair, or the context of a
        question.
    """
    text, pair = _text_columns(records)
    other = pair or (records.find("context") if plain_name(text) == "question" else None)
    if other is not None:
        hint = f"keep one of them; {records.listed}"
        raise InputError("a single text a row is needed", records.source, value=f"{text}, {other}", hint=hint)
    return text


def _text_columns(records: Records) -> tuple[str, str | None]:
    found = [(records.find(first), records.find(second)) for first, second in PAIR_NAMES]
    pairs = [(first, second) for first, second in found if first and second]
    if len(pairs) > 1:
        several = ", ".join(f"{first} and {second}" for first, second in pairs)
        hint = f"keep one pair; {records.listed}"
        raise InputError("several pairs of columns could be meant", records.source, value=several, hint=hint)
    if pairs:
        return pairs[0]
    return records.need("texts", *TEXT_NAMES), records.find(
        *(second for _, second in PAIR_NAMES if second != "sentence")
    )
