"""``pmhc-distil gather``: shards into one table."""

import click

from pmhc_distil.cli.options import OUTPUT

_EXAMPLES = """\b
Examples:
  pmhc-distil predict peptides.txt --hla A0201 --shard 1/2 -o part.1.csv
  pmhc-distil predict peptides.txt --hla A0201 --shard 2/2 -o part.2.csv
  pmhc-distil gather part.1.csv part.2.csv -o predictions.csv
"""


@click.command(epilog=_EXAMPLES)
@click.argument("tables", metavar="TABLE...", nargs=-1, required=True)
@OUTPUT
def gather(tables: tuple[str, ...], output: str | None) -> None:
    """Join what predict --shard and scan --shard wrote, in any order, into what one run would have written.

    Beside each TABLE its record must lie (TABLE.shard.json).  A shard that is missing, there twice, changed, or made by
    another model, version or command, or from another input, is refused.
    """
    from pmhc_distil.sequences.formats import STDOUT
    from pmhc_distil.sequences.gather import gather as join

    tally = join(tables, output or STDOUT)
    if tally.unscored:
        click.echo(f"{tally.unscored:,} of {tally.count:,} rows have no score; the column note says why", err=True)
