"""A calibration that leaves most scores to estimates ranks what matters as one that computes all of them."""

from dataclasses import replace

import numpy as np
import pytest

from pmhc_distil.inference.score_estimates import ScoreEstimates, Thoroughness, spread_out

LENGTHS = (8, 9)
PEPTIDES = 2000
SETTINGS = Thoroughness(references=20, sample=100, components=6, top_percent=4.0, margin=2.0)


@pytest.fixture(scope="module")
def scores():
    """Give scores of 21 grooves that vary in five ways, with some noise: shape (grooves, peptides), by length."""
    generator = np.random.default_rng(0)
    ways = {length: generator.normal(size=(5, PEPTIDES)) for length in LENGTHS}
    mixtures = generator.normal(size=(21, 5))
    return {
        length: (mixtures @ way - 3 - length + generator.normal(0, 0.1, (21, PEPTIDES))).astype(np.float32)
        for length, way in ways.items()
    }


def estimate(scores, computed, settings=SETTINGS):
    references = [{length: part[number] for length, part in scores.items()} for number in range(20)]

    def score(length, rows):
        computed[length].extend(rows.tolist())
        return scores[length][20, rows]

    return ScoreEstimates(references, settings).scores(score)


def test_the_highest_scores_are_computed_and_few_others(scores):
    """Prevents ranks of strong binders that are guesses, and a short cut that saves nothing."""
    computed = {length: [] for length in LENGTHS}
    found = estimate(scores, computed)
    limit = np.quantile(np.concatenate([part[20] for part in scores.values()]), 0.97)
    for length, part in scores.items():
        exact = part[20]
        assert len(set(computed[length])) == len(computed[length]) < 0.25 * PEPTIDES
        np.testing.assert_array_equal(found[length][computed[length]], exact[computed[length]])
        strong = exact >= min(limit, np.quantile(exact, 0.97))
        assert np.isin(np.flatnonzero(strong), computed[length]).mean() > 0.97


def test_the_others_are_distributed_as_they_are(scores):
    """Prevents a rank of 20 or 50 % that is another when it is computed."""
    found = estimate(scores, {length: [] for length in LENGTHS})
    for length, part in scores.items():
        for rank in (3, 20, 50, 80):
            level = np.quantile(part[20], 1 - rank / 100)
            assert (found[length] > level).mean() * 100 == pytest.approx(rank, rel=0.1)


def test_estimates_spread_as_the_scores_do(scores):
    """Prevents estimates that are all near the middle, where references tell little of a groove."""
    generator = np.random.default_rng(0)
    noisy = {length: (part + generator.normal(0, 2, part.shape)).astype(np.float32) for length, part in scores.items()}
    computed = {length: [] for length in LENGTHS}
    found = estimate(noisy, computed, replace(SETTINGS, margin=0.5))
    for length, part in noisy.items():
        rest = np.setdiff1d(np.arange(PEPTIDES), computed[length])
        assert len(rest) > PEPTIDES / 2
        assert found[length][rest].std() == pytest.approx(part[20][rest].std(), rel=0.12)


def test_a_groove_like_no_other_is_computed(scores):
    """Prevents wrong ranks of an allele whose scores no reference explains: all that might be high is computed."""
    strange = {length: part.copy() for length, part in scores.items()}
    for part in strange.values():
        part[20] = np.random.default_rng(1).normal(-8, 2, PEPTIDES)
    computed = {length: [] for length in LENGTHS}
    found = estimate(strange, computed)
    assert all(len(rows) > 0.5 * PEPTIDES for rows in computed.values())
    for length, part in strange.items():
        level = np.quantile(part[20], 0.97)
        assert (found[length] > level).mean() * 100 == pytest.approx(3, rel=0.2)


def test_references_are_spread_out():
    """Prevents references that are all of one kind, from which the others cannot be told."""
    grooves = ["AAAA", "AAAC", "AACC", "WWWW", "WWWY", "DDDD"]
    assert spread_out(grooves, 3) == ["AAAA", "WWWW", "DDDD"]
    assert sorted(spread_out(grooves, 6)) == sorted(grooves)
