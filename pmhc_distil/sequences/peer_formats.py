"""Predictions as other tools write them, so that what reads those tools reads ours.

What we do not predict (a rank of the affinity, a processing score, a binding core of other than nine residues) is left
empty, never made up.  The user's own columns and ``note`` follow, except in the text of NetMHCpan, where a row without
a score is a comment.

* ``mhcflurry``: CSV of ``mhcflurry-predict`` 2.
* ``netmhcpan``: the text that NetMHCpan 4.1 prints with ``-BA``; positions count from 1.
* ``bigmhc``: CSV of ``bigmhc_predict``.
* ``mhctools``: CSV of the data model of mhctools 3, a presentation and an affinity row for each pair; ``offset`` counts
  from 0.
* ``nf-core``: TSV as the pipeline epitopeprediction merges it.
"""

from collections.abc import Callable
from importlib.metadata import version
from io import TextIOWrapper
from typing import TextIO

import numpy as np
import pandas as pd
from pandas.api.types import is_integer_dtype

from pmhc_distil.sequences.affinity import affinity_to_unit
from pmhc_distil.sequences.cells import values_of
from pmhc_distil.sequences.result_columns import SAMPLE
from pmhc_distil.sequences.tables import (
    PREDICTION_COLUMNS,
    PREDICTION_NAMES,
    STRONG_BINDER_RANK,
    WEAK_BINDER_RANK,
    digits_of,
    unclashing_names,
)
from pmhc_distil.sequences.writers import PredictionWriter, TableWriter

_DIGITS = digits_of(PREDICTION_COLUMNS)
_UNIT_DIGITS = 5
_CORE = 9
_FAR = 1e9
"""No protein is as long."""
_RULE = "-" * 132 + "\n"


def peer_writer(text: TextIOWrapper, format: str) -> TableWriter:
    """Make what writes predictions in one of :data:`~pmhc_distil.sequences.formats.PEER_FORMATS`."""
    if format == "netmhcpan":
        return _NetMHCpanWriter(text)
    convert, delimited, digits = _TABLES[format]
    return _ConvertingWriter(PredictionWriter(text, delimited, digits), convert)


