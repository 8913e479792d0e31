"""%rank: where a score stands among random human peptides, for every groove.

A table holds, for every groove, the presentation logit at fixed percentiles of some ten thousand random peptides: once
for all lengths together, once for each length.  Between percentiles the logarithm of the rank is interpolated in the
logit; beyond the strongest one the last slope goes on, so that strong binders never tie.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from pmhc_distil.errors import InputError
from pmhc_distil.models.vocabulary import encode
from pmhc_distil.sequences.files import atomic_path
from pmhc_distil.sequences.residues import PEPTIDE_LENGTHS
from pmhc_distil.sequences.tables import STRONG_BINDER_RANK, WEAK_BINDER_RANK

PERCENTILES = np.array(
    [
        100,
        95,
        90,
        80,
        70,
        60,
        50,
        40,
        30,
        25,
        20,
        15,
        10,
        7,
        5,
        4,
        3,
        2.5,
        2,
        1.5,
        1,
        0.7,
        0.5,
        0.35,
        0.2,
        0.1,
        0.05,
        0.02,
    ]
)
"""Percent of random peptides that score at least as high as the knot."""
RANKS_FILE = "ranks.safetensors"
"""Name of the rank table in a model folder."""
CLASSES = 1 + len(PEPTIDE_LENGTHS)
"""All lengths together, then every length."""
MILLI = 1000
"""Logits are stored as integers, in thousandths."""
_GRID = np.append(0.0, 10.0 ** np.linspace(-4, 2, 301))
"""Edges, in percent, of the slices over which scores are averaged."""
RARITY = 50
"""How many times rarer ligands are among random peptides (some 1 in 250) than where the score refers to (1 in 6)."""
_TAIL = int(np.flatnonzero(PERCENTILES == 0.2)[0])
_SMALLEST_STEP = 1e-3


class RankTable:
    """Knots of the calibration of every groove.

    Parameters
    ----------
    grooves : list of str
    knots : ndarray of int16, shape (grooves, 1 + lengths, percentiles)
        Presentation logits in thousandths, rising along the last axis.
    facts : mapping
        What the table was made from; ``weights`` is the SHA-256 of the model file.
    """

    def __init__(self, grooves: list[str], knots: np.ndarray, facts: Mapping[str, str]) -> None:
        self.grooves = grooves
        self.knots = knots
        self.facts = dict(facts)
        self._place = {groove: number for number, groove in enumerate(grooves)}
        self._length_log_odds: dict[str, np.ndarray] = {}

    def __contains__(self, groove: str) -> bool:
        return groove in self._place

    def ranks(self, groove: str, logits: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rank presentation logits of one groove.

        Parameters
        ----------
        groove : str
            In the table.
        logits : ndarray of float, shape (n,)
        lengths : ndarray of int, shape (n,)

        Returns
        -------
        rank, rank_same_length : ndarray of float, shape (n,)
            Percent, above 0 and at most 100; lower binds better.
        """
        knots = self.knots[self._place[groove]]
        same_length = np.empty(len(logits))
        for number, length in enumerate(PEPTIDE_LENGTHS, start=1):
            rows = lengths == length
            same_length[rows] = percent_rank(logits[rows], knots[number])
        return percent_rank(logits, knots[0]), same_length

    def near_class_limit(self, groove: str, logits: np.ndarray, within: float) -> np.ndarray:
        """Tell which presentation logits (n,) are so near to a limit of the binder classes; bool, shape (n,)."""
        levels, exponents, _ = _curve(self.knots[self._place[groove]][0])
        limits = np.interp(np.log10([WEAK_BINDER_RANK, STRONG_BINDER_RANK]), exponents[::-1], levels[::-1])
        return (np.abs(logits[:, None] - limits) < within).any(1)

    def length_log_odds(self, groove: str) -> np.ndarray:
        """Say how much more often than others an allele presents random peptides of each length.

        Returns
        -------
        ndarray of float, shape (lengths,)
            Logarithm of the mean score of random peptides of a length over that of all, as if ligands were
            :data:`RARITY` times rarer.
        """
        if groove not in self._length_log_odds:
            means = np.array([mean_score(knots, RARITY) for knots in self.knots[self._place[groove], 1:]])
            self._length_log_odds[groove] = np.log(means / means.mean())
        return self._length_log_odds[groove]

    def length_shares(self, groove: str, rank: float) -> np.ndarray:
        """Say which lengths the best binders of an allele have, if random peptides have all lengths equally often.

        Parameters
        ----------
        groove : str
            In the table.
        rank : float
            Highest rank, in percent, of what counts as a binder.

        Returns
        -------
        ndarray of float, shape (lengths,)
            Shares of 8, 9, ... residues; their sum is 1.
        """
        knots = self.knots[self._place[groove]]
        levels, exponents, _ = _curve(knots[0])
        limit = np.interp([np.log10(rank)], exponents[::-1], levels[::-1])
        shares = np.concatenate([percent_rank(limit, each) for each in knots[1:]])
        return shares / shares.sum()

    def save(self, path: Path) -> None:
        """Write the table as safetensors."""
        facts = {"facts": json.dumps(self.facts, sort_keys=True)}
        with atomic_path(path) as temporary:  # save_file would leave it to its owner alone, whatever the umask
            temporary.write_bytes(save({"grooves": encode(self.grooves), "knots": self.knots}, facts))

    @classmethod
    def load(cls, path: Path) -> "RankTable":
        """Read a table.

        Raises
        ------
        InputError
            If the file is missing or no such table.
        """
        from pmhc_distil.models.vocabulary import VOCABULARY

        try:
            with safe_open(path, framework="numpy") as file:
                tokens, knots = file.get_tensor("grooves"), file.get_tensor("knots")
                facts = json.loads(file.metadata()["facts"])
        except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
            raise InputError(
                "the rank table is missing or damaged", source=str(path), hint="make it with `pmhc-distil calibrate`"
            ) from error
        letters = np.array([token[0] for token in VOCABULARY], dtype="S1")[tokens]
        return cls([row.tobytes().decode() for row in letters], knots, facts)


