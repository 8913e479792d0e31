"""The weights of an encoder as the kernels for GPUs read them.  No torch here."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pmhc_distil.models.shape import EncoderShape
from pmhc_distil.models.vocabulary import VOCABULARY
from pmhc_distil.sequences.groove_table import GROOVE_LENGTH

WIDTH, HEADS, HEAD_WIDTH, TABLE, INNER_STEP = 128, 4, 32, 64, 64
"""As in :mod:`pmhc_distil.inference.fused_kernel`."""


class Packed:
    """Weights as the kernels read them.

    Layer norms are folded into what follows.  What is added to the states has a mean of zero, which a norm would take
    away.  The biases of keys change nothing, and those of values are added behind the attention.
    """

    def __init__(self, shape: EncoderShape, weights: Mapping[str, np.ndarray]) -> None:
        self.shape = shape
        self._encoder = {
            name[8:]: value.astype(np.float64) for name, value in weights.items() if name.startswith("encoder.")
        }
        layers = [self._layer(f"layers.{number}.") for number in range(shape.num_hidden_layers)]
        matrices, vectors, shifts = zip(*layers, strict=True)
        self.weights, self.biases = (
            _flat([part for layer in given for part in layer]) for given in (matrices, vectors)
        )
        self.shifts = np.stack(shifts, 1).astype(np.float32)
        head, bias = self._folded(
            weights["head.dense.weight"].astype(np.float64), weights["head.dense.bias"], "final_norm."
        )
        # The head's own rows of the last layer's output matrix lie between its other matrices.
        *of_heads, into, out = matrices[-1]
        attention_output = np.concatenate(of_heads[2::3])
        self.rest = _flat([attention_output, into, out, head.T])
        self.rest_biases = _flat([*vectors[-1][1:], bias, weights["head.output.weight"], weights["head.output.bias"]])

    def _folded(self, weight: np.ndarray, bias: np.ndarray, norm: str) -> tuple[np.ndarray, np.ndarray]:
        """Give a linear map of normed states as one of states of mean 0 and variance 1."""
        return weight * self._encoder[f"{norm}weight"], bias + weight @ self._encoder[f"{norm}bias"]

    def _layer(self, name: str) -> tuple[list[np.ndarray], list[np.ndarray], np.ndarray]:
        """Give the matrices of a layer, as (in, out), its vectors, and what to take from keys and values of grooves."""
        given = {key[len(name) :]: value for key, value in self._encoder.items() if key.startswith(name)}
        weight, bias = self._folded(given["qkv.weight"], given["qkv.bias"], f"{name}attention_norm.")
        query, key, value = weight.reshape(3, HEADS, HEAD_WIDTH, WIDTH)
        query_bias, key_bias, value_bias = bias.reshape(3, WIDTH)
        scale = 1 / (math.log(2) * math.sqrt(HEAD_WIDTH))
        output = given["attention_output.weight"]
        output_bias = given["attention_output.bias"] + output @ value_bias
        output = output - output.mean(0)
        matrices = []
        for head in range(HEADS):
            columns = slice(head * HEAD_WIDTH, (head + 1) * HEAD_WIDTH)
            both = np.stack([key[head], value[head]], 1).reshape(2 * HEAD_WIDTH, WIDTH)
            matrices += [scale * query[head].T, both.T, output[:, columns].T]
        into, into_bias = self._folded(
            given["feedforward_in.weight"], given["feedforward_in.bias"], f"{name}feedforward_norm."
        )
        matrices.append(into.reshape(-1, INNER_STEP, WIDTH).transpose(0, 2, 1))
        out, out_bias = given["feedforward_out.weight"], given["feedforward_out.bias"]
        matrices.append((out - out.mean(0)).T)
        vectors = [scale * query_bias, output_bias - output_bias.mean(), into_bias, out_bias - out_bias.mean()]
        return matrices, vectors, np.stack([key_bias, value_bias])

    def embeddings(self, length: int) -> NDArray[np.float32]:
        """Give the embeddings of tokens, then those of the positions of CLS and so many residues; (64, width)."""
        residue = np.arange(length)
        from_end = self.shape.max_half_length + length - 1 - residue
        place = np.where(residue < (length + 1) // 2, residue, from_end)
        table = np.zeros((TABLE, WIDTH))
        table[: len(VOCABULARY)] = self._encoder["tokens.weight"]
        table[TABLE // 2 : TABLE // 2 + length + 1] = self._encoder["positions.weight"][
            np.append(GROOVE_LENGTH, GROOVE_LENGTH + 1 + place)
        ]
        return (table - table.mean(1, keepdims=True)).astype(np.float32)


def _flat(parts: Sequence[np.ndarray]) -> NDArray[np.float32]:
    return np.concatenate([part.ravel() for part in parts]).astype(np.float32)
