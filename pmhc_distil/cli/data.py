"""``pmhc-distil data``: make training tables."""

from pathlib import Path

import click

from pmhc_distil.cli.recipes import read_recipe


@click.group()
def data() -> None:
    """Make training tables."""


@data.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--proteins", required=True, type=click.Path(path_type=Path), help="FASTA that negatives are cut from.")
@click.option("--recipe", required=True, type=click.Path(path_type=Path), help="YAML: sources, negatives, split, seed.")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Folder for the tables.")
def prepare(folder: Path, proteins: Path, recipe: Path, output: Path) -> None:
    """Join the sources in FOLDER, add negatives and split by peptide.

    Writes train.csv.gz, validation.csv.gz, training_alleles.csv and report.json (what was dropped, and why).

    \b
    Example:
      pmhc-distil data prepare my_data --proteins human.fasta.gz --recipe recipes/data.yaml -o runs/data
    """
    from pmhc_distil.sequences.prepare import prepare as prepare_tables
    from pmhc_distil.sequences.prepare import sources_from_recipe, write_prepared
    from pmhc_distil.sequences.proteins import Proteome, read_proteins

    needed = {"sources", "negatives_per_positive", "uniform_share", "validation_share", "seed"}
    settings = read_recipe(recipe, needed, needed)
    sources = sources_from_recipe(settings.pop("sources"))
    proteome = Proteome([sequence for _, sequence in read_proteins(proteins)])
    prepared = prepare_tables(folder, sources, proteome, **settings)
    write_prepared(prepared, output)
    for reason, count in prepared.dropped.items():
        if count:
            click.echo(f"dropped {count:>9,}  {reason}", err=True)
    for name, table in (("train", prepared.train), ("validation", prepared.validation)):
        ligands, decoys = (int((table["label"] == label).sum()) for label in (1, 0))
        click.echo(
            f"{name}: {ligands:,} ligands, {decoys:,} negatives, "
            f"{int(table['affinity_nm'].notna().sum()):,} affinities",
            err=True,
        )


@data.command()
@click.argument("fasta", type=click.Path(path_type=Path))
@click.option("--validation-share", type=click.FloatRange(0, 1), default=0.01, show_default=True)
@click.option("--seed", type=int, default=42, show_default=True)
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Folder for the two files.")
def split(fasta: Path, validation_share: float, seed: int, output: Path) -> None:
    """Split a FASTA of proteins for pretraining: train.fasta.gz and validation.fasta.gz.

    A protein's sequence decides where it goes, so that equal proteins stay together.

    \b
    Example:
      pmhc-distil data split proteins.fasta.gz -o runs/proteins
    """
    from pmhc_distil.sequences.prepare import split_proteins

    counts = split_proteins(fasta, output, validation_share, seed)
    click.echo(f"train: {counts[0]:,} proteins, validation: {counts[1]:,}", err=True)
