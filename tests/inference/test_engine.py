"""The engine gives the numbers of the transformers reference, for any order, size and number of threads."""

import json
import shutil

import numpy as np
import pytest
import torch

from pmhc_distil.errors import InputError
from pmhc_distil.inference import engine as engine_module
from pmhc_distil.inference.engine import Engine
from pmhc_distil.models.hf.modeling import PMHCForMaskedLM, PMHCForSequenceClassification
from pmhc_distil.models.hf.tokenizer import PMHCTokenizer
from pmhc_distil.sequences.hla import resolve_allele

GROOVES = [resolve_allele(name).groove for name in ("HLA-A*02:01", "HLA-B*07:02", "HLA-C*06:02")]
TOLERANCE = 1e-4


@pytest.fixture(autouse=True)
def one_thread():
    """Set the threads back, which an engine changes for the whole process."""
    yield
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def engine(binding_folder):
    return Engine(binding_folder, threads=1, device="cpu")


@pytest.fixture(scope="module")
def pair_index(peptides):
    return np.random.default_rng(0).integers(len(GROOVES), size=len(peptides))


@pytest.fixture(scope="module")
def reference(binding_folder, peptides, pair_index):
    model = PMHCForSequenceClassification.from_pretrained(binding_folder).eval()
    grooves = [GROOVES[number] for number in pair_index]
    tokens = PMHCTokenizer()(list(peptides), grooves, padding=True, return_tensors="pt")
    with torch.no_grad():
        found = model(**tokens)
    scores = torch.stack([found.logits[:, 1], found.affinity_logits], -1).numpy()
    assert scores.std(0).min() > 0.02
    return scores


def test_engine_equals_reference(engine, peptides, pair_index, reference):
    """Prevents a fast path that computes another model than the one that was trained."""
    found = engine.score(peptides, GROOVES, pair_index)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, reference, atol=TOLERANCE)


@pytest.mark.parametrize(("chunk", "threads"), [(1, 1), (2, 1), (3, 1), (1024, 1), (1024, 2)])
def test_order_chunk_and_threads_do_not_matter(
    binding_folder, monkeypatch, peptides, pair_index, reference, chunk, threads
):
    """Prevents a row's score from depending on its neighbours, and rows from coming back in another order."""
    monkeypatch.setattr(engine_module, "CHUNK", chunk)
    engine = Engine(binding_folder, threads=threads, device="cpu")
    assert torch.get_num_threads() == threads
    # Two threads wait for each other at every step: a few rows are enough where other work fills the machine.
    order = np.random.default_rng(chunk).permutation(len(peptides))[: 8 if threads > 1 else None]
    found = engine.score([peptides[i] for i in order], GROOVES, pair_index[order])
    np.testing.assert_allclose(found, reference[order], atol=TOLERANCE)


def test_duplicates_are_scored_once(engine, monkeypatch, peptides, pair_index, reference):
    """Prevents a protein scan from scoring a peptide again and again, and copies from getting other rows' scores."""
    order = np.random.default_rng(1).integers(len(peptides), size=150)
    scored = []
    forward = engine.forward
    monkeypatch.setattr(engine, "forward", lambda prefix, tokens: scored.append(len(tokens)) or forward(prefix, tokens))
    found = engine.score([peptides[i] for i in order], GROOVES, pair_index[order])
    np.testing.assert_allclose(found, reference[order], atol=TOLERANCE)
    assert sum(scored) == len(set(order.tolist()))


def test_a_peptide_and_its_prefix_are_told_apart(engine):
    """Prevents peptides of two lengths, or of two grooves, from being taken for duplicates."""
    peptides = ["SLYNTVATLA", "SLYNTVATL", "SLYNTVAT", "SLYNTVATL"]
    index = np.array([0, 0, 0, 1])
    together = engine.score(peptides, GROOVES, index)
    alone = np.concatenate([engine.score([text], GROOVES, index[i : i + 1]) for i, text in enumerate(peptides)])
    np.testing.assert_allclose(together, alone, atol=TOLERANCE)
    assert len(np.unique(together[:, 0].round(5))) == 4


def test_zero_rows(engine):
    """Prevents an empty sample from failing."""
    found = engine.score([], GROOVES, np.empty(0, dtype=int))
    assert found.shape == (0, 2) and found.dtype == np.float32


def test_half_precision_stays_close(binding_folder, peptides, pair_index, reference):
    """Prevents the fast mode from ranking peptides differently."""
    found = Engine(binding_folder, threads=1, device="cpu", half=True).score(peptides, GROOVES, pair_index)
    assert found.dtype == np.float32
    assert np.abs(found - reference).max() < 0.1
    assert np.corrcoef(found[:, 0], reference[:, 0])[0, 1] > 0.99


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
