"""Which layers of the teacher a student keeps, and the copy of their weights."""

import copy
from collections.abc import Sequence
from typing import cast

import torch
from torch import nn
from transformers import PreTrainedModel

from pmhc_distil.errors import InputError

PRESETS = ("alternate", "distilbert", "first", "last")

_NOT_OF_LAYERS = ("teacher_layers", "architectures", "pos_att_type")
"""Lists of a configuration that do not have an entry for each layer, whatever their length."""


def layer_map(teacher_layers: int, student_layers: int) -> list[int]:
    """Spread the student's layers evenly over the teacher's, first and last included.

    Gives the published map of DistilBERT, ``[0, 2, 4, 7, 9, 11]``, for 12 and 6 (Sanh et al. 2019).

    Parameters
    ----------
    teacher_layers, student_layers : int
        How many each has.

    Returns
    -------
    list of int
        0-based teacher layer of every student layer.

    Raises
    ------
    InputError
        If the student has none, or more than the teacher.
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
    except (TypeError, ValueError):
        layers = []
    if not layers or any(b <= a for a, b in zip([-1, *layers], layers, strict=False)) or layers[-1] >= teacher_layers:
        some = ",".join(map(str, layer_map(teacher_layers, half)))
        raise InputError(
            "not a choice of student layers",
            source="student layers",
            value=choice,
            hint=f"use {', '.join(PRESETS)}, or increasing numbers below {teacher_layers} such as {some}",
        )
    return layers


def halve(teacher: PreTrainedModel, layers: Sequence[int]) -> PreTrainedModel:
    """Copy a teacher, keeping only some of its layers; everything outside the layers is copied whole.

    The student is of the teacher's class, so that it has everything the teacher has but depth (segments, the epsilon of
    the normalisation, the head) and loads wherever the teacher loads.

    Parameters
    ----------
    teacher : PreTrainedModel
        An encoder of equal layers: BERT, RoBERTa, ELECTRA, ProtBERT, DistilBERT, ours, and others built alike.
    layers : sequence of int
        0-based teacher layers to keep, increasing.  All of them give an exact copy.

    Returns
    -------
    PreTrainedModel
        Of the teacher's class; ``config.teacher_layers`` records the map.

    Raises
    ------
    InputError
        If layers cannot be left out of the model, with the reason.
    """
    place, reason = _find_layers(teacher)
    if reason:
        raise _refusal(teacher, reason)
    config = copy.deepcopy(teacher.config)
    config.num_hidden_layers = len(layers)
    config.teacher_layers = list(layers)
    student = type(teacher)(config).to(teacher.dtype)
    numbers = {str(number): str(own) for own, number in enumerate(layers)}
    with torch.no_grad():
        own = student.state_dict()
        for name, weight in teacher.state_dict().items():
            if name.startswith(f"{place}."):
                number, _, rest = name.removeprefix(f"{place}.").partition(".")
                if number not in numbers:
                    continue
                name = f"{place}.{numbers[number]}.{rest}"
            if own[name].shape != weight.shape:
                raise _refusal(teacher, f"the size of '{name}' depends on the number of layers")
            own[name].copy_(weight)
    return student.train(teacher.training)


def layer_list(model: PreTrainedModel) -> nn.ModuleList | None:
    """Find the list of transformer layers of a model; None if there is none, or not one."""
    places = _lists_of_layers(model)
    return cast(nn.ModuleList, model.get_submodule(places[0])) if len(places) == 1 else None


def _refusal(model: PreTrainedModel, reason: str) -> InputError:
    return InputError(
        "this model cannot be halved",
        source="teacher",
        value=type(model).__name__,
        hint=f"{reason}; BERT, RoBERTa, ELECTRA, ProtBERT and the models of this package can",
    )


def _lists_of_layers(model: PreTrainedModel) -> list[str]:
    return [
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.ModuleList) and name.rpartition(".")[2] in ("layer", "layers")
    ]


def _find_layers(model: PreTrainedModel) -> tuple[str, str]:
    """Give the name of the list of layers, or the reason why layers cannot be left out."""
    config = model.config
    if getattr(config, "is_encoder_decoder", False):
        return "", "it has an encoder and a decoder"
    if getattr(config, "num_hidden_groups", 0):
        return "", "its layers share their weights"
    count = getattr(config, "num_hidden_layers", None)
    for name, value in config.to_dict().items():
        if isinstance(value, list) and len(value) == count and name not in _NOT_OF_LAYERS:
            return "", f"its layers differ by their place ('{name}' in its configuration)"
    places = _lists_of_layers(model)
    if len(places) != 1:
        return "", "its layers cannot be found" if not places else "it has several lists of layers"
    layers = cast(nn.ModuleList, model.get_submodule(places[0]))
    if len(layers) != count or len({type(layer) for layer in layers}) != 1:
        return "", "its layers are not alike"
    return places[0], ""
