"""How far one groove is from another, and which known allele is nearest.

The distance is that of Nielsen et al. 2007 (PLoS ONE 2:e796), which NetMHCpan reports as well: with ``s`` the sum of
BLOSUM62 scores over the 34 positions, ``1 - s(a, b) / sqrt(s(a, a) * s(b, b))``.  It is 0 for equal grooves and about 1
for unrelated ones.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from pmhc_distil.sequences.groove_table import GROOVE_LENGTH, GrooveTable, groove_table
from pmhc_distil.sequences.residues import RESIDUES

_INDEX = {residue: index for index, residue in enumerate(RESIDUES)}


@cache
def blosum62() -> NDArray[np.float64]:
    """Return the scores, ``(20, 20)`` in the order of ``RESIDUES``."""
    from Bio.Align import substitution_matrices  # 0.2 s that resolving a name does not need

    matrix = substitution_matrices.load("BLOSUM62")
    return np.array([[matrix[a, b] for b in RESIDUES] for a in RESIDUES], dtype=np.float64)


def _encode(grooves: Sequence[str]) -> NDArray[np.intp]:
    """Return residue indices, ``(number of grooves, 34)``."""
    for groove in grooves:
        if len(groove) != GROOVE_LENGTH or not _INDEX.keys() >= set(groove):
            raise ValueError(f"not a groove of {GROOVE_LENGTH} standard residues: {groove!r}")
    return np.array([[_INDEX[residue] for residue in groove] for groove in grooves], dtype=np.intp)


def groove_distances(groove: str, others: Sequence[str]) -> NDArray[np.float64]:
    """Return the distances of one groove to many.

    Parameters
    ----------
    groove : str
        34 standard residues.
    others : sequence of str
        Grooves to compare with.

    Returns
    -------
    ndarray, shape (len(others),)
        0 for equal grooves.
    """
    if not others:
        return np.empty(0)
    scores = blosum62()
    one, many = _encode([groove])[0], _encode(others)
    self_scores = scores[many, many].sum(axis=1)
    distances = 1.0 - scores[one, many].sum(axis=1) / np.sqrt(scores[one, one].sum() * self_scores)
    return np.maximum(distances, 0.0)


def groove_distance(a: str, b: str) -> float:
    """Return the distance of two grooves: 0 if equal, about 1 if unrelated, symmetric."""
    return float(groove_distances(a, [b])[0])


def nearest_allele(groove: str, training: Sequence[str], table: GrooveTable | None = None) -> tuple[str, float]:
    """Find the allele of a training set whose groove is nearest.

    Parameters
    ----------
    groove : str
        34 standard residues.
    training : sequence of str
        Canonical names, at least one; among equally near ones the first wins.
    table : GrooveTable, optional
        Where the names are looked up; the shipped table by default.

    Returns
    -------
    tuple of str and float
        Name and distance.
    """
    if not training:
        raise ValueError("no training alleles to compare with")
    table = table or groove_table()
    distances = groove_distances(groove, [table.groove(name) for name in training])
    index = int(np.argmin(distances))
    return training[index], float(distances[index])
