"""Rows of a table as lines of CSV or TSV, in compiled code (``lines/lines.c``) where it was built."""

import ctypes
from collections.abc import Mapping
from functools import cache

import numpy as np
import pandas as pd

from pmhc_distil.sequences.cells import round_significant, values_of
from pmhc_distil.sequences.compiled import compiled_library

_MOST_DIGITS = 13
_ROOM = 32
_END = "\0"


class _Column(ctypes.Structure):
    _fields_ = (("texts", ctypes.c_char_p), ("numbers", ctypes.c_void_p), ("digits", ctypes.c_int64))


def delimited_lines(frame: pd.DataFrame, digits: Mapping[str, int], delimiter: str) -> str | None:
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
    str or None
        None where the module csv has to do it: without compiled code, for a single column or none (an empty cell of it
        would be an empty line), and for cells with a zero byte or a carriage return.
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
            columns[place] = _Column(None, numbers.ctypes.data, digits[name])
            room += _ROOM * len(frame)
        else:
            texts = _texts(frame.iloc[:, place], delimiter)
            if texts is None:
                return None
            kept.append(texts)
            columns[place] = _Column(texts, None, 0)
            room += len(texts)
    buffer = np.empty(room, np.uint8)
    count = library.pmhc_lines(
        ctypes.c_int64(len(frame)),
        ctypes.c_int64(len(columns)),
        columns,
        ctypes.c_char(delimiter.encode()),
        ctypes.c_void_p(buffer.ctypes.data),
    )
    return buffer[:count].tobytes().decode("utf-8", "surrogateescape")


def _texts(series: pd.Series, delimiter: str) -> bytes | None:
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
    special = (delimiter, '"', "\n")
    if any(letter in joined for letter in special):
        quoted = (
            '"' + cell.replace('"', '""') + '"' if any(map(cell.__contains__, special)) else cell for cell in cells
        )
        joined = _END.join(quoted)
    return joined.encode("utf-8", "surrogateescape")


@cache
def _library() -> ctypes.CDLL | None:
    """Load the compiled code; None if it was not built."""
    library = compiled_library("pmhc_distil.sequences._lines")
    if library is not None:
        library.pmhc_lines.restype = ctypes.c_int64
    return library
