"""``pmhc-distil predict``: peptides and alleles in, predictions out."""

import sys
from typing import TYPE_CHECKING, Any

import click

from pmhc_distil.cli.keeping import keeping_options
from pmhc_distil.cli.options import column_options
from pmhc_distil.cli.predicting import predict_rows, prediction_options
from pmhc_distil.errors import InputError

if TYPE_CHECKING:
    from pmhc_distil.sequences.peptide_source import PeptideSource
    from pmhc_distil.sequences.shards import Shard

_MODES = """\b
Four ways to say which alleles meet which peptides:
  pairs          the table has an allele column; each row is scored with its own
  cross product  --hla or --hla-fasta; every peptide is scored with every allele
  genotype       --genotype, with --hla or with an allele column whose cells hold the alleles of one person;
                 every peptide with its best allele, and how many alleles it binds
  samples        --samples; every peptide with the alleles of every sample, or of its own if the table has a
                 column sample; with --genotype only with the best allele of each sample

\b
Examples:
  pmhc-distil predict data/examples/peptides.fasta --hla A*02:01
  pmhc-distil predict data/examples/pairs.csv -o predictions.csv
  pmhc-distil predict data/examples/peptides.fasta --hla A0201,A2402,B0702 --genotype -o best.tsv.gz
  pmhc-distil predict data/examples/peptides.fasta --samples data/examples/samples.csv --genotype
  pmhc-distil predict data/examples/pairs.csv --format mhcflurry
  pmhc-distil predict --peptide SIINFEKL --hla-fasta my_alleles.fasta
  pmhc-distil predict data/examples/pairs.csv --resume -o predictions.csv
  pmhc-distil predict data/examples/pairs.csv --shard 3/8 -o part.3.csv
"""


def _list_alleles(context: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    """Print the alleles for wrappers that ask a predictor for them."""
    if wanted:
        from pmhc_distil.cli.hla import list_names

        context.invoke(list_names, gene=None)
        context.exit()


@click.command(epilog=_MODES)
@click.argument("source", metavar="[INPUT]", required=False)
@click.option("--peptide", "peptides", metavar="SEQ", multiple=True, help="A peptide, instead of INPUT.  Repeatable.")
@click.option(
    "--list-supported-alleles",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_list_alleles,
    help="Print every allele that can be scored, as `pmhc-distil hla list` does, and end.",
)
@prediction_options
@keeping_options
@column_options
@click.option(
    "--strict", is_flag=True, help="Stop at the first row that cannot be scored, instead of keeping it unscored."
)
def predict(
    source: str | None,
    peptides: tuple[str, ...],
    peptide_column: str | None,
    allele_column: str | None,
    strict: bool,
    **options: Any,
) -> None:
    """Predict which peptides HLA class I molecules present.

    INPUT is a FASTA (one peptide a record), a CSV or TSV with a header, or a list with one peptide a line; plain or
    gzip; - is standard input.  Peptides have 8 to 15 residues.  Every input row comes out again, in the same order: one
    that cannot be scored has empty numbers and says why in the column note.
    """
    shard = options["shard"]
    predict_rows(
        lambda: _open(source, peptides, peptide_column, allele_column, strict, shard), strict=strict, **options
    )


def _open(
    source: str | None,
    peptides: tuple[str, ...],
    peptide_column: str | None,
    allele_column: str | None,
    strict: bool,
    shard: "Shard | None",
) -> "PeptideSource":
    """Open the one source of peptides there is."""
    from pmhc_distil.sequences.peptide_source import PeptideSource
    from pmhc_distil.sequences.readers import open_peptides
    from pmhc_distil.sequences.text_files import STDIN

    if peptides:
        if source is not None:
            hint = "leave out one of them"
            raise InputError("peptides are given both by a file and by --peptide", source=source, hint=hint)
        for name in filter(None, (peptide_column, allele_column)):
            raise InputError("--peptide has no columns, but one was asked for", value=name)
        if shard:
            raise InputError("--peptide has no shards", source="--shard", value=str(shard), hint="give them in a file")
        return PeptideSource.of_list(peptides, "--peptide", strict=strict)
    if source is None:
        if sys.stdin is None or sys.stdin.isatty():
            hint = "for example pmhc-distil predict peptides.fasta --hla A*02:01"
            raise InputError("no peptides are given", hint=hint)
        source = STDIN
    return open_peptides(source, peptide_column=peptide_column, allele_column=allele_column, strict=strict, shard=shard)
