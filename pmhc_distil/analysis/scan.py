"""Every window of proteins, in memory: what ``pmhc-distil scan`` does for files of any size."""

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from pmhc_distil.analysis.regions import reduction
from pmhc_distil.errors import InputError, InputWarning
from pmhc_distil.inference.request import resolve_alleles
from pmhc_distil.sequences.peptide_source import PeptideSource
from pmhc_distil.sequences.proteins import plain_sequence
from pmhc_distil.sequences.samples import PeptidesOfSamples, samples_from
from pmhc_distil.sequences.small_tables import require_columns
from pmhc_distil.sequences.tables import written_rank
from pmhc_distil.sequences.windows import SCAN_LENGTHS, checked_lengths, windows_of

if TYPE_CHECKING:
    from pmhc_distil.inference.predictor import Predictor

_ROWS = 50_000


def scan(
    proteins: Mapping[str, str] | pd.DataFrame,
    alleles: str | Sequence[str] | None = None,
    *,
    predictor: "Predictor",
    lengths: Sequence[int] = SCAN_LENGTHS,
    samples: pd.DataFrame | Mapping[Any, Any] | None = None,
    genotype: bool = False,
    grooves: Mapping[str, str] | None = None,
    max_rank: float | None = None,
    regions: bool = False,
    top: int | None = None,
) -> pd.DataFrame:
    """Predict every window of proteins.

    Parameters
    ----------
    proteins : mapping of str to str or DataFrame
        Name to sequence, or the columns ``protein`` and ``sequence``.
    alleles : str or sequence of str, optional
        HLA names in any spelling, or keys of `grooves`.
    predictor : Predictor
    lengths : sequence of int
        Of the windows, 8 to 15.
    samples : DataFrame or mapping, optional
        As for :func:`~pmhc_distil.sequences.samples.samples_from`, instead of `alleles`.
    genotype : bool
        Only the best allele of each window (and sample).
    grooves : mapping of str to str, optional
        Names to grooves (34 residues) of molecules that are given by sequence.
    max_rank : float, optional
        Leave out windows with a higher rank, and those without one.
    regions : bool
        Merge overlapping binders (rank up to `max_rank`, or 2) into regions.
    top : int, optional
        Only the best so many windows, or regions, of every protein (and sample).

    Returns
    -------
    DataFrame
        Predictions with ``protein``, ``position`` (from 1), ``n_flank`` and ``c_flank``, in the order of the proteins;
        or :data:`~pmhc_distil.sequences.result_columns.REGION_COLUMNS`.  After a ``sample`` if there are samples.

    Raises
    ------
    InputError
        For an allele that does not exist, or none, or `samples` beside `alleles`; for other lengths, or proteins
        without names; if no protein is long enough or a column is missing; for samples as
        :func:`~pmhc_distil.sequences.samples.samples_from`; for a `max_rank` that is no percentage or a `top` below 1;
        or, with `regions` or `top`, if two proteins have the same name.

    Warns
    -----
    InputWarning
        Of alleles, as :meth:`~pmhc_distil.inference.predictor.Predictor.predict`.
    """
    if isinstance(proteins, pd.DataFrame):
        require_columns(proteins, ("protein", "sequence"), "proteins")
        named: Iterable[tuple[object, object]] = zip(proteins["protein"], proteins["sequence"], strict=True)
    elif isinstance(proteins, Mapping | pd.Series):
        named = proteins.items()
    else:
        hint = "names and sequences as a mapping, or a data frame with the columns protein and sequence"
        raise InputError("named proteins are expected", source="proteins", value=type(proteins).__name__, hint=hint)
    texts = [(str(name), plain_sequence(str(text))) for name, text in named]
    max_rank, reduced = reduction(max_rank, regions=regions, top=top, genotype=genotype)
    people = None if samples is None else samples_from(samples, known=grooves or ())
    for text in resolve_alleles(alleles, grooves, samples=people, genotype=genotype).warnings:
        warnings.warn(text, InputWarning, stacklevel=2)
    rows: PeptideSource = windows_of(texts, sorted(checked_lengths(lengths)), distinct=reduced is not None)
    if people is not None:
        rows = PeptidesOfSamples(rows, people, genotype=genotype)

    def predicted() -> Iterator[pd.DataFrame]:
        for table in rows.tables(_ROWS):
            frame = predictor.predict(table, alleles, genotype=genotype, grooves=grooves)
            yield frame if max_rank is None else frame[written_rank(frame["rank"]) <= max_rank]

    parts: Iterable[pd.DataFrame] = reduced(predicted()) if reduced else predicted()
    return pd.concat(list(parts), ignore_index=True)
