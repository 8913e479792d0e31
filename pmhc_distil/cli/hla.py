"""``pmhc-distil hla``: which alleles there are, and what is known about one."""

import dataclasses
import json
from pathlib import Path

import click

from pmhc_distil.errors import InputError
from pmhc_distil.models import BUNDLED_MODEL
from pmhc_distil.sequences.groove_table import EXPRESSION, GENES, groove_table


@click.group()
def hla() -> None:
    """List, find and explain HLA class I alleles."""


@hla.command("list")
@click.option("--gene", type=click.Choice(GENES, case_sensitive=False), help="Only the alleles of one gene.")
def list_names(gene: str | None) -> None:
    """Print every allele that can be scored, one canonical name per line.

    \b
    Example:
      pmhc-distil hla list --gene B
    """
    names = (name for name in groove_table().names if gene is None or name.startswith(f"HLA-{gene.upper()}*"))
    click.echo("\n".join(names))


@hla.command()
@click.argument("text")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="Print at most so many names.")
def search(text: str, limit: int) -> None:
    """Print the alleles whose name contains TEXT, in any spelling (B27, b*27:05, HLA-B2705).

    \b
    Example:
      pmhc-distil hla search B27 --limit 5
    """
    from pmhc_distil.sequences.hla_search import search_names

    found = search_names(text)
    if not found:
        raise InputError("no allele name contains this text", "TEXT", value=text, hint="see 'pmhc-distil hla list'")
    table = groove_table()
    for name in found[:limit]:
        suffix = table.expression(name)
        click.echo(f"{name:<16}  {suffix}, {EXPRESSION[suffix]}" if suffix else name)
    if len(found) > limit:
        click.echo(f"{len(found) - limit} more, see --limit", err=True)


@hla.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--hla-fasta", type=click.Path(path_type=Path), help="Explain your own MHC sequences as well.")
@click.option("--model", type=click.Path(path_type=Path), help="Model folder.  [default: the bundled model]")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
def explain(names: tuple[str, ...], hla_fasta: Path | None, model: Path | None, as_json: bool) -> None:
    """Say which allele each NAME is, its groove, and the nearest allele in the training data.

    \b
    Example:
      pmhc-distil hla explain B*27:05 A*24:09N
    """
    from pmhc_distil.sequences.explain import TRAINING_FILE, explain_allele, read_training_alleles
    from pmhc_distil.sequences.hla import Allele, resolve_allele

    alleles = [resolve_allele(name, source="NAME", row=row) for row, name in enumerate(names, start=1)]
    if hla_fasta is not None:
        from pmhc_distil.sequences.grooves import read_mhc_fasta

        alleles += [Allele(name, name, groove) for name, groove in read_mhc_fasta(hla_fasta).items()]
    if not alleles:
        raise InputError("nothing to explain", hint="give allele names or --hla-fasta")
    folder = model if model is not None else BUNDLED_MODEL
    training = read_training_alleles(folder / TRAINING_FILE)
    found = [explain_allele(allele, training) for allele in alleles]
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(one) for one in found], indent=2))
        return
    for index, one in enumerate(found):
        if index:
            click.echo()
        lines = {
            "allele": one.name,
            "requested": one.requested,
            "warning": one.warning,
            "groove": one.groove,
            "same groove": f"{one.same_groove} other name{'' if one.same_groove == 1 else 's'}",
            "training data": f"{one.ligands} ligands, {one.affinities} affinities",
            "nearest": f"{one.nearest}, distance {one.distance:.3f}, "
            f"{one.nearest_ligands} ligands, {one.nearest_affinities} affinities",
        }
        for label, value in lines.items():
            if value:
                click.echo(f"{label:<15}{value}")


@hla.command()
@click.argument("fasta", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--release", required=True, help="Release of IPD-IMGT/HLA that the files are from, such as 3.58.0.")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Table to write (gzip'd text).")
def build(fasta: tuple[Path, ...], release: str, output: Path) -> None:
    """Derive the table of grooves from the *_prot.fasta files of an IPD-IMGT/HLA release.

    \b
    Example:
      pmhc-distil hla build A_prot.fasta B_prot.fasta C_prot.fasta --release 3.58.0 -o grooves.tsv.gz
    """
    from pmhc_distil.sequences.files import atomic_path, check_destination, check_not_input
    from pmhc_distil.sequences.groove_derivation import derive_groove_table
    from pmhc_distil.sequences.groove_table import format_groove_table

    check_destination(output)
    check_not_input(output, *fasta)
    derived = derive_groove_table(fasta, release)
    table = derived.table
    with atomic_path(output) as temporary:
        temporary.write_bytes(format_groove_table(table))
    click.echo(
        f"{derived.n_records} records: {len(table)} alleles with {len(table.unique_grooves())} grooves, "
        f"{len(table.incomplete)} without a complete groove, {derived.n_ignored} records of other genes ignored",
        err=True,
    )
