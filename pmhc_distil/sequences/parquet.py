"""Prediction tables as Parquet.  Imported only when it is asked for: pyarrow is an extra.

Numbers are doubles, rounded as in CSV; texts are strings; what is missing is null.  The metadata hold
:data:`~pmhc_distil.sequences.tables.SCHEMA_VERSION` under :data:`VERSION_KEY`, and nothing that depends on the clock.
"""

import io
from collections.abc import Mapping
from typing import Any, BinaryIO

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.cells import round_significant
from pmhc_distil.sequences.tables import SCHEMA_VERSION, empty_predictions

VERSION_KEY = "pmhc_distil_schema_version"


ROW_GROUP = 100_000
"""Rows of a row group, so that the bytes of a table do not depend on the parts in which it was written."""


class ParquetPredictionWriter:
    """Writes a prediction table some rows at a time.

    Parameters
    ----------
    raw : BinaryIO
        Written from its start to its end, without seeking.
    digits : mapping
        Significant digits of the columns that are rounded.
    """

    def __init__(self, raw: BinaryIO, digits: Mapping[str, int]) -> None:
        self._raw = raw
        self._digits = digits
        # Bytes are made here and handed on after each part.  A writer of pyarrow that is dropped after a failure still
        # writes an end, which would turn what standard output has got into a table that looks whole.
        self._made = io.BytesIO()
        self._writer: Any = None
        self._waiting: list[Any] = []

    def write(self, frame: pd.DataFrame) -> None:
        """Write more rows; the first table decides on the columns and their types.

        Raises
        ------
        InputError
            If a column cannot be Parquet, or has another type than in the first table.
        ValueError
            If a name occurs twice, or a later table has other columns.
        """
        names = [str(name) for name in frame.columns]
        if len(set(names)) < len(names):
            msg = f"a column name occurs twice in {names}, which no reader of Parquet takes"
            raise ValueError(msg)
        known = None if self._writer is None else self._writer.schema
        if known is not None and names != known.names:
            msg = f"the columns change from {known.names} to {names}"
            raise ValueError(msg)
        types = [None] * len(names) if known is None else known.types
        columns = [_column(frame.iloc[:, i], name, types[i], self._digits.get(name)) for i, name in enumerate(names)]
        self.write_table(pa.Table.from_arrays(columns, names, metadata={VERSION_KEY: SCHEMA_VERSION}))

    def write_table(self, table: Any) -> None:
        """Write more rows of a table that another writer of this kind has written.

        Raises
        ------
        ValueError
            If it has other columns or types than the first.
        """
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._made, table.schema, compression="zstd")
        if table.schema != self._writer.schema:
            msg = f"the columns change from {self._writer.schema} to {table.schema}"
            raise ValueError(msg)
        self._waiting.append(table)
        while sum(map(len, self._waiting)) >= ROW_GROUP:
            self._write_group()
        self._hand_on()

    def _write_group(self) -> None:
        waiting = pa.concat_tables(self._waiting)
        self._writer.write_table(waiting.slice(0, ROW_GROUP).combine_chunks())
        self._waiting = [waiting.slice(ROW_GROUP)]

    def close(self) -> None:
        """Write the end, without which there is no table; leaves the file itself open."""
        if self._writer is None:
            self.write(empty_predictions())
        if sum(map(len, self._waiting)):
            self._write_group()
        self._writer.close()
        self._hand_on()

    def _hand_on(self) -> None:
        self._raw.write(self._made.getvalue())
        self._made.seek(0)
        self._made.truncate()


def _column(series: pd.Series, name: str, wanted: Any, digits: int | None) -> Any:
    """Convert a column, to the type `wanted` if that is not None."""
    try:
        column = _array(series, digits)
    except (pa.ArrowException, UnicodeError, OverflowError) as error:
        raise InputError(f"cannot be written as Parquet: {error}", column=name, hint="make it UTF-8 text") from error
    if pa.types.is_null(column.type):  # objects, all of them missing
        return column.cast(pa.string() if wanted is None else wanted)
    if wanted is not None and column.type != wanted:
        reason = f"a column of Parquet has one type, but this one is {wanted} at first and then {column.type}"
        raise InputError(reason, column=name, hint="make it text")
    return column


def _array(series: pd.Series, digits: int | None) -> Any:
    """Convert a column to Arrow, in one piece, so that the bytes do not depend on how a table was put together."""
    if digits is not None:
        numbers = round_significant(series.to_numpy(dtype=np.float64, na_value=np.nan), digits)
        return pa.array(numbers, from_pandas=True)
    array = pa.array(series, from_pandas=True)
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if pa.types.is_dictionary(array.type):
        array = array.cast(array.type.value_type)
    return array.cast(pa.string()) if pa.types.is_large_string(array.type) else array
