"""Which peptides occur in a proteome, without an index of it."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from pmhc_distil.sequences.residues import RESIDUES

_BITS = 5
_CODED = 12
"""Residues of a peptide that fit into a number; longer ones are looked at again."""
_PIECE = 1 << 20
_HASH_BITS = 22
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
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
            ((_, (code,)),) = _codes_of(_letters(head), [len(head)])
            wanted.setdefault(len(head), {}).setdefault(int(code), []).append(peptide)
    # Where a hash says no there is nothing; where it says yes it is looked up.
    maybe = {length: np.zeros(1 << _HASH_BITS, dtype=bool) for length in wanted}
    for length, by_code in wanted.items():
        maybe[length][_hash(np.fromiter(by_code, dtype=np.int64))] = True
    found: set[str] = set()
    for text in _pieces(proteins):
        lengths = [length for length in sorted(wanted) if length <= len(text)]
        for length, codes in _codes_of(_letters(text), lengths):
            for place in np.flatnonzero(maybe[length][_hash(codes)]).tolist():
                alike = wanted[length].get(int(codes[place]), ())
                found.update(one for one in alike if text.startswith(one, place))
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


def _hash(codes: NDArray[np.int64]) -> NDArray[np.intp]:
    """Spread numbers evenly over a table (Knuth's multiplicative hash)."""
    return ((codes.astype(np.uint64) * _GOLDEN) >> np.uint64(64 - _HASH_BITS)).astype(np.intp)


def _letters(text: str) -> NDArray[np.int64]:
    return _CODES[np.frombuffer(text.encode("ascii", "replace"), dtype=np.uint8)]


def _codes_of(letters: NDArray[np.int64], lengths: Sequence[int]) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Give a number for every window of each of rising lengths; an unknown residue is a digit that no peptide has."""
    codes, size = letters, 1
    for length in lengths:
        while size < length:
            codes = (codes[:-1] << _BITS) | letters[size:]
            size += 1
        yield length, codes
