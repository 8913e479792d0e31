"""Vectors of texts and peptides: those of the model, in the order of the input, and of nothing that it cannot read."""

import pickle
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
from transformers import AutoModel, AutoTokenizer, T5Config

from pmhc_distil.errors import InputError
from pmhc_distil.inference.pipeline import Pipeline, embed
from pmhc_distil.models.hf.loading import load_config
from pmhc_distil.models.hf.modeling import PMHCForMaskedLM
from pmhc_distil.models.hf.tokenizer import PMHCTokenizer

PEPTIDES = ["SLYNTVATLKK", "GILGFVFTL", "slyntvatl"]


@pytest.fixture(scope="module")
def masked_lm(tmp_path_factory, make_model):
    folder = tmp_path_factory.mktemp("masked") / "peptides"
    make_model(PMHCForMaskedLM, num_hidden_layers=2).save_pretrained(folder)
    PMHCTokenizer().save_pretrained(folder)
    return folder


@pytest.mark.parametrize("pooling", ["mean", "cls", "tokens"])
def test_vectors_are_those_of_the_model(masked_lm, tmp_path, pooling):
    """Prevents vectors in the order of the lengths, and a mean that counts special tokens or padding."""
    embed(PEPTIDES, masked_lm, tmp_path / "v.h5", pooling=pooling, batch_size=2, device="cpu")
    tokenizer, model = AutoTokenizer.from_pretrained(masked_lm), AutoModel.from_pretrained(masked_lm).eval()
    with h5py.File(tmp_path / "v.h5") as file:
        starts = file["starts"][:] if pooling == "tokens" else range(len(PEPTIDES) + 1)
        for number, peptide in enumerate(PEPTIDES):
            with torch.no_grad():
                states = model(**tokenizer(peptide, return_tensors="pt")).last_hidden_state[0].numpy()
            expected = {"mean": states[1:].mean(0, keepdims=True), "cls": states[:1], "tokens": states}[pooling]
            found = file["embeddings"][starts[number] : starts[number + 1]]
            np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("hello world", "non-standard residue 'O'"),
        ("SLYNXVATL", "non-standard residue 'X'"),
        ("SLYNTVATL A*99:99", "no such allele"),
        ("SLYN-TVATL", "non-standard residue '-'"),
    ],
)
def test_what_is_no_peptide_is_refused(masked_lm, tmp_path, text, reason):
    """Prevents a vector of unknown tokens, and a traceback."""
    with pytest.raises(InputError, match=reason) as caught:
        embed([*PEPTIDES, text], masked_lm, tmp_path / "v.h5", source="my.txt", device="cpu")
    assert str(caught.value).startswith("my.txt, row 4: ") and text.split()[-1] in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_peptide_with_its_allele_has_a_vector(masked_lm, tmp_path):
    """Prevents the refusal of what the tokenizer reads."""
    embed(["SLYNTVATL HLA-A*02:01", "slyn tvatl"], masked_lm, tmp_path / "v.h5", pooling="tokens", device="cpu")
    with h5py.File(tmp_path / "v.h5") as file:
        assert file["starts"][:].tolist() == [0, 44, 54]


def test_a_sequence_that_is_cut_is_told(masked_lm, tmp_path, caplog):
    """Prevents the vector of a part from passing for that of a protein."""
    embed(["A" * 30, "A" * 11], masked_lm, tmp_path / "v.h5", max_seq_length=12, device="cpu")
    assert "1 of 2 texts are longer than 12 tokens and are cut" in caplog.text


def test_no_text_and_no_device_are_one_line(masked_lm, tmp_path):
    """Prevents a traceback out of the tokenizer, or of torch once the model is loaded."""
    with pytest.raises(InputError, match="there is no text"):
        embed([], masked_lm, tmp_path / "v.h5")
    with pytest.raises(InputError, match=r"^device: the device is not available"):
        embed(PEPTIDES, masked_lm, tmp_path / "v.h5", device="gpu")
    with pytest.raises(InputError, match="the device is not available"):
        Pipeline("fill-mask", masked_lm, device="gpu")


