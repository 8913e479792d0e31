"""The engine gives the numbers of the transformers reference, for any order, size and number of threads."""

import json
import shutil

import numpy as np
import pytest
import torch

from pmhc_distil.errors import InputError
from pmhc_distil.inference import native, torch_backend
from pmhc_distil.inference.engine import Engine, unique_tokens
from pmhc_distil.models.hf.modeling import PMHCForMaskedLM, PMHCForSequenceClassification
from pmhc_distil.models.hf.tokenizer import PMHCTokenizer
from pmhc_distil.models.vocabulary import encode
from pmhc_distil.sequences.hla import resolve_allele

GROOVES = [resolve_allele(name).groove for name in ("HLA-A*02:01", "HLA-B*07:02", "HLA-C*06:02")]
TOLERANCE = 1e-4


needs_half = pytest.mark.skipif(not native.has_half(), reason="this processor does not compute in bfloat16")


@pytest.fixture(autouse=True)
def one_thread():
    """Set the threads back, which an engine changes for the whole process."""
    yield
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def wide_folder(tmp_path_factory, make_model):
    """Folder of a model that the compiled kernels can run: heads of 32."""
    folder = tmp_path_factory.mktemp("wide")
    sizes = {"hidden_size": 64, "num_attention_heads": 2, "intermediate_size": 96, "num_hidden_layers": 3}
    make_model(spread=0.15, **sizes).save_pretrained(folder)
    return folder


HALVES = [pytest.param(name, marks=needs_half) for name in ("half", "half without AMX")]


@pytest.fixture(scope="module", params=["torch", "compiled", *HALVES])
def backend(request, binding_folder, wide_folder):
    """Give a model folder, the precision to ask for, and how far logits may be from the reference."""
    half = request.param.startswith("half")
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "half without AMX":
            patch.setattr(native, "_half_kernel", lambda: 1)
        folder = binding_folder if request.param == "torch" else wide_folder
        yield folder, "half" if half else "single", 0.05 if half else TOLERANCE


@pytest.fixture(scope="module")
def engine(backend):
    return Engine(backend[0], threads=1, device="cpu", precision=backend[1])


@pytest.fixture(scope="module")
def pair_index(peptides):
    return np.random.default_rng(0).integers(len(GROOVES), size=len(peptides))


@pytest.fixture(scope="module")
def reference(backend, peptides, pair_index):
    model = PMHCForSequenceClassification.from_pretrained(backend[0]).eval()
    grooves = [GROOVES[number] for number in pair_index]
    tokens = PMHCTokenizer()(list(peptides), grooves, padding=True, return_tensors="pt")
    with torch.no_grad():
        found = model(**tokens)
    scores = torch.stack([found.logits[:, 1], found.affinity_logits], -1).numpy()
    assert scores.std(0).min() > 0.02
    return scores


def test_each_backend_is_the_one_meant(backend, engine):
    """Prevents tests of a compiled kernel that run torch, and the other way round."""
    assert isinstance(engine.backend, native.NativeBackend) == (engine.folder.name.startswith("wide"))
    assert engine.half == (backend[1] == "half")
    if engine.half:
        assert engine.backend.device == ("", "AVX-512", "AMX")[native._half_kernel()]


def test_engine_equals_reference(backend, engine, peptides, pair_index, reference):
    """Prevents a fast path that computes another model than the one that was trained."""
    found = engine.score(peptides, GROOVES, pair_index)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, reference, atol=backend[2])
    assert np.corrcoef(found[:, 0], reference[:, 0])[0, 1] > 0.999


@pytest.mark.parametrize(("chunk", "threads"), [(1, 1), (2, 1), (3, 1), (1024, 1), (1024, 2)])
def test_order_chunk_and_threads_do_not_matter(backend, monkeypatch, peptides, pair_index, reference, chunk, threads):
    """Prevents a row's score from depending on its neighbours, and rows from coming back in another order."""
    folder, precision, tolerance = backend
    monkeypatch.setattr(torch_backend, "CHUNK", chunk)
    monkeypatch.setattr(native, "_TOGETHER", chunk)
    engine = Engine(folder, threads=threads, device="cpu", precision=precision)
    # Two threads of torch wait for each other at every step: a few rows are enough where other work fills the machine.
    order = np.random.default_rng(chunk).permutation(len(peptides))[: 8 if threads > 1 else None]
    found = engine.score([peptides[i] for i in order], GROOVES, pair_index[order])
    np.testing.assert_allclose(found, reference[order], atol=tolerance)


def test_compiled_scores_are_the_same_bits_anywhere(engine, peptides, pair_index):
    """Prevents shards or a run that was resumed from writing other bytes than one run."""
    if not isinstance(engine.backend, native.NativeBackend):
        pytest.skip("torch promises no such thing")
    together = engine.score(peptides, GROOVES, pair_index)
    prefix = engine.backend.prefix(GROOVES[0])
    tokens = np.random.default_rng(0).integers(4, 24, (1500, 9)).astype(np.uint8)
    whole = engine.backend.forward(prefix, tokens)
    two = Engine(engine.folder, threads=2, device="cpu", precision="half" if engine.half else "single").backend
    np.testing.assert_array_equal(two.forward(two.prefix(GROOVES[0]), tokens), whole)
    for start, stop in ((0, 1), (7, 8), (3, 40), (1, 1500), (31, 65)):
        np.testing.assert_array_equal(engine.backend.forward(prefix, tokens[start:stop]), whole[start:stop])
    for row in range(0, len(peptides), 7):
        alone = engine.score([peptides[row]], GROOVES, pair_index[row : row + 1])
        np.testing.assert_array_equal(alone[0], together[row])


