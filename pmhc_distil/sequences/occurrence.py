"""Which peptides occur in a proteome, without an index of it."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from pmhc_distil.sequences.residues import RESIDUES

_BITS = 5
_CODED = 12
"""Residues of a peptide that fit into a number; longer ones are looked at again."""
_PIECE = 1 << 20
_CODES = np.zeros(256, dtype=np.int64)
_CODES[[ord(residue) for residue in RESIDUES]] = np.arange(1, len(RESIDUES) + 1)


def occurring(peptides: Sequence[str], proteins: Iterable[str]) -> NDArray[np.bool_]:
    """Tell which peptides are part of any protein.

    Parameters
    ----------
    peptides : sequence of str, length n
        Standard residues; what has others, or is empty, does not occur.
    proteins : iterable of str
        Upper case.

    Returns
    -------
    ndarray of bool, shape (n,)
    """
    wanted: dict[int, dict[int, list[str]]] = {}
    for peptide in set(peptides):
        if peptide and set(peptide) <= set(RESIDUES):
            head = peptide[:_CODED]
            code = int(_codes_of(_letters(head), len(head))[0])
            wanted.setdefault(len(head), {}).setdefault(code, []).append(peptide)
    found: set[str] = set()
    for text in _pieces(proteins):
        letters = _letters(text)
        for length, by_code in wanted.items():
            if len(letters) < length:
                continue
            codes = _codes_of(letters, length)
            for place in np.flatnonzero(np.isin(codes, np.fromiter(by_code, dtype=np.int64))).tolist():
                found.update(one for one in by_code[int(codes[place])] if text.startswith(one, place))
    return np.array([peptide in found for peptide in peptides], dtype=bool)


def _pieces(proteins: Iterable[str]) -> Iterable[str]:
    """Join proteins to texts of a bounded size, with a stop between two."""
    some: list[str] = []
    size = 0
    for protein in proteins:
        some.append(protein)
        size += len(protein)
        if size > _PIECE:
            yield "*".join(some)
            some, size = [], 0
    yield "*".join(some)


def _letters(text: str) -> NDArray[np.int64]:
    return _CODES[np.frombuffer(text.encode("ascii", "replace"), dtype=np.uint8)]


def _codes_of(letters: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    """Give a number for every window of standard residues, and 0 for others."""
    count = len(letters) - length + 1
    codes = np.zeros(count, dtype=np.int64)
    good = np.ones(count, dtype=bool)
    for offset in range(length):
        part = letters[offset : offset + count]
        codes = (codes << _BITS) | part
        good &= part > 0
    return np.where(good, codes, 0)
