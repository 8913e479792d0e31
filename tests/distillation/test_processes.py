"""Training by several processes: the same losses as by one, and nothing done or written twice."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from accelerate.data_loader import BatchSamplerShard
from safetensors.numpy import load_file

from pmhc_distil.tasks.binding import read_pairs
from pmhc_distil.tasks.blocks import BLOCK_SIZE

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_processes_share_the_batches(pair_files, processes):
    """Prevents blocks that are cut in two, examples that no process sees, and the same order in every epoch."""
    data = read_pairs(pair_files[0])
    orders = []
    for epoch in (0, 1):
        shares = []
        for index in range(processes):
            sampler = data.batches(2 * BLOCK_SIZE, shuffle=True, seed=1)
            share = BatchSamplerShard(sampler, processes, index)
            share.batch_sampler.sampler.set_epoch(epoch)  # as accelerate does
            shares.append(list(share))
        assert len({len(share) for share in shares}) == 1
        numbers = np.array([batch for share in shares for batch in share])
        assert numbers.shape[1] == 2 * BLOCK_SIZE
        groups = data.allele[np.where(numbers < 0, ~numbers, numbers)].reshape(-1, BLOCK_SIZE)
        assert (groups == groups[:, :1]).all() and set(numbers.ravel().tolist()) >= set(range(len(data)))
        orders.append(numbers.tolist())
    assert orders[0] != orders[1]


NOTING = """
import os
from pathlib import Path
from pmhc_distil import cli
from pmhc_distil.distillation import cache

def noting(name):
    function = getattr(cache, name)
    def call(*arguments):
        with Path(__file__).with_suffix(".notes").open("a") as file:
            file.write(f"{os.environ.get('RANK', 0)} {name}\\n")
        return function(*arguments)
    return call

cache._compute, cache._read = noting("_compute"), noting("_read")
cli.main()
"""


def train(folder, arguments, processes):
    """Run a training by one process, or by several that torchrun starts; which makes and reads the cache is noted."""
    script = folder.with_suffix(".py")
    script.write_text(NOTING)
    program = [str(script)]
    if processes > 1:
        program = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", *program]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *program, *map(str, arguments), "-o", str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    states = sorted(folder.glob("checkpoints/checkpoint-*/trainer_state.json"))
    history = json.loads(states[-1].read_text())["log_history"]
    return [entry["loss"] for entry in history if "loss" in entry], load_file(folder / "model.safetensors"), done


def test_two_processes_are_one_with_batches_of_twice_the_size(tmp_path, pairs, pair_files, binding_folder):
    """Prevents gradients that are added up instead of averaged, examples seen twice, and a cache written twice.

    The blocks have no padding here: what the processes average are means over what counts in the batch of each.
    """
    table = pd.concat([pairs, pairs]).groupby("allele").head(2 * BLOCK_SIZE)
    assert (table["allele"].value_counts() == 2 * BLOCK_SIZE).all()
    table.to_csv(tmp_path / "train.csv", index=False)
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("layers: distilbert\nalpha_soft: 1.0\nalpha_hard: 0.0\ntemperature: 2.0\nlogging_steps: 1\n")
    files = ("--train", tmp_path / "train.csv", "--validation", pair_files[1])
    found = {}
    for processes in (1, 2):
        size = 2 * BLOCK_SIZE // processes
        more = ("--batch-size", size, "--learning-rate", 0.01, "--epochs", 3, "--cpu", "--seed", 1)
        taught = ("--teacher", binding_folder, "--recipe", recipe, "--cache", tmp_path / f"rows{processes}.h5")
        arguments = ("distill", *files, *more, *taught)
        found[processes] = train(tmp_path / f"by{processes}", arguments, processes)
    (losses, weights, _), (shared, same, done) = found[1], found[2]
    assert len(losses) >= 3 and len(shared) == len(losses)
    np.testing.assert_allclose(shared, losses, rtol=1e-3)
    for name, weight in weights.items():
        np.testing.assert_allclose(same[name].astype(float), weight.astype(float), atol=0.01, err_msg=name)
    assert done.stdout.count("training_loss") == 1  # only one process tells
    assert (tmp_path / "rows1.h5").exists() and (tmp_path / "rows2.h5").exists()
    assert not list(tmp_path.glob(".*.h5"))
    assert sorted((tmp_path / "by2.notes").read_text().splitlines()) == ["0 _compute", "1 _read"]
    tables = [(tmp_path / f"by{processes}/metrics.csv").read_text().splitlines() for processes in (1, 2)]
    assert len(tables[0]) == len(tables[1]) == 4
    told = [(tmp_path / f"by{processes}/README.md").read_text().count("- processes: 2, ") for processes in (1, 2)]
    assert told == [0, 1]
