"""Texts in, answers out: a trained model of any task but binding."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from transformers import AutoModel, PreTrainedModel, PreTrainedTokenizerBase

from pmhc_distil.distillation.start import check_head
from pmhc_distil.distillation.task import Batch, Reading, Task
from pmhc_distil.errors import InputError
from pmhc_distil.inference.torch_backend import choose_device
from pmhc_distil.models.hf.loading import load_config, load_model, load_tokenizer, longest_input
from pmhc_distil.models.hf.tokenizer import PMHCTokenizer
from pmhc_distil.sequences.files import atomic_path, check_destination, check_space
from pmhc_distil.tasks import TASKS
from pmhc_distil.tasks.token_arrays import TextData

BATCH_SIZE = 32
POOLINGS = ("mean", "cls", "tokens")
_HEADERS = 1 << 16  # bytes of a file of HDF5 beside its data
COUNTS = ("batch_size", "top_k", "max_answer_length")


class Pipeline:
    """A model, its tokenizer and its task.

    Parameters
    ----------
    task : str
        Name of a task, such as ``text-classification``.
    model : str or Path
        Folder of a trained model, or its name on the hub.
    max_seq_length : int, optional
        Longest example in tokens; by default as the model was trained, or else what it can take.
    doc_stride : int, optional
        Tokens that pieces of a long context share; by default as the model was trained, see
        :class:`pmhc_distil.distillation.task.Reading`.
    device : str, optional
        Such as ``cuda``; by default a GPU if there is one.

    Raises
    ------
    InputError
        If the task is unknown, the model is not one of this task, or the device is not there.
    """

    def __init__(
        self,
        task: str,
        model: str | Path,
        *,
        max_seq_length: int | None = None,
        doc_stride: int | None = None,
        device: str | None = None,
    ) -> None:
        self._made_of = task, model
        self._options: dict[str, Any] = {"max_seq_length": max_seq_length, "doc_stride": doc_stride, "device": device}
        served = [name for name, found in TASKS.items() if found.answer]
        if task not in served:
            raise InputError("no such task", source="task", value=task, hint=f"use {', '.join(served)}")
        self.task: Task = TASKS[task]
        if doc_stride is not None and not self.task.strided:
            raise InputError(f"no option of the task {task}", source="doc_stride", value=doc_stride)
        config = load_config(model)
        check_head(self.task, config, model)
        longest = longest_input(config)
        length, stride = (getattr(config, name, None) for name in ("max_seq_length", "doc_stride"))
        if max_seq_length is None and type(length) is int:  # a model of others may mean something else by it
            max_seq_length = min(length, longest)
        most = max_seq_length if type(max_seq_length) is int else longest
        if doc_stride is None and type(stride) is int and stride < most:
            doc_stride = stride
        reading = Reading.within(
            longest,
            load_tokenizer(model, config),
            max_seq_length=max_seq_length,
            doc_stride=doc_stride,
            classes=self.task.classes(config),
        )
        # Models of others, and those of older releases, do not name these settings.
        settled = {name: getattr(config, name) for name in self.task.settled if hasattr(config, name)}
        self.reading = replace(reading, **settled)
        where = choose_device(device)
        self.model = load_model(self.task.auto_class, model).eval().to(where)

    def __reduce__(self) -> tuple[Any, ...]:
        """Be copied to another process as what made it: the model is loaded again there."""
        return partial(type(self), *self._made_of, **self._options), ()

    def __call__(self, given: Any, *, batch_size: int = BATCH_SIZE, **options: Any) -> Any:
        """Answer one question or many.

        Parameters
        ----------
        given : str, tuple, dict, or a list of these, or an array or column of texts
            Texts; ``(text, text_pair)`` or ``{"text", "text_pair"}`` for pairs; ``{"question", "context"}`` for
            questions; for token-classification also a tuple of words.
        batch_size : int
            Examples at once.
        **options
            Of the task: ``top_k``, ``grouped``, ``max_answer_length``, ``null_score_diff_threshold``.

        Returns
        -------
        list
            One answer for each question in their order, or for one question its answer:
            text-classification ``[{label, score}]``; fill-mask ``[{token, score, sequence}]`` for each mask;
            token-classification ``[{entity_group, score, word, start, end}]``; question-answering
            ``{answer, score, start, end}``; regression ``{score}``.

        Raises
        ------
        InputError
            For an option that the task does not have, or that is no number of its kind, or what it cannot answer.
        """
        assert self.task.answer is not None
        for name in options:
            if name not in self.task.options:
                raise InputError(f"no option of the task {self.task.name}", source=name)
        for name, value in {"batch_size": batch_size, **options}.items():
            if name in COUNTS and (not isinstance(value, Integral) or value < 1):
                raise InputError("not a whole number of at least 1", source=name, value=value)
        lead = options.get("null_score_diff_threshold")
        if lead is not None and (not isinstance(lead, Real) or math.isnan(lead)):
            raise InputError("not a number", source="null_score_diff_threshold", value=lead)
        given = given.tolist() if hasattr(given, "tolist") else given
        many = isinstance(given, list)
        questions = list(given) if many else [given]
        if not questions:
            return []
        chosen = {**self.task.options, **options}
        data, rows = self._rows(questions, batch_size, lambda data, rows: self.task.brief(data, rows, chosen))
        answers = self.task.answer(data, rows, **chosen)
        return answers if many else answers[0]

    def rows(self, questions: Sequence[Any], *, batch_size: int = BATCH_SIZE) -> tuple[Any, np.ndarray]:
        """Compute the rows of questions.

        Returns
        -------
        data : TaskData
            The examples that the questions became, sorted by length; ``data.source`` tells the question of each.
        rows : ndarray of float32, shape (N, K)
            The rows of all examples in their order; those of different widths are padded on the right.
        """
        return self._rows(questions, batch_size, lambda _, rows: rows)

    def _rows(
        self, questions: Sequence[Any], batch_size: int, brief: Callable[[Any, torch.Tensor], torch.Tensor]
    ) -> tuple[Any, np.ndarray]:
        """Give the data of :meth:`rows`, and what is kept of the rows of every batch."""
        assert self.task.ask is not None
        data = self.task.ask(questions, self.reading)
        found = []
        with torch.inference_mode():
            for batch in _batches(data, batch_size, self.model.device):
                rows = self.task.rows(self.task.forward(self.model, batch), batch).float()
                found.append(brief(data, rows).cpu().numpy())
        width = max(part.shape[1] for part in found)
        return data, np.concatenate([np.pad(part, ((0, 0), (0, width - part.shape[1]))) for part in found])


def pipeline(task: str, model: str | Path, **options: Any) -> Pipeline:
    """Make a :class:`Pipeline`; arguments and errors are those of the class."""
    return Pipeline(task, model, **options)


def embed(
    texts: Sequence[str],
    model: str | Path,
    output: Path,
    *,
    pooling: str = "mean",
    max_seq_length: int | None = None,
    batch_size: int = BATCH_SIZE,
    device: str | None = None,
    source: str = "texts",
) -> None:
    """Write the last hidden states of an encoder to HDF5.

    Parameters
    ----------
    texts : sequence of str
        Texts or protein sequences, at least one, such as a list or a column of a table; what is longer than the model
        is cut.
    model : str or Path
        Folder of a model, or its name on the hub; a head is left out.
    output : Path
        With ``pooling`` "mean" (over the tokens of the text, unknown ones among them) or "cls" (the first token) it
        gets the data set ``embeddings`` (texts, width); with "tokens" all states one after the other as ``embeddings``
        (tokens, width) and ``starts`` (texts + 1): text i has the rows from ``starts[i]`` up to ``starts[i + 1]``,
        special tokens among them.  float32; the attribute ``model`` names the model.
    pooling : {"mean", "cls", "tokens"}
    max_seq_length : int, optional
        Longest text in tokens; by default what the model can take.
    batch_size : int
        Texts at once.
    device : str, optional
        Such as ``cuda``; by default a GPU if there is one.
    source : str
        What to call the texts in messages.

    Raises
    ------
    InputError
        If there is no list of texts, none in it or an empty one, a model of peptides is given what is no sequence of
        residues, this is no model, or the file cannot be written.
    """
    if pooling not in POOLINGS:
        raise InputError("no such pooling", source="pooling", value=pooling, hint=f"use {', '.join(POOLINGS)}")
    if isinstance(texts, str | bytes) or not isinstance(texts, Iterable):
        raise InputError("a list of texts is expected, not one", source=source, value=texts, hint="put it into a list")
    texts = list(texts)  # a column of a table has an index of its own
    if not texts:
        raise InputError("there is no text", source=source)
    for row, text in enumerate(texts, start=1):
        if not isinstance(text, str):
            raise InputError("not a text", source=source, row=row, value=text)
        if not text.strip():
            raise InputError("the text is empty", source=source, row=row)
    config = load_config(model)
    if getattr(config, "is_encoder_decoder", False):
        raise InputError("an encoder is expected, and this has a decoder, too", source=str(model))
    tokenizer = load_tokenizer(model, config)
    if isinstance(tokenizer, PMHCTokenizer):
        tokenizer.check(texts, source)
    reading = Reading.within(longest_input(config), tokenizer, max_seq_length=max_seq_length)
    data = TextData.encode(texts, None, reading)
    if pooling == "mean":
        known = np.concatenate([[0], np.cumsum(~np.isin(data.input_ids.flat, _frame(tokenizer)))])
        empty = data.source[np.diff(known[data.input_ids.starts]) == 0]
        if len(empty):
            first, hint = int(empty.min()), "remove it, or use another pooling"
            reason = "the text has no token that a mean could be of"
            raise InputError(reason, source=source, row=first + 1, value=texts[first], hint=hint)
    where = choose_device(device)
    encoder = load_model(AutoModel, model, new_head=True).eval().to(where)
    lengths = np.zeros(len(texts), dtype=np.int64)
    lengths[data.source] = data.input_ids.lengths if pooling == "tokens" else 1
    starts = np.concatenate([[0], np.cumsum(lengths)])
    shape = int(starts[-1]), encoder.config.hidden_size
    # HDF5 does not end in order where a disk is full.
    check_space(check_destination(output), 4 * shape[0] * shape[1] + starts.nbytes + _HEADERS)
    with atomic_path(output) as temporary, h5py.File(temporary, "w") as file:
        file.attrs["model"], file.attrs["pooling"] = str(model), pooling
        vectors = file.create_dataset("embeddings", shape, dtype="float32")
        if pooling == "tokens":
            file.create_dataset("starts", data=starts)
        for number, states in zip(data.source, _states(encoder, tokenizer, data, pooling, batch_size), strict=True):
            vectors[starts[number] : starts[number + 1]] = states


def _states(
    encoder: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, data: TextData, pooling: str, batch_size: int
) -> Iterator[np.ndarray]:
    """Give what is written for each example, (rows, width)."""
    frame = torch.tensor(_frame(tokenizer), device=encoder.device)
    with torch.inference_mode():
        for batch in _batches(data, batch_size, encoder.device):
            states = encoder(**batch).last_hidden_state.float()
            real = batch["attention_mask"].bool()
            if pooling == "cls":
                yield from states[:, :1].cpu().numpy()
            elif pooling == "mean":
                counted = (real & ~torch.isin(batch["input_ids"], frame))[..., None]
                mean = (states * counted).sum(1, keepdim=True) / counted.sum(1, keepdim=True).clamp_min(1)
                yield from mean.cpu().numpy()
            else:
                yield from (row[mask].cpu().numpy() for row, mask in zip(states, real, strict=True))


def _frame(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Give the tokens that stand around texts, and are of none: not what is unknown, or masked."""
    names = ("cls_token_id", "sep_token_id", "bos_token_id", "eos_token_id", "pad_token_id")
    return [number for name in names if (number := getattr(tokenizer, name, None)) is not None]


def _batches(data: Any, batch_size: int, device: torch.device) -> Iterator[Batch]:
    """Give all batches in the order of the examples."""
    for numbers in data.batches(batch_size, shuffle=False, seed=0):
        yield {name: table.to(device) for name, table in data.collate(numbers).items()}
