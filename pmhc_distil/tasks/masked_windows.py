"""Windows of texts with hidden tokens: what masked-LM is trained on, drawn anew in every epoch."""

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from transformers import PreTrainedTokenizerBase

from pmhc_distil.distillation.task import Batch, SharedBatches
from pmhc_distil.tasks.token_arrays import IGNORED
from pmhc_distil.tasks.tokenizing import tokenize

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
        self.order = (0, 0)

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
        generator = np.random.default_rng((*self.order, *numbers[:4]))
        index = np.asarray(numbers)
        whole = self.tokens.lengths[index]
        lengths = np.minimum(whole, self.window)
        offset = (generator.random(len(index)) * (whole - lengths + 1)).astype(np.int64)
        columns = np.arange(lengths.max())
        inside = columns < lengths[:, None]
        tokens = self.tokens.flat[(self.tokens.starts[index] + offset)[:, None] + np.where(inside, columns, 0)]
        tokens = tokens.astype(np.int64)
        possible = inside & self.can_be_asked[tokens]
        drawn = np.where(possible, generator.random(tokens.shape), 1.0)
        # A batch of few tokens asks for one at least, as there is no mean loss of none.
        chosen = possible & (drawn < max(MASKED_SHARE, np.nextafter(drawn.min(initial=1.0), 1)))
        labels = np.where(chosen, tokens, IGNORED)
        lot = generator.random(tokens.shape)
        tokens[chosen & (lot < 0.8)] = self.mask
        replaced = chosen & (lot >= 0.9)
        tokens[replaced] = generator.choice(self.asked_for, replaced.sum())
        return self._framed(tokens, labels, inside)

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
        self.data.order = (self.seed, self.epoch)
        count = len(self.data)
        order = np.random.default_rng(self.data.order).permutation(count) if self.shuffle else np.arange(count)
        for first in range(0, count, self.batch_size):
            yield order[first : first + self.batch_size].tolist()


def _frame(tokenizer: PreTrainedTokenizerBase) -> tuple[list[int], list[int]]:
    """Give the special tokens before and after a text."""
    whole = tokenizer("", verbose=False)["input_ids"]
    first = int(bool(whole) and whole[0] == tokenizer.cls_token_id)
    return whole[:first], whole[first:]
