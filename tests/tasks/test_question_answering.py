"""How far "no answer" must lead: chosen on validation data, kept with the model, and used wherever it answers."""

import csv
import json
from contextlib import nullcontext
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from pmhc_distil.distillation.record import RunRequest
from pmhc_distil.distillation.run import run
from pmhc_distil.distillation.start import from_scratch, from_teacher
from pmhc_distil.distillation.task import Reading
from pmhc_distil.errors import InputError
from pmhc_distil.inference.pipeline import Pipeline
from pmhc_distil.tasks import TASKS
from pmhc_distil.texts.squad import read_questions

TASK = TASKS["question-answering"]
WORDS = ["ann", "bob", "sat", "ran", "in", "paris", "london", "cat", "dog", "mat", "good", "bad"]


def write(path, count, impossible, seed):
    """Write questions whose answer is the word after "won"; some contexts do not say it."""
    generator = np.random.default_rng(seed)
    asked = []
    for number in range(count):
        words = generator.choice(WORDS, 6).tolist()
        none = generator.random() < impossible
        text = " ".join(words if none else [*words[:3], "won", *words[3:]])
        answers = [] if none else [{"text": words[3], "answer_start": text.index("won ") + 4}]
        entry = {"id": str(number), "question": "who won ?", "is_impossible": none, "answers": answers}
        asked.append({"context": text, "qas": [entry]})
    path.write_text(json.dumps({"version": "2.0", "data": [{"title": "t", "paragraphs": asked}]}))
    return path


@pytest.fixture
def data(tmp_path, word_tokenizer):
    return TASK.read(write(tmp_path / "v.json", 60, 0.4, 0), Reading(word_tokenizer, 32))


def test_no_other_threshold_does_better(data):
    """Prevents a threshold that is off by one question, or of the wrong sign."""
    width, truth = int(data.input_ids.lengths.max()), data.labels.reshape(-1, 1)
    for seed in range(6):
        generator = np.random.default_rng(seed)
        logits = generator.normal(size=(2 * len(data), width))
        logits[:, 0] += generator.normal(0, 3)
        chosen = TASK.settle(data, partial(np.copy, logits))
        best = TASK.metrics(replace(data, **chosen), logits, truth)["exact_match"]
        cuts = {cut: replace(data, null_score_diff_threshold=cut) for cut in range(-12, 13)}
        grid = {cut: TASK.metrics(one, logits, truth) for cut, one in cuts.items()}
        assert best >= max(found["exact_match"] for found in grid.values())
        if grid[0]["exact_match"] == best:
            assert chosen == {"null_score_diff_threshold": 0.0}, "what does no better is not worth a setting"


def test_nothing_to_choose(tmp_path, word_tokenizer):
    """Prevents a threshold for a model that always answers."""
    data = TASK.read(write(tmp_path / "v.json", 9, 0.0, 0), Reading(word_tokenizer, 32))
    assert TASK.settle(data, lambda: pytest.fail("the model is not asked for nothing")) == {}


def ask(tmp_path, word_tokenizer, answers):
    """Give questions on one context with these answers; None for a question that has none."""
    text, asked = "ann won cat", []
    for number, answer in enumerate(answers):
        found = [] if answer is None else [{"text": answer, "answer_start": text.index(answer)}]
        asked.append({"id": str(number), "question": "who ?", "is_impossible": answer is None, "answers": found})
    path, paragraph = tmp_path / "q.json", {"context": text, "qas": asked}
    path.write_text(json.dumps({"version": "2.0", "data": [{"title": "t", "paragraphs": [paragraph]}]}))
    return TASK.read(path, Reading(word_tokenizer, 32))


def chosen(data, leads):
    """Give the threshold where the model answers "cat", and no answer leads by so much."""
    logits = np.full((2 * len(data), int(data.input_ids.lengths.max())), -9.0)
    for number in range(len(data)):
        (place,) = np.flatnonzero(data.places[number] == len("ann won "))
        logits[2 * number : 2 * number + 2, place] = 0.0
        logits[2 * number : 2 * number + 2, 0] = leads[data.source[number]] / 2
    return TASK.settle(data, lambda: logits)["null_score_diff_threshold"]


def test_no_threshold_tells_equal_leads_apart(tmp_path, word_tokenizer):
    """Prevents a threshold between two questions that no threshold answers differently."""
    assert chosen(ask(tmp_path, word_tokenizer, ["cat", None]), [1.0, 1.0]) == 0.0


