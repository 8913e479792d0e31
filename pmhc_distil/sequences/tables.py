"""The columns of a prediction table: their names, units, directions and precision.  Frozen under a schema version.

A name, once published, keeps its meaning; a new column is appended after the last one and raises
:data:`SCHEMA_VERSION` only when an old one changes.
"""

from collections.abc import Collection, Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from pmhc_distil.sequences.cells import round_significant

SCHEMA_VERSION = "1"

STRONG_BINDER_RANK = 0.5
"""Highest `rank` of a strong binder, in percent."""

WEAK_BINDER_RANK = 2.0
"""Highest `rank` of a weak binder, in percent."""

RENAMED_SUFFIX = "_input"
"""What a user's column is given when its name is one of ours."""


class Column(NamedTuple):
    """One column of the prediction table.

    Attributes
    ----------
    name : str
        Header.
    dtype : str
        ``"str"``, ``"float64"``, or for whole numbers ``"int64"``, or ``"Int64"`` where some may be missing.  A missing
        text is empty, a missing ``"float64"`` NaN.
    unit : str
        Unit or range; empty for text.
    meaning : str
        One sentence for the documentation, with the direction of a number.
    digits : int
        Significant digits that are written; 0 for text.
    """

    name: str
    dtype: str
    unit: str
    meaning: str
    digits: int = 0


PREDICTION_COLUMNS = (
    Column("peptide", "str", "", "The peptide in upper case."),
    Column("allele", "str", "", "The allele in its canonical spelling, or as given where it is not known."),
    Column("score", "float64", "0-1", "Probability that the allele presents the peptide; **higher** binds better.", 7),
    Column("rank", "float64", "%, 0-100", "Percentile among random human 8- to 15-mers; **lower** binds better.", 4),
    Column(
        "rank_same_length",
        "float64",
        "%, 0-100",
        "The same among random human peptides of the same length; **lower** binds better.",
        4,
    ),
    Column("affinity_nm", "float64", "nM", "Predicted affinity; **lower** binds better.", 5),
    Column("binder", "str", "", "`SB` where `rank` <= 0.5, `WB` where `rank` <= 2, else empty."),
    Column("note", "str", "", "Why a row has no score, or what to mind about it; else empty."),
    Column(
        "score_same_length",
        "float64",
        "0-1",
        "The score if the allele presented peptides of all lengths equally often; **higher** binds better.",
        7,
    ),
    Column(
        "distance",
        "float64",
        "0-1",
        "Groove distance to the nearest allele with enough training ligands; **lower** is more certain.",
        3,
    ),
    Column(
        "uncertainty",
        "float64",
        "0-0.5",
        "Chance that a `score` above or below 0.5 puts the peptide on the wrong side; **lower** is more certain.",
        3,
    ),
)
"""Our columns, in order.  The user's own columns follow them."""

GENOTYPE_COLUMNS = (
    Column(
        "alleles_bound", "Int64", "", "With `--genotype` only: how many of the person's alleles have a `rank` <= 2."
    ),
)
"""Columns that follow ours where each row is the best allele of a person."""

PREDICTION_NAMES = tuple(column.name for column in PREDICTION_COLUMNS)
OUR_NAMES = (*PREDICTION_NAMES, *(column.name for column in GENOTYPE_COLUMNS))
"""Names that no column of a user's can keep."""

BINDERS = ("", "WB", "SB")
_BINDERS = np.array(BINDERS, dtype=object)


def digits_of(columns: Iterable[Column]) -> dict[str, int]:
    """Give the significant digits of those columns that are rounded when they are written."""
    return {column.name: column.digits for column in columns if column.digits}


_DIGITS = digits_of(PREDICTION_COLUMNS)


def written_rank(rank: ArrayLike) -> NDArray[np.float64]:
    """Round ranks as they are written, so that a limit means the same before and after."""
    return round_significant(rank, _DIGITS["rank"])


def binder_class(rank: ArrayLike) -> NDArray[np.object_]:
    """Name the class of each rank.

    The rank is rounded as it is written first, so that a filter on the written column finds the same rows.

    Parameters
    ----------
    rank : array_like, shape (N,)
        Percentiles, 0 to 100; NaN where there is none.

    Returns
    -------
    ndarray of str, shape (N,)
        ``"SB"``, ``"WB"`` or ``""``.
    """
    return _BINDERS[binder_number(rank)]


