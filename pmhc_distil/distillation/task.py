"""What the core knows of a task: how tables become batches, and on which rows teacher and student must agree."""

from collections.abc import Callable, Iterable, Mapping, Sequence, Sized
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from torch import Tensor, nn
from torch.utils.data import Dataset
from transformers import PreTrainedTokenizerBase
from transformers.utils import ModelOutput

from pmhc_distil.errors import InputError
from pmhc_distil.models.hf.loading import LONGEST

Batch = dict[str, Tensor]
Link = Literal["sigmoid", "softmax", "identity"]

TARGETS = frozenset({"labels", "teacher_rows", "asked", "counted", "pooled", "new"})
"""Keys of a batch that are not arguments of the model.

``asked`` marks the tokens that a question is about, (examples, tokens); ``counted`` the rows that are no padding, (N,),
where there is any; ``pooled`` how far each is one of pooled sources, (N,); ``new`` the blocks of an allele of which
nothing was measured, (blocks,), if there are any.
"""


DOC_STRIDE = 128
MIN_LENGTH = 8
"""Fewest tokens of an example."""


class TaskData(Protocol):
    """Examples of a task, read once and addressed by number."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes in the order of the logits; empty for a task without."""
        ...

    def __len__(self) -> int:
        """Give the number of examples."""
        ...

    def batches(self, batch_size: int, *, shuffle: bool, seed: int) -> "BatchSampler":
        """Give the example numbers of every batch of an epoch; ``~n`` stands for padding, a copy of example n."""
        ...

    def collate(self, numbers: list[int]) -> Batch:
        """Build one batch."""
        ...

    def fingerprint(self, *, labels: bool = True) -> str:
        """Give a SHA-256 of everything that the model will see and, unless a teacher answers, learn."""
        ...


class BatchSampler(Iterable[list[int]], Sized, Protocol):
    """Batches of example numbers; a new order for every epoch."""

    def set_epoch(self, epoch: int) -> None:
        """Choose the order."""
        ...


