"""A head that was trained before goes on with its classes as it knows them, or is a new one."""

import json

import numpy as np
import pytest
import torch
from transformers import BertConfig

from pmhc_distil.distillation.record import RunRequest
from pmhc_distil.distillation.run import run
from pmhc_distil.distillation.start import from_model, from_teacher
from pmhc_distil.inference.pipeline import Pipeline
from pmhc_distil.tasks import TASKS

FILES = {
    "text-classification": ("t.tsv", "sentence\tlabel\n" + "good film\tpos\nbad film\tneg\n" * 4),
    "token-classification": ("t.txt", "ann B-PER\nran O\n\nbob B-PER\nwon O\n\n" * 4),
}
CLASSES = {"text-classification": ("pos", "neg"), "token-classification": ("O", "B-PER")}
SETTINGS = {
    "use_cpu": True,
    "disable_tqdm": True,
    "max_steps": 1,
    "per_device_train_batch_size": 4,
    "learning_rate": 0.0,
    "save_strategy": "no",
}


@pytest.fixture(params=sorted(CLASSES))
def trained(request, tmp_path, make_text_model, word_tokenizer):
    """Task, table, and the folder of a model whose classes are not in the order of the alphabet."""
    name, text = FILES[request.param]
    (tmp_path / name).write_text(text)
    make_text_model(request.param, "bert", word_tokenizer, CLASSES[request.param]).save_pretrained(tmp_path / "model")
    word_tokenizer.save_pretrained(tmp_path / "model")
    return TASKS[request.param], tmp_path / name, tmp_path / "model"


@pytest.mark.parametrize("name", ["text-classification", "token-classification", "next-sentence"])
def test_classes_are_in_the_order_of_their_numbers(name):
    """Prevents names that a configuration lists in another order from being given to each other's probabilities."""
    config = BertConfig(id2label={1: "neg", 10: "x", 0: "pos", 2: "y"})
    assert TASKS[name].classes(config) == ("pos", "neg", "y", "x")


def test_classes_keep_the_order_of_the_head(trained, tmp_path):
    """Prevents the classes of a model that is trained on from being swapped."""
    task, table, folder = trained
    run(RunRequest(task, "finetune", table, table, tmp_path / "tuned", SETTINGS), from_model(task, folder))
    names = json.loads((tmp_path / "tuned" / "config.json").read_text())["id2label"]
    assert tuple(names.values()) == CLASSES[task.name]
    before, after = (
        Pipeline(task.name, path).rows(["good film", "ann ran"])[1] for path in (folder, tmp_path / "tuned")
    )
    np.testing.assert_allclose(after, before, atol=1e-3)  # what training saves is in half precision


@pytest.mark.parametrize("names", [("B-PER", "O"), ("neg", "pos"), ("no", "yes")])
def test_other_classes_have_a_new_head(names, trained):
    """Prevents what was learned of some classes from being believed of others, in another order or by other names."""
    task, _, folder = trained
    old = task.auto_class.from_pretrained(folder)
    for start in (from_model(task, folder), from_teacher(task, folder, "0,1,2,3", student=folder)):
        model, _ = start.build(names)
        assert not torch.equal(model.classifier.weight, old.classifier.weight)
        kept = old.base_model.state_dict()
        assert all(torch.equal(weight, kept[name]) for name, weight in model.base_model.state_dict().items())
        assert tuple(model.config.id2label.values()) == names


def test_a_head_without_names_is_kept(trained, make_text_model, word_tokenizer):
    """Prevents the head of a model that calls its classes LABEL_0 and LABEL_1 from being thrown away."""
    task, _, folder = trained
    old = make_text_model(task.name, "bert", word_tokenizer, ("LABEL_0", "LABEL_1"))
    old.save_pretrained(folder)
    model, _ = from_model(task, folder).build(("no", "yes"))
    assert torch.equal(model.classifier.weight, old.classifier.weight)
