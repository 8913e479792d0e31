"""Prediction tables as CSV, TSV, JSON lines, Parquet, or a few rows for a terminal.

Numbers are written with the significant digits of :data:`~pmhc_distil.sequences.tables.PREDICTION_COLUMNS`, always as
decimal numbers that read back as floats; a missing number is empty in CSV and TSV and null elsewhere.  The same table
gives the same bytes, also when it is packed.
"""

import contextlib
import csv
import gzip
import io
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO, cast

import numpy as np
import pandas as pd

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.files import atomic_path
from pmhc_distil.sequences.formats import STDOUT, choose_format, shown_name
from pmhc_distil.sequences.tables import PREDICTION_COLUMNS, PREDICTION_NAMES, Column, digits_of, round_significant

if TYPE_CHECKING:
    from pmhc_distil.sequences.parquet import ParquetPredictionWriter

_CHUNK = 50_000
_TERMINAL_DIGITS = 3
_ON_TERMINAL = ("peptide", "allele", "score", "rank", "affinity_nm", "binder", "note")


def write_predictions(
    frame: pd.DataFrame,
    destination: str | Path,
    format: str | None = None,
    columns: Sequence[Column] = PREDICTION_COLUMNS,
) -> None:
    """Write a prediction table, or another one of known columns.

    Parameters
    ----------
    frame : DataFrame
        Predictions, or any table that has some of their columns.
    destination, format, columns
        As for :func:`open_predictions`.

    Raises
    ------
    InputError
        As :func:`open_predictions`.
    """
    with open_predictions(destination, format, columns) as writer:
        writer.write(frame)


class PredictionWriter:
    """Writes a prediction table as text, some rows at a time.

    Parameters
    ----------
    text : TextIO
    format : {"csv", "tsv", "jsonl"}
    digits : mapping
        Significant digits of the columns that are rounded.
    """

    def __init__(self, text: TextIO, format: str, digits: Mapping[str, int]) -> None:
        self._text = text
        self._digits = digits
        delimiter = "\t" if format == "tsv" else ","
        self._rows = None if format == "jsonl" else csv.writer(text, delimiter=delimiter, lineterminator="\n")
        self._names: list[str] = []

    def write(self, frame: pd.DataFrame) -> None:
        """Write more rows; the first table decides on the columns.

        Raises
        ------
        ValueError
            If a later table has other columns.
        """
        names = [str(name) for name in frame.columns]
        if not self._names:
            self._names = names
            if self._rows is not None:
                self._rows.writerow(names)
        elif names != self._names:
            msg = f"the columns change from {self._names} to {names}"
            raise ValueError(msg)
        for rows in chunks_of_rows(frame, self._digits):
            if self._rows is not None:
                self._rows.writerows(rows)
            else:
                encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, default=str).encode
                self._text.writelines(encode(dict(zip(names, row, strict=True))) + "\n" for row in rows)


@contextlib.contextmanager
def open_predictions(
    destination: str | Path, format: str | None = None, columns: Sequence[Column] = PREDICTION_COLUMNS
) -> "Iterator[PredictionWriter | ParquetPredictionWriter]":
    """Open a prediction table for writing.

    Parameters
    ----------
    destination : str or Path
        A path, written whole or not at all and packed if it ends in ``.gz``; or ``"-"`` for standard output, where a
        reader that has seen enough (``| head``) ends the writing quietly.
    format : {"csv", "tsv", "jsonl", "parquet"}, optional
        As for :func:`~pmhc_distil.sequences.formats.choose_format`.
    columns : sequence of Column
        Columns whose numbers are rounded to their digits; all others are written as they are.

    Raises
    ------
    InputError
        If the format is unknown or cannot be had, or the destination cannot be written.
    """
    format = choose_format(destination, format)
    digits = digits_of(columns)
    with _told(shown_name(destination)), contextlib.ExitStack() as stack:
        if str(destination) == STDOUT:
            raw = cast("BinaryIO", sys.stdout.buffer)
        else:
            raw = stack.enter_context(stack.enter_context(atomic_path(destination)).open("wb"))
            if Path(destination).suffix == ".gz":
                packed = gzip.GzipFile("", "wb", compresslevel=6, fileobj=raw, mtime=0)
                raw = cast("BinaryIO", stack.enter_context(packed))
        if format == "parquet":
            from pmhc_distil.sequences.parquet import ParquetPredictionWriter

            parquet = ParquetPredictionWriter(raw, digits)
            yield parquet
            parquet.close()
            raw.flush()
            return
        text = io.TextIOWrapper(raw, encoding="utf-8", errors="surrogateescape", newline="")
        stack.callback(text.detach)
        yield PredictionWriter(text, format, digits)
        text.flush()


