"""Peptides from a file, standard input, a list or a data frame, as one table: a row in, a row out, in the same order.

A peptide that cannot be scored keeps its row and says why in the column ``note``.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.files import open_text
from pmhc_distil.sequences.peptide_formats import ALLELE_NAMES, PEPTIDE_NAMES, find_column, parse_records
from pmhc_distil.sequences.residues import MAX_PEPTIDE_LENGTH, MIN_PEPTIDE_LENGTH, RESIDUES, peptide_problem
from pmhc_distil.sequences.tables import unclashing_names

_SCORABLE = re.compile(f"[{RESIDUES}]{{{MIN_PEPTIDE_LENGTH},{MAX_PEPTIDE_LENGTH}}}").fullmatch
_NUCLEOTIDES = re.compile("[ACGT]+").fullmatch
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
    name = str(source)
    with open_text(source) as stream:
        records = parse_records(stream, name, peptide_column, allele_column)
    return _table(
        records.columns, records.peptide, records.allele, name, records.rows, strict=strict, warnings=records.warnings
    )


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
    return _table(columns, peptide, allele, source, rows, strict=strict)


def _texts(values: pd.Series) -> list[str]:
    return ["" if missing else str(value) for value, missing in zip(values, values.isna(), strict=True)]


def _table(
    columns: Mapping[str, Any],
    peptide: str,
    allele: str | None,
    source: str,
    rows: NDArray[np.int64],
    *,
    strict: bool,
    warnings: tuple[str, ...] = (),
) -> PeptideTable:
    peptides = _upper(columns[peptide])
    notes = ["" if _SCORABLE(text) else peptide_problem(text) for text in peptides]
    n_problems = len(notes) - notes.count("")
    if strict and n_problems:
        i = next(i for i, note in enumerate(notes) if note)
        hint = "without --strict such rows are kept, without a score"
        raise InputError(notes[i], source, int(rows[i]), peptide, peptides[i] or None, hint)
    renamed = unclashing_names(name for name in columns if name not in (peptide, allele))
    warnings += tuple(
        f"{source}: column '{old}' is written as '{new}', because the predictions have a column '{old}'"
        for old, new in renamed.items()
        if old != new
    )
    if len(notes) > n_problems and all(
        _NUCLEOTIDES(text) for text, note in zip(peptides, notes, strict=True) if not note
    ):
        warnings += (f"{source}: all peptides consist of A, C, G and T only; are they nucleotides?",)
    content: dict[str, Any] = {"peptide": _text_series(peptides)}
    if allele is not None:
        content["allele"] = _text_series([text.strip() for text in columns[allele]])
    content["note"] = _text_series(notes)
    for old, new in renamed.items():
        content[new] = _text_series(columns[old]) if isinstance(columns[old], list) else columns[old]
    return PeptideTable(source, pd.DataFrame(content), rows, n_problems, allele, warnings)


def _upper(peptides: list[str]) -> list[str]:
    """Strip and raise a-z only: other scripts have letters whose upper case is two residues."""
    if all(map(str.isascii, peptides)):
        return [text.strip().upper() for text in peptides]
    return [text.strip().translate(_UPPER) for text in peptides]


def _text_series(texts: list[str]) -> pd.Series:
    return pd.Series(texts, dtype="str")
