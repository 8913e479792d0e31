"""``pmhc-distil calibrate``: make the rank table of a model."""

from pathlib import Path

import click

from pmhc_distil.cli.recipes import named_recipe, read_recipe


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "--proteins", required=True, type=click.Path(path_type=Path), help="FASTA that random peptides are cut from."
)
@click.option("--recipe", required=True, type=click.Path(path_type=Path), help="YAML: windows, seed, exhaustive.")
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads.")
@click.option("--device", help="cpu, cuda or mps; by default as for predict.")
def calibrate(model: Path, proteins: Path, recipe: Path, threads: int | None, device: str | None) -> None:
    """Rank every shipped allele's scores against random peptides; an interrupted run is continued.

    Writes ranks.safetensors, background.txt.gz and calibration.json into the folder MODEL.

    \b
    Example:
      pmhc-distil calibrate runs/student --proteins human.fasta.gz --recipe recipes/calibrate.yaml
    """
    from pmhc_distil.inference.calibration import calibrate_model

    needed = {"windows", "seed"}
    settings = read_recipe(recipe, {*needed, "exhaustive"}, needed)
    with named_recipe(recipe):
        report = calibrate_model(model, proteins, threads=threads, device=device, **settings)
    click.echo(f"{report['grooves']} grooves calibrated against {report['peptides']} random peptides", err=True)
