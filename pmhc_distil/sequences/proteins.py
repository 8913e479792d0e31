"""Protein FASTA, and random peptides cut from proteins."""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TextIO

import numpy as np

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.residues import RESIDUES
from pmhc_distil.sequences.text_files import open_text

_IN_VAIN = 1000
"""Rounds of draws without a window that is not excluded, after which there is none."""

_STANDARD = np.zeros(256, dtype=bool)
_STANDARD[[ord(residue) for residue in RESIDUES]] = True


def read_proteins(path: str | Path) -> Iterator[tuple[str, str]]:
    """Read name and upper-case sequence of every protein of a FASTA file (plain or gzip).

    Raises
    ------
    InputError
        If the file cannot be read or holds no FASTA record.
    """
    with open_text(path) as handle:
        yield from parse_proteins(handle, str(path))


def parse_proteins(handle: TextIO, source: str, *, may_be_none: bool = False) -> Iterator[tuple[str, str]]:
    """Read the proteins of an open file, or none if there may be none; see :func:`read_proteins`."""
    for title, sequence in _titled(handle, source, may_be_none=may_be_none):
        yield title.split(maxsplit=1)[0] if title.strip() else "", sequence


def plain_sequence(text: str) -> str:
    """Give a sequence as files of proteins are read: in upper case, without the signs of a stop at its end."""
    return text.upper().rstrip("*")


def read_titled_proteins(path: str | Path) -> Iterator[tuple[str, str]]:
    """Read the same with the whole title of each protein instead of its name."""
    with open_text(path) as handle:
        yield from _titled(handle, str(path))


def _titled(handle: TextIO, source: str, *, may_be_none: bool = False) -> Iterator[tuple[str, str]]:
    from Bio.SeqIO.FastaIO import SimpleFastaParser

    found = False
    for title, sequence in SimpleFastaParser(_from_first_title(handle, source)):
        found = True
        yield title, plain_sequence(sequence)
    if not found and not may_be_none:
        raise InputError("no protein found", source=source, hint="a FASTA file of proteins is expected")


def _from_first_title(handle: TextIO, source: str) -> Iterator[str]:
    """Leave out the comments before the first title, and refuse residues there, which belong to no protein."""
    stray: tuple[int, str] | None = None
    for row, line in enumerate(handle, 1):
        if line.startswith(">"):
            if stray is not None:
                reason, hint = "residues before the first title", "begin every protein with a line such as >name"
                raise InputError(reason, source=source, row=stray[0], value=stray[1], hint=hint)
            yield line
            break
        if stray is None and line.strip() and line[0] not in ";#":
            stray = row, line.strip()
    yield from handle


class Proteome:
    """Proteins joined into one text, from which windows are drawn.

    Parameters
    ----------
    sequences : iterable of str
        Upper-case proteins; windows never span two of them nor hold a non-standard residue.
    """

    def __init__(self, sequences: Iterator[str] | list[str]) -> None:
        self.text = "*".join(sequences) + "*"
        # A byte for every letter, also for one that is not ASCII.
        self._standard = _STANDARD[np.frombuffer(self.text.encode("ascii", "replace"), dtype=np.uint8)]

    def windows(self, length: int) -> np.ndarray:
        """Give every start of a window of ``length`` standard residues, shape (windows,)."""
        good = np.concatenate([[0], np.cumsum(self._standard)])
        return np.flatnonzero(good[length:] - good[:-length] == length)

    def draw(
        self, length: int, count: int, generator: np.random.Generator, excluded: Collection[str] = frozenset()
    ) -> list[str]:
        """Draw random windows, with replacement.

        Parameters
        ----------
        length : int
            Residues of a window.
        count : int
        generator : Generator
        excluded : collection of str
            Peptides that no window may be; others are drawn in their place.

        Raises
        ------
        InputError
            If there is no window of this length, or as good as none that is not excluded.
        """
        starts = self.windows(length)
        if not len(starts):
            raise InputError(f"no window of {length} standard residues", source="proteins", hint="give more proteins")
        drawn: list[str] = []
        in_vain = 0
        while len(drawn) < count:
            windows = (self.text[start : start + length] for start in generator.choice(starts, count))
            fresh = [window for window in windows if window not in excluded]
            in_vain = 0 if fresh else in_vain + 1
            if in_vain == _IN_VAIN:
                reason = f"nearly every window of {length} residues is a known ligand"
                raise InputError(reason, source="proteins", hint="give more proteins")
            drawn += fresh
        return drawn[:count]
