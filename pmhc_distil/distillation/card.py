"""The model card of a run: what it is, how it was made and how well it does, with a model-index."""

import importlib.metadata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from pmhc_distil.distillation.task import Task
from pmhc_distil.sequences.files import write_text

CARD_FILE = "README.md"
"""Written last: a folder that has it holds a whole run."""

FRAMEWORKS = ("pmhc-distil", "torch", "transformers", "accelerate", "safetensors", "numpy")
NAMES = {"auroc": "AUROC", "ap": "Average precision", "f1": "F1", "mcc": "MCC", "accuracy": "Accuracy"}


def write_card(
    folder: Path,
    task: Task,
    config: Any,
    record: dict[str, Any],
    epochs: list[dict[str, Any]],
    tested: dict[str, float] | None = None,
    settled: dict[str, float] | None = None,
    *,
    kept: int | None = None,
    data_recipe: dict[str, Any] | None = None,
) -> None:
    """Write ``README.md``.

    Parameters
    ----------
    folder : Path
        Run directory.
    task : Task
    config : PreTrainedConfig
        Of the trained model.
    record : dict
        What ``recipe.yaml`` holds.
    epochs : list of dict
        One record per epoch.
    tested : dict, optional
        Metrics of the final model on test data.
    settled : dict, optional
        Settings of its answers that were chosen on the validation data, with which it was tested.
    kept : int, optional
        Number of the record of the best epoch, if its weights were kept; otherwise those of the last were.
    data_recipe : dict, optional
        Settings that the training table was made with.
    """
    last = epochs[-1 if kept is None else kept]
    measured = {key: value for key, value in last.items() if key not in ("epoch", "step", "training_loss")}
    results = {"validation": measured, **({"test": tested} if tested else {})}
    made = {
        "pretrain": "pretrained on texts without labels",
        "finetune": "fine-tuned on labelled examples",
        "distill": _taught(record["teachers"] or (), record["teachers_of_new_alleles"] or ()),
    }[record["command"]]
    lines = [
        f"# {folder.name}",
        "",
        f"A `{config.model_type}` encoder for the task `{task.name}`, {made}: "
        f"{config.num_hidden_layers} layers of width {config.hidden_size}, {record['parameters']:,} parameters.",
        *([f"It began as {record['begun_from']}."] if record["begun_from"] else []),
        "",
        *(
            line
            for split, values in results.items()
            for line in (
                f"It achieves the following results on the {split} set:",
                "",
                *(f"- {NAMES.get(key, key)}: {value:.4f}" for key, value in values.items()),
                "",
            )
        ),
        "## Intended uses and limitations",
        "",
        task.uses,
        "",
        "## Training and evaluation data",
        "",
        *(
            f"- {split}: {_counted(record[split])} of `{record[split]['file']}`; SHA-256 of what the model saw: "
            f"`{record[split]['fingerprint'][:16]}`"
            for split in ("train", *results)
        ),
        "",
        *(_recipe(data_recipe) if data_recipe else []),
        "## Training hyperparameters",
        "",
        *(f"- {key}: {value}" for key, value in record["settings"].items()),
        *(
            f"- {key}: {value:g} (chosen on the validation set, whose own results are those at 0)"
            for key, value in (settled or {}).items()
        ),
        f"- device: {record['device']}, {record['threads']} CPU threads",
        *([f"- processes: {record['processes']}, each with its own batch"] if record["processes"] > 1 else []),
        "",
        "## Training results",
        "",
        _table(epochs),
        "",
        *([] if kept is None else [f"The weights are those after epoch {last['epoch']:g}, the best of them.", ""]),
        "## Framework versions",
        "",
        *(f"- {name} {importlib.metadata.version(name)}" for name in FRAMEWORKS),
        "",
    ]
    front = yaml.safe_dump(_front(folder.name, task, record, results), sort_keys=False)
    write_text(folder / CARD_FILE, f"---\n{front}---\n\n" + "\n".join(lines))


def _front(name: str, task: Task, record: dict[str, Any], results: dict[str, dict[str, float]]) -> dict[str, Any]:
    """Give what the hub reads of a card."""
    return {
        "license": "apache-2.0",
        "library_name": "transformers",
        "pipeline_tag": task.pipeline_tag,
        "tags": ["pmhc-distil", *task.tags],
        "metrics": sorted(results["validation"]),
        "model-index": [
            {
                "name": name,
                "results": [
                    {
                        "task": {"type": task.pipeline_tag, "name": task.name},
                        "dataset": {"type": "file", "name": record[split]["file"], "split": split},
                        "metrics": [
                            {"type": key, "name": NAMES.get(key, key), "value": round(float(value), 5)}
                            for key, value in values.items()
                        ],
                    }
                    for split, values in results.items()
                ],
            }
        ],
    }


def _taught(teachers: Sequence[str], further: Sequence[str]) -> str:
    if not teachers:
        return "trained on labels without a teacher"
    several = "the mean of teachers" if len(teachers) > 1 else "a teacher"
    new = f", for alleles without data joined by {_listed(further)}" if further else ""
    return f"distilled from {several}, {_listed(teachers)}{new}"


def _listed(names: Sequence[str]) -> str:
    *others, last = (f"`{name}`" for name in names)
    return f"{', '.join(others)} and {last}" if others else last


def _counted(table: dict[str, Any]) -> str:
    unlabelled = table.get("unlabelled")
    only = f" ({unlabelled:,} answered by teachers alone)" if unlabelled else ""
    return f"{table['examples']:,} examples{only}"


def _recipe(settings: dict[str, Any]) -> list[str]:
    return [
        "The tables were made by `pmhc-distil data prepare` from these sources, with these settings:",
        "",
        "```yaml",
        *yaml.safe_dump(settings, sort_keys=False, width=120).splitlines(),
        "```",
        "",
    ]


def _table(rows: list[dict[str, Any]]) -> str:
    header = list(rows[0])
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    for row in rows:
        cells = (f"{value:.4f}" if isinstance(value, float) else str(value) for value in row.values())
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)
