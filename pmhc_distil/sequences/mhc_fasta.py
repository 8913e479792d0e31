"""FASTA records of MHC proteins, read strictly."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.text_files import read_text

_PROTEIN = frozenset("ABCDEFGHIKLMNOPQRSTUVWXYZ*")


@dataclass(frozen=True)
class Record:
    """One FASTA record: its 1-based number in the file, its title line and its upper-case sequence."""

    number: int
    title: str
    sequence: str

    @property
    def name(self) -> str:
        """The id: first word of the title."""
        return self.title.split()[0]


def records(path: Path) -> Iterator[Record]:
    """Read protein records from a FASTA file, plain or gzip'd.

    Parameters
    ----------
    path : Path
        File; Windows line ends, blank lines, lower case and a final ``*`` are accepted.

    Yields
    ------
    Record
        In the order of the file.

    Raises
    ------
    InputError
        For a file that is missing, empty, damaged or not FASTA, and for letters that are not residues.
    """
    source = str(path)
    number, title, parts = 0, "", list[str]()
    for line in read_text(path).splitlines():
        line = line.strip()
        if line.startswith(">"):
            if number:
                yield _record(source, number, title, parts)
            number, title, parts = number + 1, line[1:].strip(), []
        elif line and not number:
            raise InputError("text before the first '>' line", source, value=line, hint="a FASTA file is needed")
        else:
            parts.append(line)
    if not number:
        raise InputError("no FASTA records", source, hint="the file is empty")
    yield _record(source, number, title, parts)


def _record(source: str, number: int, title: str, parts: list[str]) -> Record:
    name = title.split()[0] if title else ""
    sequence = "".join("".join(parts).split()).upper().removesuffix("*")
    if not name:
        raise InputError("a record without an id", source, number)
    if not sequence:
        raise InputError("a record without a sequence", source, number, value=name)
    odd = sorted(set(sequence) - _PROTEIN)
    if odd:
        letters = ", ".join(f"'{letter}'" for letter in odd)
        raise InputError(f"letters that are no residues: {letters}", source, number, value=name)
    return Record(number, title, sequence)
