"""Mutant peptides beside their wild type: what a change of a protein does to presentation."""

import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pmhc_distil.analysis.anchors import P2_AND_LAST, Anchors
from pmhc_distil.analysis.mutant_windows import MUTATION_INDEX, WINDOW_COLUMNS, mutant_windows, told_of_neighbours
from pmhc_distil.errors import InputError, InputWarning, checked_percentage
from pmhc_distil.inference.request import resolve_alleles
from pmhc_distil.sequences.mutations import Mutation, mutations_from, named_mutations
from pmhc_distil.sequences.occurrence import occurring
from pmhc_distil.sequences.protein_names import NamedProteins
from pmhc_distil.sequences.proteins import plain_sequence
from pmhc_distil.sequences.readers import table_from
from pmhc_distil.sequences.result_columns import MUTANT_COLUMNS, SAMPLE_COLUMN
from pmhc_distil.sequences.samples import samples_from, with_samples
from pmhc_distil.sequences.tables import (
    GENOTYPE_COLUMNS,
    PREDICTION_COLUMNS,
    empty_predictions,
    unclashing_names,
    written_rank,
)
from pmhc_distil.sequences.windows import SCAN_LENGTHS, checked_lengths

if TYPE_CHECKING:
    from pmhc_distil.inference.predictor import Predictor

_AT_ONCE = 200


@dataclass(frozen=True)
class MutantRequest:
    """What mutant peptides are predicted with.

    Attributes
    ----------
    alleles : sequence of str or None
        HLA names in any spelling, or keys of `grooves`.
    samples : mapping, DataFrame or None
        As for :func:`~pmhc_distil.sequences.samples.samples_from`, instead of `alleles`.
    genotype : bool
        Only the best allele of each peptide (and sample).
    grooves : mapping of str to str
        Names to grooves (34 residues) of molecules that are given by sequence.
    lengths : sequence of int
        Of the peptides.
    max_rank : float or None
        Leave out mutant peptides with a higher rank.
    anchors : Anchors
        Which positions are anchors.

    Raises
    ------
    InputError
        For other lengths than 8 to 15, or a `max_rank` that is no percentage.
    """

    alleles: Sequence[str] | None = None
    samples: pd.DataFrame | Mapping[Any, Any] | None = None
    genotype: bool = False
    grooves: Mapping[str, str] = field(default_factory=dict)
    lengths: Sequence[int] = SCAN_LENGTHS
    max_rank: float | None = None
    anchors: Anchors = P2_AND_LAST

    def __post_init__(self) -> None:
        """Refuse numbers out of their range."""
        checked_lengths(self.lengths)
        if self.max_rank is not None:
            checked_percentage(self.max_rank, "max_rank")