def binder_number(rank: ArrayLike) -> NDArray[np.intp]:
    """Give the place of each rank's class in :data:`BINDERS`."""
    written = written_rank(rank)
    return (written <= WEAK_BINDER_RANK).astype(np.intp) + (written <= STRONG_BINDER_RANK)


def unclashing_names(names: Iterable[str], taken: Collection[str] = OUR_NAMES) -> dict[str, str]:
    """Give each of a user's columns a name that is none of ours.

    Parameters
    ----------
    names : iterable of str
        The user's own columns, each once.
    taken : collection of str
        Names that are not to be had.

    Returns
    -------
    dict
        Old name to new name, in the same order; a clash gains :data:`RENAMED_SUFFIX` until it is none.
    """
    own = list(names)
    used = {*taken, *(name for name in own if name not in taken)}
    renamed = {}
    for name in own:
        new = name
        if name in taken:
            while new in used:
                new += RENAMED_SUFFIX
            used.add(new)
        renamed[name] = new
    return renamed


def empty_predictions(extra_columns: Iterable[str] = (), *, genotype: bool = False) -> pd.DataFrame:
    """Make a prediction table without rows.

    Parameters
    ----------
    extra_columns : iterable of str
        The user's own columns.
    genotype : bool
        With :data:`GENOTYPE_COLUMNS`.

    Returns
    -------
    DataFrame
        All columns with their types, no rows.
    """
    ours = (*PREDICTION_COLUMNS, *GENOTYPE_COLUMNS) if genotype else PREDICTION_COLUMNS
    types = {column.name: column.dtype for column in ours} | dict.fromkeys(extra_columns, "str")
    return pd.DataFrame({name: pd.Series(dtype=dtype) for name, dtype in types.items()})


def validate_predictions(frame: pd.DataFrame) -> None:
    """Check a prediction table for mistakes of our own.

    Parameters
    ----------
    frame : DataFrame
        Columns of :data:`PREDICTION_COLUMNS`, then the user's.

    Raises
    ------
    ValueError
        If a column is missing or out of order, a number is out of its range, a row without a score has no note or has
        other numbers, or a class contradicts its rank.
    """
    if tuple(frame.columns[: len(PREDICTION_NAMES)]) != PREDICTION_NAMES:
        raise ValueError(f"the columns must start with {PREDICTION_NAMES}, not {tuple(frame.columns)}")
    if not frame.columns.is_unique:
        raise ValueError(f"a column name occurs twice in {tuple(frame.columns)}")
    numbers = {name: frame[name].to_numpy(dtype=np.float64) for name in _DIGITS}
    percent = {"rank": 100.0, "rank_same_length": 100.0}
    highest_of = {"score": 1.0, "score_same_length": 1.0, "uncertainty": 0.5, **percent}
    for name in _DIGITS:
        wrong = (numbers[name] < 0) | (numbers[name] > highest_of.get(name, np.inf)) | np.isinf(numbers[name])
        if wrong.any():
            raise ValueError(f"{name} is out of range: {numbers[name][wrong][0]}")
    unscored = np.isnan(numbers["score"])
    if (frame["note"][unscored] == "").any():
        raise ValueError("a row without a score has no note")
    for name in _DIGITS:
        if not np.isnan(numbers[name][unscored]).all():
            raise ValueError(f"a row without a score has a {name}")
    number = binder_number(numbers["rank"])
    if any(((frame["binder"] == name).to_numpy() != (number == place)).any() for place, name in enumerate(BINDERS)):
        raise ValueError("binder contradicts rank")


def column_help(columns: Iterable[Column] = (*PREDICTION_COLUMNS, *GENOTYPE_COLUMNS)) -> str:
    """Describe columns as a Markdown table, one line each, for the documentation."""
    lines = ["| column | unit | meaning | digits |", "|---|---|---|---|"]
    lines += [f"| `{c.name}` | {c.unit} | {c.meaning} | {c.digits or ''} |" for c in columns]
    return "\n".join(lines) + "\n"
