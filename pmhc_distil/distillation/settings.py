"""The settings of a run: what a recipe may hold, and the training arguments made of it."""

import math
import sys
import types
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

import torch
from transformers import SchedulerType

from pmhc_distil.distillation.checkpoints import CHECKPOINTS
from pmhc_distil.distillation.trainer import DistillationArguments
from pmhc_distil.errors import InputError

_SCALARS = {bool, int, float, str, type(None)}

SETTINGS = {
    *("num_train_epochs", "max_steps", "per_device_train_batch_size", "per_device_eval_batch_size"),
    *("gradient_accumulation_steps", "learning_rate", "muon_learning_rate", "lr_scheduler_type", "warmup_steps"),
    *("weight_decay", "adam_beta1", "adam_beta2", "adam_epsilon", "max_grad_norm", "bf16", "fp16", "tf32", "use_cpu"),
    *("seed", "save_strategy", "save_steps", "logging_steps", "load_best_model_at_end", "metric_for_best_model"),
    *("greater_is_better", "dataloader_pin_memory", "ddp_backend", "ddp_timeout"),
    *("alpha_hard", "alpha_soft", "alpha_cosine", "alpha_hidden", "temperature"),
}
"""Training arguments that a recipe may hold: those that do here what they say."""
_CHOICES = {
    "lr_scheduler_type": (
        "linear",
        "cosine",
        "cosine_with_restarts",
        "constant",
        "constant_with_warmup",
        "inverse_sqrt",
    ),
    "save_strategy": ("no", "epoch", "steps"),
    "ddp_backend": ("gloo", "nccl", "mpi", "ccl", "hccl", "cncl", "mccl"),
}
_POSITIVE = {"num_train_epochs", "temperature", "adam_epsilon", "save_steps", "logging_steps"}
_BELOW_ONE = {"adam_beta1", "adam_beta2"}
_LEAST = {
    "per_device_train_batch_size": 1,
    "per_device_eval_batch_size": 1,
    "gradient_accumulation_steps": 1,
    "seed": 0,
    "learning_rate": 0,
    "muon_learning_rate": 0,
    "weight_decay": 0,
    "warmup_steps": 0,
    "max_grad_norm": 0,
    "alpha_hard": 0,
    "alpha_soft": 0,
    "alpha_cosine": 0,
    "alpha_hidden": 0,
    "adam_beta1": 0,
    "adam_beta2": 0,
}
LARGEST_SEED = 2**32 - 1
_LOWER_IS_BETTER = {"loss", "rmse", "perplexity"}
_LEARNING = (
    *("num_train_epochs", "max_steps", "per_device_train_batch_size", "gradient_accumulation_steps"),
    *("learning_rate", "muon_learning_rate", "warmup_steps", "weight_decay"),
    *("adam_beta1", "adam_beta2", "adam_epsilon", "max_grad_norm", "lr_scheduler_type", "bf16", "fp16", "seed"),
    *("alpha_hard", "alpha_soft", "alpha_cosine", "alpha_hidden", "temperature"),
)


def _fixed(output: Path) -> dict[str, Any]:
    """Give what a recipe cannot change, because the run directory depends on it."""
    return {"output_dir": str(output / CHECKPOINTS), "eval_strategy": "epoch", "report_to": [], "save_total_limit": 2}


def check_settings(settings: dict[str, Any]) -> None:
    """Refuse a value that its training argument cannot take: a text where a number is meant, or a number out of range.

    Raises
    ------
    InputError
        Naming the setting and its value.
    """
    hints = get_type_hints(DistillationArguments)
    for name, value in settings.items():
        hint = hints.get(name, Any)
        kinds = set(get_args(hint)) if get_origin(hint) in (Union, types.UnionType) else {hint}
        if not kinds <= _SCALARS:
            continue
        if float in kinds:
            kinds.add(int)
        if type(value) not in kinds:
            wanted = " or ".join(sorted(kind.__name__ for kind in kinds - {type(None)}))
            raise InputError(
                "a setting cannot be used", source="recipe", column=name, value=value, hint=f"give {wanted}"
            )
        if wanted := _range_left(name, value):
            raise InputError(
                "a setting is out of range", source="recipe", column=name, value=value, hint=f"give {wanted}"
            )


