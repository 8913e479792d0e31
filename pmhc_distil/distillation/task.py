"""What the core knows of a task: how tables become batches, and on which rows teacher and student must agree."""

from collections.abc import Callable, Iterable, Mapping, Sized
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from torch import Tensor
from torch.utils.data import Dataset
from transformers import PreTrainedModel
from transformers.utils import ModelOutput

Batch = dict[str, Tensor]
Link = Literal["sigmoid", "softmax"]

TARGETS = frozenset({"labels", "teacher_rows"})
"""Keys of a batch that are not arguments of the model."""


class TaskData(Protocol):
    """Examples of a task, read once and addressed by number."""

    def __len__(self) -> int:
        """Give the number of examples."""
        ...

    def batches(self, batch_size: int, *, shuffle: bool, seed: int) -> "BatchSampler":
        """Give the example numbers of every batch of an epoch; ``~n`` stands for padding, a copy of example n."""
        ...

    def collate(self, numbers: list[int]) -> Batch:
        """Build one batch."""
        ...

    def fingerprint(self) -> str:
        """Give a SHA-256 of everything that the model will see."""
        ...


class BatchSampler(Iterable[list[int]], Sized, Protocol):
    """Batches of example numbers; a new order for every epoch."""

    def set_epoch(self, epoch: int) -> None:
        """Choose the order."""
        ...


@dataclass(frozen=True)
class Task:
    """A record of the functions that join tables to models.

    ``rows`` is applied unchanged to the outputs of the teacher and of the student, so that one soft loss serves every
    task: it gives a tensor (N, K), to be read through ``link`` (K independent probabilities, or one distribution).
    """

    name: str
    model_class: type[PreTrainedModel]
    read: Callable[..., TaskData]
    link: Link
    rows: Callable[[ModelOutput, Batch], Tensor]
    hard_loss: Callable[[ModelOutput, Batch], Tensor]
    targets: Callable[[Batch], Tensor]
    """Labels of the rows of a batch, (N, M), for ``metrics``."""
    metrics: Callable[[np.ndarray, np.ndarray], dict[str, float]]
    best_metric: str
    cacheable: bool
    """Whether the teacher's answer for an example is the same in every epoch."""
    pipeline_tag: str


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
