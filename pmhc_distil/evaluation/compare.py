"""Models side by side on one table of labelled pairs."""

import contextlib
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pmhc_distil.errors import InputError
from pmhc_distil.evaluation.labels import affinities_of, labels_of
from pmhc_distil.evaluation.ranking import (
    DEFAULT_THRESHOLDS,
    best_threshold,
    expected_calibration_error,
    ranking_metrics,
)
from pmhc_distil.inference.predictor import Predictor
from pmhc_distil.sequences.affinity import MEASURED, affinity_to_unit
from pmhc_distil.sequences.explain import TRAINING_FILE, read_training_alleles
from pmhc_distil.sequences.groove_table import groove_table
from pmhc_distil.sequences.hla import resolve_allele
from pmhc_distil.sequences.overlap import HASHES_FILE, TrainingHashes, hash_pairs, hash_peptides
from pmhc_distil.sequences.peptide_table import PeptideTable
from pmhc_distil.sequences.samples import split_alleles
from pmhc_distil.tasks.metrics import binary_metrics


@dataclass(frozen=True)
class Evaluation:
    """One model on one table.

    Attributes
    ----------
    name : str
        The model's folder.
    frame : DataFrame
        The scored rows: the prediction columns and the user's own.
    given : DataFrame
        The same rows as the user gave them, the columns called as in the input, but for peptides and alleles.
    labels : ndarray of bool, shape (rows,)
    affinities : ndarray of float, shape (rows,)
        Measured affinity in nM; NaN where none was measured, or only a bound is known.
    unscored : int
        Rows left out because they have no score, or an affinity that leaves open whether they bind.
    ligands : ndarray of int, shape (rows,)
        Training ligands of each row's allele; -1 if the model folder does not tell.
    training : ndarray of str, shape (rows,)
        ``pair`` if the row was in the training data, that of a genotype with any of its alleles; ``peptide`` if its
        peptide was, with other alleles; ``new`` if neither was; empty if the model folder does not tell.
    facts : dict
        ``parameters``, ``size_mb`` (weights on disk), ``pairs_per_second`` (scoring alone, on this machine).
    """

    name: str
    frame: pd.DataFrame
    given: pd.DataFrame
    labels: NDArray[np.bool_]
    affinities: NDArray[np.float64]
    unscored: int
    ligands: NDArray[np.int64]
    training: NDArray[np.str_]
    facts: dict[str, float]


