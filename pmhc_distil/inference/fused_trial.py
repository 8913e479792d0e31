"""Whether the kernels for GPUs can be used: they are compared with torch before they are.

No machine tells of itself that its compiler, its driver and its GPU make of :mod:`pmhc_distil.inference.fused_kernel`
what is meant.
"""

import importlib.util
from collections.abc import Mapping
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray

from pmhc_distil.inference.fused import HALF_ERROR, FusedBackend, lost, said
from pmhc_distil.inference.fused_weights import HEADS, INNER_STEP, WIDTH
from pmhc_distil.models.shape import EncoderShape
from pmhc_distil.models.vocabulary import FIRST_RESIDUE, VOCABULARY
from pmhc_distil.sequences.residues import PEPTIDE_LENGTHS, RESIDUES

_TRIAL_GROOVES = (
    "YFAMYGEKVAHTHVDTLYVRYHYYTWAVLAYTWY",
    "YYSEYRNIYAQTDESNLYLSYDYYTWAERAYEWY",
    "YDSGYREKYRQADVSNLYLRSDSYTLAALAYTWY",
)
_TRIAL_PAIRS = (40, 17, 5)
"""Of each length and groove: full tiles and some that are not."""
_TRIAL_COPIES = 48
"""Tiles enough for every processor of a GPU to have several."""


def tried(
    shape: EncoderShape, weights: Mapping[str, np.ndarray], *, device: torch.device, threads: int
) -> tuple[FusedBackend | None, str]:
    """Make a backend whose numbers have been compared with those of torch.

    Parameters
    ----------
    shape, weights, device, threads
        As for :class:`FusedBackend`.

    Returns
    -------
    backend : FusedBackend or None
    why : str
        Why there is none, as one sentence; empty if nothing can be done about it.

    Raises
    ------
    InputError
        If the trial has left a GPU that cannot be used any more in this process.
    """
    if not serves(device):
        return None, ""
    if why := unsupported(shape):
        return None, why
    try:
        backend = FusedBackend(shape, weights, device=device, threads=threads)
        why = trial(backend)
    except Exception as error:  # Triton passes on what compilers and drivers say
        why = f"the kernels for GPUs cannot be used: {said(error)}"
        try:
            torch.ones(1, device=device).cpu()
        except RuntimeError:
            raise lost(device, error) from error
    return (None, why) if why else (backend, "")


def trial(backend: FusedBackend, copies: int = _TRIAL_COPIES) -> str:
    """Score peptides of every length, for which the kernels are compiled, and compare with torch.

    Parameters
    ----------
    backend : FusedBackend
    copies : int
        How often every pair is scored.

    Returns
    -------
    str
        Why the kernels should not be used; empty if they give the numbers of torch in single precision.
    """
    prefixes = [backend.prefix(groove) for groove in _TRIAL_GROOVES]
    edges = np.cumsum([0, *_TRIAL_PAIRS * copies])
    differences = []
    for length in PEPTIDE_LENGTHS:
        tokens = trial_tokens(length)
        numbers = [np.arange(count)[::-1] for count in _TRIAL_PAIRS]
        parts = [
            backend.single.forward(prefix.single, tokens[chosen])
            for prefix, chosen in zip(prefixes, numbers, strict=True)
        ]
        exact = np.concatenate(parts * copies)
        logits = backend.kernel_logits(prefixes * copies, tokens, edges, np.concatenate(numbers * copies))
        differences.append(np.abs(logits - exact))
        if not np.isfinite(exact).all():
            return "the kernels for GPUs could not be tested, torch in single precision gives no numbers"
    off = np.concatenate(differences)
    # Rows with a logit that is no number are scored by torch, for which they must be few.
    known = np.isfinite(off).all(1)
    if known.mean() < 1 / 2:
        return f"the kernels for GPUs failed their test, {1 - known.mean():.0%} of the logits were no numbers"
    if (most := off[known].max()) > HALF_ERROR:
        return f"the kernels for GPUs failed their test, with a logit that was off by {most:.2g}"
    return ""


def trial_tokens(length: int) -> NDArray[np.uint8]:
    """Give peptides of a length, no two alike, always the same; (n, length)."""
    number, place = np.arange(max(_TRIAL_PAIRS))[:, None], np.arange(length)
    # Digits from the middle of a square look drawn.
    residue = (number * 40503 + place * 30103 + 12345) ** 2 // 1000 % len(RESIDUES)
    return (FIRST_RESIDUE + residue).astype(np.uint8)


def serves(device: torch.device) -> bool:
    """Tell whether the kernels are for a device: a GPU from NVIDIA of the year 2020 or later."""
    return device.type == "cuda" and not torch.version.hip and torch.cuda.get_device_capability(device) >= (8, 0)


def unsupported(shape: EncoderShape) -> str:
    """Say why the kernels cannot run a model; empty if they can."""
    if not _has_triton():
        return "Triton is not installed"
    sizes = (shape.hidden_size, shape.num_attention_heads, shape.intermediate_size % INNER_STEP)
    if sizes != (WIDTH, HEADS, 0) or len(VOCABULARY) != shape.vocab_size:
        return f"the kernels are written for a width of {WIDTH} and {HEADS} heads"
    return ""


@cache
def _has_triton() -> bool:
    return importlib.util.find_spec("triton") is not None
