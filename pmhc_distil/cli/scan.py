"""``pmhc-distil scan``: every window of proteins."""

from typing import Any

import click

from pmhc_distil.cli.keeping import keeping_options
from pmhc_distil.cli.options import length_range
from pmhc_distil.cli.predicting import predict_rows, prediction_options

_EXAMPLES = """\b
Examples:
  pmhc-distil scan data/examples/protein.fasta --hla A*02:01 -o windows.csv
  pmhc-distil scan data/examples/protein.fasta --hla A0201,A2402,B0702 --max-rank 2 -o binders.csv
  pmhc-distil scan data/examples/protein.fasta --hla A0201,B0702 --genotype --lengths 9 --top 10
  pmhc-distil scan data/examples/protein.fasta --hla A0201,B0702 --regions -o regions.csv
  pmhc-distil scan data/examples/protein.fasta --samples data/examples/samples.csv --genotype --regions
  pmhc-distil scan data/examples/protein.fasta --hla A0201,B0702 --shard 1/2 -o part.1.csv
"""


@click.command(epilog=_EXAMPLES)
@click.argument("source", metavar="FASTA")
@click.option(
    "--lengths", metavar="N-M", default="8-11", show_default=True, callback=length_range, help="Lengths of the windows."
)
@click.option("--max-rank", type=click.FloatRange(0, 100), help="Write only windows with a rank up to this percentage.")
@click.option("--exhaustive", is_flag=True, help="Leave out the first stage of --max-rank: score every window.")
@click.option("--regions", is_flag=True, help="Merge overlapping binders (rank up to --max-rank, or 2) into regions.")
@click.option(
    "--top", type=click.IntRange(min=1), help="Write only the best so many windows, or regions, of every protein."
)
@prediction_options
@keeping_options
def scan(
    source: str,
    lengths: tuple[int, ...],
    max_rank: float | None,
    exhaustive: bool,
    regions: bool,
    top: int | None,
    **options: Any,
) -> None:
    """Predict which windows of proteins HLA class I molecules present.

    FASTA holds proteins, plain or gzip; - is standard input.  One row for every window and allele: its protein, the
    position of its first residue (from 1), and the residues before and after it.

    With --max-rank and many windows, a first stage discards those that cannot bind by the motif of the allele, and with
    them fewer than 1 in 1,000 of the windows asked for.

    With --regions there is one row for every protein, allele and region, and with --genotype for every protein and
    region, whatever the allele.
    """
    from pmhc_distil.analysis.regions import reduction
    from pmhc_distil.sequences.result_columns import REGION_COLUMNS
    from pmhc_distil.sequences.windows import protein_windows

    max_rank, reduced = reduction(max_rank, regions=regions, top=top, genotype=options["genotype"])
    predict_rows(
        lambda: protein_windows(source, lengths, distinct=reduced is not None, shard=options["shard"]),
        max_rank=max_rank,
        screened=() if exhaustive else lengths,
        reduced=reduced,
        columns=REGION_COLUMNS if regions else None,
        **options,
    )
