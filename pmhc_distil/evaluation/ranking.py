"""Ranking metrics with bootstrap intervals."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

NEUTRAL = "score_same_length"
"""The output that does not count how often an allele presents peptides of a length."""
DEFAULT_THRESHOLDS: Mapping[str, float] = {"score": 0.5, NEUTRAL: 0.5}
"""Above what a row counts as a predicted positive."""
RANKING_METRICS = ("auroc", "auroc10", "ap", "ppv")
CHUNK = 4_000_000
"""Largest number of weights that are held at once."""

Floats = NDArray[np.float64]


def ranking_metrics(labels: ArrayLike, scores: ArrayLike, weights: ArrayLike | None = None) -> dict[str, Floats]:
    """Measure how well scores tell positives from negatives, for one or many weightings of the rows.

    As scikit-learn's functions with ``sample_weight``, but the rows are sorted once for all weightings.

    Parameters
    ----------
    labels : array_like of bool, shape (n,)
    scores : array_like of float, shape (n,)
        Higher means positive; ties are shared.
    weights : array_like of float, shape (b, n), optional
        How often every row counts; by default once.

    Returns
    -------
    dict of ndarray, shape (b,)
        ``auroc``; ``auroc10``, the part below a false positive rate of 10 %, scaled to 0.5 for chance and 1 (McClish
        1989); ``ap``, average precision; ``ppv``, precision among as many top rows as there are positives.  NaN where
        a class is missing.
    """
    labels, scores = np.asarray(labels, dtype=bool), np.asarray(scores, dtype=np.float64)
    counts = np.ones((1, len(labels))) if weights is None else np.asarray(weights, dtype=np.float64)
    if not len(labels):
        return {name: np.full(len(counts), np.nan) for name in RANKING_METRICS}
    order = np.argsort(-scores, kind="stable")
    ties = np.flatnonzero(np.diff(scores[order], prepend=np.inf))
    ordered = counts[:, order]
    positive = np.add.reduceat(ordered * labels[order], ties, axis=1)
    negative = np.add.reduceat(ordered * ~labels[order], ties, axis=1)
    hits, false = positive.cumsum(1), negative.cumsum(1)
    positives, negatives = hits[:, -1:], false[:, -1:]
    with np.errstate(invalid="ignore", divide="ignore"):
        area = (negative * (hits - positive / 2)).sum(1) / (positives * negatives)[:, 0]
        # The part of every step of the ROC curve that lies below the limit.
        limit = 0.1 * negatives
        width = np.minimum(false, limit) - np.minimum(false - negative, limit)
        rise = np.where(negative > 0, width / negative, 1.0) * positive
        part = (width * (hits - positive + rise / 2)).sum(1) / (positives * negatives)[:, 0]
        selected = hits + false
        precision = (positive * hits / np.where(selected > 0, selected, 1)).sum(1) / positives[:, 0]
        top = [
            np.interp(float(n[0]), np.append(0.0, s), np.append(0.0, h))
            for n, s, h in zip(positives, selected, hits, strict=True)
        ]
        values = (
            area,
            0.5 * (1 + (part - 0.005) / (0.1 - 0.005)),
            precision,
            np.array(top) / positives[:, 0],
        )
    missing = (positives[:, 0] == 0) | (negatives[:, 0] == 0)
    return {name: np.where(missing, np.nan, value) for name, value in zip(RANKING_METRICS, values, strict=True)}


def intervals(labels: ArrayLike, scores: ArrayLike, *, resamples: int, seed: int = 0) -> dict[str, tuple[float, float]]:
    """Bootstrap intervals (95 %) of :func:`ranking_metrics` over rows (percentile method, Efron 1979).

    Rows are drawn by independent Poisson counts, which for many rows is the bootstrap (Chamandy et al. 2012).

    Parameters
    ----------
    labels, scores : array_like, shape (N,)
        As for :func:`ranking_metrics`.
    resamples : int
    seed : int
        Draws them.

    Returns
    -------
    dict of (float, float)
        Lower and upper end; NaN with no resamples, or where a class is missing.
    """
    labels = np.asarray(labels, dtype=bool)
    generator = np.random.default_rng(seed)
    drawn: dict[str, list[Floats]] = {name: [] for name in RANKING_METRICS}
    left, rows = resamples, max(1, CHUNK // max(1, len(labels)))
    while left > 0:
        weights = generator.poisson(1.0, (min(rows, left), len(labels)))
        for name, values in ranking_metrics(labels, scores, weights).items():
            drawn[name].append(values)
        left -= len(weights)
    result = {}
    for name, parts in drawn.items():
        values = np.concatenate(parts) if parts else np.empty(0)
        values = values[~np.isnan(values)]
        ends = np.percentile(values, [2.5, 97.5]) if len(values) else np.full(2, np.nan)
        result[name] = (float(ends[0]), float(ends[1]))
    return result


def best_threshold(labels: ArrayLike, scores: ArrayLike) -> float:
    """Find the threshold above which to call a row positive for the highest Matthews correlation.

    Parameters
    ----------
    labels : array_like of bool, shape (N,)
    scores : array_like of float, shape (N,)

    Returns
    -------
    float
        Midway between two neighbouring scores; NaN where a class is missing.
    """
    labels, scores = np.asarray(labels, dtype=bool), np.asarray(scores, dtype=np.float64)
    order = np.argsort(-scores, kind="stable")
    called = np.flatnonzero(np.diff(scores[order]) < 0) + 1
    positives, rows = int(labels.sum()), len(labels)
    if not 0 < positives < rows or not len(called):
        return float("nan")
    hits = labels[order].cumsum()[called - 1]
    mcc = (hits * rows - called * positives) / np.sqrt(called * (rows - called) * float(positives) * (rows - positives))
    last = called[int(mcc.argmax())]
    return float((scores[order[last - 1]] + scores[order[last]]) / 2)


def calibration_curve(labels: ArrayLike, scores: ArrayLike, bins: int = 15) -> tuple[Floats, Floats, Floats]:
    """Compare predicted probabilities with what happened, in bins that hold equally many rows.

    Rows of equal scores share their labels, each bin having its part of them, so that their order does not matter.

    Parameters
    ----------
    labels : array_like of bool, shape (N,)
    scores : array_like of float, shape (N,)
        Probabilities.
    bins : int

    Returns
    -------
    predicted, observed, share : ndarray of float, shape (bins,)
        Mean score, share of positives, and share of the rows, in every bin that is not empty.
    """
    labels, scores = np.asarray(labels, dtype=np.float64), np.asarray(scores, dtype=np.float64)
    _, ties, counts = np.unique(scores, return_inverse=True, return_counts=True)
    labels = (np.bincount(ties, labels) / counts)[ties]
    parts = [part for part in np.array_split(np.argsort(scores, kind="stable"), bins) if len(part)]
    predicted = np.array([scores[part].mean() for part in parts])
    observed = np.array([labels[part].mean() for part in parts])
    return predicted, observed, np.array([len(part) for part in parts]) / max(1, len(scores))


def expected_calibration_error(labels: ArrayLike, scores: ArrayLike) -> float:
    """Mean distance between predicted and observed probability over equally filled bins (Naeini et al. 2015).

    Parameters
    ----------
    labels, scores
        As for :func:`calibration_curve`.

    Returns
    -------
    float
        From 0 to 1; NaN of no rows.
    """
    predicted, observed, share = calibration_curve(labels, scores)
    return float((share * np.abs(predicted - observed)).sum()) if len(share) else float("nan")
