"""The formats of prediction tables: what a name or a wish means, and refusals before any work is done."""

import sys
from pathlib import Path

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.files import check_destination

FORMATS = ("csv", "tsv", "jsonl", "parquet")

STDOUT = "-"
"""The name of standard output wherever a path is expected."""

_SUFFIXES = {".csv": "csv", ".tsv": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}


def choose_format(destination: str | Path, wanted: str | None = None) -> str:
    """Tell the format from a file name, and refuse a destination that cannot be written.

    Parameters
    ----------
    destination : str or Path
        A path, with or without ``.gz``, or ``"-"`` for standard output.
    wanted : str, optional
        One of :data:`FORMATS`; it wins over the name.

    Returns
    -------
    str
        One of :data:`FORMATS`; CSV for standard output.

    Raises
    ------
    InputError
        If the name says nothing and nothing is wanted, the path cannot be written, or Parquet cannot be had.
    """
    listed = ", ".join(FORMATS)
    if wanted is not None and wanted not in FORMATS:
        raise InputError("unknown format", value=wanted, hint=f"formats are: {listed}")
    to_stdout = str(destination) == STDOUT
    suffixes = [suffix for suffix in Path(destination).suffixes if suffix != ".gz"]
    found = wanted or ("csv" if to_stdout else _SUFFIXES.get(suffixes[-1].lower() if suffixes else ""))
    if found is None:
        hint = f"end the name in {', '.join(_SUFFIXES)} (and .gz), or give --format with one of {listed}"
        raise InputError("the name of the output does not tell its format", source=str(destination), hint=hint)
    if found == "parquet":
        _check_parquet(destination)
    if not to_stdout:
        check_destination(destination)
    return found


def _check_parquet(destination: str | Path) -> None:
    """Refuse what Parquet cannot be written to, and to write it without pyarrow."""
    shown = shown_name(destination)
    if Path(destination).suffix == ".gz":
        raise InputError("Parquet is packed already", source=shown, hint="leave out .gz")
    if str(destination) == STDOUT and sys.stdout.isatty():
        raise InputError("Parquet is nothing to read in a terminal", source=shown, hint="name a file with -o")
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        raise InputError("Parquet needs pyarrow", source=shown, hint="pip install 'pmhc-distil[parquet]'") from error


def shown_name(destination: str | Path) -> str:
    """Give the name of a destination for messages."""
    return "standard output" if str(destination) == STDOUT else str(destination)