class SharedBatches:
    """What every sampler of batches has, and accelerate asks of one whose batches several processes share in turn.

    Parameters
    ----------
    batch_size : int
        Examples of a batch; accelerate fills up the last batches to it from the first ones.
    shuffle : bool
        A new order for every epoch; otherwise always the same.
    seed : int
    """

    drop_last = False

    def __init__(self, batch_size: int, *, shuffle: bool, seed: int) -> None:
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the order."""
        self.epoch = epoch

    @property
    def sampler(self) -> "SharedBatches":
        """Give itself: accelerate hands the epoch on to what is called so."""
        return self


@dataclass(frozen=True)
class Reading:
    """How the texts of a model become tokens: the same for training, validation and prediction.

    Attributes
    ----------
    tokenizer : PreTrainedTokenizerBase, optional
        Of the model; a task on peptides needs none.
    max_seq_length : int
        Longest example in tokens.
    doc_stride : int, optional
        Tokens that neighbouring pieces of a long context share; by default 128, but a quarter of the longest example
        at most.
    classes : tuple of str, optional
        Names of the classes; without them they are taken from the table.
    order : tuple of str, optional
        An order of classes that is kept, if the table names the same.
    null_score_diff_threshold : float
        The answer is none only if the logits of "no answer" exceed those of the best one by more than this.
    taught : bool
        A teacher answers, so that a text of a table may lack its label.
    """

    tokenizer: PreTrainedTokenizerBase | None = None
    max_seq_length: int = LONGEST
    doc_stride: int | None = None
    classes: tuple[str, ...] | None = None
    order: tuple[str, ...] | None = None
    null_score_diff_threshold: float = 0.0
    taught: bool = False

    @property
    def stride(self) -> int:
        """Tokens that pieces share."""
        return min(DOC_STRIDE, self.max_seq_length // 4) if self.doc_stride is None else self.doc_stride

    @classmethod
    def within(
        cls,
        longest: int,
        tokenizer: PreTrainedTokenizerBase,
        *,
        max_seq_length: int | None = None,
        doc_stride: int | None = None,
        classes: tuple[str, ...] | None = None,
    ) -> "Reading":
        """Read as a user asks, within what the model can take.

        Parameters
        ----------
        longest : int
            Tokens that the model can take, and the default of ``max_seq_length``.
        tokenizer : PreTrainedTokenizerBase
        max_seq_length, doc_stride, classes : optional
            The fields of this name.

        Raises
        ------
        InputError
            For a length that is no whole number from 8 to ``longest``, or a stride that is none from 0 to below it.
        """
        length = longest if max_seq_length is None else max_seq_length
        if type(length) is not int or not MIN_LENGTH <= length <= longest:
            hint = f"use {MIN_LENGTH} to {longest}, the longest input of the model"
            raise InputError("not a length that the model can take", source="max_seq_length", value=length, hint=hint)
        if doc_stride is not None and (type(doc_stride) is not int or not 0 <= doc_stride < length):
            hint = f"use 0 to {length - 1}: pieces have {length} tokens at most"
            raise InputError("not a number of tokens that pieces can share", "doc_stride", value=doc_stride, hint=hint)
        return cls(tokenizer, length, doc_stride, classes)

    def required_tokenizer(self) -> PreTrainedTokenizerBase:
        """Give the tokenizer of a task that needs one."""
        if self.tokenizer is None:
            msg = "this task reads texts and needs a tokenizer"
            raise ValueError(msg)
        return self.tokenizer


def forward(model: nn.Module, batch: Batch) -> ModelOutput:
    """Call the model with what is an argument of it, and have the state of every layer given."""
    return model(**model_inputs(batch), output_hidden_states=True)


def compared(states: Tensor, batch: Batch) -> Tensor:
    """Take the hidden states (examples, tokens, width) of a layer that are no padding."""
    return states[batch["attention_mask"].bool()]


def named_classes(config: Any) -> tuple[str, ...]:
    """Give the classes that a configuration names, by their numbers, in whatever order it lists them."""
    return tuple(config.id2label[number] for number in sorted(config.id2label))


@dataclass(frozen=True)
class Task:
    """A record of the functions that join tables to models.

    ``rows`` is applied unchanged to the outputs of the teacher and of the student, so that one soft loss serves every
    task: it gives a tensor (N, K), to be read through ``link`` (K independent probabilities, one distribution, or K
    numbers).
    """

    name: str
    auto_class: Any
    """Auto class of transformers that finds the model with the right head."""
    read: Callable[[Path, Reading], TaskData]
    link: Link
    rows: Callable[[ModelOutput, Batch], Tensor]
    hard_loss: Callable[[ModelOutput, Batch], Tensor]
    targets: Callable[[Batch], Tensor]
    """Labels of the rows of a batch, (N, M), for ``metrics``."""
    metrics: Callable[[Any, np.ndarray, np.ndarray], dict[str, float]]
    """Of the data, what ``measured`` gave for all its batches, and the targets.  ``loss`` is the hard loss over all
    rows: the Trainer's is the mean over batches, of which the last may be short."""
    measures: Callable[[Any], tuple[str, ...]]
    """Of the data, the names of the metrics that ``metrics`` gives for them, but for ``loss``."""
    pipeline_tag: str
    uses: str
    """What a model of the task is for, and what not: a sentence or two of its card."""
    tags: tuple[str, ...] = ()
    """What the card of a model is found by, beside the name of this package."""
    encoders: tuple[str, ...] = ("texts",)
    """What an encoder of the task reads: ``texts``, ``peptides``, or either."""
    fits: Callable[[Any], bool] = lambda config: True
    """Whether a head of the right kind, by the configuration of its model, was trained for this task."""
    strided: bool = False
    """Whether the pieces of a long text share ``doc_stride`` tokens."""
    cacheable: bool = False
    """Whether the teacher's answer for an example is one row, and the same in every epoch."""
    config: Callable[[tuple[str, ...]], dict[str, Any]] = lambda classes: {}
    """What the configuration of a model for these classes must say."""
    classes: Callable[[Any], tuple[str, ...] | None] = named_classes
    """The classes that the configuration of a model names; None if it does not say."""
    settle: Callable[[Any, Callable[[], np.ndarray]], dict[str, float]] | None = None
    """Chooses, of the validation data and a function that gives what ``measured`` gives for them, settings of answers;
    each is an attribute of the data, of :class:`Reading` and, once the model is trained, of its configuration."""
    settled: tuple[str, ...] = ()
    """The names of these settings."""
    forward: Callable[[nn.Module, Batch], ModelOutput] = forward
    compared: Callable[[Tensor, Batch], Tensor] = compared
    """What of the hidden states of a layer is compared with the teacher's."""
    hide: Callable[[Any, Batch], Batch] = lambda config, batch: batch
    """Of the model's configuration: what training keeps from the model, drawn once for student and teacher alike; not
    used where the teacher has answered before."""
    new_part: Callable[[Batch], tuple[Batch, Tensor]] | None = None
    """Of a batch, the inputs of the examples of a kind of which the table measures nothing, and which rows these are,
    (N,); absent where examples are of no kind."""
    prepare_model: Callable[[Any, Any], None] = lambda model, data: None
    """Adds to a model what only a training on these data needs."""
    strip_model: Callable[[Any], None] = lambda model: None
    """Takes away what that has added."""
    measured: Callable[[Tensor, Batch], Tensor] = lambda rows, batch: rows
    """What of the rows the metrics need, where all of them would not fit into memory."""
    read_questions: Callable[[Path, Reading], tuple[Sequence[Any], Sequence[int]]] | None = None
    """Reads a file of what a user asks, and the line of each question.

    Absent where ``run`` is not offered, as are the next two.
    """
    ask: Callable[[Sequence[Any], Reading], TaskData] | None = None
    """Turns what a user asks into examples without labels."""
    brief: Callable[[Any, Tensor, Mapping[str, Any]], Tensor] = lambda data, rows, options: rows
    """Of the examples, the rows of a batch and the arguments of ``answer``, what the answers need, where all rows would
    not fit into memory."""
    answer: Callable[..., list[Any]] | None = None
    """Turns these examples and what ``brief`` gave for all of them into one answer for each question."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Keyword arguments of ``answer`` with their defaults."""


def model_inputs(batch: Mapping[str, Any]) -> dict[str, Any]:
    """Drop what is not an argument of the model."""
    return {key: value for key, value in batch.items() if key not in TARGETS}


class Numbers(Dataset[int]):
    """The data set of a loader that collates from numbers; unlike a range, it hands padding (``~n``) on."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, number: int) -> int:
        return number
