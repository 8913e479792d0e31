"""Metrics of a ranking against yes/no labels."""

import numpy as np
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    f1_score,
    matthews_corrcoef,
    roc_auc_score,
)

BINARY_METRICS = ("auroc", "ap", "accuracy", "f1", "mcc")
"""What :func:`binary_metrics` measures."""


def binary_metrics(labels: np.ndarray, scores: np.ndarray, threshold: float) -> dict[str, float]:
    """Measure how well scores tell positives from negatives.

    Parameters
    ----------
    labels : ndarray of bool or {0, 1}, shape (n,)
    scores : ndarray of float, shape (n,)
        Higher means positive.
    threshold : float
        Scores above it count as predicted positives for accuracy, F1 and MCC.

    Returns
    -------
    dict
        ``auroc``, ``ap`` (average precision), ``accuracy``, ``f1``, ``mcc``; ranking metrics are NaN when only one
        class is present.
    """
    labels = np.asarray(labels).astype(bool)
    predicted = scores > threshold
    both = labels.any() and not labels.all()
    return {
        "auroc": float(roc_auc_score(labels, scores)) if both else float("nan"),
        "ap": float(average_precision_score(labels, scores)) if both else float("nan"),
        "accuracy": float(accuracy_score(labels, predicted)),
        "f1": float(f1_score(labels, predicted, zero_division=0)),
        "mcc": float(matthews_corrcoef(labels, predicted)) if both else float("nan"),
    }
