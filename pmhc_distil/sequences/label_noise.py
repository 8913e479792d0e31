"""Ligands that stand under an allele that did not present them, told by the motifs of a source that is trusted.

Of many published ligands the allele was inferred, not measured, and some of them are of another allele of the same
cells, or no ligands at all.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.motifs import Motifs
from pmhc_distil.sequences.sources import Source

STEPS = 300
"""Rounds of expectation and maximisation at most."""
TOLERANCE = 1e-6
"""A round that changes no share by more is the last."""


@dataclass(frozen=True)
class LabelNoise:
    """What tells the wrong ligands of the other sources.

    Attributes
    ----------
    reference : str
        File of the source whose ligands are all believed, such as one of cells with a single allele.
    least_ligands : int
        Alleles with fewer ligands there are not judged.
    """

    reference: str
    least_ligands: int


def label_noise_from_recipe(entry: Any) -> LabelNoise:
    """Read ``label_noise`` of a recipe: a mapping of ``reference`` and ``least_ligands``.

    Raises
    ------
    InputError
        For anything else.
    """
    fits = isinstance(entry, dict) and set(entry) == {"reference", "least_ligands"}
    if not fits or not isinstance(entry["least_ligands"], int) or entry["least_ligands"] < 1:
        hint = "a mapping such as {reference: single_allele.csv.gz, least_ligands: 100}"
        raise InputError("not settings of label noise", "recipe", column="label_noise", value=entry, hint=hint)
    return LabelNoise(str(entry["reference"]), entry["least_ligands"])


def believed(ligands: pd.DataFrame, windows: pd.DataFrame, label_noise: LabelNoise) -> NDArray[np.float64]:
    """Give the probability that a ligand is its allele's own.

    The ligands of one source and allele are a mixture of three kinds: the allele's own, with its motif in the
    reference; those of other alleles, with the motifs that these have there; and peptides without a motif.  How much of
    each there is, is found by expectation maximisation (Dempster et al. 1977), as motifs are told apart in ligands of
    cells with several alleles (Bassani-Sternberg and Gfeller 2016), but with motifs that are known.

    Parameters
    ----------
    ligands : DataFrame
        ``peptide, allele, source``.
    windows : DataFrame
        ``peptide, allele``: random windows of proteins, held against the alleles of the reference.
    label_noise : LabelNoise
        Ligands of its reference, and of alleles with too few there, are all believed.

    Returns
    -------
    float64 array, shape (n,)
    """
    clean = ligands["source"] == Source(label_noise.reference).name
    counts = ligands.loc[clean, "allele"].value_counts()
    known = ligands["allele"].isin(counts.index[counts >= label_noise.least_ligands])
    probability = np.ones(len(ligands))
    judged = known & ~clean
    if not judged.any():
        return probability
    motifs = Motifs(ligands[clean & known], windows)
    # Other alleles' ligands are expected as often as all sources have ligands of them.
    often = ligands.loc[known, "allele"].value_counts().reindex(motifs.alleles).to_numpy(dtype=np.float64)
    rows = pd.Series(np.arange(len(ligands)), ligands.index)[judged]
    for _, group in rows.groupby([ligands.loc[judged, "source"], ligands.loc[judged, "allele"]]):
        part = ligands.iloc[group.to_numpy()]
        own = motifs.alleles.get_loc(part["allele"].iloc[0])
        ratios = np.exp(motifs.residue_scores(part["peptide"]))
        others = np.delete(often, own)
        kinds = np.stack([ratios[:, own], np.delete(ratios, own, 1) @ (others / others.sum()), np.ones(len(part))])
        probability[group] = _memberships(kinds)[0]
    return probability


def _memberships(likelihoods: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the probability of every kind for every member of a mixture, shape (kinds, n) like its likelihoods."""
    shares = np.full((len(likelihoods), 1), 1 / len(likelihoods))
    for _ in range(STEPS):
        members = likelihoods * shares
        members /= members.sum(0)
        before, shares = shares, members.mean(1, keepdims=True)
        if np.abs(shares - before).max() < TOLERANCE:
            break
    return members
