"""Peptides from a file, standard input, a list or a data frame, as one table: a row in, a row out, in the same order.

A peptide that cannot be scored keeps its row and says why in the column ``note``.
"""

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.files import open_text
from pmhc_distil.sequences.peptide_formats import (
    ALLELE_NAMES,
    PEPTIDE_NAMES,
    Part,
    Records,
    find_column,
    parse_records,
)
from pmhc_distil.sequences.residues import MAX_PEPTIDE_LENGTH, MIN_PEPTIDE_LENGTH, RESIDUES, peptide_problem
from pmhc_distil.sequences.tables import unclashing_names

_SCORABLE = re.compile(f"[{RESIDUES}]{{{MIN_PEPTIDE_LENGTH},{MAX_PEPTIDE_LENGTH}}}").fullmatch
_NUCLEOTIDES = frozenset("ACGT")
_PART = 50_000
_UPPER = {ord(letter): letter.upper() for letter in "abcdefghijklmnopqrstuvwxyz"}


@dataclass(frozen=True)
class PeptideTable:
    """Validated peptides.

    Attributes
    ----------
    source : str
        Where they come from, for messages.
    frame : DataFrame
        One row per record: ``peptide`` (upper case), ``allele`` (as given, only where the input has alleles), ``note``
        (why the peptide cannot be scored, else empty), then the user's own columns, untouched.
    rows : ndarray of int, shape (N,)
        1-based line, or FASTA record, of each row in `source`.
    n_problems : int
        Rows whose peptide cannot be scored.
    allele_column : str or None
        What the allele column is called in the input; None where there is none.
    warnings : tuple of str
        What the user should know, one line each.
    """

    source: str
    frame: pd.DataFrame
    rows: NDArray[np.int64]
    n_problems: int
    allele_column: str | None = None
    warnings: tuple[str, ...] = ()


def read_peptides(
    source: str | Path, *, peptide_column: str | None = None, allele_column: str | None = None, strict: bool = False
) -> PeptideTable:
    """Read peptides from a file.

    FASTA (one peptide a record, its id in the column ``name``), CSV or TSV with a header, or a plain list; plain or
    gzip.  :mod:`pmhc_distil.sequences.peptide_formats` says how they are told apart and which lines are skipped.  An
    input without content gives a table without rows and a warning.

    Parameters
    ----------
    source : str or Path
        A path, or ``"-"`` for standard input.
    peptide_column, allele_column : str, optional
        Columns of a CSV or TSV, where the usual names do not say.  An `allele_column` of ``""`` reads no alleles: a
        column of alleles is then one of the user's own.
    strict : bool
        Refuse the input at its first peptide that cannot be scored.

    Returns
    -------
    PeptideTable
        As many rows as the input has records.

    Raises
    ------
    InputError
        If the input cannot be read or understood, or, where `strict`, a peptide cannot be scored.
    """
    peptides = open_peptides(source, peptide_column=peptide_column, allele_column=allele_column, strict=strict)
    (table,) = peptides.tables()
    return table


