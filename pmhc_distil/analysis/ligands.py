"""A user's table of known ligands, to compare motifs with."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pmhc_distil.errors import InputError
from pmhc_distil.inference.request import Request, resolve_request
from pmhc_distil.sequences.readers import read_peptides


def read_ligands(path: str, request: Request, warn: Callable[[str], None]) -> pd.DataFrame:
    """Read a table of ligands.

    Parameters
    ----------
    path : str
        Peptides with an allele each, or, if one allele is asked for, without.  Rows with a ``label`` of 0 are none.
    request : Request
        The alleles that are asked for.
    warn : callable
        Is given a line about the peptides that cannot be scored, and one about the alleles that are not known.

    Returns
    -------
    DataFrame
        Columns ``peptide`` and ``allele``, of peptides that can be scored and of these alleles alone.

    Raises
    ------
    InputError
        If the file cannot be read, or has no ligand of these alleles.
    """
    table = read_peptides(path)
    positive = np.full(len(table.frame), True)
    if "label" in table.frame:
        positive = (pd.to_numeric(table.frame["label"], errors="coerce") != 0).to_numpy()
    frame, rows = table.frame[positive].reset_index(drop=True), table.rows[positive]
    _tell(path, "peptide cannot be scored", frame["peptide"], frame["note"].tolist(), rows, warn)
    if "allele" in frame:
        spellings = resolve_request(frame[["peptide", "allele", "note"]])
        places = np.array(spellings.spelling_index, dtype=np.intp)
        names = np.array([*spellings.allele_names, ""], dtype=object)[places]
        reasons = np.where(places < 0, np.array(spellings.spelling_notes, dtype=object), "")
        _tell(path, "allele is not known", frame["allele"], reasons[spellings.codes].tolist(), rows, warn)
        frame = frame.assign(allele=names[spellings.codes])
    elif len(request.allele_names) == 1:
        frame = frame.assign(allele=request.allele_names[0])
    else:
        raise InputError("the ligands have no alleles", source=path, hint="add a column allele, or ask for one allele")
    kept = frame[(frame["note"] == "") & frame["allele"].isin(request.allele_names)]
    if kept.empty:
        raise InputError("no ligand of the alleles that are asked for", source=path)
    return kept[["peptide", "allele"]].reset_index(drop=True)


def _tell(
    path: str,
    what: str,
    cells: "pd.Series[str]",
    reasons: Sequence[str],
    rows: NDArray[np.int64],
    warn: Callable[[str], None],
) -> None:
    """Count the rows that have a reason to be left out, and tell that of the first."""
    left_out = [number for number, reason in enumerate(reasons) if reason]
    if left_out:
        first = left_out[0]
        example = InputError(reasons[first], row=int(rows[first]), value=cells.iloc[first])
        warn(f"{path}: {len(left_out):,} of {len(rows):,} ligands are left out, as their {what}, such as {example}")
