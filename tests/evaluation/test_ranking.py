"""Ranking metrics are the known ones, for any weights, and their intervals hold what they should."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, matthews_corrcoef, roc_auc_score

from pmhc_distil.evaluation.ranking import (
    best_threshold,
    calibration_curve,
    expected_calibration_error,
    intervals,
    ranking_metrics,
)


def drawn(seed, rows=300, values=40):
    """Labels and scores with many ties."""
    generator = np.random.default_rng(seed)
    labels = generator.random(rows) < 0.3
    return labels, np.round(values * (generator.random(rows) + 0.4 * labels)) / values


@settings(deadline=None, max_examples=30)  # the reference is slow
@given(seed=st.integers(0, 10**6), values=st.sampled_from([2, 10, 10**6]))
def test_metrics_equal_the_reference(seed, values):
    """Prevents ties, weights or the cut at 10 % from being counted in a way of our own."""
    labels, scores = drawn(seed, values=values)
    weights = np.random.default_rng(seed).poisson(1.0, (3, len(labels)))
    found = ranking_metrics(labels, scores, weights)
    for number, row in enumerate(weights):
        used = row > 0
        arguments = {"sample_weight": row[used]}
        assert found["auroc"][number] == pytest.approx(roc_auc_score(labels[used], scores[used], **arguments))
        expected = roc_auc_score(labels[used], scores[used], max_fpr=0.1, **arguments)
        assert found["auroc10"][number] == pytest.approx(expected)
        expected = average_precision_score(labels[used], scores[used], **arguments)
        assert found["ap"][number] == pytest.approx(expected)


def test_ppv_counts_the_top_rows():
    """Prevents a cut after another number of rows than there are positives, and ties from counting whole."""
    assert ranking_metrics([1, 0, 1, 0], [4, 3, 2, 1])["ppv"] == pytest.approx([0.5])
    assert ranking_metrics([1, 0, 0, 0], [1, 1, 1, 1])["ppv"] == pytest.approx([0.25])


@pytest.mark.parametrize("labels", [[], [1, 1], [0, 0]])
def test_one_class_has_no_ranking(labels):
    """Prevents a perfect or a worst score for a table that cannot tell."""
    found = ranking_metrics(labels, np.arange(len(labels)))
    assert all(np.isnan(value).all() and len(value) == 1 for value in found.values())
    assert all(np.isnan(ends).all() for ends in intervals(labels, np.arange(len(labels)), resamples=10).values())


def test_intervals_hold_the_truth_as_often_as_they_say():
    """Prevents intervals that are too narrow or shifted: 95 % of them should hold the true value."""
    held = 0
    for seed in range(100):
        generator = np.random.default_rng(seed)
        labels = np.arange(200) % 2 == 0
        # Normal scores a distance of 1 apart: the true AUROC is Phi(1 / sqrt(2)).
        low, high = intervals(labels, generator.normal(size=200) + labels, resamples=200)["auroc"]
        held += low <= 0.7602 <= high
    assert 88 <= held <= 100


def test_intervals_are_those_of_the_resamples():
    """Prevents intervals that hold another share of the resamples than 95 %."""
    generator = np.random.default_rng(0)
    labels = generator.random(300) < 0.3
    scores = generator.normal(labels)
    low, high = intervals(labels, scores, resamples=1000)["auroc"]
    values = ranking_metrics(labels, scores, generator.poisson(1.0, (1000, 300)))["auroc"]
    assert high - low == pytest.approx(2 * 1.96 * values.std(), rel=0.08)


def test_intervals_repeat_themselves():
    """Prevents numbers in a page that nobody can repeat."""
    labels, scores = drawn(1)
    assert intervals(labels, scores, resamples=20) == intervals(labels, scores, resamples=20)


def test_calibration_error_sees_overconfidence():
    """Prevents a model that doubles its odds from passing as calibrated."""
    generator = np.random.default_rng(0)
    truth = generator.random(20_000)
    labels = generator.random(20_000) < truth
    assert expected_calibration_error(labels, truth) < 0.02
    assert expected_calibration_error(labels, truth**3) > 0.1
    predicted, observed, share = calibration_curve(labels, truth, bins=10)
    assert np.all(np.diff(predicted) > 0) and share == pytest.approx(np.full(10, 0.1))
    assert observed == pytest.approx(predicted, abs=0.05)


def test_the_order_of_equal_scores_does_not_matter():
    """Prevents a calibration error that is another one when the table is sorted."""
    generator = np.random.default_rng(1)
    scores = np.round(generator.random(1000), 1)
    labels = generator.random(1000) < scores
    orders = [np.arange(1000), np.argsort(labels, kind="stable"), np.argsort(~labels, kind="stable")]
    first, *others = (expected_calibration_error(labels[order], scores[order]) for order in orders)
    assert others == pytest.approx([first, first], abs=1e-12)
    assert expected_calibration_error([0, 1] * 30, [0.5] * 60) == 0


def test_best_threshold_is_that_of_the_highest_mcc():
    """Prevents a threshold off by one row, or one that splits equal scores."""
    generator = np.random.default_rng(5)
    labels = generator.random(200) < 0.3
    scores = np.round(generator.normal(labels, 1.0), 1)
    found = best_threshold(labels, scores)
    candidates = np.unique(scores)
    tried = {value: matthews_corrcoef(labels, scores > value) for value in (candidates[:-1] + candidates[1:]) / 2}
    assert matthews_corrcoef(labels, scores > found) == pytest.approx(max(tried.values()))
    assert np.isnan(best_threshold([1, 1], [0.1, 0.2])) and np.isnan(best_threshold([1, 0], [0.1, 0.1]))