def percent_rank(logits: np.ndarray, knots: np.ndarray) -> np.ndarray:
    """Interpolate ranks between knots.

    Parameters
    ----------
    logits : ndarray of float, shape (n,)
    knots : ndarray of int16, shape (percentiles,)
        Logits in thousandths at :data:`PERCENTILES`.

    Returns
    -------
    ndarray of float, shape (n,)
        Percent; 100 at and below the weakest knot, falling strictly above it.
    """
    levels, exponents, slope = _curve(knots)
    result = np.interp(logits, levels, exponents)
    beyond = logits > levels[-1]
    result[beyond] = exponents[-1] - slope * (logits[beyond] - levels[-1])
    return 10.0**result


def mean_score(knots: np.ndarray, rarity: float = 1.0) -> float:
    """Average the score over the random peptides that knots were made from.

    Parameters
    ----------
    knots : ndarray of int16, shape (percentiles,)
    rarity : float
        The score is the probability where ligands are so many times rarer: the sigmoid of the logit less its logarithm.
    """
    levels, exponents, slope = _curve(knots)
    middle = np.log10((_GRID[1:] + _GRID[:-1]) / 2)
    logits = np.interp(middle, exponents[::-1], levels[::-1])
    beyond = middle < exponents[-1]
    logits[beyond] = levels[-1] + (exponents[-1] - middle[beyond]) / slope
    return float((np.diff(_GRID) / 100 / (1 + rarity * np.exp(-logits))).sum())


def _curve(knots: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Give logits, the logarithms of their ranks, and how fast these fall beyond the strongest knot."""
    levels = knots.astype(np.float64) / MILLI
    # Knots that coincide after rounding are moved apart a little: a rank has to fall as the score rises.
    steps = _SMALLEST_STEP * np.arange(len(levels))
    levels = np.maximum.accumulate(levels - steps) + steps
    exponents = np.log10(PERCENTILES)
    return levels, exponents, float((exponents[_TAIL] - exponents[-1]) / (levels[-1] - levels[_TAIL]))


def knots_of(scores: np.ndarray) -> np.ndarray:
    """Give the knots of one class from the logits of random peptides, shape (n,), as float64 (percentiles,)."""
    return np.quantile(scores, 1 - PERCENTILES / 100)


def to_milli(knots: np.ndarray) -> np.ndarray:
    """Round knots to thousandths."""
    return np.round(np.clip(knots, -32, 32) * MILLI).astype(np.int16)
