"""Trainings that are killed: what is left of them is continued, and ends as if nothing had happened."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from safetensors.numpy import load_file

from pmhc_distil.distillation.checkpoints import clear, last_checkpoint
from pmhc_distil.errors import InputError

ROOT = Path(__file__).parents[2]

KILLER = """
import os, random, signal, sys, time
from pathlib import Path
from pmhc_distil import cli
import pmhc_distil.cli.train, pmhc_distil.distillation.run, pmhc_distil.tasks.binding, transformers

out, kills = Path(sys.argv[sys.argv.index("-o") + 1]), int(os.environ["KILLS"])
draw = random.Random(4)
steps = lambda: max((int(path.name.split("-")[1]) for path in out.glob("checkpoints/checkpoint-*")), default=0)
half_written = lambda: not (out / f"checkpoints/checkpoint-{steps()}/trainer_state.json").exists()
torn = 0

def wait(until):
    while not until():
        assert not os.waitpid(child, os.WNOHANG)[0], "the run ended before it could be killed"
        time.sleep(0.0002)

while kills:
    # The first checkpoint may be half written, all later ones come after a whole one.
    wanted = steps() + 2
    child = os.fork()
    if not child:
        os._exit(cli.main() or 0)
    wait(lambda: steps() >= wanted)
    if kills % 2:
        wait(half_written)
    else:
        time.sleep(draw.uniform(0, 0.02))
    os.kill(child, signal.SIGKILL)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert not (out / "README.md").exists()
    torn += half_written()
    kills -= 1
    if "--resume" not in sys.argv:
        sys.argv.append("--resume")
print("torn", torn)
cli.main()
"""


def train(folder, arguments, kills):
    """Run a training that is killed so many times, every other time while it writes a checkpoint, and continued."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "KILLS": str(kills)}
    command = [sys.executable, "-c", KILLER, *map(str, arguments), "-o", str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    card = (folder / "README.md").read_text().replace(folder.name, "run")
    return done.stdout, load_file(folder / "model.safetensors"), [(folder / "metrics.csv").read_text(), card]


def test_killed_training_ends_with_the_same_weights(tmp_path, pair_files, binding_folder):
    """Prevents a checkpoint that was half written from being taken for a whole one, and steps done twice or never."""
    recipe = {"layers": "distilbert", "alpha_soft": 1.0, "alpha_hard": 0.5, "temperature": 2.0}
    recipe |= {"save_strategy": "steps", "save_steps": 1, "logging_steps": 1, "muon_learning_rate": 0.01}
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    files = ("--train", pair_files[0], "--validation", pair_files[1], "--teacher", binding_folder)
    more = ("--recipe", tmp_path / "recipe.yaml", "--batch-size", 64, "--epochs", 5, "--cpu", "--seed", 1)
    command = ("distill", *files, *more, "--learning-rate", 0.01, "--threads", 1)
    _, weights, texts = train(tmp_path / "whole", command, 0)
    told, same, same_texts = train(tmp_path / "killed", command, 4)
    assert not told.startswith("torn 0"), "no kill came in the middle of a checkpoint"
    assert weights.keys() == same.keys()
    assert all((weights[name] == same[name]).all() for name in weights)
    assert [text.splitlines() for text in texts] == [text.splitlines() for text in same_texts]


@pytest.fixture
def run_folder(tmp_path):
    """Folder with two whole checkpoints and four that are none."""
    for step, state in ((2, "{}"), (10, "{}"), (11, None), (12, '{"epoch'), (13, ""), (14, "{}")):
        folder = tmp_path / f"checkpoints/checkpoint-{step}"
        folder.mkdir(parents=True)
        if state is not None:
            (folder / "trainer_state.json").write_text(state)
        for name in ("optimizer.pt", "scheduler.pt", "rng_state.pth", "model.safetensors"):
            (folder / name).touch()
    (folder / "optimizer.pt").unlink()
    (tmp_path / "checkpoints/checkpoint-best").mkdir()
    return tmp_path


def test_last_whole_checkpoint(run_folder, tmp_path_factory):
    """Prevents step 2 from coming after step 10, and a checkpoint without its state or optimizer from counting."""
    assert last_checkpoint(run_folder).name == "checkpoint-10"
    assert last_checkpoint(tmp_path_factory.mktemp("empty")) is None


def test_what_an_earlier_run_has_left(run_folder):
    """Prevents hours of training from being lost to a forgotten --resume, and a run continued from those of another."""
    with pytest.raises(InputError, match=r"did not end.*--resume"):
        clear(run_folder)
    assert last_checkpoint(run_folder)
    for name in ("README.md", "metrics_test.csv", "model.safetensors", "training_alleles.csv"):
        (run_folder / name).touch()
    clear(run_folder)
    assert [path.name for path in run_folder.rglob("*")] == ["checkpoints", "checkpoint-best"]
