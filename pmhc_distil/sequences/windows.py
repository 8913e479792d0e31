"""Every peptide of a proteome, with its place in its protein."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.peptide_formats import Part, Records
from pmhc_distil.sequences.peptide_source import Overview, PeptideSource
from pmhc_distil.sequences.proteins import read_proteins
from pmhc_distil.sequences.residues import PEPTIDE_LENGTHS, RESIDUES

COLUMNS = ("peptide", "protein", "position", "n_flank", "c_flank")
FLANK = 5
"""Residues that are kept on either side of a window."""
_PART = 20_000


def protein_windows(path: str | Path, lengths: Sequence[int], *, distinct: bool = False) -> PeptideSource:
    """Open the windows of every protein of a FASTA file as peptides; see :func:`windows_of`.

    Parameters
    ----------
    path : str or Path
        Plain or gzip; ``"-"`` for standard input.
    lengths, distinct
        As for :func:`windows_of`.

    Raises
    ------
    InputError
        If the file cannot be read or is no FASTA; or as :func:`windows_of`.
    """
    return windows_of(list(read_proteins(path)), lengths, str(path), distinct=distinct)


def windows_of(
    proteins: Sequence[tuple[str, str]], lengths: Sequence[int], source: str = "proteins", *, distinct: bool = False
) -> PeptideSource:
    """Give the windows of proteins as peptides.

    The windows come protein by protein, by their first residue, the shorter before the longer.  Their own columns are
    ``protein`` (its id), ``position`` of the first residue (1-based), ``n_flank`` and ``c_flank``, up to five residues
    before and after the window.  A window with a residue that is not one of the twenty is a row without a score.

    Parameters
    ----------
    proteins : sequence of (str, str)
        Name and upper-case sequence of each.
    lengths : sequence of int
        Of the windows, rising, 8 to 15.
    source : str
        Where they come from, for messages.
    distinct : bool
        Refuse a name that occurs twice, as what is told protein by protein would mix the two.

    Raises
    ------
    InputError
        If no protein is long enough or, where `distinct`, two have the same name.
    """
    if not lengths or not set(lengths) <= set(PEPTIDE_LENGTHS):
        msg = f"lengths must be of {PEPTIDE_LENGTHS[0]} to {PEPTIDE_LENGTHS[-1]}, not {list(lengths)}"
        raise ValueError(msg)
    if distinct:
        seen: set[str] = set()
        for number, (name, _) in enumerate(proteins, 1):
            if name in seen:
                hint = "give every protein a name of its own"
                raise InputError("two proteins have the same name", source=source, row=number, value=name, hint=hint)
            seen.add(name)
    if max((len(sequence) for _, sequence in proteins), default=0) < lengths[0]:
        raise InputError(f"no protein has {lengths[0]} residues", source=source, hint="for peptides use predict")
    return _Windows(proteins, lengths, source)


class _Windows(PeptideSource):
    """Windows of proteins, which can be counted without being cut."""

    def __init__(self, proteins: Sequence[tuple[str, str]], lengths: Sequence[int], source: str) -> None:
        super().__init__(Records(COLUMNS, partial(_parts, proteins, lengths), integers=("position",)), source)
        self._sequences = [sequence for _, sequence in proteins]
        self._lengths = lengths

    def check(self) -> Overview:
        """Count the windows; see :meth:`PeptideSource.check`."""
        rows = sum(max(0, len(text) - length + 1) for text in self._sequences for length in self._lengths)
        letters = set().union(*self._sequences) & set(RESIDUES)
        return Overview(rows, None, self._warnings(letters))


def _parts(proteins: Sequence[tuple[str, str]], lengths: Sequence[int]) -> Iterator[Part]:
    """Give the windows some at a time; the row of a window is the number of its protein."""
    columns: list[list[Any]] = [[] for _ in COLUMNS]
    rows: list[int] = []
    peptides, names, positions, before, after = columns
    for number, (name, sequence) in enumerate(proteins, 1):
        for start in range(len(sequence) - lengths[0] + 1):
            left = sequence[max(0, start - FLANK) : start]
            for length in lengths:
                stop = start + length
                if stop > len(sequence):
                    break
                peptides.append(sequence[start:stop])
                names.append(name)
                positions.append(start + 1)
                before.append(left)
                after.append(sequence[stop : stop + FLANK])
                rows.append(number)
            if len(rows) >= _PART:
                yield columns, np.array(rows)
                columns, rows = [[] for _ in COLUMNS], []
                peptides, names, positions, before, after = columns
    if rows:
        yield columns, np.array(rows)
