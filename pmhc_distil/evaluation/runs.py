"""Training runs side by side, by what they wrote themselves."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from pmhc_distil.errors import InputError

TEST_FILE = "metrics_test.csv"


def compare_runs(folders: Sequence[Path]) -> pd.DataFrame:
    """Table what runs measured on their test data.

    Parameters
    ----------
    folders : sequence of Path
        Runs of one task, made with ``--test`` on the same file.

    Returns
    -------
    DataFrame
        A row per run, in their order: ``run`` (name of the folder), ``command``, ``n`` (test examples), the metrics of
        the task, ``parameters``, and ``size_mb`` (weights on disk).

    Raises
    ------
    InputError
        If a folder is no run with test metrics, or the runs are of several tasks or were tested on different examples.
    """
    rows, tested = [], {}
    for folder in folders:
        record, measured = _read(folder)
        # Hidden tokens are others where texts are cut otherwise.
        same = record["test"]["fingerprint"] if record["task"] == "fill-mask" else record["test_digest"]
        tested[folder] = record["task"], same
        if tested[folder] != tested[folders[0]]:
            reason = f"tested on another task or other examples than {folders[0]}"
            hint = "give --test the same file, and for fill-mask the same vocabulary and --max-seq-length"
            raise InputError(reason, source=str(folder), hint=hint)
        size = (folder / "model.safetensors").stat().st_size
        rows.append(
            {
                "run": folder.resolve().name,
                "command": record["command"],
                "n": record["test"]["examples"],
                **measured,
                "parameters": record["parameters"],
                "size_mb": round(size / 1e6, 2),
            }
        )
    return pd.DataFrame(rows)


def _read(folder: Path) -> tuple[dict[str, Any], dict[str, float]]:
    for name in ("recipe.yaml", TEST_FILE, "model.safetensors"):
        if not (folder / name).is_file():
            hint = "give a folder made by pretrain, finetune or distill with --test"
            raise InputError(f"{name} is missing", source=str(folder), hint=hint)
    try:
        record = yaml.safe_load((folder / "recipe.yaml").read_text(encoding="utf-8"))
        if "test" not in record:
            raise InputError(f"{TEST_FILE} is of an earlier run", source=str(folder), hint="train it with --test")
        if not {"task", "command", "parameters"} <= set(record) or "fingerprint" not in record["test"]:
            raise ValueError
        if record["task"] != "fill-mask" and "test_digest" not in record:
            reason = "the run is of an earlier version, which did not write down what it was tested on"
            raise InputError(reason, source=str(folder), hint="train it anew")
        measured = pd.read_csv(folder / TEST_FILE).iloc[0].to_dict()
        return record, {str(name): float(value) for name, value in measured.items() if name != "loss"}
    except (OSError, ValueError, TypeError, IndexError, yaml.YAMLError) as error:
        reason = f"recipe.yaml or {TEST_FILE} is damaged"
        raise InputError(reason, source=str(folder), hint="continue the run with --resume, or train it anew") from error
