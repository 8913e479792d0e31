"""Binding motifs of alleles as position-specific frequencies: a first guess at what an allele presents."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pmhc_distil.sequences.residues import PEPTIDE_LENGTHS, RESIDUES

ANCHORED = 4
"""Residues from either end that a motif looks at; those between them are ignored."""
PSEUDOCOUNT = 20.0
"""Peptides of average composition that are added to the ligands of every allele."""

_INDEX = np.zeros(128, dtype=np.intp)
_INDEX[[ord(residue) for residue in RESIDUES]] = np.arange(len(RESIDUES))


class Motifs:
    """Motif and length preference of every allele, weighed by a logistic regression to tell ligands from windows.

    An allele without ligands has no motif, and the usual lengths.

    Parameters
    ----------
    ligands, windows : DataFrame
        Columns ``peptide`` (8 to 15 standard residues) and ``allele``: what is presented, and random windows
        of proteins with the alleles that they are held against.

    Raises
    ------
    ValueError
        If either is empty.
    """

    def __init__(self, ligands: pd.DataFrame, windows: pd.DataFrame) -> None:
        # Slow to import, and only training needs it.
        from sklearn.linear_model import LogisticRegression

        if ligands.empty or windows.empty:
            msg = "motifs need ligands and windows"
            raise ValueError(msg)
        self.alleles = pd.Index(sorted(ligands["allele"].unique()))
        row = self.alleles.get_indexer(ligands["allele"])
        positions = np.arange(2 * ANCHORED)
        residues, background_residues = _ends(ligands["peptide"]), _ends(windows["peptide"])
        background = np.stack([np.bincount(column, minlength=len(RESIDUES)) for column in background_residues.T]) + 1.0
        background /= background.sum(1, keepdims=True)
        # The last row is that of an allele without ligands, which the index finds as -1.
        counts = np.zeros((len(self.alleles) + 1, *background.shape))
        np.add.at(counts, (row[:, None], positions, residues), 1.0)
        frequencies = counts + PSEUDOCOUNT * background
        self.residue_log_odds = np.log(frequencies / frequencies.sum(2, keepdims=True) / background)
        """Per allele, position (four from the N-terminus, then four from the C-terminus inwards) and residue."""
        lengths, window_lengths = _lengths(ligands["peptide"]), _lengths(windows["peptide"])
        usual = np.bincount(lengths, minlength=len(PEPTIDE_LENGTHS)) + 1.0
        usual /= usual.sum()
        drawn = np.bincount(window_lengths, minlength=len(PEPTIDE_LENGTHS)) + 1.0
        seen = np.zeros((len(self.alleles) + 1, len(PEPTIDE_LENGTHS)))
        np.add.at(seen, (row, lengths), 1.0)
        seen += PSEUDOCOUNT * usual
        self.length_log_odds = np.log(seen / seen.sum(1, keepdims=True) / (drawn / drawn.sum()))
        both = pd.concat([ligands[["peptide", "allele"]], windows[["peptide", "allele"]]])
        presented = np.arange(len(both)) < len(ligands)
        self._regression = LogisticRegression().fit(self._features(both["peptide"], both["allele"]), presented)
        self._windows_per_ligand = len(windows) / len(ligands)

    def probability(
        self, peptides: "pd.Series[str]", alleles: "pd.Series[str]", windows_per_ligand: float
    ) -> NDArray[np.float64]:
        """Guess how likely peptides are ligands rather than windows.

        Parameters
        ----------
        peptides, alleles : Series of str, shape (n,)
        windows_per_ligand : float
            How many windows there are for every ligand.
        """
        logits = self._regression.decision_function(self._features(peptides, alleles))
        return 1 / (1 + np.exp(np.log(windows_per_ligand / self._windows_per_ligand) - logits))

    def residue_scores(self, peptides: "pd.Series[str]") -> NDArray[np.float64]:
        """Give the summed log-odds of the residues of peptides for every allele, in the order of ``alleles``.

        The lengths do not count.

        Returns
        -------
        float64 array, shape (n, number of alleles)
        """
        ends = _ends(peptides)
        scores = np.zeros((len(ends), len(self.alleles)))
        for position, residues in enumerate(ends.T):
            scores += self.residue_log_odds[:-1, position, residues].T
        return scores

    def _features(self, peptides: "pd.Series[str]", alleles: "pd.Series[str]") -> NDArray[np.float64]:
        """Give the log-odds of the residues and of the length, shape (n, 2)."""
        row = self.alleles.get_indexer(alleles)
        residues = self.residue_log_odds[row[:, None], np.arange(2 * ANCHORED), _ends(peptides)].sum(1)
        return np.stack([residues, self.length_log_odds[row, _lengths(peptides)]], axis=1)


def _ends(peptides: "pd.Series[str]") -> NDArray[np.intp]:
    """Give the residues at both ends as numbers, shape (n, 2 * ANCHORED)."""
    text = peptides.str.slice(0, ANCHORED) + peptides.str.slice(-ANCHORED).str[::-1]
    letters = np.frombuffer("".join(text).encode(), dtype=np.uint8)
    return _INDEX[letters].reshape(-1, 2 * ANCHORED)


def _lengths(peptides: "pd.Series[str]") -> NDArray[np.intp]:
    return np.asarray(peptides.str.len(), dtype=np.intp) - PEPTIDE_LENGTHS[0]
