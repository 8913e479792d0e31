"""``pmhc-distil report``: predictions as one page for those who did not make them."""

from pathlib import Path
from typing import Any

import click

from pmhc_distil.cli.options import (
    allele_options,
    check_model,
    column_options,
    length_range,
    load_predictor,
    model_options,
    named_alleles,
    tell,
    warn,
)
from pmhc_distil.errors import InputError

_EXAMPLES = """\b
Examples:
  pmhc-distil report data/examples/peptides.fasta --hla A*02:01,A*24:02,B*07:02,B*35:01 -o report.html
  pmhc-distil report data/examples/pairs.csv -o report.html --title "Our epitopes"
  pmhc-distil report data/examples/protein.fasta --lengths 9 --hla A0201,B0702 -o report.html
"""


@click.command(epilog=_EXAMPLES)
@click.argument("source", metavar="INPUT")
@allele_options
@column_options
@click.option(
    "--lengths", metavar="N-M", callback=length_range, help="INPUT holds proteins: take their windows of these lengths."
)
@click.option("-o", "--output", metavar="FILE", required=True, help="The page to write (.html).")
@click.option("--title", default="Peptides presented by HLA class I", show_default=True, help="Heading of the page.")
@model_options
def report(
    source: str,
    hla: tuple[str, ...],
    hla_fasta: str | None,
    peptide_column: str | None,
    allele_column: str | None,
    lengths: tuple[int, ...] | None,
    output: str,
    title: str,
    model: str | None,
    **options: Any,
) -> None:
    """Predict, and write what comes out as one self-contained page.

    INPUT holds peptides, as for predict, or, with --lengths, proteins, as for scan.  The page has the input and the
    model, the binders of each allele, a heat map of peptides and alleles, the best rows as a table that can be sorted,
    what to mind, and the motifs of the alleles.  It needs no network, and can be read on a telephone and printed.
    """
    from pmhc_distil.analysis.pictures import require_plots
    from pmhc_distil.inference.request import resolve_request
    from pmhc_distil.sequences.files import check_destination, check_not_input, write_text
    from pmhc_distil.sequences.readers import read_peptides
    from pmhc_distil.sequences.windows import protein_windows

    if Path(output).suffix.lower() not in (".html", ".htm"):
        raise InputError("a report is a page", source=output, hint="end its name in .html")
    check_destination(output)
    check_not_input(output, source, hla_fasta)
    require_plots("report")
    check_model(model)
    names, grooves = named_alleles(hla, hla_fasta)
    if lengths is None:
        table = read_peptides(source, peptide_column=peptide_column, allele_column=allele_column)
    else:
        for name in filter(None, (peptide_column, allele_column)):
            raise InputError("proteins have no columns, but one was asked for", source=source, value=name)
        (table,) = protein_windows(source, lengths).tables()
    request = resolve_request(
        table.frame,
        names,
        grooves=grooves,
        source=source,
        rows=table.rows,
        column=table.allele_column or "allele",
        option="--hla",
    )
    for line in (*table.warnings, *request.warnings):
        warn(line)
    if table.n_problems:
        tell(f"{table.n_problems:,} of {len(table.rows):,} peptides cannot be scored; the page says why")
    from pmhc_distil.analysis.report import report_of

    page = report_of(load_predictor(model, **options), table, names, grooves=grooves, title=title)
    write_text(output, page)
