"""The cells of a table as they are written: rounded Python values, None where there is none."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

_CHUNK = 50_000


def round_significant(values: ArrayLike, digits: int) -> NDArray[np.float64]:
    """Round to significant digits, so that tiny values keep their order where fixed decimals would make them ties.

    Parameters
    ----------
    values : array_like, shape (N,)
        Finite numbers and NaN.
    digits : int
        Significant digits to keep.

    Returns
    -------
    ndarray, shape (N,)
        Doubles whose shortest text has at most `digits` digits.
    """
    x = np.asarray(values, dtype=np.float64)
    nonzero = np.isfinite(x) & (x != 0)
    exponent = np.floor(np.log10(np.abs(x), where=nonzero, out=np.zeros_like(x)))
    places = digits - 1 - exponent
    # A power of ten up to 22 is exact, and one exact division is correctly rounded.
    up, down = 10.0 ** np.clip(places, 0, 22), 10.0 ** np.clip(-places, 0, 22)
    rounded = np.where(nonzero, np.rint(x * up / down) / up * down, x)
    for i in np.flatnonzero(nonzero & (np.abs(places) > 22)):
        rounded[i] = float(f"{x[i]:.{digits}g}")
    return rounded


def taken(texts: Sequence[str], index: NDArray[np.intp]) -> pd.Series:
    """Give a column of texts that are few and repeat, without making each anew.

    Parameters
    ----------
    texts : sequence of str
    index : ndarray of int, shape (N,)
        Place in `texts` of every cell.
    """
    return pd.Series(pd.Series(list(texts), dtype="str").array.take(index))


def parts_of(frame: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Yield the rows, a bounded number at a time."""
    for start in range(0, len(frame), _CHUNK):
        yield frame.iloc[start : start + _CHUNK]


def rows_of(frame: pd.DataFrame, digits: Mapping[str, int]) -> Iterator[tuple[Any, ...]]:
    """Give the rows as Python values, missing ones as None."""
    return zip(
        *(values_of(frame.iloc[:, i], digits.get(str(name))) for i, name in enumerate(frame.columns)), strict=True
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
