"""Peptides and alleles laid out as rows to score.  No torch here.

Three modes: pairs (the table has an allele for each peptide), a cross product (every peptide with every allele), and a
genotype, which is laid out as a cross product and reduced to the best allele of each peptide after scoring.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pmhc_distil.inference.request import resolve_request


@dataclass(frozen=True)
class Pairs:
    """Rows to score.

    Attributes
    ----------
    frame : DataFrame
        One row per pair, peptide-major: ``peptide``, ``allele`` (canonical, or as given where it is refused), ``note``,
        then the user's own columns.
    allele_index : ndarray of int, shape (M,)
        Place in `grooves` of each row's allele; -1 where the row cannot be scored, and then its ``note`` says why.
    grooves : list of str
        34 residues each.
    allele_names : list of str
        One per groove.
    warnings : tuple of str
        One line for each allele to mind or refused.
    """

    frame: pd.DataFrame
    allele_index: NDArray[np.intp]
    grooves: list[str]
    allele_names: list[str]
    warnings: tuple[str, ...] = ()


def make_pairs(
    table: pd.DataFrame,
    alleles: Sequence[str] | None = None,
    *,
    grooves: Mapping[str, str] | None = None,
    genotype: bool = False,
    strict: bool = False,
    source: str | None = None,
    rows: NDArray[np.int64] | None = None,
    column: str = "allele",
) -> Pairs:
    """Lay out one row per peptide and allele.

    Parameters
    ----------
    table, alleles, grooves, genotype, strict, source, rows, column
        As for :func:`~pmhc_distil.inference.request.resolve_request`.

    Returns
    -------
    Pairs
        ``len(table)`` rows for a table with alleles, else ``len(table)`` times the number of alleles, those of one
        peptide together.  A genotype is not reduced here.

    Raises
    ------
    InputError
        As :func:`~pmhc_distil.inference.request.resolve_request`.
    """
    request = resolve_request(
        table, alleles, grooves=grooves, genotype=genotype, strict=strict, source=source, rows=rows, column=column
    )
    peptide_notes = table["note"].to_numpy(dtype=object)
    if request.cross:
        n = len(request.allele_names)
        take = np.repeat(np.arange(len(table)), n)
        index = np.tile(np.arange(n), len(table))
        names = np.array(request.allele_names, dtype=object)[index]
        allele_notes = np.array(request.allele_notes, dtype=object)[index]
        frame = table.iloc[take].reset_index(drop=True)
        peptide_notes = peptide_notes[take]
    else:
        index = request.spelling_index[request.codes]
        known = [
            request.allele_names[place] if place >= 0 else text
            for place, text in zip(request.spelling_index, request.spellings, strict=True)
        ]
        names = np.array(known, dtype=object)[request.codes]
        allele_notes = np.array(request.spelling_notes, dtype=object)[request.codes]
        frame = table.reset_index(drop=True)
    bad = peptide_notes != ""
    own = [name for name in table.columns if name not in ("peptide", "allele", "note")]
    notes = np.where(bad, peptide_notes, allele_notes)
    both = bad & (allele_notes != "")
    notes[both] = peptide_notes[both] + "; " + allele_notes[both]
    frame = frame.assign(allele=pd.Series(names, dtype="str"), note=pd.Series(notes, dtype="str"))
    frame = frame[["peptide", "allele", "note", *own]]
    index = np.where(bad, -1, index)
    return Pairs(frame, index, request.grooves, request.allele_names, request.warnings)
