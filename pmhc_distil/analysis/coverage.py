"""Which share of a population presents a set of peptides, from the frequencies of its alleles."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.frequencies import frequencies_from
from pmhc_distil.sequences.hla import resolve_allele
from pmhc_distil.sequences.peptide_table import PeptideTable
from pmhc_distil.sequences.result_columns import COVERAGE_COLUMNS, make_frame
from pmhc_distil.sequences.tables import WEAK_BINDER_RANK, unclashing_names, written_rank

if TYPE_CHECKING:
    from pmhc_distil.inference.predictor import Predictor

ALL_LOCI = "all"
"""What the column ``locus`` says where the loci are taken together."""
_REACHED = 0.9
_KNOWN = {"population", "locus", "allele", "known", "frequency"}


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
        ``peptide``, ``allele`` and ``rank``: one row for every peptide and allele, as
        :meth:`~pmhc_distil.inference.predictor.Predictor.predict` gives them without ``genotype``.
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
        As :func:`~pmhc_distil.sequences.frequencies.frequencies_from`; or if the predictions have a column too few or
        only the best allele of each peptide.
    """
    for name in ("peptide", "allele", "rank"):
        if name not in predictions:
            raise InputError("the predictions have no such column", source="predictions", column=name)
    if "alleles_bound" in predictions:
        hint = "predict again without --genotype"
        raise InputError("these are predictions of the best allele alone", source="predictions", hint=hint)
    table = frequencies if set(frequencies) >= _KNOWN else frequencies_from(frequencies)
    names = {text: _canonical(text) for text in predictions["allele"].unique()}
    own = predictions.assign(allele=predictions["allele"].map(names)).drop_duplicates(["peptide", "allele"])
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
        With alleles and a column ``rank``: a table of predictions.  With alleles alone each row is predicted with its
        own, else every peptide with all known alleles of the frequencies.
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
    renamed = unclashing_names(["rank", "alleles_bound"])
    if peptides.allele_column is not None and renamed["rank"] in frame:
        frame = frame.rename(columns={new: old for old, new in renamed.items()})
        ranks = pd.to_numeric(frame["rank"], errors="coerce")
        wrong = np.flatnonzero(ranks.isna() & (frame["rank"] != ""))
        if len(wrong):
            row, value = int(peptides.rows[wrong[0]]), frame["rank"].iloc[wrong[0]]
            raise InputError("not a rank", source=peptides.source, row=row, column="rank", value=value)
        return frame.assign(rank=ranks)
    known = frequencies.loc[frequencies["known"], "allele"].unique().tolist()
    if not known:
        raise InputError(
            "none of the alleles is known and expressed", source="--frequencies", value=frequencies["allele"].iloc[0]
        )
    distinct = frame.drop_duplicates([name for name in ("peptide", "allele") if name in frame])
    alleles = None if peptides.allele_column is not None else known
    return load().predict(replace(peptides, frame=distinct.reset_index(drop=True)), alleles, progress=True)


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
