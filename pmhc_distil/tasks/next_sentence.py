"""Next-sentence prediction: does the second text follow the first (Devlin et al. 2019)?

As text classification with two classes, so that every encoder can learn it, also those without segments.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pmhc_distil.distillation.task import Reading, named_classes
from pmhc_distil.errors import InputError
from pmhc_distil.tasks.text_classification import TEXT_CLASSIFICATION, labelled
from pmhc_distil.tasks.text_classification import ask as ask_about_texts
from pmhc_distil.tasks.token_arrays import TextData
from pmhc_distil.texts.documents import IS_NEXT, NOT_NEXT, read_texts, sentence_pairs

CLASSES = (IS_NEXT, NOT_NEXT)
SEED = 42
"""Of the pairs: the same in every run, so that models can be compared."""


def read(path: Path, reading: Reading) -> TextData:
    """Read texts and make pairs of their sentences: half follow each other, half come from two texts."""
    texts = read_texts(path)
    try:
        frame = sentence_pairs(texts, SEED)
    except InputError as error:
        raise replace(error, source=str(path)) from error
    return labelled(frame, replace(reading, classes=CLASSES))


def ask(pairs: Sequence[Any], reading: Reading) -> TextData:
    """Tokenize pairs of sentences."""
    data = ask_about_texts(pairs, reading)
    for row, given in enumerate(pairs, start=1):
        second = (
            given.get("text_pair") if isinstance(given, dict) else given[1] if isinstance(given, tuple | list) else ""
        )
        if not second:
            hint = "give pairs: a table with the columns text and text_pair"
            raise InputError("there is no second sentence", row=row, column="text_pair", hint=hint)
    return data


NEXT_SENTENCE = replace(
    TEXT_CLASSIFICATION,
    name="next-sentence",
    read=read,
    uses="Tells whether a sentence follows another one.",
    fits=lambda config: named_classes(config) == CLASSES,
    ask=ask,
    options={"top_k": 2},
)
