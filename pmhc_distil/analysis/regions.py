"""What is told protein by protein while a scan goes on: regions of overlapping binders, and the best few rows."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from pmhc_distil.errors import checked_count, checked_percentage
from pmhc_distil.sequences.result_columns import REGION_COLUMNS, SAMPLE, SAMPLE_COLUMN, make_frame
from pmhc_distil.sequences.small_tables import require_columns
from pmhc_distil.sequences.tables import WEAK_BINDER_RANK, Column, written_rank


@dataclass
class _Region:
    """Binders that overlap, as far as they have been seen."""

    allele: str
    start: int
    end: int
    sequence: str
    binders: int
    best_peptide: str
    best_rank: float

    def add(self, other: "_Region") -> None:
        """Take in a binder that starts in the region; the best one names the allele."""
        if other.end > self.end:
            self.sequence += other.sequence[self.end - other.end :]
            self.end = other.end
        self.binders += 1
        if other.best_rank < self.best_rank:
            self.allele, self.best_peptide, self.best_rank = other.allele, other.best_peptide, other.best_rank


class _Protein:
    """The regions of one protein, by sample and allele."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._regions: dict[str, dict[str, list[_Region]]] = {}

    def add(self, sample: str, group: str, binder: _Region) -> None:
        """Take in the next binder; those of one `group` may make one region."""
        regions = self._regions.setdefault(sample, {}).setdefault(group, [])
        if regions and binder.start <= regions[-1].end:
            regions[-1].add(binder)
        else:
            regions.append(binder)

    def rows(self, top: int | None, *, samples: bool) -> list[list[object]]:
        """Give the regions as rows of the table, of each sample the best `top` if that is not None."""
        rows: list[list[object]] = []
        for sample, groups in self._regions.items():
            regions = [region for group in groups.values() for region in group]
            if top is not None:
                regions = sorted(regions, key=lambda region: region.best_rank)[:top]
            for r in regions:
                rows.append([*[sample] * samples, self.name, r.allele, r.start, r.end, r.sequence])
                rows[-1] += [r.binders, r.best_peptide, r.best_rank]
        return rows


def region_columns(*, samples: bool) -> tuple[Column, ...]:
    """Give the columns of regions, after that of the sample if there are samples."""
    return (SAMPLE_COLUMN, *REGION_COLUMNS) if samples else REGION_COLUMNS


def binder_regions(
    parts: Iterable[pd.DataFrame],
    *,
    max_rank: float = WEAK_BINDER_RANK,
    genotype: bool = False,
    top: int | None = None,
) -> Iterator[pd.DataFrame]:
    """Merge overlapping binders into regions, while predictions come in.

    Two binders of the same allele (of the same person, for a genotype) are in one region if they share a residue, or if
    others between them do.

    Parameters
    ----------
    parts : iterable of DataFrame
        Predictions of the windows of proteins, or of those that bind, with ``protein`` and ``position`` and perhaps
        ``sample``: the windows of one protein together and in the order of their positions.
    max_rank : float
        Highest rank of a binder, in percent.
    genotype : bool
        Whether each row is the best allele of a person: binders of different alleles then make one region.
    top : int, optional
        Keep only so many regions of every protein (and sample), those with the best peptides.

    Yields
    ------
    DataFrame
        For every part the regions of the proteins that ended in it, with the columns of :func:`region_columns`.
        Regions of one protein come allele by allele in the order in which these first bind, then by their start; with
        `top` the best first.

    Raises
    ------
    InputError
        If a part lacks a column.
    """
    protein: _Protein | None = None
    samples = False
    for part in parts:
        require_columns(part, ("protein", "allele", "peptide", "position", "rank"), "predictions")
        samples = SAMPLE in part
        done: list[list[object]] = []
        binders = part[written_rank(part["rank"]) <= max_rank]
        people = binders[SAMPLE] if samples else [""] * len(binders)
        cells = (binders[name] for name in ("protein", "allele", "peptide", "position", "rank"))
        for sample, name, allele, peptide, start, rank in zip(people, *cells, strict=True):
            if protein is None or name != protein.name:
                done += protein.rows(top, samples=samples) if protein else []
                protein = _Protein(name)
            binder = _Region(allele, start, start + len(peptide) - 1, peptide, 1, peptide, rank)
            protein.add(sample, "" if genotype else allele, binder)
        yield make_frame(region_columns(samples=samples), done)
    if protein is not None:
        yield make_frame(region_columns(samples=samples), protein.rows(top, samples=samples))


def best_of_proteins(parts: Iterable[pd.DataFrame], top: int) -> Iterator[pd.DataFrame]:
    """Keep the rows with the lowest ranks of every protein (and sample), while predictions come in.

    Parameters
    ----------
    parts : iterable of DataFrame
        Predictions with ``protein`` and perhaps ``sample``, the rows of one protein together.
    top : int
        Rows to keep of every protein (and sample).

    Yields
    ------
    DataFrame
        For every part the rows of the proteins that ended in it, the best first, equal ones in their order; what has no
        rank is left out.

    Raises
    ------
    InputError
        If a part lacks a column, or `top` is no number above 0.
    """
    checked_count(top, "top")
    held: pd.DataFrame | None = None
    for part in parts:
        require_columns(part, ("protein", "rank"), "predictions")
        frame = part if held is None or held.empty else pd.concat([held, part], ignore_index=True)
        best = _best(frame, top)
        going_on = (best["protein"] == frame["protein"].iloc[-1]).to_numpy() if len(frame) else np.zeros(0, dtype=bool)
        held = best[going_on]
        yield best[~going_on].reset_index(drop=True)
    if held is not None and len(held):
        yield held.reset_index(drop=True)


def _best(frame: pd.DataFrame, top: int) -> pd.DataFrame:
    keys = ["protein", SAMPLE] if SAMPLE in frame else ["protein"]
    scored = frame[frame["rank"].notna()]
    group = scored.groupby(keys, sort=False).ngroup().to_numpy()
    order = np.lexsort((scored["rank"].to_numpy(), group))
    within = pd.Series(group[order]).groupby(group[order]).cumcount().to_numpy()
    return scored.iloc[order[within < top]]


def reduction(
    max_rank: float | None, *, regions: bool, top: int | None, genotype: bool
) -> tuple[float | None, Callable[[Iterable[pd.DataFrame]], Iterator[pd.DataFrame]] | None]:
    """Tell what is to be made of the predictions of a scan.

    Parameters
    ----------
    max_rank : float, optional
    regions : bool
        Merge binders into regions; without a `max_rank` these are the weak binders and better.
    top : int, optional
        Keep so many rows, or regions, of every protein.
    genotype : bool
        As for :func:`binder_regions`.

    Returns
    -------
    max_rank : float or None
        Highest rank of what is of interest.
    reduced : callable or None
        Makes the result of predictions, part by part; None where they are the result.

    Raises
    ------
    InputError
        For a `max_rank` that is no percentage, or a `top` that is no whole number above 0.
    """
    if max_rank is not None:
        checked_percentage(max_rank, "max_rank")
    if top is not None:
        checked_count(top, "top")
    if regions:
        max_rank = WEAK_BINDER_RANK if max_rank is None else max_rank
        return max_rank, partial(binder_regions, max_rank=max_rank, genotype=genotype, top=top)
    return max_rank, partial(best_of_proteins, top=top) if top is not None else None
