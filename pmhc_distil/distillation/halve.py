"""Which layers of the teacher a student keeps, and the copy of their weights."""

import copy
from collections.abc import Sequence

import torch
from torch import nn
from transformers import PreTrainedModel

from pmhc_distil.errors import InputError

PRESETS = ("alternate", "distilbert", "first", "last")


def layer_map(teacher_layers: int, student_layers: int) -> list[int]:
    """Spread the student's layers evenly over the teacher's, first and last included.

    Gives the published map of DistilBERT, ``[0, 2, 4, 7, 9, 11]``, for 12 and 6 (Sanh et al. 2019).

    Returns
    -------
    list of int
        0-based teacher layer of every student layer.
    """
    if not 1 <= student_layers <= teacher_layers:
        msg = f"a student of {student_layers} layers cannot be cut from a teacher of {teacher_layers}"
        raise InputError(msg, source="student layers", hint=f"choose 1 to {teacher_layers}")
    if student_layers == 1:
        return [teacher_layers - 1]
    return [
        (2 * i * (teacher_layers - 1) + student_layers - 1) // (2 * (student_layers - 1)) for i in range(student_layers)
    ]


def choose_layers(teacher_layers: int, choice: str | Sequence[int] = "distilbert") -> list[int]:
    """Turn a preset or an explicit list into teacher layers.

    Parameters
    ----------
    teacher_layers : int
        Layers of the teacher.
    choice : str or sequence of int
        ``"distilbert"``: half of the layers, spread evenly with the first and the last (see :func:`layer_map`);
        ``"alternate"``: every other layer, beginning with the first; ``"first"`` or ``"last"``: that half;
        or increasing 0-based numbers, as a sequence or as text (``"0,2,5"``).

    Raises
    ------
    InputError
        For an unknown preset, or numbers that are not increasing or not layers of the teacher.
    """
    half = (teacher_layers + 1) // 2
    if choice == "distilbert":
        return layer_map(teacher_layers, half)
    if choice == "alternate":
        return list(range(0, teacher_layers, 2))
    if choice == "first":
        return list(range(half))
    if choice == "last":
        return list(range(teacher_layers - half, teacher_layers))
    try:
        layers = [int(number) for number in (choice.split(",") if isinstance(choice, str) else choice)]
    except ValueError:
        layers = []
    if not layers or any(b <= a for a, b in zip([-1, *layers], layers, strict=False)) or layers[-1] >= teacher_layers:
        raise InputError(
            "not a choice of student layers",
            source="student layers",
            value=choice,
            hint=f"use {', '.join(PRESETS)}, or increasing numbers below {teacher_layers} such as 0,2,4",
        )
    return layers


def halve(teacher: PreTrainedModel, layers: Sequence[int]) -> PreTrainedModel:
    """Copy a teacher, keeping only some of its layers; everything outside the layers is copied whole.

    Parameters
    ----------
    teacher : PreTrainedModel
        A model whose encoder holds its layers in one ``nn.ModuleList`` named ``layers``.
    layers : sequence of int
        0-based teacher layers to keep, increasing.  All of them give an exact copy.

    Returns
    -------
    PreTrainedModel
        Of the teacher's class; ``config.teacher_layers`` records the map.

    Raises
    ------
    InputError
        If the model has no such list of layers.
    """
    if layer_list(teacher) is None:
        raise InputError(
            "the layers of this model cannot be found",
            source="teacher",
            value=type(teacher).__name__,
            hint="supported: models of type 'pmhc'",
        )
    config = copy.deepcopy(teacher.config)
    config.num_hidden_layers = len(layers)
    config.teacher_layers = list(layers)
    student = type(teacher)(config).to(teacher.dtype)
    with torch.no_grad():
        own = student.state_dict()
        for name, weight in teacher.state_dict().items():
            prefix, dot, rest = name.partition("layers.")
            if dot:
                number, _, rest = rest.partition(".")
                if int(number) not in layers:
                    continue
                name = f"{prefix}layers.{list(layers).index(int(number))}.{rest}"
            own[name].copy_(weight)
    return student.train(teacher.training)


def layer_list(model: PreTrainedModel) -> nn.ModuleList | None:
    """Find the list of transformer layers of a model."""
    found = [module for name, module in model.named_modules() if name.rpartition(".")[2] == "layers"]
    return found[0] if len(found) == 1 and isinstance(found[0], nn.ModuleList) else None
