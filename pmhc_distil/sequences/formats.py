"""The formats of prediction tables: what a name or a wish means, and refusals before any work is done."""

import importlib
import sys
from collections.abc import Iterable
from pathlib import Path

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.files import check_destination, is_packed

PEER_FORMATS = ("mhcflurry", "netmhcpan", "bigmhc", "mhctools", "nf-core")
"""Tables as other tools write and read them; see :mod:`pmhc_distil.sequences.peer_formats`."""

PACKED_FORMATS = {"parquet": "pyarrow.parquet", "xlsx": "openpyxl"}
"""Formats that are no text, and what they are written with; the extra is called like the format."""

TABLE_FORMATS = ("csv", "tsv", "jsonl", *PACKED_FORMATS)
"""Formats for any table."""

FORMATS = (*TABLE_FORMATS, *PEER_FORMATS)

STDOUT = "-"
"""The name of standard output wherever a path is expected."""

_NETMHCPAN_COLUMNS = {"name", "protein", "position", "n_flank", "c_flank"}
"""Of a proteome, what its text holds or tells by the position."""

_SUFFIXES = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".xlsx": "xlsx",
}


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
        If the name says nothing and nothing is wanted, the path cannot be written, or what writes the format is not
        installed.
    """
    if Path(destination).is_dir():
        check_destination(destination)
    if wanted is not None and wanted not in FORMATS:
        raise InputError("unknown format", value=wanted, hint=f"formats are: {', '.join(FORMATS)}")
    to_stdout = str(destination) == STDOUT
    suffixes = [suffix for suffix in Path(destination).suffixes if suffix.lower() != ".gz"]
    found = wanted or ("csv" if to_stdout else _SUFFIXES.get(suffixes[-1].lower() if suffixes else ""))
    if found is None:
        hint = (
            f"end it in {', '.join(_SUFFIXES)} (and .gz), or give --format, where there is one, of {', '.join(FORMATS)}"
        )
        raise InputError("the name of the output does not tell its format", source=str(destination), hint=hint)
    if found in PACKED_FORMATS:
        _check_packed(destination, found)
    if not to_stdout:
        check_destination(destination)
    return found


def left_out(format: str, columns: Iterable[str]) -> list[str]:
    """Give those of the user's columns for which a format has no place."""
    return [name for name in columns if name not in _NETMHCPAN_COLUMNS] if format == "netmhcpan" else []


def _check_packed(destination: str | Path, format: str) -> None:
    """Refuse what a format that is no text cannot be written to, and to write it without its library."""
    shown, called = shown_name(destination), "Parquet" if format == "parquet" else "an Excel workbook"
    if is_packed(destination):
        raise InputError(f"{called} is packed already", source=shown, hint="leave out .gz")
    if str(destination) == STDOUT and sys.stdout.isatty():
        raise InputError(f"{called} is nothing to read in a terminal", source=shown, hint="name a file with -o")
    library = PACKED_FORMATS[format]
    try:
        importlib.import_module(library)
    except ImportError as error:
        needed = library.partition(".")[0]
        hint = f"pip install 'pmhc-distil[{format}]'"
        raise InputError(f"{called} needs {needed}", source=shown, hint=hint) from error


def shown_name(destination: str | Path) -> str:
    """Give the name of a destination for messages."""
    return "standard output" if str(destination) == STDOUT else str(destination)
