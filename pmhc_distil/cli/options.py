"""Options that several commands share, and what they mean."""

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pmhc_distil.errors import InputError, InputWarning

if TYPE_CHECKING:
    from pmhc_distil.inference.engine import Precision
    from pmhc_distil.inference.predictor import Predictor
    from pmhc_distil.inference.request import Request

Command = Callable[..., None]
SEEDS = click.IntRange(0, 2**32 - 1)
"""What NumPy takes as a seed."""


def _named(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    """Refuse an empty name, as of a variable that is not set, instead of writing elsewhere."""
    if value == "":
        raise InputError("no file is named", source="--output", hint="leave it out for standard output")
    return value


OUTPUT = click.option(
    "-o",
    "--output",
    metavar="FILE",
    callback=_named,
    help="Where to write; .gz is packed.  [default: standard output]",
)


def allele_options(command: Command) -> Command:
    """Add the options that name alleles."""
    options = [
        click.option(
            "--hla",
            metavar="NAME",
            multiple=True,
            help="HLA class I allele, any spelling.  Repeatable, or with commas.",
        ),
        click.option("--hla-fasta", metavar="FILE", help="Your own MHC class I sequences; --hla can name their ids."),
    ]
    return with_options(options, command)


def model_options(command: Command) -> Command:
    """Add the options on the model and how it computes."""
    options = [
        click.option("--model", metavar="DIR", help="A model of your own.  [default: the bundled one]"),
        click.option(
            "--threads", type=click.IntRange(min=1), help="Processor threads.  [default: all that are allowed]"
        ),
        click.option("--device", metavar="NAME", help="cpu, cuda, cuda:1, mps.  [default: the best there is]"),
        click.option(
            "--precision",
            type=click.Choice(["auto", "single", "half"]),
            default="auto",
            help="Half (bfloat16) is faster where the processor has it.  [default: half there, single elsewhere]",
        ),
    ]
    return with_options(options, command)


def column_options(command: Command) -> Command:
    """Add the options that name columns of a table of peptides."""
    options = [
        click.option("--peptide-column", metavar="NAME", help="Peptide column of a table.  [default: found by name]"),
        click.option(
            "--allele-column", metavar="NAME", help="Allele column of a table, '' for none.  [default: found by name]"
        ),
    ]
    return with_options(options, command)


def document_options(block: str) -> Callable[[Command], Command]:
    """Add the options on a table that is printed as CSV or Markdown, and put into a document."""
    options = [
        click.option("--format", "format_", type=click.Choice(["csv", "markdown"]), default="csv", show_default=True),
        click.option(
            "--insert", "document", metavar="FILE", help="Put the table between two markers of a Markdown file."
        ),
        click.option(
            "--block",
            default=block,
            show_default=True,
            help="Name in the markers <!-- NAME:begin --> and <!-- NAME:end -->.",
        ),
    ]
    return lambda command: with_options(options, command)


def with_options(options: Sequence[Callable[[Command], Command]], command: Command) -> Command:
    """Add options, which help lists in this order."""
    for option in reversed(options):
        command = option(command)
    return command


def named_alleles(hla: tuple[str, ...], hla_fasta: str | None) -> tuple[list[str] | None, dict[str, str] | None]:
    """Take the commas of --hla apart and read the sequences of --hla-fasta; None where an option was not given."""
    names = [part.strip() for text in hla for part in text.split(",")] or None
    if names is not None and not all(names):
        raise InputError("an empty allele name", source="--hla", value=",".join(hla))
    if hla_fasta is None:
        return names, None
    from pmhc_distil.sequences.grooves import read_mhc_fasta

    return names, read_mhc_fasta(hla_fasta)


def known_alleles(
    names: list[str] | None,
    grooves: dict[str, str] | None,
    samples: dict[str, list[str]] | None = None,
    *,
    genotype: bool = False,
) -> "Request":
    """Find the alleles of :func:`named_alleles` or of samples, and tell what to mind about them."""
    from pmhc_distil.inference.request import resolve_alleles

    request = resolve_alleles(names, grooves, samples=samples, genotype=genotype, option="--hla")
    for line in request.warnings:
        warn(line)
    return request


def alleles_of_samples(
    samples: str | None, names: list[str] | None, grooves: dict[str, str] | None
) -> dict[str, list[str]] | None:
    """Read the table of --samples; None without one.  Alleles are given by it or by --hla."""
    if samples is None:
        return None
    if names:
        hint = "leave out one of them"
        raise InputError("alleles are given both by --hla and by --samples", value=samples, hint=hint)
    from pmhc_distil.sequences.samples import read_samples

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", InputWarning)
        found = read_samples(samples, grooves or {})
    for warning in told:
        warn(str(warning.message))
    return found


def check_model(model: str | None) -> None:
    """Refuse a folder that is not there, before anything is loaded."""
    if model is not None and not Path(model).is_dir():
        raise InputError("no such model folder", source="--model", value=model)


def load_predictor(
    model: str | None, threads: int | None, device: str | None, precision: "Precision" = "auto"
) -> "Predictor":
    """Load the model, and say so where it computes slowly."""
    from pmhc_distil.inference.predictor import Predictor

    predictor = Predictor(model, threads=threads, device=device, precision=precision)
    if predictor.engine.slow:
        warn(f"predictions are slower than they could be: {predictor.engine.slow}")
    return predictor


def tell(line: str) -> None:
    """Write one line to standard error."""
    click.echo(" ".join(line.split()), err=True)


def warn(line: str) -> None:
    """Write a warning to standard error."""
    tell(f"warning: {line}")


def length_range(context: click.Context, parameter: click.Parameter, text: str | None) -> tuple[int, ...] | None:
    """Read ranges such as 8-11 and single lengths, with commas between them."""
    from pmhc_distil.sequences.residues import PEPTIDE_LENGTHS

    if text is None:
        return None
    lengths: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        last = last if dash else first
        own = set(range(int(first), int(last) + 1)) if first.isdecimal() and last.isdecimal() else set()
        if not own or not own <= set(PEPTIDE_LENGTHS):
            break
        lengths |= own
    else:
        return tuple(sorted(lengths))
    between = f"from {PEPTIDE_LENGTHS[0]} to {PEPTIDE_LENGTHS[-1]}"
    msg = f"{text!r} is not a range of lengths {between}, such as 8-11, nor a list of some, such as 9,10"
    raise click.BadParameter(msg)
