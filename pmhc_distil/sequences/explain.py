"""What is known about an allele: its groove, who shares it, and how near the training data come to it."""

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.groove_distance import nearest_allele
from pmhc_distil.sequences.groove_table import groove_table
from pmhc_distil.sequences.hla import Allele
from pmhc_distil.sequences.text_files import open_text

TRAINING_FILE = "training_alleles.csv"
"""Name of the table of training counts beside training tables and in model folders."""

ENOUGH_LIGANDS = 50
"""Training ligands from which on the distance of other alleles to an allele counts."""
FAR = 0.08
"""Distance to the nearest of these alleles from which on predictions are clearly worse (`data/evaluation.md`)."""

TRAINING_COLUMNS = ("allele", "ligands", "affinities")
"""Columns of the table of training counts."""


@dataclass(frozen=True)
class TrainingCounts:
    """How many eluted ligands and measured affinities a model was trained on for one allele."""

    ligands: int = 0
    affinities: int = 0

    @property
    def total(self) -> int:
        """All measurements."""
        return self.ligands + self.affinities


@dataclass(frozen=True)
class Explanation:
    """What is known about one allele.

    Attributes
    ----------
    name, requested, warning, groove : str
        As in :class:`~pmhc_distil.sequences.hla.Allele`.
    same_groove : int
        Number of other names with the same groove, which get the same scores.
    ligands, affinities : int
        Training data of the allele itself.
    nearest : str
        The allele with training data whose groove is nearest: the allele itself if it has any.
    distance : float
        Groove distance to it; 0 for equal grooves.
    nearest_ligands, nearest_affinities : int
        Training data of that allele.
    """

    name: str
    requested: str
    warning: str
    groove: str
    same_groove: int
    ligands: int
    affinities: int
    nearest: str
    distance: float
    nearest_ligands: int
    nearest_affinities: int


def read_training_alleles(path: str | Path) -> dict[str, TrainingCounts]:
    """Read the training counts of a model.

    Parameters
    ----------
    path : str or Path
        CSV with the columns ``allele``, ``ligands`` and ``affinities``.

    Returns
    -------
    dict of str to TrainingCounts
        In the order of the file.

    Raises
    ------
    InputError
        If the file is missing, lacks a column, repeats an allele or counts in anything but whole numbers.
    """
    source = str(path)
    counts: dict[str, TrainingCounts] = {}
    with open_text(path) as stream:
        rows = csv.DictReader(stream)
        missing = [column for column in TRAINING_COLUMNS if column not in (rows.fieldnames or ())]
        if missing:
            raise InputError("missing column", source, 1, missing[0], hint=f"needs {', '.join(TRAINING_COLUMNS)}")
        for row in rows:
            name = row["allele"]
            if name in counts:
                raise InputError("the allele occurs twice", source, rows.line_num, "allele", name)
            counts[name] = TrainingCounts(
                _count(row["ligands"], source, rows.line_num, "ligands"),
                _count(row["affinities"], source, rows.line_num, "affinities"),
            )
    if not any(name in groove_table() and count.total for name, count in counts.items()):
        raise InputError("no HLA allele with training data", source)
    return counts


class TrainingDistance:
    """How far grooves are from those with training ligands.

    Parameters
    ----------
    training : mapping
        Training counts by canonical name.
    """

    def __init__(self, training: Mapping[str, TrainingCounts]) -> None:
        table = groove_table()
        self.trained = [name for name, count in training.items() if name in table and count.ligands >= ENOUGH_LIGANDS]
        # Their own grooves need no distances, which take a moment to import.
        self._known = {table.groove(name): (name, 0.0) for name in reversed(self.trained)}

    def nearest(self, groove: str) -> tuple[str, float]:
        """Find the nearest allele with enough ligands.

        Returns
        -------
        tuple of str and float
            Name and distance; an empty name and NaN if no allele has enough.
        """
        if groove not in self._known:
            self._known[groove] = nearest_allele(groove, self.trained) if self.trained else ("", math.nan)
        return self._known[groove]


def _count(text: str | None, source: str, row: int, column: str) -> int:
    if text is None or not (text.isascii() and text.isdigit()):
        raise InputError("not a whole number", source, row, column, text or "")
    return int(text)


def explain_allele(allele: Allele, training: Mapping[str, TrainingCounts]) -> Explanation:
    """Tell what is known about an allele.

    Parameters
    ----------
    allele : Allele
        Resolved by name, or made from a user's own groove.
    training : mapping
        Training counts by canonical name.  Names outside the shipped table have no groove and are passed over.

    Returns
    -------
    Explanation
        Among equally near alleles the one with most training data is named.
    """
    table = groove_table()
    own = training.get(allele.name, TrainingCounts()) if allele.name in table else TrainingCounts()
    if own.total:
        nearest, distance = allele.name, 0.0
    else:
        trained = [name for name, counts in training.items() if name in table and counts.total]
        trained.sort(key=lambda name: -training[name].total)
        nearest, distance = nearest_allele(allele.groove, trained, table)
    return Explanation(
        name=allele.name,
        requested=allele.requested,
        warning=allele.warning,
        groove=allele.groove,
        same_groove=sum(name != allele.name for name in table.names_of(allele.groove)),
        ligands=own.ligands,
        affinities=own.affinities,
        nearest=nearest,
        distance=round(distance, 4),
        nearest_ligands=training[nearest].ligands,
        nearest_affinities=training[nearest].affinities,
    )
