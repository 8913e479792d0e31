"""A first stage that discards peptides which cannot bind, so that a proteome needs less of the model.

For every allele and length a motif (a weight for each residue at each position) is fitted to the model's own logits of
random peptides.  What scores below the worst random peptide that could matter is discarded; the rest is left to the
model, so that its numbers are the same with and without.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pmhc_distil.inference.calibration import Background
from pmhc_distil.inference.engine import Engine
from pmhc_distil.inference.ranks import RankTable
from pmhc_distil.inference.request import Request
from pmhc_distil.models.vocabulary import FIRST_RESIDUE, PAD, encode
from pmhc_distil.sequences.peptide_table import PeptideTable
from pmhc_distil.sequences.residues import MAX_PEPTIDE_LENGTH, RESIDUES

FITTED = 4_000
"""Random peptides of every length to which a motif is fitted."""
WORTH = 4
"""The screen is worth its fitting for so many times as many peptides."""
_RIDGE = 2.0
_LEAST_WEIGHT = 0.02


class MotifScreen:
    """Motifs of some alleles, and how low they may score.

    Parameters
    ----------
    engine : Engine
    rank_table : callable
        Gives the table that has the ranks of a groove.
    grooves : sequence of str
    lengths : sequence of int
        Of the peptides to come.
    max_rank : float
        Highest rank, in percent, that is of interest.  The limit of a motif is its lowest score among random peptides
        of up to twice that rank (2 % at least), each scored by a motif that was fitted without it.
    background : mapping
        Random peptides as tokens, by length.
    """

    def __init__(
        self,
        engine: Engine,
        rank_table: Callable[[str], RankTable],
        grooves: Sequence[str],
        lengths: Sequence[int],
        max_rank: float,
        background: Background,
    ) -> None:
        self.count = len(grooves)
        worst = max(2 * max_rank, 2.0)
        random = {length: background[length][:FITTED] for length in lengths}
        features = {length: _one_hot(tokens) for length, tokens in random.items()}
        self._motifs: dict[int, NDArray[np.float32]] = {
            length: np.empty((len(grooves), length, len(RESIDUES)), np.float32) for length in lengths
        }
        for number, groove in enumerate(grooves):
            prefix = engine.backend.prefix(groove)
            table = rank_table(groove)
            lowest = np.inf
            constants = {}
            for length, tokens in random.items():
                logits = engine.backend.forward(prefix, tokens)[:, 0].astype(np.float64)
                ranks = table.ranks(groove, logits, np.full(len(logits), length))[0]
                weights = np.clip(worst / 2 / ranks, _LEAST_WEIGHT, 1) ** 0.5
                even = np.arange(len(logits)) % 2 == 0
                for fold in (even, ~even):
                    motif, constant = _fit(features[length][~fold], logits[~fold], weights[~fold])
                    guessed = features[length][fold & (ranks <= worst)] @ motif + constant
                    lowest = min(lowest, guessed.min(initial=np.inf))
                motif, constants[length] = _fit(features[length], logits, weights)
                self._motifs[length][number] = motif.reshape(length, len(RESIDUES))
            for length, constant in constants.items():
                # Spread over the positions, so that what passes is what sums to zero or more.
                self._motifs[length][number] += (constant - lowest) / length

    def passing(self, peptides: Sequence[str]) -> NDArray[np.bool_]:
        """Tell which pairs may have a rank of interest.

        Parameters
        ----------
        peptides : sequence of str, length n
            Standard residues, of the lengths that the screen was made for.

        Returns
        -------
        ndarray of bool, shape (n, alleles)
        """
        tokens = encode(peptides, MAX_PEPTIDE_LENGTH)
        residues = tokens.astype(np.intp) - FIRST_RESIDUE
        lengths = (tokens != PAD).sum(1)
        result = np.zeros((len(tokens), self.count), dtype=bool)
        for length, motifs in self._motifs.items():
            rows = np.flatnonzero(lengths == length)
            if len(rows):
                own = residues[rows, :length]
                for number, motif in enumerate(motifs):
                    result[rows, number] = motif[np.arange(length), own].sum(1) >= 0
        return result

    def rows(self, table: PeptideTable, request: Request, *, genotype: bool) -> PeptideTable:
        """Keep what passes.

        Parameters
        ----------
        table : PeptideTable
        request : Request
            Of this table, or of the whole that it is a part of; the screen was made for its grooves, in their order.
        genotype : bool
            Keep peptides that pass for any of the alleles, instead of pairs.

        Returns
        -------
        PeptideTable
            Those rows of a table with alleles of its own that pass for any of these.  Otherwise with an allele for each
            row, or, for a genotype, without.  Peptides that cannot be scored do not pass.
        """
        scorable = np.flatnonzero(table.frame["note"].to_numpy(dtype=object) == "")
        number, peptides = pd.factorize(table.frame["peptide"].to_numpy(dtype=object)[scorable])
        passing = self.passing(peptides.tolist())
        if not request.cross:
            places = request.places_of_cells()
            cell, cells = pd.factorize(table.frame["allele"].to_numpy(dtype=object)[scorable])
            of_cells = np.zeros((len(peptides), len(cells)), dtype=bool)
            for column, text in enumerate(cells):
                of_cells[:, column] = passing[:, places[text]].any(1)
            kept = scorable[of_cells[number, cell]]
            frame = table.frame.iloc[kept].reset_index(drop=True)
        elif genotype:
            kept = scorable[np.take(passing.any(1), number)]
            frame = table.frame.iloc[kept].reset_index(drop=True)
        else:
            row, allele = np.nonzero(np.take(passing, number, axis=0))
            kept = scorable[row]
            spelt = pd.Series(np.array(request.spellings, dtype=object)[allele], dtype="str")
            frame = table.frame.iloc[kept].reset_index(drop=True).assign(allele=spelt)
        return replace(table, frame=frame, rows=table.rows[kept], n_problems=0)


def _one_hot(tokens: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Give 0 or 1 for each position and residue, (n, length) to (n, length * residues)."""
    hot = tokens[:, :, None] == np.arange(FIRST_RESIDUE, FIRST_RESIDUE + len(RESIDUES), dtype=np.uint8)
    return hot.reshape(len(tokens), -1).astype(np.float32)


def _fit(
    features: NDArray[np.float32], logits: NDArray[np.float64], weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """Fit a linear model by weighted ridge regression; weights and constant."""
    share = weights / weights.sum()
    mean, middle = share @ features, float(share @ logits)
    centred = features - mean.astype(np.float32)
    weighted = centred * weights[:, None].astype(np.float32)
    gram = weighted.T @ centred + _RIDGE * np.eye(features.shape[1])
    found = np.linalg.solve(gram, weighted.T @ (logits - middle).astype(np.float32))
    return found, middle - float(mean @ found)
