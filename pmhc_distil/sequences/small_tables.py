"""Tables that a user writes beside the peptides: samples, allele frequencies, mutations."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TextIO

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.delimited import read_header, read_parts
from pmhc_distil.sequences.text_files import is_separator, open_text


def require_columns(table: pd.DataFrame, columns: Sequence[str], source: str) -> None:
    """Refuse a table that lacks a column.

    Raises
    ------
    InputError
        Naming the first one that is missing, and those that there are.
    """
    for name in columns:
        if name not in table:
            there = ", ".join(map(str, table.columns))
            raise InputError(f"the column is missing; there are: {there}", source=source, column=name)


def read_small_table(
    path: str | Path,
    columns: Mapping[str, Sequence[str]],
    optional: Mapping[str, Sequence[str]] | None = None,
    *,
    stream: TextIO | None = None,
    others: bool = False,
) -> tuple[pd.DataFrame, NDArray[np.int64]]:
    """Read the columns of a CSV or TSV file that are asked for.

    Parameters
    ----------
    path : str or Path
        Plain or gzip, with a header.  Lines that begin with ``#`` above it are comments, but it may begin so, too.
    columns : mapping of str to sequence of str
        What to call each column, and the names by which it is found, in lower case without separators.
    optional : mapping, optional
        Columns that need not be there.
    stream : TextIO, optional
        The file, seekable, if it is open already.
    others : bool
        Keep all other columns, too, as they are called there.  Of several that could be meant the one whose name stands
        first in `columns` is taken.

    Returns
    -------
    frame : DataFrame
        The columns that were found, as text without space around it, then the `others`.
    rows : ndarray of int, shape (N,)
        1-based line of every row.

    Raises
    ------
    InputError
        If the file cannot be read, holds no rows, or lacks a column or has two that could be meant.
    """
    source = str(path)
    expected = f"a table with the columns {' and '.join(columns)} is expected"
    stream = stream or open_text(path)
    lines = ((number, line) for number, line in enumerate(stream) if line.strip() and not is_separator(line))
    skipped, head = next(
        (part for part in lines if not part[1].startswith("#") or _names_all(part[1], columns)), (0, "")
    )
    if not head:
        raise InputError("the table is empty", source=source, hint=expected)
    delimiter = _delimiter(head)
    header, row = read_header(stream, source, skipped, delimiter)
    plain = {name: _plain(name) for name in header}
    found: dict[str, str] = {}
    for new, names in {**columns, **(optional or {})}.items():
        possible = [name for name in header if plain[name] in names]
        if others:
            possible = sorted(possible, key=lambda name: (names.index(plain[name]), name != new))[:1]
        if len(possible) > 1:
            hint = "rename or remove one of them"
            reason = f"more than one column could be the {new}"
            raise InputError(reason, source=source, row=row, value=", ".join(possible), hint=hint)
        if possible:
            found[possible[0]] = new
        elif new in columns:
            hint = f"columns are: {', '.join(header)}"
            raise InputError(f"no column {new}", source=source, row=row, hint=hint)
    if others:
        found |= {name: name for name in header if name not in found}
    parts = list(read_parts(stream, source, skipped, delimiter, header))
    if not parts:
        raise InputError("the table has no rows", source=source, hint=expected)
    cells = {new: [text.strip() for part, _ in parts for text in part[header.index(old)]] for old, new in found.items()}
    return pd.DataFrame(cells, dtype="str"), np.concatenate([numbers for _, numbers in parts])


def _delimiter(header: str) -> str:
    return max("\t,;", key=header.count)


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


def _names_all(line: str, columns: Mapping[str, Sequence[str]]) -> bool:
    """Tell whether a line names all columns that must be there."""
    found = {_plain(field) for field in line.split(_delimiter(line))}
    return all(found.intersection(names) for names in columns.values())
