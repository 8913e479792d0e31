"""The model card of a run: what it is, how it was made and how well it does, with a model-index."""

import importlib.metadata
from pathlib import Path
from typing import Any

import yaml

from pmhc_distil.distillation.task import Task
from pmhc_distil.sequences.files import atomic_path

FRAMEWORKS = ("pmhc-distil", "torch", "transformers", "accelerate", "safetensors", "numpy")
NAMES = {"auroc": "AUROC", "ap": "Average precision", "f1": "F1", "mcc": "MCC", "accuracy": "Accuracy"}


def write_card(
    folder: Path,
    task: Task,
    config: Any,
    record: dict[str, Any],
    epochs: list[dict[str, Any]],
    *,
    data_recipe: dict[str, Any] | None = None,
) -> None:
    """Write ``README.md``.

    Parameters
    ----------
    folder : Path
        Run directory.
    task : Task
    config : PMHCConfig
        Of the trained model.
    record : dict
        What ``recipe.yaml`` holds.
    epochs : list of dict
        One record per epoch.
    data_recipe : dict, optional
        Settings that the training table was made with.
    """
    last = epochs[-1]
    measured = {key: value for key, value in last.items() if key not in ("epoch", "step", "training_loss")}
    validation = record["validation"]
    front = {
        "license": "apache-2.0",
        "library_name": "transformers",
        "pipeline_tag": task.pipeline_tag,
        "tags": ["pmhc-distil", "protein", "immunology"],
        "metrics": sorted(measured),
        "model-index": [
            {
                "name": folder.name,
                "results": [
                    {
                        "task": {"type": task.pipeline_tag, "name": task.name},
                        "dataset": {"type": "csv", "name": validation["file"], "split": "validation"},
                        "metrics": [
                            {"type": key, "name": NAMES.get(key, key), "value": round(float(value), 5)}
                            for key, value in measured.items()
                        ],
                    }
                ],
            }
        ],
    }
    kept = getattr(config, "teacher_layers", None)
    made = {
        "pretrain": "trained by masked-LM from random weights",
        "finetune": "fine-tuned on labelled pairs",
        "distill": "distilled from a teacher" if record["teacher_weights"] else "trained on labels without a teacher",
    }[record["command"]]
    lines = [
        f"# {folder.name}",
        "",
        f"A `{config.model_type}` encoder for the task `{task.name}`, {made}: "
        f"{config.num_hidden_layers} layers of width {config.hidden_size}, {record['parameters']:,} parameters.",
        *([f"Its layers started as layers {kept} (0-based) of its teacher."] if kept else []),
        "",
        "It achieves the following results on the validation set:",
        "",
        *(f"- {NAMES.get(key, key)}: {value:.4f}" for key, value in measured.items()),
        "",
        "## Intended uses and limitations",
        "",
        _uses(task),
        "",
        "## Training and evaluation data",
        "",
        f"Training: {record['train']['examples']:,} examples of `{record['train']['file']}`, "
        f"validation: {validation['examples']:,} of `{validation['file']}`; SHA-256 of what the model saw: "
        f"`{record['train']['fingerprint'][:16]}` and `{validation['fingerprint'][:16]}`.",
        "",
        *(_recipe(data_recipe) if data_recipe else []),
        "## Training hyperparameters",
        "",
        *(f"- {key}: {value}" for key, value in record["settings"].items()),
        f"- device: {record['device']}, {record['threads']} CPU threads",
        "",
        "## Training results",
        "",
        _table(epochs),
        "",
        "## Framework versions",
        "",
        *(f"- {name} {importlib.metadata.version(name)}" for name in FRAMEWORKS),
        "",
    ]
    text = f"---\n{yaml.safe_dump(front, sort_keys=False)}---\n\n" + "\n".join(lines)
    with atomic_path(folder / "README.md") as temporary:
        temporary.write_text(text, encoding="utf-8")


def _uses(task: Task) -> str:
    if task.name == "binding":
        return (
            "Ranks peptides of 8 to 15 standard residues by how likely an HLA class I molecule presents them. Research "
            "use; not for clinical decisions. A score is no statement about T-cell recognition. The further an "
            "allele's groove is from those of the training data, the less a score can be trusted "
            "(`pmhc-distil hla explain`)."
        )
    return "A starting point for fine-tuning; by itself it predicts masked residues of proteins."


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
