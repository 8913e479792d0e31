"""Which positions of a peptide hold it in the groove."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from pmhc_distil.inference.predictor import Predictor

LEAST_BITS = 1.0
"""Information of the positions of a motif that are anchors; its strongest position is one in any case."""


@dataclass(frozen=True)
class Anchors:
    """A rule for anchors.

    Attributes
    ----------
    by_motif : bool
        The positions that the predicted motif of each allele and length determines most, instead of the second and the
        last of every peptide.
    """

    by_motif: bool = False

    def at_anchor(self, predictor: "Predictor", frame: pd.DataFrame, grooves: Mapping[str, str]) -> pd.Series:
        """Tell whether any of the changed positions is an anchor.

        Parameters
        ----------
        predictor : Predictor
        frame : DataFrame
            ``peptide``, ``allele`` and ``changed`` (positions from 1, with commas between).
        grooves : mapping of str to str
            Molecules that are given by sequence.

        Returns
        -------
        Series of boolean
            Missing where there is nothing to compare, or for a motif no allele.
        """
        lengths = frame["peptide"].str.len()
        known = frame["changed"] != ""
        motifs: dict[tuple[str, int], set[int]] = {}
        if self.by_motif:
            known &= frame["rank"].notna()
            names = frame.loc[known, "allele"].unique().tolist()
            motifs = motif_anchors(predictor, names, sorted(set(lengths[known])), grooves) if names else {}
        answers: list[object] = [pd.NA] * len(frame)
        cells = zip(frame["changed"], lengths, frame["allele"], strict=True)
        for row, (changed, length, allele) in enumerate(cells):
            if known.iloc[row]:
                anchors = motifs[allele, length] if self.by_motif else {2, length}
                answers[row] = bool(anchors & set(map(int, changed.split(","))))
        return pd.Series(answers, index=frame.index, dtype="boolean")


P2_AND_LAST = Anchors()
"""The second and the last residue, as for most alleles."""


def motif_anchors(
    predictor: "Predictor", alleles: list[str], lengths: list[int], grooves: Mapping[str, str]
) -> dict[tuple[str, int], set[int]]:
    """Give the positions that the predicted motif of each allele and length determines most.

    Parameters
    ----------
    predictor : Predictor
    alleles : list of str
        Canonical names, or keys of `grooves`.
    lengths : list of int
    grooves : mapping of str to str

    Returns
    -------
    dict
        Allele and length to positions, from 1.
    """
    from pmhc_distil.analysis.motif import predicted_motifs

    motifs = predicted_motifs(predictor, alleles, grooves=grooves, lengths=lengths)
    found: dict[tuple[str, int], set[int]] = {}
    for _, own in motifs.groupby(["allele", "length"]):
        information = own["information"].to_numpy()
        strong = own[information >= min(LEAST_BITS, information.max())]
        found[strong["allele"].iloc[0], int(strong["length"].iloc[0])] = set(strong["position"])
    return found
