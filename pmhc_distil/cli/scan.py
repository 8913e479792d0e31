"""``pmhc-distil scan``: every window of proteins."""

from typing import Any

import click

from pmhc_distil.cli.options import length_range
from pmhc_distil.cli.predicting import predict_rows, prediction_options

_EXAMPLES = """\b
Examples:
  pmhc-distil scan proteins.fasta --hla A*02:01 -o windows.csv
  pmhc-distil scan virus.fasta.gz --hla A0201,A2402,B0702 --max-rank 2 -o binders.csv
  pmhc-distil scan proteins.fasta --hla A0201,B0702 --genotype --lengths 9-9
"""


@click.command(epilog=_EXAMPLES)
@click.argument("source", metavar="FASTA")
@click.option(
    "--lengths", metavar="N-M", default="8-11", show_default=True, callback=length_range, help="Lengths of the windows."
)
@click.option("--max-rank", type=click.FloatRange(0, 100), help="Write only windows with a rank up to this percentage.")
@click.option("--exhaustive", is_flag=True, help="Leave out the first stage of --max-rank: score every window.")
@prediction_options
def scan(source: str, lengths: tuple[int, ...], exhaustive: bool, **options: Any) -> None:
    """Predict which windows of proteins HLA class I molecules present.

    FASTA holds proteins, plain or gzip; - is standard input.  One row for every window and allele: its protein, the
    position of its first residue (from 1), and the residues before and after it.

    With --max-rank and many windows, a first stage discards those that cannot bind by the motif of the allele, and with
    them fewer than 1 in 1,000 of the windows asked for.
    """
    from pmhc_distil.sequences.windows import protein_windows

    predict_rows(lambda: protein_windows(source, lengths), screened=() if exhaustive else lengths, **options)
