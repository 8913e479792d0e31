"""A training run: model, tables and settings in, a run directory out.

The directory holds the model and its tokenizer, ``metrics.csv`` (one line per epoch), ``recipe.yaml`` (every setting),
and a model card.
"""

import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from safetensors.torch import load_model
from tqdm import tqdm
from transformers import PreTrainedModel, set_seed
from transformers.utils import CONFIG_NAME, SAFE_WEIGHTS_NAME
from transformers.utils.logging import disable_progress_bar

from pmhc_distil.distillation.cache import check_cache, teacher_rows
from pmhc_distil.distillation.card import write_card
from pmhc_distil.distillation.checkpoints import (
    METRICS_FILE,
    TEST_FILE,
    check_clearable,
    final_state,
    last_checkpoint,
)
from pmhc_distil.distillation.ensemble import Teacher
from pmhc_distil.distillation.epochs import EpochTable, epoch_rows, measured, write_epochs
from pmhc_distil.distillation.facts import training_facts
from pmhc_distil.distillation.record import RunRequest, begin_run, recorded
from pmhc_distil.distillation.settings import effective, training_arguments, without_emulation
from pmhc_distil.distillation.start import Start
from pmhc_distil.distillation.task import Reading, Task, TaskData
from pmhc_distil.distillation.trainer import DistillationArguments, DistilTrainer, check_losses, check_metric
from pmhc_distil.errors import InputError
from pmhc_distil.sequences.files import check_folder
from pmhc_distil.sequences.prepared import REPORT_FILE


def run(request: RunRequest, start: Start) -> dict[str, float]:
    """Read the tables, train, evaluate after every epoch, and write the run directory.

    Parameters
    ----------
    request : RunRequest
    start : Start

    Returns
    -------
    dict
        Metrics of the final model, on the test data if there are any, else on the validation data.

    Raises
    ------
    InputError
        If the folder or the cache cannot be written, a table cannot be read or has no examples, a setting cannot be
        used, or the run that is to be resumed depended on something else.
    """
    check_folder(request.output)
    if not request.resume:
        check_clearable(request.output)
    task, settings = request.task, dict(request.settings)
    if request.cache is not None:
        check_cache(task, request.cache)
    given: dict[str, Any] = {name: settings.pop(name) for name in ("max_seq_length", "doc_stride") if name in settings}
    reading, tables = _read(request, start, given)
    train, validation = tables["train"], tables["validation"]
    settings, notes = without_emulation(settings)
    arguments = training_arguments(request.output, settings)
    measures = task.measures(validation)
    check_metric(arguments.metric_for_best_model, measures)
    if not sys.stderr.isatty():
        disable_progress_bar()  # of what is saved
    set_seed(arguments.seed)
    model, teacher = start.build(train.classes)
    cache = None if teacher is None else request.cache
    check_losses(arguments, model, teacher, cached=cache is not None)
    _check_taught(request, start, arguments, train, taught=teacher is not None)
    if arguments.device.type == "cpu":
        # The fused kernel takes several times as long backwards on a processor.
        for each in filter(None, (model, teacher)):
            each.set_attn_implementation("eager")
    record = recorded(request, start, tables, model, teacher, arguments)
    record["settings"] = {**effective(arguments), **settings, **_read_as(task, reading)}
    facts, ours, told = training_facts(request.train, start.sources)
    notes += told
    data_recipe = _data_recipe(request.train) if ours else {}
    with arguments.main_process_first(local=False, desc="recipe"):
        begin_run(request, record)
    if cache is not None and getattr(model.config, "groove_dropout", None):
        notes.append("the teacher's cached answers are to whole grooves, so none of their residues are hidden")
    if arguments.process_index == 0:
        for note in notes:
            tqdm.write(note, file=sys.stderr)
    # Hidden states are not cached, and a teacher whose answers are has nothing else to tell.
    rows = None if cache is None or teacher is None else _cached_rows(cache, task, teacher, train, arguments)
    task.prepare_model(model, train)
    trainer = DistilTrainer(
        task,
        model,
        arguments,
        train,
        validation,
        teacher=teacher if rows is None else None,
        teacher_rows=rows,
        callbacks=[EpochTable(request.output / METRICS_FILE, measures)],
    )
    begun = last_checkpoint(request.output) if request.resume else None
    epochs, kept = _train(trainer, begun, measures)
    settled = task.settle(validation, lambda: trainer.predict(validation).predictions) if task.settle else {}
    tested = {}
    if "test" in tables:
        for name, value in settled.items():
            setattr(tables["test"], name, value)
        tested = _test(trainer, tables["test"], request.output)
    if trainer.is_world_process_zero():
        model = trainer.accelerator.unwrap_model(trainer.model)
        task.strip_model(model)
        model.config.update({**settled, **_read_as(task, reading)})
        save_model(model, request.output)
        start.tokenizer.save_pretrained(request.output)
        # What `pmhc-distil hla explain` and `evaluate` tell about the training data.
        if facts is not None:
            facts.write(request.output)
        write_card(
            request.output,
            task,
            model.config,
            record,
            epochs,
            tested,
            settled,
            kept=kept if _best(trainer) else None,
            data_recipe=data_recipe,
        )
    return tested or {key: value for key, value in epochs[kept].items() if key not in ("epoch", "step")}