def test_of_equally_good_thresholds_that_nearest_to_none(tmp_path, word_tokenizer):
    """Prevents a model from being made to stay silent where a smaller threshold does as well."""
    # The first is wrong whatever is chosen; the second is right without an answer.
    assert chosen(ask(tmp_path, word_tokenizer, ["ann", None]), [-5.0, -3.0]) == -4.0


def test_blanks_around_an_answer_are_not_learned(tmp_path, word_tokenizer):
    """Prevents a span that begins a word too early."""
    plain, spaced = (ask(tmp_path, word_tokenizer, [text]).labels for text in ("won", " won "))
    np.testing.assert_array_equal(spaced, plain)


def test_a_threshold_goes_with_its_model(tmp_path, vocabulary):
    """Prevents a test, a saved model or a user's question from being answered with another threshold."""
    train, validation = (write(tmp_path / f"{n}.json", 80, part, n) for n, part in ((1, 0.9), (2, 0.1)))
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    settings = {"use_cpu": True, "disable_tqdm": True, "num_train_epochs": 3, "learning_rate": 3e-3}
    request = RunRequest(
        TASK, "finetune", train, validation, tmp_path / "m", {**settings, "max_seq_length": 24}, test=validation
    )
    run(request, from_scratch(TASK, "bert", vocabulary, sizes))
    chosen = json.loads((tmp_path / "m" / "config.json").read_text())["null_score_diff_threshold"]
    assert chosen > 0, "a model that has hardly seen an answer must be told to dare one"
    assert f"null_score_diff_threshold: {chosen:g}" in (tmp_path / "m" / "README.md").read_text()
    tables = [list(csv.DictReader((tmp_path / "m" / name).open())) for name in ("metrics.csv", "metrics_test.csv")]
    before, after = (float(table[-1]["exact_match"]) for table in tables)
    assert after > before, "the same questions, without and with the threshold"
    pipe = Pipeline("question-answering", tmp_path / "m")
    questions = read_questions(validation)
    found = [one["answer"] for one in pipe(questions)]
    right = [text == (one.answers[0][0] if one.answers else "") for text, one in zip(found, questions, strict=True)]
    assert 100 * np.mean(right) == pytest.approx(after)
    never = pipe(questions, null_score_diff_threshold=1e6)
    always = pipe(questions, null_score_diff_threshold=-1e6)
    assert all(one["answer"] for one in never) and not any(one["answer"] for one in always)


def test_a_teacher_of_others(tmp_path, vocabulary):
    """Prevents a teacher that does not tell whether it knows "no answer" from being refused where some have none."""
    path = write(tmp_path / "q.json", 40, 0.4, 0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    settings = {"use_cpu": True, "disable_tqdm": True, "num_train_epochs": 1, "max_seq_length": 24}
    teacher = RunRequest(TASK, "finetune", path, path, tmp_path / "t", settings)
    run(teacher, from_scratch(TASK, "bert", vocabulary, sizes))
    config = json.loads((tmp_path / "t" / "config.json").read_text())
    for name in ("unanswerable", "null_score_diff_threshold", "max_seq_length", "doc_stride"):
        del config[name]
    (tmp_path / "t" / "config.json").write_text(json.dumps(config))
    start = from_teacher(TASK, tmp_path / "t", "last")
    assert start.classes is None
    run(RunRequest(TASK, "distill", path, path, tmp_path / "s", {**settings, "alpha_soft": 1.0}), start)
    assert Pipeline(TASK.name, tmp_path / "s").reading.classes == ("NO_ANSWER",)
    assert Pipeline(TASK.name, tmp_path / "t").reading.max_seq_length == 512


def test_other_answers_are_another_validation(tmp_path, vocabulary):
    """Prevents epochs that were measured on different answers from standing in one table."""
    path, other = tmp_path / "v.json", tmp_path / "other" / "v.json"
    other.parent.mkdir()
    write(other, 12, 0.5, 1)
    found = json.loads(other.read_text())
    for paragraph in (paragraph for article in found["data"] for paragraph in article["paragraphs"]):
        for question in paragraph["qas"]:
            question["answers"] += [{"text": paragraph["context"], "answer_start": 0}] * bool(question["answers"])
    path.write_text(json.dumps(found))
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    settings = {"use_cpu": True, "disable_tqdm": True, "max_steps": 1, "max_seq_length": 24}
    for validation, told in ((path, None), (path, None), (other, "had other validation_digest")):
        request = RunRequest(TASK, "finetune", path, validation, tmp_path / "m", settings, resume=True)
        with pytest.raises(InputError, match=told) if told else nullcontext():
            run(request, from_scratch(TASK, "bert", vocabulary, sizes))