def _range_left(name: str, value: Any) -> str:
    """Say which numbers a setting can be, if it is another one."""
    if isinstance(value, float) and not math.isfinite(value):
        return "a finite number"
    if name in _POSITIVE and not value > 0:
        return "a number above 0"
    if value is not None and name in _LEAST and value < _LEAST[name]:
        return f"a number from {_LEAST[name]}"
    if name in _BELOW_ONE and value >= 1:
        return "a number from 0 to below 1"
    if name == "max_steps" and value < 1 and value != -1:
        return "a number from 1, or -1 for all epochs"
    return f"a number up to {LARGEST_SEED}" if name == "seed" and value > LARGEST_SEED else ""


def without_emulation(settings: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Turn ``bf16`` off where a processor that has no instructions for it would take many times as long.

    Returns
    -------
    settings : dict
        With ``bf16`` set to False, if it is turned off.
    notes : list of str
        What the user is told of that.
    """
    asked = settings.get("bf16") is True and settings.get("use_cpu", _on_processor())
    if not asked or _processor_has_bf16():
        return settings, []
    note = "bf16 is turned off: this processor has no instructions for it, and is faster in single precision"
    return {**settings, "bf16": False}, [note]


def effective(arguments: DistillationArguments) -> dict[str, Any]:
    """Give the settings on which the weights depend, also those that nobody has given."""
    found = {name: getattr(arguments, name) for name in _LEARNING}
    return found | {"lr_scheduler_type": str(SchedulerType(arguments.lr_scheduler_type).value)}


def _on_processor() -> bool:
    """Tell whether a training runs on the processor unless the settings say otherwise."""
    return not (torch.cuda.is_available() or torch.backends.mps.is_available())


def _processor_has_bf16() -> bool:
    """Tell whether oneDNN, which multiplies the matrices of a training on a processor, computes in bfloat16 there."""
    return torch.backends.mkldnn.is_available() and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def training_arguments(output: Path, settings: dict[str, Any]) -> DistillationArguments:
    """Fill in what every run has in common: one evaluation and one checkpoint per epoch.

    Raises
    ------
    InputError
        For a setting that cannot be used.
    """
    check_settings(settings)
    if settings.get("save_strategy") is False:  # what YAML makes of a bare no
        settings = {**settings, "save_strategy": "no"}
    for name, choices in _CHOICES.items():
        if name in settings and settings[name] not in choices:
            hint = f"use {', '.join(choices)}"
            raise InputError("none of its choices", "recipe", column=name, value=settings[name], hint=hint)
    if settings.get("fp16") and not torch.cuda.is_available():
        raise InputError("needs a GPU", "recipe", column="fp16", value=True, hint="use bf16, or leave it out")
    if settings.get("load_best_model_at_end") and (strategy := settings.get("save_strategy", "epoch")) != "epoch":
        reason, hint = "the best epoch needs a checkpoint of each", "use epoch, or leave load_best_model_at_end out"
        raise InputError(reason, "recipe", column="save_strategy", value=strategy, hint=hint)
    common = {
        # Mixed precision on a CPU is refused unless the CPU is asked for by name.
        "use_cpu": _on_processor(),
        "save_strategy": "epoch",
        "logging_steps": 50,
        "logging_nan_inf_filter": False,
        "optim": "adamw_torch_fused",
        "disable_tqdm": not sys.stderr.isatty(),
    }
    if metric := settings.get("metric_for_best_model"):  # the Trainer knows of losses alone that lower is better
        common["greater_is_better"] = metric.removeprefix("eval_") not in _LOWER_IS_BETTER
    try:
        return DistillationArguments(**{**common, **settings}, **_fixed(output))
    except (TypeError, ValueError) as error:
        raise InputError("a setting cannot be used", source="recipe", hint=" ".join(str(error).split())) from error
