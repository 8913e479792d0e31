"""Peptides from a file, standard input, a list or a data frame, as one table: a row in, a row out, in the same order.

A peptide that cannot be scored keeps its row and says why in the column ``note``.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.column_names import ALLELE_NAMES, PEPTIDE_NAMES, find_column
from pmhc_distil.sequences.peptide_formats import parse_records
from pmhc_distil.sequences.peptide_source import PeptideSource
from pmhc_distil.sequences.peptide_table import PeptideTable, make_table, scorable_letters, table_warnings
from pmhc_distil.sequences.shards import Shard
from pmhc_distil.sequences.tables import unclashing_names
from pmhc_distil.sequences.text_files import open_text, text_digest


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
    source: str | Path,
    *,
    peptide_column: str | None = None,
    allele_column: str | None = None,
    strict: bool = False,
    shard: Shard | None = None,
) -> PeptideSource:
    """Open a file of peptides, or a shard of it, to read it in parts; see :func:`read_peptides`."""
    name = str(source)
    stream = open_text(source)
    records = parse_records(stream, name, peptide_column, allele_column, shard)
    return PeptideSource(records, name, strict=strict, digest=partial(text_digest, stream))


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
    if isinstance(data, str | bytes | bytearray):
        raise InputError("a list of peptides is expected, not one text", source=source, value=data)
    if isinstance(data, Mapping) or not isinstance(data, Iterable) or getattr(data, "ndim", 1) == 0:
        hint = "a data frame is a table"
        raise InputError("a list of peptides is expected", source=source, value=type(data).__name__, hint=hint)
    if not isinstance(data, pd.DataFrame):
        columns: dict[str, Any] = {"peptide": _texts(list(data), source, "peptide")}
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
            columns[name] = _texts(columns[name], source, name, several=name == allele)
    rows = np.arange(1, len(columns[peptide]) + 1)
    renamed = unclashing_names(name for name in columns if name not in (peptide, allele))
    table = make_table(columns, peptide, allele, renamed, source, rows, strict=strict)
    return replace(table, warnings=table_warnings(renamed, scorable_letters(table), source))


def _texts(values: Iterable[Any], source: str, column: str, *, several: bool = False) -> list[str]:
    """Read cells as texts, missing ones as empty; a cell may hold a list of several texts if that is allowed."""
    texts = []
    for row, value in enumerate(values, 1):
        if several and isinstance(value, list | tuple | np.ndarray):
            value = ";".join(map(str, value))
        if isinstance(value, bytes | bytearray | list | tuple | set | dict | np.ndarray):
            hint = "decode it" if isinstance(value, bytes | bytearray) else "give one text in each row"
            raise InputError("not a text", source=source, row=row, column=column, value=value, hint=hint)
        texts.append("" if pd.isna(value) else str(value))
    return texts
