"""Peptides that are read in parts, as often as needed, so that no input is too long."""

import hashlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pmhc_distil.sequences.peptide_formats import Part, Records
from pmhc_distil.sequences.peptide_table import (
    NUCLEOTIDES,
    PeptideTable,
    allele_cells,
    make_table,
    scorable_letters,
    table_warnings,
)
from pmhc_distil.sequences.tables import unclashing_names


@dataclass(frozen=True)
class Overview:
    """What a source of peptides holds.

    Attributes
    ----------
    rows : int
    alleles : dict of str to int or None
        Distinct cells of the allele column, each with the line of its first row; None where there is no such column.
    warnings : tuple of str
        What the user should know, one line each.
    rows_of_all : int, optional
        For a shard, the rows of the whole input, where that is known.
    rows_of_peptide : int
        Rows that every peptide of the input has become.
    """

    rows: int
    alleles: dict[str, int] | None
    warnings: tuple[str, ...]
    rows_of_all: int | None = None
    rows_of_peptide: int = 1

    @property
    def peptides_of_all(self) -> int:
        """Peptides of the input, for a shard of the whole input."""
        return (self.rows if self.rows_of_all is None else self.rows_of_all) // self.rows_of_peptide

    def distinct(self) -> pd.DataFrame:
        """Give a table like that of all rows, with one row for every distinct cell of the allele column.

        Without such a column it has one row, and none if there are no rows at all.
        """
        count = min(self.rows, 1) if self.alleles is None else len(self.alleles)
        columns = {"peptide": [""] * count, "note": [""] * count}
        return pd.DataFrame(columns if self.alleles is None else {**columns, "allele": list(self.alleles)}, dtype="str")

    def first_rows(self) -> NDArray[np.int64]:
        """Give the line of each row of :meth:`distinct`."""
        return np.array(list((self.alleles or {"": 1}).values()), dtype=np.int64)


class PeptideSource:
    """Peptides that are read some at a time, as often as needed.

    Parameters
    ----------
    records : Records
    source : str
        Their name, for messages.
    strict : bool
        Refuse the source at its first peptide that cannot be scored.
    digest : callable, optional
        Gives the SHA-256 of the whole input.
    """

    def __init__(
        self, records: Records, source: str, *, strict: bool = False, digest: Callable[[], str] | None = None
    ) -> None:
        self.source = source
        self.digest = digest or self._digest_of_cells
        self.allele_column = records.allele
        self.records = records
        self.strict = strict
        used = (records.peptide, records.allele)
        self._renamed = unclashing_names(name for name in records.columns if name not in used)

    @classmethod
    def of_list(cls, peptides: Sequence[str], source: str, *, strict: bool = False) -> "PeptideSource":
        """Make a source of peptides in memory."""
        rows = np.arange(1, len(peptides) + 1)
        return cls(Records(("peptide",), lambda: iter([([list(peptides)], rows)])), source, strict=strict)

    @property
    def own_columns(self) -> list[str]:
        """The user's own columns, as they will be called."""
        return list(self._renamed.values())

    def check(self) -> Overview:
        """Read everything once, to find what there is to refuse or to say before anything is predicted.

        Raises
        ------
        InputError
            As :func:`~pmhc_distil.sequences.readers.read_peptides`.
        """
        count = 0
        first: dict[str, int] = {}
        letters: set[str] = set()
        for cells, rows in self.records.parts():
            count += len(rows)
            if self.allele_column is not None:
                given = cells[self.records.columns.index(self.allele_column)]
                for cell, row in zip(given, rows.tolist(), strict=True):
                    first.setdefault(cell, row)
            if self.strict or letters <= NUCLEOTIDES:
                letters |= scorable_letters(self._table(cells, rows))
        alleles: dict[str, int] | None = None
        if self.allele_column is not None:
            alleles = {}
            for cell, row in zip(allele_cells(first), first.values(), strict=True):
                alleles.setdefault(cell, row)
        return Overview(count, alleles, self._warnings(letters))

    def tables(self, size: int | None = None, skip: int = 0) -> Iterator[PeptideTable]:
        """Read from the beginning.

        Parameters
        ----------
        size : int, optional
            Rows in a table, at most; by default all, in one table that has the warnings, too.
        skip : int
            Rows to leave out at first, if a size is given.

        Yields
        ------
        PeptideTable
            None for a source without rows, if a size is given.
        """
        if size is None:
            columns, rows = _join(list(self.records.parts()), len(self.records.columns))
            table = self._table(columns, rows)
            yield replace(table, warnings=self._warnings(scorable_letters(table)))
            return
        kept: list[Part] = []
        count = 0
        for part in _without_first(self.records.parts(), skip):
            kept.append(part)
            count += len(part[1])
            while count >= size:
                columns, rows = _join(kept, len(self.records.columns))
                yield self._table([column[:size] for column in columns], rows[:size])
                kept, count = [([column[size:] for column in columns], rows[size:])], count - size
        if count:
            yield self._table(*_join(kept, len(self.records.columns)))

    def _digest_of_cells(self) -> str:
        digest = hashlib.sha256()
        for columns, _ in self.records.parts():
            digest.update(repr([list(column) for column in columns]).encode())
        return digest.hexdigest()

    def _table(self, cells: Sequence[Sequence[Any]], rows: NDArray[np.int64]) -> PeptideTable:
        records = self.records
        columns: dict[str, Any] = dict(zip(records.columns, cells, strict=True))
        columns |= {name: pd.Series(columns[name], dtype="int64") for name in records.integers}
        return make_table(
            columns, records.peptide, records.allele, self._renamed, self.source, rows, strict=self.strict
        )

    def _warnings(self, letters: set[str]) -> tuple[str, ...]:
        return (*self.records.warnings, *table_warnings(self._renamed, letters, self.source))


def _without_first(parts: Iterator[Part], skip: int) -> Iterator[Part]:
    for columns, rows in parts:
        if skip < len(rows):
            yield ([column[skip:] for column in columns], rows[skip:]) if skip else (columns, rows)
        skip = max(0, skip - len(rows))


def _join(parts: Sequence[Part], width: int) -> Part:
    columns = [list(itertools.chain.from_iterable(cells[i] for cells, _ in parts)) for i in range(width)]
    return columns, np.concatenate([rows for _, rows in parts] or [np.empty(0, np.int64)])
