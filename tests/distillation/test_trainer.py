"""One trainer for every task: it learns, it repeats itself, and it resumes where it stopped."""

import numpy as np
import pandas as pd
import pytest
import torch
from transformers import TrainerCallback, set_seed

from pmhc_distil.distillation.cache import teacher_rows
from pmhc_distil.distillation.ensemble import Ensemble
from pmhc_distil.distillation.halve import halve
from pmhc_distil.distillation.losses import cosine_loss, hidden_loss, soft_loss
from pmhc_distil.distillation.settings import training_arguments
from pmhc_distil.distillation.task import model_inputs
from pmhc_distil.distillation.trainer import DistilTrainer
from pmhc_distil.errors import InputError
from pmhc_distil.models.hf.modeling import PMHCForMaskedLM, PMHCForSequenceClassification
from pmhc_distil.models.hf.tokenizer import PMHCTokenizer
from pmhc_distil.tasks import TASKS
from pmhc_distil.tasks.binding import PairData
from pmhc_distil.tasks.masked_windows import WindowData

BINDING = TASKS["binding"]
MODELS = {"binding": PMHCForSequenceClassification, "fill-mask": PMHCForMaskedLM}
SETTINGS = {
    "use_cpu": True,
    "disable_tqdm": True,
    "logging_steps": 1,
    "save_strategy": "no",
    "eval_strategy": "no",
    "num_train_epochs": 2,
    "per_device_train_batch_size": 96,
    "per_device_eval_batch_size": 96,
    "learning_rate": 1e-3,
    "lr_scheduler_type": "constant",
    "seed": 7,
}


@pytest.fixture
def data(pairs):
    return PairData(pairs)


@pytest.fixture
def make_trainer(tmp_path):
    """Give a function that builds a quiet trainer."""

    def make(task, model, train, folder="run", settings=None, **kwargs):
        arguments = {**SETTINGS, **(settings or {})}
        # training_arguments sets one evaluation per epoch; the tests decide for themselves.
        evaluation = arguments.pop("eval_strategy")
        made = training_arguments(tmp_path / folder, arguments)
        made.eval_strategy = made.eval_strategy if evaluation == "epoch" else type(made.eval_strategy)(evaluation)
        return DistilTrainer(task, model, made, train, kwargs.pop("validation", train), **kwargs)

    return make


def weights(model):
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def equal(one, other):
    return all(torch.equal(value, other[name]) for name, value in one.items())


def losses(trainer):
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


def examples(task_name, pairs, proteins):
    if task_name == "binding":
        return PairData(pairs[pairs["allele"] == "HLA-A*02:01"])
    return WindowData(proteins[:6], 25, PMHCTokenizer())


@pytest.mark.parametrize("name", MODELS)
def test_a_tiny_student_fits_one_batch(name, make_model, make_trainer, pairs, proteins):
    """Prevents a task whose loss, rows or gradients do not fit together."""
    task = TASKS[name]
    data = examples(name, pairs, proteins)
    model = make_model(MODELS[name], num_hidden_layers=2, spread=0.05, hidden_size=32)
    batch = data.collate(next(iter(data.batches(10_000, shuffle=False, seed=0))))
    before = float(task.hard_loss(task.forward(model, batch), batch).detach())
    data.batches = lambda *_, **__: [list(range(len(data)))] if name == "fill-mask" else BINDING_BLOCKS(data)
    data.collate = lambda _: dict(batch)
    trainer = make_trainer(task, model, data, settings={"max_steps": 70, "learning_rate": 1e-2})
    trainer.train()
    model.eval()
    after = float(task.hard_loss(task.forward(model, batch), batch).detach())
    assert after < before / 4


def BINDING_BLOCKS(data):  # noqa: N802
    return [list(range(len(data)))]


def test_padding_never_counts(make_model, make_trainer, pairs):
    """Prevents the copies that fill up a block from being read as other pairs: ``range(n)[~0]`` is the last pair."""
    data = PairData(pairs)
    trainer = make_trainer(BINDING, make_model(), data, settings={"num_train_epochs": 1})
    for loader in (trainer.get_train_dataloader(), trainer.get_eval_dataloader()):
        labelled = 0
        for batch in loader:
            labelled += int((~batch["labels"][:, 0].isnan()).sum())
        assert labelled == int(pairs["label"].notna().sum())


