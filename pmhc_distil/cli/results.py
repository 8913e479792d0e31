"""How commands write a table that is no prediction: a file, standard output, or a few rows for a terminal."""

import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import click

from pmhc_distil.cli.options import OUTPUT, with_options
from pmhc_distil.sequences.formats import STDOUT, TABLE_FORMATS

if TYPE_CHECKING:
    import pandas as pd

    from pmhc_distil.sequences.tables import Column


def result_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options on where and how to write."""
    options = [
        OUTPUT,
        click.option(
            "--format", "format_", type=click.Choice(TABLE_FORMATS), help="[default: by the name of FILE, csv]"
        ),
    ]
    return with_options(options, command)


def check_result(output: str | None, format_: str | None, *sources: str | None) -> str | None:
    """Refuse what cannot be written, or over a source, before any work; None means a few rows for a terminal."""
    from pmhc_distil.sequences.files import check_not_input
    from pmhc_distil.sequences.formats import choose_format

    if output is None and format_ is None and sys.stdout.isatty():
        return None
    check_not_input(output or STDOUT, *sources)
    return choose_format(output or STDOUT, format_)


def write_result(frame: "pd.DataFrame", output: str | None, format_: str | None, columns: "Sequence[Column]") -> None:
    """Write a table in the format that :func:`check_result` has chosen."""
    from pmhc_distil.sequences.terminal import terminal_table
    from pmhc_distil.sequences.writers import write_predictions

    if format_ is None:
        click.echo(terminal_table(frame, shutil.get_terminal_size().columns, columns=columns))
    else:
        write_predictions(frame, output or STDOUT, format_, columns)


def write_parts(
    parts: "Iterable[tuple[pd.DataFrame, int]]",
    total: int,
    unit: str,
    output: str | None,
    format_: str | None,
    columns: "Sequence[Column]",
) -> None:
    """Write a table some rows at a time, with a progress bar on a terminal; each part tells how far it comes."""
    import pandas as pd
    from tqdm import tqdm

    from pmhc_distil.sequences.writers import open_predictions

    def watched() -> "Iterator[pd.DataFrame]":
        with tqdm(total=total, unit=unit, disable=None) as bar:
            for frame, count in parts:
                yield frame
                bar.update(count)

    if format_ is None:
        write_result(pd.concat(list(watched()), ignore_index=True), output, format_, columns)
        return
    with open_predictions(output or STDOUT, format_, columns) as writer:
        for frame in watched():
            writer.write(frame)
