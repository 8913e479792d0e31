"""Recipes: the settings of a command as a YAML file."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from pmhc_distil.errors import InputError


class _Once(yaml.SafeLoader):
    """A loader that refuses a key that is there twice, of which YAML would keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                raise InputError("the setting is there twice", row=key.start_mark.line + 1, column=key.value)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


# YAML 1.1 takes 1e-3 as text and only 1.0e-3 for a number.
_Once.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+$"), list("-+0123456789")
)


def read_recipe(path: Path, allowed: set[str], required: set[str] | None = None) -> dict[str, Any]:
    """Read a recipe and refuse what the command does not know, or a setting that it needs and does not find.

    Raises
    ------
    InputError
        If the file is missing, is no YAML mapping, or holds an unknown key.
    """
    return read_recipes([path], allowed, required)


def read_recipes(paths: Sequence[Path], allowed: set[str], required: set[str] | None = None) -> dict[str, Any]:
    """Read a recipe that stands in several files, as :func:`read_recipe` does.

    Raises
    ------
    InputError
        Also for a setting that is in two of them.
    """
    settings: dict[str, Any] = {}
    for path in paths:
        for key, value in _read(path).items():
            if key not in allowed:
                hint = f"known: {', '.join(sorted(allowed))}"
                raise InputError("unknown setting", source=str(path), value=key, hint=hint)
            if key in settings:
                hint = "another recipe has it too: leave one of them out"
                raise InputError("the setting is there twice", source=str(path), column=key, hint=hint)
            settings[key] = value
    for key in sorted((required or set()) - set(settings)):
        raise InputError("the setting is missing", source=", ".join(map(str, paths)), column=key)
    return settings


@contextmanager
def named_recipe(*paths: Path | None) -> Iterator[None]:
    """Name the files in what is wrong with a setting, whose source is ``recipe`` to those who know no file.

    Raises
    ------
    InputError
        Of the block.
    """
    try:
        yield
    except InputError as error:
        if error.source == "recipe" and None not in paths:
            raise replace(error, source=", ".join(map(str, paths))) from error
        raise


def _read(path: Path) -> dict[Any, Any]:
    """Read a YAML mapping."""
    try:
        recipe = yaml.load(path.read_text(encoding="utf-8"), _Once)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", source=str(path)) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError("not YAML", source=str(path), hint=str(error)) from error
    except InputError as error:
        raise replace(error, source=str(path)) from error
    if not isinstance(recipe, dict):
        raise InputError("not a mapping of settings", source=str(path))
    return recipe
