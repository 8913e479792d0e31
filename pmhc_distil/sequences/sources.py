"""Sources of training data: files of ligands or affinities, and the table that each becomes.

The two kinds are told apart by their columns: ligands have ``peptide, allele`` (all positives, or with ``label`` 1/0),
affinities ``peptide, allele, measurement_nM`` and optionally ``inequality``.  Rows that cannot be used are dropped and
counted.  Of a file of what is held out, the peptides alone count.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.affinity import MEASURED, signs
from pmhc_distil.sequences.column_names import plain_name, recognised
from pmhc_distil.sequences.csv_tables import read_rows
from pmhc_distil.sequences.hla import resolve_allele
from pmhc_distil.sequences.residues import PEPTIDE_LENGTHS, peptide_problem

TABLE_COLUMNS = ["peptide", "allele", "label", "affinity_nm", "inequality", "offset", "source"]
"""Columns of training tables: a row has a ``label`` (1 or 0), to which ``offset`` belongs, or an ``affinity_nm``; a row
without both is for a teacher to answer."""
POOLED = "pooled"
"""Column of training tables of which some source is pooled: 1 for its ligands and 0 for others; for negatives, the
share of the ligands of their allele that are from such sources."""


NEGATIVE, UNLABELLED = "negative", "unlabelled"
"""What the column ``source`` says of random negatives, and of pairs without a measurement; no file may be called so."""


@dataclass(frozen=True)
class Source:
    """One file of training data.

    Attributes
    ----------
    file : str
        CSV, plain or gzip, in the data folder.
    lengths : tuple of int
        Peptide lengths that the file could hold; others were never looked for.
    where : str
        Condition on the file's columns, in the language of ``DataFrame.query``; rows that fail it are dropped.
    """

    file: str
    lengths: tuple[int, ...] = PEPTIDE_LENGTHS
    where: str = ""

    @property
    def name(self) -> str:
        """What the column ``source`` of a table calls it: the file's name up to the first dot."""
        return Path(self.file).name.split(".")[0]


def sources_from_recipe(entries: Any, setting: str = "sources") -> list[Source]:
    """Read the ``sources`` of a recipe: ``file``, and optionally ``lengths: [first, last]`` and ``where``.

    In its ``held_out`` files have no ``lengths``: all of their peptides count.

    Raises
    ------
    InputError
        For an entry with another key or without a file.
    """
    lengths = "lengths: [8, 11], " if setting == "sources" else ""
    hint = f"each is a mapping such as {{file: ligands.csv, {lengths}where: score > 2}}; only file is needed"
    known = {"file", "lengths", "where"} if lengths else {"file", "where"}
    if not isinstance(entries, list) or not entries:
        raise InputError("a list of sources is expected", "recipe", column=setting, value=entries, hint=hint)
    sources: list[Source] = []
    for number, entry in enumerate(entries, start=1):
        column = f"{setting}: {number}"
        if not isinstance(entry, dict) or "file" not in entry or set(entry) - known:
            raise InputError("not a source", "recipe", column=column, value=entry, hint=hint)
        span = entry.get("lengths", [PEPTIDE_LENGTHS[0], PEPTIDE_LENGTHS[-1]])
        numbers = isinstance(span, list) and len(span) == 2 and all(type(one) is int for one in span)
        if not (numbers and set(span) <= set(PEPTIDE_LENGTHS) and span[0] <= span[1]):
            reason = "not a range of lengths"
            raise InputError(reason, "recipe", column=f"{column}: lengths", value=span, hint=hint)
        source = Source(str(entry["file"]), tuple(range(span[0], span[1] + 1)), str(entry.get("where", "")))
        for other in sources:
            # One file may give several sources; rows of two files must be told apart by their names.
            if other.name == source.name and other.file != source.file:
                hint = f"it is called {source.name}, as {other.file} is: rename one"
                reason = "two sources have one name"
                raise InputError(reason, "recipe", column=f"{column}: file", value=source.file, hint=hint)
        sources.append(source)
    return sources


def read_source(folder: Path, source: Source, dropped: Counter[str]) -> pd.DataFrame:
    """Read one file, give canonical alleles, and count in ``dropped`` what cannot be used.

    Returns
    -------
    DataFrame with :data:`TABLE_COLUMNS`

    Raises
    ------
    InputError
        If the file cannot be read, or has a column whose name is nearly that of one that is read.
    """
    frame, left_out = read_rows(folder / source.file, ("peptide", "allele"), source.where)
    dropped[f"{source.file}: not {source.where}"] += left_out
    names = {text: _canonical(str(text)) for text in frame["allele"].unique()}
    table = pd.DataFrame({"peptide": _plain(frame["peptide"])})
    table["allele"] = frame["allele"].map(names)
    for name in ("label", MEASURED, "inequality"):
        if name not in frame and (alike := recognised(frame.columns, [plain_name(name)])):
            hint = f"call it '{name}', or leave the column out"
            raise InputError(f"is this the column '{name}'?", str(folder / source.file), column=alike[0], hint=hint)
    table["source"] = source.name
    table["label"] = np.nan
    table["affinity_nm"] = np.nan
    table["inequality"] = ""
    table["offset"] = 0.0
    if MEASURED in frame:
        table["affinity_nm"] = pd.to_numeric(frame[MEASURED], errors="coerce")
        table["inequality"] = signs(frame["inequality"] if "inequality" in frame else table["inequality"])
        bad = ~(table["affinity_nm"] > 0) | np.isinf(table["affinity_nm"]) | table["inequality"].isna()
    else:
        table["label"] = pd.to_numeric(frame["label"], errors="coerce").astype(float) if "label" in frame else 1.0
        bad = ~table["label"].isin([0, 1])
    problems = {text: peptide_problem(text) for text in table["peptide"].unique()}
    reason = table["peptide"].map(problems).astype(object)
    reason[bad] = "no usable measurement"
    reason[table["allele"] == ""] = "allele without a groove sequence"
    outside = (reason == "") & ~table["peptide"].str.len().isin(source.lengths)
    reason[outside] = "length outside the source's range"
    for text, count in reason[reason != ""].value_counts().items():
        dropped[f"{source.file}: {text}"] += int(count)
    return table.loc[reason == "", TABLE_COLUMNS]


def read_held_out(folder: Path, source: Source, dropped: Counter[str]) -> set[str]:
    """Read which peptides a file names, whatever else stands in their rows, and count in ``dropped`` what is none.

    Raises
    ------
    InputError
        If the file cannot be read, has no rows, or none that meets the condition.
    """
    frame, left_out = read_rows(folder / source.file, ("peptide",), source.where)
    if frame.empty:
        reason = "no row meets the condition" if left_out else "there are no peptides to hold out"
        raise InputError(reason, str(folder / source.file), value=source.where or None)
    peptides = _plain(frame["peptide"])
    problems = peptides.map({text: peptide_problem(text) for text in peptides.unique()})
    for text, count in problems[problems != ""].value_counts().items():
        dropped[f"{source.file}, held_out: {text}"] += int(count)
    return set(peptides)


def _plain(peptides: "pd.Series[str]") -> "pd.Series[str]":
    return peptides.astype(str).str.strip().str.upper()


def _canonical(text: str) -> str:
    try:
        return resolve_allele(text).name
    except InputError:
        return ""
