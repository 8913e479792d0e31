"""A run directory tells what was trained, how, and how well."""

import csv
import json
import math
import shutil
from dataclasses import replace

import pandas as pd
import pytest
import torch
import yaml
from safetensors.torch import load_file

from pmhc_distil.distillation import settings as settings_module
from pmhc_distil.distillation.epochs import epoch_rows
from pmhc_distil.distillation.halve import halve
from pmhc_distil.distillation.record import RunRequest
from pmhc_distil.distillation.run import run, save_model
from pmhc_distil.distillation.start import Start
from pmhc_distil.errors import InputError
from pmhc_distil.models.hf.loading import load_model
from pmhc_distil.models.hf.tokenizer import PMHCTokenizer
from pmhc_distil.sequences.explain import TRAINING_FILE, read_training_alleles
from pmhc_distil.sequences.hla import resolve_allele
from pmhc_distil.sequences.overlap import HASHES_FILE, TrainingHashes, hash_pairs, write_hashes
from pmhc_distil.tasks import TASKS


def begin(model, teacher=None):
    """Start with models that exist."""
    return Start(
        PMHCTokenizer(), 65, lambda _: (model, teacher), teachers=("mine",) if teacher else None, begun_from="`mine`"
    )


SETTINGS = {
    "use_cpu": True,
    "num_train_epochs": 2,
    "per_device_train_batch_size": 192,
    "logging_steps": 1,
    "seed": 3,
    "alpha_soft": 1.0,
    "alpha_hard": 0.5,
    "learning_rate": 1e-3,
    "disable_tqdm": True,
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory, make_model, pair_files):
    """Give a finished distillation: its directory, the returned metrics and the model in memory."""
    output = tmp_path_factory.mktemp("runs") / "student"
    (pair_files[0].parent / "report.json").write_text(json.dumps({"recipe": {"sources": [{"file": "mine.csv"}]}}))
    teacher = make_model()
    student = halve(teacher, [0, 3])
    metrics = run(RunRequest(TASKS["binding"], "distill", *pair_files, output, SETTINGS), begin(student, teacher))
    return output, metrics, student


def test_directory_holds_everything(finished):
    """Prevents a model that cannot be used without the command that made it."""
    names = {path.name for path in finished[0].iterdir()}
    assert {"config.json", "model.safetensors", "vocab.json", "metrics.csv", "recipe.yaml", "README.md"} <= names
    assert not {name for name in names if name.startswith(".")}, "no temporary file is left"
    modes = {path.stat().st_mode for path in finished[0].iterdir() if path.is_file()}
    assert len(modes) == 1, "weights may be read by whom the rest may be read by"
    assert PMHCTokenizer.from_pretrained(finished[0])("SLYNTVATL A0201")["input_ids"]


