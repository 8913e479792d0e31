"""Teacher outputs on disk: computed once, then used for any number of students.

The file is keyed by everything that could change an answer: the teacher's weights and configuration, the task and the
examples.
"""

import hashlib
import json
from pathlib import Path

import h5py
import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader
from tqdm import tqdm
from transformers import PreTrainedModel

from pmhc_distil.distillation.ensemble import Teacher
from pmhc_distil.distillation.task import Numbers, Task, TaskData
from pmhc_distil.errors import InputError
from pmhc_distil.sequences.files import atomic_path, check_destination

FORMAT_VERSION = 1
_NOT_OF_ANSWERS = ("_name_or_path", "architectures", "dtype", "teacher_layers", "torch_dtype", "transformers_version")
"""What of a configuration tells where a model comes from, and not what it answers."""


def weights_hash(model: nn.Module) -> str:
    """SHA-256 over the names, shapes and values of all weights, and over the configurations that tell their use."""
    digest = hashlib.sha256()
    configs = {id(part.config): part.config for part in model.modules() if isinstance(part, PreTrainedModel)}
    for config in configs.values():
        facts = {name: value for name, value in config.to_dict().items() if name not in _NOT_OF_ANSWERS}
        digest.update(json.dumps(facts, sort_keys=True, default=str).encode())
    for name, weight in sorted(model.state_dict().items()):
        digest.update(f"{name}{tuple(weight.shape)}{weight.dtype}".encode())
        digest.update(weight.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def cache_key(task: Task, teacher: Teacher, data: TaskData, *, half: bool = False) -> str:
    """Give the key under which the teacher's rows for these examples are stored."""
    facts = [
        FORMAT_VERSION,
        task.name,
        weights_hash(teacher),
        teacher.config.vocab_size,
        data.fingerprint(labels=False),
        *(["bfloat16"] if half else []),
    ]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def check_cacheable(task: Task, path: Path) -> None:
    """Refuse a task whose answers are not one row for each example, the same in every epoch, and a bad destination.

    Raises
    ------
    InputError
        If the task cannot be cached, or there can be no file at ``path``.
    """
    if not task.cacheable:
        raise InputError(
            f"teacher outputs of the task '{task.name}' are no fixed row for each example and cannot be cached",
            source=str(path),
            hint="leave the cache out: the teacher then runs live",
        )
    check_destination(path)


def check_cache(task: Task, path: Path) -> None:
    """Refuse, before a run begins, what :func:`teacher_rows` could not read or write.

    Raises
    ------
    InputError
        As :func:`check_cacheable`; or if what is at ``path`` is no teacher cache.
    """
    check_cacheable(task, path)
    if path.exists():
        _read(path, "")  # of no key: whatever it holds


def teacher_rows(
    task: Task,
    teacher: Teacher,
    data: TaskData,
    path: Path,
    *,
    batch_size: int,
    device: torch.device,
    half: bool = False,
) -> np.ndarray:
    """Read the teacher's rows for all examples, after computing them if ``path`` does not hold them yet.

    Parameters
    ----------
    task : Task
    teacher : PreTrainedModel or Ensemble
    data : TaskData
        The examples.
    path : Path
        HDF5 file; a file with another key is replaced.
    batch_size : int
        Examples per forward pass.
    device : torch.device
    half : bool
        Compute in mixed precision with bfloat16, as a live teacher does in a training that is so.

    Returns
    -------
    ndarray of float32, shape (examples, K)

    Raises
    ------
    InputError
        As :func:`check_cache`; or if there are no examples.
    """
    check_cacheable(task, path)
    key = cache_key(task, teacher, data, half=half)
    if path.exists():
        stored = _read(path, key)
        if stored is not None:
            return stored
    rows = _compute(task, teacher, data, batch_size, device, half)
    with atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
        file.attrs["key"] = key
        file.create_dataset("rows", data=rows)
    return rows


def _read(path: Path, key: str) -> np.ndarray | None:
    try:
        with h5py.File(path) as file:
            rows = file["rows"]
            return np.asarray(rows) if file.attrs["key"] == key else None
    except (OSError, KeyError) as error:
        raise InputError(
            "not a teacher cache, or a damaged one", source=str(path), hint="remove the file and run again"
        ) from error


def _compute(
    task: Task, teacher: Teacher, data: TaskData, batch_size: int, device: torch.device, half: bool
) -> np.ndarray:
    """Give the rows of all examples in their order."""
    teacher = teacher.eval().to(device)
    sampler = data.batches(batch_size, shuffle=False, seed=0)
    rows: np.ndarray | None = None
    loader = DataLoader(
        Numbers(len(data)), batch_sampler=sampler, collate_fn=lambda numbers: (numbers, data.collate(numbers))
    )
    for numbers, batch in tqdm(loader, desc="teacher", disable=None):
        batch = {name: tensor.to(device) for name, tensor in batch.items()}
        with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=half):
            part = task.rows(task.forward(teacher, batch), batch).float().cpu().numpy()
        if rows is None:
            rows = np.full((len(data), part.shape[1]), np.nan, dtype=np.float32)
        real = np.asarray(numbers) >= 0
        rows[np.asarray(numbers)[real]] = part[real]
    if rows is None:  # how wide a row is, only an example tells
        raise InputError("there are no examples to run the teacher on", source="train")
    return rows
