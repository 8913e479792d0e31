"""From files of ligands and affinities to the training and validation tables.

Peptides are split, not rows, so that no peptide is in two tables.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.affinity import BINDER_NM, MEASURED
from pmhc_distil.sequences.hla import resolve_allele
from pmhc_distil.sequences.label_noise import LabelNoise, believed
from pmhc_distil.sequences.motifs import Motifs
from pmhc_distil.sequences.negatives import HardNegatives, draw_negatives
from pmhc_distil.sequences.prepared import Prepared
from pmhc_distil.sequences.proteins import Proteome
from pmhc_distil.sequences.residues import PEPTIDE_LENGTHS
from pmhc_distil.sequences.sources import (
    NEGATIVE,
    POOLED,
    TABLE_COLUMNS,
    UNLABELLED,
    Source,
    read_held_out,
    read_source,
)
from pmhc_distil.sequences.split import validation_mask


def prepare(
    folder: Path,
    sources: Sequence[Source],
    proteome: Proteome,
    *,
    negatives_per_positive: float,
    uniform_share: float,
    validation_share: float,
    seed: int,
    hard_negatives: HardNegatives | None = None,
    label_noise: LabelNoise | None = None,
    pooled: Sequence[str] = (),
    held_out: Sequence[Source] = (),
    held_out_alleles: Sequence[str] = (),
) -> Prepared:
    """Join the sources, add negatives and split by peptide.

    Negatives are random windows of proteins.  A share of them has every length equally often, the others follow the
    lengths of the ligands, where most mistakes are to be avoided.  The column ``offset`` undoes that choice: a model
    whose logit is trained with the offset added gives the odds against negatives of which all lengths are equally
    likely, and so learns how often each allele presents each length (logit adjustment, Menon et al. 2021).  A source
    restricted to some lengths counts as if it had its missing lengths too.  A window that is a known ligand or binder
    of any allele is not used.

    Most random windows are told from ligands at a glance, and teach little.  With ``hard_negatives``, training has
    negatives of a larger number, each kept with the probability that it is a ligand by the allele's motif, but not less
    than with ``least_kept``; the offset takes that back, too (local case-control sampling, Fithian and Hastie 2014).
    Validation and the meaning of the logit stay as they are.

    With ``pooled``, the tables have the column :data:`~pmhc_distil.sequences.sources.POOLED`, by which a model learns
    in an output that only training has what sets the ligands of these sources apart from the others.

    With ``label_noise``, training leaves out ligands of other sources than the trusted one, each with the probability
    that it is not its allele's own (:func:`~pmhc_distil.sequences.label_noise.believed`).  They are not negatives
    either.  Validation has all ligands.

    Parameters
    ----------
    folder : Path
        Holds the sources.
    sources : sequence of Source
        Of two that know the same pair, the first counts.
    proteome : Proteome
        Of whose windows the negatives are.
    negatives_per_positive : float
        Negatives for each ligand of a source that holds all lengths: the odds that the logit is about.
    uniform_share : float
        Share of the negatives, above 0 and at most 1, whose lengths are equally likely.
    validation_share : float
        Share of the peptides, above 0 and at most 1, that go to validation.
    seed : int
        Draws the negatives and the split.
    hard_negatives : HardNegatives, optional
    label_noise : LabelNoise, optional
    pooled : sequence of str
        Files among the sources of whose ligands some stand under an allele that did not present them, as where samples
        with several alleles, or the work of many laboratories, were pooled.
    held_out : sequence of Source
        Files of peptides that no table may hold, whatever else stands in their rows, and of whatever length.
    held_out_alleles : sequence of str
        Alleles that no table may hold.

    Returns
    -------
    Prepared

    Raises
    ------
    InputError
        If a setting is outside its range, a source cannot be read, or nothing is left to train on.
    """
    _check_numbers(negatives_per_positive, uniform_share, validation_share, seed, hard_negatives)
    _check_names(sources, pooled, held_out_alleles)
    dropped: Counter[str] = Counter()
    joined, absent, kept_out = _read(folder, sources, held_out, held_out_alleles, dropped)
    ligands, others = _distinct(joined, dropped)
    if ligands.empty and others.empty:
        hint = ", ".join(f"{count:,} {reason}" for reason, count in dropped.items() if count)
        raise InputError("nothing is left to train on", source=str(folder), hint=hint or "the sources have no rows")
    binders = others.loc[(others["affinity_nm"] < BINDER_NM) & (others["inequality"] != ">"), "peptide"]
    known = set(ligands["peptide"]) | set(binders) | set(absent["peptide"]) | kept_out
    believed_ligands = ligands
    if label_noise:
        training = ligands[~validation_mask(ligands["peptide"], validation_share, seed)]
        wrong = _wrong(training, sources, proteome, known, label_noise, seed + 2)
        files = ligands.loc[wrong, "source"].map({source.name: source.file for source in sources})
        for name, count in files.value_counts(sort=False).items():
            dropped[f"{name}: ligand that label_noise takes for another allele's, or none"] += int(count)
        believed_ligands = ligands.drop(index=wrong)
    positives = pd.concat([believed_ligands, others], ignore_index=True)
    shares = _shares_of_lengths(believed_ligands)
    uniform = 1 / len(PEPTIDE_LENGTHS)
    drawn = (1 - uniform_share) * shares + uniform_share * uniform
    draw = partial(draw_negatives, believed_ligands, sources, shares, proteome, known)
    table = pd.concat([positives, draw(negatives_per_positive * drawn, seed)], ignore_index=True)
    for_lengths = dict(np.log(uniform / drawn))
    table["offset"] = table["peptide"].str.len().map(for_lengths).where(table["label"].notna(), 0.0)
    in_split = validation_mask(table["peptide"], validation_share, seed)
    train, validation = table[~in_split], table[in_split]
    if not ((train["label"] == 1) | train["affinity_nm"].notna()).any():
        hint = f"validation_share is {validation_share:g}, and there are {len(positives):,} measured pairs"
        raise InputError("no ligand and no affinity is left for training", source=str(folder), hint=hint)
    if hard_negatives and (train["label"] == 1).any() and (train["source"] == NEGATIVE).any():

        def harder(chance: Callable[[pd.DataFrame], NDArray[np.float64]]) -> pd.DataFrame:
            found = draw(hard_negatives.per_positive * drawn, seed + 1, chance)
            found = found[~validation_mask(found["peptide"], validation_share, seed)]
            return found.assign(offset=found["peptide"].str.len().map(for_lengths))

        train = _with_harder(train, harder, hard_negatives, hard_negatives.per_positive / negatives_per_positive)
    if pooled:
        names = {source.name for source in sources if source.file in pooled}
        train, validation = (_with_pooled(part, believed_ligands, names) for part in (train, validation))
    trained = positives[~in_split[: len(positives)]]
    counts = trained.groupby("allele")["label"].agg(
        ligands=lambda label: int((label == 1).sum()), affinities=lambda label: int(label.isna().sum())
    )
    # What was left out as wrong has been looked at, too.
    measured = pd.concat([trained, ligands.drop(index=believed_ligands.index)])[["peptide", "allele"]]
    return Prepared(
        train=train.reset_index(drop=True),
        validation=validation.reset_index(drop=True),
        alleles=counts.reset_index(),
        measured=measured.reset_index(drop=True),
        held_out=absent.drop(columns="offset").rename(columns={"affinity_nm": MEASURED}).reset_index(drop=True),
        dropped=dict(dropped),
    )


def _check_numbers(
    negatives_per_positive: float,
    uniform_share: float,
    validation_share: float,
    seed: int,
    hard_negatives: HardNegatives | None,
) -> None:
    """Refuse numbers that are outside their range."""
    ranges = [
        ("negatives_per_positive", negatives_per_positive, 1000),
        ("uniform_share", uniform_share, 1),
        ("validation_share", validation_share, 1),
    ]
    if hard_negatives:
        ranges += [
            ("hard_negatives: per_positive", hard_negatives.per_positive, 1000),
            ("hard_negatives: least_kept", hard_negatives.least_kept, 1),
        ]
    for name, value, most in ranges:
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value <= most:
            hint = f"above 0, at most {most}"
            raise InputError("not a number in its range", "recipe", column=name, value=value, hint=hint)
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        raise InputError("not a seed", "recipe", column="seed", value=seed, hint="a whole number, not negative")


def _check_names(sources: Sequence[Source], pooled: Sequence[str], held_out_alleles: Sequence[str]) -> None:
    """Refuse what names no alleles or no sources, or a source as something else is called."""
    if not isinstance(held_out_alleles, list | tuple) or not all(isinstance(name, str) for name in held_out_alleles):
        given, hint = held_out_alleles, "a list, such as [A*02:01, B*07:02]"
        raise InputError("not a list of alleles", "recipe", column="held_out_alleles", value=given, hint=hint)
    files = dict.fromkeys(source.file for source in sources)
    if not isinstance(pooled, list | tuple) or not all(isinstance(name, str) and name in files for name in pooled):
        hint = f"a list of some of the sources: {', '.join(files)}"
        raise InputError("not a list of sources", "recipe", column="pooled", value=pooled, hint=hint)
    for source in sources:
        if source.name in (NEGATIVE, UNLABELLED):
            hint = f"tables call rows that are from no source '{source.name}'; rename the file"
            raise InputError("no name for a source", "recipe", column="sources: file", value=source.file, hint=hint)


def _read(
    folder: Path,
    sources: Sequence[Source],
    held_out: Sequence[Source],
    held_out_alleles: Sequence[str],
    dropped: Counter[str],
) -> tuple[pd.DataFrame, pd.DataFrame, set[str]]:
    """Read all sources: rows for the tables, those held out, with the reason, and the peptides that are held out."""
    joined = pd.concat([read_source(folder, source, dropped) for source in sources], ignore_index=True)
    peptides = {text for part in held_out for text in read_held_out(folder, part, dropped)}
    alleles = [_held_out(name) for name in held_out_alleles]
    reason = pd.Series("", joined.index).mask(joined["peptide"].isin(peptides), "peptide")
    reason = reason.mask(joined["allele"].isin(alleles), "allele")
    absent = joined.assign(held_out=reason)[reason != ""]
    dropped["held out"] += len(absent)
    return joined[reason == ""], absent, peptides


def _distinct(joined: pd.DataFrame, dropped: Counter[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Give every ligand once, and every other measured pair: non-ligands, then affinities."""
    # An affinity that is listed twice is taken for one measurement that two publications or sources of one file report.
    unique = joined.drop_duplicates(["peptide", "allele", "label", "affinity_nm", "inequality"])
    unique = _one_affinity_per_pair(unique)
    again = int(joined["affinity_nm"].notna().sum()) - int(unique["affinity_nm"].notna().sum())
    dropped["affinity measured again, or known from an earlier source"] += again
    labelled = unique[unique["label"].notna()].drop_duplicates(["peptide", "allele"])
    ligands, others = labelled[labelled["label"] == 1], labelled[labelled["label"] == 0]
    for what, label, kept_rows in (("ligand", 1, ligands), ("non-ligand", 0, others)):
        again = int((joined["label"] == label).sum()) - len(kept_rows)
        dropped[f"{what} known from an earlier source"] += again
    return ligands, pd.concat([others, unique[unique["label"].isna()]])


