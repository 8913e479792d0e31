"""The cells of a table as they are written: rounded Python values, None where there is none."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from pmhc_distil.sequences.tables import round_significant

_CHUNK = 50_000


def chunks_of_rows(frame: pd.DataFrame, digits: Mapping[str, int]) -> Iterator[Iterator[tuple[Any, ...]]]:
    """Yield the rows as Python values, missing ones as None, a bounded number at a time."""
    for start in range(0, len(frame), _CHUNK):
        part = frame.iloc[start : start + _CHUNK]
        yield zip(
            *(values_of(part.iloc[:, i], digits.get(str(name))) for i, name in enumerate(frame.columns)), strict=True
        )


def values_of(series: pd.Series, digits: int | None) -> list[Any]:
    """Give the cells of a column as Python values, rounded to significant digits if these are given."""
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
