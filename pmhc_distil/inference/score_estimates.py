"""Scores of many random peptides with a groove, of which only the highest have to be computed.

Grooves are much alike in what they bind: the scores of some thousand peptides with all grooves vary in few ways.  What
these are, is learned from reference grooves that are scored against all peptides (principal components).  Of another
groove a sample of the peptides is scored, to find how much of each component it has (ridge regression), and then all
peptides that are expected near the top or above.  The rest is filled in: what is expected, with the errors that the
regression makes on peptides it has not seen (stochastic regression imputation, Little and Rubin 2019).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Scores = Mapping[int, NDArray[np.float32]]
"""Peptide length to the presentation logits of the random peptides of that length."""
Score = Callable[[int, NDArray[np.intp]], NDArray[np.float32]]
"""Gives, for a length and the numbers of random peptides of it, their logits."""
_RIDGE = 1e-3


@dataclass(frozen=True)
class Thoroughness:
    """How much is computed.

    Attributes
    ----------
    references : int
        Grooves that are scored against all peptides.
    sample : int
        Peptides of every length, the first ones, that each other groove is scored against.
    components : int
        At most so many ways in which scores vary, for each length.
    top_percent : float
        What may be among so many percent of the peptides, of all lengths together or of one, is computed; no estimate
        is higher.
    margin : float
        Standard deviations of the error below that limit at which peptides are scored all the same.
    """

    references: int = 64
    sample: int = 200
    components: int = 32
    top_percent: float = 3.0
    margin: float = 2.0

    def pays(self, grooves: int, peptides: int) -> bool:
        """Tell whether so many grooves and peptides of each length are enough for estimates to save anything."""
        return grooves > 2 * self.references and peptides > 2 * self.sample


class ScoreEstimates:
    """What the reference grooves tell about the scores of others.

    Parameters
    ----------
    references : sequence of Scores
        Of every reference groove.
    thoroughness : Thoroughness
    """

    def __init__(self, references: Sequence[Scores], thoroughness: Thoroughness) -> None:
        self._thoroughness = thoroughness
        self._parts = {
            length: _Regression(np.stack([scores[length] for scores in references], axis=1), thoroughness)
            for length in references[0]
        }

    def scores(self, score: Score) -> dict[int, NDArray[np.float32]]:
        """Give the scores of all random peptides with a groove: those that may be among the highest, and estimates.

        Parameters
        ----------
        score : callable
            Scores peptides with that groove.
        """
        settings = self._thoroughness
        known = np.arange(settings.sample)
        result, expected, errors = {}, {}, {}
        for length, part in self._parts.items():
            result[length] = np.empty(part.count, np.float32)
            result[length][known] = score(length, known)
            expected[length], errors[length] = part.expected(result[length][known])
        top = 1 - settings.top_percent / 100
        of_all = np.quantile(np.concatenate(list(expected.values())), top)
        for length, all_scores in result.items():
            limit = min(of_all, np.quantile(expected[length], top))
            high = expected[length][settings.sample :] >= limit - settings.margin * errors[length].std()
            numbers, rest = settings.sample + np.flatnonzero(high), settings.sample + np.flatnonzero(~high)
            if len(numbers):
                all_scores[numbers] = score(length, numbers)
            # Peptides are in random order, so that errors handed out in turn are drawn at random.
            all_scores[rest] = np.minimum(expected[length][rest] + np.resize(errors[length], len(rest)), limit)
        return result


class _Regression:
    """Expected scores of the peptides of one length, from those of the first.

    Parameters
    ----------
    references : ndarray of float, shape (peptides, grooves)
    thoroughness : Thoroughness
    """

    def __init__(self, references: NDArray[np.float32], thoroughness: Thoroughness) -> None:
        self.count = len(references)
        centred = references.astype(np.float64) - references.mean(0)
        components, spread, _ = np.linalg.svd(centred, full_matrices=False)
        # Each component is as wide as it is among the references, relative to the widest, so that the penalty holds
        # back those that hardly vary.
        relative = spread[: thoroughness.components] / max(spread[0], np.finfo(float).tiny)
        wide = components[:, : thoroughness.components] * relative
        self._features = np.column_stack([np.ones(self.count), wide * np.sqrt(self.count)])
        penalty = np.full(self._features.shape[1], _RIDGE)
        penalty[0] = 0
        known = self._features[: thoroughness.sample]
        self._solve = np.linalg.solve(known.T @ known + np.diag(penalty), known.T)
        self._leverage = (known * self._solve.T).sum(1)

    def expected(self, known: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Give the expected scores of all peptides, and the errors of the known ones when they are left out."""
        expected: NDArray[np.float64] = self._features @ (self._solve @ known.astype(np.float64))
        return expected, (known - expected[: len(known)]) / (1 - self._leverage)


def spread_out(grooves: Sequence[str], count: int) -> list[str]:
    """Choose grooves so that every one is near to one of them (farthest-point heuristic of Gonzalez 1985).

    Parameters
    ----------
    grooves : sequence of str
        Of one length; the first is chosen first.
    count : int
        At most as many as there are.
    """
    letters = np.array([list(groove) for groove in grooves])
    chosen = [0]
    distance = (letters != letters[0]).sum(1)
    while len(chosen) < count:
        chosen.append(int(distance.argmax()))
        distance = np.minimum(distance, (letters != letters[chosen[-1]]).sum(1))
    return [grooves[number] for number in chosen]