def evaluate_model(
    table: PeptideTable,
    folder: Path,
    *,
    genotype: bool = False,
    windows: int | None = None,
    threads: int | None = None,
    device: str | None = None,
) -> Evaluation:
    """Predict a labelled table with one model.

    Parameters
    ----------
    table : PeptideTable
        Pairs with a column ``label`` or ``measurement_nM``, or both, of which the latter may then be empty.
    folder : Path
        Model folder.
    genotype : bool
        A row's alleles are those of one person, of which the best counts.
    windows : int, optional
        Random peptides of every length for the ranks of grooves without a calibration; by default all there are.
    threads, device : optional
        As for :class:`~pmhc_distil.inference.predictor.Predictor`.

    Returns
    -------
    Evaluation

    Raises
    ------
    InputError
        As :func:`labels_of` and :func:`affinities_of`, before anything is predicted; or if no row can be measured, the
        folder is no model, or what it tells of its training is damaged.
    """
    labels = labels_of(table)
    affinities = np.full(len(labels), np.nan)
    if MEASURED in table.frame:
        affinities, inequality = affinities_of(table)
        affinities = np.where(inequality == "=", affinities, np.nan)
    predictor = Predictor(folder, threads=threads, device=device, windows=windows)
    frame = predictor.predict(table, genotype=genotype, progress=True)
    scored = frame["score"].notna().to_numpy() & ~np.isnan(labels)
    if not scored.any():
        why = next(iter(frame.loc[frame["score"].isna(), "note"]), "the inequalities leave open what is a binder")
        raise InputError("no row can be measured", source=table.source, hint=why)
    kept = frame[scored].reset_index(drop=True)
    # Timed on pairs that are in memory, after the prefixes are warm, so that only scoring counts.
    sample = kept.iloc[:: max(1, len(kept) // 20_000)]
    ligands = np.full(len(kept), -1)
    if (folder / TRAINING_FILE).is_file():
        counts = read_training_alleles(folder / TRAINING_FILE)
        known = {name: counts[name].ligands if name in counts else 0 for name in kept["allele"].unique()}
        ligands = kept["allele"].map(known).to_numpy(int)
    training = np.full(len(kept), "", dtype="<U7")
    if (folder / HASHES_FILE).is_file():
        hashes = TrainingHashes.read(folder / HASHES_FILE)
        training[:] = "new"
        training[hashes.seen(hash_peptides(kept["peptide"]))] = "peptide"
        pairs = kept[["peptide", "allele"]]
        if genotype:
            cells = table.frame["allele"][scored].reset_index(drop=True)
            pairs = pairs.assign(allele=cells.map({cell: _names(cell) for cell in cells.unique()})).explode("allele")
        training[pairs.index[hashes.seen(hash_pairs(pairs["peptide"], pairs["allele"]))]] = "pair"
    return Evaluation(
        name=folder.resolve().name,
        frame=kept,
        given=table.given[scored].reset_index(drop=True).assign(peptide=kept["peptide"], allele=kept["allele"]),
        labels=labels[scored] == 1,
        affinities=affinities[scored],
        unscored=int((~scored).sum()),
        ligands=ligands,
        training=training,
        facts={
            "parameters": predictor.engine.parameters,
            "size_mb": round((folder / "model.safetensors").stat().st_size / 1e6, 2),
            "pairs_per_second": round(_pairs_per_second(predictor, sample["peptide"].tolist()), -2),
        },
    )


def _names(cell: str) -> list[str]:
    """Give the canonical names of the alleles of a person, without those that do not exist."""
    names = []
    for text in split_alleles(cell):
        with contextlib.suppress(InputError):
            names.append(resolve_allele(text).name)
    return names


def summary(
    evaluations: Sequence[Evaluation],
    *,
    columns: Sequence[str] = (),
    thresholds: Mapping[str, float] = DEFAULT_THRESHOLDS,
) -> pd.DataFrame:
    """Put models side by side.

    Parameters
    ----------
    evaluations : sequence of Evaluation
        One for each model.
    columns : sequence of str
        Columns whose values group the rows, such as a donor.
    thresholds : mapping of str to float
        For ``score`` and ``score_same_length``, above what a row counts as a predicted positive.

    Returns
    -------
    DataFrame
        For every model a row by ``score`` and one by the length-neutral ``score_same_length``: ``model``, ``output``;
        ``n``, ``unscored``, ``in_training`` (rows that the model was trained on); ``auroc``, ``ap``, and at the
        threshold ``accuracy``, ``f1``, ``mcc``; ``best_threshold``, at which the MCC of this table would be highest;
        ``calibration_error``; ``error_uncertain`` and ``error_others``, the share of rows on the wrong side of the
        threshold in the tenth with the highest ``uncertainty`` and in the rest; for each of ``columns`` the means over
        its :func:`groups` of ``auroc``, ``ap`` and ``ppv``; for measured affinities ``affinity_pearson``, the
        correlation on the scale of :func:`~pmhc_distil.sequences.affinity.affinity_to_unit`, and ``affinity_auroc``, by
        the predicted affinity; and the model's ``facts``.
    """
    rows = [
        {
            "model": each.name,
            "output": output,
            "n": len(each.frame),
            "unscored": each.unscored,
            "in_training": (each.training == "pair").sum() if each.training.any() else None,
            **binary_metrics(each.labels, each.frame[output].to_numpy(), threshold=threshold),
            "best_threshold": best_threshold(each.labels, each.frame[output]),
            "calibration_error": expected_calibration_error(each.labels, each.frame[output]),
            **_errors_by_uncertainty(each, output, threshold),
            **{key: value for column in columns for key, value in _group_means(each, output, column).items()},
            **_affinity_metrics(each),
            **each.facts,
        }
        for each in evaluations
        for output, threshold in thresholds.items()
    ]
    return pd.DataFrame(rows).astype({"in_training": "Int64"})


def _errors_by_uncertainty(each: Evaluation, output: str, threshold: float) -> dict[str, float]:
    """Compare how often the most uncertain tenth of the rows is wrong with how often the others are."""
    wrong = (each.frame[output].to_numpy() > threshold) != each.labels
    flagged = np.argsort(-each.frame["uncertainty"].to_numpy(), kind="stable")[: len(wrong) // 10]
    others = np.delete(wrong, flagged)
    return {
        "error_uncertain": float(wrong[flagged].mean()) if len(flagged) else math.nan,
        "error_others": float(others.mean()) if len(others) else math.nan,
    }


def groups(values: pd.Series) -> dict[str, NDArray[np.intp]]:
    """Give the rows of every value of a column, by the value; rows without one are in no group.

    Parameters
    ----------
    values : Series, shape (rows,)

    Returns
    -------
    dict of str to ndarray of int
        In the order of the length of the values, then of their letters.
    """
    texts = values.astype(str).where(values.notna(), "")
    found = {str(name): np.asarray(rows) for name, rows in texts.groupby(texts).indices.items()}
    return {name: found[name] for name in sorted(found, key=lambda name: (len(name), name)) if name.strip()}


def _group_means(each: Evaluation, output: str, column: str) -> dict[str, float]:
    """Average metrics over the groups of a column that have both classes."""
    scores = each.frame[output].to_numpy()
    measured = [ranking_metrics(each.labels[rows], scores[rows]) for rows in groups(each.given[column]).values()]
    mean = pd.DataFrame({name: [float(one[name][0]) for one in measured] for name in ("auroc", "ap", "ppv")}).mean()
    return {f"{name}_mean_by_{column}": float(value) for name, value in mean.items()}


def _affinity_metrics(each: Evaluation) -> dict[str, float]:
    exact = ~np.isnan(each.affinities)
    if exact.sum() < 2:
        return {}
    predicted = affinity_to_unit(each.frame["affinity_nm"].to_numpy())
    with np.errstate(invalid="ignore", divide="ignore"):  # NaN where all are equal
        pearson = np.corrcoef(predicted[exact], affinity_to_unit(each.affinities[exact]))[0, 1]
    return {
        "affinity_pearson": float(pearson),
        "affinity_auroc": float(ranking_metrics(each.labels, predicted)["auroc"][0]),
    }


def _pairs_per_second(predictor: Predictor, peptides: list[str]) -> float:
    groove = groove_table().groove("HLA-A*02:01")
    index = np.zeros(len(peptides), dtype=int)
    unique = len(set(peptides))
    predictor.engine.score(peptides, [groove], index)
    start = time.perf_counter()
    predictor.engine.score(peptides, [groove], index)
    return unique / (time.perf_counter() - start)
