"""Tables as CSV files, plain or gzip: read, restricted to the rows that meet a condition, and written."""

import csv
import gzip
import itertools
import re
import zlib
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.files import atomic_path
from pmhc_distil.sequences.small_tables import require_columns
from pmhc_distil.sequences.text_files import open_text

_METHODS = {
    *("abs", "between", "isin", "isna", "isnull", "notna", "notnull"),
    *("contains", "endswith", "fullmatch", "len", "lower", "match", "startswith", "strip", "upper"),
}
"""What a condition may call; others of a column's methods write files."""


def read_rows(path: Path, columns: Sequence[str], where: str | None = None) -> tuple[pd.DataFrame, int]:
    """Read those rows of a CSV file, plain or gzip, that meet a condition.

    Returns
    -------
    frame : DataFrame
        With all columns of the file; those in ``columns`` must be there.
    left_out : int
        Rows that do not meet the condition.

    Raises
    ------
    InputError
        If the file cannot be read, the condition cannot be evaluated, or a column is missing.
    """
    try:
        frame = pd.read_csv(path, keep_default_na=False, low_memory=False)
    except FileNotFoundError as error:
        raise InputError("no such file", source=str(path)) from error
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise InputError(
            "cannot be read as CSV", source=str(path), hint="see data/README.md for the columns"
        ) from error
    if not isinstance(frame.index, pd.RangeIndex):  # pandas takes the first of too many fields for a name of the row
        hint = f"the header has {len(frame.columns)}: {', '.join(frame.columns)}"
        raise InputError("the rows have more fields than the header", source=str(path), row=2, hint=hint)
    require_columns(frame, columns, str(path))
    kept = select_rows(frame, where, str(path)) if where else frame
    return kept, len(frame) - len(kept)


def select_rows(frame: pd.DataFrame, where: str, source: str) -> pd.DataFrame:
    """Keep the rows that meet a condition, written in the language of ``DataFrame.query``.

    Conditions come with recipes of others, so they can reach the columns of the table and nothing else.

    Raises
    ------
    InputError
        If the condition cannot be evaluated, names a variable of Python (``@``), or calls what is no question.
    """
    hint = f"the columns are: {', '.join(frame.columns)}"
    code = re.sub(r"'[^']*'|\"[^\"]*\"|`[^`]*`", "''", where)
    called = set(re.findall(r"(\w+)\s*\(", code)) - {"and", "or", "not", "in"}
    if "@" in code or "__" in code or called - _METHODS:
        allowed = f"no @ or __, and of methods only {', '.join(sorted(_METHODS))}"
        raise InputError("the condition is not allowed", source=source, value=where, hint=allowed)
    try:
        met = frame.eval(where, local_dict={}, global_dict={})
    except Exception as error:  # the language of query raises errors of many kinds
        raise InputError("the condition cannot be evaluated", source=source, value=where, hint=hint) from error
    if not isinstance(met, pd.Series) or met.dtype != bool or len(met) != len(frame):
        raise InputError("not a condition that is true or false of every row", source=source, value=where, hint=hint)
    return frame[met]


def line_of_row(path: Path, row: int) -> int:
    """Give the 1-based line on which a row of a CSV file begins, from 0 below the header; blank lines are no rows."""
    with open_text(path) as stream:
        reader = csv.reader(stream)
        lines = (reader.line_num - sum(cell.count("\n") for cell in cells) for cells in reader if cells)
        return next(itertools.islice(lines, row + 1, None))


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """Write a table as CSV, packed if the name ends in ``.gz``; the same table gives the same bytes."""
    with atomic_path(path) as temporary:
        text = table.to_csv(index=False, float_format="%.6g", lineterminator="\n").encode()
        # pandas would write the temporary file's name, another one every time, into the gzip header.
        temporary.write_bytes(gzip.compress(text, compresslevel=5, mtime=0) if path.suffix == ".gz" else text)