class _ConvertingWriter:
    """Writes predictions as a table of other columns."""

    def __init__(self, writer: PredictionWriter, convert: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
        self._writer = writer
        self._convert = convert

    def write(self, frame: pd.DataFrame) -> None:
        """Write more predictions."""
        self._writer.write(self._convert(frame))


def _mhcflurry(frame: pd.DataFrame) -> pd.DataFrame:
    """Own columns before the predictions, as mhcflurry has them."""
    theirs = {
        "mhcflurry_affinity": frame["affinity_nm"],
        "mhcflurry_affinity_percentile": np.nan,
        "mhcflurry_processing_score": np.nan,
        "mhcflurry_presentation_score": frame["score"],
        "mhcflurry_presentation_percentile": frame["rank"],
    }
    own = _own_columns(frame, {*theirs, "allele", "peptide"})
    return pd.DataFrame(
        {"allele": frame["allele"], "peptide": frame["peptide"], **own, **theirs, "note": frame["note"]}
    )


def _bigmhc(frame: pd.DataFrame) -> pd.DataFrame:
    theirs = {
        "mhc": frame["allele"],
        "pep": frame["peptide"],
        "tgt": np.nan,
        "len": frame["peptide"].str.len(),
        "BigMHC_EL": frame["score"],
    }
    return pd.DataFrame({**theirs, **_own_columns(frame, set(theirs)), "note": frame["note"]})


def _nf_core(frame: pd.DataFrame) -> pd.DataFrame:
    theirs = {
        "sequence": frame["peptide"],
        "allele": frame["allele"],
        "BA": affinity_to_unit(frame["affinity_nm"].to_numpy()),
        "rank": frame["rank"],
        "binder": frame["binder"].ne("").astype(object).where(frame["rank"].notna(), None),
        "predictor": "pmhc-distil",
    }
    return pd.DataFrame({**theirs, **_own_columns(frame, set(theirs)), "note": frame["note"]})


def _mhctools(frame: pd.DataFrame) -> pd.DataFrame:
    """Two rows a pair: what the kinds are called there is presentation and affinity."""
    source = ["protein", "position"] if "protein" in frame else ["name"]
    if "position" in frame and not is_integer_dtype(frame["position"]):
        source = source[:1]  # of the user's own, which may say more than an offset can
    consumed = [name for name in (SAMPLE, "n_flank", "c_flank", *source) if name in frame]
    both = {
        "sample_name": frame.get(SAMPLE, ""),
        "peptide": frame["peptide"],
        "n_flank": frame.get("n_flank", ""),
        "c_flank": frame.get("c_flank", ""),
        "source_sequence_name": frame.get(source[0], ""),
        "offset": _positions(frame) - 1,
        "predictor_name": "pmhc-distil",
        "predictor_version": version("pmhc-distil"),
        "allele": frame["allele"],
    }
    kinds = {
        "pMHC_presentation": (frame["score"], np.nan, frame["rank"]),
        "pMHC_affinity": (affinity_to_unit(frame["affinity_nm"].to_numpy()), frame["affinity_nm"], np.nan),
    }
    rest = _own_columns(frame.drop(columns=consumed), {*both, "kind", "score", "value", "percentile_rank"})
    tables = []
    for kind, (score, value, rank) in kinds.items():
        theirs = {"kind": kind, "score": score, "value": value, "percentile_rank": rank}
        tables.append(pd.DataFrame({**both, **theirs, **rest, "note": frame["note"]}))
    return pd.concat(tables).sort_index(kind="stable").reset_index(drop=True)


_SCORE, _RANK, _NM = _DIGITS["score"], _DIGITS["rank"], _DIGITS["affinity_nm"]
_TABLES: dict[str, tuple[Callable[[pd.DataFrame], pd.DataFrame], str, dict[str, int]]] = {
    "mhcflurry": (
        _mhcflurry,
        "csv",
        {
            "mhcflurry_affinity": _NM,
            "mhcflurry_presentation_score": _SCORE,
            "mhcflurry_presentation_percentile": _RANK,
        },
    ),
    "bigmhc": (_bigmhc, "csv", {"BigMHC_EL": _SCORE}),
    "mhctools": (_mhctools, "csv", {"score": _SCORE, "value": _NM, "percentile_rank": _RANK}),
    "nf-core": (_nf_core, "tsv", {"BA": _UNIT_DIGITS, "rank": _RANK}),
}
"""What makes the table of each format, whether it is CSV or TSV, and the digits of its columns."""


class _NetMHCpanWriter:
    """Writes predictions as the text of NetMHCpan 4.1."""

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self._started = False

    def write(self, frame: pd.DataFrame) -> None:
        """Write more predictions; the header before the first."""
        if not self._started:
            self._started = True
            self._text.write(
                f"# NetMHCpan 4.1 format, written by pmhc-distil {version('pmhc-distil')}\n"
                f"# Rank Threshold for Strong binding peptides {STRONG_BINDER_RANK:7.3f}\n"
                f"# Rank Threshold for Weak binding peptides {WEAK_BINDER_RANK:7.3f}\n{_RULE}"
                " Pos         MHC         Peptide      Core Of Gp Gl Ip Il           Icore        Identity"
                f"  Score_EL %Rank_EL Score_BA %Rank_BA  Aff(nM) BindLevel\n{_RULE}"
            )
        identity = frame["protein"] if "protein" in frame else frame.get("name", pd.Series("PEPLIST", frame.index))
        units = affinity_to_unit(frame["affinity_nm"].to_numpy())
        numbers = [values_of(frame[name], _DIGITS[name]) for name in ("score", "rank", "affinity_nm")]
        texts = (frame[name].tolist() for name in ("allele", "peptide", "binder", "note"))
        # A peptide by itself is at 1, as in the output of the original.
        places = _positions(frame).fillna(1).tolist()
        rows = zip(places, identity.tolist(), units.tolist(), *numbers, *texts, strict=True)
        self._text.writelines(_netmhcpan_line(*row) for row in rows)


def _netmhcpan_line(
    position: int,
    identity: str,
    unit: float,
    score: float | None,
    rank: float | None,
    nm: float | None,
    allele: str,
    peptide: str,
    binder: str,
    note: str,
) -> str:
    if score is None:
        return f"# not scored: {' '.join(f'{peptide} {allele}: {note}'.split())}\n"
    core = peptide if len(peptide) == _CORE else "-"
    name, mhc = ("_".join(text.split()) or "-" for text in (identity, allele))
    line = f"{position:4d} {mhc:>11} {peptide:>15} {core:>9}  0  0  0  0  0 {peptide:>15} {name:>15} "
    line += f"{score:9.7f} {rank:8} {unit:8.6f} {'nan':>8} {nm:8}"
    return line + (f" <= {binder}" if binder else "") + "\n"


def _positions(frame: pd.DataFrame) -> pd.Series:
    """Give the 1-based place of each peptide in its protein, missing where it is none; 1 where there is no protein."""
    if "position" not in frame or "protein" not in frame:
        return pd.Series(1, index=frame.index, dtype="Int64")
    found = pd.to_numeric(frame["position"], errors="coerce").astype("float64")
    return found.where((found >= 1) & (found < _FAR) & (found % 1 == 0)).astype("Int64")


def _own_columns(frame: pd.DataFrame, taken: set[str]) -> dict[str, pd.Series]:
    """Give the user's columns by names that are not taken."""
    own = [str(name) for name in frame.columns if name not in PREDICTION_NAMES]
    return {new: frame[old] for old, new in unclashing_names(own, {*taken, "note"}).items()}
