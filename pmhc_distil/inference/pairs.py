"""Peptides and alleles laid out as rows to score.  No torch here.

Three modes: pairs (the table has an allele for each peptide), a cross product (every peptide with every allele), and
genotypes (one for all peptides, or one in each row), which are laid out allele by allele and reduced to the best
allele of each peptide after scoring.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pmhc_distil.inference.request import resolve_request
from pmhc_distil.sequences.cells import taken
from pmhc_distil.sequences.residues import peptide_problem
from pmhc_distil.sequences.tables import GENOTYPE_COLUMNS, PREDICTION_NAMES, WEAK_BINDER_RANK, written_rank


@dataclass(frozen=True)
class Pairs:
    """Rows to score.

    Attributes
    ----------
    frame : DataFrame
        One row per pair, peptide-major: ``peptide``, ``allele`` (canonical, or as given where it is refused), ``note``,
        then the user's own columns.
    owner : ndarray of int, shape (M,)
        Number of the table's row that each row came from, rising.
    allele_index : ndarray of int, shape (M,)
        Place in `grooves` of each row's allele; -1 where the row cannot be scored, and then its ``note`` says why.
    grooves : list of str
        34 residues each.
    allele_names : list of str
        One per groove.
    warnings : tuple of str
        Of the alleles, one line each.
    """

    frame: pd.DataFrame
    owner: NDArray[np.intp]
    allele_index: NDArray[np.intp]
    grooves: list[str]
    allele_names: list[str]
    warnings: tuple[str, ...]


def make_pairs(
    table: pd.DataFrame,
    alleles: Sequence[str] | None = None,
    *,
    grooves: Mapping[str, str] | None = None,
    genotype: bool = False,
) -> Pairs:
    """Lay out one row per peptide and allele.

    Parameters
    ----------
    table, alleles, grooves, genotype
        As for :func:`~pmhc_distil.inference.request.resolve_request`.

    Returns
    -------
    Pairs
        ``len(table)`` rows for a table with an allele for each row, else a row for every peptide and allele, those of
        one peptide together.  A genotype is not reduced here.

    Raises
    ------
    InputError
        As :func:`~pmhc_distil.inference.request.resolve_request`.
    """
    request = resolve_request(table, alleles, grooves=grooves, genotype=genotype)
    if request.cross:
        n = len(request.allele_names)
        owner = np.repeat(np.arange(len(table)), n)
        index = np.tile(np.arange(n), len(table))
        names, allele_notes = taken(request.allele_names, index), taken(request.allele_notes, index)
        noted = any(request.allele_notes)
    else:
        counts = np.diff(request.starts)[request.codes]
        owner = np.repeat(np.arange(len(table)), counts)
        within = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
        entry = request.starts[request.codes][owner] + within
        index = request.spelling_index[entry]
        known = [
            request.allele_names[place] if place >= 0 else text
            for place, text in zip(request.spelling_index, request.spellings, strict=True)
        ]
        names, allele_notes = taken(known, entry), taken(request.spelling_notes, entry)
        noted = any(request.spelling_notes)
    frame = table.iloc[owner].reset_index(drop=True)
    bad = (frame["note"] != "").to_numpy()
    own = [name for name in table.columns if name not in ("peptide", "allele", "note")]
    if noted:
        of_peptide, of_allele = frame["note"].to_numpy(dtype=object), allele_notes.to_numpy(dtype=object)
        notes = np.where(bad, of_peptide, of_allele)
        both = bad & (of_allele != "") & (names != "").to_numpy()  # why there is no allele is told already
        notes[both] = of_peptide[both] + "; " + of_allele[both]
        frame["note"] = pd.Series(notes, dtype="str")
    frame["allele"] = names
    frame = frame[["peptide", "allele", "note", *own]]
    index = np.where(bad, -1, index)
    return Pairs(frame, owner, index, request.grooves, request.allele_names, request.warnings)


def best_rows(frame: pd.DataFrame, owner: np.ndarray) -> pd.DataFrame:
    """Keep the row of the lowest rank of every owner; one without any rank names no allele.

    Parameters
    ----------
    frame : DataFrame
        Predictions.
    owner : ndarray of int, shape (rows,)
        Numbers from 0, rising; the rows of one number are the alleles of one person.

    Returns
    -------
    DataFrame
        With :data:`~pmhc_distil.sequences.tables.GENOTYPE_COLUMNS` after our columns.
    """
    rank = frame["rank"].to_numpy()
    unscored = np.isnan(rank)
    order = np.lexsort((np.where(unscored, np.inf, rank), owner))
    best = order[np.flatnonzero(np.diff(owner[order], prepend=-1))]
    kept = frame.iloc[best].reset_index(drop=True)
    notes = kept["note"].to_numpy(dtype=object).copy()
    alleles, reasons = (frame[name].to_numpy(dtype=object) for name in ("allele", "note"))

    def told(row: int) -> str:
        return f"{alleles[row]}: {reasons[row]}" if alleles[row] else str(reasons[row])

    # An allele that cannot be scored must not be missed for another of the same person that can.
    for row in np.flatnonzero(unscored & ~unscored[best][owner]).tolist():
        notes[owner[row]] = "; ".join(filter(None, [notes[owner[row]], told(row)]))
    ends = np.searchsorted(owner, np.arange(len(kept) + 1))
    for number in np.flatnonzero(unscored[best]).tolist():
        if not peptide_problem(str(kept["peptide"].iat[number])):
            notes[number] = "; ".join(dict.fromkeys(map(told, range(ends[number], ends[number + 1]))))
    kept["note"] = pd.Series(notes, dtype="str")
    kept.loc[unscored[best], "allele"] = ""
    bound = np.bincount(owner[written_rank(rank) <= WEAK_BINDER_RANK], minlength=len(kept))
    (column,) = GENOTYPE_COLUMNS
    place = sum(name in PREDICTION_NAMES for name in kept.columns)
    kept.insert(place, column.name, pd.Series(bound, dtype="Int64"))
    kept.loc[unscored[best], column.name] = pd.NA
    return kept
