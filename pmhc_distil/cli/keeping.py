"""Options of long predictions: a shard of the input, and a run that another can continue."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pmhc_distil.cli.options import with_options
from pmhc_distil.errors import InputError

if TYPE_CHECKING:
    from pmhc_distil.inference.predictor import Predictor
    from pmhc_distil.sequences.peptide_source import PeptideSource
    from pmhc_distil.sequences.shards import Shard

PAIRS_AT_ONCE = 200_000

_NO_DIFFERENCE = {"source", "peptides", "output", "format_", "model", "threads", "device", "precision", "strict"}
_NO_DIFFERENCE |= {"shard", "resume", "chunk_pairs"}
"""Options on which no row depends, or that count by what they led to: the input, the model and how it computes."""


def _shard(context: click.Context, parameter: click.Parameter, text: str | None) -> "Shard | None":
    from pmhc_distil.sequences.shards import Shard

    return None if text is None else Shard.parse(text)


def keeping_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options on shards and interrupted runs."""
    options = [
        click.option(
            "--shard",
            metavar="I/N",
            callback=_shard,
            help="Only the I-th of N parts of the input; `gather` joins what the N runs wrote.",
        ),
        click.option(
            "--resume",
            is_flag=True,
            help="Keep what is done if the run ends early, and continue what an earlier run has kept.",
        ),
        click.option(
            "--chunk-pairs",
            type=click.IntRange(min=1),
            default=PAIRS_AT_ONCE,
            show_default=True,
            metavar="N",
            help="Peptides times alleles that are predicted, written and kept at a time.",
        ),
    ]
    return with_options(options, command)


def facts_of(predictor: "Predictor", rows: "PeptideSource") -> dict[str, Any]:
    """Tell what the rows that the current command writes depend on, for JSON.

    Files that are given by an option count by their content.
    """
    from pmhc_distil import __version__
    from pmhc_distil.sequences.files import file_sha256
    from pmhc_distil.sequences.tables import SCHEMA_VERSION

    context = click.get_current_context()
    options: dict[str, Any] = {}
    for parameter in context.command.params:
        value = context.params.get(parameter.name or "")
        if parameter.name and parameter.name not in _NO_DIFFERENCE and value not in (None, (), False):
            if parameter.metavar == "FILE":
                if not Path(value).is_file():
                    reason = "a pipe can be read once, and cannot be compared with that of another run"
                    raise InputError(reason, source=max(parameter.opts, key=len), value=value, hint="give a file")
                value = file_sha256(value)
            options[parameter.name] = value
    run = {"version": __version__, "schema": SCHEMA_VERSION, **predictor.identity()}
    return {**run, "input": rows.digest(), "options": options}


def check_keeping(output: str | None, format_: str, *, shard: "Shard | None", resume: bool, reduced: bool) -> None:
    """Refuse to keep what goes to standard output, or what a part of the rows cannot tell."""
    for name, wanted in (("--shard", shard), ("--resume", resume)):
        if wanted and output in (None, "-"):
            raise InputError("is only for a file", source=name, hint="name it with -o")
    if shard and format_ == "xlsx":
        raise InputError("a workbook has no shards", source=output, hint="write csv, and save what gather makes of it")
    if resume and reduced:
        hint = "leave out --resume, or use --shard to make parts that can be repeated"
        raise InputError("cannot continue --regions or --top", source="--resume", hint=hint)
