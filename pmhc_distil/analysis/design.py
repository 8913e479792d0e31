"""Peptides with a few substitutions that bind better, or no longer.

The counterpart of TransPHLA's AOMP (Chu et al. 2022, Nat Mach Intell 4:300), which looks attention up for where to
substitute.  Here the model itself judges every substitution: a beam search keeps the best peptides of every number of
substitutions, and tries all further ones of these in batches.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pmhc_distil.analysis.similarity import identities, similarities
from pmhc_distil.analysis.substitutions import checked_peptide, logits_of, replaced
from pmhc_distil.errors import InputError, checked_count, checked_percentage
from pmhc_distil.inference.predictor import Predictor
from pmhc_distil.inference.request import resolve_alleles
from pmhc_distil.sequences.residues import RESIDUES
from pmhc_distil.sequences.result_columns import DESIGN_COLUMNS, make_frame
from pmhc_distil.sequences.tables import WEAK_BINDER_RANK, binder_class

BEAM = 32
"""Peptides of every number of substitutions that further ones are tried of."""
MOST_CHANGES = 4
"""Substitutions of a peptide, at most: with more of them it is another one."""
_TIE = 1e-3
"""Weight of the logit, which tells peptides apart that rank among the last."""


@dataclass(frozen=True)
class Rules:
    """What a designed peptide has to keep to.

    Attributes
    ----------
    changes : int
        Most substitutions, 1 to 4.
    fixed : collection of int or str
        What stays: positions (from 1, or from -1 for the last) and residues (all of one letter).
    avoid : collection of str
        Residues that are never put in.  By default cysteine: mass spectrometry misses peptides with it, and what models
        learn from its ligands, that nothing binds that has a cysteine, is no advice.
    similarity : float
        Lowest similarity to the given peptide, by BLOSUM62, 0 to 1.

    Raises
    ------
    InputError
        For a number out of its range, or what is no list.
    """

    changes: int = MOST_CHANGES
    fixed: Collection[int | str] = ()
    avoid: Collection[str] = "C"
    similarity: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what cannot be kept to, whatever the peptide."""
        if not isinstance(self.changes, Integral) or not 1 <= self.changes <= MOST_CHANGES:
            reason = f"a whole number from 1 to {MOST_CHANGES} is expected"
            raise InputError(reason, source="changes", value=self.changes)
        if not isinstance(self.similarity, Real) or not 0 <= self.similarity <= 1:
            raise InputError("a number from 0 to 1 is expected", source="similarity", value=self.similarity)
        for name in ("fixed", "avoid"):
            if not isinstance(value := getattr(self, name), Collection):
                raise InputError("a list is expected", source=name, value=value)

    def free(self, peptide: str) -> list[int]:
        """Give the places, from 0, that may be substituted.

        Raises
        ------
        InputError
            If a fixed position is outside the peptide, a letter is no residue, or nothing is free.
        """
        kept: set[int] = set()
        for what in self.fixed:
            if isinstance(what, str):
                if what not in RESIDUES:
                    raise InputError("not a residue", source="fixed", value=what)
                kept.update(at for at, residue in enumerate(peptide) if residue == what)
            elif not isinstance(what, Integral) or not 1 <= abs(what) <= len(peptide):
                raise InputError(f"{peptide} has {len(peptide)} positions", source="fixed", value=what)
            else:
                kept.add(what - 1 if what > 0 else len(peptide) + what)
        for letter in self.avoid:
            if letter not in RESIDUES:
                raise InputError("not a residue", source="avoid", value=letter)
        free = [at for at in range(len(peptide)) if at not in kept]
        if not free:
            raise InputError("no position is free to be substituted", source="fixed", value=peptide)
        if set(RESIDUES) <= set(self.avoid):
            raise InputError("no residue is left to put in", source="avoid", value=self.avoid)
        return free


@dataclass(frozen=True)
class _Variant:
    """A peptide on the way: the steps that led to it and, after every one, the rank of the allele that limits it."""

    peptide: str
    steps: tuple[str, ...]
    limits: tuple[float, ...]
    places: frozenset[int]


@dataclass(frozen=True)
class _Judged:
    """Predictions of some peptides for all alleles.

    Attributes
    ----------
    scores, ranks : ndarray of float, shape (peptides, alleles)
    limiting : ndarray of int, shape (peptides,)
        The allele that is furthest from the aim.
    merit : ndarray of float, shape (peptides,)
        How near that one is; higher is better.
    """

    scores: NDArray[np.float64]
    ranks: NDArray[np.float64]
    limiting: NDArray[np.intp]
    merit: NDArray[np.float64]


