"""Texts without labels: only a student with a teacher learns from them, and from the teacher alone."""

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from safetensors.torch import load_file

from pmhc_distil.distillation.record import RunRequest
from pmhc_distil.distillation.run import run
from pmhc_distil.distillation.start import from_scratch, from_teacher
from pmhc_distil.distillation.task import Reading
from pmhc_distil.errors import InputError
from pmhc_distil.tasks import TASKS
from pmhc_distil.texts.unlabelled import with_unlabelled

SIZES = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
SETTINGS = {"use_cpu": True, "disable_tqdm": True, "max_steps": 3, "max_seq_length": 24, "save_strategy": "no"}
TAUGHT = {**SETTINGS, "alpha_soft": 1.0, "alpha_hard": 0.0}
TEXTS = ("the film was good .", "the film was bad .", "a cat sat .", "ann ran in paris .", "bob was bad .")
LABELS = {"text-classification": ("yes", "no", "yes", "no", "yes"), "regression": ("1", "-2.5", "3", "4", "5")}


@pytest.fixture(params=LABELS)
def task(request):
    return TASKS[request.param]


@pytest.fixture
def table(task, tmp_path):
    """Give a function that writes a table with some of the labels."""

    def table(*numbers):
        path = tmp_path / f"{''.join(map(str, numbers)) or 'none'}.tsv"
        labels = [label if n in numbers else "" for n, label in enumerate(LABELS[task.name])]
        path.write_text("".join(f"{a}\t{b}\n" for a, b in zip(("text", *TEXTS), ("label", *labels), strict=True)))
        return path

    return table


def test_only_with_a_teacher(task, table, word_tokenizer):
    """Prevents a cell that was left empty by mistake from being taken for a text without a label."""
    path = table(0, 1, 3, 4)
    with pytest.raises(InputError, match=r"0134.tsv, row 4, column .label.: the field is empty"):
        task.read(path, Reading(word_tokenizer, 24))
    data = task.read(path, Reading(word_tokenizer, 24, taught=True, classes=("no", "yes")))
    assert (len(data), data.unlabelled) == (5, 1) and data.classes in ((), ("no", "yes"))


def test_some_texts_are_drawn(tmp_path):
    """Prevents the first texts of a file from being taken for a sample, and another order than that of the file."""
    (tmp_path / "t.txt").write_text("".join(f"text {number}\n" for number in range(50)))
    known = pd.DataFrame({"text": ["x"], "text_pair": [""], "label": ["1"]})
    one, other = (
        with_unlabelled(known, [tmp_path / "t.txt"], np.random.default_rng(seed), count=5)["text"].tolist()
        for seed in (0, 1)
    )
    assert len(one) == 6 and one != other
    assert one[1:] == sorted(one[1:], key=lambda text: int(text.split()[1]))


def test_labels_that_are_known_count(task, table, word_tokenizer, make_text_model):
    """Prevents a text without a label from pulling at the loss, or a batch of such texts from having none."""
    reading = Reading(word_tokenizer, 24, taught=True, classes=("no", "yes"))
    all_of_them, some = (task.read(table(*numbers), reading) for numbers in (range(5), (0, 1, 3)))
    model = make_text_model(task.name, "bert", word_tokenizer, all_of_them.classes)
    known = [number for number in range(5) if some.source[number] in (0, 1, 3)]
    with torch.no_grad():
        losses = [
            task.hard_loss(task.forward(model, batch), batch)
            for batch in (some.collate(list(range(5))), all_of_them.collate(known), all_of_them.collate(list(range(5))))
        ]
        none = some.collate([number for number in range(5) if number not in known])
        assert task.hard_loss(task.forward(model, none), none) == 0
    torch.testing.assert_close(losses[0], losses[1])
    assert not torch.isclose(losses[0], losses[2])


def test_runs(task, table, vocabulary, tmp_path):
    """Prevents a student of the teacher's answers alone from learning labels, or a run from hiding how many it had."""
    full, some, none = table(*range(5)), table(0, 1), table()

    def distil(train, settings, *, taught=True, validation=full):
        start = from_teacher(task, tmp_path / "teacher", "last", taught=taught)
        run(RunRequest(task, "distill", train, validation, tmp_path / "student", settings), start)
        return load_file(tmp_path / "student" / "model.safetensors")

    start = from_scratch(task, "bert", vocabulary, SIZES)
    run(RunRequest(task, "finetune", full, full, tmp_path / "teacher", SETTINGS), start)
    weights = [distil(train, TAUGHT) for train in (full, some, none)]
    assert all(np.array_equal(weights[0][name], other[name]) for other in weights[1:] for name in other)
    record = yaml.safe_load((tmp_path / "student" / "recipe.yaml").read_text())
    assert record["train"]["unlabelled"] == record["train"]["examples"] == 5
    assert "5 examples (5 answered by teachers alone) of `none.tsv`" in (tmp_path / "student" / "README.md").read_text()
    hard = distil(some, {**TAUGHT, "alpha_hard": 1.0})
    assert any(not np.array_equal(weights[0][name], hard[name]) for name in hard)
    for train, settings, options, told in (
        (none, {**TAUGHT, "alpha_hard": 1.0}, {}, r"none.tsv: no row has a label .*set alpha_hard to 0"),
        (some, SETTINGS, {"taught": False}, r"01.tsv, row 4, column .label.: the field is empty"),
        (full, TAUGHT, {"validation": some}, r"01.tsv, row 4, column .label.: the field is empty"),
    ):
        with pytest.raises(InputError, match=told):
            distil(train, settings, **options)
