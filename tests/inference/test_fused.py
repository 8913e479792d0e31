"""The kernels for GPUs give the numbers of torch: in Triton's interpreter, and on a GPU where there is one."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from pmhc_distil.inference.engine import Engine, read_weights
from pmhc_distil.models import BUNDLED_MODEL
from pmhc_distil.models.vocabulary import FIRST_RESIDUE, VOCABULARY
from pmhc_distil.sequences.hla import resolve_allele

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")

# Runs alone: Triton asks for its interpreter once, when it is imported.  That one multiplies bfloat16 as whole numbers.
INTERPRETED = """
import sys
import numpy as np, torch
import triton.language as tl
from triton.runtime import interpreter
from tests_of_fused import compare, compare_extreme

multiply = interpreter.InterpreterBuilder.create_dot

def single(part):
    if part.dtype.scalar == tl.bfloat16:
        return interpreter.TensorHandle((part.data.astype(np.uint32) << 16).view(np.float32), tl.float32)
    return interpreter.TensorHandle(part.data.astype(np.float32), tl.float32)

interpreter.InterpreterBuilder.create_dot = lambda self, left, right, *rest: multiply(
    self, single(left), single(right), *rest
)
compare(torch.device("cpu"), 20)
compare_extreme(torch.device("cpu"))
"""


def compare(device, count):
    """Compare with torch in single precision, several grooves at a time, in tiles that are full and not."""
    from pmhc_distil.inference.fused import HALF_ERROR, FusedBackend
    from pmhc_distil.inference.torch_backend import TorchBackend

    shape, weights = read_weights(BUNDLED_MODEL)
    fused = FusedBackend(shape, weights, device=device, threads=1)
    single = TorchBackend(shape, weights, device=device, threads=1, half=False)
    grooves = [resolve_allele(name).groove for name in ("HLA-A*02:01", "HLA-B*07:02")]
    prefixes = [fused.prefix(groove) for groove in grooves]
    generator = np.random.default_rng(0)
    for length in (9, 15):
        tokens = generator.integers(FIRST_RESIDUE, len(VOCABULARY), (count, length)).astype(np.uint8)
        numbers = [generator.permutation(count), generator.permutation(count)[: count // 3]]
        edges = np.cumsum([0, *map(len, numbers)])
        found = fused.forward_pairs(prefixes, tokens, edges, np.concatenate(numbers))
        for groove, prefix, chosen, start in zip(grooves, prefixes, numbers, edges, strict=False):
            some = found[start : start + len(chosen)]
            exact = single.forward(single.prefix(groove), tokens[chosen])
            assert np.abs(some - exact).max() < HALF_ERROR / 2
            # Where a peptide lies in a tile changes the order of sums, and nothing else does.
            assert np.abs(fused.forward(prefix, tokens[chosen[3:10]]) - some[3:10]).max() < HALF_ERROR / 4
            assert (fused.forward(prefix, tokens[chosen]) == some).all()


def compare_extreme(device):
    """Compare where attention weights are larger than any number: torch computes these rows."""
    from pmhc_distil.inference.fused import FusedBackend
    from pmhc_distil.inference.torch_backend import TorchBackend

    shape, weights = read_weights(BUNDLED_MODEL)
    weights = {name: value * (8 if name.endswith("qkv.weight") else 1) for name, value in weights.items()}
    fused = FusedBackend(shape, weights, device=device, threads=1)
    single = TorchBackend(shape, weights, device=device, threads=1, half=False)
    groove = resolve_allele("HLA-A*02:01").groove
    tokens = np.random.default_rng(0).integers(FIRST_RESIDUE, len(VOCABULARY), (12, 9)).astype(np.uint8)
    (placed,) = fused.placed([fused.prefix(groove)], tokens, np.array([0, 12]), np.arange(12))
    logits = fused.launch(*placed).cpu()
    assert not logits.isfinite().all()
    found = fused.forward(fused.prefix(groove), tokens)
    failed = ~logits.isfinite().all(1).numpy()
    assert np.abs(found[failed] - single.forward(single.prefix(groove), tokens[failed])).max() < 1e-3


def test_interpreted(tmp_path):
    """Prevents kernels that nobody without a GPU can check from giving other numbers."""
    pytest.importorskip("triton")
    (tmp_path / "tests_of_fused.py").symlink_to(__file__)
    environment = os.environ | {"TRITON_INTERPRET": "1", "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    done = subprocess.run([sys.executable, "-c", INTERPRETED], env=environment, capture_output=True, text=True)
    assert not done.returncode, done.stderr


@needs_gpu
def test_on_a_gpu():
    """Prevents a compiler, or a GPU, on which the kernels give other numbers."""
    compare(torch.device("cuda"), 5000)


@needs_gpu
def test_the_engine_takes_the_kernels(binding_folder):
    """Prevents a model that the kernels cannot run from failing, and one that they can from being slow unnoticed."""
    assert Engine(BUNDLED_MODEL, device="cuda").computed_by == "FusedBackend cuda"
    other = Engine(binding_folder, device="cuda")
    assert other.computed_by == "TorchBackend cuda"
    assert "width" in other.slow


def test_tiles():
    """Prevents a pair that no tile has, and a tile with pairs of two grooves."""
    from pmhc_distil.inference.fused import tiles_of

    tiles = tiles_of(np.array([0, 5, 5, 9]), 4)
    assert tiles.tolist() == [[0, 0, 4], [0, 4, 5], [2, 5, 9]]
