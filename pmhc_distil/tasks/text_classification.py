"""Text classification: one of several classes for a text or a pair of texts."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.special import softmax
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef
from torch import Tensor
from transformers import AutoModelForSequenceClassification
from transformers.utils import ModelOutput

from pmhc_distil.distillation.losses import class_loss
from pmhc_distil.distillation.task import Batch, Reading, Task
from pmhc_distil.errors import InputError
from pmhc_distil.tasks.metrics import BINARY_METRICS, binary_metrics
from pmhc_distil.tasks.token_arrays import IGNORED, TextData
from pmhc_distil.texts.documents import read_texts_or_pairs
from pmhc_distil.texts.tables import read_labelled


def read(path: Path, reading: Reading) -> TextData:
    """Read a table of texts or pairs and their classes, which some may lack if a teacher answers.

    Raises
    ------
    InputError
        If the table cannot be read, or holds a class that training did not.
    """
    frame = read_labelled(path, filled=not reading.taught)
    known = frame[frame["label"] != ""]
    classes = reading.classes or class_names(known["label"], path, reading.order)
    for row, label in zip(known["row"], known["label"], strict=True):
        if label not in classes:
            raise unknown_class(path, row, frame.attrs["label"], label, classes)
    return labelled(frame, replace(reading, classes=classes))


def labelled(frame: pd.DataFrame, reading: Reading) -> TextData:
    """Tokenize ``text`` and ``text_pair``, and number the classes in ``label``, ``""`` where it is not known."""
    classes, labels = reading.classes or (), frame["label"]
    numbers = {"": IGNORED} | {name: number for number, name in enumerate(classes)}
    data = TextData.encode(frame["text"].tolist(), frame["text_pair"].tolist(), reading)
    data.classes = classes
    data.labels = np.array([numbers[label] for label in labels], dtype=np.int64)[data.source][:, None]
    data.unlabelled = int((labels == "").sum())
    return data


def class_names(labels: Iterable[str], path: Path, order: tuple[str, ...] | None = None) -> tuple[str, ...]:
    """Give the classes of a training table in `order` if it has the same; else of numbers, if all are, or the alphabet.

    Raises
    ------
    InputError
        If there is a single one, so that there is nothing to learn.
    """
    names = set(labels)
    if len(names) == 1:
        raise InputError("a single class", source=str(path), value=names.pop(), hint="at least two are needed")
    if order is not None and set(order) == names:
        return order
    numbers = all(name.isdecimal() for name in names)
    return tuple(sorted(names, key=lambda name: (int(name) if numbers else 0, name)))


def unknown_class(path: Path, row: int, column: str | None, label: str, classes: Sequence[str]) -> InputError:
    """Make the error for a class that the training table, or a teacher, did not name."""
    shown = ", ".join(classes[:8]) + (", ..." if len(classes) > 8 else "")
    return InputError(
        "a class that neither the training table nor a teacher has named",
        source=str(path),
        row=row,
        column=column,
        value=label,
        hint=f"known: {shown}",
    )


def config(classes: tuple[str, ...]) -> dict[str, Any]:
    """Name the classes, and the kind of problem, which transformers would guess from the labels."""
    return {
        "num_labels": len(classes),
        "id2label": dict(enumerate(classes)),
        "label2id": {name: number for number, name in enumerate(classes)},
        "problem_type": "single_label_classification",
    }


def rows(outputs: ModelOutput, _: Batch) -> Tensor:
    """Give the logits of the classes, shape (texts, classes)."""
    return outputs.logits


def hard_loss(outputs: ModelOutput, batch: Batch) -> Tensor:
    """Cross-entropy of the classes that are known."""
    truth = batch["labels"][:, 0]
    known = truth != IGNORED
    return class_loss(outputs.logits[known], truth[known])


def metrics(data: TextData, logits: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Measure loss, accuracy, F1 and Matthews' correlation; of two classes also how they are told apart (AUROC, AP).

    F1, AUROC and AP are those of the second of two classes; of more classes F1 is the mean over them.
    """
    truth = truth[:, 0]
    loss = {"loss": float(class_loss(torch.from_numpy(logits), torch.from_numpy(truth)))}
    if logits.shape[1] == 2:
        return loss | binary_metrics(truth, logits[:, 1] - logits[:, 0], threshold=0)
    found = logits.argmax(-1)
    return loss | {
        "accuracy": float(accuracy_score(truth, found)),
        "f1": float(f1_score(truth, found, average="macro", zero_division=0)),
        "mcc": float(matthews_corrcoef(truth, found)),
    }


def ask(texts: Sequence[Any], reading: Reading) -> TextData:
    """Tokenize texts, pairs of texts, or records with ``text`` and ``text_pair``."""
    first, second = [], []
    for row, given in enumerate(texts, start=1):
        if isinstance(given, str):
            one, other = given, ""
        elif isinstance(given, dict) and "text" in given:
            one, other = given["text"], given.get("text_pair") or ""
        elif isinstance(given, (tuple, list)) and len(given) == 2:
            one, other = given
        else:
            raise InputError("neither a text nor a pair of texts", row=row, value=given)
        if not isinstance(one, str) or not isinstance(other, str):
            raise InputError("neither a text nor a pair of texts", row=row, value=given)
        if not one.strip():
            raise InputError("the text is empty", row=row, column="text")
        first.append(one)
        second.append(other)
    data = TextData.encode(first, second, reading)
    data.classes = reading.classes or ()
    return data


def answer(data: TextData, logits: np.ndarray, *, top_k: int = 1) -> list[Any]:
    """Give the most probable classes of each text, best first.

    Returns
    -------
    list of list of ``{label, score}``
        The score is a probability.
    """
    found: list[Any] = [None] * data.texts
    for source, row in zip(data.source, softmax(logits.astype(np.float64), axis=-1), strict=True):
        best = np.argsort(-row, kind="stable")[:top_k]
        found[source] = [{"label": data.classes[number], "score": float(row[number])} for number in best]
    return found


TEXT_CLASSIFICATION = Task(
    name="text-classification",
    auto_class=AutoModelForSequenceClassification,
    read=read,
    link="softmax",
    rows=rows,
    hard_loss=hard_loss,
    targets=lambda batch: batch["labels"],
    metrics=metrics,
    measures=lambda data: BINARY_METRICS if len(data.classes) == 2 else ("accuracy", "f1", "mcc"),
    pipeline_tag="text-classification",
    uses="Tells which of the classes of its training table a text, or a pair of texts, belongs to.",
    fits=lambda config: config.problem_type in (None, "single_label_classification") and config.num_labels > 1,
    cacheable=True,
    config=config,
    read_questions=lambda path, _: read_texts_or_pairs(path),
    ask=ask,
    answer=answer,
    options={"top_k": 1},
)
