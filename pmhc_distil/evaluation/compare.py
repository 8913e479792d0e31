"""Models side by side on one table of labelled pairs."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pmhc_distil.errors import InputError
from pmhc_distil.inference.predictor import Predictor
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


def compare(
    table: PeptideTable,
    models: Sequence[Path],
    *,
    windows: int | None = None,
    threads: int | None = None,
    device: str | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Evaluate models on the same rows.

    Parameters
    ----------
    table : PeptideTable
        Pairs with a column ``label``.
    models : sequence of Path
    windows : int, optional
        Random peptides of every length for the ranks of grooves without a calibration; by default all there are.

    Returns
    -------
    summary : DataFrame
        One row per model: ``n``, ``unscored``; ``auroc``, ``ap``, and at a score of 0.5 ``accuracy``, ``f1``, ``mcc``;
        ``auroc_same_length`` and ``ap_same_length`` by the length-neutral output, ``rank_same_length``;
        ``parameters``, ``size_mb`` (weights on disk) and ``pairs_per_second`` (scoring alone, on this machine).
    per_allele : DataFrame
        One row per model and allele: ``positives``, ``negatives``, ``auroc`` and ``auroc_same_length``.
    """
    labels = labels_of(table)
    summaries, alleles = [], []
    for folder in models:
        predictor = Predictor(folder, threads=threads, device=device, windows=windows)
        frame = predictor.predict(table, progress=True)
        scored = frame["score"].notna().to_numpy()
        kept, truth = frame[scored], labels[scored]
        # Equal for any machine load: timed on pairs that are in memory, after the prefixes are warm.
        sample = kept.iloc[:: max(1, len(kept) // 20_000)]
        speed = _pairs_per_second(predictor, sample["peptide"].tolist())
        neutral = _same_length_metrics(kept, truth)
        summaries.append(
            {
                "model": folder.name,
                "n": len(kept),
                "unscored": int((~scored).sum()),
                **binary_metrics(truth, kept["score"].to_numpy(), threshold=0.5),
                **neutral,
                "parameters": predictor.engine.parameters,
                "size_mb": round((folder / "model.safetensors").stat().st_size / 1e6, 2),
                "pairs_per_second": round(speed, -2),
            }
        )
        for allele, rows in kept.groupby("allele").indices.items():
            part, own = kept.iloc[rows], truth[rows]
            alleles.append(
                {
                    "model": folder.name,
                    "allele": allele,
                    "positives": int(own.sum()),
                    "negatives": int((~own).sum()),
                    "auroc": binary_metrics(own, part["score"].to_numpy(), threshold=0.5)["auroc"],
                    "auroc_same_length": _same_length_metrics(part, own)["auroc_same_length"],
                }
            )
    return pd.DataFrame(summaries), pd.DataFrame(alleles)


def _same_length_metrics(frame: pd.DataFrame, truth: np.ndarray) -> dict[str, float]:
    measured = binary_metrics(truth, -frame["rank_same_length"].to_numpy(), threshold=-2.0)
    return {f"{name}_same_length": measured[name] for name in ("auroc", "ap")}


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
