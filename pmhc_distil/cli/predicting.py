"""What ``predict`` and ``scan`` have in common: options, checks before torch is imported, and prediction in parts."""

import contextlib
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import click

from pmhc_distil.cli.options import allele_options, check_model, load_predictor, model_options, named_alleles, tell
from pmhc_distil.errors import InputError
from pmhc_distil.sequences.formats import FORMATS, PEER_FORMATS

if TYPE_CHECKING:
    import pandas as pd

    from pmhc_distil.inference.engine import Precision
    from pmhc_distil.sequences.peptide_source import PeptideSource
    from pmhc_distil.sequences.peptide_table import PeptideTable
    from pmhc_distil.sequences.tables import Column

_MOST_WARNINGS = 20
_PAIRS_AT_ONCE = 200_000
_TERMINAL_ROWS = 20


def prediction_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options on alleles, output and model."""
    command = model_options(command)
    for option in (
        click.option(
            "--format",
            "format_",
            type=click.Choice(FORMATS),
            help="Of the output; the last five as other tools write theirs.  [default: by the name of FILE, csv]",
        ),
        click.option(
            "-o", "--output", metavar="FILE", help="Where to write; .gz is packed.  [default: standard output]"
        ),
        click.option(
            "--genotype", is_flag=True, help="Only the best of the alleles for each peptide, and how many it binds."
        ),
        click.option(
            "--samples",
            metavar="TABLE",
            help="Columns sample and alleles: each peptide with the alleles of every sample.",
        ),
    ):
        command = option(command)
    return allele_options(command)


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
    """
    import pandas as pd

    from pmhc_distil.inference.request import resolve_request
    from pmhc_distil.sequences.formats import STDOUT, choose_format
    from pmhc_distil.sequences.samples import PeptidesOfSamples, read_samples
    from pmhc_distil.sequences.tables import PREDICTION_COLUMNS, empty_predictions, written_rank
    from pmhc_distil.sequences.terminal import terminal_table
    from pmhc_distil.sequences.writers import open_predictions

    # Everything that the user can have got wrong is looked at before torch is imported.
    for_terminal = output is None and format_ is None and sys.stdout.isatty()
    format_ = choose_format(output or STDOUT, format_)
    if columns and format_ in PEER_FORMATS:
        raise InputError("this table has no such format", source="--format", value=format_, hint="use csv or tsv")
    check_model(model)
    alleles, grooves = named_alleles(hla, hla_fasta)
    if samples is not None and alleles:
        raise InputError(
            "alleles are given both by --hla and by --samples", value=samples, hint="leave out one of them"
        )
    people = read_samples(samples, grooves or {}) if samples is not None else None
    rows = open_rows()
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
    )
    warnings = (*overview.warnings, *request.warnings)
    for line in warnings[:_MOST_WARNINGS]:
        tell(f"warning: {line}")
    if len(warnings) > _MOST_WARNINGS:
        tell(f"and {len(warnings) - _MOST_WARNINGS:,} more warnings; the column note has those about alleles")
    per_row = len(request.allele_names) if request.cross else 1
    size = max(1, _PAIRS_AT_ONCE // max(1, per_row))

    def predicted() -> "Iterator[tuple[pd.DataFrame, int, int]]":
        """Give predictions, and for how many rows they stand, and how many of these have no score."""
        if not overview.rows:
            yield empty_predictions(rows.own_columns, genotype=genotype), 0, 0
            return
        from tqdm import tqdm

        from pmhc_distil.inference.ahead import one_ahead
        from pmhc_distil.inference.screen import FITTED, WORTH

        predictor = load_predictor(model, threads, device, precision)
        screen = None
        worth_it = bool(screened) and overview.rows > WORTH * FITTED * len(screened)
        if max_rank is not None and request.cross and worth_it:
            screen = predictor.screen(request.grooves, screened, max_rank)
        each = 1 if genotype else per_row

        def predict(table: "PeptideTable") -> "tuple[pd.DataFrame, int, int]":
            problems, count = table.n_problems, len(table.frame)
            names = None if request.cross and screen and not genotype else alleles
            if screen:
                table = screen.pairs(table, request.allele_names, genotype=genotype)
            frame = predictor.predict(table, names, genotype=genotype, grooves=grooves)
            unscored = problems * each if screen else int(frame["score"].isna().sum())
            if max_rank is not None:
                frame = frame[written_rank(frame["rank"]) <= max_rank].reset_index(drop=True)
            return frame, count * each, unscored

        with tqdm(total=overview.rows * each, unit=" rows", unit_scale=True, disable=None) as bar:
            for result in one_ahead(predict, rows.tables(size)):
                yield result
                bar.update(result[1])

    count = unscored = kept = written = 0
    head: list[pd.DataFrame] = []
    shown = columns or PREDICTION_COLUMNS

    def frames() -> "Iterator[pd.DataFrame]":
        nonlocal count, unscored, kept
        for frame, rows_of_part, unscored_of_part in predicted():
            count += rows_of_part
            unscored += unscored_of_part
            kept += len(frame)
            yield frame

    with contextlib.nullcontext() if for_terminal else open_predictions(output or STDOUT, format_, shown) as writer:
        for frame in reduced(frames()) if reduced else frames():
            written += len(frame)
            if writer is not None:
                writer.write(frame)
            elif sum(map(len, head)) < _TERMINAL_ROWS:
                head.append(frame.head(_TERMINAL_ROWS))
    if unscored:
        tell(f"{unscored:,} of {count:,} rows have no score; the column note says why")
    if max_rank is not None:
        tell(f"{kept:,} of {count:,} rows have a rank of at most {max_rank:g}")
    if head:
        frame, width = pd.concat(head, ignore_index=True), shutil.get_terminal_size().columns
        click.echo(terminal_table(frame, width, total=written, columns=shown))