def mutants(
    proteins: NamedProteins | Mapping[str, str],
    mutations: pd.DataFrame | Sequence[str] | Sequence[Mutation],
    request: MutantRequest,
    *,
    predictor: "Predictor",
    proteome: Iterable[str] | Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Predict all peptides over each change, beside those of the wild type.

    A change is compared with the peptide at the same place of the wild type.  Where residues were inserted or taken out
    it is the most similar peptide of the same length around the change, the first of equals; peptides that the wild
    type has as well are left out there.

    Parameters
    ----------
    proteins : NamedProteins or mapping of str to str
        The unchanged proteins.
    mutations : DataFrame or sequence
        Columns ``protein`` and ``mutation``, or texts such as ``"KRAS:G12D"``, or what
        :mod:`~pmhc_distil.sequences.mutations` has read.
    request : MutantRequest
    predictor : Predictor
    proteome : iterable of str or mapping of str to str, optional
        Proteins, or names to proteins, in which mutant peptides are looked up.

    Returns
    -------
    DataFrame
        The columns of predictions for the mutant peptides (after a genotype's also ``alleles_bound``), then
        :data:`~pmhc_distil.sequences.result_columns.MUTANT_COLUMNS`, ``sample`` if there are samples, and the other
        columns of the mutations (of a VCF, the fixed fields of their lines): mutation by
        mutation in their order, by the first residue of the peptide, the shorter first.  A mutation that cannot be
        used, because the protein is not there or has another residue or the change makes no peptide, is one row with
        the reason in ``note``.

    Raises
    ------
    InputError
        For an allele that does not exist, or none at all, or samples beside alleles; for mutations that are neither
        texts nor read; for a proteome that is one text.

    Warns
    -----
    InputWarning
        Of alleles, as :meth:`~pmhc_distil.inference.predictor.Predictor.predict`; of changes of one protein that one
        peptide could hold together, as each is made alone.
    """
    named = proteins
    if not isinstance(named, NamedProteins):
        named = NamedProteins((name, plain_sequence(sequence)) for name, sequence in named.items())
    people = None if request.samples is None else samples_from(request.samples, known=request.grooves)
    request = replace(request, samples=people)
    asked = resolve_alleles(request.alleles, request.grooves, samples=people, genotype=request.genotype)
    for text in asked.warnings:
        warnings.warn(text, InputWarning, stacklevel=2)
    if isinstance(proteome, str):
        raise InputError("a list of proteins is expected, not one text", source="proteome")
    looked_up = list(proteome.values() if isinstance(proteome, Mapping) else proteome) if proteome is not None else None
    read = _as_mutations(mutations)
    if told := told_of_neighbours(named, read, request.lengths):
        warnings.warn(told, InputWarning, stacklevel=2)
    parts = mutant_parts(named, read, request, lambda: predictor, looked_up)
    return pd.concat([frame for frame, _ in parts], ignore_index=True).infer_objects()


def mutant_parts(
    proteins: NamedProteins,
    mutations: Sequence[Mutation],
    request: MutantRequest,
    load: "Callable[[], Predictor]",
    proteome: Collection[str] | None = None,
) -> Iterator[tuple[pd.DataFrame, int]]:
    """Give what :func:`mutants` gives, some mutations at a time.

    Parameters
    ----------
    proteins : NamedProteins
    mutations : sequence of Mutation
    request : MutantRequest
    load : callable
        Gives the predictor; called if there are mutations.
    proteome : collection of str, optional
        As :func:`mutants` looks it up.

    Yields
    ------
    frame : DataFrame
    count : int
        Mutations that it is about.
    """
    if not mutations:
        yield _finished(empty_predictions(WINDOW_COLUMNS[2:], genotype=request.genotype), request), 0
        return
    predictor = load()
    own_names = list(dict.fromkeys(name for one in mutations for name in one.own))
    for some in _in_parts(mutations):
        windows = mutant_windows(proteins, some, request.lengths)
        frame = _predicted(windows, predictor, request)
        frame = _with_wild_type(frame, predictor, request)
        frame["anchor"] = request.anchors.at_anchor(predictor, frame, request.grooves)
        if proteome is not None:
            found = occurring(frame["peptide"].tolist(), proteome)
            frame["in_proteome"] = pd.Series(found, dtype="boolean").where(frame["peptide"] != "")
        own = pd.DataFrame(
            [[one.own.get(name, "") for name in own_names] for one in some], columns=own_names, dtype=object
        )
        own = own.iloc[frame[MUTATION_INDEX]].reset_index(drop=True)
        yield _with_own(_finished(frame, request), own), len(some)


def _in_parts(mutations: Sequence[Mutation]) -> Iterator[list[Mutation]]:
    """Give some mutations at a time, the readings of one variant together."""
    some: list[Mutation] = []
    for one in mutations:
        if len(some) >= _AT_ONCE and not (one.variant and one.variant == some[-1].variant):
            yield some
            some = []
        some.append(one)
    yield some


def _predicted(windows: pd.DataFrame, predictor: "Predictor", request: MutantRequest) -> pd.DataFrame:
    """Predict the mutant peptides; what is no peptide stays one row without an allele."""
    usable = windows["note"] == ""
    own = windows.drop(columns="note").assign(_order=np.arange(len(windows)))
    peptides = own[usable]
    alleles = request.alleles
    if request.samples is not None:
        peptides, alleles = with_samples(peptides, request.samples, genotype=request.genotype), None
    frame = predictor.predict(table_from(peptides), alleles, genotype=request.genotype, grooves=request.grooves)
    if request.max_rank is not None:
        frame = frame[frame["rank"].isna() | (written_rank(frame["rank"]) <= request.max_rank)]
    if usable.all():
        return frame.drop(columns="_order").reset_index(drop=True)
    rest = own[~usable].assign(note=windows.loc[~usable, "note"], allele="")
    both = pd.concat([frame, rest], ignore_index=True).sort_values("_order", kind="stable", ignore_index=True)
    return both.drop(columns="_order")


def _with_wild_type(frame: pd.DataFrame, predictor: "Predictor", request: MutantRequest) -> pd.DataFrame:
    """Add the predictions of the wild type with the allele of each row."""
    pairs = frame.loc[frame["rank"].notna() & (frame["wild_type_peptide"] != ""), ["wild_type_peptide", "allele"]]
    pairs = pairs.drop_duplicates(ignore_index=True).rename(columns={"wild_type_peptide": "peptide"})
    wild = predictor.predict(table_from(pairs), grooves=request.grooves) if len(pairs) else empty_predictions()
    keys = pd.MultiIndex.from_frame(pairs)
    place = keys.get_indexer(pd.MultiIndex.from_frame(frame[["wild_type_peptide", "allele"]])) if len(pairs) else None
    for new, old in (("wild_type_rank", "rank"), ("wild_type_affinity_nm", "affinity_nm")):
        numbers = np.append(wild[old].to_numpy(dtype=np.float64), np.nan)
        frame[new] = numbers[place] if place is not None else np.nan
    return frame.assign(fold_change=frame["wild_type_affinity_nm"] / frame["affinity_nm"])


def _finished(frame: pd.DataFrame, request: MutantRequest) -> pd.DataFrame:
    """Put the columns into their order, each with its type."""
    ours = [column for column in (*PREDICTION_COLUMNS, *GENOTYPE_COLUMNS) if column.name in frame]
    sample = [SAMPLE_COLUMN] * (request.samples is not None)
    types = {column.name: column.dtype for column in (*ours, *MUTANT_COLUMNS, *sample)}
    missing = {name: pd.Series(pd.NA, index=frame.index) for name in types if name not in frame}
    texts = {name: frame[name].fillna("") for name, kind in types.items() if kind == "str" and name in frame}
    return frame.assign(**missing, **texts).astype(types)[list(types)]


def _with_own(frame: pd.DataFrame, own: pd.DataFrame) -> pd.DataFrame:
    """Add the user's columns after ours, by names that are none of ours."""
    return frame.join(own.set_axis(list(unclashing_names(map(str, own.columns), frame.columns).values()), axis=1))


def _as_mutations(mutations: pd.DataFrame | Sequence[str] | Sequence[Mutation]) -> list[Mutation]:
    if isinstance(mutations, pd.DataFrame):
        return mutations_from(mutations)
    found: list[Mutation] = []
    for row, one in enumerate([mutations] if isinstance(mutations, str) else mutations, 1):
        if not isinstance(one, Mutation | str):
            hint = "texts such as KRAS:G12D, or a data frame with the columns protein and mutation"
            raise InputError("not a mutation", source="mutations", row=row, value=one, hint=hint)
        found += named_mutations([one], "mutations") if isinstance(one, str) else [one]
    return found