def _with_harder(
    train: pd.DataFrame,
    draw: Callable[[Callable[[pd.DataFrame], NDArray[np.float64]]], pd.DataFrame],
    hard_negatives: HardNegatives,
    more: float,
) -> pd.DataFrame:
    """Put negatives that are hard to tell from ligands in the place of random ones, with the offset of that choice.

    `draw` gives those that are kept of `more` times as many, each with a chance of its own.
    """
    random = train["source"] == NEGATIVE
    motifs = Motifs(train[train["label"] == 1], train[random])

    def chance(pairs: pd.DataFrame) -> NDArray[np.float64]:
        guessed = motifs.probability(pairs["peptide"], pairs["allele"], hard_negatives.per_positive)
        return np.maximum(guessed, hard_negatives.least_kept)

    train = pd.concat([train[~random], draw(chance)], ignore_index=True)
    # Negatives that a source brings along were not chosen this way.
    chosen = (train["label"] == 1) | (train["source"] == NEGATIVE)
    train.loc[chosen, "offset"] -= np.log(more * chance(train[chosen]))
    return train


def _with_pooled(table: pd.DataFrame, ligands: pd.DataFrame, names: set[str]) -> pd.DataFrame:
    """Add the column :data:`POOLED`; negatives stand for the ligands of their allele, from whatever source."""
    share = ligands["source"].isin(names).groupby(ligands["allele"]).mean()
    pooled = table["source"].isin(names).astype(float)
    negative = table["source"] == NEGATIVE
    return table.assign(
        **{POOLED: pooled.mask(negative, table["allele"].map(share)).where(table["label"].notna(), 0.0)}
    )