def test_metrics_do_not_depend_on_the_batch_size(make_model, make_trainer, pairs):
    """Prevents padding from entering the validation metrics."""
    found = []
    for size in (48, 480):
        trainer = make_trainer(BINDING, make_model(), PairData(pairs), settings={"per_device_eval_batch_size": size})
        found.append(trainer.evaluate())
    for name in ("loss", "auroc", "ap", "mcc", "affinity_spearman"):
        assert found[0][f"eval_{name}"] == pytest.approx(found[1][f"eval_{name}"], abs=1e-6)
    model, data = make_model(), PairData(pairs)
    rows = np.full((len(pairs), 2), np.nan)
    for numbers in data.batches(96, shuffle=False, seed=0):
        batch = data.collate(numbers)
        with torch.no_grad():
            part = BINDING.rows(model(groove_ids=batch["groove_ids"], peptide_ids=batch["peptide_ids"]), batch).numpy()
        for number, row in zip(numbers, part, strict=True):
            if number >= 0:
                rows[number] = row
    for name, value in BINDING.metrics(data, rows, data.labels).items():
        assert found[0][f"eval_{name}"] == pytest.approx(value, abs=1e-5), name


def distil_settings(**changed):
    return {"alpha_hard": 0.5, "alpha_soft": 1.0, "temperature": 2.0, "max_steps": 3, **changed}


def test_live_and_cached_teacher_give_the_same_loss(teacher, make_trainer, data, tmp_path):
    """Prevents cached rows from being joined with other pairs than those they were computed for."""
    cached = teacher_rows(BINDING, teacher, data, tmp_path / "c.h5", batch_size=480, device=torch.device("cpu"))
    found = []
    for given in ({"teacher": teacher}, {"teacher_rows": cached}):
        trainer = make_trainer(BINDING, halve(teacher, [0, 3]), data, settings=distil_settings(), **given)
        trainer.train()
        found.append(losses(trainer))
    assert found[0][0] == pytest.approx(found[1][0], abs=1e-4)
    assert found[0] == pytest.approx(found[1], abs=2e-3)


def test_distillation_draws_the_student_to_its_teacher(teacher, make_trainer, data):
    """Prevents a soft loss that is added but does not train."""
    student = halve(teacher, [0, 3])
    settings = {"alpha_hard": 0.0, "alpha_soft": 1.0, "alpha_cosine": 0.1, "alpha_hidden": 0.05, "num_train_epochs": 25}
    trainer = make_trainer(BINDING, student, data, teacher=teacher, settings={**settings, "learning_rate": 5e-3})
    trainer.train()
    found = losses(trainer)
    assert np.mean(found[-4:]) < np.mean(found[:4]) / 2


def test_a_copy_of_the_teacher_has_no_loss(teacher, make_trainer, data):
    """Prevents a soft or hidden loss that compares other layers or rows than its own."""
    student = halve(teacher, range(4))
    settings = {"alpha_hard": 0.0, "alpha_soft": 1.0, "alpha_cosine": 1.0, "alpha_hidden": 1.0, "max_steps": 1}
    trainer = make_trainer(BINDING, student, data, teacher=teacher, settings=settings)
    trainer.train()
    assert losses(trainer)[0] == pytest.approx(0, abs=1e-5)


def test_losses_of_a_teacher_are_weighed(teacher, make_trainer, data):
    """Prevents a weight that changes nothing, and layers that follow another than that they were taken from."""
    student = halve(teacher, [0, 2, 3])
    torch.manual_seed(0)
    with torch.no_grad():
        for weight in student.parameters():
            weight.add_(0.2 * torch.randn_like(weight))
    alphas = {"alpha_hard": 0.0, "alpha_soft": 0.5, "alpha_cosine": 0.2, "alpha_hidden": 0.3}
    trainer = make_trainer(BINDING, student, data, teacher=teacher, settings=distil_settings(**alphas))
    batch = data.collate(next(iter(data.batches(96, shuffle=False, seed=0))))
    own, taught = BINDING.forward(student.train(), batch), BINDING.forward(teacher, batch)

    def states(layer, other):
        pair = ((own, layer), (taught, other))
        return [BINDING.compared(found.hidden_states[number], batch) for found, number in pair]

    rows = [BINDING.rows(found, batch)[batch["counted"]] for found in (own, taught)]
    hidden = [hidden_loss(*states(*pair)) for pair in ((1, 1), (2, 3), (3, 4))]
    expected = 0.5 * soft_loss(*rows, BINDING.link, 2.0) + 0.2 * cosine_loss(*states(3, 4)) + 0.3 * sum(hidden) / 3
    torch.testing.assert_close(trainer.compute_loss(student, batch), expected)


