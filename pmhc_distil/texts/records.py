"""CSV, TSV and JSON lines as columns with the line of every row, and columns found by their usual names."""

import itertools
import json
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.column_names import plain_name, recognised
from pmhc_distil.sequences.delimited import fields_of, read_header, read_parts
from pmhc_distil.sequences.text_files import open_text

HALF_A_LETTER = "half of a surrogate pair stands alone, which is no letter"

_QUOTED_FIELD = re.compile(r'(?m)(?:^|(?<=\t))"(?:[^"]|"")*"(?=\t|$)')
_QUOTED_FIELD_OF_A_LINE = re.compile(r'(?m)(?:^|(?<=\t))"(?:[^"\t\n]|"")*"(?=\t|$)')


@dataclass(frozen=True)
class Records:
    """The rows of a file, column by column.

    Attributes
    ----------
    source : str
        Name of the file, for messages.
    columns : dict of str to sequence
        Cells of every column: text from CSV and TSV, any JSON value from JSON lines, None where an object lacks a key.
    rows : ndarray of int, shape (N,)
        1-based line on which each row starts.
    """

    source: str
    columns: dict[str, Sequence[Any]]
    rows: NDArray[np.int64]

    def find(self, *names: str) -> str | None:
        """Find a column by its usual names.

        Parameters
        ----------
        *names : str
            In lower case without blanks and ``_-.``.  The first wins over the others; two others are ambiguous.

        Returns
        -------
        str or None
            The column as it is spelt in the file.

        Raises
        ------
        InputError
            If several columns have such names.
        """
        found = recognised(self.columns, names)
        if len(found) > 1:
            value, hint = ", ".join(found), f"keep one; {self.listed}"
            raise InputError("several columns could be meant", self.source, value=value, hint=hint)
        return found[0] if found else None

    def need(self, kind: str, *names: str) -> str:
        """Find a column as :meth:`find` does, and refuse the file if there is none.

        Parameters
        ----------
        kind : str
            What the column holds, for the message.
        """
        found = self.find(*names)
        if found is None:
            usual = f"name it {names[0]}; {self.listed}"
            raise InputError(f"no column with the {kind}", self.source, hint=usual)
        return found

    @property
    def listed(self) -> str:
        """The columns that there are, for messages."""
        return f"columns are: {', '.join(self.columns)}"

    def texts(self, column: str, *, filled: bool = True) -> list[str]:
        """Give the cells of a column as text without blanks around it.

        Parameters
        ----------
        column : str
            A column that there is.
        filled : bool
            Refuse a cell without text.

        Raises
        ------
        InputError
            If a cell is a list or an object, or is empty and must not be.
        """
        found = []
        for row, cell in zip(self.rows.tolist(), self.columns[column], strict=True):
            if isinstance(cell, list | dict):
                raise InputError("text is expected", self.source, row, column, json.dumps(cell))
            text = "" if cell is None else cell if isinstance(cell, str) else json.dumps(cell)
            text = text.strip()
            if filled and not text:
                raise InputError("the field is empty", self.source, row, column, hint="fill it or remove the row")
            found.append(text)
        return found


def read_records(path: str | Path) -> Records:
    """Read a table: CSV, TSV or JSON lines, plain or gzip.

    A file whose first line with content starts with ``{`` is JSON lines.  Otherwise that line is the header of a table:
    separated by tabs if it has any or is a single name in a file called ``.tsv``, else by commas or semicolons.
    Quotation marks of a TSV file open a field only if all of them stand around whole fields: those of the GLUE files
    are letters like any other.

    Parameters
    ----------
    path : str or Path
        A path, or ``"-"`` for standard input.

    Returns
    -------
    Records
        All rows in their order; blank lines are none.

    Raises
    ------
    InputError
        If the file cannot be read, is empty, or a row has another number of fields than the header.
    """
    with open_text(path) as stream:
        return parse_records(stream, str(path))


def parse_records(stream: TextIO, source: str) -> Records:
    """Take apart a table that is open for reading; see :func:`read_records`."""
    skipped, head = first_line(stream)
    if not head:
        raise InputError("the file is empty", source, hint="a table with a header is expected")
    if head.startswith("{"):
        return _from_objects(source, list(json_lines(stream, source)))
    if head.startswith("["):
        raise json_array(source, skipped + 1)
    delimiter = _delimiter(head, source)
    quoted = delimiter != "\t" or _is_quoted(stream)
    header, _ = read_header(stream, source, skipped, delimiter, quoted=quoted)
    cells: list[list[str]] = [[] for _ in header]
    rows = [np.zeros(0, dtype=np.int64)]
    for part, numbers in read_parts(stream, source, skipped, delimiter, header, quoted=quoted):
        rows.append(numbers)
        for all_cells, some in zip(cells, part, strict=True):
            all_cells.extend(some)
    columns: dict[str, Sequence[Any]] = dict(zip(header, cells, strict=True))
    return Records(source, columns, np.concatenate(rows))


