"""Negatives of training tables: random windows of proteins, held against the alleles that have ligands."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.proteins import Proteome
from pmhc_distil.sequences.sources import NEGATIVE, TABLE_COLUMNS, Source


@dataclass(frozen=True)
class HardNegatives:
    """Many negatives for training, of which mostly those are kept that are hard to tell from ligands.

    Attributes
    ----------
    per_positive : float
        Negatives drawn for each ligand.
    least_kept : float
        Probability to keep a negative that looks nothing like a ligand, above 0 and at most 1.
    """

    per_positive: float
    least_kept: float


def hard_negatives_from_recipe(entry: Any) -> HardNegatives:
    """Read ``hard_negatives`` of a recipe: a mapping of ``per_positive`` and ``least_kept``.

    Raises
    ------
    InputError
        For anything else.
    """
    if not isinstance(entry, dict) or set(entry) != {"per_positive", "least_kept"}:
        hint = "a mapping such as {per_positive: 40, least_kept: 0.025}"
        raise InputError("not settings of hard negatives", "recipe", column="hard_negatives", value=entry, hint=hint)
    return HardNegatives(**entry)


def draw_negatives(
    ligands: pd.DataFrame,
    sources: Sequence[Source],
    shares: "pd.Series[float]",
    proteome: Proteome,
    known: set[str],
    rates: "pd.Series[float]",
    seed: int,
    kept: Callable[[pd.DataFrame], NDArray[np.float64]] | None = None,
) -> pd.DataFrame:
    """Draw windows of proteins for every source, allele and length, in proportion to the ligands there.

    On average there are exactly as many as `rates` say.  A window that is drawn twice for an allele is there twice, so
    that proteins with few windows do not make them fewer.

    Parameters
    ----------
    ligands : DataFrame
        ``peptide, allele, source``.
    sources : sequence of Source
        Where the ligands come from; a source has negatives of its own lengths only.  Those of one file count as one.
    shares : Series
        Of the ligands, by length.  A source restricted to some lengths counts as if it had its missing lengths too.
    proteome : Proteome
    known : set of str
        Ligands and binders of any allele, which are not drawn.
    rates : Series
        Negatives for each ligand, by length.
    seed : int
    kept : callable, optional
        Gives the probability to keep each of the pairs drawn; by default all are kept.

    Returns
    -------
    DataFrame
        With :data:`~pmhc_distil.sequences.sources.TABLE_COLUMNS`; the offset is 0.

    Raises
    ------
    InputError
        If every window that is drawn is known.
    """
    generator = np.random.default_rng(seed)
    frames = [pd.DataFrame({"peptide": [], "allele": []}, dtype="str")]
    lengths_of: dict[str, set[int]] = {}
    for source in sources:
        lengths_of.setdefault(source.name, set()).update(source.lengths)
    for name, lengths in lengths_of.items():
        counts = ligands.loc[ligands["source"] == name, "allele"].value_counts().sort_index()
        covered = float(shares.reindex(sorted(lengths)).sum())
        for length in sorted(lengths):
            # Rounded at random, up as often as the fraction says: alleles with few ligands have every length, too.
            expected = counts.to_numpy() * rates[length] / max(covered, 1e-9)
            numbers = np.floor(expected + generator.random(len(expected))).astype(int)
            if not numbers.any():
                continue
            drawn = proteome.draw(length, int(numbers.sum()), generator, known)
            allele = np.repeat(counts.index.to_numpy(), numbers)
            frame = pd.DataFrame({"peptide": drawn, "allele": allele}, dtype="str")
            if kept:
                frame = frame[generator.random(len(frame)) < kept(frame)]
            frames.append(frame)
    table = pd.concat(frames, ignore_index=True)
    return table.assign(label=0.0, affinity_nm=np.nan, inequality="", offset=0.0, source=NEGATIVE)[TABLE_COLUMNS]
