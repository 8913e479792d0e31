"""Tables as CSV files, plain or gzip: read, restricted to the rows that meet a condition, and written."""

import contextlib
import csv
import gzip
import itertools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

import pandas as pd

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.files import atomic_path, is_packed
from pmhc_distil.sequences.small_tables import require_columns
from pmhc_distil.sequences.text_files import STDIN, open_text

_HINT = "see data/README.md for the columns"

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
        As :func:`read_csv`; or if the condition cannot be evaluated, or a column is missing.
    """
    frame = read_csv(path, hint=_HINT)
    require_columns(frame, columns, str(path))
    kept = select_rows(frame, where, str(path)) if where else frame
    return kept, len(frame) - len(kept)


def read_csv(path: Path, *, hint: str, **options: Any) -> pd.DataFrame:
    """Read a CSV file, plain or gzip, in which nothing but what the options say is a missing value.

    Parameters
    ----------
    path : Path
    hint : str
        Where such a file comes from, for messages.
    **options
        Of ``pandas.read_csv``.

    Raises
    ------
    InputError
        If the file cannot be read, or is standard input; if it is empty, has other delimiters than commas or two
        columns of one name, or a row that has more fields than the header or a quotation mark without an end.
    """
    if str(path) == STDIN:
        raise InputError("a file is expected, not standard input", source=STDIN, hint="it is read more than once")
    with open_text(path) as stream:
        _check_header(stream, str(path))
        try:
            frame = pd.read_csv(stream, keep_default_na=False, low_memory=False, **options)
        except pd.errors.EmptyDataError as error:
            raise InputError("the table is empty", source=str(path), hint=hint) from error
        except ValueError as error:
            raise _unreadable(stream, str(path), f"{error}; {hint}") from error
        if not isinstance(frame.index, pd.RangeIndex):  # pandas takes the first of too many fields for a row's name
            raise _unreadable(stream, str(path), hint)
    return frame


def _check_header(stream: TextIO, source: str) -> None:
    """Refuse a header that pandas would make another one of, or none."""
    with contextlib.suppress(csv.Error):  # told when the rows are read
        for line, names in itertools.islice(_numbered_rows(stream), 1):
            if len(names) == 1 and ("\t" in names[0] or ";" in names[0]):
                hint = "save the table with commas"
                raise InputError("the columns are not separated by commas", source, line, value=names[0], hint=hint)
            for name in names:
                if name and names.count(name) > 1:
                    raise InputError("the column name occurs twice", source, line, value=name)
    stream.seek(0)


def _unreadable(stream: TextIO, source: str, hint: str) -> InputError:
    """Name the first row that has more fields than the header, or no end; if there is none, give the hint."""
    stream.seek(0)
    end = 0
    header: list[str] = []
    try:
        for line, cells in _numbered_rows(stream, strict=True):
            header, end = header or cells, line + sum(cell.count("\n") for cell in cells)
            if len(cells) > len(header):
                counts = f"{len(cells)}, and the header has {len(header)}: {', '.join(header)}"
                return InputError("the row has more fields than the header", source, line, hint=counts)
    except csv.Error:
        hint = 'a " opens a field that only the next " closes'
        return InputError("a quotation mark is open, or has text behind it", source, end + 1, hint=hint)
    return InputError("cannot be read as CSV", source, hint=hint)


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
        return next(itertools.islice(_numbered_rows(stream), row + 1, None))[0]


def _numbered_rows(stream: TextIO, *, strict: bool = False) -> Iterator[tuple[int, list[str]]]:
    """Give the 1-based line on which each row begins, and its fields; blank lines are no rows."""
    reader = csv.reader(stream, strict=strict)
    for cells in reader:
        if len(cells) > 1 or (cells and cells[0].strip()):
            yield reader.line_num - sum(cell.count("\n") for cell in cells), cells


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """Write a table as CSV, packed if the name ends in ``.gz``; the same table gives the same bytes."""
    with atomic_path(path) as temporary:
        text = table.to_csv(index=False, float_format="%.6g", lineterminator="\n").encode()
        # pandas would write the temporary file's name, another one every time, into the gzip header.
        temporary.write_bytes(gzip.compress(text, compresslevel=5, mtime=0) if is_packed(path) else text)
