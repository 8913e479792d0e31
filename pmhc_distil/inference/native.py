"""The encoder on a processor, by compiled kernels: in single precision, or in bfloat16 where the processor has it.

No torch here.  The kernels (``kernel/*.c``) are built when the package is installed, if there is a C compiler.  They
compute what :class:`pmhc_distil.models.encoder.Encoder` does, to 1e-4 of a logit in single and 0.05 in half
precision, and the logits of a peptide do not depend on its neighbours, to the last bit.
"""

import ctypes
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from pmhc_distil.inference.kernel_layout import (
    HEAD_WIDTH,
    POINTER,
    SIZE,
    Floats,
    Halves,
    PackedGroove,
    Tokens,
    Weights,
    floats,
    halves,
    pack_groove,
    panels,
    tiles,
)
from pmhc_distil.models.shape import EncoderShape
from pmhc_distil.models.vocabulary import CLS, VOCABULARY, encode
from pmhc_distil.sequences.compiled import compiled_library
from pmhc_distil.sequences.groove_table import GROOVE_LENGTH
from pmhc_distil.sequences.residues import MAX_PEPTIDE_LENGTH

HALF_ERROR = 0.05
"""No logit of a peptide is off by more in half precision; the benchmark says by how much it is."""
_HALF = ("", "AVX-512", "AMX")
"""What computes in bfloat16, which differs in the last digits."""
_TOGETHER = 4_096
"""Peptides that a thread takes on at once: few, so that threads end together; many, so that it seldom waits."""


@dataclass(frozen=True)
class NativePrefix:
    """What the kernels need of a groove.

    Attributes
    ----------
    keys, values : ndarray of float32, shape (layers, heads, 34, 32)
    packed : tuple of ndarray
        The same in bfloat16, in the layout of ``kernel/half.c``; empty in single precision.
    """

    keys: Floats
    values: Floats
    packed: tuple[Halves, ...]


