"""Token numbers of texts, and the batches of every task on them."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedTokenizerBase

from pmhc_distil.distillation.task import Batch, Reading, SharedBatches
from pmhc_distil.tasks.ragged import Ragged
from pmhc_distil.tasks.tokenizing import encode_texts

IGNORED = -100
POOL = 64
"""Batches whose examples are sorted by length together."""


@dataclass
class TextData:
    """Examples of a task on texts: each is a text, a pair, or one piece of a long one, sorted by length.

    Attributes
    ----------
    input_ids, token_type_ids : Ragged
        Tokens and segments of the examples.
    order : ndarray of int, shape (examples,)
        Where an example stood before sorting.
    source : ndarray of int, shape (examples,)
        Number of the text that an example comes from.
    places : Ragged
        Where a token stands: number of its word (split texts), else its first character in the text as it was given;
        -1 outside of the text asked about (special tokens, the question of a pair).
    ends : Ragged
        End of its characters, for texts that are not split.
    labels : ndarray, shape (examples, M), or Ragged
        Labels of the examples or of their tokens (-100, of numbers NaN: none), if they are known.
    unlabelled : int
        Examples of which only a teacher knows an answer.
    asked : ndarray of bool, shape (all tokens,)
        Tokens that a question is about, for tasks on tokens.
    null_score_diff_threshold : float
        See :class:`pmhc_distil.distillation.task.Reading`.
    """

    tokenizer: PreTrainedTokenizerBase
    input_ids: Ragged
    token_type_ids: Ragged
    order: np.ndarray
    source: np.ndarray
    places: Ragged
    ends: Ragged
    texts: int
    classes: tuple[str, ...] = ()
    labels: np.ndarray | Ragged | None = None
    unlabelled: int = 0
    asked: np.ndarray | None = None
    null_score_diff_threshold: float = 0.0
    questions: Sequence[Any] = field(default_factory=list)
    """What the examples were made of, for tasks whose metrics read it."""

    @classmethod
    def encode(
        cls,
        first: Sequence[Any],
        second: Sequence[str] | None,
        reading: Reading,
        *,
        split: bool = False,
        pieces: bool = False,
    ) -> "TextData":
        """Tokenize texts.

        Parameters
        ----------
        first : sequence of str, or of lists of words
        second : sequence of str, optional
            The other half of every pair; empty where there is none.
        reading : Reading
        split : bool
            ``first`` holds words.
        pieces : bool
            Cut what is too long into pieces that share ``doc_stride`` tokens (0 for split texts) instead of cutting it
            off.  Of a pair the second text is cut.
        """
        found = encode_texts(first, second, reading, split=split, pieces=pieces)
        order = np.argsort(found.input_ids.lengths, kind="stable")
        rows, tokenizer = found.taken(order), reading.required_tokenizer()
        return cls(
            tokenizer, rows.input_ids, rows.token_type_ids, order, rows.source, rows.places, rows.ends, len(first)
        )

    def __len__(self) -> int:
        return len(self.input_ids)

    def asked_places(self) -> Iterator[tuple[int, int]]:
        """Give the example and the place in it of every token asked for, in the order of the rows."""
        assert self.asked is not None
        for place in np.flatnonzero(self.asked):
            number = int(np.searchsorted(self.input_ids.starts, place, side="right")) - 1
            yield number, int(place - self.input_ids.starts[number])

    def batches(self, batch_size: int, *, shuffle: bool, seed: int) -> "LengthSampler":
        """Give batches of similar lengths, or all examples in their order."""
        return LengthSampler(self.input_ids.lengths, batch_size, shuffle=shuffle, seed=seed)

    def collate(self, numbers: list[int]) -> Batch:
        """Pad a batch.

        Returns
        -------
        dict
            ``input_ids``, ``attention_mask`` and ``token_type_ids`` (examples, tokens) as far as the model takes them;
            ``labels`` (examples, M) or (examples, tokens), and ``asked`` (examples, tokens), where there are any.
        """
        index = np.asarray(numbers)
        ids = self.input_ids.padded(index, self.tokenizer.pad_token_id)
        real = np.arange(ids.shape[1]) < self.input_ids.lengths[index][:, None]
        batch = {"input_ids": ids.astype(np.int64), "attention_mask": real.astype(np.int64)}
        if "token_type_ids" in self.tokenizer.model_input_names:
            batch["token_type_ids"] = self.token_type_ids.padded(index, 0).astype(np.int64)
        if isinstance(self.labels, Ragged):
            batch["labels"] = self.labels.padded(index, IGNORED).astype(np.int64)
        elif self.labels is not None:
            batch["labels"] = self.labels[index]
        if self.asked is not None:
            places = self.input_ids.starts[index][:, None] + np.where(real, np.arange(ids.shape[1]), 0)
            batch["asked"] = self.asked[places] & real
        return {name: torch.from_numpy(table) for name, table in batch.items()}

    def fingerprint(self, *, labels: bool = True) -> str:
        """Give a SHA-256 of the tokens, segments and labels in their order."""
        digest = hashlib.sha256(self.input_ids.digest() + self.token_type_ids.digest())
        if labels and self.labels is not None:
            digest.update(self.labels.digest() if isinstance(self.labels, Ragged) else self.labels.tobytes())
        return digest.hexdigest()


class LengthSampler(SharedBatches):
    """Batches of examples of similar length, so that little is spent on padding; a new order in every epoch."""

    def __init__(self, lengths: np.ndarray, batch_size: int, *, shuffle: bool, seed: int) -> None:
        super().__init__(batch_size, shuffle=shuffle, seed=seed)
        self.lengths = lengths

    def __len__(self) -> int:
        return -(-len(self.lengths) // self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        count, size = len(self.lengths), self.batch_size
        if not self.shuffle:
            for first in range(0, count, size):
                yield list(range(first, min(first + size, count)))
            return
        generator = np.random.default_rng((self.seed, self.epoch))
        order = generator.permutation(count)
        pool = size * POOL
        batches = []
        for first in range(0, count, pool):
            part = order[first : first + pool]
            part = part[np.argsort(self.lengths[part], kind="stable")]
            batches += [part[start : start + size].tolist() for start in range(0, len(part), size)]
        for number in generator.permutation(len(batches)):
            yield batches[number]