def open_peptides(
    source: str | Path, *, peptide_column: str | None = None, allele_column: str | None = None, strict: bool = False
) -> "PeptideSource":
    """Open a file of peptides to read it in parts; see :func:`read_peptides`."""
    name = str(source)
    records = parse_records(open_text(source), name, peptide_column, allele_column)
    return PeptideSource(records, name, strict=strict)


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
    """

    rows: int
    alleles: dict[str, int] | None
    warnings: tuple[str, ...]

    def distinct(self) -> pd.DataFrame:
        """Give a table like that of all rows, with one row for every distinct cell of the allele column.

        Without such a column it has one row, and none if there are no rows at all.
        """
        count = min(self.rows, 1) if self.alleles is None else len(self.alleles)
        frame = pd.DataFrame({"peptide": [""] * count, "note": [""] * count}, dtype="str")
        return frame if self.alleles is None else frame.assign(allele=_text_series(list(self.alleles)))

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
    """

    def __init__(self, records: Records, source: str, *, strict: bool = False) -> None:
        self.source = source
        self.allele_column = records.allele
        self._records = records
        self._strict = strict
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
            As :func:`read_peptides`.
        """
        rows = 0
        alleles: dict[str, int] | None = None if self.allele_column is None else {}
        letters: set[str] = set()
        for table in self.tables(_PART):
            rows += len(table.frame)
            if alleles is not None:
                for cell, row in zip(table.frame["allele"], table.rows.tolist(), strict=True):
                    alleles.setdefault(cell, row)
            if letters <= _NUCLEOTIDES:
                letters |= _letters(table.frame)
        return Overview(rows, alleles, self._warnings(letters))

    def tables(self, size: int | None = None) -> Iterator[PeptideTable]:
        """Read from the beginning.

        Parameters
        ----------
        size : int, optional
            Rows in a table, at most; by default all, in one table that has the warnings, too.

        Yields
        ------
        PeptideTable
            None for a source without rows, if a size is given.
        """
        if size is None:
            columns, rows = _join(list(self._records.parts()), len(self._records.columns))
            table = self._table(columns, rows)
            yield replace(table, warnings=self._warnings(_letters(table.frame)))
            return
        kept: list[Part] = []
        count = 0
        for part in self._records.parts():
            kept.append(part)
            count += len(part[1])
            while count >= size:
                columns, rows = _join(kept, len(self._records.columns))
                yield self._table([column[:size] for column in columns], rows[:size])
                kept, count = [([column[size:] for column in columns], rows[size:])], count - size
        if count:
            yield self._table(*_join(kept, len(self._records.columns)))

    def _table(self, cells: Sequence[Sequence[str]], rows: NDArray[np.int64]) -> PeptideTable:
        records = self._records
        columns = dict(zip(records.columns, cells, strict=True))
        return _table(columns, records.peptide, records.allele, self._renamed, self.source, rows, strict=self._strict)

    def _warnings(self, letters: set[str]) -> tuple[str, ...]:
        """Warn of the records, of renamed columns and, by the letters of all scorable peptides, of nucleotides."""
        return (
            *self._records.warnings,
            *_rename_warnings(self._renamed, self.source),
            *_nucleotide_warning(letters, self.source),
        )


def _join(parts: Sequence[Part], width: int) -> Part:
    columns = [list(itertools.chain.from_iterable(cells[i] for cells, _ in parts)) for i in range(width)]
    return columns, np.concatenate([rows for _, rows in parts] or [np.empty(0, np.int64)])


def table_from(
    data: Iterable[str] | pd.DataFrame,
    *,
    peptide_column: str | None = None,
    allele_column: str | None = None,
    strict: bool = False,
    source: str = "peptides",
) -> PeptideTable:
    """Make the same table from peptides in memory.

    Parameters
    ----------
    data : iterable of str or DataFrame
        Peptides, or rows with a peptide column and perhaps an allele column.  Other columns are kept with their types.
    peptide_column, allele_column, strict
        As for :func:`read_peptides`.
    source : str
        What to call the data in messages.

    Returns
    -------
    PeptideTable
        Its `rows` count from 1.

    Raises
    ------
    InputError
        As :func:`read_peptides`.
    """
    if isinstance(data, str):
        raise InputError("a list of peptides is expected, not one text", source=source, value=data)
    if not isinstance(data, pd.DataFrame):
        columns: dict[str, Any] = {"peptide": _texts(pd.Series(list(data), dtype=object))}
        peptide, allele = "peptide", None
    else:
        header = [str(name) for name in data.columns]
        if len(set(header)) < len(header):
            raise InputError("a column name occurs twice", source=source, value=", ".join(header))
        columns = {name: data.iloc[:, i].reset_index(drop=True) for i, name in enumerate(header)}
        found = find_column(header, peptide_column, PEPTIDE_NAMES, source)
        if found is None:
            raise InputError("no peptide column", source=source, hint=f"columns are: {', '.join(header)}")
        peptide, allele = found, find_column(header, allele_column, ALLELE_NAMES, source)
        for name in filter(None, (peptide, allele)):
            columns[name] = _texts(columns[name])
    rows = np.arange(1, len(columns[peptide]) + 1)
    renamed = unclashing_names(name for name in columns if name not in (peptide, allele))
    table = _table(columns, peptide, allele, renamed, source, rows, strict=strict)
    warnings = (*_rename_warnings(renamed, source), *_nucleotide_warning(_letters(table.frame), source))
    return replace(table, warnings=warnings)


def _texts(values: pd.Series) -> list[str]:
    return ["" if missing else str(value) for value, missing in zip(values, values.isna(), strict=True)]


def _table(
    columns: Mapping[str, Any],
    peptide: str,
    allele: str | None,
    renamed: Mapping[str, str],
    source: str,
    rows: NDArray[np.int64],
    *,
    strict: bool,
) -> PeptideTable:
    peptides = _upper(columns[peptide])
    notes = ["" if _SCORABLE(text) else peptide_problem(text) for text in peptides]
    n_problems = len(notes) - notes.count("")
    if strict and n_problems:
        i = next(i for i, note in enumerate(notes) if note)
        hint = "without --strict such rows are kept, without a score"
        raise InputError(notes[i], source, int(rows[i]), peptide, peptides[i] or None, hint)
    content: dict[str, Any] = {"peptide": _text_series(peptides)}
    if allele is not None:
        content["allele"] = _text_series([text.strip() for text in columns[allele]])
    content["note"] = _text_series(notes)
    for old, new in renamed.items():
        content[new] = _text_series(columns[old]) if isinstance(columns[old], list) else columns[old]
    return PeptideTable(source, pd.DataFrame(content), rows, n_problems, allele)


def _rename_warnings(renamed: Mapping[str, str], source: str) -> tuple[str, ...]:
    return tuple(
        f"{source}: column '{old}' is written as '{new}', because the predictions have a column '{old}'"
        for old, new in renamed.items()
        if old != new
    )


def _letters(frame: pd.DataFrame) -> set[str]:
    """Give the residues of all peptides that can be scored."""
    scorable = frame["note"].to_numpy(dtype=object) == ""
    return set().union(*frame["peptide"].to_numpy(dtype=object)[scorable])


def _nucleotide_warning(letters: set[str], source: str) -> tuple[str, ...]:
    if letters and letters <= _NUCLEOTIDES:
        return (f"{source}: all peptides consist of A, C, G and T only; are they nucleotides?",)
    return ()


def _upper(peptides: list[str]) -> list[str]:
    """Strip and raise a-z only: other scripts have letters whose upper case is two residues."""
    if all(map(str.isascii, peptides)):
        return [text.strip().upper() for text in peptides]
    return [text.strip().translate(_UPPER) for text in peptides]


def _text_series(texts: list[str]) -> pd.Series:
    return pd.Series(texts, dtype="str")