def test_teacher_and_student_see_the_same_groove(make_model, make_trainer, data):
    """Prevents residues that are hidden from the student alone, who would have to guess what its teacher answers to."""
    teacher = make_model(groove_dropout=0.5)
    settings = {"alpha_hard": 0.0, "alpha_soft": 1.0, "alpha_cosine": 1.0, "max_steps": 1}
    trainer = make_trainer(BINDING, halve(teacher, range(4)), data, teacher=teacher, settings=settings)
    trainer.train()
    assert losses(trainer)[0] == pytest.approx(0, abs=1e-5)


def test_cached_answers_hide_nothing(make_model, make_trainer, data, tmp_path):
    """Prevents a student from learning what a teacher answers to residues that only the teacher saw."""
    teacher = make_model(groove_dropout=0.5)
    cached = teacher_rows(BINDING, teacher, data, tmp_path / "c.h5", batch_size=480, device=torch.device("cpu"))
    settings = {"alpha_hard": 0.0, "alpha_soft": 1.0, "max_steps": 1}
    trainer = make_trainer(BINDING, halve(teacher, range(4)), data, teacher_rows=cached, settings=settings)
    trainer.train()
    assert losses(trainer)[0] == pytest.approx(0, abs=1e-5)


def test_further_teachers_answer_for_new_alleles_alone(make_model, make_trainer, pairs):
    """Prevents them from being asked about an allele that was measured, or from counting more than the others do."""
    frame = pairs.copy()
    new = (frame["allele"] == frame["allele"].iloc[0]).to_numpy()
    frame.loc[new, ["label", "affinity_nm"]] = None
    frame.loc[np.flatnonzero(~new)[:9], ["label", "affinity_nm"]] = None  # of an allele that has other pairs
    data = PairData(frame)
    first, second, *further = (make_model(seed=seed) for seed in range(5))
    settings = {"alpha_hard": 0.0, "alpha_soft": 1.0, "temperature": 2.0, "max_steps": 1}
    settings["per_device_train_batch_size"] = 32 * 32
    taught = {"teacher": Ensemble([first, second], further), "settings": settings}
    student = halve(first, [0, 3])
    with torch.no_grad():
        batch = data.collate(next(iter(data.batches(32 * 32, shuffle=False, seed=0))))
        own, *rows = (BINDING.rows(m(**model_inputs(batch)), batch) for m in (student, first, second, *further))
    asked = batch["counted"] & batch["new"].repeat_interleave(32)
    assert asked.sum() == new.sum()
    target = torch.stack(rows[:2]).mean(0)
    target[asked] = torch.stack(rows).mean(0)[asked]
    trainer = make_trainer(BINDING, student, data, validation=PairData(pairs), **taught)
    trainer.train()
    kept = batch["counted"]
    assert losses(trainer)[0] == pytest.approx(float(soft_loss(own[kept], target[kept], "sigmoid", 2.0)), rel=1e-4)


@pytest.mark.parametrize("alpha", ["alpha_soft", "alpha_cosine", "alpha_hidden"])
def test_padding_teaches_nothing(alpha, teacher, make_trainer, pairs):
    """Prevents the copies that fill up a block from weighing as much as pairs do."""
    ours = pairs[pairs["allele"] == "HLA-A*02:01"].head(33)
    assert len(ours) == 33
    settings = {"alpha_hard": 0.0, alpha: 1.0, "max_steps": 1, "learning_rate": 0.0}
    found = []
    for part in (ours[:32], ours[32:], ours):
        student = halve(teacher, [0, 3])
        trainer = make_trainer(BINDING, student, PairData(part), teacher=teacher, settings=settings)
        trainer.train()
        found.append(losses(trainer)[0])
    if alpha == "alpha_hidden":  # in units of the variance over all pairs, so not a mean of those of the parts
        alone = halve(teacher, [0, 3])
        repeated = make_trainer(BINDING, alone, PairData(pd.concat([ours] * 32)), teacher=teacher, settings=settings)
        repeated.args.per_device_train_batch_size = 33 * 32
        repeated.train()
        assert found[2] == pytest.approx(losses(repeated)[0], rel=5e-3)
    else:
        assert found[2] == pytest.approx((32 * found[0] + found[1]) / 33, rel=1e-4)


