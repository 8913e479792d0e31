"""What a run tells on its way: the running loss, and after every epoch the table ``metrics.csv``."""

import csv
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm
from transformers import TrainerCallback
from transformers.trainer_callback import ProgressCallback

from pmhc_distil.sequences.files import atomic_path


class EpochTable(TrainerCallback):
    """Keeps ``metrics.csv`` up to date, and puts a checkpoint after the evaluation that it would miss."""

    def __init__(self, path: Path, metrics: Sequence[str]) -> None:
        self.path = path
        self.metrics = metrics
        self.save_later = False

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Put off a checkpoint that an evaluation follows, which would be lost to a run that continues from it.

        So would be the losses since the last entry of the log before any other.
        """
        control.should_log = control.should_log or control.should_save
        last = float(state.epoch).is_integer() or state.global_step >= state.max_steps
        self.save_later = control.should_save and last
        control.should_save = control.should_save and not last

    def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Have the training loss logged, however few steps an epoch has."""
        control.should_log = True
        control.should_save = control.should_save or self.save_later

    def on_evaluate(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Rewrite the table from the history of the run."""
        if state.is_world_process_zero:
            write_epochs(epoch_rows(state.log_history, self.metrics), self.path)


class RunningLoss(TrainerCallback):
    """Tells the running loss and at last the speed on standard error; results alone go to standard output."""

    _done = 0

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Remember how much a run did before that is resumed."""
        self._done = state.global_step

    def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, float] | None = None, **_: Any) -> None:
        """Tell what was logged of training."""
        if not state.is_world_process_zero or not logs:
            return
        if "loss" in logs:
            named = [("epoch", "epoch", ".2f"), ("loss", "loss", ".4g"), ("learning_rate", "learning rate", ".3g")]
            told = (f"{name} {float(logs[key]):{form}}" for key, name, form in named if key in logs)
            tqdm.write(", ".join(told), file=sys.stderr)
        if "train_samples_per_second" in logs:
            # The Trainer divides all examples by the time since it was resumed.
            speed = logs["train_samples_per_second"] * (1 - self._done / max(state.global_step, 1))
            tqdm.write(f"trained for {logs['train_runtime']:,.0f} s, {speed:,.1f} examples per second", file=sys.stderr)


class Bars(ProgressCallback):
    """The bars of the Trainer, without its lines on standard output."""

    def on_log(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Leave the losses to :class:`RunningLoss`."""


def epoch_rows(history: list[dict[str, Any]], metrics: Sequence[str]) -> list[dict[str, Any]]:
    """Give one record per evaluation: epoch, step, mean training loss since the last one, and validation metrics.

    Parameters
    ----------
    history : list of dict
        What the Trainer has logged.
    metrics : sequence of str
        Names of the metrics in the order of the table, which a checkpoint does not keep.
    """
    rows: list[dict[str, Any]] = []
    total, steps, last = 0.0, 0, 0
    for entry in history:
        if "loss" in entry:  # the mean since the last entry
            total += entry["loss"] * (entry["step"] - last)
            steps, last = steps + entry["step"] - last, entry["step"]
        if "eval_loss" in entry:
            found = measured(entry, "eval_")
            rows.append(
                {
                    "epoch": round(entry["epoch"], 4),
                    "step": entry["step"],
                    "training_loss": total / steps if steps else float("nan"),
                    "validation_loss": found["loss"],
                    **{name: found[name] for name in metrics if name in found},
                }
            )
            total, steps = 0.0, 0
    return rows


def measured(entry: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """Give the metrics among what the Trainer tells of an evaluation, and not how long it took."""
    timing = ("runtime", "per_second", "preparation_time")
    return {
        name.removeprefix(prefix): value
        for name, value in entry.items()
        if name.startswith(prefix) and not name.endswith(timing)
    }


def write_epochs(rows: list[dict[str, Any]], path: Path) -> None:
    """Write the table of :func:`epoch_rows` as CSV."""
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(
            {key: f"{value:.6g}" if isinstance(value, float) else value for key, value in row.items()} for row in rows
        )
