"""How far a score is to be trusted."""

import numpy as np

OVERCONFIDENCE = 2.5
"""How much too sure scores are, by the groove distance of the allele; see data/training_log.md."""


def uncertainty(score: np.ndarray, distance: np.ndarray) -> np.ndarray:
    """Give the chance that a score above or below 0.5 is on the wrong side.

    The score is a probability.  For alleles without training data it is too sure of itself; there its logit is divided
    by one plus :data:`OVERCONFIDENCE` times the groove distance first, as held-out alleles ask for.

    Parameters
    ----------
    score : ndarray of float, shape (n,)
        NaN where there is none.
    distance : ndarray of float, shape (n,)
        Groove distance to the nearest allele with enough training ligands; NaN, where it is not known, counts as 0.

    Returns
    -------
    ndarray of float, shape (n,)
        0 to 0.5.
    """
    with np.errstate(divide="ignore"):
        logit = np.log(score) - np.log1p(-score)
    return 1 / (1 + np.exp(np.abs(logit) / (1 + OVERCONFIDENCE * np.nan_to_num(distance))))