def test_hiding_is_for_training_alone(make_model, make_trainer, data):
    """Prevents validation metrics that change from call to call."""
    model = make_model(groove_dropout=0.5)
    trainer = make_trainer(BINDING, model, data)
    assert trainer.evaluate()["eval_loss"] == trainer.evaluate()["eval_loss"]
    trainer.train()
    assert not equal(weights(model), weights(make_model(groove_dropout=0.5)))


def test_teacher_stays_as_it_is(teacher, make_trainer, data):
    """Prevents the teacher from learning from its student."""
    before = weights(teacher)
    trainer = make_trainer(BINDING, halve(teacher, [0, 3]), data, teacher=teacher, settings=distil_settings())
    trainer.train()
    assert equal(weights(teacher), before) and not teacher.training


@pytest.mark.parametrize("alpha_hard", [0.0, 0.5, 1.0])
def test_only_the_hard_loss_counts_in_validation(teacher, make_trainer, data, alpha_hard):
    """Prevents validation losses of students and of label-only models from being on two scales."""
    student = halve(teacher, [0, 3])
    settings = distil_settings(alpha_hard=alpha_hard)
    one = make_trainer(BINDING, student, data, teacher=teacher, settings=settings).evaluate()["eval_loss"]
    other = make_trainer(BINDING, student, data).evaluate()["eval_loss"]
    assert one == pytest.approx(other, abs=1e-6)


@pytest.mark.parametrize("alpha", ["alpha_cosine", "alpha_hidden"])
def test_hidden_losses_need_a_live_teacher(teacher, make_trainer, data, alpha):
    """Prevents a setting that is silently without effect."""
    with pytest.raises(InputError, match="live teacher"):
        make_trainer(
            BINDING,
            halve(teacher, [0, 3]),
            data,
            settings={alpha: 0.1},
            teacher_rows=np.zeros((len(data), 2), np.float32),
        )


def test_hidden_losses_need_a_student_of_the_same_width(teacher, make_model, make_trainer, data):
    """Prevents a traceback in the first step of the training."""
    narrow = make_model(hidden_size=8, num_hidden_layers=2)
    with pytest.raises(InputError, match="of one width: '16 of the teacher, 8 of the student'"):
        make_trainer(BINDING, narrow, data, teacher=teacher, settings={"alpha_cosine": 1.0})


def test_soft_loss_needs_a_teacher(teacher, make_trainer, data):
    """Prevents a 'distilled' model that never saw a teacher."""
    with pytest.raises(InputError, match="needs a teacher"):
        make_trainer(BINDING, halve(teacher, [0, 3]), data, settings={"alpha_soft": 1.0})


def trained(make_model, make_trainer, pairs, seed, folder):
    set_seed(seed)
    model = make_model(num_hidden_layers=2, dropout=0.1, seed=0)
    trainer = make_trainer(BINDING, model, PairData(pairs), folder, settings={"seed": seed})
    trainer.train()
    return weights(model)


def test_same_seed_same_weights(make_model, make_trainer, pairs):
    """Prevents results that nobody can repeat."""
    first, second, other = (
        trained(make_model, make_trainer, pairs, seed, folder) for seed, folder in ((7, "a"), (7, "b"), (8, "c"))
    )
    assert equal(first, second)
    assert not equal(first, other)


class Stop(TrainerCallback):
    """Interrupts a run after some steps, as a full disk or a time limit does."""

    def __init__(self, step):
        self.step = step

    def on_step_end(self, args, state, control, **_):
        if state.global_step == self.step:
            raise KeyboardInterrupt


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("stopped, matrices", [(3, 0.0), (4, 0.02), (5, 0.0)])
def test_resumed_run_ends_like_an_uninterrupted_one(name, stopped, matrices, make_model, make_trainer, pairs, proteins):
    """Prevents a resumed run from seeing other batches, masks, learning rates or momenta than the run it continues."""
    task = TASKS[name]
    settings = {"muon_learning_rate": matrices}
    if name == "binding":
        settings |= {"per_device_train_batch_size": 64}
        data = [PairData(pairs) for _ in range(3)]
    else:
        settings |= {"per_device_train_batch_size": 10}
        data = [WindowData(proteins, 25, PMHCTokenizer()) for _ in range(3)]
    # Three steps an epoch: the run stops within an epoch, at its end, and after the first step of the next.
    settings |= {"num_train_epochs": 3, "save_strategy": "steps", "save_steps": 1, "lr_scheduler_type": "linear"}
    models = [make_model(MODELS[name], num_hidden_layers=2) for _ in range(3)]
    whole = make_trainer(task, models[0], data[0], "whole", settings)
    whole.train()
    assert whole.state.global_step == 9
    broken = make_trainer(task, models[1], data[1], "broken", settings, callbacks=[Stop(stopped + 1)])
    with pytest.raises(KeyboardInterrupt):
        broken.train()
    resumed = make_trainer(task, models[2], data[2], "broken", settings)
    resumed.train(resume_from_checkpoint=True)
    assert resumed.state.global_step == 9
    final, expected = weights(models[2]), weights(models[0])
    assert equal(final, expected)


