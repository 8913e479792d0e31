"""Every pair is in exactly one block of an epoch, with pairs of its own allele."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmhc_distil.tasks.blocks import BLOCK_SIZE, BlockSampler

groups = st.lists(st.integers(0, 6), min_size=1, max_size=300).map(np.array)


def drawn(sampler, epoch=0):
    sampler.set_epoch(epoch)
    return list(sampler)


@given(groups=groups, batch_size=st.integers(1, 200), shuffle=st.booleans(), epoch=st.integers(0, 3))
def test_every_pair_once(groups, batch_size, shuffle, epoch):
    """Prevents pairs that are never trained on, or twice an epoch; padding is marked and copies a pair of its block."""
    sampler = BlockSampler(groups, batch_size, shuffle=shuffle, seed=1)
    batches = drawn(sampler, epoch)
    assert len(batches) == len(sampler)
    numbers = np.concatenate(batches)
    assert sorted(numbers[numbers >= 0].tolist()) == list(range(len(groups)))
    blocks = numbers.reshape(-1, BLOCK_SIZE)
    for block in blocks:
        assert block[0] >= 0, "a block begins with a pair of its own"
        assert len(set(groups[np.where(block < 0, ~block, block)])) == 1
    missing = sum(-int(count) % BLOCK_SIZE for count in np.unique(groups, return_counts=True)[1])
    assert (numbers < 0).sum() == missing, "only the last block of a group is filled up"
    assert all(len(batch) == len(batches[0]) for batch in batches[:-1])
    assert len(batches[0]) <= max(BLOCK_SIZE, batch_size)


GROUPS = np.repeat([4, 2, 9], [200, 30, 150])


def test_another_epoch_another_order():
    """Prevents an epoch that repeats the last one, and blocks that always hold the same pairs."""
    sampler = BlockSampler(GROUPS, 96, shuffle=True, seed=1)
    first, second = drawn(sampler, 0), drawn(sampler, 1)
    assert first != second
    assert {frozenset(batch) for batch in first} != {frozenset(batch) for batch in second}


def test_same_seed_and_epoch_same_order():
    """Prevents runs that cannot be repeated or resumed."""
    samplers = [BlockSampler(GROUPS, 96, shuffle=True, seed=1) for _ in range(2)]
    drawn(samplers[0], 0)
    assert drawn(samplers[0], 3) == drawn(samplers[1], 3)
    assert drawn(BlockSampler(GROUPS, 96, shuffle=True, seed=2), 3) != drawn(samplers[1], 3)


def test_without_shuffling_the_order_is_fixed():
    """Prevents validation losses that differ with the seed."""
    one, other = (BlockSampler(GROUPS, 96, shuffle=False, seed=seed) for seed in (1, 2))
    assert drawn(one, 0) == drawn(other, 5)


@pytest.mark.parametrize("batch_size", [1, BLOCK_SIZE - 1, BLOCK_SIZE, 2 * BLOCK_SIZE - 1])
def test_small_batches_hold_one_block(batch_size):
    """Prevents batches of zero blocks."""
    assert {len(batch) for batch in BlockSampler(GROUPS, batch_size, shuffle=True, seed=0)} == {BLOCK_SIZE}
