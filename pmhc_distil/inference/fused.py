"""The encoder on a GPU from NVIDIA by two kernels of our own, in half precision, with sums and residuals in single.

Triton, which comes with torch for these GPUs, compiles them when they are first used.  The logits of a peptide depend
on its place among the others, which changes the order of sums, and not on what these are.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pmhc_distil.errors import InputError
from pmhc_distil.inference.fused_weights import HEAD_WIDTH, HEADS, WIDTH, Packed
from pmhc_distil.inference.torch_backend import TorchBackend
from pmhc_distil.models.encoder import Prefix
from pmhc_distil.models.shape import EncoderShape
from pmhc_distil.sequences.groove_table import GROOVE_LENGTH
from pmhc_distil.sequences.residues import MAX_PEPTIDE_LENGTH

HALF_ERROR = 0.1
"""No logit of a peptide is off by more."""
ROWS, WARPS, STAGES = 128, 8, 2
"""Tokens of a tile, the warps that share it, and the parts of the weights that are loaded ahead."""
_GROOVE_ROOM, _FEW = 64, 16
"""As in :mod:`pmhc_distil.inference.fused_kernel`."""
_TILES_AT_ONCE = 1 << 15
"""What lies between the kernels takes 768 bytes a pair, of which a tile has up to 15."""
_MOST_TOLD = 200
"""Letters of what a compiler or a driver says."""


class FusedPrefix(NamedTuple):
    """What depends on a groove alone.

    Attributes
    ----------
    keys, values : Tensor
        float16 (layers, heads, 32, 64), bfloat16 (layers, heads, 64, 32)
    single : Prefix
        The same in single precision, as torch needs it.
    """

    keys: Tensor
    values: Tensor
    single: Prefix


class FusedBackend:
    """A binding model in kernels of our own.

    Parameters
    ----------
    shape : EncoderShape
        One that :func:`unsupported` has nothing against.
    weights : mapping of str to ndarray of float32
        By the names of :meth:`EncoderShape.weight_shapes`.
    device : torch.device
    threads : int
        Of the processor.

    Attributes
    ----------
    single : TorchBackend
        The same model in single precision on the same device.
    """

    error = HALF_ERROR

    def __init__(
        self, shape: EncoderShape, weights: Mapping[str, np.ndarray], *, device: torch.device, threads: int
    ) -> None:
        self.shape = shape
        self.device = device
        self.single = TorchBackend(shape, weights, device=device, threads=threads, half=False)
        packed = Packed(shape, weights)
        self._weights, self._rest = (self._put(part).half() for part in (packed.weights, packed.rest))
        self._biases, self._rest_biases = self._put(packed.biases), self._put(packed.rest_biases)
        self._shifts = self._put(packed.shifts)
        self._embeddings = {
            length: self._put(packed.embeddings(length)).half() for length in range(1, MAX_PEPTIDE_LENGTH + 1)
        }
        self.rows, self.warps, self.stages = ROWS, WARPS, STAGES

    @torch.inference_mode()
    def prefix(self, groove: str) -> FusedPrefix:
        """Compute the keys and values of a groove, in single precision."""
        found = self.single.prefix(groove)
        room = (0, 0, 0, _GROOVE_ROOM - GROOVE_LENGTH)
        keys, values = (
            torch.nn.functional.pad(torch.cat(parts) - shift.view(-1, HEADS, 1, HEAD_WIDTH), room)
            for parts, shift in zip(zip(*found, strict=True), self._shifts, strict=True)
        )
        return FusedPrefix(keys.transpose(2, 3).half().contiguous(), values.bfloat16(), found)

    def forward(self, prefix: FusedPrefix, tokens: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Score peptides of one length with one groove.

        Parameters
        ----------
        prefix : FusedPrefix
        tokens : ndarray of uint8, shape (n, length)

        Returns
        -------
        ndarray of float32, shape (n, 2)
            Presentation logit and affinity logit.
        """
        return self.forward_pairs([prefix], tokens, np.array([0, len(tokens)]), np.arange(len(tokens)))

    @torch.inference_mode()
    def forward_pairs(
        self,
        prefixes: Sequence[FusedPrefix],
        tokens: NDArray[np.uint8],
        edges: NDArray[np.int64],
        numbers: NDArray[np.int64],
    ) -> NDArray[np.float32]:
        """Score peptides of one length with several grooves.

        Parameters
        ----------
        prefixes : sequence of FusedPrefix
        tokens : ndarray of uint8, shape (peptides, length)
        edges : ndarray of int, shape (grooves + 1,)
            Where the pairs of each groove begin.
        numbers : ndarray of int, shape (pairs,)
            The peptide of each pair.

        Returns
        -------
        ndarray of float32, shape (pairs, 2)
        """
        if not len(numbers):
            return np.empty((0, 2), np.float32)
        try:
            logits = self.kernel_logits(prefixes, tokens, edges, numbers)
            # Attention goes without the largest score, for which there is room unless weights are extreme.
            failed = np.flatnonzero(~np.isfinite(logits).all(1))
            of_groove = np.searchsorted(edges, failed, side="right") - 1
            for place in np.flatnonzero(np.bincount(of_groove)).tolist():
                rows = failed[of_groove == place]
                logits[rows] = self.single.forward(prefixes[place].single, tokens[numbers[rows]])
        except RuntimeError as error:  # of torch and of Triton: no memory is left, or the GPU is lost
            raise lost(self.device, error) from error
        return logits

    @torch.inference_mode()
    def kernel_logits(
        self,
        prefixes: Sequence[FusedPrefix],
        tokens: NDArray[np.uint8],
        edges: NDArray[np.int64],
        numbers: NDArray[np.int64],
    ) -> NDArray[np.float32]:
        """Score as :meth:`forward_pairs`, by the kernels alone: some logits may be no numbers."""
        parts = [self.launch(*given) for given in self.placed(prefixes, tokens, edges, numbers)]
        logits: NDArray[np.float32] = torch.cat(parts).cpu().numpy()
        return logits

    def placed(
        self,
        prefixes: Sequence[FusedPrefix],
        tokens: NDArray[np.uint8],
        edges: NDArray[np.int64],
        numbers: NDArray[np.int64],
    ) -> Iterator[list[Tensor]]:
        """Put what :meth:`forward_pairs` is given on the device, in parts for :meth:`launch`."""
        keys = torch.stack([prefix.keys for prefix in prefixes])
        values = torch.stack([prefix.values for prefix in prefixes])
        on_device = self._put(np.ascontiguousarray(tokens))
        # The last place of a tile is for tokens that are of none of its peptides.
        tiles = tiles_of(edges, min(self.rows // (tokens.shape[1] + 1), _FEW - 1))
        for start in range(0, len(tiles), _TILES_AT_ONCE):
            some = tiles[start : start + _TILES_AT_ONCE]
            first, stop = some[0, 1], some[-1, 2]
            chosen = numbers[first:stop].astype(np.int32)
            some = (some - np.array([0, first, first])).astype(np.int32)
            yield [keys, values, on_device, self._put(chosen), self._put(some)]

    @torch.inference_mode()
    def launch(self, keys: Tensor, values: Tensor, tokens: Tensor, numbers: Tensor, tiles: Tensor) -> Tensor:
        """Start the kernels on what lies on the device; logits (pairs, 2)."""
        from pmhc_distil.inference import fused_kernel

        count, length = len(numbers), tokens.shape[1]
        states = torch.empty((count, WIDTH), dtype=torch.float32, device=self.device)
        attended = torch.empty((count, WIDTH), dtype=torch.float16, device=self.device)
        logits = torch.empty((count, 2), dtype=torch.float32, device=self.device)
        options: dict[str, Any] = {
            "INNER": self.shape.intermediate_size,
            "ROWS": self.rows,
            "STAGES": self.stages,
            "num_warps": self.warps,
        }
        # Triton starts a kernel on the GPU that is the current one of the thread.
        with torch.cuda.device(keys.device) if keys.is_cuda else contextlib.nullcontext():
            fused_kernel.encode_tiles[(len(tiles),)](
                tokens,
                numbers,
                tiles,
                self._embeddings[length],
                self._weights,
                self._biases,
                keys,
                values,
                states,
                attended,
                length,
                self.shape.layer_norm_eps,
                LAYERS=self.shape.num_hidden_layers,
                **options,
            )
            fused_kernel.finish_peptides[(-(-count // self.rows),)](
                states, attended, self._rest, self._rest_biases, logits, count, self.shape.layer_norm_eps, **options
            )
        return logits

    def _put(self, array: np.ndarray) -> Tensor:
        return torch.from_numpy(array).to(self.device)


def tiles_of(edges: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Cut the pairs of each groove into tiles.

    Parameters
    ----------
    edges : ndarray of int, shape (grooves + 1,)
        Where the pairs of each groove begin.
    size : int
        Peptides of a tile.

    Returns
    -------
    ndarray of int64, shape (tiles, 3)
        Of each tile the groove, its first pair and the one behind its last.
    """
    counts = -(-np.diff(edges) // size)
    groove = np.repeat(np.arange(len(counts)), counts)
    within = np.arange(len(groove)) - np.repeat(np.cumsum(counts) - counts, counts)
    first = edges[groove] + within * size
    return np.stack([groove, first, np.minimum(first + size, edges[groove + 1])], 1)


def lost(device: torch.device, error: Exception) -> InputError:
    """Tell that a GPU does not work, and what does."""
    hint = f"--device cpu, or device='cpu' in Python, does without it; the reason was: {said(error)}"
    return InputError("the GPU has failed", source="device", value=str(device), hint=hint)


def said(error: Exception) -> str:
    """Shorten what a compiler or a driver says to one line."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= _MOST_TOLD else f"{text[:_MOST_TOLD]}..."
