"""The kernels for GPUs give the numbers of torch: in Triton's interpreter, and on a GPU where there is one."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest
import torch

from pmhc_distil.errors import InputError
from pmhc_distil.inference.engine import Engine, read_weights
from pmhc_distil.inference.fused_weights import TABLE, Packed
from pmhc_distil.models import BUNDLED_MODEL
from pmhc_distil.models.encoder import both_end_positions
from pmhc_distil.models.vocabulary import FIRST_RESIDUE, VOCABULARY
from pmhc_distil.sequences.groove_table import GROOVE_LENGTH
from pmhc_distil.sequences.hla import resolve_allele
from pmhc_distil.sequences.residues import PEPTIDE_LENGTHS, RESIDUES

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")

# Runs alone: Triton asks for its interpreter once, when it is imported.  That one multiplies bfloat16 as whole numbers.
INTERPRETED = """
import sys
import numpy as np, torch
import triton.language as tl
from triton.runtime import interpreter
from tests_of_fused import compare, compare_extreme, compare_short, try_what_is_wrong

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
compare_short(torch.device("cpu"))
try_what_is_wrong(torch.device("cpu"))
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


def compare_short(device):
    """Compare where a tile has room for more peptides than the kernels tell apart, in more launches than one."""
    from pmhc_distil.inference import fused
    from pmhc_distil.inference.torch_backend import TorchBackend

    shape, weights = read_weights(BUNDLED_MODEL)
    backend = fused.FusedBackend(shape, weights, device=device, threads=1)
    single = TorchBackend(shape, weights, device=device, threads=1, half=False)
    grooves = [resolve_allele(name).groove for name in ("HLA-A*02:01", "HLA-B*07:02")]
    tokens = np.random.default_rng(0).integers(FIRST_RESIDUE, len(VOCABULARY), (17, 5)).astype(np.uint8)
    fused._TILES_AT_ONCE, usual = 2, fused._TILES_AT_ONCE
    prefixes = [backend.prefix(groove) for groove in grooves]
    numbers = np.append(np.arange(17), [3, 16])
    assert len(list(backend.placed(prefixes, tokens, np.array([0, 17, 19]), numbers))) == 2
    found = backend.forward_pairs(prefixes, tokens, np.array([0, 17, 19]), numbers)
    fused._TILES_AT_ONCE = usual
    exact = [single.forward(single.prefix(groove), tokens) for groove in grooves]
    assert np.abs(found - np.concatenate([exact[0], exact[1][[3, 16]]])).max() < fused.HALF_ERROR / 2


def try_what_is_wrong(device):
    """Break the kernels in many ways, each of which the trial must find, and say."""
    import triton.language as tl
    from triton.runtime import interpreter

    from pmhc_distil.inference import fused, fused_kernel, fused_trial

    shape, weights = read_weights(BUNDLED_MODEL)

    def constant(name, value):
        return lambda patch: patch.setattr(fused_kernel, name, tl.constexpr(value))

    def first_groove_only(patch):
        tiles_of = fused.tiles_of
        patch.setattr(fused, "tiles_of", lambda *given: tiles_of(*given) * np.array([0, 1, 1]))

    def other_places(patch):
        embeddings = fused.Packed.embeddings
        patch.setattr(fused.Packed, "embeddings", lambda self, length: np.roll(embeddings(self, length), 1, axis=0))

    def no_numbers(patch):
        dot = interpreter.InterpreterBuilder.create_dot

        def without(*given):
            found = dot(*given)
            found.data[:] = np.nan
            return found

        patch.setattr(interpreter.InterpreterBuilder, "create_dot", without)

    def no_compiler(patch):
        def refuse(*given):
            raise RuntimeError("no compiler")

        patch.setattr(interpreter.InterpreterBuilder, "create_dot", refuse)

    trial = fused_trial.trial
    for spoil, said in (
        (lambda patch: None, ""),
        (constant("FAR", 0.0), "with a logit that was off by"),
        (constant("CLS", 3), "with a logit that was off by"),
        (first_groove_only, "with a logit that was off by"),
        (other_places, "with a logit that was off by"),
        (no_numbers, "100% of the logits were no numbers"),
        (no_compiler, "the kernels for GPUs cannot be used: "),
    ):
        with pytest.MonkeyPatch.context() as patch:
            # One length and one copy, which take the interpreter seconds.
            patch.setattr(fused_trial, "PEPTIDE_LENGTHS", (9,))
            patch.setattr(fused_trial, "_TRIAL_PAIRS", (14, 3, 1))
            patch.setattr(fused_trial, "trial", lambda backend: trial(backend, 1))
            patch.setattr(fused_trial, "serves", lambda device: True)
            spoil(patch)
            backend, why = fused_trial.tried(shape, weights, device=device, threads=1)
            assert (backend is None) == bool(said)
            assert said in why, why


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


@pytest.mark.parametrize("length", [8, 9, 15])
def test_positions_count_from_both_ends(length):
    """Prevents the middle of a peptide from being taken for another position than the encoder does."""
    shape, weights = read_weights(BUNDLED_MODEL)
    places = both_end_positions(torch.arange(length), torch.tensor(length), shape.max_half_length).numpy()
    expected = weights["encoder.positions.weight"][GROOVE_LENGTH + 1 + places]
    first = TABLE // 2 + 1
    found = Packed(shape, weights).embeddings(length)[first : first + length]
    np.testing.assert_allclose(found, expected - expected.mean(1, keepdims=True), atol=1e-5)


