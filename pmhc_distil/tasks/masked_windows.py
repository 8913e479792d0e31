"""Windows of texts with hidden tokens: what masked-LM is trained on, drawn anew in every epoch."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedTokenizerBase

from pmhc_distil.distillation.task import Batch, SharedBatches
from pmhc_distil.tasks.token_arrays import IGNORED
from pmhc_distil.tasks.tokenizing import tokenize

MEASURED = (0, 0)
"""Seed and epoch of the windows and masks of an evaluation."""
MASKED_SHARE = 0.15
"""Share of the tokens of a window that are asked for."""


class WindowData:
    """One window of every text, anew in every epoch.

    Parameters
    ----------
    texts : list of str
    longest : int
        Tokens of the longest window with the special ones; shorter texts are taken whole.
    tokenizer : PreTrainedTokenizerBase
    """

    classes: tuple[str, ...] = ()

    def __init__(self, texts: Sequence[str], longest: int, tokenizer: PreTrainedTokenizerBase) -> None:
        self.tokens = tokenize(tokenizer, texts).filled()
        self.before, self.after = _frame(tokenizer)
        self.window = longest - len(self.before) - len(self.after)
        self.pad, self.mask = tokenizer.pad_token_id, tokenizer.mask_token_id
        special = set(tokenizer.all_special_ids)
        self.asked_for = np.array([number for number in range(len(tokenizer)) if number not in special])
        self.can_be_asked = np.isin(np.arange(len(tokenizer)), self.asked_for)
        self.order = MEASURED

    def __len__(self) -> int:
        return len(self.tokens)

    def batches(self, batch_size: int, *, shuffle: bool, seed: int) -> "WindowSampler":
        """Give texts in random order."""
        return WindowSampler(self, batch_size, shuffle=shuffle, seed=seed)

    def collate(self, numbers: list[int]) -> Batch:
        """Cut, mask and pad windows.

        Of the chosen 15 % of the tokens, 80 % are masked, 10 % replaced and 10 % left (Devlin et al. 2019).

        Returns
        -------
        dict
            ``input_ids``, ``attention_mask``, ``labels`` and ``asked`` (windows, tokens); labels are -100 where nothing
            is asked.
        """
        index = np.asarray(numbers)
        whole = self.tokens.lengths[index]
        lengths = np.minimum(whole, self.window)
        offset = (self._drawn(0, index)[:, 0] * (whole - lengths + 1)).astype(np.int64)
        columns = np.arange(lengths.max())
        inside = columns < lengths[:, None]
        tokens = self.tokens.flat[(self.tokens.starts[index] + offset)[:, None] + np.where(inside, columns, 0)]
        tokens = tokens.astype(np.int64)
        possible = inside & self.can_be_asked[tokens]
        drawn = np.where(possible, self._drawn(1, index, tokens.shape[1]), 1.0)
        # One token is asked for at least of every text, as BERT does.
        least = np.nextafter(drawn.min(axis=1, keepdims=True, initial=1.0), 1)
        chosen = possible & (drawn < np.maximum(MASKED_SHARE, least))
        labels = np.where(chosen, tokens, IGNORED)
        lot = self._drawn(2, index, tokens.shape[1])
        tokens[chosen & (lot < 0.8)] = self.mask
        replaced = chosen & (lot >= 0.9)
        others = (self._drawn(3, index, tokens.shape[1]) * len(self.asked_for)).astype(np.int64)
        tokens[replaced] = self.asked_for[others[replaced]]
        return self._framed(tokens, labels, inside)

    def _drawn(self, purpose: int, index: np.ndarray, width: int = 1) -> np.ndarray:
        """Draw numbers from 0 to below 1 for each text of a batch, whatever the others are, shape (texts, width).

        The order of the epoch is the seed of a SplitMix64 generator (Steele et al. 2014), whose n-th number needs none
        before it, so that the texts need no generators of their own, whose seeding would keep a GPU waiting.
        """
        seed = np.random.SeedSequence((*self.order, purpose)).generate_state(1, np.uint64)
        place = index.astype(np.uint64)[:, None] * np.uint64(1 << 32) + np.arange(1, width + 1, dtype=np.uint64)
        mixed: Any = seed + place * np.uint64(0x9E3779B97F4A7C15)
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
        return ((mixed ^ (mixed >> np.uint64(31))) >> np.uint64(11)) * 2.0**-53

    def _framed(self, tokens: np.ndarray, labels: np.ndarray, inside: np.ndarray) -> Batch:
        """Put the special tokens around every window."""
        first, extra = len(self.before), len(self.before) + len(self.after)
        count, width = tokens.shape
        ids = np.full((count, width + extra), self.pad, dtype=np.int64)
        ids[:, :first] = self.before
        ids[:, first : first + width][inside] = tokens[inside]
        lengths = inside.sum(1)
        ids[np.arange(count)[:, None], first + lengths[:, None] + np.arange(len(self.after))] = self.after
        framed = np.full(ids.shape, IGNORED)
        framed[:, first : first + width] = labels
        real = np.arange(ids.shape[1]) < lengths[:, None] + extra
        return {
            "input_ids": torch.from_numpy(ids),
            "attention_mask": torch.from_numpy(real.astype(np.int64)),
            "labels": torch.from_numpy(framed),
            "asked": torch.from_numpy(framed != IGNORED),
        }

    def fingerprint(self, *, labels: bool = True) -> str:
        """Give a SHA-256 of the tokens and the window."""
        return hashlib.sha256(self.tokens.digest() + str(self.window).encode()).hexdigest()


class WindowSampler(SharedBatches):
    """Text numbers of every batch; the epoch also draws the windows and masks."""

    def __init__(self, data: WindowData, batch_size: int, *, shuffle: bool, seed: int) -> None:
        super().__init__(batch_size, shuffle=shuffle, seed=seed)
        self.data = data

    def __len__(self) -> int:
        return -(-len(self.data) // self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        # What is measured is the same for every run.
        self.data.order = (self.seed, self.epoch) if self.shuffle else MEASURED
        count = len(self.data)
        order = np.random.default_rng((self.seed, self.epoch)).permutation(count) if self.shuffle else np.arange(count)
        for first in range(0, count, self.batch_size):
            yield order[first : first + self.batch_size].tolist()


def _frame(tokenizer: PreTrainedTokenizerBase) -> tuple[list[int], list[int]]:
    """Give the special tokens before and after a text."""
    whole = tokenizer("", verbose=False)["input_ids"]
    first = int(bool(whole) and whole[0] == tokenizer.cls_token_id)
    return whole[:first], whole[first:]
