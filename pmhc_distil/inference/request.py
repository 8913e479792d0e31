"""Which alleles a request means, and whether it can be answered.  No torch here.

Alleles are resolved once per distinct spelling, before a model is loaded.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.groove_table import GROOVE_LENGTH
from pmhc_distil.sequences.hla import resolve_allele
from pmhc_distil.sequences.residues import RESIDUES
from pmhc_distil.sequences.samples import genotype_warnings, split_alleles

_ALLELE = "A*02:01"
_LEFT_OUT = "null allele, not expressed at the cell surface: left out of the genotype"


@dataclass(frozen=True)
class Request:
    """The alleles of a request.

    Attributes
    ----------
    allele_names : list of str
        Distinct alleles by canonical name or, for a sequence-defined one, by id.
    grooves : list of str
        34 residues each, one per allele.
    cross : bool
        Whether every peptide meets every allele; otherwise each row has an allele of its own.
    codes : ndarray of int, shape (N,)
        Without `cross`, which distinct cell of the allele column each row has, in the order of their first row.  Empty
        with `cross`.
    cells : list of str
        These distinct cells.
    starts : ndarray of int, shape (cells + 1,)
        Where the alleles of each distinct cell begin in `spellings`; a cell has several only in a genotype.
    spellings : list of str
        Allele texts of the distinct cells.  With `cross` one for each of `allele_names`, the one that its note is of.
    spelling_index : ndarray of int, shape (len(spellings),)
        Place in `grooves`; -1 where the text names no allele that can be scored, or in a genotype a null allele.
    spelling_notes : list of str
        Why it cannot be scored, or what to mind; else empty.
    allele_notes : list of str
        What to mind about each of `allele_names`; else empty.
    warnings : tuple of str
        One line for each allele to mind or refused.
    """

    allele_names: list[str]
    grooves: list[str]
    cross: bool
    codes: NDArray[np.intp]
    cells: list[str]
    starts: NDArray[np.intp]
    spellings: list[str]
    spelling_index: NDArray[np.intp]
    spelling_notes: list[str]
    allele_notes: list[str]
    warnings: tuple[str, ...]

    @property
    def most_per_row(self) -> int:
        """How many alleles a row meets at most, and at least 1."""
        return max(1, len(self.allele_names) if self.cross else int(np.diff(self.starts).max(initial=1)))

    def places_of_cells(self) -> dict[str, NDArray[np.intp]]:
        """Give the places in `grooves` of the alleles of each distinct cell that can be scored."""
        ends = zip(self.cells, self.starts[:-1], self.starts[1:], strict=True)
        places = ((cell, self.spelling_index[start:stop]) for cell, start, stop in ends)
        return {cell: own[own >= 0] for cell, own in places}


class _Alleles:
    """Distinct alleles in the order in which they were first asked for.

    Those of a person are asked for as what presents peptides: null alleles are none of them.
    """

    def __init__(self, own: Mapping[str, str], *, of_person: bool) -> None:
        self.own = own
        self.of_person = of_person
        self.names: list[str] = []
        self.grooves: list[str] = []
        self.notes: list[str] = []
        self.spellings: list[str] = []
        self.warnings: list[str] = []
        self._places: dict[str, int] = {}

    def place(self, text: str, source: str | None, row: int | None, column: str | None) -> tuple[int, bool, str]:
        """Return the place of the allele that a text names, whether it is new, and what to mind about this spelling.

        The place is -1 for a null allele of a person.
        """
        name, groove, warning = text, self.own.get(text), ""
        if groove is None:
            if not text:
                raise InputError("empty allele", source=source, row=row, column=column)
            allele = resolve_allele(text, source=source, row=row, column=column)
            name, groove, warning = allele.name, allele.groove, allele.warning
            if name in self.own and self.own[name] != groove:
                raise InputError("the name means two sequences", source=source, row=row, column=column, value=text)
            if allele.null and self.of_person:
                if (told := f"{text}: {_LEFT_OUT}") not in self.warnings:
                    self.warnings.append(told)
                return -1, False, _LEFT_OUT
        if name in self._places:
            place = self._places[name]
            if warning and (told := f"{text}: {warning}") not in self.warnings:  # another spelling may be one to mind
                if not self.notes[place]:
                    self.notes[place], self.spellings[place] = warning, text
                self.warnings.append(told)
            return place, False, warning
        self._places[name] = len(self.names)
        self.names.append(name)
        self.grooves.append(groove)
        self.notes.append(warning)
        self.spellings.append(text)
        if warning:
            self.warnings.append(f"{text}: {warning}")
        return self._places[name], True, warning


def resolve_request(
    table: pd.DataFrame,
    alleles: Sequence[str] | None = None,
    *,
    grooves: Mapping[str, str] | None = None,
    genotype: bool = False,
    strict: bool = False,
    source: str | None = None,
    rows: NDArray[np.int64] | None = None,
    column: str = "allele",
    option: str = "alleles",
) -> Request:
    """Find the alleles of a request, and refuse it where it is ambiguous or names an allele that does not exist.

    Parameters
    ----------
    table : DataFrame
        ``peptide``, ``note`` and perhaps ``allele``.
    alleles : sequence of str, optional
        Alleles that every peptide is to meet.  Without them the table's own are used, and failing those all of
        `grooves`.
    grooves : mapping of str to str, optional
        Sequence-defined alleles by id, which `alleles` and the table may name.
    genotype : bool
        Whether the alleles of a row are those of one person, of which null alleles present nothing.  A cell of the
        table's own may then hold several, separated by commas, semicolons, bars or blanks.
    strict : bool
        Refuse a table with an allele that cannot be scored.
    source, rows, column : optional
        The table's file, line of each row and name of its allele column, for messages.
    option : str
        What `alleles` is called where the user gave it, for messages.

    Returns
    -------
    Request
        Light: nothing in it is as long as a cross product.

    Raises
    ------
    InputError
        If there are no alleles, alleles from two places, a refused one in `alleles` or what is no text, or `strict` and
        a refused one in the table.
    """
    own = dict(grooves or {})
    paired = "allele" in table.columns
    if paired and alleles is not None:
        raise InputError(
            f"the table has alleles for each peptide, and {option} asks for others",
            source=source,
            column=column,
            hint=f"leave out {option} to score the pairs, or "
            + ("pass --allele-column '' to ignore" if option.startswith("-") else "drop")
            + " that column",
        )
    for name, groove in own.items():
        if not isinstance(name, str) or not isinstance(groove, str):
            raise InputError("names and grooves are texts", source="grooves", value=f"{name}: {groove}")
        if len(groove) != GROOVE_LENGTH or set(groove) - set(RESIDUES):
            raise InputError(f"the groove of '{name}' is not of {GROOVE_LENGTH} standard residues", value=groove)
    found = _Alleles(own, of_person=genotype)
    if paired:
        return _resolve_rows(table, found, genotype, strict, source, rows, column)
    if alleles is None:
        alleles = list(own)
        if not own and len(table):
            raise InputError("no HLA alleles are given", hint=f"{_example(option)}, or an allele column in the table")
    elif isinstance(alleles, str):
        alleles = [alleles]
    elif not isinstance(alleles, Iterable):
        raise InputError("a list of HLA alleles is expected", source=option, value=alleles, hint=_example(option))
    elif not (alleles := list(alleles)):
        raise InputError("the list of HLA alleles is empty", hint=_example(option))
    repeated = []
    for text in alleles:
        if not isinstance(text, str):
            raise InputError("not an allele name", source=option, value=text, hint=_example(option))
        place, new, _ = found.place(text.strip(), option, None, None)
        if not new and place >= 0:
            repeated.append(f"{text}: names {found.names[place]} again; each allele is scored once")
    if alleles and not found.names:
        raise InputError("no cell shows any allele of the genotype", source=option, value=", ".join(alleles))
    none = np.empty(0, dtype=np.intp)
    unlikely = genotype_warnings(found.names, "the genotype") if genotype else []
    warnings = (*found.warnings, *repeated, *unlikely)
    return Request(found.names, found.grooves, True, none, [], none, found.spellings, none, [], found.notes, warnings)


def _example(option: str) -> str:
    return f"for example --hla {_ALLELE}" if option.startswith("-") else f"for example [{_ALLELE!r}]"


def resolve_alleles(
    alleles: Sequence[str] | None,
    grooves: Mapping[str, str] | None = None,
    *,
    samples: Mapping[str, Sequence[str]] | None = None,
    genotype: bool = False,
    option: str = "alleles",
) -> Request:
    """Find alleles that no peptides come with.

    Parameters
    ----------
    alleles, grooves, genotype, option
        As for :func:`resolve_request`.
    samples : mapping of str to sequence of str, optional
        Samples and their alleles, instead of `alleles`.

    Raises
    ------
    InputError
        If there are no alleles, alleles and samples, or an allele that does not exist.
    """
    table = pd.DataFrame({"peptide": [""], "note": [""]}, dtype="str")
    if samples is None and alleles is None and not grooves:
        raise InputError("no HLA alleles are given", hint=_example(option))
    if samples is not None:
        if alleles is not None:
            raise InputError(f"alleles are given both by {option} and by samples", hint="leave out one of them")
        cells = [[";".join(own)] if genotype else own for own in samples.values()]
        texts = [text for own in cells for text in own]
        table = pd.DataFrame({"peptide": "", "note": "", "allele": texts}, dtype="str")
    return resolve_request(table, alleles, grooves=grooves, genotype=genotype, strict=True, option=option)


def _resolve_rows(
    table: pd.DataFrame,
    found: _Alleles,
    genotype: bool,
    strict: bool,
    source: str | None,
    rows: NDArray[np.int64] | None,
    column: str,
) -> Request:
    codes, uniques = pd.factorize(table["allele"].to_numpy(dtype=object), use_na_sentinel=False)
    cells = ["" if pd.isna(text) else str(text).strip() for text in uniques]
    spellings: list[str] = []
    index: list[int] = []
    notes: list[str] = []
    refused: list[str] = []
    starts = [0]
    for code, cell in enumerate(cells):
        parts = list(dict.fromkeys(split_alleles(cell))) if genotype else []
        for text in parts or [cell]:
            try:
                place, _, note = found.place(text, source, None, column)
            except InputError as error:
                first = int(np.argmax(codes == code))
                if strict:
                    error.row = int(rows[first]) if rows is not None else first + 1
                    raise
                place = -1
                note = error.reason + (f" ({error.hint})" if error.hint else "")
                notes.append(" ".join(note.split()))
                refused.append(f"{text or column}: {notes[-1]}")
            else:
                # Another spelling of an allele that this person has already.
                if place >= 0 and place in index[starts[-1] :]:
                    continue
                notes.append(note)  # of this spelling alone, whatever else the table has
            spellings.append(text)
            index.append(place)
        starts.append(len(spellings))
        if genotype:
            names = [found.names[place] for place in index[starts[-2] :] if place >= 0]
            found.warnings += genotype_warnings(names, cell)
    return Request(
        found.names,
        found.grooves,
        False,
        codes,
        cells,
        np.array(starts, dtype=np.intp),
        spellings,
        np.array(index, dtype=np.intp),
        notes,
        found.notes,
        (*found.warnings, *dict.fromkeys(refused)),
    )
