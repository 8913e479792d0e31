"""The whole chain on a table of a few hundred rows, and mistakes that cost one line."""

import os
import subprocess
import sys

import pytest
import yaml
from click.testing import CliRunner

from pmhc_distil import cli
from pmhc_distil.errors import InputError

QUICK = ["--cpu", "--threads", "1", "--epochs", "1", "--learning-rate", "0.001", "--seed", "1"]


def call(*arguments):
    """Run a command in this process; give its standard output."""
    result = CliRunner().invoke(cli.group, [str(argument) for argument in arguments], standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return result


@pytest.fixture(scope="module")
def chain(tmp_path_factory, protein_fasta, pair_files, sizes):
    """Pretrain and fine-tune a tiny teacher."""
    folder = tmp_path_factory.mktemp("chain")
    recipe = folder / "pretrain.yaml"
    recipe.write_text(yaml.safe_dump({**sizes, "max_seq_length": 24, "per_device_train_batch_size": 10}))
    files = ["--train", protein_fasta, "--validation", protein_fasta]
    call("pretrain", *files, "--recipe", recipe, "-o", folder / "pretrained", *QUICK)
    files = ["--train", pair_files[0], "--validation", pair_files[1]]
    call("finetune", *files, "--model", folder / "pretrained", "-o", folder / "teacher", "--batch-size", 480, *QUICK)
    return folder, [*files, "--teacher", folder / "teacher", "--batch-size", 480, *QUICK]


def test_pretraining_reaches_the_teacher(chain):
    """Prevents a fine-tuned model with other sizes than its pretrained encoder, and a card without the sizes."""
    folder, _ = chain
    config = yaml.safe_load((folder / "teacher" / "config.json").read_text())
    assert config["num_hidden_layers"] == 4 and config["architectures"] == ["PMHCForSequenceClassification"]
    assert "4 layers of width 16" in (folder / "teacher" / "README.md").read_text()


@pytest.mark.parametrize("how", ["live", "cache", "no teacher"])
def test_distil(chain, how):
    """Prevents one of the three ways of training a student from failing."""
    folder, arguments = chain
    output, cache = folder / how, folder / "rows.h5"
    recipe = folder / "distil.yaml"
    hidden = {"alpha_cosine": 0.1, "alpha_hidden": 0.1} if how != "cache" else {}
    recipe.write_text(
        yaml.safe_dump({"layers": "0,3", "alpha_soft": 1.0, "alpha_hard": 0.5, "temperature": 2.0, **hidden})
    )
    extra = {"live": [], "cache": ["--cache", cache], "no teacher": ["--no-teacher"]}[how]
    result = call("distill", *arguments, "--recipe", recipe, *extra, "-o", output)
    assert "student layers <- teacher layers: 0 <- 0, 1 <- 3" in result.stderr
    assert result.stdout.startswith("training_loss ") and result.stdout.count("\n") == 1 and "ap 0." in result.stdout
    assert "epoch 1.00, loss " in result.stderr and "shards" not in result.stderr
    assert " examples per second" in result.stderr
    record = yaml.safe_load((output / "recipe.yaml").read_text())
    assert (record["teacher_weights"] is None) == (how == "no teacher")
    assert record["settings"]["alpha_soft"] == (0 if how == "no teacher" else 1)
    assert cache.exists() == (how == "cache")
    cache.unlink(missing_ok=True)


def test_pairs_that_only_teachers_answer(chain, pairs):
    """Prevents a card that counts pairs nobody has measured among the labelled ones."""
    folder, arguments = chain
    table = pairs.copy()
    table.loc[table.index[:96], ["label", "affinity_nm"]] = None
    table.to_csv(folder / "unlabelled.csv", index=False)
    recipe = folder / "taught.yaml"
    recipe.write_text("layers: last\nalpha_soft: 1.0\n")
    arguments = ["--train", folder / "unlabelled.csv", *arguments[2:], "--recipe", recipe]
    call("distill", *arguments, "-o", folder / "taught")
    card = (folder / "taught" / "README.md").read_text()
    assert "180 examples (96 answered by teachers alone) of `unlabelled.csv`;" in card
    record = yaml.safe_load((folder / "taught" / "recipe.yaml").read_text())
    assert record["train"]["unlabelled"] == 96 and "unlabelled" not in record["validation"]


def test_teachers_of_new_alleles(chain, pairs):
    """Prevents a card that says nothing of them, and answers that nobody asks for."""
    folder, arguments = chain
    table = pairs.copy()
    table.loc[table["allele"] == table["allele"].iloc[0], ["label", "affinity_nm"]] = None
    table.to_csv(folder / "new.csv", index=False)
    recipe = folder / "new.yaml"
    recipe.write_text("layers: last\nalpha_soft: 1.0\n")
    new = ["--recipe", recipe, "--teacher-of-new-alleles", folder / "teacher"]
    call("distill", "--train", folder / "new.csv", *arguments[2:], *new, "-o", folder / "of_new")
    card = (folder / "of_new" / "README.md").read_text()
    assert "distilled from a teacher, `teacher`, for alleles without data joined by `teacher`: 2 layers" in card
    assert yaml.safe_load((folder / "of_new" / "recipe.yaml").read_text())["teachers_of_new_alleles"] == ["teacher"]
    with pytest.raises(InputError, match=r"train.csv.gz: every allele has a label or an affinity .*data unlabelled"):
        call("distill", *arguments, *new, "-o", folder / "of_none")
    for option, value in (("--no-teacher", None), ("--cache", folder / "rows.h5")):
        with pytest.raises(InputError, match=r"nobody asks it|not of some"):
            call("distill", *arguments, *new, option, *filter(None, [value]), "-o", folder / "of_none")
    recipe.write_text("layers: last\nalpha_cosine: 1.0\n")
    with pytest.raises(InputError, match="only the soft loss asks teachers of new alleles"):
        call("distill", "--train", folder / "new.csv", *arguments[2:], *new, "-o", folder / "of_none")
    assert not (folder / "of_none").exists()


def test_option_wins_over_recipe(chain):
    """Prevents an option on the command line from being overruled by the recipe."""
    folder, arguments = chain
    recipe = folder / "seed.yaml"
    recipe.write_text("seed: 99\nlayers: first\nalpha_soft: 1.0\n")
    result = call(
        "distill", *arguments, "--layers", "last", "--recipe", recipe, "-o", folder / "option", "--max-steps", 1
    )
    assert "0 <- 2, 1 <- 3" in result.stderr
    assert yaml.safe_load((folder / "option" / "recipe.yaml").read_text())["settings"]["seed"] == 1


def test_resuming_with_another_recipe(chain):
    """Prevents a run of which nobody can say with which settings it was trained."""
    folder, arguments = chain
    recipe, output = folder / "resumed.yaml", folder / "resumed"
    recipe.write_text("layers: 0,3\nalpha_soft: 1e0\n")
    call("distill", *arguments, "--recipe", recipe, "-o", output)
    call("distill", *arguments, "--recipe", recipe, "-o", output, "--resume")
    before = (output / "recipe.yaml").read_bytes()
    recipe.write_text("layers: 0,3\nalpha_soft: 2e0\n")
    with pytest.raises(InputError, match=r"settings.*--resume"):
        call("distill", *arguments, "--recipe", recipe, "-o", output, "--resume")
    assert (output / "recipe.yaml").read_bytes() == before


def test_resuming_a_model_of_another_shape(chain, sizes, tmp_path):
    """Prevents weights of one shape from going on as another, of as many weights, or with other layers of a teacher."""
    _, arguments = chain
    recipe = tmp_path / "recipe.yaml"
    new = ["finetune", *arguments[:4], *QUICK, "--recipe", recipe, "--max-steps", 1, "-o", tmp_path / "new"]
    recipe.write_text(yaml.safe_dump(sizes))
    call(*new)
    for changed in ({"num_attention_heads": 1}, {"groove_dropout": 0.9}):
        recipe.write_text(yaml.safe_dump({**sizes, **changed}))
        with pytest.raises(InputError, match="had other sizes"):
            call(*new, "--resume")
    recipe.write_text("alpha_soft: 1.0\n")
    distill = ["distill", *arguments, "--recipe", recipe, "--max-steps", 1]
    call(*distill, "-o", tmp_path / "student")
    distill += ["--student", tmp_path / "student", "-o", tmp_path / "again"]
    call(*distill)
    with pytest.raises(InputError, match="had other layers"):
        call(*distill, "--layers", "0,1", "--resume")
    record = yaml.safe_load((tmp_path / "again" / "recipe.yaml").read_text())
    del record["layers"], record["sizes"]  # as before these were written down
    (tmp_path / "again" / "recipe.yaml").write_text(yaml.safe_dump(record))
    call(*distill, "--resume")


MISTAKES = {
    "unknown setting": ("epochs: 3\n", [], "unknown setting: 'epochs'"),
    "no mapping": ("- a\n", [], "not a mapping"),
    "no YAML": ("a: [\n", [], "not YAML"),
    "sizes": ("alpha_soft: 1.0\nhidden_size: 8\n", [], "the sizes of the student come from the teacher: 'hidden_size'"),
    "layers": ("alpha_soft: 1.0\n", ["--layers", "0,9"], "not a choice of student layers: '0,9'"),
    "hidden losses": ("alpha_hidden: 0.1\n", ["--cache", "rows.h5"], "need a live teacher"),
    "no model": ("alpha_soft: 1.0\n", ["--teacher", "nowhere"], "nowhere: no such folder"),
    "fixed by the run": ("output_dir: elsewhere\n", [], "unknown setting: 'output_dir'"),
    "evaluation": ("eval_strategy: steps\n", [], "unknown setting: 'eval_strategy'"),
    "reports": ("report_to: wandb\n", [], "unknown setting: 'report_to'"),
    "checkpoints": ("save_total_limit: 9\n", [], "unknown setting: 'save_total_limit'"),
    "a hub": ("push_to_hub: true\n", [], "unknown setting: 'push_to_hub'"),
    "what does nothing here": ("label_smoothing_factor: 0.1\n", [], "unknown setting: 'label_smoothing_factor'"),
    "twice": ("alpha_soft: 1.0\nseed: 1\nseed: 2\n", [], "r.yaml, row 3, column 'seed': the setting is there twice"),
    "no batches": ("alpha_soft: 1.0\nmax_steps: 0\n", [], "a number from 1, or -1 for all epochs"),
    "a moment of 2": ("alpha_soft: 1.0\nadam_beta1: 2.0\n", [], "a number from 0 to below 1"),
    "a second teacher": ("alpha_soft: 1.0\n", ["--no-teacher", "--cache", "c.h5"], "nobody asks it"),
    "a folder that is read": ("alpha_soft: 1.0\n", ["-o", "."], "the run folder holds what the run reads, r.yaml"),
    "a folder that is no hub": ("alpha_soft: 1.0\n", ["--teacher", "here/nothing"], "not a model folder"),
    "text for a number": ("alpha_soft: 1.0\nweight_decay: heavy\n", [], "r.yaml, column 'weight_decay'"),
    "number of an option": ("alpha_soft: 1.0\n", ["--learning-rate", "inf"], "recipe, column 'learning_rate'"),
    "best epoch without checkpoints": (
        "alpha_soft: 1.0\nload_best_model_at_end: true\nsave_strategy: steps\n",
        [],
        "r.yaml, column 'save_strategy': the best epoch needs a checkpoint of each: 'steps'",
    ),
    "list for a number": ("alpha_soft: 1.0\nwarmup_steps: [1, 2]\n", [], "a setting cannot be used"),
    "text for a loss weight": ("alpha_soft: much\n", [], "much"),
    "text for a batch size": ("alpha_soft: 1.0\nper_device_eval_batch_size: many\n", [], "many"),
    "no such scheduler": ("alpha_soft: 1.0\nlr_scheduler_type: wavy\n", [], "r.yaml, column 'lr_scheduler_type'"),
    "nothing to learn from the teacher": ("seed: 1\n", [], "no loss compares the student with the teacher"),
    "weights of zero": ("alpha_soft: 0\nalpha_hidden: 0.0\n", [], "--no-teacher"),
    "a file in place of the folder": ("alpha_soft: 1.0\n", ["-o", "r.yaml"], "r.yaml: is a file, not a folder"),
    "no folder for the cache": ("alpha_soft: 1.0\n", ["--cache", "gone/rows.h5"], "its folder does not exist"),
    "no table": ("seed: 1\n", ["--train", "nothing.csv"], "--train: there is no such file: 'nothing.csv'"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes(chain, name, tmp_path, monkeypatch):
    """Prevents a traceback, and a misspelt setting from being ignored."""
    monkeypatch.chdir(tmp_path)
    text, extra, expected = MISTAKES[name]
    (tmp_path / "r.yaml").write_text(text)
    (tmp_path / "here").mkdir()
    with pytest.raises(InputError) as caught:
        call("distill", *chain[1], "--recipe", "r.yaml", "-o", tmp_path / "out", *extra)
    assert expected in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / "out" / "model.safetensors").exists()


def test_mistake_exits_with_2_and_one_line(tmp_path):
    """Prevents a workflow from going on after a mistake, and a user from reading a traceback."""
    arguments = ["finetune", "--train", "nothing.csv", "--validation", "nothing.csv", "-o", str(tmp_path)]
    code = "import sys; from pmhc_distil.cli import main; sys.argv[0] = 'pmhc-distil'; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ},
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == "error: --train: there is no such file: 'nothing.csv'\n"
