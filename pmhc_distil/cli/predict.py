"""``pmhc-distil predict``: peptides and alleles in, predictions out."""

import contextlib
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pmhc_distil.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from pmhc_distil.sequences.readers import PeptideSource

_MODES = """\b
Three ways to say which alleles meet which peptides:
  pairs          the table has an allele column; each row is scored with its own
  cross product  --hla or --hla-fasta; every peptide is scored with every allele
  genotype       --genotype, with --hla or with an allele column whose cells hold the alleles of one person;
                 every peptide with its best allele

\b
Examples:
  pmhc-distil predict peptides.fasta --hla A*02:01
  pmhc-distil predict pairs.csv -o predictions.csv
  pmhc-distil predict peptides.txt --hla A0201,A2402,B0702 --genotype -o best.tsv.gz
  pmhc-distil predict --peptide SIINFEKL --hla-fasta my_alleles.fasta
"""

_MOST_WARNINGS = 20
_PAIRS_AT_ONCE = 200_000


@click.command(epilog=_MODES)
@click.argument("source", metavar="[INPUT]", required=False)
@click.option("--peptide", "peptides", metavar="SEQ", multiple=True, help="A peptide, instead of INPUT.  Repeatable.")
@click.option(
    "--hla", metavar="NAME", multiple=True, help="HLA class I allele, any spelling.  Repeatable, or with commas."
)
@click.option("--hla-fasta", metavar="FILE", help="Your own MHC class I sequences; --hla can name their ids.")
@click.option("--genotype", is_flag=True, help="Only the best of the alleles for each peptide.")
@click.option("--peptide-column", metavar="NAME", help="Peptide column of a table.  [default: found by name]")
@click.option(
    "--allele-column", metavar="NAME", help="Allele column of a table, '' for none.  [default: found by name]"
)
@click.option(
    "--strict", is_flag=True, help="Stop at the first row that cannot be scored, instead of keeping it unscored."
)
@click.option("-o", "--output", metavar="FILE", help="Where to write; .gz is packed.  [default: standard output]")
@click.option(
    "--format", "format_", type=click.Choice(["csv", "tsv", "jsonl"]), help="[default: by the name of FILE, csv]"
)
@click.option("--model", metavar="DIR", help="A model of your own.  [default: the bundled one]")
@click.option("--threads", type=click.IntRange(min=1), help="Processor threads.  [default: all that are allowed]")
@click.option("--device", metavar="NAME", help="cpu, cuda, cuda:1, mps.  [default: the best there is]")
def predict(
    source: str | None,
    peptides: tuple[str, ...],
    hla: tuple[str, ...],
    hla_fasta: str | None,
    genotype: bool,
    peptide_column: str | None,
    allele_column: str | None,
    strict: bool,
    output: str | None,
    format_: str | None,
    model: str | None,
    threads: int | None,
    device: str | None,
) -> None:
    """Predict which peptides HLA class I molecules present.

    INPUT is a FASTA (one peptide a record), a CSV or TSV with a header, or a list with one peptide a line; plain or
    gzip; - is standard input.  Peptides have 8 to 15 residues.  Every input row comes out again, in the same order: one
    that cannot be scored has empty numbers and says why in the column note.
    """
    from pmhc_distil.inference.request import resolve_request
    from pmhc_distil.sequences.tables import empty_predictions
    from pmhc_distil.sequences.writers import STDOUT, choose_format, open_predictions, terminal_table

    # Everything that the user can have got wrong is looked at before torch is imported.
    for_terminal = output is None and format_ is None and sys.stdout.isatty()
    format_ = choose_format(output or STDOUT, format_)
    if model is not None and not Path(model).is_dir():
        raise InputError("no such model folder", source="--model", value=model)
    alleles = _split_alleles(hla)
    grooves = None
    if hla_fasta is not None:
        from pmhc_distil.sequences.grooves import read_mhc_fasta

        grooves = read_mhc_fasta(hla_fasta)
    rows = _open(source, peptides, peptide_column, allele_column, strict)
    overview = rows.check()
    request = resolve_request(
        overview.distinct(),
        alleles,
        grooves=grooves,
        genotype=genotype,
        strict=strict,
        source=rows.source,
        rows=overview.first_rows(),
        column=rows.allele_column or "allele",
    )
    warnings = (*overview.warnings, *request.warnings)
    for line in warnings[:_MOST_WARNINGS]:
        _tell(f"warning: {line}")
    if len(warnings) > _MOST_WARNINGS:
        _tell(f"and {len(warnings) - _MOST_WARNINGS:,} more warnings; the column note has those about alleles")
    per_row = len(request.allele_names) if request.cross else 1
    size = max(1, _PAIRS_AT_ONCE // max(1, per_row))

    def predicted() -> "Iterator[pd.DataFrame]":
        if not overview.rows:
            yield empty_predictions(rows.own_columns)
            return
        from tqdm import tqdm

        from pmhc_distil.inference.predictor import Predictor

        predictor = Predictor(model, threads=threads, device=device)
        with tqdm(total=overview.rows * per_row, unit=" pairs", unit_scale=True, disable=None) as bar:
            for table in rows.tables(size):
                yield predictor.predict(table, alleles, genotype=genotype, grooves=grooves)
                bar.update(len(table.frame) * per_row)

    count = unscored = 0
    head: list[pd.DataFrame] = []
    with contextlib.nullcontext() if for_terminal else open_predictions(output or STDOUT, format_) as writer:
        for frame in predicted():
            count += len(frame)
            unscored += int(frame["score"].isna().sum())
            if writer is not None:
                writer.write(frame)
            elif not head:
                head.append(frame)
    if unscored:
        _tell(f"{unscored:,} of {count:,} rows have no score; the column note says why")
    if head:
        click.echo(terminal_table(head[0], shutil.get_terminal_size().columns, total=count))


def _split_alleles(hla: tuple[str, ...]) -> list[str] | None:
    """Take the commas apart; None where the option was not given."""
    if not hla:
        return None
    alleles = [part.strip() for text in hla for part in text.split(",")]
    if not all(alleles):
        raise InputError("an empty allele name", source="--hla", value=",".join(hla))
    return alleles


def _open(
    source: str | None, peptides: tuple[str, ...], peptide_column: str | None, allele_column: str | None, strict: bool
) -> "PeptideSource":
    """Open the one source of peptides there is."""
    from pmhc_distil.sequences.files import STDIN
    from pmhc_distil.sequences.readers import PeptideSource, open_peptides

    if peptides:
        if source is not None:
            hint = "leave out one of them"
            raise InputError("peptides are given both by a file and by --peptide", source=source, hint=hint)
        for name in filter(None, (peptide_column, allele_column)):
            raise InputError("--peptide has no columns, but one was asked for", value=name)
        return PeptideSource.of_list(peptides, "--peptide", strict=strict)
    if source is None:
        if sys.stdin is None or sys.stdin.isatty():
            hint = "for example pmhc-distil predict peptides.fasta --hla A*02:01"
            raise InputError("no peptides are given", hint=hint)
        source = STDIN
    return open_peptides(source, peptide_column=peptide_column, allele_column=allele_column, strict=strict)


def _tell(line: str) -> None:
    click.echo(" ".join(line.split()), err=True)