def _held_out(name: str) -> str:
    try:
        return resolve_allele(name).name
    except InputError as error:
        raise replace(error, source="recipe", column="held_out_alleles") from error


def _shares_of_lengths(ligands: pd.DataFrame) -> "pd.Series[float]":
    return ligands["peptide"].str.len().value_counts(normalize=True).reindex(PEPTIDE_LENGTHS, fill_value=0.0)


def _wrong(
    ligands: pd.DataFrame,
    sources: Sequence[Source],
    proteome: Proteome,
    known: set[str],
    label_noise: LabelNoise,
    seed: int,
) -> pd.Index:
    """Draw the ligands to leave out, each with the probability that it is not its allele's; give their index."""
    reference = [source for source in sources if source.file == label_noise.reference]
    trusted = ligands[ligands["source"].isin([source.name for source in reference])]
    if trusted.empty:
        hint = "name one of the sources, with ligands"
        reference_of = "label_noise: reference"
        raise InputError("no ligands", "recipe", column=reference_of, value=label_noise.reference, hint=hint)
    one_each = pd.Series(1.0, PEPTIDE_LENGTHS)
    windows = draw_negatives(trusted, reference, _shares_of_lengths(trusted), proteome, known, one_each, seed)
    probability = believed(ligands, windows, label_noise)
    return ligands.index[np.random.default_rng(seed).random(len(ligands)) >= probability]


def _one_affinity_per_pair(table: pd.DataFrame) -> pd.DataFrame:
    """Keep, of different affinities of a pair, its first source's, and of these the geometric mean per inequality."""
    measured = table["affinity_nm"].notna()
    affinities = table[measured]
    first = affinities.groupby(["peptide", "allele"], sort=False)["source"].transform("first")
    kept = affinities[affinities["source"] == first].copy()
    kept["affinity_nm"] = np.log(kept["affinity_nm"].clip(lower=1e-3))
    merged = kept.groupby(["peptide", "allele", "inequality", "offset", "source"], sort=False, as_index=False)[
        "affinity_nm"
    ].mean()
    merged["affinity_nm"] = np.exp(merged["affinity_nm"])
    merged["label"] = np.nan
    return pd.concat([table[~measured], pd.DataFrame(merged)[TABLE_COLUMNS]], ignore_index=True)
