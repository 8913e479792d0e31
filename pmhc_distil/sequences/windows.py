"""Every peptide of a proteome, with its place in its protein."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.peptide_formats import Part, Records
from pmhc_distil.sequences.peptide_source import Overview, PeptideSource
from pmhc_distil.sequences.proteins import parse_proteins
from pmhc_distil.sequences.residues import PEPTIDE_LENGTHS, RESIDUES
from pmhc_distil.sequences.shards import Shard, cut_fasta
from pmhc_distil.sequences.text_files import open_text, text_digest

COLUMNS = ("peptide", "protein", "position", "n_flank", "c_flank")
SCAN_LENGTHS = (8, 9, 10, 11)
"""Lengths of the windows of a scan, if none are asked for."""
FLANK = 5
"""Residues that are kept on either side of a window."""
_PART = 20_000


def protein_windows(
    path: str | Path, lengths: Sequence[int], *, distinct: bool = False, shard: Shard | None = None
) -> PeptideSource:
    """Open the windows of every protein of a FASTA file as peptides; see :func:`windows_of`.

    Parameters
    ----------
    path : str or Path
        Plain or gzip; ``"-"`` for standard input.
    lengths, distinct
        As for :func:`windows_of`.
    shard : Shard, optional
        Which of the proteins to cut; the others are only looked at.

    Raises
    ------
    InputError
        If the file cannot be read or is no FASTA; or as :func:`windows_of`.
    """
    source = str(path)
    stream = open_text(path)
    digest = partial(text_digest, stream)
    if shard is None:
        proteins = list(parse_proteins(stream, source))
        _check([(name, len(sequence)) for name, sequence in proteins], lengths, source, distinct=distinct)
        return _Windows(proteins, lengths, source, digest)
    sizes = [(name, len(sequence)) for name, sequence in parse_proteins(stream, source)]
    _check(sizes, lengths, source, distinct=distinct)
    piece, _ = cut_fasta(stream, shard)
    own = list(parse_proteins(piece, source, may_be_none=True))
    return _Windows(own, lengths, source, digest, _count((size for _, size in sizes), lengths))


def checked_lengths(lengths: Sequence[int]) -> tuple[int, ...]:
    """Give lengths of peptides, each once, or refuse them.

    Parameters
    ----------
    lengths : sequence of int
        8 to 15.

    Raises
    ------
    InputError
        If this is no list, an empty one, or one with something else.
    """
    hint = f"a list of whole numbers from {PEPTIDE_LENGTHS[0]} to {PEPTIDE_LENGTHS[-1]}, such as [8, 9]"
    if isinstance(lengths, str | bytes) or not isinstance(lengths, Iterable):
        raise InputError("lengths are expected", source="lengths", value=lengths, hint=hint)
    given = list(lengths)
    for length in given:
        if not isinstance(length, Integral) or length not in PEPTIDE_LENGTHS:
            raise InputError("not a length of peptides", source="lengths", value=length, hint=hint)
    if not given:
        raise InputError("no lengths are given", source="lengths", hint=hint)
    return tuple(dict.fromkeys(map(int, given)))


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
        If no protein is long enough, a length is another or, where `distinct`, two have the same name.
    """
    _check([(name, len(sequence)) for name, sequence in proteins], lengths, source, distinct=distinct)
    return _Windows(proteins, lengths, source)


def _check(sizes: Sequence[tuple[str, int]], lengths: Sequence[int], source: str, *, distinct: bool) -> None:
    """Refuse proteins, of which the names and lengths are given, as :func:`windows_of` says."""
    checked_lengths(lengths)
    if distinct:
        seen: set[str] = set()
        for number, (name, _) in enumerate(sizes, 1):
            if name in seen:
                hint = "give every protein a name of its own"
                raise InputError("two proteins have the same name", source=source, row=number, value=name, hint=hint)
            seen.add(name)
    if max((size for _, size in sizes), default=0) < lengths[0]:
        raise InputError(f"no protein has {lengths[0]} residues", source=source, hint="for peptides use predict")


class _Windows(PeptideSource):
    """Windows of proteins, which can be counted without being cut."""

    def __init__(
        self,
        proteins: Sequence[tuple[str, str]],
        lengths: Sequence[int],
        source: str,
        digest: Callable[[], str] | None = None,
        rows_of_all: int | None = None,
    ) -> None:
        records = Records(COLUMNS, partial(_parts, proteins, lengths), integers=("position",))
        super().__init__(records, source, digest=digest)
        self._rows_of_all = rows_of_all
        self._sequences = [sequence for _, sequence in proteins]
        self._lengths = lengths

    def check(self) -> Overview:
        """Count the windows; see :meth:`PeptideSource.check`."""
        letters = set().union(*self._sequences) & set(RESIDUES)
        rows = _count(map(len, self._sequences), self._lengths)
        return Overview(rows, None, self._warnings(letters), self._rows_of_all)


def _count(sizes: Iterable[int], lengths: Sequence[int]) -> int:
    return sum(max(0, size - length + 1) for size in sizes for length in lengths)


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
