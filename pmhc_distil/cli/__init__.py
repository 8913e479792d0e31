"""The command line: parse, call one library function, print.  No science lives here."""

import contextlib
import importlib
import os
import signal
import sys
import warnings
from collections.abc import Iterator

import click

from pmhc_distil import __version__
from pmhc_distil.errors import InputError, InputWarning
from pmhc_distil.sequences.files import FULL

COMMANDS = {
    "predict": "pmhc_distil.cli.predict",
    "scan": "pmhc_distil.cli.scan",
    "report": "pmhc_distil.cli.report",
    "explain": "pmhc_distil.cli.explain",
    "design": "pmhc_distil.cli.design",
    "motif": "pmhc_distil.cli.motif",
    "mutants": "pmhc_distil.cli.mutants",
    "coverage": "pmhc_distil.cli.coverage",
    "gather": "pmhc_distil.cli.gather",
    "hla": "pmhc_distil.cli.hla",
    "data": "pmhc_distil.cli.data",
    "pretrain": "pmhc_distil.cli.train",
    "finetune": "pmhc_distil.cli.train",
    "distill": "pmhc_distil.cli.train",
    "calibrate": "pmhc_distil.cli.calibrate",
    "evaluate": "pmhc_distil.cli.evaluate",
    "compare": "pmhc_distil.cli.compare",
    "run": "pmhc_distil.cli.run",
    "embed": "pmhc_distil.cli.run",
    "bias": "pmhc_distil.cli.bias",
}
"""Command name to the module that defines it, imported only when the command is called."""

_TORCH = {"pretrain", "finetune", "distill", "run", "embed", "bias"}
"""Commands that compute in torch, which may have its threads from the same library as NumPy."""
_SIGNALS = ("SIGTERM", "SIGHUP", "SIGXCPU")


class LazyGroup(click.Group):
    """A group whose commands are imported when they are asked for, so that ``--help`` starts at once."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of a user's needs, not of the alphabet."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of one command and return it."""
        if cmd_name not in COMMANDS:
            return None
        if cmd_name not in _TORCH:
            # None of NumPy's products is worth threads beside those of --threads, for which it waits on busy cores.
            os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
        return getattr(importlib.import_module(COMMANDS[cmd_name]), cmd_name)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="%(version)s")
def group() -> None:
    """Predict which peptides HLA class I molecules present, and distil models of your own."""


class _Ended(BaseException):
    """A signal that asks the program to end: everything is cleared away on the way out, as for Ctrl-C."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextlib.contextmanager
def _ending_in_order() -> Iterator[None]:
    """Turn signals of schedulers and closed terminals into an exception; those that are ignored stay so."""
    replaced = {}

    def end(number: int, frame: object) -> None:
        signal.signal(number, signal.SIG_IGN)
        raise _Ended(number)

    for name in _SIGNALS:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) == signal.SIG_DFL:
            replaced[number] = signal.signal(number, end)
    try:
        yield
    finally:
        for number, before in replaced.items():
            signal.signal(number, before)


def _named(context: click.Context) -> str:
    """Give the command that a context belongs to, without the name of the program, which may be a module's."""
    return f"{_named(context.parent)}{context.info_name} " if context.parent else ""


def main() -> None:
    """Run the command line; a user's mistake is one line on stderr and exit status 2."""
    # A stream that was closed before is None: what is told there is lost, and results for there cannot be written.
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 (until the end)
    out = sys.stdout = sys.stdout or open(os.devnull, encoding="utf-8")  # noqa: SIM115, PTH123
    warnings.simplefilter("ignore", InputWarning)  # commands tell them in lines of their own
    try:
        with _ending_in_order():
            group.main(standalone_mode=False)
            if not sys.stdout.closed and sys.stdout.writable():
                sys.stdout.flush()
    except SystemExit:
        if sys.stdout is out:
            raise
        # A reader has seen enough, for which click has replaced the stream.
    except BrokenPipeError:
        # The same outside of click.  The interpreter flushes once more when it ends, and would complain then.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    except OSError as error:
        if error.errno not in FULL:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        click.echo(f"error: cannot write: {error.strerror}", err=True)
        sys.exit(2)
    except InputError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(2)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(error.exit_code)
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        hint = f" (see pmhc-distil {_named(context)}--help)" if context else ""
        click.echo(f"error: {' '.join(error.format_message().split())}{hint}", err=True)
        sys.exit(error.exit_code)
    except click.exceptions.Exit as signalled:
        sys.exit(signalled.exit_code)
    except click.Abort:
        click.echo("aborted", err=True)
        sys.exit(130)
    except _Ended as ended:
        click.echo(f"ended by {signal.Signals(ended.number).name}", err=True)
        sys.stdout.flush()
        # A thread may be in the middle of some seconds of prediction, for which a scheduler does not wait.
        os._exit(128 + ended.number)
