"""The affinity scale runs from 1 nM (1) to 50,000 nM (0)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmhc_distil.sequences.affinity import affinity_to_unit, unit_to_affinity


def test_ends_and_clipping():
    """Prevents a scale that runs the wrong way, or values beyond its ends."""
    assert affinity_to_unit(np.array([1.0, 50_000.0, 0.01, 1e9])) == pytest.approx([1, 0, 1, 0])
    assert unit_to_affinity(np.array([1.0, 0.0])) == pytest.approx([1, 50_000])
    assert affinity_to_unit(np.array([500.0]))[0] == pytest.approx(0.4256, abs=1e-4)


def test_missing_stays_missing():
    """Prevents an affinity nobody measured from becoming a strong one."""
    assert np.isnan(affinity_to_unit(np.array([np.nan])))[0]


@given(st.floats(1, 50_000))
def test_round_trip(affinity):
    """Prevents training and prediction from using two scales."""
    assert unit_to_affinity(affinity_to_unit(np.array([affinity])))[0] == pytest.approx(affinity, rel=1e-9)


@given(st.floats(1, 49_000), st.floats(1.01, 5))
def test_weaker_means_lower(affinity, factor):
    """Prevents a scale that is not monotone."""
    one, other = affinity_to_unit(np.array([affinity, min(affinity * factor, 50_000)]))
    assert one > other
