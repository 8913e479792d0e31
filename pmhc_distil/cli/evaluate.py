"""``pmhc-distil evaluate``: measure models on labelled pairs."""

from pathlib import Path

import click


@click.command()
@click.argument("table", metavar="TABLE")
@click.option("--model", "models", metavar="DIR", multiple=True, help="Repeatable.  [default: the bundled model]")
@click.option("--per-allele", metavar="FILE", help="Write a CSV with one row per model and allele.")
@click.option("--format", "format_", type=click.Choice(["csv", "markdown"]), default="csv", show_default=True)
@click.option(
    "--insert", "document", metavar="FILE", help="Put the table between the result markers of a Markdown file."
)
@click.option(
    "--windows",
    type=click.IntRange(min=100),
    help="Random peptides of each length for ranks of uncalibrated models.  [default: all]",
)
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads.")
@click.option("--device", help="cpu, cuda or mps; by default a GPU if there is one.")
def evaluate(
    table: str,
    models: tuple[str, ...],
    per_allele: str | None,
    format_: str,
    document: str | None,
    windows: int | None,
    threads: int | None,
    device: str | None,
) -> None:
    """Compare models on TABLE: pairs with the columns peptide, allele and label (1 or 0).

    One row per model: ranking metrics of the score and of the length-neutral rank, classification metrics at a score of
    0.5, parameters, size, and pairs per second on this machine.

    \b
    Example:
      pmhc-distil evaluate labelled.csv --model runs/teacher --model runs/student --windows 1000
    """
    from pmhc_distil.models import BUNDLED_MODEL
    from pmhc_distil.sequences.files import atomic_path, check_destination
    from pmhc_distil.sequences.readers import read_peptides

    for path in filter(None, (per_allele, document)):
        check_destination(path)
    pairs = read_peptides(table)
    from pmhc_distil.evaluation.compare import compare, insert, labels_of, to_markdown

    labels_of(pairs)
    folders = [Path(model) for model in models] or [BUNDLED_MODEL]
    summary, alleles = compare(pairs, folders, windows=windows, threads=threads, device=device)
    click.echo(to_markdown(summary) if format_ == "markdown" else summary.to_csv(index=False).rstrip())
    if per_allele:
        with atomic_path(per_allele) as temporary:
            alleles.to_csv(temporary, index=False, float_format="%.6g")
    if document:
        text = insert(Path(document).read_text(encoding="utf-8"), to_markdown(summary), document)
        with atomic_path(document) as temporary:
            temporary.write_text(text, encoding="utf-8")
