"""The checkpoints of a run: which of them is whole, and what becomes of those of an earlier run in the same folder."""

import json
import re
import shutil
from pathlib import Path

from transformers import TrainerState
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR
from transformers.utils import SAFE_WEIGHTS_NAME

from pmhc_distil.distillation.card import CARD_FILE
from pmhc_distil.errors import InputError
from pmhc_distil.sequences.explain import TRAINING_FILE
from pmhc_distil.sequences.overlap import HASHES_FILE

CHECKPOINTS = "checkpoints"
"""The folder of the checkpoints within that of a run."""

RECIPE_FILE = "recipe.yaml"
"""What a run depended on."""

TEST_FILE = "metrics_test.csv"
"""What a run measured on its test data."""

METRICS_FILE = "metrics.csv"
"""What a run measured after every epoch."""

_RESULTS = (CARD_FILE, METRICS_FILE, TEST_FILE, SAFE_WEIGHTS_NAME, TRAINING_FILE, HASHES_FILE)
_STATE_FILE = "trainer_state.json"
_STATE_PATTERNS = ("optimizer.pt", "scheduler.pt", "rng_state*.pth", SAFE_WEIGHTS_NAME)


def last_checkpoint(output: Path) -> Path | None:
    """Find the last whole checkpoint of a run.

    The Trainer writes a checkpoint file by file, its own state last, and where the file of the optimizer is missing it
    begins with a new one.  So a checkpoint that a kill has left unfinished must not be taken, nor one that lacks files.

    Parameters
    ----------
    output : Path
        Folder of the run.

    Returns
    -------
    Path, optional
        None if there is no whole one.
    """
    whole = [(number, folder) for number, folder in _checkpoints(output) if _is_whole(folder)]
    return max(whole)[1] if whole else None


def final_state(checkpoint: Path) -> TrainerState | None:
    """Give the state that a checkpoint has kept, if nothing is left to train after it; else None."""
    state = TrainerState.load_from_json(str(checkpoint / _STATE_FILE))
    measured = any("eval_loss" in entry and entry["step"] == state.global_step for entry in state.log_history)
    return state if measured and state.global_step >= state.max_steps else None


def check_clearable(output: Path) -> None:
    """Refuse to begin a run where :func:`clear` would remove what it must not.

    Raises
    ------
    InputError
        If an earlier run did not end, as its checkpoints are all that there is of it, or if such files are of no run.
    """
    if last_checkpoint(output) and not (output / CARD_FILE).exists():
        raise InputError(
            "this folder holds a run that did not end",
            source=str(output),
            hint="continue it with --resume, remove the folder, or choose another",
        )
    there = [name for name in _RESULTS if (output / name).exists()]
    if there and not any((output / name).exists() for name in (RECIPE_FILE, CHECKPOINTS)):
        reason = f"this folder has a {there[0]} that is of no run"
        raise InputError(reason, source=str(output), hint="move it away, or choose another folder")


def clear(output: Path) -> None:
    """Remove what an earlier run has left: its checkpoints, which must never be continued, its weights and its tables.

    Raises
    ------
    InputError
        As :func:`check_clearable`.
    """
    check_clearable(output)
    for name in _RESULTS:
        (output / name).unlink(missing_ok=True)
    for _, folder in _checkpoints(output):
        shutil.rmtree(folder, ignore_errors=True)


def _checkpoints(output: Path) -> list[tuple[int, Path]]:
    """Give the steps and the folders of all checkpoints, whole or not."""
    found = []
    for folder in (output / CHECKPOINTS).glob(f"{PREFIX_CHECKPOINT_DIR}-*"):
        if step := re.fullmatch(rf"{PREFIX_CHECKPOINT_DIR}-(\d+)", folder.name):
            found.append((int(step[1]), folder))
    return found


def _is_whole(folder: Path) -> bool:
    try:
        json.loads((folder / _STATE_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return all(any(folder.glob(pattern)) for pattern in _STATE_PATTERNS)
