"""Rows of different lengths in one array."""

import hashlib
import itertools
from collections.abc import Sequence

import numpy as np


class Ragged:
    """Rows of different lengths in one array.

    Parameters
    ----------
    flat : ndarray, shape (values,)
        The values of all rows, one row after the other.
    lengths : ndarray of int, shape (rows,)

    Attributes
    ----------
    starts : ndarray of int, shape (rows + 1,)
        Where each row begins in `flat`, and where the last one ends.
    """

    def __init__(self, flat: np.ndarray, lengths: np.ndarray) -> None:
        self.flat, self.lengths = flat, lengths
        self.starts = np.concatenate([[0], np.cumsum(lengths)])

    @classmethod
    def of(cls, rows: Sequence[Sequence[int]]) -> "Ragged":
        """Lay rows out one after the other."""
        lengths = np.fromiter((len(row) for row in rows), np.int64, len(rows))
        return cls(np.fromiter(itertools.chain.from_iterable(rows), np.int32, lengths.sum()), lengths)

    @classmethod
    def joined(cls, parts: Sequence["Ragged"]) -> "Ragged":
        """Put the rows of all parts one after the other."""
        flat = np.concatenate([part.flat for part in parts]) if parts else np.zeros(0, np.int32)
        lengths = np.concatenate([part.lengths for part in parts]) if parts else np.zeros(0, np.int64)
        return cls(flat, lengths)

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, number: int) -> np.ndarray:
        return self.flat[self.starts[number] : self.starts[number + 1]]

    def like(self, flat: np.ndarray) -> "Ragged":
        """Give rows of the same lengths with other values."""
        return Ragged(flat, self.lengths)

    def taken(self, numbers: np.ndarray) -> "Ragged":
        """Give some rows in another order."""
        lengths = self.lengths[numbers]
        ends = np.cumsum(lengths)
        places = np.arange(lengths.sum()) + np.repeat(self.starts[numbers] - (ends - lengths), lengths)
        return Ragged(self.flat[places], lengths)

    def filled(self) -> "Ragged":
        """Give the rows that are not empty."""
        return Ragged(self.flat, self.lengths[self.lengths > 0])

    def padded(self, numbers: np.ndarray, fill: int) -> np.ndarray:
        """Give some rows as one table (rows, longest)."""
        lengths = self.lengths[numbers]
        columns = np.arange(lengths.max(initial=0))
        inside = columns < lengths[:, None]
        table = self.flat[self.starts[numbers][:, None] + np.where(inside, columns, 0)]
        return np.where(inside, table, fill)

    def digest(self) -> bytes:
        """Give a SHA-256 of the rows."""
        return hashlib.sha256(np.ascontiguousarray(self.flat).tobytes() + self.starts.tobytes()).digest()
