"""Models side by side on one table of labelled pairs."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pmhc_distil.errors import InputError
from pmhc_distil.evaluation.ranking import ranking_metrics
from pmhc_distil.inference.predictor import Predictor
from pmhc_distil.sequences.explain import TRAINING_FILE, read_training_alleles
from pmhc_distil.sequences.overlap import HASHES_FILE, TrainingHashes, hash_pairs, hash_peptides
from pmhc_distil.sequences.readers import PeptideTable
from pmhc_distil.tasks.metrics import binary_metrics

BEGIN, END = "<!-- results:begin -->", "<!-- results:end -->"


def labels_of(table: PeptideTable) -> np.ndarray:
    """Take the labels of a table.

    Returns
    -------
    ndarray of bool, shape (rows,)

    Raises
    ------
    InputError
        If there is no column ``label``, or a value other than 0 and 1 in it.
    """
    if "label" not in table.frame:
        raise InputError(
            "the column is missing", source=table.source, column="label", hint="1 for presented, 0 for not"
        )
    labels = pd.to_numeric(table.frame["label"], errors="coerce")
    bad = np.flatnonzero(~labels.isin([0, 1]))
    if len(bad):
        raise InputError(
            "not a label",
            source=table.source,
            row=int(table.rows[bad[0]]),
            column="label",
            value=table.frame["label"].iloc[bad[0]],
            hint="1 for presented, 0 for not",
        )
    return labels.to_numpy() == 1


@dataclass(frozen=True)
class Evaluation:
    """One model on one table.

    Attributes
    ----------
    name : str
        The model's folder.
    frame : DataFrame
        The scored rows: the prediction columns and the user's own.
    labels : ndarray of bool, shape (rows,)
    unscored : int
        Rows left out because they have no score.
    ligands : ndarray of int, shape (rows,)
        Training ligands of each row's allele; -1 if the model folder does not tell.
    training : ndarray of str, shape (rows,)
        ``pair`` if the row was in the training data, ``peptide`` if its peptide was, with other alleles, ``new`` if
        neither was; empty if the model folder does not tell.
    facts : dict
        ``parameters``, ``size_mb`` (weights on disk), ``pairs_per_second`` (scoring alone, on this machine).
    """

    name: str
    frame: pd.DataFrame
    labels: NDArray[np.bool_]
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
        Pairs with a column ``label``.
    folder : Path
        Model folder.
    genotype : bool
        A row's alleles are those of one person, of which the best counts.
    windows : int, optional
        Random peptides of every length for the ranks of grooves without a calibration; by default all there are.
    """
    labels = labels_of(table)
    predictor = Predictor(folder, threads=threads, device=device, windows=windows)
    frame = predictor.predict(table, genotype=genotype, progress=True)
    scored = frame["score"].notna().to_numpy()
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
        training[hashes.seen(hash_pairs(kept["peptide"], kept["allele"]))] = "pair"
    return Evaluation(
        name=folder.name,
        frame=kept,
        labels=labels[scored],
        unscored=int((~scored).sum()),
        ligands=ligands,
        training=training,
        facts={
            "parameters": predictor.engine.parameters,
            "size_mb": round((folder / "model.safetensors").stat().st_size / 1e6, 2),
            "pairs_per_second": round(_pairs_per_second(predictor, sample["peptide"].tolist()), -2),
        },
    )


def summary(evaluations: Sequence[Evaluation]) -> pd.DataFrame:
    """Put models side by side.

    Returns
    -------
    DataFrame
        One row per model: ``n``, ``unscored``, ``in_training`` (rows that the model was trained on); ``auroc``, ``ap``,
        and at a score of 0.5 ``accuracy``, ``f1``, ``mcc``; ``auroc_same_length`` and ``ap_same_length`` by the
        length-neutral output, ``rank_same_length``; and the model's ``facts``.
    """
    rows = []
    for each in evaluations:
        neutral = ranking_metrics(each.labels, -each.frame["rank_same_length"].to_numpy())
        rows.append(
            {
                "model": each.name,
                "n": len(each.frame),
                "unscored": each.unscored,
                "in_training": (each.training == "pair").sum() if each.training.any() else None,
                **binary_metrics(each.labels, each.frame["score"].to_numpy(), threshold=0.5),
                **{f"{name}_same_length": float(neutral[name][0]) for name in ("auroc", "ap")},
                **each.facts,
            }
        )
    return pd.DataFrame(rows).astype({"in_training": "Int64"})


def _pairs_per_second(predictor: Predictor, peptides: list[str]) -> float:
    from pmhc_distil.sequences.groove_table import groove_table

    groove = groove_table().groove("HLA-A*02:01")
    index = np.zeros(len(peptides), dtype=int)
    unique = len(set(peptides))
    predictor.engine.score(peptides, [groove], index)
    start = time.perf_counter()
    predictor.engine.score(peptides, [groove], index)
    return unique / (time.perf_counter() - start)


def to_markdown(frame: pd.DataFrame) -> str:
    """Write a table as Markdown: ratios with four decimals, numbers with thousands separators."""
    lines = ["| " + " | ".join(frame.columns) + " |", "|" + "---|" * len(frame.columns)]
    for row in frame.itertuples(index=False):
        lines.append("| " + " | ".join(_cell(value) for value in row) + " |")
    return "\n".join(lines)


def _cell(value: Any) -> str:
    if pd.isna(value):
        return ""
    if isinstance(value, float | np.floating):
        size = abs(float(value))
        return f"{value:.4f}" if size <= 1 else f"{value:,.4g}" if size < 100 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int | np.integer) else str(value)


def insert(text: str, block: str, source: str) -> str:
    """Replace what stands between the result markers of a Markdown text.

    Raises
    ------
    InputError
        If the text does not hold both markers, in order.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise InputError(f"the markers {BEGIN} and {END} are missing", source=source)
    return f"{before}{BEGIN}\n{block}\n{END}{after}"
