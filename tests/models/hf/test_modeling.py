"""The models are ordinary transformers models: saved, loaded, reused and put in pipelines."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModel, AutoModelForMaskedLM, AutoModelForSequenceClassification, AutoTokenizer, pipeline

from pmhc_distil.errors import InputError
from pmhc_distil.inference.engine import Engine
from pmhc_distil.models.hf.loading import load_model, load_tokenizer
from pmhc_distil.models.hf.modeling import PMHCForMaskedLM, PMHCForSequenceClassification, PMHCModel
from pmhc_distil.models.hf.tokenizer import PMHCTokenizer

AUTO = {
    PMHCForSequenceClassification: AutoModelForSequenceClassification,
    PMHCForMaskedLM: AutoModelForMaskedLM,
    PMHCModel: AutoModel,
}


@pytest.mark.parametrize("model_class", AUTO)
def test_auto_classes_load_what_was_saved(tmp_path, make_model, model_class):
    """Prevents a saved model from coming back with another class, other weights or other sizes."""
    model = make_model(model_class, num_hidden_layers=2)
    model.save_pretrained(tmp_path)
    loaded = AUTO[model_class].from_pretrained(tmp_path)
    assert type(loaded) is model_class
    assert loaded.config.shape() == model.config.shape()
    weights = model.state_dict()
    assert set(loaded.state_dict()) == set(weights)
    assert all(torch.equal(value, weights[name]) for name, value in loaded.state_dict().items())


def test_saved_as_safetensors_only(binding_folder):
    """Prevents pickles, which can run code when they are loaded."""
    names = {path.name for path in binding_folder.iterdir()}
    assert "model.safetensors" in names
    assert not {name for name in names if name.endswith((".bin", ".pt", ".pkl", ".pth"))}


def test_masked_lm_encoder_becomes_classifier(tmp_path, make_model):
    """Prevents a fine-tuning that starts from random weights although it was given a pretrained encoder."""
    pretrained = make_model(PMHCForMaskedLM, num_hidden_layers=2)
    pretrained.save_pretrained(tmp_path)
    classifier = load_model(PMHCForSequenceClassification, tmp_path, new_head=True)
    for name, weight in pretrained.encoder.state_dict().items():
        assert torch.equal(classifier.encoder.state_dict()[name], weight), name
    assert classifier.head.output.weight.abs().sum() > 0


def test_half_precision_file_is_loaded_in_single_precision(tmp_path, make_model):
    """Prevents a teacher that was saved small from running in half precision on a CPU."""
    make_model(num_hidden_layers=1).half().save_pretrained(tmp_path)
    assert load_model(PMHCForSequenceClassification, tmp_path).dtype == torch.float32


def test_pipeline_gives_the_probability_of_presentation(binding_folder):
    """Prevents the regression head that transformers makes of a wrong problem_type, and scores that are no sigmoid."""
    model = AutoModelForSequenceClassification.from_pretrained(binding_folder)
    tokenizer = AutoTokenizer.from_pretrained(binding_folder)
    assert type(tokenizer) is PMHCTokenizer
    classify = pipeline("text-classification", model=model, tokenizer=tokenizer, top_k=None)
    for text in ("SLYNTVATL HLA-A*02:01", "NLVPMVATV B0702"):
        scores = {entry["label"]: entry["score"] for entry in classify([text])[0]}
        with torch.no_grad():
            logit = model(**tokenizer(text, return_tensors="pt")).logits[0, 1]
        assert set(scores) == {"NON_BINDER", "BINDER"}
        assert scores["BINDER"] == pytest.approx(float(logit.sigmoid()), abs=1e-6)
        assert sum(scores.values()) == pytest.approx(1, abs=1e-6)


def test_pipeline_batches_like_single_texts(binding_folder):
    """Prevents padding in a batch of mixed lengths from changing a score."""
    classify = pipeline("text-classification", model=str(binding_folder))
    texts = ["SLYNTVATL A*02:01", "SLYNTVAT A*02:01", "SLYNTVATLKKKKK A*02:01", "SLYNTVATL"]
    together = classify(texts, batch_size=4)
    for text, found in zip(texts, together, strict=True):
        alone = classify(text)[0]
        assert found["label"] == alone["label"]
        assert found["score"] == pytest.approx(alone["score"], abs=1e-6)


def test_labels_give_the_cross_entropy(teacher):
    """Prevents the loss of a plain transformers Trainer from being a regression."""
    tokens = PMHCTokenizer()(["SLYNTVATL A*02:01", "NLVPMVATV B*07:02"], return_tensors="pt")
    with torch.no_grad():
        output = teacher(**tokens, labels=torch.tensor([1, 0]))
    logits = output.logits[:, 1]
    assert torch.equal(output.logits[:, 0], torch.zeros(2))
    expected = -(logits[0].sigmoid().log() + (-logits[1]).sigmoid().log()) / 2
    assert float(output.loss) == pytest.approx(float(expected), abs=1e-5)
    assert teacher.config.problem_type == "single_label_classification"


@pytest.mark.parametrize("given", [{}, {"input_ids": torch.ones(1, 3).long(), "groove_ids": torch.ones(1, 34).long()}])
def test_ambiguous_input_is_refused(teacher, given):
    """Prevents one of two inputs from being ignored silently."""
    with pytest.raises(ValueError, match="give either"):
        teacher(**given)


SIZES = {
    "three heads": {"num_attention_heads": 3},
    "no heads": {"num_attention_heads": 0},
    "text": {"hidden_size": "16"},
}


def damaged(folder, tmp_path, how):
    copy = tmp_path / "model"
    shutil.copytree(folder, copy)
    weights = copy / "model.safetensors"
    if how == "no weights":
        weights.unlink()
    elif how == "no config":
        (copy / "config.json").unlink()
    elif how == "truncated":
        weights.write_bytes(weights.read_bytes()[:-100])
    elif how == "not safetensors":
        weights.write_bytes(b"\x00" * 200)
    elif how == "broken config":
        (copy / "config.json").write_text("{")
    elif how == "other shapes":
        save_file(
            {name: value.repeat(2, *[1] * (value.dim() - 1)) for name, value in load_file(weights).items()},
            weights,
            {"format": "pt"},
        )
    elif how in ("no numbers", "a layer too many"):
        found = load_file(weights)
        if how == "no numbers":
            found["encoder.layers.0.qkv.bias"][0] = float("nan")
        else:
            found["encoder.layers.9.qkv.bias"] = found["encoder.layers.0.qkv.bias"].clone()
        save_file(found, weights, {"format": "pt"})
    elif how in SIZES:
        config = json.loads((copy / "config.json").read_text())
        (copy / "config.json").write_text(json.dumps(config | SIZES[how]))
    elif how == "layer missing":
        save_file(
            {name: value for name, value in load_file(weights).items() if ".layers.1." not in name},
            weights,
            {"format": "pt"},
        )
    return copy


@pytest.mark.parametrize(
    "how",
    [
        "missing",
        "no weights",
        "no config",
        "truncated",
        "not safetensors",
        "broken config",
        "other shapes",
        "layer missing",
        "no numbers",
        "a layer too many",
        *SIZES,
    ],
)
@pytest.mark.parametrize("new_head", [False, True])
def test_bad_folders_are_one_line(binding_folder, tmp_path, how, new_head):
    """Prevents a traceback, random weights in place of missing ones, and a message that does not name the folder."""
    folder = tmp_path / "nowhere" if how == "missing" else damaged(binding_folder, tmp_path, how)
    with pytest.raises(InputError) as caught:
        load_model(PMHCForSequenceClassification, folder, new_head=new_head)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("how", ["no numbers", "a layer too many", *SIZES])
def test_prediction_refuses_them_as_well(binding_folder, tmp_path, how):
    """Prevents a traceback, or empty scores, from the fast path, which reads the same files by itself."""
    folder = damaged(binding_folder, tmp_path, how)
    with pytest.raises(InputError) as caught:
        Engine(folder, threads=1, device="cpu")
    assert str(folder) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["{}", '["[MASK]", "[PAD]"]'])
def test_another_vocabulary_is_refused(binding_folder, tmp_path, text):
    """Prevents a student that reads other residues than its teacher did."""
    shutil.copytree(binding_folder, tmp_path / "copy")
    (tmp_path / "copy" / "vocab.json").write_text(text)
    with pytest.raises(InputError, match=r"vocabulary|tokenizer"):
        load_tokenizer(tmp_path / "copy")


def test_other_head_is_refused_unless_asked_for(tmp_path, make_model):
    """Prevents a pretrained encoder from being distilled with a random binding head."""
    make_model(PMHCForMaskedLM, num_hidden_layers=1).save_pretrained(tmp_path)
    with pytest.raises(InputError, match="no fitting weights for 4 parts of PMHCForSequenceClassification"):
        load_model(PMHCForSequenceClassification, tmp_path)
