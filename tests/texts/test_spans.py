"""The best spans are the best of all that are allowed."""

import itertools

import numpy as np
import pytest

from pmhc_distil.texts.spans import best_spans, merge_spans

CONTEXT = "one two three four five six"
WORDS = [(0, 3), (4, 7), (8, 13), (14, 18), (19, 23), (24, 27)]
OFFSETS = np.array([(-1, -1), (-1, -1), *WORDS, (-1, -1)])


@pytest.fixture
def logits():
    generator = np.random.default_rng(4)
    return generator.normal(size=(2, len(OFFSETS)))


@pytest.mark.parametrize(("n_best", "longest"), [(1, 2), (5, 3), (99, 99), (20, 1)])
def test_against_every_span(logits, n_best, longest):
    """Prevents a span that ends before it starts, is too long, or lies outside the context, and a better one missed."""
    start, end = logits
    expected = sorted(
        (
            (-(start[i] + end[j]), int(OFFSETS[i, 0]), int(OFFSETS[j, 1]))
            for i, j in itertools.product(range(2, 8), repeat=2)
            if 0 <= j - i < longest
        ),
    )[:n_best]
    found = best_spans(start, end, OFFSETS, CONTEXT, n_best=n_best, max_answer_length=longest)
    assert [(-span.score, span.start, span.end) for span in found] == expected
    assert all(span.text == CONTEXT[span.start : span.end] for span in found)
    scores = np.array([span.score for span in found])
    assert [span.probability for span in found] == pytest.approx(np.exp(scores) / np.exp(scores).sum())


def test_no_answer_is_always_listed(logits):
    """Prevents "no answer" from dropping out of the probabilities because twenty spans are better."""
    for null_score, place in ((-50.0, -1), (50.0, 0)):
        found = best_spans(*logits, OFFSETS, CONTEXT, n_best=3, null_score=null_score)
        assert len(found) == 4 and sum(span.probability for span in found) == pytest.approx(1)
        assert (found[place].text, found[place].start, found[place].end) == ("", -1, -1)


def test_nothing_of_the_context():
    """Prevents a feature that holds the question alone from failing."""
    outside = np.full((3, 2), -1)
    assert best_spans(np.zeros(3), np.zeros(3), outside, CONTEXT) == []
    assert [span.text for span in best_spans(np.zeros(3), np.zeros(3), outside, CONTEXT, null_score=0.0)] == [""]
    assert merge_spans([[], []]) == []


def test_equal_scores_have_an_order():
    """Prevents the answer from depending on how numpy breaks ties."""
    found = best_spans(np.zeros(9), np.zeros(9), OFFSETS, CONTEXT, n_best=3)
    assert [span.text for span in found] == ["one", "one two", "one two three"]


def test_finite_constants_for_masked_tokens():
    """Prevents NaN where a model masks tokens with very low logits."""
    low = np.full(9, -1e30, dtype=np.float32)
    found = best_spans(low, low, OFFSETS, CONTEXT, n_best=2)
    assert sum(span.probability for span in found) == pytest.approx(1)


def test_merged_features(logits):
    """Prevents a span of two windows from being listed twice, and one window without the answer from deciding."""
    start, end = logits
    left, right = OFFSETS.copy(), OFFSETS.copy()
    left[6:], right[:4] = -1, -1
    features = [
        best_spans(start, end, left, CONTEXT, null_score=3.0),
        best_spans(start + 1, end, right, CONTEXT, null_score=-2.0),
    ]
    merged = merge_spans(features, n_best=4)
    places = [(span.start, span.end) for span in merged]
    assert len(set(places)) == len(places) == 5
    assert merged[places.index((-1, -1))].score == -2.0
    every = [span for spans in features for span in spans if span.start >= 0]
    best = max(every, key=lambda span: span.score)
    first = next(span for span in merged if span.start >= 0)
    assert (first.start, first.end, first.score) == (best.start, best.end, best.score)
    assert sum(span.probability for span in merged) == pytest.approx(1)
    assert [span.score for span in merged] == sorted((span.score for span in merged), reverse=True)
