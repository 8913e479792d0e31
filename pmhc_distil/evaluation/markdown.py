"""Tables in Markdown, and between the markers of a document."""

from typing import Any

import numpy as np
import pandas as pd

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.files import write_text
from pmhc_distil.sequences.text_files import read_text


def to_markdown(frame: pd.DataFrame) -> str:
    """Write a table as Markdown: ratios with four decimals, numbers with thousands separators."""
    lines = ["| " + " | ".join(frame.columns) + " |", "|" + "---|" * len(frame.columns)]
    for row in frame.itertuples(index=False):
        lines.append("| " + " | ".join(_cell(value) for value in row) + " |")
    return "\n".join(lines)


def _cell(value: Any) -> str:
    if pd.isna(value):
        return ""
    if isinstance(value, float | np.floating):
        size = abs(float(value))
        return f"{value:.4f}" if size <= 1 else f"{value:,.4g}" if size < 100 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int | np.integer) else str(value)


def insert(text: str, table: str, block: str, source: str) -> str:
    """Replace what stands between ``<!-- block:begin -->`` and ``<!-- block:end -->`` in a Markdown text.

    Raises
    ------
    InputError
        If the text does not hold both markers, in order.
    """
    begin, end = f"<!-- {block}:begin -->", f"<!-- {block}:end -->"
    before, found, rest = text.partition(begin)
    _, found_end, after = rest.partition(end)
    if not (found and found_end):
        raise InputError(f"the markers {begin} and {end} are missing", source=source)
    return f"{before}{begin}\n{table}\n{end}{after}"


def check_markers(document: str, block: str) -> None:
    """Refuse a file into which :func:`insert_into` could put nothing, before there is a table.

    Raises
    ------
    InputError
        As :func:`insert_into`.
    """
    insert(read_text(document), "", block, document)


def insert_into(document: str, table: str, block: str) -> None:
    """Put a table between the markers of a file, see :func:`insert`.

    Raises
    ------
    InputError
        If there is no such file, or it lacks the markers.
    """
    text = insert(read_text(document), table, block, document)
    write_text(document, text)
