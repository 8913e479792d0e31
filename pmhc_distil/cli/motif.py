"""``pmhc-distil motif``: what the ligands of an allele look like."""

from typing import Any

import click

from pmhc_distil.cli.options import (
    allele_options,
    check_model,
    known_alleles,
    length_range,
    load_predictor,
    model_options,
    named_alleles,
    warn,
)
from pmhc_distil.errors import InputError

_EXAMPLES = """\b
Examples:
  pmhc-distil motif --hla A*02:01 -o motif.png
  pmhc-distil motif --hla A0201,B0702 --lengths 8-11 -o motifs.pdf --table motifs.csv
  pmhc-distil motif --hla A*02:01 --ligands my_ligands.csv -o compared.svg
  pmhc-distil motif --hla-fasta my_alleles.fasta -o mine.html
  pmhc-distil motif --all -o motifs.html --table motifs.csv
"""


@click.command(epilog=_EXAMPLES)
@allele_options
@click.option("--all", "every", is_flag=True, help="All alleles with at least 50 training ligands.")
@click.option(
    "--lengths", metavar="N-M", default="9", show_default=True, callback=length_range, help="Lengths of the peptides."
)
@click.option(
    "--ligands", metavar="FILE", help="Known ligands, with an allele each or of the one allele, to compare with."
)
@click.option(
    "--top",
    type=click.FloatRange(0, 100, min_open=True),
    default=0.5,
    show_default=True,
    help="Highest rank of the random peptides that are counted, in percent: among those of their length for motifs, "
    "among those of all lengths for the shares of lengths.",
)
@click.option("-o", "--output", metavar="FILE", help="Picture (.png, .svg, .pdf) or page (.html).")
@click.option(
    "--table", metavar="FILE", help="Write the shares, a row for every position and a column for every residue."
)
@click.option("--length-table", metavar="FILE", help="Write the shares of the lengths.")
@model_options
def motif(
    hla: tuple[str, ...],
    hla_fasta: str | None,
    every: bool,
    lengths: tuple[int, ...],
    ligands: str | None,
    top: float,
    output: str | None,
    table: str | None,
    length_table: str | None,
    model: str | None,
    **options: Any,
) -> None:
    """Draw the binding motif and the length preference of alleles.

    The motif is counted in the random human peptides that bind best: for any allele, also one that no ligands are known
    of or that is given by its sequence.  Plots need the extra plots: pip install 'pmhc-distil[plots]'.
    """
    from pmhc_distil.analysis.pictures import picture_format, save_pictures
    from pmhc_distil.sequences.files import check_outputs, write_text
    from pmhc_distil.sequences.formats import choose_format

    if not (output or table or length_table):
        raise InputError("nothing to write is asked for", hint="name a picture with -o, or a table with --table")
    suffix = picture_format(output, ("html",)) if output else ""
    for path in filter(None, (table, length_table)):
        choose_format(path)
    check_outputs((output, table, length_table), ligands, hla_fasta)
    check_model(model)
    names, grooves = named_alleles(hla, hla_fasta)
    if every and (names or grooves):
        raise InputError("--all leaves no alleles to name", hint="leave out --hla and --hla-fasta, or --all")
    from pmhc_distil.analysis.ligands import read_ligands
    from pmhc_distil.analysis.logos import ROWS_ON_A_PAGE, motif_figures, motif_page
    from pmhc_distil.analysis.motif import compared_motifs, motif_notes, trained_alleles
    from pmhc_distil.inference.request import resolve_alleles
    from pmhc_distil.sequences.result_columns import LENGTH_COLUMNS, MOTIF_COLUMNS
    from pmhc_distil.sequences.writers import write_predictions

    known = None
    if not every:
        request = known_alleles(names, grooves)
        known = None if ligands is None else read_ligands(ligands, request, warn)
    predictor = load_predictor(model, **options)
    if every:
        names = trained_alleles(predictor)
        if ligands is not None:
            known = read_ligands(ligands, resolve_alleles(names, option="--hla"), warn)
    motifs, shares = compared_motifs(predictor, names, known, grooves=grooves, lengths=lengths, top=top, progress=True)
    if table:
        write_predictions(motifs, table, columns=MOTIF_COLUMNS)
    if length_table:
        write_predictions(shares, length_table, columns=LENGTH_COLUMNS)
    if output and suffix == "html":
        page = motif_page("Binding motifs", motifs, shares, motif_notes(predictor, names, grooves))
        write_text(output, page)
    elif output:
        save_pictures(motif_figures(motifs, shares, rows=ROWS_ON_A_PAGE if suffix == "pdf" else None), output)
