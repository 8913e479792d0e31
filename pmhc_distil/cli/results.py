"""How commands write a table that is no prediction: a file, standard output, or a few rows for a terminal."""

import shutil
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from pmhc_distil.sequences.formats import STDOUT, TABLE_FORMATS

if TYPE_CHECKING:
    import pandas as pd

    from pmhc_distil.sequences.tables import Column


def result_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options on where and how to write."""
    for option in (
        click.option(
            "--format", "format_", type=click.Choice(TABLE_FORMATS), help="[default: by the name of FILE, csv]"
        ),
        click.option(
            "-o", "--output", metavar="FILE", help="Where to write; .gz is packed.  [default: standard output]"
        ),
    ):
        command = option(command)
    return command


def check_result(output: str | None, format_: str | None) -> str | None:
    """Refuse what cannot be written, before any work; None means a few rows for a terminal."""
    from pmhc_distil.sequences.formats import choose_format

    if output is None and format_ is None and sys.stdout.isatty():
        return None
    return choose_format(output or STDOUT, format_)


def write_result(frame: "pd.DataFrame", output: str | None, format_: str | None, columns: "Sequence[Column]") -> None:
    """Write a table in the format that :func:`check_result` has chosen."""
    from pmhc_distil.sequences.terminal import terminal_table
    from pmhc_distil.sequences.writers import write_predictions

    if format_ is None:
        click.echo(terminal_table(frame, shutil.get_terminal_size().columns, columns=columns))
    else:
        write_predictions(frame, output or STDOUT, format_, columns)
