"""Token classification: a class for every word, or for every residue of a protein."""

import itertools
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.special import softmax
from torch import Tensor
from transformers import AutoModelForTokenClassification
from transformers.utils import ModelOutput

from pmhc_distil.distillation.losses import class_loss
from pmhc_distil.distillation.task import Batch, Reading, Task
from pmhc_distil.errors import InputError
from pmhc_distil.models.hf.loading import spells_residues
from pmhc_distil.tasks.text_classification import class_names, config, unknown_class
from pmhc_distil.tasks.token_arrays import IGNORED, TextData
from pmhc_distil.tasks.tokenizing import OUTSIDE
from pmhc_distil.texts.tagged import (
    are_of_entities,
    entities,
    entity_scores,
    read_tagged,
    read_untagged,
    runs,
)

_PIECES = re.compile(r"\w+|[^\w\s]")


def read(path: Path, reading: Reading) -> TextData:
    """Read sentences with a tag for every word.

    Raises
    ------
    InputError
        If the file cannot be read, or holds a tag that training did not.
    """
    sentences = read_tagged(path)
    tags_seen = (tag for sentence in sentences for tag in sentence.tags)
    classes = reading.classes or class_names(tags_seen, path, reading.order)
    numbers = {name: number for number, name in enumerate(classes)}
    for sentence in sentences:
        for tag in sentence.tags:
            if tag not in numbers:
                raise unknown_class(path, sentence.row, None, tag, classes)
    data = _encode([list(sentence.words) for sentence in sentences], reading)
    data.classes = classes
    tags = [[numbers[tag] for tag in sentence.tags] for sentence in sentences]
    labels = np.full(len(data.input_ids.flat), IGNORED)
    for number, place in data.asked_places():
        token = data.input_ids.starts[number] + place
        labels[token] = tags[data.source[number]][data.places.flat[token]]
    data.labels = data.input_ids.like(labels)
    data.questions = sentences
    return data


def _encode(sentences: Sequence[list[str]], reading: Reading) -> TextData:
    """Tokenize words, residues in upper case; the first token of each is asked about.

    Long sentences are cut into pieces.
    """
    if spells_residues(reading.required_tokenizer()):
        sentences = [[word.upper() for word in words] for words in sentences]
    data = TextData.encode(sentences, None, reading, split=True, pieces=True)
    word = data.places.flat
    before = np.concatenate([[OUTSIDE], word[:-1]])
    data.asked = (word != OUTSIDE) & (word != before)
    # A piece may begin with the rest of a word that was asked about in the piece before.
    for earlier, later in itertools.pairwise(np.argsort(data.order)):
        if data.source[earlier] == data.source[later]:
            words = [data.places[number] for number in (earlier, later)]
            last, first = (found[found != OUTSIDE][end] for found, end in zip(words, (-1, 0), strict=True))
            if first == last:
                data.asked[data.input_ids.starts[later] + int(np.argmax(words[1] != OUTSIDE))] = False
    return data


def rows(outputs: ModelOutput, batch: Batch) -> Tensor:
    """Give the logits of the classes at the first token of every word, shape (words, classes)."""
    return outputs.logits[batch["asked"]]


def targets(batch: Batch) -> Tensor:
    """Give the classes of the words, shape (words, 1)."""
    return batch["labels"][batch["asked"]][:, None]


def hard_loss(outputs: ModelOutput, batch: Batch) -> Tensor:
    """Cross-entropy of the classes of the words."""
    return class_loss(rows(outputs, batch), targets(batch)[:, 0])


