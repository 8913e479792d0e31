"""Rows of a table as lines of CSV or TSV, in compiled code (``lines/lines.c``) where it was built."""

import ctypes
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pmhc_distil.sequences.cells import round_significant, values_of
from pmhc_distil.sequences.compiled import compiled_library

_MOST_DIGITS = 13
_ROOM = 32
_END = "\0"
_QUOTED, _REFUSED = ('"', "\n"), ("\0", "\r")
_Texts = tuple[NDArray[np.uint8], NDArray[np.int64], int]
"""Letters, where each text begins and the last one ends, and how many bytes are between texts."""


class _Column(ctypes.Structure):
    _fields_ = (
        ("texts", ctypes.c_void_p),
        ("ends", ctypes.c_void_p),
        ("between", ctypes.c_int64),
        ("numbers", ctypes.c_void_p),
        ("digits", ctypes.c_int64),
    )


def delimited_lines(frame: pd.DataFrame, digits: Mapping[str, int], delimiter: str) -> memoryview | None:
    """Write rows as the module csv does, without a header.

    Parameters
    ----------
    frame : DataFrame
    digits : mapping
        Significant digits of the columns that are rounded; all others are written as they are.
    delimiter : str
        One character.

    Returns
    -------
    memoryview or None
        UTF-8.  None where the module csv has to do it: without compiled code, for a single column or none (an empty
        cell of it would be an empty line), and for cells with a zero byte or a carriage return.
    """
    library = _library()
    if library is None or len(frame.columns) < 2:
        return None
    columns = (_Column * len(frame.columns))()
    kept: list[object] = []
    room = len(frame) * len(columns)
    for place, name in enumerate(map(str, frame.columns)):
        if name in digits:
            if not 0 < digits[name] <= _MOST_DIGITS:
                return None
            cells = frame.iloc[:, place].to_numpy(dtype=np.float64, na_value=np.nan)
            numbers = np.ascontiguousarray(round_significant(cells, digits[name]))
            kept.append(numbers)
            columns[place] = _Column(None, None, 0, numbers.ctypes.data, digits[name])
            room += _ROOM * len(frame)
        else:
            series = frame.iloc[:, place]
            found = _plain_texts(series, delimiter) or _texts(series, delimiter)
            if found is None:
                return None
            texts, ends, between = found
            kept += found
            columns[place] = _Column(texts.ctypes.data, ends.ctypes.data, between, None, 0)
            room += int(ends[-1] - ends[0])
    buffer = np.empty(room, np.uint8)
    count = library.pmhc_lines(
        ctypes.c_int64(len(frame)),
        ctypes.c_int64(len(columns)),
        columns,
        ctypes.c_char(delimiter.encode()),
        ctypes.c_void_p(buffer.ctypes.data),
    )
    return buffer[:count].data


def _plain_texts(series: pd.Series, delimiter: str) -> _Texts | None:
    """Give the cells of a column that lies in Arrow's memory, if none has to be quoted; without making them anew."""
    # Others, also those without pyarrow, offer to be copied to its memory.
    if getattr(series.dtype, "storage", None) != "pyarrow":
        return None
    cells = series.array.__arrow_array__()
    if isinstance(cells, _arrow().ChunkedArray):
        cells = cells.combine_chunks()
    if cells.null_count or not len(cells) or cells.type != _arrow().large_string():
        return None
    _, offsets, letters = cells.buffers()
    ends = np.frombuffer(offsets, np.int64)[cells.offset : cells.offset + len(cells) + 1]
    texts = np.frombuffer(letters or b" ", np.uint8)
    special = np.zeros(256, dtype=bool)
    special[[ord(letter) for letter in (delimiter, *_QUOTED, *_REFUSED)]] = True
    return None if special[texts[ends[0] : ends[-1]]].any() else (texts, ends, 0)


def _texts(series: pd.Series, delimiter: str) -> _Texts | None:
    """Give the cells, quoted where that is needed, each ended by a zero byte; None if that cannot be."""
    cells = values_of(series, None)
    try:
        joined = _END.join(cells)
    except TypeError:  # missing ones, or no texts
        cells = ["" if value is None else str(value) for value in cells]
        joined = _END.join(cells)
    if joined.count(_END) != max(0, len(cells) - 1):
        return None
    if "\r" in joined:  # releases of Python differ on that
        return None
    special = (delimiter, *_QUOTED)
    if any(letter in joined for letter in special):
        quoted = (
            '"' + cell.replace('"', '""') + '"' if any(map(cell.__contains__, special)) else cell for cell in cells
        )
        joined = _END.join(quoted)
    texts = np.frombuffer((joined + _END).encode("utf-8", "surrogateescape"), np.uint8)
    return texts, np.append(0, np.flatnonzero(texts == 0) + 1), 1


@cache
def _arrow() -> Any:
    import pyarrow

    return pyarrow


@cache
def _library() -> ctypes.CDLL | None:
    """Load the compiled code; None if it was not built."""
    library = compiled_library("pmhc_distil.sequences._lines")
    if library is not None:
        library.pmhc_lines.restype = ctypes.c_int64
    return library