def test_trial_peptides():
    """Prevents a trial on peptides that are all alike, or on other ones each time."""
    from pmhc_distil.inference.fused_trial import trial_tokens

    for length in PEPTIDE_LENGTHS:
        tokens = trial_tokens(length)
        assert len(np.unique(tokens, axis=0)) == len(tokens)
        assert set(tokens.ravel()) == set(range(FIRST_RESIDUE, len(VOCABULARY)))
        assert all(len(np.unique(tokens[:, place])) > 10 for place in range(length))


def on_a_gpu(monkeypatch):
    """Let the engine believe that there is a GPU, on which torch takes the processor's place."""
    from pmhc_distil.inference import fused, fused_trial, torch_backend

    made = torch_backend.TorchBackend
    monkeypatch.setattr(torch_backend, "choose_device", lambda name: torch.device("cuda"))
    monkeypatch.setattr(fused_trial, "serves", lambda device: True)
    monkeypatch.setattr(fused_trial, "_has_triton", lambda: True)
    for module in (torch_backend, fused):
        monkeypatch.setattr(
            module, "TorchBackend", lambda *given, **named: made(*given, **named | {"device": torch.device("cpu")})
        )
    monkeypatch.setattr(fused.FusedBackend, "_put", lambda self, array: torch.from_numpy(array))


def test_an_engine_whose_kernels_fail_takes_torch(monkeypatch):
    """Prevents wrong numbers, or no numbers, where a compiler or a GPU makes other kernels of the same source."""
    from pmhc_distil.inference import fused, fused_trial

    on_a_gpu(monkeypatch)
    monkeypatch.setattr(fused.FusedBackend, "kernel_logits", lambda *given: np.zeros((len(given[-1]), 2), np.float32))
    engine = Engine(BUNDLED_MODEL, device="cuda")
    assert engine.computed_by == "TorchBackend cpu"
    assert engine.half
    assert re.fullmatch(r"the kernels for GPUs failed their test, with a logit that was off by [\d.]+", engine.slow)
    monkeypatch.setattr(fused_trial, "trial", lambda backend: "")
    assert Engine(BUNDLED_MODEL, device="cuda").computed_by == "FusedBackend cuda"
    exact = Engine(BUNDLED_MODEL, device="cuda", precision="single")
    assert (exact.computed_by, exact.half, exact.slow) == ("TorchBackend cpu", False, "")


def test_an_engine_scores_grooves_together(monkeypatch):
    """Prevents a logit from standing in the row of another pair, or a progress bar from standing still."""
    from pmhc_distil.inference import engine as engine_module
    from pmhc_distil.inference import fused, fused_trial

    def by_torch(self, prefixes, tokens, edges, numbers):
        some = zip(prefixes, edges, edges[1:], strict=False)
        return np.concatenate(
            [
                self.single.forward(prefix.single, tokens[numbers[start:stop]])
                for prefix, start, stop in some
                if start < stop
            ]
        )

    counted = []
    on_a_gpu(monkeypatch)
    monkeypatch.setattr(fused.FusedBackend, "kernel_logits", by_torch)
    trial = fused_trial.trial
    monkeypatch.setattr(fused_trial, "trial", lambda backend: trial(backend, 2))
    monkeypatch.setattr(engine_module, "_PREFIXES", 2)
    engine = Engine(BUNDLED_MODEL, device="cuda")
    assert engine.slow == ""
    grooves = [resolve_allele(f"HLA-{name}").groove for name in ("A*02:01", "B*07:02", "C*07:02", "B*08:01", "A*01:01")]
    drawn = np.random.default_rng(0)
    peptides = ["".join(drawn.choice(list(RESIDUES), length)) for length in (9, 8, 15, 9, 11, 9, 10, 8)]
    groove, peptide = drawn.integers(0, 4, 50), drawn.integers(0, len(peptides), 50)
    update = engine_module.tqdm.update
    monkeypatch.setattr(engine_module.tqdm, "update", lambda self, count: (counted.append(count), update(self, count)))
    found = engine.score(peptides, grooves, groove, peptide)
    assert sum(counted) == len({*zip(groove, peptide, strict=True)})
    exact = Engine(BUNDLED_MODEL, device="cuda", precision="single").score(peptides, grooves, groove, peptide)
    np.testing.assert_allclose(found, exact, atol=1e-4)


def test_a_gpu_that_is_lost_is_told(monkeypatch):
    """Prevents a traceback, or more computing on it, where a GPU fails at the start or later."""
    from pmhc_distil.inference import fused, fused_trial

    def fail(*given, **named):
        raise RuntimeError("CUDA error: an illegal memory access was encountered\nCUDA kernel errors " + 500 * "x")

    on_a_gpu(monkeypatch)
    with monkeypatch.context() as patch:
        patch.setattr(fused.FusedBackend, "kernel_logits", fail)
        patch.setattr(fused.torch, "ones", fail)
        with pytest.raises(
            InputError, match=r"the GPU has failed: 'cuda' .--device cpu.* illegal memory access"
        ) as told:
            Engine(BUNDLED_MODEL, device="cuda")
        assert len(str(told.value)) < 400
    monkeypatch.setattr(fused_trial, "trial", lambda backend: "")
    engine = Engine(BUNDLED_MODEL, device="cuda")
    monkeypatch.setattr(fused.FusedBackend, "kernel_logits", fail)
    with pytest.raises(InputError, match="the GPU has failed"):
        engine.score(["SLYNTVATL"], [resolve_allele("HLA-A*02:01").groove], np.array([0]))
