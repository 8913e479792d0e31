"""``pmhc-distil design``: substitutions that make a peptide bind, or no longer."""

import re
from dataclasses import replace
from typing import Any

import click

from pmhc_distil.cli.options import (
    allele_options,
    check_model,
    known_alleles,
    load_predictor,
    model_options,
    named_alleles,
    tell,
)
from pmhc_distil.cli.results import check_result, result_options, write_result
from pmhc_distil.errors import InputError

_OPTIONS = {"fixed": "--fix", "avoid": "--avoid"}
"""What the settings of rules are called here."""

_EXAMPLES = """\b
Examples:
  pmhc-distil design SAYNTVATK --hla A*02:01
  pmhc-distil design SAYNTVATK --hla A*02:01 --fix 4,5,6 --avoid CM --min-similarity 0.6 -o designed.csv
  pmhc-distil design SLYNTVATL --hla A0201,A6802,B0702 --reverse --changes 2
"""


def _fixed(context: click.Context, parameter: click.Parameter, text: str | None) -> tuple[int | str, ...]:
    """Read positions and residues such as 2,-1,C."""
    parts = [part.strip().upper() for part in (text or "").split(",") if part.strip()]
    for part in parts:
        if not re.fullmatch(r"-?[1-9]\d?|[A-Z]", part):
            raise click.BadParameter(f"{part!r} is neither a position, such as 2 or -1, nor a residue, such as C")
    return tuple(part if part.isalpha() else int(part) for part in parts)


@click.command(epilog=_EXAMPLES)
@click.argument("peptides", metavar="PEPTIDE...", nargs=-1, required=True)
@allele_options
@click.option("--reverse", is_flag=True, help="Make the peptides bind none of the alleles, instead of all.")
@click.option(
    "--changes", type=click.IntRange(1, 4), default=4, show_default=True, help="Replace at most so many residues."
)
@click.option(
    "--fix",
    "fixed",
    metavar="LIST",
    callback=_fixed,
    help="What stays: positions (2; -1 is the last) and residues (C: every C), with commas.",
)
@click.option(
    "--avoid",
    metavar="RESIDUES",
    default="C",
    show_default=True,
    help="Residues that are never put in; '' for none.  Cysteine looks worse than it is: mass spectrometry misses it.",
)
@click.option(
    "--min-similarity",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    help="Lowest similarity to the peptide, by BLOSUM62.",
)
@click.option(
    "--rank",
    type=click.FloatRange(0, 100, min_open=True),
    default=2.0,
    show_default=True,
    help="The aim: a rank up to this, or, with --reverse, above it.",
)
@click.option(
    "--best", type=click.IntRange(min=1), default=5, show_default=True, help="Peptides of every number of changes."
)
@result_options
@model_options
def design(
    peptides: tuple[str, ...],
    hla: tuple[str, ...],
    hla_fasta: str | None,
    reverse: bool,
    changes: int,
    fixed: tuple[int | str, ...],
    avoid: str,
    min_similarity: float,
    rank: float,
    best: int,
    output: str | None,
    format_: str | None,
    model: str | None,
    **options: Any,
) -> None:
    """Find substitutions that make a peptide bind.

    For every PEPTIDE the best peptides with one, two, ... substitutions, with their similarity to it and what every
    step gains.  With several alleles they are to bind all of them; with --reverse they are to bind none, as for a
    therapeutic protein that must not be presented.  What binds may still be no longer recognised by the same T cell.
    """
    from pmhc_distil.analysis.design import Rules
    from pmhc_distil.analysis.design import design as find
    from pmhc_distil.analysis.substitutions import checked_peptide
    from pmhc_distil.sequences.result_columns import DESIGN_COLUMNS

    format_ = check_result(output, format_, hla_fasta)
    check_model(model)
    names, grooves = named_alleles(hla, hla_fasta)
    known_alleles(names, grooves)
    rules = Rules(changes, fixed, frozenset(avoid.upper()), min_similarity)
    for peptide in map(checked_peptide, peptides):
        try:
            rules.free(peptide)
        except InputError as error:
            raise replace(error, source=_OPTIONS.get(error.source or "", error.source)) from error
    predictor = load_predictor(model, **options)
    found = find(predictor, peptides, names, grooves=grooves, reverse=reverse, rules=rules, rank=rank, best=best)
    for peptide in dict.fromkeys(found["original"]):
        if not (found["reached"][found["original"] == peptide] == "yes").any():
            tell(f"{peptide}: no peptide that keeps to the rules reaches the rank asked for")
    write_result(found, output, format_, DESIGN_COLUMNS)
