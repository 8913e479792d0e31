"""CSV and TSV as columns of text, with the line of every row and strict about its shape."""

import csv
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from pmhc_distil.errors import InputError

_LINES = 10_000
_CHUNK = 2_000  # larger ones keep the garbage collector busy
_QUOTE_HINT = 'a " opens a field that only the next " closes'


def fields_of(line: str, delimiter: str) -> list[str]:
    """Split a line that may be the header of a table; what is too long for one is a single field."""
    try:
        return next(csv.reader([line], delimiter=delimiter))
    except csv.Error:
        return [line]


def read_header(
    stream: TextIO, source: str, skipped: int, delimiter: str, *, quoted: bool = True
) -> tuple[list[str], int]:
    """Read the header alone.

    Parameters
    ----------
    stream : TextIO
        Seekable text.
    source : str
        Its name, for messages.
    skipped : int
        Lines before the header.
    delimiter : str
        One character.
    quoted : bool
        Whether a quotation mark opens a field; otherwise it is a letter like any other.

    Returns
    -------
    header : list of str
        Each name once; a column without a name is called after its place, ``column_2``.
    row : int
        1-based line of the header.

    Raises
    ------
    InputError
        If a name occurs twice.
    """
    _skip(stream, skipped)
    chunk, numbers = next(_chunks(stream, stream, source, skipped, delimiter, quoted, skipped))
    header: list[str] = []
    given = {field.strip() for field in chunk[0]}
    for place, field in enumerate(chunk[0], 1):
        name = field.strip()
        if not name:  # by its place, as far as no other is called so
            free = (f"column_{place}{'_' * more}" for more in range(len(given) + 1))
            name = next(one for one in free if one not in given)
        if name in header:
            raise InputError("the column name occurs twice", source=source, row=int(numbers[0]), value=name)
        header.append(name)
    return header, int(numbers[0])


def read_parts(
    stream: TextIO, source: str, skipped: int, delimiter: str, header: list[str], *, quoted: bool = True
) -> Iterator[tuple[list[Sequence[str]], NDArray[np.int64]]]:
    """Read all rows below the header, a bounded number at a time; blank lines are none.

    In a table of one column only empty lines are blank: one of spaces is a row whose cell says nothing.

    Parameters
    ----------
    stream, source, skipped, delimiter, quoted
        As for :func:`read_header`.
    header : list of str
        What it returned.

    Yields
    ------
    columns : list of sequence of str
        Cells of every column of the header.
    rows : ndarray of int, shape (N,)
        1-based line on which each row starts.

    Raises
    ------
    InputError
        For the first row with more or fewer fields than the header, or with a quotation mark that is not closed.
    """
    _skip(stream, skipped)
    below_header, lines_before, width = 1, skipped, len(header)
    while lines := list(itertools.islice(stream, _LINES)):
        columns = _plain_columns("".join(lines), delimiter, width, quoted)
        if columns is None:
            break
        rows = np.arange(lines_before + 1, lines_before + 1 + len(lines))
        if len(lines) > below_header:
            yield [column[below_header:] for column in columns], rows[below_header:]
        below_header, lines_before = 0, lines_before + len(lines)
    # From the first quotation mark or irregular line on, the module csv reads.
    rest = itertools.chain(lines, stream)
    for chunk, numbers in _chunks(rest, stream, source, skipped, delimiter, quoted, lines_before):
        chunk, numbers = chunk[below_header:], numbers[below_header:]
        below_header = 0
        if set(map(len, chunk)) - {width}:
            kept = np.array([i for i, fields in enumerate(chunk) if not _is_blank(fields, width)], dtype=np.intp)
            chunk, numbers = [chunk[i] for i in kept], numbers[kept]
            for fields, number in zip(chunk, numbers, strict=True):
                if len(fields) != width:
                    reason = f"the row has {len(fields)} field{'s' * (len(fields) != 1)}, the header has {width}"
                    raise InputError(reason, source=source, row=int(number), value=delimiter.join(fields))
        if chunk:
            yield list(zip(*chunk, strict=True)), numbers


def _plain_columns(text: str, delimiter: str, width: int, quoted: bool) -> list[list[str]] | None:
    """Give the columns of lines that need nothing but splitting; None if one needs more, or has another width."""
    text = text.replace("\r\n", "\n")
    if "\r" in text or (quoted and '"' in text):
        return None
    if not text.endswith("\n"):
        text += "\n"
    letters = np.frombuffer(text.encode("utf-8", "surrogatepass"), np.uint8)
    ends = letters == ord("\n")
    places = np.flatnonzero(ends | (letters == ord(delimiter)))
    lengths = np.diff(places, prepend=-1) - 1
    if len(places) % width or lengths.max() > csv.field_size_limit():
        return None
    line_ends = ends[places].reshape(-1, width)
    if line_ends[:, :-1].any() or not line_ends[:, -1].all() or (width == 1 and not lengths.all()):
        return None
    cells = text.replace("\n", delimiter).split(delimiter)[:-1]
    return [cells[place::width] for place in range(width)]


def _is_blank(fields: list[str], width: int) -> bool:
    """Tell whether a line is none of the table: in one of a single column, blanks are a cell like any other."""
    return not fields or (len(fields) == 1 < width and fields[0].isspace())


def _chunks(
    lines: Iterable[str], stream: TextIO, source: str, skipped: int, delimiter: str, quoted: bool, lines_before: int
) -> Iterator[tuple[list[list[str]], NDArray[np.int64]]]:
    """Yield rows in chunks, each with the 1-based lines on which its rows start.

    Reads `lines`, before which the stream has so many.
    """
    reader = _reader(lines, delimiter, quoted)
    while True:
        start = reader.line_num
        try:
            chunk = list(itertools.islice(reader, _CHUNK))
        except csv.Error as error:
            row = _first_bad_line(stream, skipped, delimiter, quoted)
            if "field limit" in str(error):
                reason = f"a field has more than {csv.field_size_limit():,} characters"
                raise InputError(reason, source=source, row=row) from error
            is_text_after = "expected after" in str(error)
            reason = "text follows a closing quotation mark" if is_text_after else "a quotation mark is open"
            raise InputError(reason, source=source, row=row, hint=_QUOTE_HINT) from error
        if not chunk:
            return
        heights = np.ones(len(chunk), dtype=np.int64)
        if reader.line_num - start != len(chunk):  # quoted line ends
            heights += [sum(field.count("\n") for field in fields) for fields in chunk]
        yield chunk, lines_before + start + 1 + np.cumsum(heights) - heights


def _skip(stream: TextIO, count: int) -> None:
    """Go to the beginning and read some lines."""
    stream.seek(0)
    for _ in range(count):
        next(stream)


def _reader(lines: Iterable[str], delimiter: str, quoted: bool) -> Any:
    quoting: dict[str, Any] = {} if quoted else {"quoting": csv.QUOTE_NONE}
    return csv.reader(lines, delimiter=delimiter, strict=True, **quoting)


def _first_bad_line(stream: TextIO, skipped: int, delimiter: str, quoted: bool) -> int:
    _skip(stream, skipped)
    reader = _reader(stream, delimiter, quoted)
    line = 0
    try:
        for _ in reader:
            line = reader.line_num
    except csv.Error:
        pass
    return skipped + line + 1
