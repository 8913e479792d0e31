"""Weights, tokens and grooves laid out in memory as the compiled kernels (``kernel/*.c``) read them."""

import ctypes
import math
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from pmhc_distil.models.shape import EncoderShape
from pmhc_distil.sequences.groove_table import GROOVE_LENGTH

HEAD_WIDTH = 32
"""Width of an attention head that the kernels are written for; other widths are multiples of it."""

Floats = NDArray[np.float32]
Halves = NDArray[np.uint16]
POINTER, SIZE = ctypes.c_void_p, ctypes.c_int64


class Layer(ctypes.Structure):
    """One layer: the addresses of its matrices, as the kernel wants them, and of its biases."""

    _fields_ = tuple(
        (name, POINTER) for name in ("qkv", "output", "in_", "out", "qkv_bias", "output_bias", "in_bias", "out_bias")
    )


class Model(ctypes.Structure):
    """Sizes and addresses of a model."""

    _fields_ = (
        *((name, SIZE) for name in ("width", "inner", "layers", "vocabulary")),
        *((name, POINTER) for name in ("tokens", "stack", "dense", "dense_bias", "heads", "heads_bias")),
        ("epsilon", ctypes.c_float),
    )


class Tokens(ctypes.Structure):
    """What depends on the length of the peptides alone."""

    _fields_ = (("count", SIZE), ("start", SIZE), ("positions", POINTER), ("first", POINTER))


class PackedGroove(ctypes.Structure):
    """Addresses of the parts that :func:`pack_groove` makes."""

    _fields_ = tuple((name, POINTER) for name in ("keys", "rest_keys", "values", "rest_values"))


class Weights:
    """The weights as a kernel wants them, with the memory that they point to.

    Parameters
    ----------
    shape : EncoderShape
    weights : mapping of str to ndarray of float32
        By the names of :meth:`EncoderShape.weight_shapes`.
    pack : callable
        Lays a matrix out: :func:`panels` or :func:`tiles`.

    Attributes
    ----------
    model : Model
    first : tuple of ndarray
        Weight and bias of the queries, keys and values of the first layer.
    """

    def __init__(
        self, shape: EncoderShape, weights: Mapping[str, np.ndarray], pack: Callable[[np.ndarray], np.ndarray]
    ) -> None:
        self._kept: list[object] = []
        layers = (Layer * shape.num_hidden_layers)()
        for number in range(shape.num_hidden_layers):
            name = f"encoder.layers.{number}."
            qkv, qkv_bias = _fold(weights, f"{name}qkv", f"{name}attention_norm")
            # Queries are scaled for softmax to the base of 2.
            scale = 1 / (math.sqrt(HEAD_WIDTH) * math.log(2))
            factor = np.repeat([scale, 1.0, 1.0], shape.hidden_size).astype(np.float32)
            qkv, qkv_bias = qkv * factor[:, None], qkv_bias * factor
            inner, inner_bias = _fold(weights, f"{name}feedforward_in", f"{name}feedforward_norm")
            if number == 0:
                self.first = qkv, qkv_bias
            output, out = (weights[f"{name}{part}.weight"] for part in ("attention_output", "feedforward_out"))
            output_bias, out_bias = (weights[f"{name}{part}.bias"] for part in ("attention_output", "feedforward_out"))
            matrices = [self._keep(pack(matrix)) for matrix in (qkv, output, inner, out)]
            biases = [self._keep(floats(bias)) for bias in (qkv_bias, output_bias, inner_bias, out_bias)]
            layers[number] = Layer(*matrices, *biases)
        self._kept.append(layers)
        dense, dense_bias = _fold(weights, "head.dense", "encoder.final_norm")
        self.model = Model(
            shape.hidden_size,
            shape.intermediate_size,
            shape.num_hidden_layers,
            shape.vocab_size,
            self._keep(floats(weights["encoder.tokens.weight"])),
            ctypes.addressof(layers),
            self._keep(pack(dense)),
            self._keep(floats(dense_bias)),
            self._keep(floats(weights["head.output.weight"])),
            self._keep(floats(weights["head.output.bias"])),
            shape.layer_norm_eps,
        )

    def _keep(self, array: np.ndarray) -> int:
        self._kept.append(array)
        return array.ctypes.data


def _fold(weights: Mapping[str, np.ndarray], linear: str, norm: str) -> tuple[Floats, Floats]:
    """Multiply scale and shift of a normalisation into the linear layer after it."""
    weight = weights[f"{linear}.weight"]
    return weight * weights[f"{norm}.weight"], weights[f"{linear}.bias"] + weight @ weights[f"{norm}.bias"]


def floats(array: np.ndarray) -> Floats:
    """Give single precision in one piece."""
    return np.ascontiguousarray(array, dtype=np.float32)


def halves(array: np.ndarray) -> Halves:
    """Round to bfloat16, to nearest, ties to even."""
    bits = floats(array).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def panels(weight: np.ndarray) -> Floats:
    """Lay a matrix (outputs, inputs) out for ``kernel/single.c``: (outputs / 32, inputs, 32)."""
    outputs, inputs = weight.shape
    return floats(weight.reshape(outputs // 32, 32, inputs).transpose(0, 2, 1))


def tiles(weight: np.ndarray) -> Halves:
    """Lay a matrix (outputs, inputs) out for ``kernel/half.c``: (outputs / 16, inputs / 32, 16, 16, 2)."""
    outputs, inputs = weight.shape
    split = halves(weight).reshape(outputs // 16, 16, inputs // 32, 16, 2)
    return np.ascontiguousarray(split.transpose(0, 2, 3, 1, 4))


def pack_groove(keys: Floats, values: Floats) -> tuple[Halves, ...]:
    """Lay keys and values of a groove out as ``Groove`` of ``kernel/half.c``."""
    heads = keys.shape[:2]
    whole = GROOVE_LENGTH // 16 * 16
    rest = GROOVE_LENGTH - whole
    key, value = halves(keys), halves(values)
    rest_keys = np.zeros((*heads, 16, 16, 2), np.uint16)
    rest_keys[:, :, :, :rest] = key[:, :, whole:].reshape(*heads, rest, 16, 2).transpose(0, 1, 3, 2, 4)
    return (
        np.ascontiguousarray(key[:, :, :whole].reshape(*heads, 2, 16, 16, 2).transpose(0, 1, 2, 4, 3, 5)),
        rest_keys,
        np.ascontiguousarray(value[:, :, :whole].reshape(*heads, 16, 2, 2, 16).transpose(0, 1, 4, 2, 5, 3)),
        np.ascontiguousarray(value[:, :, whole:].reshape(*heads, rest, 2, 16).transpose(0, 1, 3, 4, 2)),
    )