def metrics(data: TextData, logits: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Measure the loss, and how well whole entities are found if the tags are of that kind, else single tags."""
    truth_tags = [list(sentence.tags) for sentence in data.questions]
    found = _tags(data, logits.argmax(-1), [len(tags) for tags in truth_tags])
    loss = class_loss(torch.from_numpy(logits), torch.from_numpy(truth[:, 0]))
    return {"loss": float(loss), **entity_scores(truth_tags, found, data.classes)}


def measures(data: TextData) -> tuple[str, ...]:
    """Name these metrics."""
    entities = are_of_entities(data.classes)
    return ("precision", "recall", "f1", "accuracy") if entities else ("accuracy", "macro_f1")


def ask(texts: Sequence[Any], reading: Reading) -> TextData:
    """Tokenize texts, or lists of words.

    A text is split at blanks and punctuation, or into residues if these are the tokens of the model.
    """
    residues = spells_residues(reading.required_tokenizer())
    split, questions = [], []
    for row, given in enumerate(texts, start=1):
        if isinstance(given, str):
            spans = [match.span() for match in re.finditer(r"\S", given)] if residues else _word_spans(given)
            words = [given[start:end] for start, end in spans]
        elif isinstance(given, (list, tuple)) and all(isinstance(word, str) for word in given):
            words, spans = list(given), []
        else:
            raise InputError("neither a text nor a list of words", row=row, value=given)
        if not words:
            raise InputError("the text is empty", row=row)
        split.append(words)
        questions.append((given, words, spans))
    data = _encode(split, reading)
    data.classes, data.questions = reading.classes or (), questions
    return data


def _word_spans(text: str) -> list[tuple[int, int]]:
    """Split a text at blanks and punctuation.

    An accent or vowel sign that is a letter by itself stays in its word, and so does a letter that is not seen, such as
    a soft hyphen.
    """
    spans: list[tuple[int, int]] = []
    joins = False
    for match in _PIECES.finditer(text):
        start, end = match.span()
        category = unicodedata.category(text[start])
        mark = category.startswith("M") or category == "Cf"
        if spans and spans[-1][1] == start and (mark or (joins and text[start].isalnum())):
            spans[-1] = spans[-1][0], end
        else:
            spans.append((start, end))
        joins = mark and text[spans[-1][0]].isalnum()
    return spans


def answer(data: TextData, logits: np.ndarray, *, grouped: bool = True) -> list[Any]:
    """Give the entities of each text, or the class of every word.

    Returns
    -------
    list of list of dict
        ``{entity_group, score, word, start, end}`` for every entity (tags with B- and I-), or for every run of one tag
        but ``O`` where tags have no such prefixes; with ``grouped=False`` ``{entity, score, word, start, end}`` for
        every word.  ``start`` and ``end`` are characters of a text and numbers of a list's words; the score is the mean
        probability of its words.
    """
    probabilities = softmax(logits.astype(np.float64), axis=-1)
    counts = [len(words) for _, words, _ in data.questions]
    tags = _tags(data, probabilities.argmax(-1), counts)
    scores = _by_word(data, probabilities.max(-1), counts, 0.0)
    found = []
    grouping = entities if are_of_entities(data.classes) else runs
    for (given, words, spans), names, sure in zip(data.questions, tags, scores, strict=True):
        key = "entity_group" if grouped else "entity"
        groups = grouping(names) if grouped else [(name, n, n + 1) for n, name in enumerate(names)]
        entries = []
        for label, first, end in groups:
            start, stop = (spans[first][0], spans[end - 1][1]) if spans else (first, end)
            word = given[start:stop] if spans else " ".join(words[first:end])
            score = float(np.mean(sure[first:end]))
            entries.append({key: label, "score": score, "word": word, "start": start, "end": stop})
        found.append(entries)
    return found


def _tags(data: TextData, classes: np.ndarray, counts: Sequence[int]) -> list[list[str]]:
    """Give the names of the classes of all words of each text."""
    return _by_word(data, [data.classes[number] for number in classes], counts, "O")


def _by_word(data: TextData, values: Sequence[Any], counts: Sequence[int], missing: Any) -> list[list[Any]]:
    """Sort the values of the rows into the words of each text; a word without a token has none."""
    found = [[missing] * count for count in counts]
    for (number, place), value in zip(data.asked_places(), values, strict=True):
        found[data.source[number]][int(data.places[number][place])] = value
    return found


TOKEN_CLASSIFICATION = Task(
    name="token-classification",
    auto_class=AutoModelForTokenClassification,
    read=read,
    link="softmax",
    rows=rows,
    hard_loss=hard_loss,
    targets=targets,
    metrics=metrics,
    measures=measures,
    pipeline_tag="token-classification",
    uses="Tells the class of every word, such as the kind of a name, or of every residue of a protein.",
    config=config,
    read_questions=lambda path, reading: read_untagged(path, reading.classes or ()),
    ask=ask,
    answer=answer,
    options={"grouped": True},
)
