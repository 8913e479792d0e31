"""``pmhc-distil compare``: what training runs measured on their test data."""

from pathlib import Path

import click

from pmhc_distil.cli.options import document_options


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@document_options("runs")
def compare(runs: tuple[Path, ...], format_: str, document: str | None, block: str) -> None:
    """Table the test metrics of RUNS, with their parameters and size.

    RUNS are folders that pretrain, finetune or distill have made with the same --test; for peptides see evaluate.

    \b
    Example:
      pmhc-distil compare runs/clinic/teacher runs/clinic/student --format markdown
    """
    from pmhc_distil.evaluation.markdown import check_markers, insert_into, to_markdown
    from pmhc_distil.evaluation.runs import compare_runs
    from pmhc_distil.sequences.files import check_destination

    if document:
        check_destination(document)
        check_markers(document, block)
    table = compare_runs(runs)
    click.echo(to_markdown(table) if format_ == "markdown" else table.to_csv(index=False).rstrip())
    if document:
        insert_into(document, to_markdown(table), block)
