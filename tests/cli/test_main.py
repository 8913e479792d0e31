"""The command line starts at once and ends with the right status."""

import contextlib
import os
import subprocess
import sys
from importlib.metadata import version

import pytest

from pmhc_distil.cli import COMMANDS, main

CODE = """
import sys
from pmhc_distil.cli import main
status = 0
try:
    main()
except SystemExit as end:
    status = end.code or 0
heavy = {'torch', 'transformers', 'mhcgnomes', 'sklearn'} & set(sys.modules)
print('HEAVY', sorted(heavy), 'STATUS', status)
"""


def start(*arguments):
    done = subprocess.run([sys.executable, "-c", CODE, *arguments], capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    *output, last = done.stdout.splitlines()
    return output, last, done.stderr


def test_version_is_bare():
    """Prevents a version that a script has to cut out of a sentence."""
    output, last, _ = start("--version")
    assert output == [version("pmhc-distil")]
    assert last == "HEAVY [] STATUS 0"


def test_help_lists_every_command_and_stays_light():
    """Prevents two seconds of imports for a line of help."""
    output, last, _ = start("--help")
    assert last == "HEAVY [] STATUS 0"
    assert all(any(line.split()[:1] == [name] for line in output) for name in COMMANDS)


@pytest.mark.parametrize(
    ("command", "given", "expected"), [("predict", None, "1"), ("predict", "3", "3"), ("distill", None, None)]
)
def test_threads_of_numpy(monkeypatch, command, given, expected):
    """Prevents NumPy from taking every core beside --threads, the user's setting from being lost, and slow training."""
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", given or "")
    if given is None:
        monkeypatch.delenv("OPENBLAS_NUM_THREADS")
    monkeypatch.setattr(sys, "argv", ["pmhc-distil", command, "--help"])
    with contextlib.suppress(SystemExit):
        main()
    assert os.environ.get("OPENBLAS_NUM_THREADS") == expected


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_stays_light(command):
    """Prevents the help of a command from importing what only its work needs."""
    output, last, errors = start(command, "--help")
    assert last == "HEAVY [] STATUS 0", errors
    assert any(command in line for line in output[:2])


def test_unknown_command():
    """Prevents a misspelt command from ending well, or with a traceback."""
    _, last, errors = start("predcit")
    assert last == "HEAVY [] STATUS 2"
    assert "predcit" in errors and "Traceback" not in errors


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["predcit"], "error: No such command 'predcit'"),
        (["scan", "x", "--threads", "0"], "error: Invalid value for '--threads': 0 is not in the range x>=1."),
        (["run", "--model", "x"], "error: Missing option '--task'. Choose from: text-classification, "),
        (["hla", "list", "--gene", "Q"], "(see pmhc-distil hla list --help)"),
    ],
)
def test_a_wrong_option_is_one_line(arguments, told):
    """Prevents four lines, the usage first, for what the documentation says is told in one."""
    _, last, errors = start(*arguments)
    assert last == "HEAVY [] STATUS 2"
    assert told in errors and errors.count("\n") == 1