@pytest.mark.parametrize("bf16, dtype", [(False, torch.float32), (True, torch.bfloat16)])
def test_muon_computes_as_precisely_as_the_rest(bf16, dtype, make_model, make_trainer, data):
    """Prevents an optimizer that takes longer than the model where the model is trained in half precision."""
    trainer = make_trainer(BINDING, make_model(), data, settings={"muon_learning_rate": 0.01, "bf16": bf16})
    assert trainer.create_optimizer().dtype == dtype


def test_muon_needs_layers(make_model, make_trainer, data):
    """Prevents a recipe whose learning rate for matrices is silently without effect."""
    trainer = make_trainer(BINDING, make_model(), data, settings={"muon_learning_rate": 0.01})
    rates = {group["muon"]: group["lr"] for group in trainer.create_optimizer().param_groups}
    assert rates == {3: 0.01, 1: 0.01, 0: 1e-3}
    trainer.model.encoder.blocks, trainer.optimizer = trainer.model.encoder.layers, None
    del trainer.model.encoder.layers
    with pytest.raises(InputError, match="layers of this model cannot be found"):
        trainer.create_optimizer()


def test_the_settings_of_adam_count_beside_muon(make_model, make_trainer, data):
    """Prevents settings that the card names and the training does not heed."""
    settings = {"muon_learning_rate": 0.01, "adam_beta1": 0.8, "adam_beta2": 0.95, "adam_epsilon": 1e-5}
    trainer = make_trainer(BINDING, make_model(), data, settings=settings)
    groups = trainer.create_optimizer().param_groups
    assert {(group["betas"], group["eps"]) for group in groups if not group["muon"]} == {((0.8, 0.95), 1e-5)}


def test_a_tied_weight_is_not_missing(make_model, make_trainer, data, monkeypatch):
    """Prevents an alarm at every resumed masked-LM, whose output is its embedding by another name."""
    told = []
    monkeypatch.setattr("transformers.trainer.logger.warning", told.append)
    trainer = make_trainer(BINDING, make_model(), data)
    layers = trainer.model.encoder.layers
    layers[1].qkv.weight = layers[0].qkv.weight
    names = [name for name, _ in trainer.model.named_parameters(remove_duplicate=False) if "qkv.weight" in name]
    for missing in (names[1], names[2]):
        trainer._issue_warnings_after_load(torch.nn.modules.module._IncompatibleKeys([missing], []))
    assert len(told) == 1 and names[2] in told[0]


def test_gradient_accumulation_gives_the_mean(make_model, make_trainer, pairs):
    """Prevents the loss of a batch from counting once for every accumulated step (or a part of it)."""
    one = pairs[(pairs["allele"] == "HLA-A*02:01") & pairs["label"].notna()]
    one = one[one["peptide"].str.len() == 9].head(8)
    frame = pd.concat([one] * 8, ignore_index=True).assign(affinity_nm=np.nan, inequality="")
    assert len(frame) == 64
    found = []
    for size, steps in ((64, 1), (32, 2)):
        model = make_model(num_hidden_layers=2)
        settings = {
            "per_device_train_batch_size": size,
            "gradient_accumulation_steps": steps,
            "num_train_epochs": 1,
            "optim": "sgd",
            "learning_rate": 1.0,
            "max_grad_norm": 0.0,
        }
        trainer = make_trainer(BINDING, model, PairData(frame), settings=settings)
        before = weights(model)
        trainer.train()
        assert trainer.state.global_step == 1
        found.append(({name: value - before[name] for name, value in weights(model).items()}, losses(trainer)[0]))
    assert found[0][1] == pytest.approx(found[1][1], abs=1e-5)
    for name, step in found[0][0].items():
        torch.testing.assert_close(found[1][0][name], step, atol=1e-5, rtol=1e-3)