def test_vectors_that_do_not_fit_on_the_disk(masked_lm, tmp_path, monkeypatch):
    """Prevents a traceback of HDF5, which cannot even be ended in order once a disk is full."""
    width = load_config(masked_lm).hidden_size
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=4 * width * 1_000))
    with pytest.raises(InputError, match=r"v.h5: cannot write: no space left"):
        embed(["SIINFEKL"] * 1_000, masked_lm, tmp_path / "v.h5", device="cpu")
    assert list(tmp_path.iterdir()) == []


def test_texts_are_a_list_or_a_column(masked_lm, tmp_path):
    """Prevents nine vectors of nine letters for one peptide, and a traceback for rows of a table."""
    for wrong, told in (
        ("MTEYKLVVV", "texts: a list of texts is expected, not one: 'MTEYKLVVV'"),
        (9, "a list of texts"),
        ([9], "row 1: not a text: '9'"),
    ):
        with pytest.raises(InputError, match=told):
            embed(wrong, masked_lm, tmp_path / "v.h5", device="cpu")
    for name, texts in (("list", PEPTIDES), ("column", pd.Series(PEPTIDES, index=[7, 5, 3]))):
        embed(texts, masked_lm, tmp_path / name, device="cpu")
    with h5py.File(tmp_path / "list") as one, h5py.File(tmp_path / "column") as other:
        np.testing.assert_array_equal(one["embeddings"][:], other["embeddings"][:])


def test_masks_of_peptides(masked_lm):
    """Prevents a mask between two halves of a peptide from being taken for an allele, and answers about no peptide."""
    pipe = Pipeline("fill-mask", masked_lm, device="cpu")
    together, apart = pipe(["SLYN[MASK]VATL", "SLYN [MASK]VATL"])
    assert [one["score"] for one in together] == pytest.approx([one["score"] for one in apart], abs=1e-6)
    with pytest.raises(InputError, match="row 1: non-standard residue 'O'"):
        pipe("hello [MASK]")


def test_threads_share_a_pipeline(masked_lm):
    """Prevents one thread from reading the masks of another's batch."""
    pipe = Pipeline("fill-mask", masked_lm, device="cpu")
    texts = ["[MASK]LYNTVATL", "SLYN[MASK]V", "GIL[MASK]FVFTLKK[MASK]", "[MASK]" * 9]
    alone = [pipe(text) for text in texts]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(pipe, texts * 25)) == alone * 25


def test_a_pipeline_in_another_process_and_columns_of_texts(masked_lm):
    """Prevents a pipeline that cannot be sent to workers, and a column of a table from being one odd text."""
    pipe = Pipeline("fill-mask", masked_lm, device="cpu", max_seq_length=20)
    texts = ["SLYN[MASK]VATL", "GIL[MASK]"]
    copy = pickle.loads(pickle.dumps(pipe))
    assert copy(texts) == pipe(texts) and copy.reading.max_seq_length == 20
    assert pipe(pd.Series(texts, index=[3, 1])) == pipe(np.array(texts)) == pipe(texts)


def test_an_encoder_with_a_decoder(tmp_path):
    """Prevents a traceback out of transformers."""
    T5Config(vocab_size=20, d_model=8, num_layers=1, d_kv=4, num_heads=2).save_pretrained(tmp_path / "t5")
    with pytest.raises(InputError, match="t5: an encoder is expected, and this has a decoder, too"):
        embed(["a text"], tmp_path / "t5", tmp_path / "v.h5")


def test_the_mean_of_unknown_words(tmp_path, make_text_model, word_tokenizer):
    """Prevents a vector of zeros, which is near to nothing, for words that the vocabulary lacks, or for no word."""
    make_text_model("fill-mask", "bert", word_tokenizer, layers=1).save_pretrained(tmp_path / "m")
    word_tokenizer.save_pretrained(tmp_path / "m")
    embed(["\u0939\u093f", "the cat"], tmp_path / "m", tmp_path / "v.h5", device="cpu")
    with h5py.File(tmp_path / "v.h5") as file:
        assert (np.abs(file["embeddings"][:]).sum(1) > 0.1).all()
    with pytest.raises(InputError, match=r"texts, row 2: the text has no token that a mean could be of"):
        embed(["the cat", "\u200b", "\u200b", "cat"], tmp_path / "m", tmp_path / "w.h5", device="cpu")
    assert not (tmp_path / "w.h5").exists()
