"""``pmhc-distil coverage``: which share of a population presents a set of peptides."""

import warnings
from typing import Any

import click

from pmhc_distil.cli.options import check_model, load_predictor, model_options, tell, warn
from pmhc_distil.cli.results import check_result, result_options, write_result
from pmhc_distil.errors import InputError, InputWarning

_EXAMPLES = """\b
Examples:
  pmhc-distil coverage data/examples/peptides.fasta --frequencies data/examples/frequencies.csv
  pmhc-distil coverage predictions.csv --frequencies data/examples/frequencies.csv --max-rank 0.5 -o coverage.csv
"""


@click.command(epilog=_EXAMPLES)
@click.argument("source", metavar="INPUT")
@click.option(
    "--frequencies",
    metavar="TABLE",
    required=True,
    help="Columns allele, frequency (0 to 1) and, for several populations, population.",
)
@click.option(
    "--max-rank",
    type=click.FloatRange(0, 100),
    default=2.0,
    show_default=True,
    help="An allele presents a peptide up to this rank.",
)
@result_options
@model_options
def coverage(
    source: str,
    frequencies: str,
    max_rank: float,
    output: str | None,
    format_: str | None,
    model: str | None,
    **options: Any,
) -> None:
    """Tell which share of a population presents at least one of the peptides.

    INPUT holds peptides, as for predict, each of which is predicted with every allele that a frequency is given for,
    whatever alleles stand beside it; or the table that predict has written of them, with the columns peptide, allele
    and rank, and a row for each of these pairs.

    Two alleles of every locus are drawn with their frequencies (Hardy-Weinberg), the loci independently.  One row for
    all loci and for each: the share of the population that is covered, the hits (a peptide with an allele that presents
    it) of an average person, and PC90, the hits that 90 % of the population reach.
    """
    from pmhc_distil.analysis.coverage import ALL_LOCI, holds_predictions, predictions_for
    from pmhc_distil.analysis.coverage import coverage as cover
    from pmhc_distil.sequences.frequencies import read_frequencies
    from pmhc_distil.sequences.readers import read_peptides
    from pmhc_distil.sequences.result_columns import COVERAGE_COLUMNS

    format_ = check_result(output, format_, source, frequencies)
    check_model(model)
    table = read_frequencies(frequencies)
    peptides = read_peptides(source)
    if not len(peptides.frame):
        raise InputError("there are no peptides", source=source, hint="give at least one")
    if peptides.allele_column is not None and not holds_predictions(peptides):
        tell(f"{source}: each peptide is predicted with every allele of the frequencies, not its own")
    predictions = predictions_for(peptides, table, lambda: load_predictor(model, **options))
    if predictions["rank"].isna().all():
        why = next((str(note) for note in predictions.get("note", ()) if note), None)
        raise InputError("no peptide has a rank", source=source, hint=why)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", InputWarning)
        made = cover(predictions, table, max_rank=max_rank)
    for warning in told:
        warn(str(warning.message))
    unscored = int(predictions.loc[predictions["rank"].isna(), "peptide"].nunique())
    if unscored:
        total = predictions["peptide"].nunique()
        warn(f"{unscored:,} of {total:,} peptides have a row without a rank, counted as not presented")
    for population, locus, names in zip(made["population"], made["locus"], made["unknown"], strict=True):
        if names and locus == ALL_LOCI:
            warn(f"{population or frequencies}: no prediction for {names}, counted as presenting nothing")
    write_result(made, output, format_, COVERAGE_COLUMNS)
