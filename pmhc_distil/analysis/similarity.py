"""How alike two peptides of one length are."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pmhc_distil.models.vocabulary import FIRST_RESIDUE, encode
from pmhc_distil.sequences.groove_distance import blosum62


def identities(peptide: str, others: Sequence[str]) -> NDArray[np.float64]:
    """Give the share of equal residues.

    Parameters
    ----------
    peptide : str
    others : sequence of str
        Of the same length.

    Returns
    -------
    ndarray of float, shape (len(others),)
    """
    return (encode(others, len(peptide)) == encode([peptide])).mean(1)


def similarities(peptide: str, others: Sequence[str]) -> NDArray[np.float64]:
    """Give the similarity by BLOSUM62: with ``s`` the sum of scores, ``s(a, b) / sqrt(s(a, a) * s(b, b))``.

    Parameters
    ----------
    peptide : str
        Standard residues.
    others : sequence of str
        Of the same length.

    Returns
    -------
    ndarray of float, shape (len(others),)
        1 for the peptide itself, about 0 for unrelated ones; what is below is 0.
    """
    scores = blosum62()
    one = encode([peptide])[0].astype(np.intp) - FIRST_RESIDUE
    many = encode(others, len(peptide)).astype(np.intp) - FIRST_RESIDUE
    own = scores[one, one].sum() * scores[many, many].sum(1)
    return np.maximum(scores[one, many].sum(1) / np.sqrt(own), 0.0)
