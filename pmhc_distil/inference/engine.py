"""The fast path: every groove and every pair once, peptides of one length together; torch only if needed."""

import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, Protocol, get_args, runtime_checkable

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from tqdm import tqdm

from pmhc_distil.errors import InputError, checked_count
from pmhc_distil.inference import native
from pmhc_distil.models.shape import EncoderShape
from pmhc_distil.models.vocabulary import PAD, encode
from pmhc_distil.sequences.residues import MAX_PEPTIDE_LENGTH

Precision = Literal["auto", "single", "half"]
_GPU_FILES = ("/dev/nvidiactl", "/dev/nvidia0", "/dev/dxg", "/dev/kfd")
_PREFIXES = 64
"""Grooves whose prefix is kept between calls."""
_BITS = 5
"""A token number has so many bits."""


class Backend(Protocol):
    """What computes the logits."""

    @property
    def error(self) -> float:
        """By how much half precision changes a logit at most; 0 in single precision."""

    def prefix(self, groove: str) -> Any:
        """Compute what depends on a groove alone."""

    def forward(self, prefix: Any, tokens: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Score peptides of one length (n, length) with one groove, (n, 2)."""


@runtime_checkable
class TogetherBackend(Protocol):
    """A backend that scores with several grooves at a time, which saves it from waiting."""

    def forward_pairs(
        self, prefixes: Sequence[Any], tokens: NDArray[np.uint8], edges: NDArray[np.int64], numbers: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Score pairs of peptides of one length, (pairs, 2).

        Those of groove i are from ``edges[i]`` to the next; ``numbers`` says which of the peptides each is of.
        """


class Engine:
    """A binding model ready to score.

    Parameters
    ----------
    folder : Path
        Model folder (``config.json``, ``model.safetensors``).
    threads : int, optional
        CPU threads; by default all cores that this process may use.
    device : str, optional
        ``"cpu"``, ``"cuda"``, ``"mps"``; by default a GPU from NVIDIA or AMD if there is one, else compiled kernels
        on the processor, and where these are missing the best that torch has.
    precision : {"auto", "single", "half"}
        Numbers to compute with.  ``"half"`` (bfloat16, and float16 in the kernels for GPUs) is several times as fast
        where the processor or GPU has it, with logits good to 0.05 (0.1 on a GPU and in torch); ``"auto"`` is half
        there and single elsewhere.

    Attributes
    ----------
    slow : str
        Why torch computes instead of kernels of our own, on the processor or in half precision on a GPU; empty if they
        do.  Those for GPUs are compared with torch in single precision first.
    half : bool
        Whether it computes in half precision.

    Raises
    ------
    InputError
        If the folder is no binding model, the device is not there, or it fails.
    """

    def __init__(
        self,
        folder: Path,
        *,
        threads: int | None = None,
        device: str | None = None,
        precision: Precision = "auto",
    ) -> None:
        if precision not in get_args(Precision):
            hint = f"use {', '.join(get_args(Precision))}"
            raise InputError("no such precision", source="precision", value=precision, hint=hint)
        if threads is not None:
            checked_count(threads, "threads")
        self.folder = folder
        self.threads = threads or available_cores()
        shape, weights = read_weights(folder)
        self.parameters = sum(weight.size for weight in weights.values())
        self.slow = ""
        self.backend: Backend = self._choose(shape, weights, device, precision)
        self._prefix = lru_cache(_PREFIXES)(self.backend.prefix)

    def _choose(
        self, shape: EncoderShape, weights: dict[str, np.ndarray], device: str | None, precision: Precision
    ) -> Backend:
        """Take the kernels for a processor and torch for all else."""
        half = precision == "half" or (precision == "auto" and native.has_half())
        compiled = not native.unsupported(shape) and (native.has_half() or not half)
        if compiled and (device == "cpu" or (device is None and not _gpu_is_likely())):
            return native.NativeBackend(shape, weights, threads=self.threads, half=half)
        from pmhc_distil.inference.torch_backend import TorchBackend, choose_device

        chosen = choose_device(device)
        if chosen.type == "cpu":
            if compiled:
                return native.NativeBackend(shape, weights, threads=self.threads, half=half)
            self.slow = native.unsupported(shape)
        half = precision == "half" or (precision == "auto" and chosen.type == "cuda")
        if half and chosen.type == "cuda":
            from pmhc_distil.inference.fused_trial import tried

            backend, self.slow = tried(shape, weights, device=chosen, threads=self.threads)
            if backend is not None:
                return backend
        return TorchBackend(shape, weights, device=chosen, threads=self.threads, half=half)

    @property
    def parts_at_once(self) -> int:
        """Parts of a table that are worth predicting at a time: a GPU waits for one while others are laid out."""
        return 4 if isinstance(self.backend, TogetherBackend) else 1

    @property
    def computed_by(self) -> str:
        """The backend, and the device or the instructions that it uses: the last digits differ between them."""
        return f"{type(self.backend).__name__} {getattr(self.backend, 'device', '')}".strip()

    @property
    def half(self) -> bool:
        """Whether it computes in half precision."""
        return self.backend.error > 0

    def score(
        self,
        peptides: Sequence[str],
        grooves: Sequence[str],
        groove_index: np.ndarray,
        peptide_index: np.ndarray | None = None,
        *,
        progress: bool = False,
    ) -> np.ndarray:
        """Score pairs; equal pairs are scored once.

        Parameters
        ----------
        peptides : sequence of str
            8 to 15 standard residues, upper case.
        grooves : sequence of str
            34 residues each.
        groove_index : ndarray of int, shape (n,)
            Groove of every pair.
        peptide_index : ndarray of int, shape (n,), optional
            Peptide of every pair; by default every peptide is of one pair.
        progress : bool
            Show progress on stderr, if that is a terminal.

        Returns
        -------
        ndarray of float32, shape (n, 2)
            Presentation logit and affinity logit.  A row does not depend on the other rows: not at all in compiled
            code for processors, to 1e-4 (single) or 0.1 (half) in torch and in the kernels for GPUs.

        Raises
        ------
        InputError
            If a GPU fails, which it may for want of memory.
        """
        if not len(groove_index):
            return np.empty((0, 2), dtype=np.float32)
        tokens, number = unique_tokens(encode(peptides, MAX_PEPTIDE_LENGTH))
        if peptide_index is not None:
            number = number[peptide_index]
        lengths = (tokens != PAD).sum(1)
        # Unique pairs sorted by groove, then length.
        pairs, inverse = _unique(groove_index * np.int64(len(tokens)) + number, len(grooves) * len(tokens))
        groove, peptide = np.divmod(pairs, len(tokens))
        result = np.empty((len(pairs), 2), dtype=np.float32)
        with tqdm(total=len(pairs), unit=" pairs", unit_scale=True, disable=None if progress else True) as bar:
            if isinstance(self.backend, TogetherBackend):
                self._score_together(self.backend, tokens, lengths, grooves, groove, peptide, result, bar.update)
                return result[inverse]
            edges = np.flatnonzero(np.diff(groove * (MAX_PEPTIDE_LENGTH + 1) + lengths[peptide], prepend=-1))
            for start, stop in zip(edges, [*edges[1:], len(pairs)], strict=True):
                rows = peptide[start:stop]
                prefix = self._prefix(grooves[groove[start]])
                result[start:stop] = self.backend.forward(prefix, tokens[rows, : lengths[rows[0]]])
                bar.update(stop - start)
        return result[inverse]

    def _score_together(
        self,
        backend: TogetherBackend,
        tokens: NDArray[np.uint8],
        lengths: NDArray[np.int64],
        grooves: Sequence[str],
        groove: NDArray[np.int64],
        peptide: NDArray[np.int64],
        result: NDArray[np.float32],
        update: Callable[[int], object],
    ) -> None:
        """Fill in the scores of pairs that are sorted by groove, then length."""
        for first in range(0, len(grooves), _PREFIXES):
            some = np.arange(first, min(first + _PREFIXES, len(grooves)) + 1)
            begin, end = np.searchsorted(groove, some[[0, -1]])
            if begin == end:
                continue
            prefixes = [self._prefix(grooves[number]) for number in some[:-1]]
            length_of = lengths[peptide[begin:end]]
            for length in np.flatnonzero(np.bincount(length_of)):
                rows = begin + np.flatnonzero(length_of == length)
                # The shorter come first.
                start, stop = np.searchsorted(lengths, [length, length + 1])
                edges = np.searchsorted(groove[rows], some)
                result[rows] = backend.forward_pairs(
                    prefixes, tokens[start:stop, :length], edges, peptide[rows] - start
                )
                update(len(rows))


def _unique(numbers: NDArray[np.int64], end: int) -> tuple[NDArray[np.int64], NDArray[np.intp]]:
    """Give numbers from 0 to below `end`, each once and sorted, and the place of each there."""
    if end > 8 * len(numbers):
        unique, inverse = np.unique(numbers, return_inverse=True)
        return unique, inverse
    # Peptides times alleles are nearly all of the numbers, and need no sorting.
    there = np.zeros(end, dtype=bool)
    there[numbers] = True
    return np.flatnonzero(there), (np.cumsum(there) - 1)[numbers]


def unique_tokens(tokens: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Give every peptide once, the shorter first.

    Parameters
    ----------
    tokens : ndarray of uint8, shape (n, 15)
        Padded on the right.

    Returns
    -------
    unique : ndarray of uint8, shape (m, 15)
    number : ndarray of int64, shape (n,)
        Place of every peptide in ``unique``.
    """
    half = (tokens.shape[1] + 1) // 2
    shifts = _BITS * np.arange(tokens.shape[1], dtype=np.int64)
    start, rest = (
        (part.astype(np.int64) << shifts[: part.shape[1]]).sum(1) for part in (tokens[:, :half], tokens[:, half:])
    )
    # Numbers of the first halves are small, so that they fit into 64 bits with the second halves.
    code, _ = pd.factorize(start)
    number, distinct = pd.factorize((code.astype(np.int64) << (_BITS * (tokens.shape[1] - half))) | rest)
    first = np.empty(len(distinct), dtype=np.int64)
    first[number[::-1]] = np.arange(len(tokens))[::-1]
    order = np.argsort((tokens[first] != PAD).sum(1), kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return tokens[first[order]], place[number]


def read_weights(folder: Path) -> tuple[EncoderShape, dict[str, np.ndarray]]:
    """Read sizes and weights of a model folder.

    Returns
    -------
    EncoderShape
    dict of str to ndarray of float32

    Raises
    ------
    InputError
        If a file is missing or damaged, or is not of a binding model.
    """
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        with safe_open(folder / "model.safetensors", framework="numpy") as file:
            dtypes = {name: file.get_slice(name).get_dtype() for name in file.keys()}  # noqa: SIM118 (not a mapping)
            if "BF16" in dtypes.values():
                from safetensors.torch import load_file

                weights = {
                    name: weight.float().numpy() for name, weight in load_file(folder / "model.safetensors").items()
                }
            else:
                weights = {name: file.get_tensor(name).astype(np.float32) for name in dtypes}
    except (OSError, ValueError, SafetensorError) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            "not a model folder: config.json or model.safetensors is missing or damaged",
            source=str(folder),
            hint=reason,
        ) from error
    try:
        shape = EncoderShape.from_mapping(config)
    except InputError as error:
        raise replace(error, source=str(folder / "config.json")) from error
    expected = shape.weight_shapes()
    found = {name: weight.shape for name, weight in weights.items()}
    if wrong := sorted(name for name in {*expected, *found} if expected.get(name) != found.get(name)):
        name = wrong[0]
        hint = f"{name} is {found.get(name, 'missing')}, should be {expected.get(name, 'absent')}"
        raise InputError("not a binding model", source=str(folder), hint=hint)
    if bad := [name for name, weight in weights.items() if not np.isfinite(weight).all()]:
        raise InputError("the weights are not all numbers", source=str(folder), value=bad[0], hint="train it anew")
    return shape, weights


def available_cores() -> int:
    """Cores that this process may use, which a scheduler can make fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _gpu_is_likely() -> bool:
    """Tell whether it is worth the time to import torch and ask it for a GPU."""
    return sys.platform == "win32" or any(os.path.exists(name) for name in _GPU_FILES)  # noqa: PTH110 (never raises)
