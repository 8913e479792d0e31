"""Samples and their alleles: every peptide, or every peptide of a sample, with the alleles of that sample.

This is the fourth way to say which alleles meet which peptides, beside pairs, a cross product and one genotype.
"""

import contextlib
import re
import warnings
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pmhc_distil.errors import InputError, InputWarning
from pmhc_distil.sequences.column_names import ALLELE_NAMES, SAMPLE_NAMES, recognised
from pmhc_distil.sequences.hla import resolve_allele
from pmhc_distil.sequences.hla_refusal import CLASS_II
from pmhc_distil.sequences.peptide_formats import Part
from pmhc_distil.sequences.peptide_source import Overview, PeptideSource
from pmhc_distil.sequences.peptide_table import PeptideTable
from pmhc_distil.sequences.result_columns import SAMPLE
from pmhc_distil.sequences.small_tables import read_small_table, require_columns

_SEPARATORS = re.compile(r"[,;|+~^\s]+")
_NONE = {"", "-"}
"""What stands for the second allele of a homozygous person."""
_PART = 50_000
_MOST_OF_A_GENE = 2
_SHOWN = 3


def split_alleles(cell: str) -> list[str]:
    """Give the alleles of one person that a cell holds.

    Between them stand commas, semicolons, bars, blanks or, as in GL strings, ``+``, ``^`` and ``~``; ``-`` is none.
    """
    return [text for text in _SEPARATORS.split(cell) if text not in _NONE]


def read_samples(path: str | Path, known: Collection[str] = ()) -> dict[str, list[str]]:
    """Read which alleles each sample has.

    Parameters
    ----------
    path : str or Path
        CSV or TSV with the columns ``sample`` and ``alleles``, one row a sample, its alleles separated by commas,
        semicolons, bars or blanks.
    known : collection of str
        Names of sequence-defined alleles.

    Returns
    -------
    dict
        Sample to its alleles as they are spelled, each once, in the order of the file.

    Raises
    ------
    InputError
        If the file cannot be read or has no such columns, a sample is named twice or has no alleles, or an allele does
        not exist.
    """
    table, rows = read_small_table(path, {SAMPLE: SAMPLE_NAMES, "alleles": ALLELE_NAMES})
    return samples_from(table, str(path), rows, known=known)


def samples_from(
    samples: pd.DataFrame | Mapping[Any, Any],
    source: str = "samples",
    rows: NDArray[np.int64] | None = None,
    *,
    known: Collection[str] | None = None,
) -> dict[str, list[str]]:
    """Read the same from memory.

    Parameters
    ----------
    samples : DataFrame or mapping
        Columns ``sample`` and ``alleles``, or sample to alleles; the alleles of one as a list, or as a text like those
        of a file.
    source, rows : optional
        The table's file and the line of each row, for messages.
    known : collection of str, optional
        Names of sequence-defined alleles, beside which all others must exist; by default whether alleles exist is not
        looked at.

    Warns
    -----
    InputWarning
        Of alleles of class II, which are left out where it is looked at whether alleles exist.

    Raises
    ------
    InputError
        If there are no samples, a column is missing, a sample is named twice or has no alleles, or an allele does not
        exist.
    """
    if isinstance(samples, Mapping):
        names, cells = list(samples), list(samples.values())
    elif isinstance(samples, pd.DataFrame):
        require_columns(samples, (SAMPLE, "alleles"), source)
        names, cells = samples[SAMPLE].tolist(), samples["alleles"].tolist()
    else:
        hint = "a data frame with the columns sample and alleles, or a mapping of samples to alleles"
        raise InputError("samples are expected", source=source, value=type(samples).__name__, hint=hint)
    if not names:
        raise InputError("no samples are given", source=source)
    lines = range(1, len(names) + 1) if rows is None else rows.tolist()
    found: dict[str, list[str]] = {}
    class_ii: list[str] = []
    for name, cell, row in zip(map(_sample_text, names), cells, lines, strict=True):
        if name in found or not name:
            hint = "one row a sample; put its alleles into one cell, separated by ;"
            reason = "the sample occurs twice" if name else "the sample has no name"
            raise InputError(reason, source=source, row=row, column=SAMPLE, value=name or None, hint=hint)
        if isinstance(cell, list | tuple | np.ndarray | pd.Series):
            found[name] = [str(one).strip() for one in cell if not pd.isna(one)]
        else:
            found[name] = [] if pd.isna(cell) else split_alleles(str(cell))
        if not found[name]:
            raise InputError("the sample has no alleles", source=source, row=row, column="alleles", value=name)
        if known is not None:
            others = [text for text in found[name] if text not in known and _of_class_ii(text, source, row)]
            class_ii += others
            found[name] = [text for text in found[name] if text not in others]
            if not found[name]:
                hint = "remove the sample"
                raise InputError(f"the sample has only {CLASS_II}", source, row, "alleles", ";".join(others), hint)
        found[name] = _each_once(found[name], known or ())
    if class_ii:
        some = ", ".join(list(dict.fromkeys(class_ii))[:_SHOWN])
        text = f"{source}: {len(class_ii):,} alleles are left out, as they are of HLA class II, such as {some}"
        warnings.warn(text, InputWarning, stacklevel=2)
    return found


