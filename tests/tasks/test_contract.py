"""What every task on texts has to keep: reading, learning, following a teacher, answering, and errors of one line."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from pmhc_distil.distillation.ensemble import Ensemble
from pmhc_distil.distillation.halve import halve
from pmhc_distil.distillation.record import RunRequest
from pmhc_distil.distillation.run import run
from pmhc_distil.distillation.start import from_model, from_scratch, from_teacher
from pmhc_distil.distillation.task import Reading, model_inputs
from pmhc_distil.errors import InputError
from pmhc_distil.inference.pipeline import Pipeline
from pmhc_distil.tasks import TASKS, tokenizing
from pmhc_distil.tasks.token_arrays import LengthSampler

TEXT_TASKS = [name for name, task in TASKS.items() if task.ask]
SENTENCES = (
    "the film was good .",
    "the film was very bad .",
    "a cat sat on the mat .",
    "ann ran in paris .",
    "was the dog not good ?",
    "bob was in london .",
)


def context(number):
    who, where = ("ann", "bob")[number % 2], ("paris", "london")[number // 2 % 2]
    return f"{who} won in {where} . the cat sat on the mat .", who, where


def write(task, folder):
    """Write a training file of the task; give its path."""
    if task in ("fill-mask", "next-sentence"):
        path = folder / "texts.txt"
        lines = [f"{a[0].upper()}{a[1:]} {b[0].upper()}{b[1:]}" for a in SENTENCES for b in SENTENCES[::2]]
        path.write_text("\n".join(lines) + "\n")
    elif task == "token-classification":
        path = folder / "tags.txt"
        kinds = {"ann": "B-PER", "bob": "B-PER", "paris": "B-LOC", "london": "B-LOC"}
        blocks = ["\n".join(f"{word} {kinds.get(word, 'O')}" for word in text.split()) for text in SENTENCES]
        path.write_text("\n\n".join(blocks * 3) + "\n")
    elif task == "question-answering":
        path = folder / "questions.json"
        asked = []
        for number in range(12):
            text, who, where = context(number)
            answer = who if number % 3 else where
            question = "who won ?" if number % 3 else "where ?"
            entry = {"id": str(number), "question": question, "is_impossible": number % 4 == 3}
            entry["answers"] = [] if number % 4 == 3 else [{"text": answer, "answer_start": text.index(answer)}]
            asked.append({"context": text, "qas": [entry]})
        path.write_text(json.dumps({"version": "2.0", "data": [{"title": "t", "paragraphs": asked}]}))
    else:
        path = folder / "table.tsv"
        numbers = task == "regression"
        rows = [f"{text}\t{text.count('o') if numbers else ('no', 'yes')['good' in text]}" for text in SENTENCES * 2]
        path.write_text("sentence\tlabel\n" + "\n".join(rows) + "\n")
    return path


ASKED = {
    "text-classification": ["the film was good .", {"text": "the cat", "text_pair": "a mat"}],
    "next-sentence": [("the cat sat .", "a dog ran .")],
    "regression": ["the film was good .", "bad ."],
    "token-classification": ["Ann won in Paris.", ["ann", "ran"]],
    "question-answering": [{"question": "who won ?", "context": context(1)[0]}],
    "fill-mask": ["the [MASK] was good .", "the [MASK] sat on the [MASK] ."],
}


@pytest.fixture(params=TEXT_TASKS)
def task(request):
    return TASKS[request.param]


@pytest.fixture
def data(task, tmp_path, word_tokenizer):
    return task.read(write(task.name, tmp_path), Reading(word_tokenizer, 32))


def whole_batch(data):
    return data.collate(list(range(len(data))))


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def test_reading_is_the_same_twice(task, tmp_path, word_tokenizer):
    """Prevents runs that see other examples, or classes in another order, each time."""
    path = write(task.name, tmp_path)
    one, two = (task.read(path, Reading(word_tokenizer, 32)) for _ in range(2))
    assert len(one) > 0 and one.classes == two.classes and one.fingerprint() == two.fingerprint()
    assert same(whole_batch(one), whole_batch(two))


def test_texts_may_be_tokenized_some_at_a_time(task, tmp_path, word_tokenizer, monkeypatch):
    """Prevents pieces of one text that are taken for pieces of another, or that stand in another order."""
    path, reading = write(task.name, tmp_path), Reading(word_tokenizer, 12, doc_stride=2)
    one = task.read(path, reading)
    monkeypatch.setattr(tokenizing, "TEXTS_AT_ONCE", 5)
    two = task.read(path, reading)
    assert one.fingerprint() == two.fingerprint() and same(whole_batch(one), whole_batch(two))
    if task.name == "fill-mask":
        return
    assert len(one) > one.texts or task.name != "question-answering"
    assert (one.order == two.order).all() and (one.source == two.source).all()
    assert one.places.digest() == two.places.digest() and one.ends.digest() == two.ends.digest()


def test_every_example_once_in_an_epoch(task, data):
    """Prevents examples that are left out, or counted twice, at the end of an epoch or of a batch."""
    for shuffle in (True, False):
        sampler = data.batches(5, shuffle=shuffle, seed=1)
        sampler.set_epoch(3)
        found = [number for batch in sampler for number in batch]
        assert sorted(found) == list(range(len(data))) and len(sampler) == len(list(sampler))
    assert found == sorted(found)


def test_batches_are_of_like_lengths():
    """Prevents batches that are mostly padding."""
    lengths = np.random.default_rng(0).permutation(200)
    for batch in LengthSampler(lengths, 10, shuffle=True, seed=0):
        assert np.ptp(lengths[batch]) == 9


def test_full_depth_student_agrees_on_every_row(task, data, word_tokenizer, make_text_model):
    """Prevents rows that are not those of the targets, or differ between teacher and student."""
    teacher = make_text_model(task.name, "bert", word_tokenizer, data.classes)
    batch = whole_batch(data)
    with torch.no_grad():
        rows = [task.rows(task.forward(m, batch), batch) for m in (teacher, halve(teacher, range(4)))]
        loss = task.hard_loss(task.forward(teacher, batch), batch)
    assert torch.equal(*rows) and rows[0].dim() == 2 and torch.isfinite(rows[0]).all()
    assert len(rows[0]) == len(task.targets(batch)) and torch.isfinite(loss) and loss.dim() == 0


def test_several_teachers(task, data, word_tokenizer, make_text_model):
    """Prevents an ensemble from teaching anything but the mean of its members, of whatever depth."""
    models = [
        make_text_model(task.name, "bert", word_tokenizer, data.classes, seed=layers, layers=layers)
        for layers in (4, 2, 3)
    ]
    batch = whole_batch(data)
    with torch.no_grad():
        alone = [task.forward(model, batch) for model in models]
        together = task.forward(Ensemble(models), batch)
    rows = [task.rows(outputs, batch) for outputs in alone]
    torch.testing.assert_close(task.rows(together, batch), torch.stack(rows).mean(0))
    assert not torch.allclose(rows[0], rows[1]), "members that agree would prove nothing"
    assert len(together.hidden_states) == len(alone[0].hidden_states)
    assert all(map(torch.equal, together.hidden_states, alone[0].hidden_states))


@pytest.mark.parametrize("teachers", [1, 2])
def test_a_masked_lm_head_reads_masks_alone(teachers, tmp_path, word_tokenizer, make_text_model):
    """Prevents the largest matrix of a model, or of several teachers, from being applied to every token."""
    task = TASKS["fill-mask"]
    data = task.read(write(task.name, tmp_path), Reading(word_tokenizer, 32))
    models = [make_text_model(task.name, "bert", word_tokenizer, data.classes, seed=seed) for seed in range(teachers)]
    batch, seen = whole_batch(data), []
    for model in models:
        model.cls.register_forward_hook(lambda _, inputs, __: seen.append(len(inputs[0])))
    with torch.no_grad():
        outputs = task.forward(models[0] if teachers == 1 else Ensemble(models), batch)
    assert seen == [int(batch["asked"].sum())] * teachers and len(outputs.logits) == seen[0]


def test_padding_changes_nothing(task, data, word_tokenizer, make_text_model):
    """Prevents the longest text of a batch from changing the rows of the others."""
    if task.name == "fill-mask":
        pytest.skip("masks are drawn for each batch")
    model = make_text_model(task.name, "bert", word_tokenizer, data.classes)
    with torch.no_grad():
        batch = whole_batch(data)
        together = task.rows(task.forward(model, batch), batch)
        alone = []
        for number in range(len(data)):
            one = data.collate([number])
            alone += list(task.rows(task.forward(model, one), one))
    for row, other in zip(together, alone, strict=True):
        torch.testing.assert_close(row[: len(other)], other, atol=1e-5, rtol=1e-4)


def test_a_tiny_model_fits_one_batch(task, data, word_tokenizer, make_text_model):
    """Prevents a loss, rows or labels that do not fit together: such a model cannot learn a batch by heart."""
    model = make_text_model(task.name, "bert", word_tokenizer, data.classes, layers=2).train()
    batch = whole_batch(data)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    found = []
    for _ in range(80):
        loss = task.hard_loss(task.forward(model, batch), batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        found.append(float(loss.detach()))
    floor = {"fill-mask": 0.6, "next-sentence": 0.9}.get(task.name, 0.25)
    assert found[-1] < found[0] * floor
    model.eval()
    with torch.no_grad():
        rows = task.rows(task.forward(model, batch), batch)
        measured = task.metrics(data, task.measured(rows, batch).numpy(), task.targets(batch).numpy())
        assert [*task.measures(data)] == [name for name in measured if name != "loss"], (
            "what a recipe may name, in order"
        )
    assert measured and all(np.isfinite(value) for value in measured.values())


def test_targets_are_no_arguments(task, data):
    """Prevents the model from computing a loss of its own, with the wrong problem type."""
    assert not {"labels", "asked", "teacher_rows"} & set(model_inputs(whole_batch(data)))


SIZES = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
SETTINGS = {
    "use_cpu": True,
    "disable_tqdm": True,
    "num_train_epochs": 1,
    "per_device_train_batch_size": 4,
    "max_seq_length": 24,
    "learning_rate": 1e-3,
    "save_strategy": "no",
}


def rounded(answer):
    """Round the scores of an answer: sums in batches of another size end in other bits."""
    if isinstance(answer, float):
        return round(answer, 4)
    if isinstance(answer, dict):
        return {key: rounded(value) for key, value in answer.items()}
    return [rounded(part) for part in answer] if isinstance(answer, list) else answer


def test_chain(task, tmp_path, vocabulary):
    """Prevents a task that cannot be trained, distilled, tested, saved, loaded and asked by the common code."""
    path = write(task.name, tmp_path)
    plain = {**SETTINGS, "doc_stride": 4} if task.strided else SETTINGS
    teacher, student, tuned = (tmp_path / name for name in ("teacher", "student", "tuned"))
    run(
        RunRequest(task, "finetune", path, path, teacher, plain, test=path),
        from_scratch(task, "bert", vocabulary, SIZES),
    )
    settings = {**plain, "alpha_soft": 1.0, "alpha_cosine": 1.0, "alpha_hidden": 0.1, "temperature": 2.0}
    run(RunRequest(task, "distill", path, path, student, settings), from_teacher(task, teacher, "last"))
    pair = from_teacher(task, teacher, "last", others=[student])
    run(RunRequest(task, "distill", path, path, tmp_path / "pair", settings), pair)
    recipes = [(tmp_path / name / "recipe.yaml").read_text() for name in ("student", "pair")]
    assert recipes[0] != recipes[1], "other teachers, another run"
    run(RunRequest(task, "finetune", path, path, tuned, plain), from_model(task, student))
    again = from_teacher(task, teacher, "last", others=[student, tmp_path / "pair"], student=student)
    run(RunRequest(task, "distill", path, path, tmp_path / "again", settings), again)
    cards = {
        name: (tmp_path / name / "README.md").read_text() for name in ("teacher", "student", "pair", "again", "tuned")
    }
    assert "results on the test set" in cards["teacher"] and (teacher / "metrics_test.csv").is_file()
    assert "It began as" not in cards["teacher"]
    assert "distilled from a teacher, `teacher`:" in cards["student"]
    assert "It began as layers [1] (0-based) of `teacher`." in cards["student"]
    assert "distilled from the mean of teachers, `teacher` and `student`:" in cards["pair"]
    assert "distilled from the mean of teachers, `teacher`, `student` and `pair`:" in cards["again"]
    assert "It began as `student`." in cards["again"] and "It began as `student`." in cards["tuned"]
    pipe = Pipeline(task.name, student)
    assert pipe.model.config.num_hidden_layers == 1
    assert pipe.reading.max_seq_length == 24, "texts are read as in training"
    if task.strided:
        assert pipe.reading.stride == Pipeline(task.name, student, max_seq_length=40).reading.stride == 4
    assert ("- doc_stride: 4" in cards["student"]) == task.strided
    answers = pipe(ASKED[task.name])
    assert len(answers) == len(ASKED[task.name])
    assert rounded(pipe(ASKED[task.name][0])) == rounded(answers[0]), "an answer does not depend on other questions"
    assert pipe([]) == []


def test_the_loss_is_that_of_all_examples(task, tmp_path, vocabulary):
    """Prevents the last batch, which may be short, from counting as much as a whole one, and another best epoch."""
    path = write(task.name, tmp_path)
    losses = []
    for size in (1, 5, 128):
        settings = {**SETTINGS, "max_steps": 1, "learning_rate": 0.0, "per_device_eval_batch_size": size}
        request = RunRequest(task, "finetune", path, path, tmp_path / "model", settings)
        found = run(request, from_scratch(task, "bert", vocabulary, SIZES))
        losses.append(found["validation_loss"])
    assert losses[1:] == pytest.approx(losses[:-1], rel=1e-5)
    if task.name == "regression":
        assert found["rmse"] ** 2 == pytest.approx(losses[0], rel=1e-5)


def test_student_made_before(task, tmp_path, vocabulary):
    """Prevents a student made before from being thrown away when it learns from a fine-tuned teacher."""
    path = write(task.name, tmp_path)
    run(
        RunRequest(task, "finetune", path, path, tmp_path / "t", SETTINGS),
        from_scratch(task, "bert", vocabulary, SIZES),
    )
    taught = {**SETTINGS, "alpha_soft": 1.0}
    run(RunRequest(task, "distill", path, path, tmp_path / "s", taught), from_teacher(task, tmp_path / "t", "first"))
    start = from_teacher(task, tmp_path / "t", "first", student=tmp_path / "s")
    model, teacher = start.build(start.classes)
    before = from_teacher(task, tmp_path / "t", "first").build(start.classes)[0].state_dict()
    assert teacher is not None
    assert any(not torch.equal(weight, before[name]) for name, weight in model.state_dict().items())
    with pytest.raises(InputError, match="layers"):
        from_teacher(task, tmp_path / "t", "0,1", student=tmp_path / "s").build(start.classes)


def test_teachers_that_cannot_be_joined(tmp_path, vocabulary):
    """Prevents answers for other classes, or for other tokens, from being averaged."""
    task = TASKS["text-classification"]
    tables = {"two": ("no", "yes"), "three": ("no", "yes", "maybe")}
    for name, classes in tables.items():
        rows = [f"{text}\t{classes[number % len(classes)]}" for number, text in enumerate(SENTENCES * 2)]
        path = tmp_path / f"{name}.tsv"
        path.write_text("sentence\tlabel\n" + "\n".join(rows) + "\n")
        run(
            RunRequest(task, "finetune", path, path, tmp_path / name, SETTINGS),
            from_scratch(task, "bert", vocabulary, SIZES),
        )
    path, pieces = tmp_path / "two.tsv", Path(vocabulary).read_text().split()
    for name, own, positions in (("fewer", pieces[:-1], 64), ("turned", pieces[::-1], 64), ("short", pieces, 30)):
        (tmp_path / f"{name}.txt").write_text("\n".join(own) + "\n")
        sizes = {**SIZES, "max_position_embeddings": positions}
        start = from_scratch(task, "bert", tmp_path / f"{name}.txt", sizes)
        run(RunRequest(task, "finetune", path, path, tmp_path / name, SETTINGS), start)
    for other, reason in (("three", "classes"), ("fewer", "vocabulary"), ("turned", "vocabulary")):
        with pytest.raises(InputError, match=reason):
            from_teacher(task, tmp_path / "two", "last", others=[tmp_path / other])
    with pytest.raises(InputError, match="has no alleles"):
        from_teacher(task, tmp_path / "two", "last", further=[tmp_path / "two"])
    with pytest.raises(InputError, match="the student has another vocabulary"):
        from_teacher(task, tmp_path / "two", "last", student=tmp_path / "turned")
    assert from_teacher(task, tmp_path / "two", "last", others=[tmp_path / "short"]).longest == 30
    assert from_teacher(task, tmp_path / "two", "last", student=tmp_path / "short").longest == 30