def design(
    predictor: Predictor,
    peptides: Sequence[str],
    alleles: Sequence[str] | None,
    *,
    grooves: Mapping[str, str] | None = None,
    reverse: bool = False,
    rules: Rules | None = None,
    rank: float = WEAK_BINDER_RANK,
    best: int = 5,
    beam: int = BEAM,
) -> pd.DataFrame:
    """Find substitutions that make peptides bind all of some alleles, or none of them.

    Parameters
    ----------
    predictor : Predictor
    peptides : sequence of str
        8 to 15 standard residues each.
    alleles : sequence of str, optional
        HLA names in any spelling, or keys of `grooves`; by default all of these.
    grooves : mapping of str to str, optional
        Names to grooves (34 residues) of molecules that are given by sequence.
    reverse : bool
        Make the peptides bind none of the alleles.
    rules : Rules, optional
        What to keep to; by default up to four substitutions anywhere.
    rank : float
        The aim, in percent: a rank up to it with all alleles or, reversed, above it.
    best : int
        Peptides to give of every number of substitutions.
    beam : int
        Peptides to go on with, at least `best`.

    Returns
    -------
    DataFrame
        Columns :data:`~pmhc_distil.sequences.result_columns.DESIGN_COLUMNS`: for every peptide itself, then the best
        with one substitution, with two, and so on.

    Raises
    ------
    InputError
        For a peptide that cannot be scored, an allele that does not exist, rules that leave nothing free, or a number
        out of its range.
    """
    checked_percentage(rank, "rank")
    checked_count(best, "best")
    checked_count(beam, "beam")
    request = resolve_alleles(alleles, grooves)
    own = dict(zip(request.allele_names, request.grooves, strict=True))
    rules = rules or Rules()
    given = list(dict.fromkeys(map(checked_peptide, peptides)))
    free = {peptide: rules.free(peptide) for peptide in given}
    rows = []
    for peptide in given:
        judged = _judge(predictor, [peptide], own, reverse)
        start = _Variant(peptide, (), (float(judged.ranks[0, judged.limiting[0]]),), frozenset())
        rows.append(_row(peptide, start, judged, 0, list(own), reverse, rank))
        variants = [start]
        for _ in range(min(rules.changes, len(free[peptide]))):
            variants, judged = _step(predictor, peptide, variants, free[peptide], rules, own, reverse, max(beam, best))
            rows += [
                _row(peptide, variant, judged, number, list(own), reverse, rank)
                for number, variant in enumerate(variants[:best])
            ]
            if not variants:
                break
    return make_frame(DESIGN_COLUMNS, rows)


def _step(
    predictor: Predictor,
    peptide: str,
    variants: Sequence[_Variant],
    free: Sequence[int],
    rules: Rules,
    own: Mapping[str, str],
    reverse: bool,
    beam: int,
) -> tuple[list[_Variant], _Judged]:
    """Try every further substitution of some variants; give the best and what is predicted of them."""
    found: dict[str, tuple[_Variant, int]] = {}
    for variant in variants:  # the best first, so that its way is the one that is told
        for at in free:
            if at in variant.places:
                continue
            for residue in RESIDUES:
                if residue != peptide[at] and residue not in rules.avoid:
                    found.setdefault(replaced(variant.peptide, at, residue), (variant, at))
    texts = list(found)
    if texts:
        near = similarities(peptide, texts) >= rules.similarity
        texts = [text for text, kept in zip(texts, near, strict=True) if kept]
    judged = _judge(predictor, texts, own, reverse)
    order = np.argsort(-judged.merit, kind="stable")[:beam]
    judged = _Judged(judged.scores[order], judged.ranks[order], judged.limiting[order], judged.merit[order])
    best = []
    for number, place in enumerate(order):
        text = texts[place]
        before, at = found[text]
        step = f"{peptide[at]}{at + 1}{text[at]}"
        limit = float(judged.ranks[number, judged.limiting[number]])
        best.append(_Variant(text, (*before.steps, step), (*before.limits, limit), before.places | {at}))
    return best, judged


def _judge(predictor: Predictor, texts: Sequence[str], own: Mapping[str, str], reverse: bool) -> _Judged:
    """Predict peptides with all alleles, and find the allele of each that is furthest from the aim."""
    if not texts:
        none = np.empty((0, len(own)))
        return _Judged(none, none, np.empty(0, dtype=np.intp), np.empty(0))
    table = predictor.predict(list(texts), grooves=own)
    scores = table["score"].to_numpy().reshape(len(texts), len(own))
    ranks = table["rank"].to_numpy().reshape(len(texts), len(own))
    strength = _TIE * logits_of(scores) - np.log10(ranks)
    merit = -strength if reverse else strength
    furthest = ranks.min(1) if reverse else ranks.max(1)
    limiting = np.where(ranks == furthest[:, None], merit, np.inf).argmin(1)
    return _Judged(scores, ranks, limiting, merit[np.arange(len(texts)), limiting])


def _row(
    peptide: str, variant: _Variant, judged: _Judged, number: int, names: list[str], reverse: bool, aim: float
) -> tuple[object, ...]:
    """Write one row of the result."""
    limiting = judged.limiting[number]
    rank = judged.ranks[number, limiting]
    logs = np.log10(variant.limits)
    gains = np.diff(logs) if reverse else -np.diff(logs)
    return (
        peptide,
        variant.peptide,
        len(variant.steps),
        " ".join(variant.steps),
        names[limiting],
        judged.scores[number, limiting],
        rank,
        binder_class([rank])[0],
        "yes" if (rank > aim if reverse else rank <= aim) else "",
        identities(peptide, [variant.peptide])[0],
        similarities(peptide, [variant.peptide])[0],
        " ".join(f"{limit:.3g}" for limit in variant.limits),
        " ".join(f"{gain:.2f}" for gain in gains),
        "; ".join(f"{name} {own:.3g}" for name, own in zip(names, judged.ranks[number], strict=True)),
    )
