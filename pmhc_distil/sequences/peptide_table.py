"""Peptides as a table in which each is judged: one that cannot be scored keeps its row and says why in ``note``."""

import re
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.residues import MAX_PEPTIDE_LENGTH, MIN_PEPTIDE_LENGTH, RESIDUES, peptide_problem

NUCLEOTIDES = frozenset("ACGT")
"""Letters of DNA, each of which is a residue, too."""

_PEPTIDE = f"[{RESIDUES}]{{{MIN_PEPTIDE_LENGTH},{MAX_PEPTIDE_LENGTH}}}"
_SCORABLE = re.compile(_PEPTIDE).fullmatch
_ALL_SCORABLE = re.compile(f"(?:{_PEPTIDE}\n)*").fullmatch
_TOGETHER = 10_000
_UPPER = {ord(letter): letter.upper() for letter in "abcdefghijklmnopqrstuvwxyz"}


@dataclass(frozen=True)
class PeptideTable:
    """Validated peptides.

    Attributes
    ----------
    source : str
        Where they come from, for messages.
    frame : DataFrame
        One row per record: ``peptide`` (upper case), ``allele`` (as given, only where the input has alleles), ``note``
        (why the peptide cannot be scored, else empty), then the user's own columns, untouched.
    rows : ndarray of int, shape (N,)
        1-based line, or FASTA record, of each row in `source`.
    n_problems : int
        Rows whose peptide cannot be scored.
    allele_column : str or None
        What the allele column is called in the input; None where there is none.
    warnings : tuple of str
        What the user should know, one line each.
    renamed : mapping of str to str
        The user's own columns and what they are called in `frame`.
    """

    source: str
    frame: pd.DataFrame
    rows: NDArray[np.int64]
    n_problems: int
    allele_column: str | None = None
    warnings: tuple[str, ...] = ()
    renamed: Mapping[str, str] = field(default_factory=dict)

    @property
    def given(self) -> pd.DataFrame:
        """The peptides, their alleles if there are some, and the user's own columns under the names in the input."""
        judged = {name: self.frame[name] for name in ("peptide", "allele") if name in self.frame}
        return pd.DataFrame({**judged, **{old: self.frame[new] for old, new in self.renamed.items()}})


def make_table(
    columns: Mapping[str, Any],
    peptide: str,
    allele: str | None,
    renamed: Mapping[str, str],
    source: str,
    rows: NDArray[np.int64],
    *,
    strict: bool,
) -> PeptideTable:
    """Judge peptides and put them into a table.

    Parameters
    ----------
    columns : mapping
        Cells of every column by its name in the input: lists of str for text, else as they are.
    peptide : str
        Which of the columns holds the peptides.
    allele : str or None
        Which of the columns holds the alleles; None if none does.
    renamed : mapping
        The user's own columns and what they are to be called.
    source : str
        Where they come from.
    rows : ndarray of int, shape (N,)
        The line of each row.
    strict : bool
        Refuse a peptide that cannot be scored.

    Returns
    -------
    PeptideTable
        Without warnings.

    Raises
    ------
    InputError
        If `strict`, for the first peptide that cannot be scored.
    """
    peptides, notes = _judged(columns[peptide])
    n_problems = len(notes) - notes.count("")
    if strict and n_problems:
        i = next(i for i, note in enumerate(notes) if note)
        hint = "without --strict such rows are kept, without a score"
        raise InputError(notes[i], source, int(rows[i]), peptide, peptides[i] or None, hint)
    content: dict[str, Any] = {"peptide": _text_series(peptides)}
    if allele is not None:
        content["allele"] = allele_cells(columns[allele])
    content["note"] = _text_series(notes)
    for old, new in renamed.items():
        content[new] = _text_series(columns[old]) if isinstance(columns[old], list) else columns[old]
    return PeptideTable(source, pd.DataFrame(content), rows, n_problems, allele, renamed=renamed)


def allele_cells(cells: Iterable[str]) -> pd.Series:
    """Give the cells of the allele column as a table has them."""
    return _text_series([text.strip() for text in cells])


def scorable_letters(table: PeptideTable) -> set[str]:
    """Give the residues of all peptides that can be scored."""
    scorable = table.frame["note"].to_numpy(dtype=object) == ""
    return set().union(*table.frame["peptide"].to_numpy(dtype=object)[scorable])


def table_warnings(renamed: Mapping[str, str], letters: Set[str], source: str) -> tuple[str, ...]:
    """Warn of renamed columns and, by the letters of all scorable peptides, of nucleotides."""
    warnings = [
        f"{source}: column '{old}' is written as '{new}', because the predictions have a column '{old}'"
        for old, new in renamed.items()
        if old != new
    ]
    if letters and letters <= NUCLEOTIDES:
        warnings.append(f"{source}: all peptides consist of A, C, G and T only; are they nucleotides?")
    return tuple(warnings)


def _judged(cells: Sequence[str]) -> tuple[list[str], list[str]]:
    """Give peptides in upper case, and why each cannot be scored, else ``""``."""
    peptides: list[str] = []
    notes: list[str] = []
    for start in range(0, len(cells), _TOGETHER):
        for all_of_them, some in zip(
            (peptides, notes), _judged_together(cells[start : start + _TOGETHER]), strict=True
        ):
            all_of_them += some
    return peptides, notes


def _judged_together(cells: Sequence[str]) -> tuple[list[str], list[str]]:
    lines = "".join([f"{text}\n" for text in cells])
    if lines.isascii() and _ALL_SCORABLE(lines := lines.upper()):
        peptides = lines.split("\n")[:-1]
        if len(peptides) == len(cells):
            return peptides, [""] * len(cells)
    peptides = _upper(cells)
    return peptides, ["" if _SCORABLE(text) else peptide_problem(text) for text in peptides]


def _upper(peptides: Sequence[str]) -> list[str]:
    """Strip and raise a-z only: other scripts have letters whose upper case is two residues."""
    if all(map(str.isascii, peptides)):
        return [text.strip().upper() for text in peptides]
    return [text.strip().translate(_UPPER) for text in peptides]


def _text_series(texts: list[str]) -> pd.Series:
    try:
        return pd.Series(texts, dtype="str")
    except UnicodeEncodeError:  # bytes of a command line that are no UTF-8, and pandas found pyarrow to hold texts
        return pd.Series([text.encode(errors="replace").decode() for text in texts], dtype="str")
