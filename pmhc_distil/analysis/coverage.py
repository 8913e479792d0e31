"""Which share of a population presents a set of peptides, from the frequencies of its alleles."""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pmhc_distil.errors import InputError, InputWarning, checked_percentage
from pmhc_distil.sequences.frequencies import frequencies_from
from pmhc_distil.sequences.hla import resolve_allele
from pmhc_distil.sequences.peptide_table import PeptideTable
from pmhc_distil.sequences.result_columns import COVERAGE_COLUMNS, make_frame
from pmhc_distil.sequences.small_tables import require_columns
from pmhc_distil.sequences.tables import WEAK_BINDER_RANK, unclashing_names, written_rank

if TYPE_CHECKING:
    from pmhc_distil.inference.predictor import Predictor

ALL_LOCI = "all"
"""What the column ``locus`` says where the loci are taken together."""
_REACHED = 0.9
_OURS = unclashing_names(["rank", "alleles_bound"])
"""What the columns of predictions are called where they are read as a user's own."""


def coverage(
    predictions: pd.DataFrame, frequencies: pd.DataFrame, *, max_rank: float = WEAK_BINDER_RANK
) -> pd.DataFrame:
    """Give the share of each population that presents at least one of the peptides, and how many of them.

    A person has two alleles of every locus, drawn independently with their frequencies (Hardy-Weinberg), and the loci
    are independent.  So a locus whose binding alleles have the frequencies f covers 1 - (1 - sum f)^2 of a population.
    A *hit* is a peptide with an allele that presents it: a peptide with two alleles of a person makes two hits, but a
    person with the same allele twice has its hits once.  Frequencies of a locus that do not sum to 1 leave the rest to
    alleles that present nothing.  PC90 is the number of hits that 90 % of the population reach or exceed, interpolated
    between whole numbers; it is below 1 where less than 90 % are covered.  Method: Bui et al., BMC Bioinformatics 2006,
    7:153 (the population coverage of the IEDB).

    Parameters
    ----------
    predictions : DataFrame
        ``peptide``, ``allele`` and ``rank`` (missing where a row has no score): one row for every peptide and allele,
        as :meth:`~pmhc_distil.inference.predictor.Predictor.predict` gives them without ``genotype``.
    frequencies : DataFrame
        ``allele``, ``frequency`` and optionally ``population``, or what
        :func:`~pmhc_distil.sequences.frequencies.read_frequencies` gives.
    max_rank : float
        Highest rank, in percent, with which an allele presents a peptide.

    Returns
    -------
    DataFrame
        :data:`~pmhc_distil.sequences.result_columns.COVERAGE_COLUMNS`: for every population, in the order of the
        frequencies, a row of all loci together and one for each.

    Raises
    ------
    InputError
        As :func:`~pmhc_distil.sequences.frequencies.frequencies_from`; if the predictions have a column too few, a
        rank that is no number, or only the best allele of each peptide; or for a `max_rank` that is no percentage.

    Warns
    -----
    InputWarning
        If peptides have no row with some of the alleles that there are predictions with.  A table of pairs leaves most
        of them out, and its coverage is too low; one that keeps ranks up to a limit is as good as whole.  Which it is
        cannot be told from the table.
    """
    checked_percentage(max_rank, "max_rank")
    table = frequencies_from(frequencies)
    own = _one_row_a_pair(predictions)
    if line := _missing_pairs(own, set(table["allele"])):
        warnings.warn(line, InputWarning, stacklevel=2)
    predicted = set(own.loc[own["rank"].notna(), "allele"])
    binding = own[written_rank(own["rank"]) <= max_rank]
    hits = binding.groupby("allele")["peptide"].nunique()
    rows: list[list[object]] = []
    for population, people in table.groupby("population", sort=False):
        counted = people["allele"].map(hits).fillna(0).astype(int).to_numpy()
        unknown = people.loc[~people["allele"].isin(predicted), "allele"]
        spread = np.ones(1)
        by_locus = []
        for locus, place in _loci(people):
            chances = hit_chances(people["frequency"].to_numpy()[place], counted[place])
            spread = np.convolve(spread, chances)
            by_locus.append((locus, place, chances))
        for locus, place, chances in [(ALL_LOCI, np.arange(len(people)), spread), *by_locus]:
            missing = unknown[unknown.index.isin(people.index[place])]
            bound = int((counted[place] > 0).sum())
            numbers = [
                min(1.0, float(chances[1:].sum())),
                float(chances @ np.arange(len(chances))),
                least_hits(chances),
            ]
            rows.append([population, locus, *numbers, len(place), bound, "; ".join(missing)])
    return make_frame(COVERAGE_COLUMNS, rows)