def _read(request: RunRequest, start: Start, given: Mapping[str, Any]) -> tuple[Reading, dict[str, TaskData]]:
    """Read the tables ``train``, ``validation`` and perhaps ``test``; `given` is what the settings say of reading."""
    task = request.task
    if "doc_stride" in given and not task.strided:
        raise InputError(f"no setting of the task {task.name}", source="doc_stride", value=given["doc_stride"])
    reading = Reading.within(start.longest, start.tokenizer, classes=start.classes, **given)
    reading = replace(reading, order=start.order)
    tables = {"train": task.read(request.train, replace(reading, taught=start.teachers is not None))}
    # What the training table names counts for all.
    reading = replace(reading, classes=tables["train"].classes)
    tables["validation"] = task.read(request.validation, reading)
    if request.test is not None:
        tables["test"] = task.read(request.test, reading)
    for name, table in tables.items():
        if not len(table):
            raise InputError("there are no examples", source=str(getattr(request, name)))
    return reading, tables


def _check_taught(
    request: RunRequest, start: Start, arguments: DistillationArguments, train: TaskData, *, taught: bool
) -> None:
    """Refuse a training table of which there is nothing to learn, or nothing for teachers of new alleles to answer."""
    if getattr(train, "unlabelled", 0) == len(train) and (not taught or arguments.alpha_hard):
        hint = "set alpha_hard to 0" if taught else "only a student with a teacher learns from such rows"
        raise InputError("no row has a label or an affinity", source=str(request.train), hint=hint)
    if start.further and getattr(train, "new", None) is None:
        hint = "add some with `pmhc-distil data unlabelled`, or leave --teacher-of-new-alleles out"
        raise InputError("every allele has a label or an affinity", source=str(request.train), hint=hint)


def _cached_rows(cache: Path, task: Task, teacher: Teacher, train: TaskData, arguments: DistillationArguments) -> Any:
    """Give the teacher's answers to the training table; hidden states are not cached."""
    with arguments.main_process_first(local=False, desc="teacher"):  # the others read what it has written
        return teacher_rows(
            task,
            teacher,
            train,
            cache,
            batch_size=arguments.per_device_eval_batch_size,
            device=arguments.device,
            half=arguments.bf16,
        )


def _train(trainer: DistilTrainer, begun: Path | None, measures: Sequence[str]) -> tuple[list[dict[str, Any]], int]:
    """Train to the end, from a checkpoint if the run has begun, and leave in the model what the run ends with.

    Returns the metrics of every epoch and the number of the one whose weights are kept, as :func:`_kept`.
    """
    done = final_state(begun) if begun else None
    if done is None:
        trainer.train(resume_from_checkpoint=str(begun) if begun else None)
    else:  # after a part of an epoch the Trainer would take a step more
        trainer.state = done
    epochs = epoch_rows(trainer.state.log_history, measures)
    kept = _kept(trainer, epochs)
    if begun and done:
        load_model(trainer.model, _best(trainer) or begun / SAFE_WEIGHTS_NAME)
    return epochs, kept


def _kept(trainer: DistilTrainer, epochs: list[dict[str, Any]]) -> int:
    """Give the number of the row of the epoch whose weights the run ends with: the last, unless the best is loaded.

    Raises
    ------
    InputError
        If its checkpoint is not where it was written, so that the Trainer could not load it.
    """
    best = _best(trainer)
    if best is None:
        if trainer.args.load_best_model_at_end and trainer.is_world_process_zero():
            metric = trainer.args.metric_for_best_model
            tqdm.write(f"{metric} is no number in any epoch: the weights of the last are kept", file=sys.stderr)
        return len(epochs) - 1
    if not best.is_file():
        raise InputError(
            "the weights of the best epoch are not there any more",
            source=str(best.parent),
            hint="put the run folder back where it was and continue with --resume, or begin anew",
        )
    step = int(best.parent.name.rpartition("-")[2])
    return next(number for number, row in enumerate(epochs) if row["step"] == step)


def _best(trainer: DistilTrainer) -> Path | None:
    """Give the weights of the best epoch, if the run is to end with these, and one was the best."""
    best = trainer.state.best_model_checkpoint
    return Path(best) / SAFE_WEIGHTS_NAME if trainer.args.load_best_model_at_end and best else None


def _read_as(task: Task, reading: Reading) -> dict[str, Any]:
    """Give what a run depends on of how texts are read; a task on peptides has no choice."""
    if not task.ask:
        return {}
    return {"max_seq_length": reading.max_seq_length, **({"doc_stride": reading.stride} if task.strided else {})}


def _test(trainer: DistilTrainer, data: TaskData, output: Path) -> dict[str, float]:
    """Measure the final model on test data and write :data:`TEST_FILE`."""
    found = measured(trainer.evaluate(data, metric_key_prefix="test"), "test_")
    if trainer.is_world_process_zero():
        write_epochs([found], output / TEST_FILE)
    return found


def _data_recipe(train: Path) -> dict[str, Any]:
    """Give the settings that the training table was made with, if the report beside it tells."""
    try:
        report = json.loads((train.parent / REPORT_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    recipe = report.get("recipe", {}) if isinstance(report, dict) else {}
    return recipe if isinstance(recipe, dict) else {}


def save_model(model: PreTrainedModel, folder: Path) -> None:
    """Save the weights in half precision, as they are shipped and loaded.

    Parameters
    ----------
    model : PreTrainedModel
        Its weights become what half precision leaves of them.
    folder : Path
        Gets ``model.safetensors`` and ``config.json``.

    Raises
    ------
    InputError
        If one of them is no number, or too large for half precision.
    """
    if not all(weight.isfinite().all() for weight in model.half().parameters()):
        hint = "a lower learning rate, or a lower weight decay, may help"
        raise InputError("the weights have grown beyond half precision", source=str(folder), hint=hint)
    model.save_pretrained(folder)
    # Safetensors leaves its files to their owner alone, whatever the umask.
    shutil.copymode(folder / CONFIG_NAME, folder / SAFE_WEIGHTS_NAME)
    model.float()
