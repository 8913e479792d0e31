"""Texts as token numbers, and the batches of every task on them."""

import hashlib
import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedTokenizerBase

from pmhc_distil.distillation.task import Batch, Reading, SharedBatches
from pmhc_distil.errors import InputError
from pmhc_distil.models.hf.loading import spells_residues
from pmhc_distil.models.hf.tokenizer import PMHCTokenizer
from pmhc_distil.models.vocabulary import encode
from pmhc_distil.tasks.ragged import Ragged

logger = logging.getLogger(__name__)

IGNORED = -100
OUTSIDE = -1
POOL = 64
"""Batches whose examples are sorted by length together."""


def tokenize(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> Ragged:
    """Turn texts into token numbers without special ones."""
    if isinstance(tokenizer, PMHCTokenizer):
        lengths = np.array([len(text) for text in texts], dtype=np.int64)
        return Ragged(encode(["".join(texts)])[0], lengths)
    if spells_residues(tokenizer):
        # A database has millions of residues, but few kinds of them: each kind is tokenized once.
        kinds = sorted({letter for text in texts for letter in letters(text, tokenizer)})
        found = tokenizer([[kind] for kind in kinds], add_special_tokens=False, is_split_into_words=True)["input_ids"]
        tokens = dict(zip(kinds, found, strict=True))
        return Ragged.of([[token for letter in letters(text, tokenizer) for token in tokens[letter]] for text in texts])
    # A text longer than the model is no mistake here: windows are cut from it.
    return Ragged.of(tokenizer(list(texts), add_special_tokens=False, verbose=False)["input_ids"])


def letters(sequence: str, tokenizer: PreTrainedTokenizerBase) -> list[str]:
    """Split a sequence into upper-case residues, and masks where it has any."""
    pieces = [sequence[start:end] for start, end in letter_places(sequence, tokenizer)]
    return [piece if len(piece) > 1 else piece.upper() for piece in pieces]


def letter_places(sequence: str, tokenizer: PreTrainedTokenizerBase) -> list[tuple[int, int]]:
    """Give the first character of every letter, and the one after its last; blanks are no letters."""
    mask = re.escape(tokenizer.mask_token or "")
    return [match.span() for match in re.finditer(rf"{mask}|\S" if mask else r"\S", sequence)]


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
        Labels of the examples or of their tokens (-100: none), if they are known.
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
            The other half of every pair.
        reading : Reading
        split : bool
            ``first`` holds words.
        pieces : bool
            Cut what is too long into pieces that share ``doc_stride`` tokens (0 for split texts) instead of cutting it
            off.  Of a pair the second text is cut.
        """
        tokenizer = reading.required_tokenizer()
        if (split or pieces) and not tokenizer.is_fast:
            reason = "the tokenizer does not tell where its tokens stand"
            raise InputError(reason, source=type(tokenizer).__name__, hint="choose a model with a fast tokenizer")
        residues = spells_residues(tokenizer) and not isinstance(tokenizer, PMHCTokenizer)
        asked_text = 0 if second is None else 1
        written: list[list[tuple[int, int]]] | None = None
        if residues and not split:
            written = [letter_places(text, tokenizer) for text in (first if second is None else second)]
            first = [letters(text, tokenizer) for text in first]
            second = None if second is None else [letters(text, tokenizer) for text in second]  # type: ignore[misc]
        longest = reading.max_seq_length
        options: dict[str, Any] = {"truncation": True, "max_length": longest, "verbose": False}
        if pieces:
            stride = 0 if second is None else reading.stride
            options |= {"return_overflowing_tokens": True, "stride": stride}
            options["truncation"] = "longest_first" if second is None else "only_second"
        pair = () if second is None else (list(second),)
        found = tokenizer(list(first), *pair, is_split_into_words=residues or split, **options)
        if not tokenizer.is_fast:
            if any(len(ids) == longest for ids in found["input_ids"]):
                whole = tokenizer(list(first), *pair, is_split_into_words=residues or split, verbose=False)["input_ids"]
                _tell_of_cut(sum(len(ids) > longest for ids in whole), len(first), longest)
            return cls._slow(tokenizer, found)
        source = np.asarray(found.get("overflow_to_sample_mapping", range(len(found.encodings))))
        order = np.argsort([len(one.ids) for one in found.encodings], kind="stable")
        encodings = [found.encodings[number] for number in order]
        if not pieces:
            _tell_of_cut(sum(bool(one.overflowing) for one in encodings), len(first), longest)
        places, ends = [], []
        for one, number in zip(encodings, source[order], strict=True):
            inside = [sequence == asked_text for sequence in one.sequence_ids]
            spans: Sequence[tuple[int, int]] = one.offsets
            if split:
                spans = [(word or 0, (word or 0) + 1) for word in one.word_ids]
            elif written is not None:
                spans = [
                    written[number][word] if here and word is not None else (OUTSIDE, OUTSIDE)
                    for word, here in zip(one.word_ids, inside, strict=True)
                ]
            places.append([span[0] if here else OUTSIDE for span, here in zip(spans, inside, strict=True)])
            ends.append([span[1] if here else OUTSIDE for span, here in zip(spans, inside, strict=True)])
        return cls(
            tokenizer,
            Ragged.of([one.ids for one in encodings]),
            Ragged.of([one.type_ids for one in encodings]),
            order,
            source[order],
            Ragged.of(places),
            Ragged.of(ends),
            len(first),
        )

    @classmethod
    def _slow(cls, tokenizer: PreTrainedTokenizerBase, found: Any) -> "TextData":
        """Take what a tokenizer without places gives."""
        ids = found["input_ids"]
        kinds = found.get("token_type_ids") or [[0] * len(one) for one in ids]
        order = np.argsort([len(one) for one in ids], kind="stable")
        tokens = Ragged.of([ids[number] for number in order])
        nowhere = Ragged.of([[OUTSIDE] * len(ids[number]) for number in order])
        return cls(tokenizer, tokens, Ragged.of([kinds[n] for n in order]), order, order, nowhere, nowhere, len(ids))

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


def _tell_of_cut(cut: int, texts: int, longest: int) -> None:
    if cut:
        logger.warning("%d of %d texts are longer than %d tokens and are cut", cut, texts, longest)


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
