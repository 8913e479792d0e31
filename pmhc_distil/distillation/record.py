"""What a run depends on, written down before it begins; one that depended on something else is not continued."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
from transformers import PreTrainedModel

from pmhc_distil.distillation.cache import weights_hash
from pmhc_distil.distillation.card import CARD_FILE
from pmhc_distil.distillation.checkpoints import RECIPE_FILE, check_clearable, clear, last_checkpoint
from pmhc_distil.distillation.ensemble import Teacher
from pmhc_distil.distillation.start import Start
from pmhc_distil.distillation.task import Task, TaskData
from pmhc_distil.distillation.trainer import DistillationArguments
from pmhc_distil.errors import InputError
from pmhc_distil.sequences.files import create_folder, write_text
from pmhc_distil.sequences.text_files import open_text, text_digest


@dataclass(frozen=True)
class RunRequest:
    """Everything that a run depends on."""

    task: Task
    command: str
    """``pretrain``, ``finetune`` or ``distill``."""
    train: Path
    validation: Path
    output: Path
    settings: dict[str, Any]
    """Fields of :class:`DistillationArguments`, ``max_seq_length`` and ``doc_stride``."""
    test: Path | None = None
    """Measured once, at the end."""
    cache: Path | None = None
    resume: bool = False


def recorded(
    request: RunRequest,
    start: Start,
    tables: dict[str, TaskData],
    model: PreTrainedModel,
    teacher: Teacher | None,
    arguments: DistillationArguments,
) -> dict[str, Any]:
    """Give what the run depends on, but for its settings.

    Parameters
    ----------
    request : RunRequest
    start : Start
    tables : dict of str to TaskData
        ``train``, ``validation`` and perhaps ``test``, as they were read.
    model, teacher : PreTrainedModel
        Before the training; the teacher may be an Ensemble, or None.
    arguments : DistillationArguments
    """
    return {
        "command": request.command,
        "task": request.task.name,
        **{name: _described(getattr(request, name), table) for name, table in tables.items()},
        # What the metrics read may be more than a model sees.
        "validation_digest": _digest(request.validation, tables["validation"]),
        **({} if request.test is None else {"test_digest": _digest(request.test, tables["test"])}),
        "teachers": list(start.teachers) if start.teachers else None,
        "teachers_of_new_alleles": list(start.further) if start.further else None,
        "teacher_weights": None if teacher is None else weights_hash(teacher),
        "begun_from": start.begun_from,
        "begun_weights": None if start.begun_from is None else weights_hash(model),
        "layers": start.layers,
        "sizes": start.sizes,
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "device": str(arguments.device),
        "threads": torch.get_num_threads(),
        "processes": arguments.world_size,
    }


def _described(path: Path, data: TaskData) -> dict[str, Any]:
    """Give the name of a table, how many examples it has, how many of them only a teacher answers, and their hash."""
    examples = getattr(data, "texts", len(data))  # of which some are cut into pieces
    unlabelled = getattr(data, "unlabelled", 0)
    return {
        "file": path.name,
        "examples": examples,
        **({"unlabelled": unlabelled} if unlabelled else {}),
        "fingerprint": data.fingerprint(),
    }


def _digest(path: Path, data: TaskData) -> str:
    """Give a hash by which a test is known, however it is read; of what cannot be read twice, that of the examples."""
    if not path.is_file():
        return data.fingerprint()
    with open_text(path) as stream:
        return text_digest(stream)


def begin_run(request: RunRequest, record: dict[str, Any]) -> None:
    """Write down what the run depends on, and remove what an earlier run has left unless it is resumed.

    Parameters
    ----------
    request : RunRequest
    record : dict
        Of :func:`recorded`, with the ``settings``.

    Raises
    ------
    InputError
        If the run that is to be resumed depended on something else, or an earlier one cannot be removed.
    """
    path = request.output / RECIPE_FILE
    begun = request.resume and last_checkpoint(request.output)
    if not begun:
        check_clearable(request.output)
    # One that ended is not replaced by another only because its checkpoints are gone.
    if begun or (request.resume and (request.output / CARD_FILE).exists()):
        # What earlier versions did not write down.
        later = ("begun_from", "begun_weights", "test_digest", "validation_digest", "layers", "sizes")
        before = {"processes": 1, **{key: record[key] for key in later if key in record}} | _record_of(path)
        changed = [key for key in record if key not in ("device", "threads") and before.get(key) != record[key]]
        if changed:
            raise InputError(
                f"the run to resume had other {', '.join(changed)}",
                source=str(request.output),
                hint="leave out --resume, or choose another folder",
            )
    if not begun:
        clear(request.output)
    create_folder(request.output)
    write_text(path, yaml.safe_dump(record, sort_keys=False))


def _record_of(path: Path) -> dict[str, Any]:
    """Read what the run that is to be continued depended on."""
    try:
        record = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        record = None
    if not isinstance(record, dict):
        hint = "remove the folder, or choose another"
        raise InputError("does not tell what the run to resume depended on", source=str(path), hint=hint)
    return record
