"""Columns of a user's table, found by their usual names."""

from collections.abc import Iterable, Sequence

from pmhc_distil.errors import InputError

PEPTIDE_NAMES = (
    "peptide",
    "peptides",
    "pep",
    "sequence",
    "seq",
    "epitope",
    "ligand",
    "peptidesequence",
    "epitopeseq",
    "mtepitopeseq",
)
"""Headers of a peptide column, in lower case without separators.

Only ``peptides`` spells a peptide that could be scored; as the first line of a list it is taken for the header.
"""

ALLELE_NAMES = ("allele", "alleles", "hla", "mhc", "hlaallele", "mhcallele", "hlatype", "bestallele")
"""Headers of an allele column, in lower case without separators."""

SAMPLE_NAMES = ("sample", "samplename", "sampleid", "donor", "patient", "subject")
"""Headers of a column of samples, in lower case without separators."""


def plain_name(column: str) -> str:
    """Give a column's name in lower case without blanks and ``_-.``."""
    return "".join(letter for letter in column.lower() if letter not in " _-.")


def recognised(header: Iterable[str], names: Sequence[str]) -> list[str]:
    """Give the columns that have one of some names.

    Parameters
    ----------
    header : iterable of str
        The columns there are.
    names : sequence of str
        As :func:`plain_name` gives them.  The first wins over the others.

    Returns
    -------
    list of str
        As written in the header; several are ambiguous.
    """
    plain = {column: plain_name(column) for column in header}
    for accepted in (names[:1], names):
        if found := [column for column, name in plain.items() if name in accepted]:
            return found
    return []


def find_column(
    header: Sequence[str], wanted: str | None, names: tuple[str, ...], source: str, row: int | None = None
) -> str | None:
    """Find the peptide or the allele column.

    Parameters
    ----------
    header : sequence of str
        The columns there are.
    wanted : str, optional
        The column asked for; ``""`` for none.
    names : tuple of str
        Recognised names without case and separators.  The first wins over the others; two others are ambiguous.
    source, row : optional
        For messages.

    Returns
    -------
    str or None
        The column as written in the header; None if there is none and none was asked for.

    Raises
    ------
    InputError
        If the column asked for is missing, or several are recognised and none was asked for.
    """
    kind = names[0]
    listed = f"columns are: {', '.join(header)}"
    if wanted == "":
        return None
    if wanted is not None:
        for found in (
            [name for name in header if name == wanted.strip()],
            [name for name in header if name.lower() == wanted.strip().lower()],
        ):
            if len(found) == 1:
                return found[0]
        raise InputError(f"no {kind} column of this name", source=source, row=row, value=wanted, hint=listed)
    found = recognised(header, names)
    if len(found) > 1:
        hint = f"call it {kind}, or choose one with --{kind}-column of predict or report"
        raise InputError(f"more than one {kind} column", source=source, row=row, value=", ".join(found), hint=hint)
    return found[0] if found else None
