"""What the rules ask of the configuration."""

from pathlib import Path

import yaml
from snakemake.exceptions import WorkflowError


def sources(folder, recipe):
    """Name the files that the recipe for data reads, so that tables are made again when one has changed."""
    try:
        settings = yaml.safe_load(Path(recipe).read_text(encoding="utf-8"))
        entries = [*settings["sources"], *(settings.get("held_out") or [])]
        return list(dict.fromkeys(str(Path(folder) / entry["file"]) for entry in entries))
    except OSError as error:
        raise WorkflowError(f"{recipe}, the recipe for data: {error.strerror}")
    except (yaml.YAMLError, UnicodeError, AttributeError, KeyError, TypeError):
        raise WorkflowError(f"{recipe}, 'sources': a list of files is expected, such as [{{file: ligands.csv}}]")
