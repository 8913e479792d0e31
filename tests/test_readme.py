"""The documentation must not promise what the program does not do."""

import re
import shlex
from pathlib import Path

import click
import pytest

from pmhc_distil.cli import COMMANDS, group
from pmhc_distil.sequences import result_columns
from pmhc_distil.sequences.tables import column_help

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "data/**/*.md", "workflows/**/*.md", "notebooks/**/*.md")
    for path in ROOT.glob(pattern)
)
README = (ROOT / "README.md").read_text(encoding="utf-8")


def _blocks(text: str, *languages: str) -> list[str]:
    """Give the fenced blocks of some languages."""
    return [body for language, body in re.findall(r"^```(\w*)\n(.*?)^```", text, re.M | re.S) if language in languages]


def _calls(script: str) -> list[list[str]]:
    """Give the arguments of every call of pmhc-distil in a shell script, also behind a pipe or xargs."""
    calls = []
    for line in script.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        words: list[str] = []
        for word in [*(re.sub(r"\$\w+", "1", word) for word in lexer), ";"]:  # a variable of the shell, as a number
            if word and set(word) <= set("();<>|&"):
                names = [Path(one).name for one in words]
                if "pmhc-distil" in names:
                    calls.append(words[names.index("pmhc-distil") + 1 :])
                words = []
            else:
                words.append(word)
    return calls


def _makefile_script() -> str:
    """Give the recipe lines of the Makefile, its variables replaced by their name or by what they stand for."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8").replace("\\\n", " ")
    values = dict(re.findall(r"^(\w+) :?= (.*)$", text, re.M))
    lines = [line.strip() for line in text.splitlines() if line.startswith("\t")]
    for _ in range(3):
        lines = [re.sub(r"\$\((\w+)\)", lambda match: values.get(match[1], match[1]), line) for line in lines]
    return "\n".join(re.sub(r"\$\(.*?\)", "X", line) for line in lines if "pmhc-distil" in line)


CALLS = {
    f"{path.relative_to(ROOT)}: {shlex.join(call)}": call
    for path in DOCUMENTS
    for block in _blocks(path.read_text(encoding="utf-8"), "sh", "bash", "")
    for call in _calls(block)
} | {f"Makefile: {shlex.join(call)}": call for call in _calls(_makefile_script())}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
def test_commands_in_the_documentation_exist(call):
    """A renamed option, a missing required one or a value that is no choice would greet a newcomer with an error."""
    command: click.Command = group
    context = click.Context(group, info_name="pmhc-distil")
    while isinstance(command, click.Group):
        found = command.get_command(context, call[0])
        assert found is not None, f"no such command: {call[0]}"
        command, call = found, call[1:]
    try:
        command.make_context("pmhc-distil", list(call))  # parses and checks, runs nothing
    except click.exceptions.Exit:
        assert "--help" in call


def test_calls_are_found_in_shell():
    """A parser that finds nothing would let every example pass."""
    script = "make demo  # ok\ncut a | pmhc-distil predict - \\\n  --hla 'A*02:01' > b\nvenv/bin/pmhc-distil hla list"
    assert _calls(script) == [["predict", "-", "--hla", "A*02:01"], ["hla", "list"]]
    assert sum(name.startswith("Makefile") for name in CALLS) >= 8


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_shown(command):
    """A command that the README does not show is one that nobody finds."""
    shown = {call[0] for block in _blocks(README, "sh") for call in _calls(block)}
    assert command in shown


def test_columns_are_those_of_the_program():
    """The table of columns is generated; typed by hand it would drift."""
    match = re.search(r"<!-- columns:begin -->\n(.*?)<!-- columns:end -->", README, re.S)
    assert match is not None
    assert match[1] == column_help()


@pytest.mark.parametrize("name", [name for name in vars(result_columns) if name.endswith("_COLUMNS")])
def test_columns_of_the_other_tables(name):
    """A table that a command writes and no page explains would be guessed at."""
    page = (ROOT / "data" / "columns.md").read_text(encoding="utf-8")
    block = name.removesuffix("_COLUMNS").lower()
    match = re.search(rf"<!-- {block}:begin -->\n(.*?)<!-- {block}:end -->", page, re.S)
    expected = column_help(getattr(result_columns, name))
    assert match is not None and match[1] == expected, f"data/columns.md should have:\n{expected}"


def test_the_tree_is_the_package():
    """A room that moved or appeared leaves a newcomer with a wrong map."""
    tree = next(block for block in _blocks(README, "") if block.startswith("pmhc_distil/\n"))
    indented = set(re.findall(r"^  (\S+)", tree, re.M))
    package = ROOT / "pmhc_distil"
    rooms = {f"{path.parent.name}/" for path in package.glob("*/__init__.py")}
    assert indented == rooms | {"errors.py"}
    for name in re.findall(r"^(\S+)", tree, re.M):
        assert (ROOT / name).is_dir(), name


@pytest.mark.parametrize("path", DOCUMENTS, ids=[str(path.relative_to(ROOT)) for path in DOCUMENTS])
def test_files_that_the_documentation_names_exist(path):
    """A file that moved leaves a dead pointer."""
    pattern = r"`((?:data|recipes|tests|pmhc_distil)/[\w./]*\w|[A-Z]\w+\.(?:md|cff))`"
    named = re.findall(pattern, path.read_text(encoding="utf-8"))
    missing = [name for name in named if not (ROOT / name).exists() and not (path.parent / name).exists()]
    assert not missing


@pytest.mark.parametrize("code", _blocks(README, "python"))
def test_python_examples_run(code, tmp_path, monkeypatch):
    """An example that fails when it is pasted is worse than none."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PMHC_DISTIL_CACHE", str(tmp_path))
    exec(compile(code, "README.md", "exec"), {})
