"""A user's table of known ligands, to compare motifs with."""

import numpy as np
import pandas as pd

from pmhc_distil.errors import InputError
from pmhc_distil.inference.request import Request, resolve_request
from pmhc_distil.sequences.readers import read_peptides


def read_ligands(path: str, request: Request) -> pd.DataFrame:
    """Read a table of ligands.

    Parameters
    ----------
    path : str
        Peptides with an allele each, or, if one allele is asked for, without.  Rows with a ``label`` of 0 are none.
    request : Request
        The alleles that are asked for.

    Returns
    -------
    DataFrame
        Columns ``peptide`` and ``allele``, of peptides that can be scored and of these alleles alone.

    Raises
    ------
    InputError
        If the file cannot be read, or has no ligand of these alleles.
    """
    frame = read_peptides(path).frame
    if "label" in frame:
        frame = frame[pd.to_numeric(frame["label"], errors="coerce") != 0]
    if "allele" in frame:
        spellings = resolve_request(frame[["peptide", "allele", "note"]])
        places = np.array(spellings.spelling_index)[spellings.codes]
        names = np.array([*spellings.allele_names, ""], dtype=object)
        frame = frame.assign(allele=names[places])
    elif len(request.allele_names) == 1:
        frame = frame.assign(allele=request.allele_names[0])
    else:
        raise InputError("the ligands have no alleles", source=path, hint="add a column allele, or ask for one allele")
    kept = frame[(frame["note"] == "") & frame["allele"].isin(request.allele_names)]
    if kept.empty:
        raise InputError("no ligand of the alleles that are asked for", source=path)
    return kept[["peptide", "allele"]].reset_index(drop=True)