def predictions_for(peptides: PeptideTable, frequencies: pd.DataFrame, load: "Callable[[], Predictor]") -> pd.DataFrame:
    """Take the predictions that a table holds, or predict its peptides.

    Parameters
    ----------
    peptides : PeptideTable
        A table of predictions (:func:`holds_predictions`), or peptides, each of which is predicted with all known
        alleles of the frequencies, whatever alleles stand beside it.
    frequencies : DataFrame
        As :func:`~pmhc_distil.sequences.frequencies.read_frequencies` gives them.
    load : callable
        Loads a predictor, if one is needed.

    Raises
    ------
    InputError
        If a rank is no number, or none of the alleles of the frequencies is known and expressed.
    """
    frame = peptides.frame
    if holds_predictions(peptides):
        frame = frame.rename(columns={new: old for old, new in _OURS.items()})
        _refuse_best_alone(frame, peptides.source)
        return frame.assign(rank=_ranks(frame["rank"], peptides.source, peptides.rows))
    known = frequencies.loc[frequencies["known"], "allele"].unique().tolist()
    if not known:
        raise InputError(
            "none of the alleles is known and expressed", source="--frequencies", value=frequencies["allele"].iloc[0]
        )
    distinct = frame[["peptide", "note"]].drop_duplicates("peptide", ignore_index=True)
    return load().predict(replace(peptides, frame=distinct, allele_column=None), known, progress=True)


def holds_predictions(peptides: PeptideTable) -> bool:
    """Tell whether a table has alleles and a column ``rank``, as predictions have."""
    return peptides.allele_column is not None and _OURS["rank"] in peptides.frame


def _missing_pairs(own: pd.DataFrame, asked: set[str]) -> str:
    """Tell in one line how many pairs of a peptide and an allele that is asked for have no row; empty if all have."""
    own = own[own["peptide"] != ""]
    found = own[own["allele"].isin(asked)]
    wanted = own["peptide"].nunique() * found["allele"].nunique()
    if wanted == len(found):
        return ""
    return (
        f"{wanted - len(found):,} of {wanted:,} pairs of a peptide and an allele have no row, counted as not "
        "presented: right only if they were left out for their rank"
    )


def hit_chances(frequencies: NDArray[np.float64], hits: NDArray[np.integer]) -> NDArray[np.float64]:
    """Give the chance of every number of hits with the two alleles of one locus.

    Parameters
    ----------
    frequencies : ndarray, shape (n,)
        Of the alleles; what they lack to 1 is alleles without hits.
    hits : ndarray of int, shape (n,)
        Peptides that each allele presents.

    Returns
    -------
    ndarray, shape (most hits + 1,)
        Sums to 1.
    """
    share = np.append(frequencies, max(0.0, 1 - frequencies.sum()))
    share = share / share.sum()
    each = np.append(hits, 0)
    total = each[:, None] + each[None, :]
    np.fill_diagonal(total, each)
    return np.bincount(total.ravel(), weights=np.outer(share, share).ravel()).astype(np.float64)


def least_hits(chances: NDArray[np.float64]) -> float:
    """Give the number of hits that 90 % of the population reach, interpolated between whole numbers.

    Parameters
    ----------
    chances : ndarray
        Chance of 0, 1, 2, ... hits.
    """
    reaching = np.append(np.cumsum(chances[::-1])[::-1], 0.0)  # chance of at least 0, 1, 2, ... hits
    reaching[0] = 1.0
    most = int(np.flatnonzero(reaching >= _REACHED)[-1])
    return most + (reaching[most] - _REACHED) / (reaching[most] - reaching[most + 1])


def _refuse_best_alone(predictions: pd.DataFrame, source: str) -> None:
    if "alleles_bound" in predictions:
        hint = "predict again without --genotype"
        raise InputError("these are predictions of the best allele alone", source=source, hint=hint)


def _one_row_a_pair(predictions: pd.DataFrame) -> pd.DataFrame:
    """Check predictions, and give them with canonical alleles and ranks as numbers, each pair once."""
    require_columns(predictions, ("peptide", "allele", "rank"), "predictions")
    _refuse_best_alone(predictions, "predictions")
    ranks = _ranks(predictions["rank"], "predictions", np.arange(1, len(predictions) + 1))
    # Rows without a score may lack a peptide or an allele, which pandas reads from files as a number.
    texts = predictions[["peptide", "allele"]].astype(object)
    own = texts.where(texts.notna(), "").astype(str).assign(rank=ranks)
    own["allele"] = own["allele"].map({text: _canonical(text) for text in own["allele"].unique()})
    return own.drop_duplicates(["peptide", "allele"])


def _ranks(cells: pd.Series, source: str, rows: NDArray[np.integer]) -> NDArray[np.float64]:
    """Read ranks, NaN where a cell is missing or empty; `rows` are the lines of `source`."""
    ranks = pd.to_numeric(cells, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    wrong = np.flatnonzero(np.isnan(ranks) & cells.notna() & (cells.astype(str).str.strip() != ""))
    if len(wrong):
        hint = "a number from 0 to 100 with a point, or nothing"
        raise InputError("not a rank", source, int(rows[wrong[0]]), "rank", cells.iloc[wrong[0]], hint)
    return ranks


def _loci(people: pd.DataFrame) -> Iterator[tuple[str, NDArray[np.intp]]]:
    """Give the rows of each locus; alleles that do not tell theirs present nothing."""
    loci = people["locus"].to_numpy()
    for locus in sorted(set(loci) - {""}):
        yield locus, np.flatnonzero(loci == locus)


def _canonical(text: str) -> str:
    try:
        return resolve_allele(text).name
    except InputError:
        return text
