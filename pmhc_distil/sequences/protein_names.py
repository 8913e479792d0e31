"""Proteins of a FASTA by any of their names: accession, entry, gene, transcript, with or without a version."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.proteins import read_titled_proteins

_GENE = re.compile(r"(?:GN=|gene_symbol:|gene_name=|gene=|gene:|transcript:)([^\s\];]+)")
_VERSION = re.compile(r"\.\d+$")


class NamedProteins:
    """Proteins that are found by name.

    Parameters
    ----------
    proteins : iterable of (str, str)
        Title of the FASTA record (or just a name) and upper-case sequence of each.
    source : str
        Where they come from, for messages.
    """

    def __init__(self, proteins: Iterable[tuple[str, str]], source: str = "proteins") -> None:
        self.source = source
        self.sequences: dict[str, str] = {}
        self._ids: dict[str, str] = {}
        self._aliases: dict[str, list[str]] = {}
        for number, (title, sequence) in enumerate(proteins, 1):
            name = title.split(maxsplit=1)[0] if title.strip() else ""
            if name in self.sequences:
                hint = "give every protein a name of its own"
                raise InputError("two proteins have the same name", source, number, value=name, hint=hint)
            self.sequences[name] = sequence
            others = {*name.split("|"), *_GENE.findall(title)} - {"", "sp", "tr"}
            for alias in {name, *others, *(_VERSION.sub("", one) for one in (name, *others))}:
                self._aliases.setdefault(alias, []).append(name)

    @classmethod
    def read(cls, path: str | Path) -> "NamedProteins":
        """Read a FASTA file, plain or gzip.

        Raises
        ------
        InputError
            If the file cannot be read, is no FASTA, or two records have the same id.
        """
        return cls(read_titled_proteins(path), str(path))

    def find(self, names: Sequence[str]) -> str:
        """Give the id of the protein that is meant by the first of the names that any protein has.

        Raises
        ------
        InputError
            If none has any of them, or several have that name.
        """
        for name in names:
            found = [name] if name in self.sequences else self._aliases.get(name)
            found = found or self._aliases.get(_VERSION.sub("", name))
            if found and len(found) == 1:
                return found[0]
            if found:
                listed = ", ".join(found[:3]) + (", ..." if len(found) > 3 else "")
                raise InputError(f"{len(found)} proteins are called {name}: {listed}", hint="give the id of one")
        called = " or ".join(filter(None, names))
        raise InputError(f"no protein called {called} in {self.source}" if called else "no protein is named")

    def id_of(self, names: Sequence[str], default: str) -> str:
        """Give the same, or the default where no one protein is meant."""
        try:
            return self.find(names)
        except InputError:
            return default
