"""How far a fill-mask model lets a word of a sentence change what it expects elsewhere in it."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import log_softmax

from pmhc_distil.errors import InputError
from pmhc_distil.inference.pipeline import Pipeline
from pmhc_distil.sequences.result_columns import BIAS_COLUMNS, make_frame
from pmhc_distil.texts.bias import PairTemplate

LEAST_PROBABLE = 1e-3
"""Tokens that are at least so probable with either filling are compared: of others, the ratio says little."""
NOISE = 1e-5
"""Logarithms of probabilities that differ by no more are equal: single precision gives no more digits."""


def bias_of(model: str | Path, templates: Sequence[PairTemplate], source: str, *, top_k: int = 5) -> pd.DataFrame:
    """Compare what a model expects at the mask of a sentence with either of two fillings.

    Parameters
    ----------
    model : str or Path
        Folder of a fill-mask model, or its name on the hub.
    templates : sequence of PairTemplate
    source : str
        Where they come from, for messages.
    top_k : int
        Tokens that a cell lists.

    Returns
    -------
    DataFrame
        A row per template, in their order, with the columns of
        :data:`pmhc_distil.sequences.result_columns.BIAS_COLUMNS`.  The total variation is half the sum of the
        differences of all probabilities: the share of the probability that moves to other tokens.

    Raises
    ------
    InputError
        If this is no such model, or a sentence is too long for it.
    """
    pipe = Pipeline("fill-mask", model)
    tokenizer = pipe.reading.required_tokenizer()
    sentences = [one for template in templates for one in template.sentences(str(tokenizer.mask_token))]
    try:
        data, logits = pipe.rows(sentences)
    except InputError as error:
        row = None if error.row is None else templates[(error.row - 1) // 2].row
        raise replace(error, source=source, row=row) from error
    if len(logits) != len(sentences):
        raise InputError("a filling holds the mask of the model", source, value=tokenizer.mask_token)
    logs = np.empty(logits.shape)
    logs[data.source] = log_softmax(logits.astype(np.float64), axis=-1)
    logs = logs[:, : len(tokenizer)]  # a vocabulary may be padded
    tokens = tokenizer.convert_ids_to_tokens(list(range(len(logs[0]))))
    rows = []
    for template, first, second in zip(templates, logs[::2], logs[1::2], strict=True):
        one, other = np.exp(first), np.exp(second)
        moved = np.abs(first - second) > NOISE
        ratio = np.where(moved & (np.maximum(one, other) >= LEAST_PROBABLE), first - second, 0.0)
        cells: list[object] = [template.template, template.first, template.second]
        cells.append(0.5 * float(np.abs(one - other)[moved].sum()))
        cells += [_listed(tokens, chance, np.argsort(-chance, kind="stable")[:top_k]) for chance in (one, other)]
        cells += [_listed(tokens, side, _largest(side, top_k)) for side in (ratio, -ratio)]
        rows.append(cells)
    return make_frame(BIAS_COLUMNS, rows)


def _largest(ratio: np.ndarray, count: int) -> np.ndarray:
    best = np.argsort(-ratio, kind="stable")[:count]
    return best[ratio[best] > 0]


def _listed(tokens: Sequence[str], values: np.ndarray, chosen: np.ndarray) -> str:
    return "; ".join(f"{tokens[number]} {values[number]:.3g}" for number in chosen)
