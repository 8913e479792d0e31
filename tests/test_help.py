"""The examples that a command's --help shows must work when they are pasted."""

import re
import shlex
from pathlib import Path

import click
import pytest

from pmhc_distil import cli

ROOT = Path(__file__).parents[1]
NEED_MORE_THAN_EXAMPLES = {
    *("pretrain", "finetune", "distill", "calibrate", "data", "evaluate"),
    *("gather", "run", "embed", "bias", "compare"),
}
"""Commands that train, measure, or go on from what others have made, for which no input is shipped."""


def _commands(command, name, context):
    """Give every command under one by its full name."""
    if not isinstance(command, click.Group):
        yield name, command
        return
    for child in command.list_commands(context):
        yield from _commands(command.get_command(context, child), f"{name} {child}".strip(), context)


def _examples(command):
    """Give the arguments of every example in a command's help."""
    text = re.sub(r"\\\n", " ", f"{command.help}\n{command.epilog or ''}")
    return [shlex.split(line, comments=True)[1:] for line in re.findall(r"^\s+(pmhc-distil .*)$", text, re.M)]


def _can_run(words):
    """Tell whether every file that an example reads is shipped."""
    read = [word for before, word in zip(["", *words], words, strict=False) if before not in ("-o", "--output")]
    return all((ROOT / word).exists() for word in read if "/" in word or re.search(r"\.[a-z]{2,}$", word))


CONTEXT = click.Context(cli.group)
EXAMPLES = {name: _examples(command) for name, command in _commands(cli.group, "", CONTEXT)}
RUNNABLE = {shlex.join(words): words for examples in EXAMPLES.values() for words in examples if _can_run(words)}


@pytest.mark.parametrize("words", RUNNABLE.values(), ids=RUNNABLE.keys())
def test_examples_of_the_help_run(words, tmp_path, monkeypatch, capsys):
    """Prevents an example that was typed from memory, or that a renamed option has broken."""
    (tmp_path / "data").symlink_to(ROOT / "data")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PMHC_DISTIL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("sys.argv", ["pmhc-distil", *words])
    try:
        cli.main()
    except SystemExit as stop:
        assert stop.code in (0, None), capsys.readouterr().err
    written = [words[place + 1] for place, word in enumerate(words[:-1]) if word in ("-o", "--output")]
    assert all(Path(name).exists() for name in written)
    assert written or capsys.readouterr().out


@pytest.mark.parametrize("name", [name for name in cli.COMMANDS if name not in NEED_MORE_THAN_EXAMPLES])
def test_commands_show_an_example_that_runs(name):
    """Prevents a command without an example, and examples that no test would run."""
    assert any(words[0] == name for words in RUNNABLE.values())


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_command_has_an_example(name):
    """Prevents a command without an example, and that of another, which a copied help leaves behind."""
    assert any(" ".join(words).startswith(name) for words in EXAMPLES[name])