def json_array(source: str, row: int) -> InputError:
    """Make the error for a JSON array where rows are expected."""
    return InputError("a JSON array is not a table", source, row, hint="write JSON lines: one object a line")


def is_table(head: str, source: str, names: Collection[str]) -> bool:
    """Tell whether a file is a table or JSON lines and not lines of text.

    Parameters
    ----------
    head : str
        Its first line with content.
    source : str
        Its name.  What is called ``.csv`` or ``.tsv`` is a table; another file is one if `head` has one of the `names`
        between tabs, or, unless it is called ``.txt``, without any blank by itself or between commas or semicolons.
    names : collection of str
        Headers of a column of texts, in lower case without separators.
    """
    suffixes = suffixes_of(source)
    if suffixes & {".csv", ".tsv"}:
        return True
    plain = ".txt" in suffixes
    if head.startswith("{"):
        return not plain
    for delimiter in "\t" if plain else "\t,;":
        fields = fields_of(head, delimiter)
        sentence = (delimiter != "\t" or len(fields) == 1) and any(" " in field.strip() for field in fields)
        if not sentence and set(names) & {plain_name(field) for field in fields} and (len(fields) > 1 or not plain):
            return True
    return False


def suffixes_of(source: str | Path) -> set[str]:
    """Give the suffixes of a file's name in lower case."""
    return {suffix.lower() for suffix in Path(source).suffixes}


def first_line(stream: TextIO) -> tuple[int, str]:
    """Give the number of blank lines at the beginning and the first line with content, ``""`` if there is none."""
    stream.seek(0)
    skipped = 0
    for line in stream:
        if line.strip():
            return skipped, line.strip()
        skipped += 1
    return skipped, ""


def is_unicode(text: str) -> bool:
    """Tell whether a text can be written as UTF-8: JSON and command lines can hold halves of surrogate pairs."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def json_lines(stream: TextIO, source: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Read one JSON object a line.

    Yields
    ------
    row : int
        1-based line.
    found : dict
        The object.

    Raises
    ------
    InputError
        If a line is not JSON, or not an object.
    """
    stream.seek(0)
    for row, line in enumerate(stream, 1):
        if line.strip():
            try:
                # NaN, which is not JSON, is how Python and pandas write what is missing.
                found = json.loads(line, parse_constant=lambda name: None if name == "NaN" else float(name))
            except (ValueError, RecursionError) as error:
                reason = "the line is not JSON"
                raise InputError(reason, source, row, value=line.strip(), hint="one object a line") from error
            if not isinstance(found, dict):
                raise InputError("a JSON object is expected", source, row, value=line.strip())
            if "\\u" in line and not is_unicode(json.dumps(found, ensure_ascii=False)):
                raise InputError(HALF_A_LETTER, source, row, value=line.strip())
            yield row, found


def _from_objects(source: str, found: list[tuple[int, dict[str, Any]]]) -> Records:
    names = dict.fromkeys(itertools.chain.from_iterable(one for _, one in found))
    columns: dict[str, Sequence[Any]] = {name: [one.get(name) for _, one in found] for name in names}
    return Records(source, columns, np.array([row for row, _ in found], dtype=np.int64))


def _delimiter(head: str, source: str) -> str:
    if "\t" in head or ("," not in head and ";" not in head and ".tsv" in suffixes_of(source)):
        return "\t"
    return max(",;", key=head.count)


def _is_quoted(stream: TextIO) -> bool:
    """Tell whether every quotation mark of a TSV text stands around a whole field."""
    stream.seek(0)
    text = stream.read()
    if '"' not in text:
        return True
    # Where each line has as many fields as the first, no field holds a tab or a line end, and a mark that is closed
    # some lines later is none that opens a field.
    widths = {line.count("\t") for line in text.split("\n") if line.strip()}
    pattern = _QUOTED_FIELD_OF_A_LINE if len(widths) == 1 else _QUOTED_FIELD
    return '"' not in pattern.sub("", text)