@contextlib.contextmanager
def _told(shown: str) -> Iterator[None]:
    """Put what goes wrong while a table is written into one line."""
    try:
        yield
    except BrokenPipeError:
        # The interpreter flushes once more when it ends, and would complain then.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:  # no space left, quota, a file system that went away
        raise InputError(f"cannot write: {error.strerror or error}", source=shown) from error


def chunks_of_rows(frame: pd.DataFrame, digits: Mapping[str, int]) -> Iterator[Iterator[tuple[Any, ...]]]:
    """Yield the rows as Python values, missing ones as None, a bounded number at a time."""
    for start in range(0, len(frame), _CHUNK):
        part = frame.iloc[start : start + _CHUNK]
        yield zip(
            *(_values(part.iloc[:, i], digits.get(str(name))) for i, name in enumerate(frame.columns)), strict=True
        )


def _values(series: pd.Series, digits: int | None) -> list[Any]:
    missing = series.isna().to_numpy()
    if digits is not None:
        values = round_significant(series.to_numpy(dtype=np.float64, na_value=np.nan), digits).tolist()
    else:
        values = series.tolist()
        if series.dtype.kind == "f":
            missing = missing | np.isinf(series.to_numpy(dtype=np.float64, na_value=np.nan))
    for i in np.flatnonzero(missing):
        values[i] = None
    return values


def terminal_table(
    frame: pd.DataFrame,
    width: int = 100,
    max_rows: int = 20,
    total: int | None = None,
    columns: Sequence[Column] = PREDICTION_COLUMNS,
) -> str:
    """Lay out the first rows for reading.

    Parameters
    ----------
    frame : DataFrame
        Predictions.
    width : int
        Characters in a line.  Columns that do not fit are left out, the user's own first.
    max_rows : int
        Rows to show, in their order.
    total : int, optional
        Rows that there are, of which `frame` has the first.
    columns : sequence of Column
        Columns whose numbers are shown with few digits.

    Returns
    -------
    str
        Aligned lines, and a last one that tells what is not shown and how to save it.
    """
    shown = frame.head(max_rows)
    digits = digits_of(columns)
    own = [str(name) for name in frame.columns if name not in PREDICTION_NAMES]
    wanted = [name for name in _ON_TERMINAL if name in frame.columns]
    if "note" in wanted and not (shown["note"] != "").any():
        wanted.remove("note")
    blocks: list[list[str]] = []
    room = width
    hidden = 0
    for name in wanted + own:
        cells = [name, *(_cell(value) for value in _values(shown[name], digits.get(name)))]
        size = max(map(len, cells))
        if blocks and room < min(size, 12):
            hidden += 1
            continue
        size = min(size, max(room, 1))
        cells = [text if len(text) <= size else text[: size - 1] + "…" for text in cells]
        align = str.rjust if name in digits else str.ljust
        blocks.append([align(text, size) for text in cells])
        room -= size + 2
    lines = ["  ".join(line).rstrip() for line in zip(*blocks, strict=True)]
    more = (len(frame) if total is None else total) - len(shown)
    left = [f"{more:,} more rows"] * (more > 0)
    left += [f"{hidden} more column{'s' * (hidden > 1)}"] * (hidden > 0)
    if left:
        lines.append(f"... and {' and '.join(left)}: save all with -o predictions.csv")
    return "\n".join(lines)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        rounded = float(f"{value:.{_TERMINAL_DIGITS}g}")
        return f"{rounded:.0f}" if abs(rounded) >= 100 else f"{rounded:g}"
    return "".join(c if c.isprintable() else "?" for c in str(value))
