"""What every substitution of a peptide does to its presentation: the in-silico substitution matrix.

Attention of the model is not shown: which groove residues it looks at does not tell which of them matter
(``tests/analysis/test_attention.py`` measures that).
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pmhc_distil.errors import InputError
from pmhc_distil.inference.predictor import Predictor
from pmhc_distil.inference.request import resolve_alleles
from pmhc_distil.sequences.residues import RESIDUES, peptide_problem
from pmhc_distil.sequences.result_columns import SUBSTITUTION_COLUMNS, make_frame
from pmhc_distil.sequences.small_tables import require_columns


def substitutions(
    predictor: Predictor,
    peptides: Sequence[str],
    alleles: Sequence[str] | None,
    *,
    grooves: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Predict every peptide with each residue replaced by every other.

    Parameters
    ----------
    predictor : Predictor
    peptides : sequence of str
        8 to 15 standard residues each.
    alleles : sequence of str, optional
        HLA names in any spelling, or keys of `grooves`; by default all of these.
    grooves : mapping of str to str, optional
        Names to grooves (34 residues) of molecules that are given by sequence.

    Returns
    -------
    DataFrame
        Columns :data:`~pmhc_distil.sequences.result_columns.SUBSTITUTION_COLUMNS`; for every peptide and allele the
        positions in their order, at each a row for all twenty residues, the peptide's own among them, without change.

    Raises
    ------
    InputError
        For a peptide that cannot be scored, an allele that does not exist, or none at all.
    """
    request = resolve_alleles(alleles, grooves)
    own = dict(zip(request.allele_names, request.grooves, strict=True))
    parts = []
    for peptide in dict.fromkeys(map(checked_peptide, peptides)):
        variants = [replaced(peptide, at, residue) for at in range(len(peptide)) for residue in RESIDUES]
        native = [at * len(RESIDUES) + RESIDUES.index(residue) for at, residue in enumerate(peptide)]
        for name, groove in own.items():
            found = predictor.predict(variants, grooves={name: groove})
            logit = logits_of(found["score"].to_numpy())
            rank = found["rank"].to_numpy()
            start = native[0]
            cells = [
                [peptide] * len(variants),
                [name] * len(variants),
                np.repeat(np.arange(len(peptide)) + 1, len(RESIDUES)),
                list(np.repeat(list(peptide), len(RESIDUES))),
                list(RESIDUES) * len(peptide),
                logit - logit[start],
                np.log10(rank) - np.log10(rank[start]),
                found["score"],
                rank,
            ]
            names = [column.name for column in SUBSTITUTION_COLUMNS]
            parts.append(pd.DataFrame(dict(zip(names, cells, strict=True))))
    return pd.concat(parts, ignore_index=True) if parts else make_frame(SUBSTITUTION_COLUMNS, [])


def position_effects(table: pd.DataFrame) -> pd.DataFrame:
    """Average the substitutions of every position.

    Parameters
    ----------
    table : DataFrame
        Of :func:`substitutions`.

    Returns
    -------
    DataFrame
        Columns ``peptide``, ``allele``, ``position``, ``residue`` and the mean of ``logit_change`` over the nineteen
        other residues; the lower, the more the position holds.

    Raises
    ------
    InputError
        If a column is missing.
    """
    require_columns(table, ("peptide", "allele", "position", "residue", "substitute", "logit_change"), "substitutions")
    changed = table[table["residue"] != table["substitute"]]
    keys = ["peptide", "allele", "position", "residue"]
    return changed.groupby(keys, sort=False)[["logit_change"]].mean().reset_index()


def checked_peptide(peptide: str) -> str:
    """Give a peptide in upper case, or refuse it.

    Raises
    ------
    InputError
        If it is no text, or cannot be scored.
    """
    if not isinstance(peptide, str):
        raise InputError("not a text", source="peptide", value=peptide)
    text = peptide.strip().upper()
    if problem := peptide_problem(text):
        raise InputError(problem, source="peptide", value=peptide)
    return text


def replaced(peptide: str, at: int, residue: str) -> str:
    """Put a residue at a place, counted from 0."""
    return peptide[:at] + residue + peptide[at + 1 :]


def logits_of(score: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the logarithms of the odds of probabilities."""
    return np.log(score) - np.log1p(-score)
