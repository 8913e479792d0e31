"""Prediction tables as CSV, TSV, JSON lines, Parquet, an Excel workbook, or as other predictors write theirs.

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
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, cast

import pandas as pd

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.ahead import ahead
from pmhc_distil.sequences.cells import parts_of, rows_of
from pmhc_distil.sequences.delimited_lines import delimited_lines
from pmhc_distil.sequences.files import atomic_path, is_packed, why
from pmhc_distil.sequences.formats import PACKED_FORMATS, PEER_FORMATS, STDOUT, choose_format, shown_name
from pmhc_distil.sequences.tables import PREDICTION_COLUMNS, Column, digits_of

if TYPE_CHECKING:
    from pmhc_distil.sequences.parquet import ParquetPredictionWriter
    from pmhc_distil.sequences.workbook import WorkbookWriter

_PIECE = 1 << 20
_AT_ONCE = 4
"""Parts of a table that are made into lines at a time."""


class TableWriter(Protocol):
    """Writes a table some rows at a time; all parts have the columns of the first."""

    def write(self, frame: pd.DataFrame) -> None:
        """Write more rows."""


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
    text : TextIOWrapper
    format : {"csv", "tsv", "jsonl"}
    digits : mapping
        Significant digits of the columns that are rounded.
    """

    def __init__(self, text: io.TextIOWrapper, format: str, digits: Mapping[str, int]) -> None:
        self._text = text
        self._digits = digits
        self._delimiter = "\t" if format == "tsv" else ","
        self._rows = None if format == "jsonl" else csv.writer(text, delimiter=self._delimiter, lineterminator="\n")
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
        if self._rows is None:
            encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, default=str).encode
            for part in parts_of(frame):
                rows = rows_of(part, self._digits)
                self._text.writelines(encode(dict(zip(names, row, strict=True))) + "\n" for row in rows)
            return
        for lines, part in ahead(self._lines, parts_of(frame), _AT_ONCE):
            if lines is None:
                self._rows.writerows(rows_of(part, self._digits))
            else:
                self._text.flush()
                cast("BinaryIO", self._text.buffer).write(lines)

    def _lines(self, part: pd.DataFrame) -> tuple[memoryview | None, pd.DataFrame]:
        return delimited_lines(part, self._digits, self._delimiter), part


@contextlib.contextmanager
def open_predictions(
    destination: str | Path, format: str | None = None, columns: Sequence[Column] = PREDICTION_COLUMNS
) -> Iterator[TableWriter]:
    """Open a prediction table for writing.

    Parameters
    ----------
    destination : str or Path
        A path, written whole or not at all and packed if it ends in ``.gz``; or ``"-"`` for standard output, where a
        reader that has seen enough (``| head``) ends the writing quietly.
    format : str, optional
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
    with open_raw(destination) as raw, contextlib.ExitStack() as stack:
        if format in PACKED_FORMATS:
            made = _packed_writer(raw, format, digits, stack)
            yield made
            made.close()
            raw.flush()
            return
        text = io.TextIOWrapper(raw, encoding="utf-8", errors="surrogateescape", newline="")
        stack.callback(text.detach)
        yield text_writer(text, format, digits)
        text.flush()


@contextlib.contextmanager
def open_raw(destination: str | Path) -> Iterator[BinaryIO]:
    """Open what is to be written as bytes; `destination` as for :func:`open_predictions`."""
    with told(shown_name(destination)), contextlib.ExitStack() as stack:
        if str(destination) == STDOUT:
            out = sys.stdout.buffer
            if isinstance(out, io.RawIOBase):  # unbuffered: its writes may be short
                out = io.BufferedWriter(out)
                stack.callback(out.detach)
            yield cast("BinaryIO", out)
            out.flush()
            return
        raw: BinaryIO = stack.enter_context(stack.enter_context(atomic_path(destination)).open("wb"))
        if is_packed(destination):
            raw = cast("BinaryIO", stack.enter_context(contextlib.closing(_Packed(raw))))
        yield raw


class _Packed(io.BufferedIOBase):
    """Packs what is written, in pieces of one size: how zlib packs may depend on the pieces that it is given."""

    def __init__(self, raw: BinaryIO) -> None:
        self._gzip = gzip.GzipFile("", "wb", compresslevel=6, fileobj=raw, mtime=0)
        self._waiting = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._waiting += data
        while len(self._waiting) >= _PIECE:
            self._gzip.write(self._waiting[:_PIECE])
            del self._waiting[:_PIECE]
        return len(data)

    def close(self) -> None:
        if not self.closed:
            try:
                self._gzip.write(self._waiting)
                self._gzip.close()
            finally:
                super().close()


def text_writer(text: io.TextIOWrapper, format: str, digits: Mapping[str, int]) -> TableWriter:
    """Make what writes a table as lines of text, in a format that is none of the packed ones."""
    if format not in PEER_FORMATS:
        return PredictionWriter(text, format, digits)
    from pmhc_distil.sequences.peer_formats import peer_writer

    return peer_writer(text, format)


def _packed_writer(
    raw: BinaryIO, format: str, digits: Mapping[str, int], stack: contextlib.ExitStack
) -> "ParquetPredictionWriter | WorkbookWriter":
    if format == "parquet":
        from pmhc_distil.sequences.parquet import ParquetPredictionWriter

        return ParquetPredictionWriter(raw, digits)
    from pmhc_distil.sequences.workbook import WorkbookWriter

    workbook = WorkbookWriter(raw, digits)
    stack.callback(workbook.discard)
    return workbook


@contextlib.contextmanager
def told(shown: str, hint: str | None = None) -> Iterator[None]:
    """Put what goes wrong while a table is written into one line."""
    try:
        yield
    except BrokenPipeError:
        # The interpreter flushes once more when it ends, and would complain then.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:  # no space left, quota, a file system that went away
        raise InputError(f"cannot write: {why(error)}", source=shown, hint=hint) from error
