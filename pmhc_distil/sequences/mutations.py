"""Changes of proteins: ``G12D``, ``p.Gly12Asp``, in-frame deletions, insertions and duplications, and what they make.

The nomenclature is that of HGVS, with one or three letters a residue.  A change that has no peptides of its own to
predict (a frameshift, a stop) says why.
"""

import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TextIO

import pandas as pd
from Bio.Data.IUPACData import protein_letters_3to1

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.residues import RESIDUES
from pmhc_distil.sequences.small_tables import read_small_table, require_columns

_ONE_OF_THREE = {**protein_letters_3to1, "Ter": "*", "Xaa": "X", "Sec": "U"}
_NAME = rf"(?:{'|'.join(_ONE_OF_THREE)}|[A-Z*])"
_SUBSTITUTION = re.compile(rf"({_NAME})(\d+)({_NAME}|=|\?)")
_RANGE = re.compile(rf"({_NAME})(\d+)(?:_({_NAME})(\d+))?(delins|del|dup|ins)((?:{_NAME})*)")
_FRAMESHIFT = re.compile(rf"({_NAME})(\d+)(?:{_NAME})?fs.*")
FRAMESHIFT = "a frameshift: the protein after it depends on the transcript, which is not read here"
_STOP = "a stop: it makes no new peptide"
_STOP_AFTER = "a stop after new residues, which is not read here"
START_OR_END = "a change of the start or the end of the protein, which is not read here"
_SILENT = "the protein does not change"
_EXAMPLE = "write a change such as G12D, p.Gly12Asp or E746_A750del"


@dataclass(frozen=True)
class Change:
    """Residues of a protein that are replaced by others.

    Attributes
    ----------
    start, end : int
        First and last residue that is replaced, from 1; for an insertion `end` is the one before `start`.
    expected : tuple of (int, str)
        Positions and the residues, one or more from there, that the wild type must have.
    inserted : str
        What takes their place.
    copies : bool
        Whether what is inserted is what stands at `start` to `end` itself, which stays (a duplication).
    length : int, optional
        Residues that the wild type must have.
    """

    start: int
    end: int
    expected: tuple[tuple[int, str], ...]
    inserted: str = ""
    copies: bool = False
    length: int | None = None


