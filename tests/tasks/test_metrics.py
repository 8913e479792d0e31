"""Metrics of a ranking have the right sign."""

import numpy as np
import pytest

from pmhc_distil.tasks import TASKS
from pmhc_distil.tasks.metrics import binary_metrics


def test_metrics_tell_perfect_from_inverted():
    """A sign error would turn the best model into the worst."""
    labels, scores = np.array([1, 1, 0, 0]), np.array([4.0, 3.0, 2.0, 1.0])
    assert binary_metrics(labels, scores, 2.5) == pytest.approx(
        {"auroc": 1.0, "ap": 1.0, "accuracy": 1.0, "f1": 1.0, "mcc": 1.0}
    )
    assert binary_metrics(labels, -scores, 0.0)["auroc"] == 0.0
    assert np.isnan(binary_metrics(np.ones(3), scores[:3], 0.0)["auroc"])


def test_the_second_of_two_classes_is_the_positive_one():
    """Prevents an AUROC of the wrong class, or one where there are more classes than two."""
    metrics, truth = TASKS["text-classification"].metrics, np.array([[0], [0], [1], [1]])
    logits = np.array([[3.0, 0.0], [0.0, 1.0], [2.0, 4.0], [0.0, 5.0]])
    found = metrics(None, logits, truth)
    assert found["auroc"] == 1 and found["accuracy"] == 3 / 4 and found["f1"] == pytest.approx(0.8)
    of_three = metrics(None, np.eye(3)[[0, 1, 2, 2]], np.array([[0], [1], [2], [1]]))
    assert of_three.keys() == {"loss", "accuracy", "f1", "mcc"}


def test_every_class_counts_alike():
    """Prevents an F1 that the most frequent class decides."""
    logits, truth = 9 * np.eye(3)[[0, 0, 0, 0, 1, 0]], np.array([[0], [0], [0], [0], [1], [2]])
    found = TASKS["text-classification"].metrics(None, logits, truth)
    assert found["f1"] == pytest.approx((8 / 9 + 1 + 0) / 3)


def test_a_score_at_the_threshold_is_no_positive():
    """Prevents a score at the threshold from counting in one table and not in another."""
    found = binary_metrics(np.array([1, 0]), np.array([0.5, 0.4]), 0.5)
    assert found["accuracy"] == 0.5 and found["f1"] == 0