def test_one_line_of_metrics_per_epoch(finished):
    """Prevents metrics that have to be dug out of a log."""
    output, metrics, _ = finished
    with (output / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [
        "epoch",
        "step",
        "training_loss",
        "validation_loss",
        "auroc",
        "ap",
        "accuracy",
        "f1",
        "mcc",
        "affinity_spearman",
    ]
    assert [float(row["epoch"]) for row in rows] == [1, 2]
    assert all(math.isfinite(float(value)) for row in rows for value in row.values())
    assert metrics["ap"] == pytest.approx(float(rows[-1]["ap"]), rel=1e-5)


def test_the_best_epoch_is_kept(tmp_path, make_model, pair_files):
    """Prevents the results of the last epoch beside the weights of another."""
    wanted = {**SETTINGS, "load_best_model_at_end": True, "metric_for_best_model": "loss", "greater_is_better": True}
    model = make_model()
    request = RunRequest(TASKS["binding"], "finetune", *pair_files, tmp_path / "run", {**wanted, "alpha_soft": 0.0})
    metrics = run(request, begin(model))
    with (tmp_path / "run" / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert float(rows[0]["validation_loss"]) > float(rows[1]["validation_loss"]), "so that the first is not the last"
    assert metrics["validation_loss"] == pytest.approx(float(rows[0]["validation_loss"]), rel=1e-5)
    (first,) = (tmp_path / "run" / "checkpoints").glob(f"checkpoint-{rows[0]['step']}")
    kept, saved = load_file(tmp_path / "run" / "model.safetensors"), load_file(first / "model.safetensors")
    assert all(torch.equal(kept[name], weights.half()) for name, weights in saved.items())
    card = (tmp_path / "run" / "README.md").read_text()
    assert f"- validation_loss: {metrics['validation_loss']:.4f}" in card
    assert "The weights are those after epoch 1, the best of them." in card
    shutil.rmtree(first)
    with pytest.raises(InputError, match="not there any more"):
        run(replace(request, resume=True), begin(make_model()))


@pytest.mark.parametrize(
    ("metric", "greater"),
    [("loss", False), ("eval_rmse", False), ("rmse", False), ("perplexity", False), ("f1", True), ("spearman", True)],
)
def test_which_metric_is_best_low(tmp_path, metric, greater):
    """Prevents the worst epoch from being kept as the best."""
    wanted = {"load_best_model_at_end": True, "metric_for_best_model": metric}
    assert settings_module.training_arguments(tmp_path, wanted).greater_is_better is greater
    assert settings_module.training_arguments(tmp_path, {**wanted, "greater_is_better": True}).greater_is_better is True


def test_a_setting_that_is_refused_late_costs_no_earlier_run(finished, tmp_path, make_model, pair_files):
    """Prevents a finished model from being removed for an optimizer that cannot be made."""
    shutil.copytree(finished[0], tmp_path / "run")
    before = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir() if path.is_file()}
    model = make_model()
    model.encoder.blocks = model.encoder.layers
    del model.encoder.layers
    settings = {**SETTINGS, "alpha_soft": 0.0, "muon_learning_rate": 0.01}
    with pytest.raises(InputError, match="muon_learning_rate: the layers of this model cannot be found"):
        run(RunRequest(TASKS["binding"], "finetune", *pair_files, tmp_path / "run", settings), begin(model))
    assert {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir() if path.is_file()} == before


@pytest.mark.parametrize(("metric", "expected"), [("bleu", "auroc"), ("affinity_spearman", "mcc\\)$")])
def test_a_metric_that_is_not_measured(tmp_path, make_model, pair_files, pairs, metric, expected):
    """Prevents a traceback for the name of a metric, or a whole epoch before it is refused."""
    wanted = {**SETTINGS, "load_best_model_at_end": True, "metric_for_best_model": metric, "alpha_soft": 0.0}
    validation = tmp_path / "validation.csv"
    pairs.assign(affinity_nm=None).to_csv(validation, index=False)
    request = RunRequest(TASKS["binding"], "finetune", pair_files[0], validation, tmp_path / "run", wanted)
    with pytest.raises(InputError, match=rf"not measured.*{metric}.*{expected}"):
        run(request, begin(make_model()))
    assert not (tmp_path / "run").exists()  # nor is what an earlier run has left removed


def test_a_damaged_cache_costs_no_earlier_run(finished, tmp_path, make_model, pair_files):
    """Prevents a finished model from being removed for a run that cannot begin."""
    shutil.copytree(finished[0], tmp_path / "run")
    (tmp_path / "rows.h5").write_bytes(b"damaged")
    teacher = make_model()
    for name in ("run", "new"):
        request = RunRequest(
            TASKS["binding"], "distill", *pair_files, tmp_path / name, SETTINGS, cache=tmp_path / "rows.h5"
        )
        with pytest.raises(InputError, match="not a teacher cache"):
            run(request, begin(halve(teacher, [0, 3]), teacher))
    assert {path.name for path in (tmp_path / "run").iterdir()} == {path.name for path in finished[0].iterdir()}
    assert not (tmp_path / "new").exists()


def test_training_loss_is_the_mean_since_the_last_evaluation():
    """Prevents losses of earlier epochs from being averaged into later ones, and few steps from weighing as many."""
    history = [
        {"loss": 4.0, "epoch": 0.5, "step": 1},
        {"loss": 2.5, "epoch": 1, "step": 3},
        {
            "eval_loss": 1.0,
            "eval_ap": 0.5,
            "eval_runtime": 9.0,
            "eval_samples_per_second": 9.0,
            "epoch": 1.0,
            "step": 3,
        },
        {"loss": 1.0, "epoch": 2, "step": 4},
        {"eval_loss": 0.5, "eval_ap": 0.7, "epoch": 2.0, "step": 4},
    ]
    assert epoch_rows(history, ["ap"]) == [
        {"epoch": 1.0, "step": 3, "training_loss": 3.0, "validation_loss": 1.0, "ap": 0.5},
        {"epoch": 2.0, "step": 4, "training_loss": 1.0, "validation_loss": 0.5, "ap": 0.7},
    ]


def test_recipe_is_complete(finished, pair_files):
    """Prevents a run that nobody can repeat."""
    record = yaml.safe_load((finished[0] / "recipe.yaml").read_text())
    assert (record["command"], record["task"]) == ("distill", "binding")
    assert record["settings"].items() >= SETTINGS.items()
    unnamed = {"weight_decay": 0.0, "max_grad_norm": 1.0, "lr_scheduler_type": "linear", "temperature": 1.0}
    assert record["settings"].items() >= unnamed.items(), "what nobody gave counts, too"
    assert record["train"]["file"] == pair_files[0].name and record["train"]["examples"] == 180
    assert len(record["train"]["fingerprint"]) == len(record["teacher_weights"]) == 64
    assert record["parameters"] == sum(weight.numel() for weight in finished[2].parameters())


def test_card_has_parsable_front_matter_and_results(finished):
    """Prevents a card that the Hub refuses, or that promises results it does not give."""
    text = (finished[0] / "README.md").read_text()
    _, front, body = text.split("---\n", 2)
    facts = yaml.safe_load(front)
    (entry,) = facts["model-index"]
    (result,) = entry["results"]
    found = {metric["type"]: metric["value"] for metric in result["metrics"]}
    assert found.keys() == {"validation_loss", "auroc", "ap", "accuracy", "f1", "mcc", "affinity_spearman"}
    assert found["ap"] == pytest.approx(finished[1]["ap"], abs=1e-5)
    assert facts["pipeline_tag"] == result["task"]["type"] == "text-classification"
    assert facts["tags"] == ["pmhc-distil", "protein", "immunology"], "what it is found by"
    for heading in (
        "Intended uses and limitations",
        "Training and evaluation data",
        "Training hyperparameters",
        "Training results",
        "Framework versions",
    ):
        assert f"## {heading}\n" in body
    assert "more information needed" not in text.lower()
    assert "It began as `mine`." in body and "distilled from a teacher, `mine`:" in body and "- alpha_soft: 1.0" in body
    assert "- file: mine.csv" in body, "which data"


def test_saved_model_is_the_trained_one(finished):
    """Prevents an initial or a last-but-one model from being saved; half precision is all that is lost."""
    output, _, student = finished
    loaded = load_model(TASKS["binding"].auto_class, output)
    assert loaded.config.teacher_layers == [0, 3]
    for name, weight in loaded.state_dict().items():
        assert (weight - student.state_dict()[name]).abs().max() < 2e-3, name


def test_resuming_a_finished_run_changes_nothing(finished, make_model, pair_files):
    """Prevents a second call from training on, or from losing the history of epochs."""
    output, metrics, _ = finished
    before = [(output / name).read_text() for name in ("metrics.csv", "README.md")]
    teacher = make_model()
    request = RunRequest(TASKS["binding"], "distill", *pair_files, output, SETTINGS, resume=True)
    again = run(request, begin(halve(teacher, [0, 3]), teacher))
    assert again == pytest.approx(metrics, abs=1e-5)
    assert [(output / name).read_text() for name in ("metrics.csv", "README.md")] == before


@pytest.mark.parametrize("best", [False, True])
def test_resuming_a_run_that_ended_within_an_epoch_changes_nothing(make_model, pair_files, tmp_path, best):
    """Prevents a step more, which the Trainer takes, with its line in the table and weights that nobody asked for."""
    settings = {**SETTINGS, "num_train_epochs": 1.5, "per_device_train_batch_size": 32, "load_best_model_at_end": best}
    settings |= {"alpha_soft": 0.0}
    request = RunRequest(TASKS["binding"], "finetune", *pair_files, tmp_path / "run", settings, test=pair_files[1])
    names = ("model.safetensors", "metrics.csv", "metrics_test.csv", "README.md")
    files = []
    for again in (False, True):
        run(replace(request, resume=again), begin(make_model()))
        files.append([(request.output / name).read_bytes() for name in names])
    assert files[0] == files[1]


CHANGES = {
    "settings": {"alpha_soft": 2.0},
    "teacher_weights": {},
    "begun_weights": {},
    "train": {},
    "command": {},
}


@pytest.mark.parametrize("checkpoints", [True, False])
@pytest.mark.parametrize("changed", CHANGES)
def test_resuming_another_run_is_refused(finished, make_model, pair_files, tmp_path, changed, checkpoints):
    """Prevents a run from being continued with settings, data or weights of another, or replaced if it has ended."""
    shutil.copytree(finished[0], tmp_path / "run")
    if not checkpoints:
        shutil.rmtree(tmp_path / "run" / "checkpoints")
    before = (tmp_path / "run" / "recipe.yaml").read_text()
    teacher = make_model(seed=5 if changed == "teacher_weights" else 0)
    files = (pair_files[1], pair_files[1]) if changed == "train" else pair_files
    command = "finetune" if changed == "command" else "distill"
    settings = {**SETTINGS, **CHANGES[changed]}
    request = RunRequest(TASKS["binding"], command, *files, tmp_path / "run", settings, resume=True)
    with pytest.raises(InputError, match=f"had other .*{changed}"):
        run(request, begin(halve(teacher, [0, 2 if changed == "begun_weights" else 3]), teacher))
    assert (tmp_path / "run" / "recipe.yaml").read_text() == before
    assert (tmp_path / "run" / "model.safetensors").is_file()


def test_recipe_is_written_before_training(make_model, pair_files, tmp_path, monkeypatch):
    """Prevents an interrupted run that cannot be told from another when it is resumed."""

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("pmhc_distil.distillation.run.DistilTrainer.train", interrupt)
    settings = {"use_cpu": True, "disable_tqdm": True, "seed": 3}
    with pytest.raises(KeyboardInterrupt):
        run(
            RunRequest(TASKS["binding"], "finetune", *pair_files, tmp_path, settings),
            begin(make_model(num_hidden_layers=1)),
        )
    assert yaml.safe_load((tmp_path / "recipe.yaml").read_text())["settings"].items() >= settings.items()


def write_facts(pairs, folder):
    """Write what `data prepare` tells of pairs."""
    measured = pairs[(pairs["label"] == 1) | pairs["affinity_nm"].notna()]
    write_hashes(measured["peptide"], [resolve_allele(name).name for name in measured["allele"]], folder / HASHES_FILE)
    counts = measured.assign(ligands=measured["label"] == 1, affinities=measured["affinity_nm"].notna())
    counts.groupby("allele")[["ligands", "affinities"]].sum().to_csv(folder / TRAINING_FILE)


@pytest.mark.parametrize("known", ["all of it", "less", "more"])
def test_facts_of_another_table(make_model, pair_files, tmp_path, pairs, known, capsys):
    """Prevents a model from telling of training data that merely lay in the folder of its own."""
    more = pd.concat([pairs, pairs[pairs["label"] == 1].head(1).assign(peptide="SLYNTVATL")])
    write_facts({"all of it": pairs, "less": pairs[pairs["label"].cumsum() > 1], "more": more}[known], tmp_path)
    (tmp_path / "report.json").write_text(json.dumps({"recipe": {"sources": [{"file": "mine.csv"}]}}))
    table = shutil.copy(pair_files[0], tmp_path / "train.csv.gz")
    settings = {**SETTINGS, "alpha_soft": 0.0, "alpha_hard": 1.0, "num_train_epochs": 1}
    request = RunRequest(TASKS["binding"], "finetune", table, pair_files[1], tmp_path / "run", settings)
    run(request, begin(make_model(num_hidden_layers=1)))
    told = {name for name in (HASHES_FILE, TRAINING_FILE) if (tmp_path / "run" / name).exists()}
    assert told == ({HASHES_FILE, TRAINING_FILE} if known == "all of it" else set())
    assert ("mine.csv" in (tmp_path / "run" / "README.md").read_text()) == (known == "all of it")
    assert ("tells of other training data than train.csv.gz" in capsys.readouterr().err) == (known != "all of it")


def test_facts_of_what_a_model_begins_from(make_model, pair_files, tmp_path, pairs, capsys):
    """Prevents an audit that forgets what a model learned before its last run."""
    folders = {name: tmp_path / name for name in ("before", "silent", "table", "run")}
    for name in ("before", "silent"):
        save_model(make_model(num_hidden_layers=1), folders[name])
    folders["table"].mkdir()
    earlier = pd.read_csv(pair_files[1])
    write_facts(earlier, folders["before"])
    write_facts(pairs, folders["table"])
    table = shutil.copy(pair_files[0], folders["table"] / "train.csv.gz")
    settings = {**SETTINGS, "alpha_soft": 0.0, "alpha_hard": 1.0, "num_train_epochs": 1}
    request = RunRequest(TASKS["binding"], "finetune", table, pair_files[1], folders["run"], settings)
    start = replace(begin(make_model(num_hidden_layers=1)), sources=(folders["before"], folders["silent"]))
    run(request, start)
    joined = TrainingHashes.read(folders["run"] / HASHES_FILE)
    for each in (earlier, pairs):
        ligands = each[each["label"] == 1]
        assert joined.seen(hash_pairs(ligands["peptide"], ligands["allele"])).all()
    counts = [read_training_alleles(folders[name] / TRAINING_FILE) for name in ("before", "table", "run")]
    for allele, count in counts[2].items():
        for kind in ("ligands", "affinities"):
            assert getattr(count, kind) == max(getattr(counts[0][allele], kind), getattr(counts[1][allele], kind))
    told = capsys.readouterr().err
    assert "silent does not tell which pairs it was trained on" in told and "before does not tell" not in told
    # What is damaged is told before anything of the run is removed, and what is not beside the table is told, too.
    hashes = folders["table"] / HASHES_FILE
    hashes.write_bytes(b"damaged")
    with pytest.raises(InputError, match="training hashes"):
        run(request, start)
    assert (folders["run"] / "model.safetensors").is_file()
    hashes.unlink()
    run(request, start)
    assert not (folders["run"] / HASHES_FILE).exists()
    assert f"no {HASHES_FILE} is beside {table}, so the model does not tell what before" in capsys.readouterr().err


def test_a_resumed_run_tells_the_same_training_loss(make_model, pair_files, tmp_path):
    """Prevents the losses between the last entry of the log and a checkpoint from being left out of the mean."""
    settings = {**SETTINGS, "alpha_soft": 0.0, "logging_steps": 50, "save_strategy": "steps", "save_steps": 3}
    settings |= {"per_device_train_batch_size": 32, "num_train_epochs": 1}
    request = RunRequest(TASKS["binding"], "finetune", *pair_files, tmp_path / "run", settings)
    run(request, begin(make_model(num_hidden_layers=1)))
    rows = (tmp_path / "run" / "metrics.csv").read_text()
    steps = sorted((tmp_path / "run" / "checkpoints").iterdir(), key=lambda path: int(path.name.split("-")[1]))
    assert len(steps) == 2
    shutil.rmtree(steps[1])  # as if it had been killed after the first
    run(replace(request, resume=True), begin(make_model(num_hidden_layers=1)))
    assert (tmp_path / "run" / "metrics.csv").read_text() == rows


def test_cached_answers_are_to_whole_grooves(make_model, pair_files, tmp_path, capsys):
    """Prevents `--cache` from training otherwise than a live teacher without a word."""
    teacher = make_model(groove_dropout=0.3)
    for cache in (None, tmp_path / "cache.h5"):
        request = RunRequest(TASKS["binding"], "distill", *pair_files, tmp_path / "run", SETTINGS, cache=cache)
        run(request, begin(halve(teacher, [0, 3]), teacher))
        assert ("none of their residues are hidden" in capsys.readouterr().err) == (cache is not None)


def test_a_run_that_diverges(make_model, pair_files, tmp_path):
    """Prevents a traceback out of a metric, or a model that gives no numbers, after too high a learning rate."""
    settings = {**SETTINGS, "alpha_soft": 0.0, "learning_rate": 1e30}
    request = RunRequest(TASKS["binding"], "finetune", *pair_files, tmp_path, settings)
    with pytest.raises(InputError, match=r"no numbers any more.*learning rate"):
        run(request, begin(make_model(num_hidden_layers=1)))
    assert not (tmp_path / "model.safetensors").exists()


def test_weights_beyond_half_precision(make_model, tmp_path):
    """Prevents a model of infinite weights from being written as a result."""
    model = make_model(num_hidden_layers=1)
    with torch.no_grad():
        next(model.parameters()).fill_(1e6)
    with pytest.raises(InputError, match="beyond half precision"):
        save_model(model, tmp_path)


def test_nothing_to_learn(make_model, pair_files, tmp_path, pairs):
    """Prevents random weights from passing for a trained model, and a refused run from clearing one that ended."""
    (tmp_path / "run").mkdir()
    for name in ("README.md", "recipe.yaml"):
        (tmp_path / "run" / name).touch()
    (tmp_path / "empty.csv").write_text(pairs.assign(label=None, affinity_nm=None).to_csv(index=False))
    begun = begin(make_model(num_hidden_layers=1))
    settings = {**SETTINGS, "alpha_soft": 0.0}
    for files, weight, expected in (
        (pair_files, 0.0, "no loss is left"),
        ((tmp_path / "empty.csv", pair_files[1]), 1.0, "no row has a label"),
    ):
        request = RunRequest(TASKS["binding"], "finetune", *files, tmp_path / "run", {**settings, "alpha_hard": weight})
        with pytest.raises(InputError, match=expected):
            run(request, begun)
    assert (tmp_path / "run" / "README.md").exists()


@pytest.mark.parametrize("text", [None, "", "[1, 2]", "a: ["])
def test_resuming_without_a_recipe(finished, make_model, pair_files, tmp_path, text):
    """Prevents a run from being continued with other settings, because nothing tells what they were."""
    shutil.copytree(finished[0], tmp_path / "run")
    (tmp_path / "run" / "recipe.yaml").unlink()
    if text is not None:
        (tmp_path / "run" / "recipe.yaml").write_text(text)
    teacher = make_model()
    request = RunRequest(TASKS["binding"], "distill", *pair_files, tmp_path / "run", SETTINGS, resume=True)
    with pytest.raises(InputError, match="what the run to resume depended on"):
        run(request, begin(halve(teacher, [0, 3]), teacher))


@pytest.mark.parametrize("text", ["[1, 2]", "no JSON", '{"recipe": 3}'])
def test_a_foreign_report_beside_the_table(make_model, pair_files, tmp_path, text):
    """Prevents a traceback after hours of training, for a file that is not ours."""
    for path in pair_files:
        shutil.copyfile(path, tmp_path / path.name)
    (tmp_path / "report.json").write_text(text)
    files = [tmp_path / path.name for path in pair_files]
    settings = {**SETTINGS, "alpha_soft": 0.0, "max_steps": 1}
    run(RunRequest(TASKS["binding"], "finetune", *files, tmp_path / "run", settings), begin(make_model()))
    assert "data prepare" not in (tmp_path / "run" / "README.md").read_text()


def test_peptides_too_long_for_the_model(make_model, pair_files, tmp_path):
    """Prevents a traceback out of the encoder."""
    begun = Start(PMHCTokenizer(), 9, lambda _: (make_model(max_half_length=4), None))
    with pytest.raises(
        InputError, match="longer than 8, which max_seq_length allows, by default that of the model"
    ) as caught:
        run(RunRequest(TASKS["binding"], "finetune", *pair_files, tmp_path / "run", {"use_cpu": True}), begun)
    assert caught.value.column == "peptide"


@pytest.mark.parametrize(
    "short",
    [{"num_train_epochs": 2}, {"max_steps": 1}, {"num_train_epochs": 0.5}, {"gradient_accumulation_steps": 2}],
    ids=str,
)
def test_short_epochs_have_a_training_loss(make_model, pair_files, tmp_path, short):
    """Prevents an epoch of fewer steps than lie between two records from having no training loss."""
    settings = {
        "use_cpu": True,
        "disable_tqdm": True,
        "seed": 3,
        "per_device_train_batch_size": 96,
        "save_strategy": "no",
        "num_train_epochs": 1,
    }
    request = RunRequest(TASKS["binding"], "finetune", *pair_files, tmp_path, {**settings, **short})
    run(request, begin(make_model(num_hidden_layers=1)))
    with (tmp_path / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == (2 if short == {"num_train_epochs": 2} else 1)
    assert all(math.isfinite(float(row["training_loss"])) for row in rows)


@pytest.mark.parametrize(
    "wrong",
    [
        {"learning_rate": "fast"},
        {"num_train_epochs": [1]},
        {"seed": "one"},
        {"alpha_hard": "much"},
        {"temperature": "hot"},
        {"per_device_train_batch_size": 1.5},
        {"bf16": "perhaps"},
        {"save_strategy": "best"},
    ],
    ids=str,
)
def test_settings_of_a_wrong_type_are_one_line(make_model, pair_files, tmp_path, wrong):
    """Prevents a traceback from deep within the optimizer."""
    settings = {"use_cpu": True, "disable_tqdm": True, "max_steps": 1, "save_strategy": "no", **wrong}
    with pytest.raises(InputError) as caught:
        run(
            RunRequest(TASKS["binding"], "finetune", *pair_files, tmp_path, settings),
            begin(make_model(num_hidden_layers=1)),
        )
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("has", [True, False])
def test_half_precision_without_instructions_for_it(make_model, pair_files, tmp_path, has, capsys, monkeypatch):
    """Prevents a training that takes many times as long, and a card that claims a precision that was not used."""
    monkeypatch.setattr(settings_module, "_processor_has_bf16", lambda: has)
    settings = {**SETTINGS, "bf16": True, "alpha_soft": 0.0, "max_steps": 1}
    run(RunRequest(TASKS["binding"], "finetune", *pair_files, tmp_path / "run", settings), begin(make_model()))
    assert ("bf16 is turned off" in capsys.readouterr().err) is not has
    assert yaml.safe_load((tmp_path / "run" / "recipe.yaml").read_text())["settings"]["bf16"] is has
    assert f"- bf16: {has}" in (tmp_path / "run" / "README.md").read_text()


@pytest.mark.parametrize("resume", [True, False])
def test_files_of_no_run_stay(tmp_path, make_model, pair_files, resume):
    """Prevents a README of the user's from being removed, or written over by a model card."""
    (tmp_path / "README.md").write_text("mine")
    settings = {**SETTINGS, "alpha_soft": 0.0}
    request = RunRequest(TASKS["binding"], "finetune", *pair_files, tmp_path, settings, resume=resume)
    with pytest.raises(InputError, match=r"this folder has a README.md that is of no run \(move it away"):
        run(request, begin(make_model()))
    assert [path.read_text() for path in tmp_path.iterdir()] == ["mine"]


def test_no_epoch_is_the_best(tmp_path, make_model, pair_files, capsys):
    """Prevents a finished training from being lost where the metric is no number in any epoch."""
    wanted = {**SETTINGS, "load_best_model_at_end": True, "metric_for_best_model": "auroc", "alpha_soft": 0.0}
    task = replace(TASKS["binding"], metrics=lambda *_: {"auroc": math.nan})
    run(RunRequest(task, "finetune", *pair_files, tmp_path / "run", wanted), begin(make_model()))
    assert "auroc is no number in any epoch: the weights of the last are kept" in capsys.readouterr().err
    assert "the best of them" not in (tmp_path / "run" / "README.md").read_text()
    assert (tmp_path / "run" / "model.safetensors").is_file()


def test_pooled_sources_are_told_apart_in_training_alone(tmp_path, make_model, pairs, pair_files):
    """Prevents a model that nothing can load, or a run that loses what it knows of a source when it is continued."""
    from pmhc_distil.inference.engine import read_weights

    pairs.assign(pooled=(pairs["label"] == 1) & (pairs.index % 2 == 0)).to_csv(tmp_path / "train.csv", index=False)
    settings = {**SETTINGS, "alpha_soft": 0.0}
    files = tmp_path / "train.csv", pair_files[1]
    models = []
    for name in ("whole", "halved"):
        model, output = make_model(), tmp_path / name
        request = RunRequest(TASKS["binding"], "finetune", *files, output, settings)
        run(request, begin(model))
        last = max((output / "checkpoints").iterdir(), key=lambda path: int(path.name.split("-")[1]))
        assert load_file(last / "model.safetensors")["pooled.weight"].abs().sum() > 0
        if name == "halved":
            shutil.rmtree(last)
            model = make_model()
            run(replace(request, resume=True), begin(model))
        assert model.pooled is None
        read_weights(output)
        models.append(load_file(output / "model.safetensors"))
    assert all(torch.equal(models[1][name], weights) for name, weights in models[0].items())
