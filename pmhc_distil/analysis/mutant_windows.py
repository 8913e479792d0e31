"""The peptides over a change of a protein, each beside the one of the wild type that it is compared with."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from typing import Any

import pandas as pd

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.mutations import Mutant, Mutation, mutate
from pmhc_distil.sequences.protein_names import NamedProteins

_UNCHECKED = "an insertion in a protein of that gene, which nothing tells to be the annotated one"
WINDOW_COLUMNS = ["peptide", "note", "protein", "mutation", "position", "wild_type_peptide", "changed"]
MUTATION_INDEX = "_mutation"
"""The column with the number of the mutation, from 0, that a window is of."""


def mutant_windows(proteins: NamedProteins, mutations: Iterable[Mutation], lengths: Sequence[int]) -> pd.DataFrame:
    """Give the peptides over each change and those of the wild type.

    Of several readings of one variant, those that make the same change of the same protein are told once, and those
    that cannot be used only if none can.  A mutation that makes no peptide has one row, whose ``note`` says why.

    Parameters
    ----------
    proteins : NamedProteins
    mutations : iterable of Mutation
    lengths : sequence of int
        Of the peptides.

    Returns
    -------
    DataFrame
        :data:`WINDOW_COLUMNS` and :data:`MUTATION_INDEX`.
    """
    rows: list[list[Any]] = []
    told: set[tuple[str, str, str]] = set()
    usable: set[str] = set()
    refused: dict[str, tuple[int, list[Any]]] = {}
    for number, one in enumerate(mutations):
        protein = one.names[0] if one.names else ""
        try:
            if one.change is None:
                protein = proteins.id_of(one.names, protein)
                raise InputError(one.reason)
            protein = proteins.find(one.names)
            nothing_to_compare = not one.change.expected and one.change.length is None
            if nothing_to_compare and proteins.id_of(one.names[: one.own_names], "") != protein:
                raise InputError(_UNCHECKED, hint="annotate with vep --hgvs, or --total_length")
            mutant = mutate(proteins.sequences[protein], one.change)
        except InputError as error:
            reason = error.reason + (f" ({error.hint})" if error.hint else "")
            row = ["", reason, protein, one.text, pd.NA, "", "", number]
            if not one.variant:
                rows.append(row)
            elif one.variant not in refused:
                refused[one.variant] = (len(rows), row)
            continue
        usable.add(one.variant)
        if one.variant and (one.variant, protein, mutant.sequence) in told:
            continue
        told.add((one.variant, protein, mutant.sequence))
        own = [
            [text, "", protein, one.text, *cells, number]
            for text, *cells in _windows(proteins.sequences[protein], mutant, lengths)
        ]
        rows += own or [
            ["", "no peptide of these lengths is over the change", protein, one.text, pd.NA, "", "", number]
        ]
    for place, row in reversed(sorted((r for v, r in refused.items() if v not in usable), key=lambda r: r[0])):
        rows.insert(place, row)
    frame = pd.DataFrame(rows, columns=[*WINDOW_COLUMNS, MUTATION_INDEX])
    return frame.astype(dict.fromkeys(WINDOW_COLUMNS, "str") | {"position": "Int64", MUTATION_INDEX: "int64"})


def told_of_neighbours(proteins: NamedProteins, mutations: Iterable[Mutation], lengths: Sequence[int]) -> str:
    """Tell of changes of one protein that one peptide could hold together, as each is made alone.

    Parameters
    ----------
    proteins, mutations, lengths
        As for :func:`mutant_windows`.

    Returns
    -------
    str
        Empty if there are none.
    """
    spans: dict[str, set[tuple[int, int, str]]] = {}
    for one in mutations:
        if one.change is not None:
            ends = one.change.start, one.change.end
            protein = proteins.id_of(one.names, one.names[0] if one.names else "")
            spans.setdefault(protein, set()).add((min(ends), max(ends), one.text))
    pairs = [
        f"{text} and {other} of {protein}"
        for protein, of_protein in spans.items()
        for (_, end, text), (start, _, other) in combinations(sorted(of_protein), 2)
        if 0 < start - end < max(lengths)
    ]
    if not pairs:
        return ""
    others = f" (and {len(pairs) - 1:,} more pairs)" if len(pairs) > 1 else ""
    hint = "where both are on one chromosome, give them as one, such as G12_G13delinsDD"
    return f"{pairs[0]}{others} lie within one peptide, and each change is made alone: {hint}"


def _windows(wild: str, mutant: Mutant, lengths: Sequence[int]) -> Iterator[tuple[str, int, str, str]]:
    """Give peptide, position, wild-type peptide and changed positions of every window over the change."""
    text, start, stop = mutant.sequence, mutant.start, mutant.stop
    lengths = sorted(set(lengths))
    for begin in range(max(0, start - max(lengths) + 1), stop):
        for length in lengths:
            end = begin + length
            # It has a new residue, or the residues on both sides of what was taken out.
            peptide = text[begin:end]
            same = peptide in wild if mutant.shift else peptide == wild[begin:end]
            if start < end <= len(text) and not same:
                before = wild[begin:end] if not mutant.shift else _most_similar(peptide, wild, start, mutant.shift)
                pairs = enumerate(zip(peptide, before, strict=False), 1)
                yield peptide, begin + 1, before, ",".join(str(place) for place, (a, b) in pairs if a != b)


def _most_similar(peptide: str, wild: str, start: int, shift: int) -> str:
    """Give the wild-type window of the same length around a change that differs least, the first of equals.

    What follows the change stands ``-shift`` residues later in the wild type.
    """
    length = len(peptide)
    places = range(max(0, start - length), min(len(wild) - length, start + max(0, -shift) + length) + 1)
    windows = [wild[place : place + length] for place in places]
    return min(windows, key=lambda text: sum(a != b for a, b in zip(text, peptide, strict=True)), default="")
