"""``pmhc-distil evaluate``: measure models on labelled pairs."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pmhc_distil.cli.options import document_options

if TYPE_CHECKING:
    import pandas as pd


def _thresholds(context: click.Context, parameter: click.Parameter, texts: tuple[str, ...]) -> dict[str, float]:
    """Read thresholds such as 0.3 (for every output) or score=0.3."""
    from pmhc_distil.evaluation.ranking import DEFAULT_THRESHOLDS

    thresholds = dict(DEFAULT_THRESHOLDS)
    for text in texts:
        name, _, number = text.rpartition("=")
        if name and name not in thresholds:
            raise click.BadParameter(f"{name!r} is not one of {', '.join(thresholds)}")
        try:
            threshold = float(number)
        except ValueError as error:
            raise click.BadParameter(f"{number!r} is not a number") from error
        if not 0 <= threshold <= 1:
            raise click.BadParameter(f"{number!r} is not from 0 to 1, as scores are")
        thresholds |= dict.fromkeys([name] if name else thresholds, threshold)
    return thresholds


def _with_numbers(frame: "pd.DataFrame") -> "pd.DataFrame":
    """Read as numbers the columns that hold nothing else."""
    import pandas as pd

    def read(column: "pd.Series[Any]") -> "pd.Series[Any]":
        try:
            return pd.to_numeric(column)
        except (ValueError, TypeError):
            return column

    return frame.apply(read)


@click.command()
@click.argument("table", metavar="TABLE")
@click.option("--model", "models", metavar="DIR", multiple=True, help="Repeatable.  [default: the bundled model]")
@click.option("--genotype", is_flag=True, help="The allele column holds a person's alleles, of which the best counts.")
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    help="Write all metrics as a table: overall, per allele, length, ...; - prints it.",
)
@click.option("--report", metavar="FILE", help="Write all metrics as an HTML page with plots (needs the extra plots).")
@click.option(
    "--by",
    "columns",
    metavar="COLUMN",
    multiple=True,
    help="Also measure per value of this column, such as a donor, and print the mean; rows without one are in no "
    "group.  Repeatable.",
)
@click.option(
    "--resamples", type=click.IntRange(min=0), default=200, show_default=True, help="For bootstrap intervals."
)
@click.option(
    "--threshold",
    "thresholds",
    metavar="[OUTPUT=]NUMBER",
    multiple=True,
    callback=_thresholds,
    help="Rows above it count as predicted positives; for score and score_same_length.  Repeatable.  [default: 0.5]",
)
@document_options("results")
@click.option("--where", metavar="CONDITION", help="Measure on these rows only, in the language of DataFrame.query.")
@click.option(
    "--windows",
    type=click.IntRange(min=100),
    help="Random peptides of each length for ranks of uncalibrated models.  [default: all]",
)
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads.")
@click.option("--device", help="cpu, cuda or mps; by default as for predict.")
def evaluate(
    table: str,
    models: tuple[str, ...],
    genotype: bool,
    output: str | None,
    report: str | None,
    columns: tuple[str, ...],
    resamples: int,
    thresholds: dict[str, float],
    format_: str,
    document: str | None,
    block: str,
    where: str | None,
    windows: int | None,
    threads: int | None,
    device: str | None,
) -> None:
    """Compare models on TABLE: pairs with the columns peptide, allele and label (1 or 0).

    Prints for every model a row by the score and one by the length-neutral score: ranking metrics, classification
    metrics at the threshold (and the one that would be best here), calibration error, how many of the rows the model
    was trained on, parameters, size, and pairs per second on this machine.

    Instead of a label there may be an affinity, measurement_nM (and its inequality: <, = or >): what binds more
    strongly than 500 nM is then a positive, and the predicted affinities are compared with the measured ones. Where
    there are both, the label decides, and an affinity may be missing.

    \b
    Examples:
      pmhc-distil evaluate labelled.csv -o metrics.csv --report evaluation.html
      pmhc-distil evaluate labelled.csv --model runs/teacher --model runs/student --windows 1000
    """
    from pmhc_distil.errors import InputError
    from pmhc_distil.models import BUNDLED_MODEL
    from pmhc_distil.sequences.csv_tables import select_rows
    from pmhc_distil.sequences.files import check_destination, check_outputs, write_text
    from pmhc_distil.sequences.formats import choose_format
    from pmhc_distil.sequences.readers import read_peptides
    from pmhc_distil.sequences.small_tables import require_columns
    from pmhc_distil.sequences.tables import Column
    from pmhc_distil.sequences.writers import write_predictions

    if output:
        choose_format(output)
    for path in filter(None, (report, document)):
        check_destination(path)
    check_outputs((output, report, document), table)
    if report and Path(report).suffix.lower() not in (".html", ".htm"):
        raise InputError("a report is a page", source=report, hint="end its name in .html")
    if document:
        from pmhc_distil.evaluation.markdown import check_markers

        check_markers(document, block)
    pairs = read_peptides(table)
    if pairs.frame.empty:
        raise InputError("there are no rows to measure models on", source=table)
    if where:
        kept = select_rows(_with_numbers(pairs.given), where, table)
        if kept.empty:
            raise InputError("no row meets the condition", source=table, value=where)
        rows = pairs.frame.loc[kept.index].reset_index(drop=True)
        pairs = replace(pairs, frame=rows, rows=pairs.rows[kept.index])
    require_columns(pairs.given, ("allele", *columns), table)
    from pmhc_distil.analysis.pictures import require_plots
    from pmhc_distil.evaluation.compare import evaluate_model, summary
    from pmhc_distil.evaluation.details import check_groups, detailed_metrics
    from pmhc_distil.evaluation.labels import labels_of
    from pmhc_distil.evaluation.markdown import insert_into, to_markdown
    from pmhc_distil.evaluation.page import evaluation_page

    check_groups(columns)
    labels_of(pairs)
    if report:
        require_plots("--report")
    folders = [Path(model) for model in models] or [BUNDLED_MODEL]
    evaluations = [
        evaluate_model(pairs, folder, genotype=genotype, windows=windows, threads=threads, device=device)
        for folder in folders
    ]
    if len({each.name for each in evaluations}) < len(evaluations):
        evaluations = [replace(each, name=str(folder)) for each, folder in zip(evaluations, folders, strict=True)]
    overview = summary(evaluations, columns=columns, thresholds=thresholds)
    if output != "-":  # whose place the details have then
        click.echo(to_markdown(overview) if format_ == "markdown" else overview.to_csv(index=False).rstrip())
    if output or report:
        details = detailed_metrics(evaluations, columns=columns, thresholds=thresholds, resamples=resamples)
        if output:
            rounded = [Column(str(name), "float64", "", "", digits=6) for name in details.select_dtypes("float")]
            write_predictions(details, output, columns=rounded)
        if report:
            write_text(report, evaluation_page(Path(table).name, evaluations, details))
    if document:
        insert_into(document, to_markdown(overview), block)
