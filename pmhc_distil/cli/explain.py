"""``pmhc-distil explain``: which residues of a peptide its presentation hangs on."""

from typing import Any

import click

from pmhc_distil.cli.options import (
    allele_options,
    check_model,
    known_alleles,
    load_predictor,
    model_options,
    named_alleles,
)
from pmhc_distil.errors import InputError

_EXAMPLES = """\b
Examples:
  pmhc-distil explain SLYNTVATL --hla A*02:01
  pmhc-distil explain SLYNTVATL --hla A*02:01 -o SLYNTVATL.png
  pmhc-distil explain SLYNTVATL GILGFVFTL --hla A0201,B0702 -o four.pdf --table four.csv
  pmhc-distil explain SLYNTVATL --hla A*02:01 --change rank -o ranks.svg
"""


@click.command(epilog=_EXAMPLES)
@click.argument("peptides", metavar="PEPTIDE...", nargs=-1, required=True)
@allele_options
@click.option(
    "--change",
    type=click.Choice(["logit", "rank"]),
    default="logit",
    show_default=True,
    help="What to draw: the change of the score's logit, or of log10 of the rank.",
)
@click.option("-o", "--output", metavar="FILE", help="Picture (.png, .svg, .pdf).")
@click.option("--table", metavar="FILE", help="Every substitution.  [default: standard output, without a picture]")
@model_options
def explain(
    peptides: tuple[str, ...],
    hla: tuple[str, ...],
    hla_fasta: str | None,
    change: str,
    output: str | None,
    table: str | None,
    model: str | None,
    **options: Any,
) -> None:
    """Show what each substitution of a peptide does to its presentation.

    Every residue of the PEPTIDE is replaced by every other, and the score and rank of all of these peptides are
    compared with its own: positions at which every substitution harms are its anchors.  The picture, of at most 50
    pairs of a peptide and an allele, needs the extra plots: pip install 'pmhc-distil[plots]'.
    """
    from pmhc_distil.analysis.pictures import picture_format, save_pictures
    from pmhc_distil.analysis.substitutions import checked_peptide
    from pmhc_distil.sequences.files import check_outputs
    from pmhc_distil.sequences.formats import STDOUT, choose_format
    from pmhc_distil.sequences.result_columns import SUBSTITUTION_COLUMNS
    from pmhc_distil.sequences.writers import write_predictions

    suffix = picture_format(output) if output else ""
    destination = table or ("" if output else STDOUT)
    if destination:
        choose_format(destination)
    check_outputs((output, table), hla_fasta)
    check_model(model)
    names, grooves = named_alleles(hla, hla_fasta)
    request = known_alleles(names, grooves)
    matrices = len(set(map(checked_peptide, peptides))) * len(request.allele_names)
    from pmhc_distil.analysis.heat_maps import MOST_MATRICES, substitution_figures

    if output and matrices > MOST_MATRICES:
        reason = f"a picture shows at most {MOST_MATRICES} pairs of a peptide and an allele, not {matrices:,}"
        raise InputError(reason, source=output, hint="ask for fewer, or write --table alone")
    from pmhc_distil.analysis.substitutions import substitutions

    found = substitutions(load_predictor(model, **options), peptides, names, grooves=grooves)
    if destination:
        write_predictions(found, destination, columns=SUBSTITUTION_COLUMNS)
    if output:
        save_pictures(substitution_figures(found, change=change, apart=suffix == "pdf"), output)
