"""``pmhc-distil pretrain``, ``finetune`` and ``distill``."""

from collections.abc import Callable
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import click

from pmhc_distil.cli.recipes import read_recipe
from pmhc_distil.errors import InputError

FILE = click.Path(path_type=Path)


def common_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that all three commands share."""
    options = [
        click.option("--train", required=True, type=FILE, help="Training examples."),
        click.option("--validation", required=True, type=FILE, help="Examples to evaluate on after every epoch."),
        click.option("-o", "--output", required=True, type=FILE, help="Run directory."),
        click.option("--recipe", type=FILE, help="YAML file of settings; the options below win over it."),
        click.option("--epochs", "num_train_epochs", type=float),
        click.option("--max-steps", type=int, help="Stop after so many batches, whatever the epochs."),
        click.option("--batch-size", "per_device_train_batch_size", type=int),
        click.option("--learning-rate", type=float),
        click.option("--seed", type=int),
        click.option("--bf16/--no-bf16", default=None, help="Mixed precision."),
        click.option("--cpu", "use_cpu", is_flag=True, default=None, help="Do not use a GPU."),
        click.option("--threads", type=click.IntRange(min=1), help="CPU threads."),
        click.option("--resume", is_flag=True, help="Continue from the last checkpoint in the run directory."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@click.command()
@common_options
@click.option("--max-seq-length", type=int, help="Longest window of a protein, in residues.")
def pretrain(**options: Any) -> None:
    """Train a new encoder by masked-LM on a FASTA of proteins.

    The recipe may hold the sizes of the encoder (hidden_size, num_hidden_layers, ...).

    \b
    Example:
      pmhc-distil pretrain --train proteins.fasta --validation held_out.fasta \\
        --recipe recipes/pretrain.yaml -o runs/pretrained
    """
    from pmhc_distil.models.hf.configuration import PMHCConfig
    from pmhc_distil.models.hf.modeling import PMHCForMaskedLM

    settings = _settings(options)
    _run("masked-lm", "pretrain", settings, lambda shape: PMHCForMaskedLM(PMHCConfig(**shape)))


@click.command()
@common_options
@click.option("--model", "model", type=FILE, help="Pretrained encoder to start from; random weights without it.")
def finetune(model: Path | None, **options: Any) -> None:
    """Train a binding model on labelled peptide-HLA pairs.

    \b
    Example:
      pmhc-distil finetune --model runs/pretrained --train runs/data/train.csv.gz \\
        --validation runs/data/validation.csv.gz --recipe recipes/finetune.yaml -o runs/teacher
    """
    from pmhc_distil.models.hf.configuration import PMHCConfig
    from pmhc_distil.models.hf.loading import load_model
    from pmhc_distil.models.hf.modeling import PMHCForSequenceClassification

    def start(shape: dict[str, Any]) -> Any:
        if model is None:
            return PMHCForSequenceClassification(PMHCConfig(**shape))
        if shape:
            raise InputError("the sizes of the encoder come from the model", source="--recipe", value=", ".join(shape))
        return load_model(PMHCForSequenceClassification, model, new_head=True)

    _run("binding", "finetune", _settings(options), start)


@click.command()
@common_options
@click.option("--task", type=click.Choice(["binding", "masked-lm"]), default="binding", show_default=True)
@click.option("--teacher", required=True, type=FILE, help="Model to learn from.")
@click.option("--layers", help="Teacher layers that the student keeps: distilbert, alternate, first, last, or 0,2,4.")
@click.option("--cache", type=FILE, help="HDF5 file for the teacher's predictions; without it the teacher runs live.")
@click.option("--no-teacher", is_flag=True, help="Train the same halved student on labels alone, for comparison.")
@click.option("--max-seq-length", type=int, help="Longest window of a protein, in residues (masked-lm).")
def distill(task: str, teacher: Path, cache: Path | None, no_teacher: bool, layers: str | None, **options: Any) -> None:
    """Halve a teacher and train the student to follow it.

    \b
    Example:
      pmhc-distil distill --teacher runs/teacher --train runs/data/train.csv.gz \\
        --validation runs/data/validation.csv.gz --recipe recipes/distill.yaml -o runs/student
    """
    from pmhc_distil.distillation.halve import choose_layers, halve
    from pmhc_distil.models.hf.loading import load_model
    from pmhc_distil.tasks import TASKS

    settings = _settings(options)
    choice = layers or settings["values"].pop("layers", "distilbert")
    settings["values"].pop("layers", None)
    parent = load_model(TASKS[task].model_class, teacher)
    kept = choose_layers(parent.config.num_hidden_layers, choice)
    click.echo(f"student layers <- teacher layers: {', '.join(f'{i} <- {j}' for i, j in enumerate(kept))}", err=True)
    weights = ("alpha_soft", "alpha_cosine", "alpha_hidden")
    if not no_teacher and not any(settings["values"].get(name) for name in weights):
        raise InputError(
            "no loss compares the student with the teacher",
            source="--recipe",
            hint=f"set one of {', '.join(weights)}, as in recipes/distill.yaml, or use --no-teacher",
        )
    if no_teacher:
        settings["values"] |= {"alpha_soft": 0.0, "alpha_cosine": 0.0, "alpha_hidden": 0.0, "alpha_hard": 1.0}

    def start(shape: dict[str, Any]) -> Any:
        if shape:
            raise InputError(
                "the sizes of the student come from the teacher", source="--recipe", value=", ".join(shape)
            )
        return halve(parent, kept)

    _run(task, "distill", settings, start, teacher=None if no_teacher else parent, cache=cache)


def _settings(options: dict[str, Any]) -> dict[str, Any]:
    """Join recipe and options; ``values`` are the settings of the Trainer and the sizes of the encoder."""
    recipe = options.pop("recipe")
    places = {name: options.pop(name) for name in ("train", "validation", "output", "resume", "threads")}
    for name in ("train", "validation"):
        if not places[name].is_file():
            raise InputError("there is no such file", source=f"--{name}", value=places[name])
    from pmhc_distil.distillation.settings import FIXED_SETTINGS, check_settings
    from pmhc_distil.distillation.trainer import DistillationArguments
    from pmhc_distil.models.shape import EncoderShape

    known = {field.name for kind in (DistillationArguments, EncoderShape) for field in fields(kind)} - FIXED_SETTINGS
    values = read_recipe(recipe, known | {"max_seq_length", "layers"}) if recipe else {}
    values |= {name: value for name, value in options.items() if value is not None}
    check_settings(values)
    return {**places, "values": values}


def _run(
    task: str,
    command: str,
    settings: dict[str, Any],
    start: Callable[[dict[str, Any]], Any],
    teacher: Any = None,
    cache: Path | None = None,
) -> None:
    """Build the model, train it and print the metrics of the last epoch."""
    import torch
    from transformers import set_seed

    from pmhc_distil.distillation.run import RunRequest, run
    from pmhc_distil.models.shape import EncoderShape
    from pmhc_distil.tasks import TASKS

    values = settings.pop("values")
    if threads := settings.pop("threads"):
        torch.set_num_threads(threads)
    set_seed(values.get("seed", 42))
    sizes = set(asdict(EncoderShape()))
    model = start({name: values.pop(name) for name in sizes & set(values)})
    request = RunRequest(task=TASKS[task], command=command, settings=values, cache=cache, **settings)
    metrics = run(request, model, teacher)
    click.echo(", ".join(f"{name} {value:.4f}" for name, value in metrics.items()))