def _of_class_ii(text: str, source: str, row: int) -> bool:
    """Tell whether an allele is of class II; refuse one that does not exist."""
    try:
        resolve_allele(text, source=source, row=row, column="alleles")
    except InputError as error:
        if error.reason == CLASS_II:
            return True
        raise
    return False


def _each_once(alleles: Sequence[str], known: Collection[str]) -> list[str]:
    """Leave out what names an allele again: a homozygous person presents nothing twice."""
    names: dict[str, str] = {}
    for text in alleles:
        name = text
        if text not in known:
            with contextlib.suppress(InputError):
                name = resolve_allele(text).name
        names.setdefault(name, text)
    return list(names.values())


def with_samples(
    peptides: pd.DataFrame | Sequence[str], samples: pd.DataFrame | Mapping[Any, Any], *, genotype: bool
) -> pd.DataFrame:
    """Give every peptide the alleles of samples, for :meth:`~pmhc_distil.inference.predictor.Predictor.predict`.

    Parameters
    ----------
    peptides : DataFrame or sequence of str
        Peptides, or rows with ``peptide``.  A row that has a ``sample`` (``donor``, ``patient``, ``Sample_ID``) meets
        that one's alleles, others those of all.
    samples : DataFrame or mapping
        As for :func:`samples_from`; whether their alleles exist is not looked at.
    genotype : bool
        One row for every peptide and sample, whose ``allele`` holds all alleles, instead of one for each allele.

    Returns
    -------
    DataFrame
        `peptides` with ``sample`` and ``allele``.  The ``allele`` of a sample that is not known is empty.

    Raises
    ------
    InputError
        As :func:`samples_from`; if several columns of the peptides could be the sample, or one has alleles.
    """
    frame = peptides.copy() if isinstance(peptides, pd.DataFrame) else pd.DataFrame({"peptide": list(peptides)})
    frame.columns = _with_sample([str(name) for name in frame.columns], "the table of peptides")
    if own_alleles := recognised(list(frame.columns), ALLELE_NAMES):
        reason, hint = "the table has alleles for each peptide, and samples give others", "drop that column"
        raise InputError(reason, source="the table of peptides", column=own_alleles[0], hint=hint)
    alleles = samples_from(samples)
    own = [_sample_text(value) for value in frame[SAMPLE]] if SAMPLE in frame else None
    place, names, cells = _expand(len(frame), own, alleles, genotype)
    return frame.iloc[place].reset_index(drop=True).assign(**{SAMPLE: names, "allele": cells})


def _sample_text(value: Any) -> str:
    """Write a sample as a file would: numbers are no fractions for others that are missing."""
    if pd.isna(value):
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()


