"""Regression: a number for a text or a pair of texts, such as the stability of a protein."""

import math
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch.nn.functional as F
from scipy.stats import ConstantInputWarning, pearsonr, spearmanr
from torch import Tensor
from transformers.utils import ModelOutput

from pmhc_distil.distillation.task import Batch, Reading
from pmhc_distil.tasks.text_classification import TEXT_CLASSIFICATION, ask
from pmhc_distil.tasks.token_arrays import TextData
from pmhc_distil.texts.tables import read_labelled


def read(path: Path, reading: Reading) -> TextData:
    """Read a table of texts or pairs and a number for each, which some may lack if a teacher answers.

    Raises
    ------
    InputError
        If the table cannot be read, or a label is no number.
    """
    frame = read_labelled(path, numeric=True, filled=not reading.taught)
    data = ask(list(zip(frame["text"], frame["text_pair"], strict=True)), reading)
    data.labels = frame["label"].to_numpy(np.float32)[data.source][:, None]
    data.unlabelled = int(frame["label"].isna().sum())
    return data


def hard_loss(outputs: ModelOutput, batch: Batch) -> Tensor:
    """Mean squared error of the numbers that are known; 0 of none."""
    truth = batch["labels"]
    known = ~truth.isnan()
    found = outputs.logits.float()[known]
    return F.mse_loss(found, truth[known]) if len(found) else found.sum()


def metrics(data: TextData, found: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Measure the loss, its root, and, of two rows or more, rank and linear correlation."""
    loss = float(np.mean((found - truth) ** 2, dtype=np.float64))
    measured = {"rmse": math.sqrt(loss)}
    if len(truth) < 2:
        return {"loss": loss, **measured}
    one, other = found[:, 0], truth[:, 0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConstantInputWarning)  # no correlation is no number
        ranks, line = float(spearmanr(one, other).statistic), float(pearsonr(one, other).statistic)
    return {"loss": loss, "spearman": ranks, "pearson": line, **measured}


def answer(data: TextData, found: np.ndarray) -> list[Any]:
    """Give ``{score}`` for each text: the number, in the unit of the training table."""
    scores: list[Any] = [None] * data.texts
    for source, row in zip(data.source, found, strict=True):
        scores[source] = {"score": float(row[0])}
    return scores


def _config(_: Sequence[str]) -> dict[str, Any]:
    return {"num_labels": 1, "problem_type": "regression"}


REGRESSION = replace(
    TEXT_CLASSIFICATION,
    name="regression",
    read=read,
    link="identity",
    hard_loss=hard_loss,
    metrics=metrics,
    measures=lambda data: ("spearman", "pearson", "rmse") if len(data) > 1 else ("rmse",),
    uses="Gives a number for a text, or a pair of texts, in the unit of its training table.",
    fits=lambda config: config.num_labels == 1 and config.problem_type in (None, "regression"),
    config=_config,
    answer=answer,
    options={},
)
