"""FASTA, CSV, TSV and plain lists taken apart into columns of text.  Nothing here judges a peptide.

The format is told by content, never by the file name:

* the first line with content starts with ``>``: FASTA, one peptide a record;
* it has a tab, comma or semicolon, or is the name of a peptide column: a table with that header;
* otherwise: a plain list, one peptide a line.

Blank lines are skipped, as are lines that start with ``#`` in a list and before a header.  Nothing else is: a table row
whose peptide is empty and a FASTA record without a sequence are rows.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.delimited import read_columns, read_header
from pmhc_distil.sequences.residues import MAX_PEPTIDE_LENGTH, MIN_PEPTIDE_LENGTH, peptide_problem

PEPTIDE_NAMES = ("peptide", "peptides", "pep", "sequence", "seq", "epitope", "ligand", "peptidesequence", "epitopeseq")
"""Headers of a peptide column, in lower case without separators.

Only ``peptides`` spells a peptide that could be scored; as the first line of a list it is taken for the header.
"""

ALLELE_NAMES = ("allele", "alleles", "hla", "mhc", "hlaallele", "mhcallele", "hlatype")
"""Headers of an allele column, in lower case without separators."""

_PROTEIN_LENGTH = 50
_LIKELY_PROTEIN_LENGTH = 30


@dataclass(frozen=True)
class Records:
    """The text of an input, by column.

    Attributes
    ----------
    columns : dict of str to list of str
        Header to cells, all of one length, as they stand in the input.
    rows : ndarray of int, shape (N,)
        1-based line, or FASTA record, of each row.
    peptide : str
        Header of the peptide column.
    allele : str or None
        Header of the allele column.
    warnings : tuple of str
        What the user should know.
    """

    columns: dict[str, list[str]]
    rows: NDArray[np.int64]
    peptide: str = "peptide"
    allele: str | None = None
    warnings: tuple[str, ...] = ()


def parse_records(
    stream: TextIO, source: str, peptide_column: str | None = None, allele_column: str | None = None
) -> Records:
    r"""Take an input apart.

    Parameters
    ----------
    stream : TextIO
        Seekable text with ``\n`` line ends.
    source : str
        Its name, for messages.
    peptide_column, allele_column : str, optional
        As for :func:`pmhc_distil.sequences.readers.read_peptides`.

    Returns
    -------
    Records
        Every record, in order.

    Raises
    ------
    InputError
        If the input is not what its first line promises.
    """
    skipped, head = 0, ""
    for line in stream:
        if line.strip() and not line.startswith("#"):
            head = line.rstrip("\n")
            break
        skipped += 1
    if not head:
        return Records({"peptide": []}, np.empty(0, np.int64), warnings=(f"{source} holds no peptides",))
    if head.startswith(">"):
        _refuse_columns("a FASTA file", source, peptide_column, allele_column)
        return _fasta(stream, source)
    delimiter = _delimiter(head, peptide_column)
    if delimiter:
        return _table(stream, source, skipped, delimiter, peptide_column, allele_column)
    _refuse_columns("a plain list", source, peptide_column, allele_column)
    return _plain_list(stream)


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
    plain = {name: "".join(c for c in name.lower() if c not in " _-.") for name in header}
    for accepted in ((kind,), names):
        found = [name for name in header if plain[name] in accepted]
        if len(found) > 1:
            hint = f"choose one with --{kind}-column"
            text = ", ".join(found)
            raise InputError(f"more than one {kind} column", source=source, row=row, value=text, hint=hint)
        if found:
            return found[0]
    return None


def _delimiter(head: str, peptide_column: str | None) -> str | None:
    """Choose the delimiter under which the line has a peptide column, else the most fields; None for a plain list."""
    best, best_fields = None, 1
    accepted = {*PEPTIDE_NAMES, (peptide_column or "").strip().lower()} - {""}
    for delimiter in "\t,;":
        fields = next(csv.reader([head], delimiter=delimiter))
        if any(field.strip().lower() in accepted for field in fields):
            return delimiter
        if len(fields) > best_fields:
            best, best_fields = delimiter, len(fields)
    return best


def _refuse_columns(kind: str, source: str, *wanted: str | None) -> None:
    for name in filter(None, wanted):
        raise InputError(f"{kind} has no columns, but one was asked for", source=source, value=name)


def _fasta(stream: TextIO, source: str) -> Records:
    from Bio.SeqIO.FastaIO import SimpleFastaParser  # a quarter of a second that only FASTA should cost

    stream.seek(0)
    names, sequences = [], []
    for title, sequence in SimpleFastaParser(stream):
        names.append(title.split(None, 1)[0] if title.strip() else "")
        sequences.append(sequence)
    lengths = [len(sequence) for sequence in sequences]
    longest = max(lengths)
    limit = _LIKELY_PROTEIN_LENGTH if min(lengths) > MAX_PEPTIDE_LENGTH else _PROTEIN_LENGTH
    if longest > limit:
        row = next(i for i, length in enumerate(lengths) if length > limit)
        expected = f"{MIN_PEPTIDE_LENGTH} to {MAX_PEPTIDE_LENGTH} residues"
        raise InputError(
            f"the record has {lengths[row]} residues: this is a protein, and peptides of {expected} are expected",
            source=source,
            row=row + 1,
            value=names[row],
            hint=f"cut proteins into windows of {expected} first; a command that scans proteins is not there yet",
        )
    return Records({"peptide": sequences, "name": names}, np.arange(1, len(names) + 1))


def _plain_list(stream: TextIO) -> Records:
    stream.seek(0)
    peptides, rows = [], []
    for number, line in enumerate(stream, 1):
        text = line.strip()
        if text and text[0] != "#":
            peptides.append(text)
            rows.append(number)
    return Records({"peptide": peptides}, np.array(rows, dtype=np.int64))


def _table(
    stream: TextIO, source: str, skipped: int, delimiter: str, peptide_column: str | None, allele_column: str | None
) -> Records:
    header, row = read_header(stream, source, skipped, delimiter)
    peptide = find_column(header, peptide_column, PEPTIDE_NAMES, source, row)
    allele = find_column(header, allele_column, ALLELE_NAMES, source, row)
    if peptide is None:
        raise InputError("no peptide column", source=source, row=row, hint=_missing_hint(header))
    if peptide == allele:
        raise InputError("the peptide and the allele column are the same", source=source, row=row, column=peptide)
    columns, rows = read_columns(stream, source, skipped, delimiter, header)
    return Records(columns, rows, peptide, allele)


def _missing_hint(header: list[str]) -> str:
    hint = f"columns are: {', '.join(header)}"
    if any(not peptide_problem(name.upper()) for name in header):
        return f"{hint}; that looks like a row of data, so add a header line such as peptide,allele"
    return f"{hint}; choose one with --peptide-column"