class PeptidesOfSamples(PeptideSource):
    """Peptides with the alleles of samples, read in parts as the peptides are.

    Parameters
    ----------
    peptides : PeptideSource
        Without alleles.  If it has a column ``sample`` (or ``donor``, ``patient``, ``Sample_ID``, which is then called
        so), each row meets the alleles of its own sample; a row whose sample is not known cannot be scored and says so.
    samples : mapping of str to sequence of str
    genotype : bool
        As for :func:`with_samples`.

    Raises
    ------
    InputError
        If the peptides have alleles of their own, or several columns that could be the sample.
    """

    def __init__(self, peptides: PeptideSource, samples: Mapping[str, Sequence[str]], *, genotype: bool) -> None:
        records = peptides.records
        if records.allele is not None:
            hint = "leave out --samples, or pass --allele-column '' to ignore that column"
            reason = "the table has alleles for each peptide, and --samples gives others"
            raise InputError(reason, source=peptides.source, column=records.allele, hint=hint)
        self._peptides, self._samples, self._genotype = peptides, samples, genotype
        self._unknown: dict[str, int] = {}  # names and the line of their first row
        records = replace(records, columns=tuple(_with_sample(records.columns, peptides.source)))
        self._joined = SAMPLE in records.columns
        allele = "alleles"
        while allele in records.columns:
            allele += "_of_sample"
        added = (allele,) if self._joined else (SAMPLE, allele)
        super().__init__(
            replace(records, columns=(*records.columns, *added), parts=self._parts, allele=allele),
            peptides.source,
            strict=peptides.strict,
            digest=peptides.digest,
        )

    def check(self) -> Overview:
        """Look at the peptides alone where every one meets every sample; see :meth:`PeptideSource.check`."""
        if self._joined:
            overview = super().check()
            known = {cell: row for cell, row in (overview.alleles or {}).items() if cell}
            unknown = [str(self._no_sample(name, row)) for name, row in self._unknown.items()]
            return replace(overview, alleles=known, warnings=(*overview.warnings, *unknown))
        overview = self._peptides.check()
        _, _, cells = _expand(min(overview.rows, 1), None, self._samples, self._genotype)
        of_all = None if overview.rows_of_all is None else overview.rows_of_all * len(cells)
        alleles = dict.fromkeys(cells, 1)
        return Overview(overview.rows * len(cells), alleles, overview.warnings, of_all, max(1, len(cells)))

    def _parts(self) -> Iterator[Part]:
        records = self._peptides.records
        sample = self.records.columns.index(SAMPLE)
        most = 1 if self._genotype else max(map(len, self._samples.values()))
        step = max(1, _PART // (most if self._joined else most * len(self._samples)))
        for columns, rows in records.parts():
            for start in range(0, len(rows), step):
                some = [column[start : start + step] for column in columns]
                own = [text.strip() for text in some[sample]] if self._joined else None
                for name in dict.fromkeys(own or ()):
                    if own and name not in self._samples:
                        self._unknown.setdefault(name, int(rows[start + own.index(name)]))
                place, names, cells = _expand(len(rows[start : start + step]), own, self._samples, self._genotype)
                repeated: list[Sequence[Any]] = [[column[i] for i in place] for column in some]
                if self._joined:  # without the blanks around it
                    repeated[sample] = names
                yield [*repeated, *([] if self._joined else [names]), cells], rows[start : start + step][place]

    def _table(self, cells: Sequence[Sequence[Any]], rows: NDArray[np.int64]) -> PeptideTable:
        table = super()._table(cells, rows)
        unknown = np.flatnonzero(table.frame["allele"].to_numpy(dtype=object) == "")
        if not len(unknown):
            return table
        notes = table.frame["note"].tolist()
        for i in unknown.tolist():
            error = self._no_sample(str(table.frame[SAMPLE].iat[i]), int(rows[i]))
            if self.strict:
                raise error
            notes[i] = "; ".join(filter(None, [notes[i], f"{error.reason}: '{error.value}'"]))
        return replace(table, frame=table.frame.assign(note=pd.Series(notes, dtype="str")))

    def _no_sample(self, name: str, row: int) -> InputError:
        return InputError("no such sample in --samples", self.source, row, SAMPLE, name)


def genotype_warnings(alleles: Sequence[str], whose: str) -> list[str]:
    """Warn of more alleles of a gene than one person can have.

    Parameters
    ----------
    alleles : sequence of str
        Canonical names, each once.
    whose : str
        What to call the person.
    """
    genes = Counter(name.partition("*")[0] for name in alleles if name.startswith("HLA-") and "*" in name)
    return [
        f"{whose}: {count} alleles of {gene}, but a person has at most two"
        for gene, count in genes.items()
        if count > _MOST_OF_A_GENE
    ]


def _with_sample(columns: Sequence[str], source: str) -> list[str]:
    """Call the column that names samples so."""
    found = recognised(columns, SAMPLE_NAMES)
    if len(found) > 1:
        hint = "rename or remove one of them"
        raise InputError("more than one column could be the sample", source=source, value=", ".join(found), hint=hint)
    return [SAMPLE if name in found else name for name in columns]


def _expand(
    count: int, own: Sequence[str] | None, samples: Mapping[str, Sequence[str]], genotype: bool
) -> tuple[NDArray[np.intp], list[str], list[str]]:
    """Give row, sample and allele cell of all that `count` rows become; `own` are their samples, if they have them."""
    cells = {name: [";".join(alleles)] if genotype else list(alleles) for name, alleles in samples.items()}
    if own is None:
        each = [(name, cell) for name, several in cells.items() for cell in several]
        place = np.repeat(np.arange(count), len(each))
        return place, [name for name, _ in each] * count, [cell for _, cell in each] * count
    several = [cells.get(name, [""]) for name in own]
    place = np.repeat(np.arange(count), [len(one) for one in several])
    return place, [own[i] for i in place.tolist()], [cell for one in several for cell in one]