@pytest.mark.parametrize("width", [16, 32, 64])
def test_narrow_and_wide_vectors_agree(wide_folder, peptides, pair_index, width):
    """Prevents other numbers on another processor: each width of vectors is code of its own."""
    engine = Engine(wide_folder, threads=1, device="cpu", precision="single")
    whole = engine.score(peptides, GROOVES, pair_index)
    if width > engine.backend._bytes:
        pytest.skip("this processor has no such vectors")
    other = Engine(wide_folder, threads=1, device="cpu", precision="single")
    other.backend._bytes = width
    np.testing.assert_allclose(other.score(peptides, GROOVES, pair_index), whole, atol=TOLERANCE)


def test_compiled_kernels_refuse_what_they_cannot_hold(wide_folder):
    """Prevents a kernel from reading beyond its tables or its room for tokens."""
    backend = Engine(wide_folder, threads=1, device="cpu", precision="single").backend
    prefix = backend.prefix(GROOVES[0])
    for tokens in (np.full((2, 16), 4), np.full((2, 9), 24)):
        with pytest.raises(ValueError, match="tokens of"):
            backend.forward(prefix, tokens.astype(np.uint8))
    assert backend.forward(prefix, np.empty((0, 9), np.uint8)).shape == (0, 2)


def test_without_a_compiler_torch_computes(wide_folder, peptides, pair_index, monkeypatch):
    """Prevents an installation without compiled kernels from failing, or from giving other numbers."""
    compiled = Engine(wide_folder, threads=1, device="cpu", precision="single").score(peptides, GROOVES, pair_index)
    monkeypatch.setattr(native, "_library", lambda: None)
    monkeypatch.setattr(native, "_half_kernel", lambda: 0)
    engine = Engine(wide_folder, threads=1, device="cpu")
    assert isinstance(engine.backend, torch_backend.TorchBackend) and not engine.half
    np.testing.assert_allclose(engine.score(peptides, GROOVES, pair_index), compiled, atol=TOLERANCE)


def test_duplicates_are_scored_once(backend, engine, monkeypatch, peptides, pair_index, reference):
    """Prevents a protein scan from scoring a peptide again and again, and copies from getting other rows' scores."""
    order = np.random.default_rng(1).integers(len(peptides), size=150)
    scored = []
    forward = engine.backend.forward
    monkeypatch.setattr(
        engine.backend, "forward", lambda prefix, tokens: scored.append(len(tokens)) or forward(prefix, tokens)
    )
    found = engine.score([peptides[i] for i in order], GROOVES, pair_index[order])
    np.testing.assert_allclose(found, reference[order], atol=backend[2])
    assert sum(scored) == len(set(order.tolist()))


def test_unique_tokens_are_exact():
    """Prevents two peptides from being taken for one, at any length and wherever they differ."""
    generator = np.random.default_rng(0)
    texts = ["".join(generator.choice(list("ACY"), length)) for length in generator.integers(8, 16, 3000)]
    texts += ["A" * i + "C" + "A" * (14 - i) for i in range(15)] * 2
    tokens = encode(texts, 15)
    unique, number = unique_tokens(tokens)
    np.testing.assert_array_equal(unique[number], tokens)
    assert len(unique) == len(set(texts))
    assert (np.diff((unique != 0).sum(1)) >= 0).all()


def test_a_peptide_and_its_prefix_are_told_apart(backend, engine):
    """Prevents peptides of two lengths, or of two grooves, from being taken for duplicates."""
    peptides = ["SLYNTVATLA", "SLYNTVATL", "SLYNTVAT", "SLYNTVATL"]
    index = np.array([0, 0, 0, 1])
    together = engine.score(peptides, GROOVES, index)
    alone = np.concatenate([engine.score([text], GROOVES, index[i : i + 1]) for i, text in enumerate(peptides)])
    np.testing.assert_allclose(together, alone, atol=backend[2])
    assert len(np.unique(together[:, 0].round(5))) == 4


def test_zero_rows(engine):
    """Prevents an empty sample from failing."""
    found = engine.score([], GROOVES, np.empty(0, dtype=int))
    assert found.shape == (0, 2) and found.dtype == np.float32


def test_half_precision_of_torch_stays_close(binding_folder, peptides, pair_index):
    """Prevents the fast mode of a GPU from ranking peptides differently."""
    single, half = (
        Engine(binding_folder, threads=1, device="cpu", precision=precision).score(peptides, GROOVES, pair_index)
        for precision in ("single", "half")
    )
    assert half.dtype == np.float32
    assert np.abs(half - single).max() < 0.1
    assert np.corrcoef(half[:, 0], single[:, 0])[0, 1] > 0.99


@pytest.mark.parametrize("how", ["missing", "no weights", "truncated", "broken config", "other head", "other sizes"])
def test_bad_folders_are_one_line(binding_folder, make_model, tmp_path, how):
    """Prevents a traceback, and a message that does not name the folder."""
    folder = tmp_path / "model"
    if how == "other head":
        make_model(PMHCForMaskedLM, num_hidden_layers=1).save_pretrained(folder)
    elif how != "missing":
        shutil.copytree(binding_folder, folder)
    weights = folder / "model.safetensors"
    if how == "no weights":
        weights.unlink()
    elif how == "truncated":
        weights.write_bytes(weights.read_bytes()[:-50])
    elif how == "broken config":
        (folder / "config.json").write_text("{")
    elif how == "other sizes":
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 6}))
    with pytest.raises(InputError) as caught:
        Engine(folder, threads=1, device="cpu")
    assert str(folder) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("device", ["gpu", "tpu:0", "cuda:99"])
def test_absent_device(binding_folder, device):
    """Prevents a torch traceback for a device that is not there."""
    with pytest.raises(InputError, match="device is not available"):
        Engine(binding_folder, threads=1, device=device)
