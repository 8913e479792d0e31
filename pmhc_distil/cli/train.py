"""``pmhc-distil pretrain``, ``finetune`` and ``distill``."""

import os
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from pmhc_distil.cli.options import SEEDS, with_options
from pmhc_distil.cli.recipes import named_recipe, read_recipe
from pmhc_distil.errors import InputError

FILE = click.Path(path_type=Path)
TASK_NAMES = (
    "binding",
    "text-classification",
    "token-classification",
    "question-answering",
    "fill-mask",
    "next-sentence",
    "regression",
)
"""Of ``pmhc_distil.tasks.TASKS``, which would load torch."""
TEXT_SIZES = {
    "max_position_embeddings",
    "hidden_dropout_prob",
    "attention_probs_dropout_prob",
    "embedding_size",
    "initializer_range",
    "max_relative_positions",
}
"""Settings of a new encoder of texts, beside those that it shares with the encoder of peptides."""


def common_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that all three commands share."""
    options = [
        click.option("--train", required=True, type=FILE, help="Training examples."),
        click.option("--validation", required=True, type=FILE, help="Examples to evaluate on after every epoch."),
        click.option("--test", type=FILE, help="Examples to evaluate the final model on."),
        click.option("-o", "--output", required=True, type=FILE, help="Run directory."),
        click.option("--recipe", type=FILE, help="YAML file of settings; the options below win over it."),
        click.option("--epochs", "num_train_epochs", type=click.FloatRange(min=0, min_open=True)),
        click.option(
            "--max-steps", type=click.IntRange(min=1), help="Stop after so many updates, whatever the epochs."
        ),
        click.option(
            "--batch-size",
            "per_device_train_batch_size",
            type=click.IntRange(min=1),
            help="Of a process; pairs of the task binding come in blocks of 32, of which as many as fit, at least one.",
        ),
        click.option("--eval-batch-size", "per_device_eval_batch_size", type=click.IntRange(min=1)),
        click.option("--learning-rate", type=click.FloatRange(min=0)),
        click.option("--seed", type=SEEDS),
        click.option("--bf16/--no-bf16", default=None, help="Mixed precision."),
        click.option("--cpu", "use_cpu", is_flag=True, default=None, help="Do not use a GPU."),
        click.option("--max-seq-length", type=int, help="Longest example in tokens, by default the model's."),
        click.option(
            "--doc-stride",
            type=int,
            help="Tokens that pieces of a long context share; by default 128, a quarter of the length at most.",
        ),
        click.option("--threads", type=click.IntRange(min=1), help="CPU threads."),
        click.option("--resume", is_flag=True, help="Continue from the last checkpoint in the run directory."),
    ]
    return with_options(options, command)


def task_option(default: str, names: tuple[str, ...]) -> Callable[[Any], Any]:
    """Add the choice of a task."""
    return click.option("--task", type=click.Choice(names), default=default, show_default=True)


@click.command()
@common_options
@task_option("fill-mask", ("fill-mask", "next-sentence"))
@click.option("--model", help="Model to train on: a folder, or a name on the hub. Without it a new encoder is trained.")
@click.option("--vocabulary", help="For a new encoder of texts: a file of word pieces, or 'residues'.")
def pretrain(task: str, model: str | None, vocabulary: str | None, **options: Any) -> None:
    """Train an encoder on texts without labels, or on a FASTA of proteins.

    The recipe may hold the sizes of a new encoder (hidden_size, num_hidden_layers, ...), and as model_type pmhc (for
    peptides; the default), bert, roberta, electra, distilbert or deberta-v2.  Texts: one a line, or the column
    'text' of a table.

    \b
    Examples:
      pmhc-distil pretrain --train proteins.fasta --validation held_out.fasta \\
        --recipe recipes/pretrain.yaml -o runs/pretrained
      pmhc-distil pretrain --train reviews.txt --validation held_out.txt --vocabulary vocab.txt \\
        --recipe recipes/english/pretrain.yaml -o runs/english
    """
    settings = _settings(options, model)
    _run(task, "pretrain", settings, _start(task, model, vocabulary, settings))


@click.command()
@common_options
@task_option("binding", TASK_NAMES)
@click.option("--model", help="Encoder to start from: a folder, or a name on the hub; random weights without it.")
@click.option("--vocabulary", help="For random weights, texts: a file of word pieces, or 'residues'.")
def finetune(task: str, model: str | None, vocabulary: str | None, **options: Any) -> None:
    """Train a model on labelled examples: peptide-HLA pairs, or those of another task.

    \b
    Examples:
      pmhc-distil finetune --model runs/pretrained --train runs/data/train.csv.gz \\
        --validation runs/data/validation.csv.gz --recipe recipes/finetune.yaml -o runs/teacher
      pmhc-distil finetune --task text-classification --model runs/english --train train.tsv \\
        --validation dev.tsv --epochs 3 --learning-rate 1e-4 -o runs/sentiment
    """
    settings = _settings(options, model)
    _run(task, "finetune", settings, _start(task, model, vocabulary, settings))


@click.command()
@common_options
@task_option("binding", TASK_NAMES)
@click.option(
    "--teacher",
    "teachers",
    required=True,
    multiple=True,
    help="Model to learn from: a folder, or a name on the hub. Repeatable: their answers are averaged.",
)
@click.option(
    "--teacher-of-new-alleles",
    "further",
    multiple=True,
    help="One whose answers join the mean only for alleles of which the table measures nothing. Repeatable.",
)
@click.option("--layers", help="Teacher layers that the student keeps: distilbert, alternate, first, last, or 0,2,4.")
@click.option("--student", help="Start from this student, made before, instead of from layers of the teacher.")
@click.option("--cache", type=FILE, help="HDF5 file for the teacher's predictions; without it the teacher runs live.")
@click.option("--no-teacher", is_flag=True, help="Train the same halved student on labels alone, for comparison.")
def distill(
    task: str,
    teachers: tuple[str, ...],
    further: tuple[str, ...],
    student: str | None,
    cache: Path | None,
    no_teacher: bool,
    layers: str | None,
    **options: Any,
) -> None:
    """Halve a teacher and train the student to follow it.

    With --task fill-mask the student follows a pretrained teacher on texts, to be fine-tuned afterwards; with another
    task it follows a teacher fine-tuned on that.  Of several teachers the first gives its layers and hidden states.

    \b
    Examples:
      pmhc-distil distill --teacher runs/teacher --train runs/data/train.csv.gz \\
        --validation runs/data/validation.csv.gz --recipe recipes/distill.yaml -o runs/student
      pmhc-distil distill --task text-classification --teacher runs/sentiment --train train.tsv \\
        --validation dev.tsv --recipe recipes/english/distill.yaml -o runs/small_sentiment
    """
    settings = _settings(options, student, *teachers, *further)
    needless = {"--cache": cache, "--teacher": (*teachers, None)[1], "--teacher-of-new-alleles": (*further, None)[0]}
    for option, value in needless.items():
        if no_teacher and value is not None:
            hint = "give one --teacher, for its layers, and neither --cache nor --teacher-of-new-alleles"
            raise InputError("nobody asks it with --no-teacher", source=option, value=value, hint=hint)
    if cache and further:
        hint = "leave --cache out: the teachers then run live"
        raise InputError("the answers of all pairs are cached, not of some", source="--cache", value=cache, hint=hint)
    _refuse_sizes(settings.pop("sizes"), "the sizes of the student come from the teacher")
    of_recipe = settings["values"].pop("layers", "distilbert")
    choice = of_recipe if layers is None else layers
    weights = ("alpha_soft", "alpha_cosine", "alpha_hidden")
    if not no_teacher and not any(settings["values"].get(name) for name in weights):
        raise InputError(
            "no loss compares the student with the teacher",
            source="--recipe",
            hint=f"set one of {', '.join(weights)}, as in recipes/distill.yaml, or use --no-teacher",
        )
    if no_teacher:
        settings["values"] |= {"alpha_soft": 0.0, "alpha_cosine": 0.0, "alpha_hidden": 0.0, "alpha_hard": 1.0}
    from pmhc_distil.distillation.start import from_teacher
    from pmhc_distil.tasks import TASKS

    teacher, *others = teachers
    start = from_teacher(
        TASKS[task], teacher, choice, others=others, further=further, student=student, taught=not no_teacher
    )
    kept = ", ".join(f"{own} <- {layer}" for own, layer in enumerate(start.layers or []))
    click.echo(f"student layers <- teacher layers: {kept}", err=True)
    _run(task, "distill", settings, start, cache=cache)


def _start(task: str, model: str | None, vocabulary: str | None, settings: dict[str, Any]) -> Any:
    """Start from a model, or without one from random weights of the sizes in the settings."""
    sizes = settings.pop("sizes")
    architecture = settings["values"].pop("model_type", None)
    if "layers" in settings["values"]:
        hint = "only distill takes layers of a teacher"
        raise InputError("is of no use here", source="--recipe", column="layers", hint=hint)
    if model is not None:
        given = sizes if architecture is None else {"model_type": architecture, **sizes}
        _refuse_sizes(given, "the sizes of the encoder come from the model")
        if vocabulary is not None:
            raise InputError("the vocabulary comes from the model", source="--vocabulary", value=vocabulary)
    from pmhc_distil.distillation.start import from_model, from_scratch
    from pmhc_distil.tasks import TASKS

    if model is not None:
        return from_model(TASKS[task], model)
    return from_scratch(TASKS[task], architecture or "pmhc", vocabulary, sizes)


def _refuse_sizes(sizes: dict[str, Any], reason: str) -> None:
    if sizes:
        raise InputError(reason, source="--recipe", value=", ".join(sizes))


def _settings(options: dict[str, Any], *models: str | None) -> dict[str, Any]:
    """Join recipe and options: ``values`` are the settings of the run, ``sizes`` those of a new encoder.

    ``models`` are what the run reads, and must not be written over.
    """
    recipe = options.pop("recipe")
    places = {name: options.pop(name) for name in ("train", "validation", "test", "output", "resume", "threads")}
    for name in ("train", "validation", "test"):
        if places[name] is not None and not places[name].is_file():
            reason = "not a file that can be read twice" if places[name].exists() else "there is no such file"
            raise InputError(reason, source=f"--{name}", value=places[name])
    from pmhc_distil.sequences.files import check_not_input

    check_not_input(places["output"], *models)
    for path in filter(None, (places["train"], places["validation"], places["test"], recipe)):
        if path.parent.resolve() == places["output"].resolve():
            reason = f"the run folder holds what the run reads, {path.name}"
            raise InputError(reason, source=str(places["output"]), hint="choose another folder")
    from pmhc_distil.distillation.settings import SETTINGS, check_settings
    from pmhc_distil.models.shape import EncoderShape

    known = SETTINGS | {"max_seq_length", "doc_stride", "layers", "model_type"}
    shape = {field.name for field in fields(EncoderShape)} | TEXT_SIZES
    given = {name: value for name, value in options.items() if value is not None}
    check_settings(given)
    values = (read_recipe(recipe, known | shape) if recipe else {}) | given
    with named_recipe(recipe):
        check_settings(values)
    sizes = {name: values.pop(name) for name in shape & set(values)}
    return {**places, "recipe": recipe, "values": values, "sizes": sizes}


def _run(task: str, command: str, settings: dict[str, Any], start: Any, cache: Path | None = None) -> None:
    """Train, and print the metrics of the final model."""
    import torch

    from pmhc_distil.distillation.record import RunRequest
    from pmhc_distil.distillation.run import run
    from pmhc_distil.tasks import TASKS

    if threads := settings.pop("threads"):
        torch.set_num_threads(threads)
    recipe, values = settings.pop("recipe"), settings.pop("values")
    request = RunRequest(task=TASKS[task], command=command, settings=values, cache=cache, **settings)
    with named_recipe(recipe):
        metrics = run(request, start)
    if int(os.environ.get("RANK", "0")) == 0:  # of several processes, one tells
        click.echo(", ".join(f"{name} {value:.4f}" for name, value in metrics.items()))
