"""Batches of peptide-HLA pairs in blocks of one allele, so that the groove is encoded once per block."""

from collections.abc import Iterator

import numpy as np

from pmhc_distil.distillation.task import SharedBatches

BLOCK_SIZE = 32
"""Pairs in a block."""


class BlockSampler(SharedBatches):
    """Numbers of the pairs of every batch, block after block.

    Pairs of one allele are shuffled and cut into blocks; the last block of each is filled up with padding, written as
    ``~n`` (a copy of pair n whose label does not count).  Blocks are shuffled and gathered, so that a batch has many
    alleles and all lengths: batches of one length are faster, but learn much less from as many pairs.

    Parameters
    ----------
    groups : ndarray of int, shape (pairs,)
        Equal numbers for pairs of the same allele.
    batch_size : int
        Pairs in a batch, rounded down to whole blocks, at least one.
    shuffle : bool
        A new order for every epoch; otherwise the order of the groups, always the same.
    seed : int
    """

    def __init__(self, groups: np.ndarray, batch_size: int, *, shuffle: bool, seed: int) -> None:
        self.groups = groups
        self.blocks = max(1, batch_size // BLOCK_SIZE)
        super().__init__(self.blocks * BLOCK_SIZE, shuffle=shuffle, seed=seed)
        self._block_count = int((-(-np.unique(groups, return_counts=True)[1] // BLOCK_SIZE)).sum())

    def __len__(self) -> int:
        return -(-self._block_count // self.blocks)

    def __iter__(self) -> Iterator[list[int]]:
        generator = np.random.default_rng((self.seed, self.epoch))
        order = generator.permutation(len(self.groups)) if self.shuffle else np.arange(len(self.groups))
        order = order[np.argsort(self.groups[order], kind="stable")]
        starts = np.flatnonzero(np.diff(self.groups[order], prepend=-1))
        blocks = np.concatenate([_cut(part) for part in np.split(order, starts[1:])]) if len(order) else order[None][:0]
        if self.shuffle:
            generator.shuffle(blocks)
        for first in range(0, len(blocks), self.blocks):
            yield blocks[first : first + self.blocks].ravel().tolist()


def _cut(numbers: np.ndarray) -> np.ndarray:
    """Cut pairs of one group into blocks (blocks, BLOCK_SIZE), padded with copies of the first."""
    missing = -len(numbers) % BLOCK_SIZE
    return np.concatenate([numbers, np.full(missing, ~numbers[0])]).reshape(-1, BLOCK_SIZE)
