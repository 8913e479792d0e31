"""The formats of prediction tables: what a name or a wish means, and refusals before any work is done."""

from pathlib import Path

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.files import check_destination

FORMATS = ("csv", "tsv", "jsonl")

STDOUT = "-"
"""The name of standard output wherever a path is expected."""

_SUFFIXES = {".csv": "csv", ".tsv": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl"}


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
        If the name says nothing and nothing is wanted, or the path cannot be written.
    """
    listed = ", ".join(FORMATS)
    if wanted is not None and wanted not in FORMATS:
        raise InputError("unknown format", value=wanted, hint=f"formats are: {listed}")
    if str(destination) == STDOUT:
        return wanted or "csv"
    suffixes = [suffix for suffix in Path(destination).suffixes if suffix != ".gz"]
    found = wanted or _SUFFIXES.get(suffixes[-1].lower() if suffixes else "")
    if found is None:
        hint = f"end the name in {', '.join(_SUFFIXES)} (and .gz), or give --format with one of {listed}"
        raise InputError("the name of the output does not tell its format", source=str(destination), hint=hint)
    check_destination(destination)
    return found


def shown_name(destination: str | Path) -> str:
    """Give the name of a destination for messages."""
    return "standard output" if str(destination) == STDOUT else str(destination)
