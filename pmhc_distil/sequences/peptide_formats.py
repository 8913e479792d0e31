"""FASTA, CSV, TSV and plain lists taken apart into columns of text.  Nothing here judges a peptide.

The format is told by content, never by the file name:

* the first line with content starts with ``>``: FASTA, one peptide a record;
* it has a tab, comma or semicolon, or is the name of a peptide column: a table with that header;
* otherwise: a plain list, one peptide a line.

Blank lines are skipped, as are lines that start with ``#`` in a list and before a header, and the line ``sep=;`` of a
spreadsheet.  Nothing else is: a table row whose peptide is empty and a FASTA record without a sequence are rows.  The
header itself may start with ``#``.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from io import TextIOWrapper
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.column_names import ALLELE_NAMES, PEPTIDE_NAMES, find_column, plain_name
from pmhc_distil.sequences.delimited import fields_of, read_header, read_parts
from pmhc_distil.sequences.residues import MAX_PEPTIDE_LENGTH, MIN_PEPTIDE_LENGTH, peptide_problem
from pmhc_distil.sequences.shards import Shard, cut_fasta, cut_lines, cut_table
from pmhc_distil.sequences.text_files import is_separator

_CHUNK = 2_000
_PROTEIN_LENGTH = 50
_LIKELY_PROTEIN_LENGTH = 30


Part = tuple[Sequence[Sequence[Any]], NDArray[np.int64]]
"""Cells of some rows, column by column, and the 1-based line, or FASTA record, of each row."""


@dataclass(frozen=True)
class Records:
    """An input, taken apart.

    Attributes
    ----------
    columns : tuple of str
        Header.
    parts : callable
        Reads the input from its beginning, some rows at a time; the rows stand as they do in the input.
    peptide : str
        Header of the peptide column.
    allele : str or None
        Header of the allele column.
    warnings : tuple of str
        What the user should know.
    integers : tuple of str
        Columns whose cells are whole numbers instead of text.
    """

    columns: tuple[str, ...]
    parts: Callable[[], Iterator[Part]]
    peptide: str = "peptide"
    allele: str | None = None
    warnings: tuple[str, ...] = ()
    integers: tuple[str, ...] = ()


def parse_records(
    stream: TextIOWrapper,
    source: str,
    peptide_column: str | None = None,
    allele_column: str | None = None,
    shard: Shard | None = None,
) -> Records:
    r"""Take an input apart.

    Parameters
    ----------
    stream : TextIOWrapper
        As :func:`~pmhc_distil.sequences.text_files.open_text` gives it; stays open as long as parts are read.
    source : str
        Its name, for messages.
    peptide_column, allele_column : str, optional
        As for :func:`pmhc_distil.sequences.readers.read_peptides`.
    shard : Shard, optional
        Which part of the input to read.

    Returns
    -------
    Records
        Every record, or those of the shard, in order.

    Raises
    ------
    InputError
        If the input is not what its first line promises; while parts are read, if later ones are not.
    """
    skipped, head, above = 0, "", ""
    for line in stream:
        if line.strip() and not line.startswith("#") and not is_separator(line):
            head = line.rstrip("\n")
            break
        skipped, above = skipped + 1, line.rstrip("\n")
    if not head:
        return Records(("peptide",), lambda: iter(()), warnings=(f"{source} holds no peptides",))
    if head.startswith(">"):
        _refuse_columns("a FASTA file", source, peptide_column, allele_column)
        piece, before = cut_fasta(stream, shard)
        return Records(("peptide", "name"), partial(_numbered, partial(_fasta, piece, source, shard is None), before))
    accepted = {*PEPTIDE_NAMES, plain_name(peptide_column or "")} - {""}
    delimiter = _delimiter(head, accepted)
    if delimiter:
        if above.startswith("#") and not _named(head, delimiter, accepted) and _named(above[1:], delimiter, accepted):
            skipped -= 1
        return _table(stream, source, skipped, delimiter, peptide_column, allele_column, shard)
    _refuse_columns("a plain list", source, peptide_column, allele_column)
    piece, before = cut_lines(stream, shard)
    return Records(("peptide",), partial(_numbered, partial(_plain_list, piece), before))


def _numbered(parts: Callable[[], Iterator[Part]], before: int) -> Iterator[Part]:
    """Count rows from the beginning of the input, where some have been left out before the first."""
    try:
        for cells, rows in parts():
            yield cells, rows + before
    except InputError as error:
        if error.row is not None:
            error.row += before
        raise


def _delimiter(head: str, accepted: set[str]) -> str | None:
    """Choose the delimiter under which the line has a peptide column, else the most fields; None for a plain list."""
    best, best_fields = None, 1
    for delimiter in "\t,;":
        if _named(head, delimiter, accepted):
            return delimiter
        if (count := len(fields_of(head, delimiter))) > best_fields:
            best, best_fields = delimiter, count
    return best


def _named(line: str, delimiter: str, accepted: set[str]) -> bool:
    """Tell whether a line names a column so."""
    return any(plain_name(field) in accepted for field in fields_of(line, delimiter))


def _refuse_columns(kind: str, source: str, *wanted: str | None) -> None:
    for name in filter(None, wanted):
        raise InputError(f"{kind} has no columns, but one was asked for", source=source, value=name)


def _fasta(stream: TextIO, source: str, whole: bool) -> Iterator[Part]:
    from Bio.SeqIO.FastaIO import SimpleFastaParser  # a quarter of a second that only FASTA should cost

    stream.seek(0)
    parser = SimpleFastaParser(stream)
    count, shortest = 0, _PROTEIN_LENGTH
    # The first record that could be a protein: its number, name and length.
    long: tuple[int, str, int] | None = None
    while records := list(itertools.islice(parser, _CHUNK)):
        names = [title.split(None, 1)[0] if title.strip() else "" for title, _ in records]
        sequences = [sequence for _, sequence in records]
        shortest = min(shortest, *map(len, sequences))
        for number, (name, sequence) in enumerate(zip(names, sequences, strict=True), count + 1):
            if len(sequence) > _PROTEIN_LENGTH:
                raise _protein(source, number, name, len(sequence))
            if long is None and len(sequence) > _LIKELY_PROTEIN_LENGTH:
                long = number, name, len(sequence)
        yield [sequences, names], np.arange(count + 1, count + len(records) + 1)
        count += len(records)
    if whole and long and shortest > MAX_PEPTIDE_LENGTH:
        raise _protein(source, *long)


def _protein(source: str, row: int, name: str, length: int) -> InputError:
    expected = f"{MIN_PEPTIDE_LENGTH} to {MAX_PEPTIDE_LENGTH} residues"
    return InputError(
        f"the record has {length} residues: this is a protein, and peptides of {expected} are expected",
        source=source,
        row=row,
        value=name,
        hint="`pmhc-distil scan` predicts the windows of proteins",
    )


def _plain_list(stream: TextIO) -> Iterator[Part]:
    stream.seek(0)
    lines = enumerate(stream, 1)
    while some := list(itertools.islice(lines, _CHUNK)):
        kept = [(number, text) for number, line in some if (text := line.strip()) and text[0] != "#"]
        if kept:
            rows, peptides = zip(*kept, strict=True)
            yield [peptides], np.array(rows, dtype=np.int64)


def _table(
    stream: TextIOWrapper,
    source: str,
    skipped: int,
    delimiter: str,
    peptide_column: str | None,
    allele_column: str | None,
    shard: Shard | None,
) -> Records:
    header, row = read_header(stream, source, skipped, delimiter)
    header[0] = header[0].removeprefix("#").strip()
    peptide = find_column(header, peptide_column, PEPTIDE_NAMES, source, row)
    allele = find_column(header, allele_column, ALLELE_NAMES, source, row)
    if peptide is None:
        raise InputError("no peptide column", source=source, row=row, hint=_missing_hint(header))
    if peptide == allele:
        raise InputError("the peptide and the allele column are the same", source=source, row=row, column=peptide)
    piece, before = cut_table(stream, shard, skipped, delimiter)
    parts = partial(_numbered, partial(read_parts, piece, source, skipped, delimiter, header), before)
    return Records(tuple(header), parts, peptide, allele)


def _missing_hint(header: list[str]) -> str:
    hint = f"columns are: {', '.join(header)}"
    if any(not peptide_problem(name) for name in header):
        return f"{hint}; that looks like a row of data, so add a header line such as peptide,allele"
    return f"{hint}; call it {PEPTIDE_NAMES[0]}, or choose one with --peptide-column of predict or report"
