"""Texts as token numbers, and where the tokens stand in them.

What a tokenizer tells of a token takes a hundred times as much memory as its number, so texts are read some at a time.
"""

import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from transformers import PreTrainedTokenizerBase

from pmhc_distil.distillation.task import Reading
from pmhc_distil.errors import InputError
from pmhc_distil.models.hf.loading import separate_words, spells_residues
from pmhc_distil.models.hf.tokenizer import PMHCTokenizer
from pmhc_distil.models.vocabulary import encode
from pmhc_distil.tasks.ragged import Ragged

logger = logging.getLogger(__name__)

OUTSIDE = -1
TEXTS_AT_ONCE = 500


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
    return Ragged.joined(
        [
            Ragged.of(tokenizer(list(texts[part]), add_special_tokens=False, verbose=False)["input_ids"])
            for part in _parts(len(texts))
        ]
    )


def letters(sequence: str, tokenizer: PreTrainedTokenizerBase) -> list[str]:
    """Split a sequence into upper-case residues, and masks where it has any."""
    pieces = [sequence[start:end] for start, end in _letter_places(sequence, tokenizer)]
    return [piece if len(piece) > 1 else piece.upper() for piece in pieces]


def _letter_places(sequence: str, tokenizer: PreTrainedTokenizerBase) -> list[tuple[int, int]]:
    """Give the first character of every letter, and the one after its last; blanks are no letters."""
    mask = re.escape(tokenizer.mask_token or "")
    return [match.span() for match in re.finditer(rf"{mask}|\S" if mask else r"\S", sequence)]


@dataclass
class Encoded:
    """What a tokenizer makes of texts, pairs, or pieces of them: see :class:`~pmhc_distil.tasks.token_arrays.TextData`.

    Attributes
    ----------
    input_ids, token_type_ids, places, ends : Ragged
    source : ndarray of int, shape (examples,)
    cut : int
        Texts that are longer than the model and were cut off.
    """

    input_ids: Ragged
    token_type_ids: Ragged
    places: Ragged
    ends: Ragged
    source: np.ndarray
    cut: int

    def taken(self, numbers: np.ndarray) -> "Encoded":
        """Give some examples in another order."""
        return Encoded(
            self.input_ids.taken(numbers),
            self.token_type_ids.taken(numbers),
            self.places.taken(numbers),
            self.ends.taken(numbers),
            self.source[numbers],
            self.cut,
        )

    @classmethod
    def joined(cls, parts: Sequence["Encoded"]) -> "Encoded":
        """Put the examples of all parts one after the other."""
        return cls(
            Ragged.joined([part.input_ids for part in parts]),
            Ragged.joined([part.token_type_ids for part in parts]),
            Ragged.joined([part.places for part in parts]),
            Ragged.joined([part.ends for part in parts]),
            np.concatenate([np.zeros(0, np.int64), *(part.source for part in parts)]),
            sum(part.cut for part in parts),
        )


def encode_texts(
    first: Sequence[Any],
    second: Sequence[str] | None,
    reading: Reading,
    *,
    split: bool,
    pieces: bool,
) -> Encoded:
    """Tokenize texts or pairs with special tokens; the arguments are those of ``TextData.encode``.

    Raises
    ------
    InputError
        If ``split`` or ``pieces`` is asked of a tokenizer that does not tell where its tokens stand.
    """
    tokenizer, longest = reading.required_tokenizer(), reading.max_seq_length
    if (split or pieces) and not tokenizer.is_fast:
        reason = "the tokenizer does not tell where its tokens stand"
        raise InputError(reason, source=type(tokenizer).__name__, hint="choose a model with a fast tokenizer")
    if split:
        separate_words(tokenizer)
    options: dict[str, Any] = {"truncation": True, "max_length": longest, "verbose": False}
    if pieces:
        options |= {"return_overflowing_tokens": True, "stride": 0 if second is None else reading.stride}
        options["truncation"] = "longest_first" if second is None else "only_second"
    everything = np.arange(len(first))
    paired = everything if second is None else np.flatnonzero([bool(text) for text in second])
    parts = []
    for kind in (paired, np.setdiff1d(everything, paired)):
        for part in _parts(len(kind)):
            others = None if second is None or kind is not paired else [second[number] for number in kind[part]]
            one = _encode(tokenizer, [first[number] for number in kind[part]], others, options, split=split)
            one.source = kind[part][one.source]
            parts.append(one)
    whole = Encoded.joined(parts)
    whole = whole.taken(np.argsort(whole.source, kind="stable"))
    if whole.cut and not pieces:
        logger.warning("%d of %d texts are longer than %d tokens and are cut", whole.cut, len(first), longest)
    return whole


def _encode(
    tokenizer: PreTrainedTokenizerBase,
    first: Sequence[Any],
    second: Sequence[str] | None,
    options: dict[str, Any],
    *,
    split: bool,
) -> Encoded:
    """Tokenize some texts."""
    written: list[list[tuple[int, int]]] | None = None
    residues = spells_residues(tokenizer) and not isinstance(tokenizer, PMHCTokenizer)
    if residues and not split:
        written = [_letter_places(text, tokenizer) for text in (first if second is None else second)]
        first = [letters(text, tokenizer) for text in first]
        second = None if second is None else [letters(text, tokenizer) for text in second]  # type: ignore[misc]
    texts = (list(first),) if second is None else (list(first), list(second))
    found = tokenizer(*texts, is_split_into_words=residues or split, **options)
    ids = found["input_ids"]
    if not tokenizer.is_fast:
        cut = 0
        if any(len(one) == options["max_length"] for one in ids):
            whole = tokenizer(*texts, is_split_into_words=residues or split, verbose=False)["input_ids"]
            cut = sum(len(one) > options["max_length"] for one in whole)
        kinds = found.get("token_type_ids") or [[0] * len(one) for one in ids]
        nowhere = Ragged.of([[OUTSIDE] * len(one) for one in ids])
        return Encoded(Ragged.of(ids), Ragged.of(kinds), nowhere, nowhere, np.arange(len(ids)), cut)
    source = np.array(found.get("overflow_to_sample_mapping", range(len(ids))), dtype=np.int64)
    places, ends = [], []
    for one, number in zip(found.encodings, source, strict=True):
        inside = [sequence == len(texts) - 1 for sequence in one.sequence_ids]
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
    return Encoded(
        Ragged.of(ids),
        Ragged.of([one.type_ids for one in found.encodings]),
        Ragged.of(places),
        Ragged.of(ends),
        source,
        sum(bool(one.overflowing) for one in found.encodings),
    )


def _parts(count: int) -> Iterator[slice]:
    """Cut so many texts into parts."""
    for start in range(0, count, TEXTS_AT_ONCE):
        yield slice(start, min(start + TEXTS_AT_ONCE, count))