class NativeBackend:
    """A binding model in compiled code.

    Parameters
    ----------
    shape : EncoderShape
        One that :func:`unsupported` has nothing against.
    weights : mapping of str to ndarray of float32
        By the names of :meth:`EncoderShape.weight_shapes`.
    threads : int
    half : bool
        Compute in bfloat16; see :func:`has_half`.
    """

    def __init__(self, shape: EncoderShape, weights: Mapping[str, np.ndarray], *, threads: int, half: bool) -> None:
        library = _library()
        if library is None or unsupported(shape) or (half and not has_half()):
            raise ValueError(unsupported(shape) or "this processor does not compute in bfloat16")
        self._library = library
        # The width of vectors that the processor has.
        self._bytes = int(library.pmhc_widest())
        self.shape = shape
        self.threads = threads
        self.half = half
        self.device = _HALF[_half_kernel()] if half else ""
        self.error = HALF_ERROR if half else 0.0
        self._positions = floats(weights["encoder.positions.weight"])
        self._embeddings = floats(weights["encoder.tokens.weight"])
        self._single = Weights(shape, weights, panels)
        self._weights = Weights(shape, weights, tiles) if half else self._single
        self._tokens: dict[int, tuple[Tokens, Floats, Floats | Halves]] = {}
        self._pool_of = 0

    def prefix(self, groove: str) -> NativePrefix:
        """Compute the keys and values of a groove, always in single precision."""
        shape = self.shape
        sizes = (shape.num_hidden_layers, shape.num_attention_heads, GROOVE_LENGTH, HEAD_WIDTH)
        keys, values = np.empty(sizes, np.float32), np.empty(sizes, np.float32)
        residues = encode([groove])
        self._check(
            self._library.pmhc_prefix(
                self._bytes, ctypes.byref(self._single.model), *map(_address, (self._positions, residues, keys, values))
            )
        )
        return NativePrefix(keys, values, pack_groove(keys, values) if self.half else ())

    def forward(self, prefix: NativePrefix, tokens: NDArray[np.uint8]) -> Floats:
        """Score peptides of one length with one groove.

        Parameters
        ----------
        prefix : NativePrefix
        tokens : ndarray of uint8, shape (n, length)

        Returns
        -------
        ndarray of float32, shape (n, 2)
            Presentation logit and affinity logit.
        """
        tokens = np.ascontiguousarray(tokens)
        count, length = tokens.shape
        if length > MAX_PEPTIDE_LENGTH or (tokens.size and tokens.max() >= len(VOCABULARY)):
            msg = f"tokens of {length} residues up to number {tokens.max()}"
            raise ValueError(msg)
        self._of_length(length)
        logits = np.empty((count, 2), np.float32)
        size = min(_TOGETHER, -(-count // self.threads))
        if size == count:
            self._score(prefix, tokens, logits)
        else:
            starts = range(0, count, size)
            slices = ((tokens[start : start + size], logits[start : start + size]) for start in starts)
            list(self._pool.map(lambda part: self._score(prefix, *part), slices))
        return logits

    @property
    def _pool(self) -> ThreadPoolExecutor:
        """The threads of this process; those of the process that it was forked from are not there."""
        if self._pool_of != os.getpid():
            self._threads, self._pool_of = ThreadPoolExecutor(self.threads), os.getpid()
        return self._threads

    def _score(self, prefix: NativePrefix, tokens: NDArray[np.uint8], logits: Floats) -> None:
        """Fill in the logits; the kernel lets other threads work meanwhile."""
        model, of_length = self._weights.model, self._of_length(tokens.shape[1])
        rows = (_address(tokens), SIZE(len(tokens)), _address(logits))
        if self.half:
            packed = PackedGroove(*(part.ctypes.data for part in prefix.packed))
            failed = self._library.pmhc_score_half(
                int(self.device == "AMX"), ctypes.byref(model), ctypes.byref(packed), ctypes.byref(of_length), *rows
            )
        else:
            failed = self._library.pmhc_score_single(
                self._bytes,
                ctypes.byref(model),
                _address(prefix.keys),
                _address(prefix.values),
                ctypes.byref(of_length),
                *rows,
            )
        self._check(failed)

    def _check(self, failed: int) -> None:
        if failed:
            raise MemoryError

    def _of_length(self, length: int) -> Tokens:
        """Give what depends on the length alone: positions, and the first layer's queries, keys and values."""
        if length not in self._tokens:
            # Positions as Encoder counts them: from the nearer end.
            residue = np.arange(length)
            from_end = self.shape.max_half_length + length - 1 - residue
            place = np.where(residue < (length + 1) // 2, residue, from_end)
            positions = floats(self._positions[np.append(GROOVE_LENGTH, GROOVE_LENGTH + 1 + place)])
            hidden = positions[:, None] + self._embeddings
            hidden = hidden - hidden.mean(-1, keepdims=True)
            hidden /= np.sqrt(np.square(hidden).mean(-1, keepdims=True) + self.shape.layer_norm_eps)
            weight, bias = self._single.first
            first = (halves if self.half else floats)(hidden @ weight.T + bias)
            facts = Tokens(length + 1, CLS, positions.ctypes.data, first.ctypes.data)
            # Another thread may use what it has found there before.
            self._tokens.setdefault(length, (facts, positions, first))
        return self._tokens[length][0]


def unsupported(shape: EncoderShape) -> str:
    """Say why the kernels cannot run a model here; empty if they can."""
    if _library() is None:
        return "the kernels were not compiled when the package was installed"
    if shape.hidden_size != HEAD_WIDTH * shape.num_attention_heads or shape.intermediate_size % HEAD_WIDTH:
        return f"the kernels are written for attention heads of {HEAD_WIDTH} and inner widths of a multiple of it"
    return "" if shape.vocab_size == len(VOCABULARY) else "the model has another vocabulary"


def has_half() -> bool:
    """Tell whether this processor computes in bfloat16 (AVX-512, with AMX or without) and the system lets it."""
    return bool(_half_kernel())


@cache
def _half_kernel() -> int:
    """Give the number in ``_HALF`` of what computes in bfloat16 here."""
    library = _library()
    return 0 if library is None else int(library.pmhc_half_supported())


@cache
def _library() -> ctypes.CDLL | None:
    """Load the kernels; None if they were not built."""
    return compiled_library("pmhc_distil.inference._kernel")


def _address(array: np.ndarray) -> ctypes.c_void_p:
    return POINTER(array.ctypes.data)
