"""Masked-LM: hide tokens and predict them (Devlin et al. 2019), on texts and on proteins (Brandes et al. 2022)."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import AutoModelForMaskedLM
from transformers.utils import ModelOutput

from pmhc_distil.distillation.ensemble import Ensemble
from pmhc_distil.distillation.losses import class_loss
from pmhc_distil.distillation.task import Batch, Reading, Task, model_inputs
from pmhc_distil.errors import InputError
from pmhc_distil.models.hf.tokenizer import PMHCTokenizer
from pmhc_distil.tasks.masked_windows import WindowData
from pmhc_distil.tasks.token_arrays import TextData
from pmhc_distil.texts.documents import read_numbered_texts

_SEQUENCE = re.compile(r"[A-Za-z*.-]+").fullmatch
HEADS = ("cls", "lm_head", "generator_predictions", "vocab_transform", "lm_dense")
"""What a model calls the first part of its masked-LM head."""
_HOOKED = Lock()
"""Held while the heads of models have hooks, which another thread must not run into."""


def read_windows(path: Path, reading: Reading) -> WindowData:
    """Read texts, or a FASTA of proteins."""
    (texts, rows), tokenizer = read_numbered_texts(path), reading.required_tokenizer()
    if isinstance(tokenizer, PMHCTokenizer):
        for row, text in zip(rows, texts, strict=True):
            if not _SEQUENCE(text):
                raise InputError("not a sequence of residues", source=str(path), row=row, value=text)
    return WindowData(texts, reading.max_seq_length, tokenizer)


def forward(model: nn.Module, batch: Batch) -> ModelOutput:
    """Call the model, or each of several, with its head on the asked positions alone.

    Of a large vocabulary the head is most of the work.

    Gives logits of shape (positions asked, vocabulary).
    """
    whole = getattr(model, "module", model)
    heads = [_head(member) for member in (whole.models if isinstance(whole, Ensemble) else [whole])]
    if None in heads:
        outputs = model(**model_inputs(batch), output_hidden_states=True)
        outputs.logits = outputs.logits[batch["asked"]]
        return outputs
    with _HOOKED:
        hooks = [head.register_forward_pre_hook(lambda _, states: (states[0][batch["asked"]],)) for head in heads]
        try:
            return model(**model_inputs(batch), output_hidden_states=True)
        finally:
            for hook in hooks:
                hook.remove()


def _head(model: nn.Module) -> Any:
    return next((part for name in HEADS if isinstance(part := getattr(model, name, None), nn.Module)), None)


def rows(outputs: ModelOutput, batch: Batch) -> Tensor:
    """Give the logits over the vocabulary at the asked positions, shape (positions, vocabulary)."""
    return outputs.logits


def targets(batch: Batch) -> Tensor:
    """Give the tokens that were hidden, shape (positions, 1)."""
    return batch["labels"][batch["asked"]][:, None]


def hard_loss(outputs: ModelOutput, batch: Batch) -> Tensor:
    """Cross-entropy at the asked positions."""
    return class_loss(outputs.logits, targets(batch)[:, 0])


def measured(logits: Tensor, batch: Batch) -> Tensor:
    """Give, for each position, the loss and whether the hidden token is the most probable one, shape (positions, 2)."""
    truth = targets(batch)[:, 0]
    loss = F.cross_entropy(logits, truth, reduction="none")
    return torch.stack([loss, (logits.argmax(-1) == truth).float()], dim=-1)


def metrics(data: Any, found: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Measure how often the hidden token is the most probable one, and the perplexity."""
    loss, right = found.mean(0, dtype=np.float64)
    return {"loss": float(loss), "accuracy": float(right), "perplexity": float(np.exp(loss))}


def ask(texts: Sequence[str], reading: Reading) -> TextData:
    """Tokenize texts that hold the mask; the head answers at each mask.

    Raises
    ------
    InputError
        For a text without a mask, or with one behind the longest input, or that a model of peptides cannot read.
    """
    tokenizer = reading.required_tokenizer()
    mask = tokenizer.mask_token
    for row, text in enumerate(texts, start=1):
        if not isinstance(text, str):
            raise InputError("a text is expected", row=row, value=text)
        if mask not in text:
            raise InputError("the text has no mask", row=row, value=text, hint=f"write {mask}")
    if isinstance(tokenizer, PMHCTokenizer):
        tokenizer.check(texts)
    data = TextData.encode(texts, None, reading)
    data.asked = data.input_ids.flat == tokenizer.mask_token_id
    for number, source in enumerate(data.source):
        if (data.input_ids[number] == tokenizer.mask_token_id).sum() < texts[source].count(mask):
            reason = f"a mask stands behind the {reading.max_seq_length} tokens that are read"
            raise InputError(reason, row=int(source) + 1, value=texts[source], hint="shorten the text")
    return data


def brief(data: TextData, logits: Tensor, options: Mapping[str, Any]) -> Tensor:
    """Give the probabilities of the most probable tokens of each mask, best first, then their numbers.

    Returns
    -------
    Tensor, shape (masks, 2 * top_k)
    """
    probabilities = logits.softmax(-1)[:, : len(data.tokenizer)]  # a vocabulary may be padded
    best = probabilities.topk(min(options["top_k"], probabilities.shape[1]))
    return torch.cat([best.values, best.indices.float()], dim=1)


def answer(data: TextData, best: np.ndarray, *, top_k: int = 5) -> list[Any]:
    """Give the most probable tokens of each mask, best first.

    Parameters
    ----------
    data : TextData
    best : ndarray, shape (masks, 2 * top_k)
        See :func:`brief`.

    Returns
    -------
    list
        For every text a list of ``{token, score, sequence}``; with several masks a list of these lists.
    """
    tokenizer = data.tokenizer
    said = {tokenizer.unk_token_id, tokenizer.mask_token_id}
    unsaid = set(tokenizer.all_special_ids) - said
    found: list[list[Any]] = [[] for _ in range(data.texts)]
    for (number, place), row in zip(data.asked_places(), best, strict=True):
        scores, tokens = np.split(row, 2)
        options = []
        for token, score in zip(tokens.astype(int).tolist(), scores.tolist(), strict=True):
            ids = data.input_ids[number].copy()
            ids[place] = token
            text = tokenizer.decode([one for one in ids.tolist() if one not in unsaid])
            options.append({"token": tokenizer.convert_ids_to_tokens(token), "score": score, "sequence": text})
        found[data.source[number]].append(options)
    return [options[0] if len(options) == 1 else options for options in found]


FILL_MASK = Task(
    name="fill-mask",
    auto_class=AutoModelForMaskedLM,
    read=read_windows,
    link="softmax",
    rows=rows,
    hard_loss=hard_loss,
    targets=targets,
    metrics=metrics,
    measures=lambda data: ("accuracy", "perplexity"),
    pipeline_tag="fill-mask",
    uses="A starting point for fine-tuning; by itself it predicts hidden tokens.",
    encoders=("texts", "peptides"),
    forward=forward,
    measured=measured,
    read_questions=lambda path, _: read_numbered_texts(path),
    ask=ask,
    brief=brief,
    answer=answer,
    options={"top_k": 5},
)
