"""Recipes: the settings of a command as a YAML file."""

from pathlib import Path
from typing import Any

import yaml

from pmhc_distil.errors import InputError


def read_recipe(path: Path, allowed: set[str]) -> dict[str, Any]:
    """Read a recipe and refuse what the command does not know.

    Raises
    ------
    InputError
        If the file is missing, is no YAML mapping, or holds an unknown key.
    """
    try:
        recipe = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", source=str(path)) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError("not YAML", source=str(path), hint=str(error)) from error
    if not isinstance(recipe, dict):
        raise InputError("not a mapping of settings", source=str(path))
    for key in recipe:
        if key not in allowed:
            raise InputError(
                "unknown setting", source=str(path), value=key, hint=f"known: {', '.join(sorted(allowed))}"
            )
    return recipe