@dataclass(frozen=True)
class Mutation:
    """A change of a protein as a user gave it.

    Attributes
    ----------
    names : tuple of str
        Names of the protein, the one to try first in front.
    text : str
        The change as it was written.
    change : Change or None
        None where it cannot be used.
    reason : str
        Why not; else empty.
    variant : str
        What this is one of several readings of; empty if it is the only one.
    own_names : int
        How many of the names, from the first, are of this very protein; the others are of its gene.
    own : mapping
        What else the user's table says of it, by column.
    """

    names: tuple[str, ...]
    text: str
    change: Change | None
    reason: str = ""
    variant: str = ""
    own_names: int = 0
    own: Mapping[Hashable, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Mutant:
    """A protein with a change.

    Attributes
    ----------
    sequence : str
    start, stop : int
        The new residues are ``sequence[start:stop]``; where residues were only taken out, both are the place.
    shift : int
        By how many residues what follows has moved; 0 where each residue has one of the wild type.
    """

    sequence: str
    start: int
    stop: int
    shift: int


def read_change(text: str) -> Change:
    """Read a change of a protein.

    Parameters
    ----------
    text : str
        In HGVS, with letters of one or of three, with ``p.`` or without: ``G12D``, ``p.Glu746_Ala750del``.

    Raises
    ------
    InputError
        If it is none, or one that makes no peptide that can be told from the protein alone.
    """
    plain = text.strip().removeprefix("p.").strip("()").replace("[", "").replace("]", "")
    if re.fullmatch(r"[a-z]\d+[a-z]", plain):
        plain = plain.upper()
    if match := _SUBSTITUTION.fullmatch(plain):
        old, place, new = _one(match[1]), int(match[2]), _one(match[3])
        for reason, made in ((_SILENT, ("=", old)), (_STOP, ("*",)), (START_OR_END, ("?",))):
            if new in made:
                raise InputError(reason, value=text)
        if old == "*" or (old, place) == ("M", 1):
            raise InputError(START_OR_END, value=text)
        return _checked(Change(place, place, ((place, old),), new), text)
    if match := _RANGE.fullmatch(plain):
        first, kind, inserted = int(match[2]), match[5], _letters(match[6])
        last = int(match[4]) if match[4] else first
        expected = ((first, _one(match[1])), *([(last, _one(match[3]))] if match[3] else []))
        if kind in ("del", "delins") and expected[0] == (1, "M"):
            raise InputError(START_OR_END, value=text)
        if (
            last < first
            or (kind == "ins" and (last != first + 1 or not inserted))
            or (kind == "delins") > bool(inserted)
        ):
            raise InputError("not a change of a protein", value=text, hint=_EXAMPLE)
        if kind == "ins":
            return _checked(Change(last, first, expected, inserted), text)
        if kind == "delins":
            return _checked(Change(first, last, expected, inserted), text)
        return Change(first, last, expected, copies=kind == "dup")
    if _FRAMESHIFT.fullmatch(plain):
        raise InputError(FRAMESHIFT, value=text)
    if "ext" in plain or plain in ("0", "0?", "?", "Met1?"):
        raise InputError(START_OR_END, value=text)
    if plain in ("=", "(=)"):
        raise InputError(_SILENT, value=text)
    raise InputError("not a change of a protein", value=text, hint=_EXAMPLE)


def mutation(names: Sequence[str], text: str, variant: str = "") -> Mutation:
    """Read a change, and keep the reason where it cannot be used."""
    try:
        return Mutation(tuple(names), text, read_change(text), variant=variant)
    except InputError as error:
        reason = error.reason + (f" ({error.hint})" if error.hint else "")
        return Mutation(tuple(names), text, None, reason, variant)


def named_mutations(texts: Sequence[str], source: str = "--mutation") -> list[Mutation]:
    """Read mutations such as ``KRAS:G12D``.

    Parameters
    ----------
    texts : sequence of str
    source : str
        What to call them in messages.

    Raises
    ------
    InputError
        If one has no protein or no change.
    """
    found = []
    for text in texts:
        protein, colon, change = text.strip().rpartition(":")
        if not colon or not protein.strip() or not change.strip():
            raise InputError("no protein and change", source=source, value=text, hint="for example KRAS:G12D")
        found.append(mutation((protein.strip(),), change.strip()))
    return found


def read_mutations(path: str | Path, stream: TextIO | None = None) -> list[Mutation]:
    """Read a table with the columns ``protein`` and ``mutation``, and others of the user's own.

    Parameters
    ----------
    path : str or Path
    stream : TextIO, optional
        The file, if it is open already.

    Raises
    ------
    InputError
        If the file cannot be read or has no such columns.
    """
    columns = {
        "protein": ("protein", "hugosymbol", "symbol", "gene", "name"),
        "mutation": ("mutation", "change", "hgvspshort", "hgvsp", "variant"),
    }
    table, _ = read_small_table(path, columns, stream=stream, others=True)
    return mutations_from(table)


def mutations_from(table: pd.DataFrame) -> list[Mutation]:
    """Read the same from a DataFrame.

    Parameters
    ----------
    table : DataFrame
        ``protein``, ``mutation`` and perhaps others.

    Raises
    ------
    InputError
        If it has no such columns.
    """
    require_columns(table, ("protein", "mutation"), "mutations")
    found = []
    others = table.drop(columns=["protein", "mutation"]).astype(object).to_dict("records")
    for protein, text, own_cells in zip(table["protein"], table["mutation"], others, strict=True):
        # As VEP writes it, after the protein that it is counted in, or as in a list without columns.
        own, _, change = str(text).rpartition(":") if ":p." in str(text) else ("", "", str(text))
        change = change.removeprefix(f"{protein}:")
        found.append(replace(mutation((*filter(None, [own]), str(protein)), change), own=own_cells))
    return found


def mutate(sequence: str, change: Change) -> Mutant:
    """Apply a change to a protein.

    Parameters
    ----------
    sequence : str
    change : Change

    Raises
    ------
    InputError
        If the protein has other residues there, or none.
    """
    residues_there = len(sequence.rstrip("*"))
    if change.length not in (None, residues_there):
        reason = f"the protein has {residues_there} residues, the annotated one {change.length}: another isoform"
        raise InputError(reason)
    if change.start < 1:
        raise InputError("positions are counted from 1")
    for place, residues in change.expected:
        there = sequence[place - 1 : place - 1 + len(residues)] if place > 0 else ""
        if len(there) < len(residues):
            raise InputError(f"the protein has {len(sequence)} residues, so none at {place + len(residues) - 1}")
        if there != residues:
            raise InputError(f"the protein has {there} at {place}, not {residues}")
    if change.end > len(sequence):
        raise InputError(f"the protein has {len(sequence)} residues, so none at {change.end}")
    if change.copies:
        copied = sequence[change.start - 1 : change.end]
        change = replace(change, start=change.end + 1, inserted=copied)
    old, new, start = sequence[change.start - 1 : change.end], change.inserted, change.start - 1
    while old and new and old[0] == new[0]:
        old, new, start = old[1:], new[1:], start + 1
    while old and new and old[-1] == new[-1]:
        old, new = old[:-1], new[:-1]
    if not old and not new:
        raise InputError(_SILENT)
    made = sequence[:start] + new + sequence[start + len(old) :]
    return Mutant(made, start, start + len(new), len(new) - len(old))


def _checked(change: Change, text: str) -> Change:
    if "*" in change.inserted:
        raise InputError(_STOP if change.inserted.startswith("*") else _STOP_AFTER, value=text)
    if odd := set(change.inserted) - set(RESIDUES):
        raise InputError(f"non-standard residue '{min(odd)}' in the change", value=text)
    return change


def _one(name: str) -> str:
    return _ONE_OF_THREE.get(name, name)


def _letters(text: str) -> str:
    return "".join(_one(name) for name in re.findall(_NAME, text))
