"""The evaluation as one HTML file: tables and plots inside, nothing fetched from elsewhere."""

import html
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from pmhc_distil.analysis.html_page import html_figure, html_page, html_table
from pmhc_distil.analysis.pictures import plain_names, require_plots
from pmhc_distil.evaluation.compare import Evaluation
from pmhc_distil.evaluation.ranking import NEUTRAL, calibration_curve, expected_calibration_error

TITLES = {
    "length": "By peptide length",
    "ligands": "By training ligands of the allele",
    "distance": "By groove distance to the nearest allele with enough training ligands",
    "training": "By what the model was trained on",
    "allele": "By allele",
}
SHOWN = {"auroc": "AUROC", "auroc10": "AUROC at 10 % FPR", "ap": "average precision", "ppv": "PPV among the top n"}

RELIABILITY_CAPTION = (
    "Reliability: share of positives among rows of about equal score. The score refers to one ligand in six; on a "
    "table with another share of positives the curve lies off the diagonal for that reason alone."
)


def evaluation_page(title: str, evaluations: Sequence[Evaluation], details: pd.DataFrame) -> str:
    """Write the page.

    Parameters
    ----------
    title : str
        Name of the evaluated file.
    evaluations : sequence of Evaluation
    details : DataFrame
        Of :func:`~pmhc_distil.evaluation.details.detailed_metrics`.

    Returns
    -------
    str
        HTML.

    Raises
    ------
    InputError
        If matplotlib is not installed.
    """
    require_plots("--report")
    parts = ["<h2>All rows</h2>", *map(_audit, evaluations), _table(details[details["by"] == "all"])]
    parts.append(_figure(partial(_reliability, evaluations=evaluations), RELIABILITY_CAPTION))
    for by in dict.fromkeys(details["by"]):
        if by == "all":
            continue
        part = details[(details["by"] == by) & details["output"].isin(["score", NEUTRAL])]
        parts.append(f"<h2>{html.escape(TITLES.get(by, f'By {by}'))}</h2>")
        if by == "allele":
            told = [each for each in evaluations if (each.ligands >= 0).all()]
            caption = f"Every dot is an allele; AUROC of {NEUTRAL}."
            parts += [_figure(partial(_alleles, part=part, evaluations=told), caption)] if told else []
        elif part["group"].nunique() <= 40:
            parts.append(_figure(partial(_bars, part=part), "AUROC with 95 % bootstrap intervals."))
        parts.append(_table(part))
    return html_page(f"Evaluation on {title}", parts, "intervals: bootstrap over rows, 95 %")


def _audit(each: Evaluation) -> str:
    seen = each.training
    told = "its folder does not tell which rows it was trained on"
    if seen.any():
        pairs, peptides = (int((seen == kind).sum()) for kind in ("pair", "peptide"))
        told = f"{pairs:,} rows were in its training data, of {peptides:,} more the peptide"
    unscored = f"{each.unscored:,} rows without a score left out; " if each.unscored else ""
    return f"<p>{html.escape(each.name)}: {len(each.frame):,} rows; {unscored}{told}.</p>"


def _table(part: pd.DataFrame) -> str:
    """Write metrics as a table, intervals in brackets."""
    grouped = part["by"].iloc[0] != "all"
    head = [*(["group"] if grouped else []), "model", "output", "positives", "negatives", *SHOWN.values(), "MCC"]
    rows = []
    for row in part.to_dict("records"):
        cells = [str(row["group"])] if grouped else []
        cells += [row["model"], row["output"], f"{row['positives']:,}", f"{row['negatives']:,}"]
        rows.append(cells + [_interval(row, name) for name in SHOWN] + [_number(row["mcc"])])
    return html_table(head, rows)


def _interval(row: dict[Any, Any], name: str) -> str:
    if np.isnan(row[name]):
        return "-"
    ends = "" if np.isnan(row[f"{name}_low"]) else f" ({row[f'{name}_low']:.3f} to {row[f'{name}_high']:.3f})"
    return f"{row[name]:.4f}{ends}"


def _number(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.4f}"


@plain_names
def _figure(draw: Callable[[Any], None], caption: str) -> str:
    """Draw one plot."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 3.8), layout="constrained")
    axis = figure.subplots()
    axis.spines[["top", "right"]].set_visible(False)
    draw(axis)
    return html_figure(figure, caption)


def _reliability(axis: Any, evaluations: Sequence[Evaluation]) -> None:
    axis.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    for each in evaluations:
        score = each.frame["score"].to_numpy()
        predicted, observed, _ = calibration_curve(each.labels, score)
        error = expected_calibration_error(each.labels, score)
        axis.plot(predicted, observed, marker="o", markersize=4, label=f"{each.name}: calibration error {error:.3f}")
    axis.set(xlabel="score", ylabel="share of positives", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axis.legend(frameon=False)


def _bars(axis: Any, part: pd.DataFrame) -> None:
    series = list(part.groupby(["model", "output"], sort=False))
    groups = list(dict.fromkeys(part["group"]))
    places = {group: number for number, group in enumerate(groups)}
    for number, ((model, output), rows) in enumerate(series):
        middle = rows["auroc"].to_numpy()
        spread = np.abs(rows[["auroc_low", "auroc_high"]].to_numpy().T - middle)
        shift = (number - (len(series) - 1) / 2) * 0.6 / len(series)
        where = [places[group] + shift for group in rows["group"]]
        axis.errorbar(where, middle, yerr=spread, fmt="o", markersize=4, capsize=2, label=f"{model}, {output}")
    axis.set_xticks(range(len(groups)), groups, rotation=45 if max(map(len, groups)) > 6 else 0)
    axis.set(ylabel="AUROC")
    axis.legend(frameon=False, fontsize="small")


def _alleles(axis: Any, part: pd.DataFrame, evaluations: Sequence[Evaluation]) -> None:
    for each in evaluations:
        rows = part[(part["model"] == each.name) & (part["output"] == NEUTRAL)]
        ligands = dict(zip(each.frame["allele"], each.ligands, strict=True))
        axis.scatter([1 + ligands[allele] for allele in rows["group"]], rows["auroc"], s=12, label=each.name, alpha=0.7)
    axis.set_xscale("log")
    axis.set(xlabel="training ligands of the allele, plus one", ylabel="AUROC")
    axis.legend(frameon=False)
