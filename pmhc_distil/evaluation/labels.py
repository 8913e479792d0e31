"""What is known of the pairs of a table: labels, or measured affinities and what they say."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.affinity import BINDER_NM, MEASURED, signs
from pmhc_distil.sequences.peptide_table import PeptideTable


def labels_of(table: PeptideTable) -> NDArray[np.float64]:
    """Take the labels of a table, or tell binders (stronger than 500 nM) by its measured affinities.

    Returns
    -------
    ndarray of float, shape (rows,)
        1 or 0; NaN where an affinity known only as weaker or stronger than a bound leaves it open.

    Raises
    ------
    InputError
        If there is neither a column ``label`` nor ``measurement_nM``, or a value in it that cannot be used.
    """
    frame = table.frame
    if "label" in frame:
        labels = pd.to_numeric(frame["label"], errors="coerce").astype(float)
        _refuse(~labels.isin([0, 1]), table, "label", "not a label", "1 for presented, 0 for not")
        return np.asarray(labels, dtype=np.float64)
    if MEASURED not in frame:
        hint = f"1 for presented, 0 for not; or give affinities in a column {MEASURED}"
        raise InputError("the column is missing", source=table.source, column="label", hint=hint)
    affinity, inequality = affinities_of(table)
    binder = (affinity < BINDER_NM) | ((inequality == "<") & (affinity <= BINDER_NM))
    is_open = ((inequality == "<") & ~binder) | ((inequality == ">") & binder)
    return np.where(is_open, np.nan, binder)


def affinities_of(table: PeptideTable) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
    """Take the measured affinities (nM) of a table and their inequalities (``<``, ``=`` or ``>``).

    Beside labels an affinity may be missing, and is NaN.

    Raises
    ------
    InputError
        For an affinity that is not a positive number, or an inequality that is none.
    """
    frame = table.frame
    affinity = pd.to_numeric(frame[MEASURED], errors="coerce").astype(float)
    bad = ~(affinity > 0) | np.isinf(affinity)
    if "label" in frame:
        bad &= frame[MEASURED].notna() & (frame[MEASURED].astype(str).str.strip() != "")
    _refuse(bad, table, MEASURED, "not an affinity", "a positive number, in nM")
    inequality = signs(frame["inequality"] if "inequality" in frame else pd.Series("", frame.index))
    _refuse(inequality.isna(), table, "inequality", "not an inequality", "use <, = or >")
    return np.asarray(affinity, dtype=np.float64), np.asarray(inequality, dtype=np.str_)


def _refuse(bad: pd.Series, table: PeptideTable, column: str, reason: str, hint: str) -> None:
    """Name the first bad row."""
    if bad.any():
        row = int(bad.to_numpy().argmax())
        value = table.frame[column].iloc[row]
        raise InputError(reason, source=table.source, row=int(table.rows[row]), column=column, value=value, hint=hint)
