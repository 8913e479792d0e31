"""What ``predict`` and ``scan`` have in common: options, checks before torch is imported, and prediction in parts."""

import contextlib
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING

import click

from pmhc_distil.cli.keeping import PAIRS_AT_ONCE, check_keeping, facts_of
from pmhc_distil.cli.options import (
    OUTPUT,
    allele_options,
    alleles_of_samples,
    check_model,
    load_predictor,
    model_options,
    named_alleles,
    tell,
    warn,
    with_options,
)
from pmhc_distil.errors import InputError
from pmhc_distil.sequences.formats import FORMATS, PEER_FORMATS, TABLE_FORMATS

if TYPE_CHECKING:
    import pandas as pd

    from pmhc_distil.inference.engine import Precision
    from pmhc_distil.sequences.peptide_source import PeptideSource
    from pmhc_distil.sequences.shards import Shard
    from pmhc_distil.sequences.tables import Column

_MOST_WARNINGS = 20
_TERMINAL_ROWS = 20


def prediction_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options on alleles, output and model."""
    options = [
        click.option(
            "--samples",
            metavar="FILE",
            help="Table with the columns sample and alleles: each peptide with the alleles of every sample.",
        ),
        click.option(
            "--genotype", is_flag=True, help="Only the best of the alleles for each peptide, and how many it binds."
        ),
        OUTPUT,
        click.option(
            "--format",
            "format_",
            type=click.Choice(FORMATS),
            help="Of the output; the last five as other tools write theirs.  [default: by the name of FILE, csv]",
        ),
    ]
    return allele_options(with_options(options, model_options(command)))


def predict_rows(
    open_rows: "Callable[[], PeptideSource]",
    *,
    hla: tuple[str, ...],
    hla_fasta: str | None,
    samples: str | None,
    genotype: bool,
    output: str | None,
    format_: str | None,
    model: str | None,
    threads: int | None,
    device: str | None,
    precision: "Precision",
    strict: bool = False,
    max_rank: float | None = None,
    screened: Sequence[int] = (),
    reduced: "Callable[[Iterable[pd.DataFrame]], Iterator[pd.DataFrame]] | None" = None,
    columns: "Sequence[Column] | None" = None,
    shard: "Shard | None" = None,
    resume: bool = False,
    chunk_pairs: int = PAIRS_AT_ONCE,
) -> None:
    """Predict a source of peptides in parts, and write what comes out.

    Parameters
    ----------
    open_rows : callable
        Opens the source, once the options have been looked at.
    strict : bool
        Refuse an allele of the source that cannot be scored.
    max_rank : float, optional
        Leave out rows with a higher rank, and those without one.
    screened : sequence of int
        Lengths of the peptides, if there are no others and a first stage may discard peptides for `max_rank`.
    reduced : callable, optional
        Makes what is written out of the predictions, part by part.
    columns : sequence of Column, optional
        Columns of what `reduced` makes, where these are not those of predictions.
    hla, hla_fasta, samples, genotype, output, format_, model, threads, device, precision
        As :func:`prediction_options` reads them.
    shard, resume, chunk_pairs
        As :func:`~pmhc_distil.cli.keeping.keeping_options` reads them.
    """
    import pandas as pd

    from pmhc_distil.inference.request import resolve_request
    from pmhc_distil.sequences.files import check_not_input
    from pmhc_distil.sequences.formats import STDOUT, choose_format, left_out
    from pmhc_distil.sequences.journal import Tally
    from pmhc_distil.sequences.resumable import ResumableWriter, open_resumable
    from pmhc_distil.sequences.samples import PeptidesOfSamples
    from pmhc_distil.sequences.tables import PREDICTION_COLUMNS, empty_predictions
    from pmhc_distil.sequences.terminal import terminal_table
    from pmhc_distil.sequences.writers import TableWriter, open_predictions

    # Everything that the user can have got wrong is looked at before torch is imported.
    for_terminal = output is None and format_ is None and sys.stdout.isatty()
    format_ = choose_format(output or STDOUT, format_)
    check_keeping(output, format_, shard=shard, resume=resume, reduced=reduced is not None)
    if columns and format_ in PEER_FORMATS:
        hint = f"use {', '.join(TABLE_FORMATS)}"
        raise InputError("this table has no such format", source="--format", value=format_, hint=hint)
    check_model(model)
    alleles, grooves = named_alleles(hla, hla_fasta)
    people = alleles_of_samples(samples, alleles, grooves)
    rows = open_rows()
    check_not_input(output or STDOUT, rows.source, samples, hla_fasta)
    if people is not None:
        rows = PeptidesOfSamples(rows, people, genotype=genotype)
    overview = rows.check()
    request = resolve_request(
        overview.distinct(),
        alleles,
        grooves=grooves,
        genotype=genotype,
        strict=strict,
        source=rows.source,
        rows=overview.first_rows(),
        column=rows.allele_column or "allele",
        option="--hla",
    )
    if lost := left_out(format_, rows.own_columns):
        warn(f"the format {format_} has no columns for {', '.join(lost)}: left out")
    _warn_of(rows.source, (*overview.warnings, *request.warnings), empty=not overview.rows and not shard)
    load = cache(lambda: load_predictor(model, threads, device, precision))

    tally, written = Tally(), 0
    head: list[pd.DataFrame] = []
    shown = columns or PREDICTION_COLUMNS

    def frames() -> "Iterator[pd.DataFrame]":
        """Give what is predicted of the rows that are not done, and count it."""
        nonlocal tally
        if tally.rows == overview.rows:
            yield empty_predictions(rows.own_columns, genotype=genotype)
            return
        from tqdm import tqdm

        from pmhc_distil.inference.parts import PredictedParts

        parts = PredictedParts(rows, overview, request, alleles, grooves, genotype, max_rank, screened, chunk_pairs)
        total = overview.rows * parts.each
        with tqdm(total=total, initial=tally.count, unit=" rows", unit_scale=True, disable=None) as bar:
            for frame, part in parts.frames(load(), tally.rows):
                tally += part
                yield frame
                bar.update(part.count)

    with contextlib.ExitStack() as stack:
        writer: TableWriter | None = None
        if shard or resume:
            facts = facts_of(load(), rows)
            kept = open_resumable(output or "", format_, facts, resume=resume, shard=shard, columns=shown, warn=warn)
            writer = resumable = stack.enter_context(kept)
            tally = resumable.tally
            if tally.rows:
                tell(f"continuing after {tally.rows:,} of {overview.rows:,} rows of the input")
        elif not for_terminal:
            writer = stack.enter_context(open_predictions(output or STDOUT, format_, shown))
        for frame in reduced(frames()) if reduced else frames():
            written += len(frame)
            if writer is not None:
                writer.write(frame)
            elif sum(map(len, head)) < _TERMINAL_ROWS:
                head.append(frame.head(_TERMINAL_ROWS))
            if isinstance(writer, ResumableWriter):
                writer.mark(tally)
        if tally.rows != overview.rows:
            hint = "run it again, once nobody writes to the input any more"
            raise InputError("the input has changed while it was read", source=rows.source, hint=hint)
    if tally.unscored:
        tell(f"{tally.unscored:,} of {tally.count:,} rows have no score; the column note says why")
    if max_rank is not None:
        tell(f"{tally.kept:,} of {tally.count:,} rows have a rank of at most {max_rank:g}")
    if head:
        frame, width = pd.concat(head, ignore_index=True), shutil.get_terminal_size().columns
        click.echo(terminal_table(frame, width, total=written, columns=shown))


def _warn_of(source: str, warnings: Sequence[str], *, empty: bool) -> None:
    """Tell the first of many warnings, and of an empty source."""
    if empty and (nothing := f"{source} holds no peptides") not in warnings:
        warnings = (*warnings, nothing)
    for line in warnings[:_MOST_WARNINGS]:
        warn(line)
    if len(warnings) > _MOST_WARNINGS:
        tell(f"and {len(warnings) - _MOST_WARNINGS:,} more warnings; the column note has those about alleles")
