"""Predictions as a report: one HTML file for those who were not there when they were made."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from pmhc_distil import __version__
from pmhc_distil.analysis.html_page import html_facts, html_figure, html_page, html_table
from pmhc_distil.analysis.logos import logo_cards
from pmhc_distil.analysis.motif import predicted_lengths, predicted_motifs
from pmhc_distil.analysis.pictures import plain_names, require_plots
from pmhc_distil.analysis.report_tables import UNCERTAIN, best_rows, flags, heat_map
from pmhc_distil.inference.predictor import Predictor
from pmhc_distil.sequences.explain import FAR
from pmhc_distil.sequences.peptide_table import PeptideTable
from pmhc_distil.sequences.readers import table_from
from pmhc_distil.sequences.result_columns import LENGTH_COLUMNS, MOTIF_COLUMNS, make_frame
from pmhc_distil.sequences.tables import STRONG_BINDER_RANK, WEAK_BINDER_RANK

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Peptides presented by HLA class I"
_CLASSES = {"SB": ("strong", "#1f5fa8"), "WB": ("weak", "#9cc3e6")}
_MIND = ("<h2>What to mind</h2>",)
_READING = (
    f"The rank says how many percent of random human peptides score at least as high with the same allele: up to "
    f"{STRONG_BINDER_RANK:g} % is called a strong binder (SB), up to {WEAK_BINDER_RANK:g} % a weak one (WB). The score "
    f"is the probability that the allele presents the peptide, if one in six of the peptides asked for is a ligand. A "
    f"row is marked as uncertain where the chance that its score is on the wrong side of 0.5 is at least "
    f"{UNCERTAIN:g}, and as far where its allele is further than {FAR:g} from every allele with enough training "
    f"ligands. For research only: presentation does not mean that a T cell recognises the peptide."
)


def report_of(
    predictor: Predictor,
    peptides: PeptideTable | pd.DataFrame | Sequence[str],
    alleles: Sequence[str] | None = None,
    *,
    grooves: Mapping[str, str] | None = None,
    title: str = TITLE,
) -> str:
    """Predict, and write the report.

    Parameters
    ----------
    predictor : Predictor
    peptides, alleles, grooves
        As for :meth:`~pmhc_distil.inference.predictor.Predictor.predict`.
    title : str
        Plain text.

    Returns
    -------
    str
        As :func:`report_page`.

    Raises
    ------
    InputError
        For an allele in `alleles` that does not exist, or none at all.
    """
    table = peptides if isinstance(peptides, PeptideTable) else table_from(peptides)
    predictions = predictor.predict(table, alleles, grooves=grooves)
    scored = list(dict.fromkeys(predictions["allele"][predictions["rank"].notna()]))
    facts = {
        "input": table.source,
        "peptides": f"{table.frame['peptide'].nunique():,}",
        "alleles": ", ".join(scored) or "none",
        "model": f"{predictor.folder.name}, weights {predictor.weights[:12]}",
        "program": f"pmhc-distil {__version__}",
    }
    if not scored:
        return report_page(
            predictions, make_frame(MOTIF_COLUMNS, []), make_frame(LENGTH_COLUMNS, []), facts, title=title
        )
    motifs = predicted_motifs(predictor, scored, grooves=grooves)
    return report_page(predictions, motifs, predicted_lengths(predictor, scored, grooves=grooves), facts, title=title)


def report_page(
    predictions: pd.DataFrame,
    motifs: pd.DataFrame,
    lengths: pd.DataFrame,
    facts: Mapping[str, str],
    *,
    title: str = TITLE,
) -> str:
    """Write the report.

    Parameters
    ----------
    predictions : DataFrame
        Of :meth:`~pmhc_distil.inference.predictor.Predictor.predict`; the user's own columns are shown, too.
    motifs, lengths : DataFrame
        Of :func:`~pmhc_distil.analysis.motif.predicted_motifs` and
        :func:`~pmhc_distil.analysis.motif.predicted_lengths`, for the alleles of the predictions.
    facts : mapping of str to str
        Where the predictions come from: input, model and so on, in plain text.
    title : str
        Plain text.

    Returns
    -------
    str
        HTML of one page that needs no other file and no network.

    Raises
    ------
    InputError
        If matplotlib or logomaker is not installed.
    """
    require_plots("report")
    scored = predictions[predictions["rank"].notna()]
    counts = binders_per_allele(predictions)
    parts = [
        html_facts({**facts, "rows": f"{len(predictions):,}", "rows without a score": f"{_without(predictions):,}"}),
    ]
    if counts.empty:
        return html_page(title, [*parts, "<p>There is nothing to show.</p>", *_MIND, flags(predictions)])
    parts += [
        "<h2>Binders of each allele</h2>",
        html_figure(_counts_figure(counts), "Peptides that each allele binds."),
        html_table(
            list(counts.columns),
            [
                [f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row]
                for row in counts.to_numpy().tolist()
            ],
            keys=counts.to_numpy().tolist(),
        ),
        "<h2>Peptides and alleles</h2>",
        heat_map(scored),
        "<h2>Best predictions</h2>",
        best_rows(scored),
        *_MIND,
        flags(predictions),
        "<h2>How to read it</h2>",
        f"<p>{_READING}</p>",
        "<h2>Motifs of the alleles</h2>",
        logo_cards(motifs, lengths),
    ]
    return html_page(title, parts)


def binders_per_allele(predictions: pd.DataFrame) -> pd.DataFrame:
    """Count binders, each peptide once.

    Parameters
    ----------
    predictions : DataFrame

    Returns
    -------
    DataFrame
        Columns ``allele``, ``strong``, ``weak``, ``peptides`` (distinct ones that have a score) and ``uncertain``;
        alleles in the order of their first row.
    """
    scored = predictions[predictions["rank"].notna()].drop_duplicates(["peptide", "allele"])
    table = pd.DataFrame(
        {
            "allele": scored["allele"],
            "strong": scored["binder"] == "SB",
            "weak": scored["binder"] == "WB",
            "peptides": True,
            "uncertain": scored["uncertainty"] >= UNCERTAIN,
        }
    )
    return table.groupby("allele", sort=False).sum().astype(int).reset_index()


def _without(predictions: pd.DataFrame) -> int:
    return int(predictions["rank"].isna().sum())


@plain_names
def _counts_figure(counts: pd.DataFrame) -> "Figure":
    """Draw the counts as stacked bars."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.0, 0.8 + 0.3 * len(counts)), layout="constrained")
    axis = figure.subplots()
    start = np.zeros(len(counts))
    for name, colour in _CLASSES.values():
        axis.barh(counts["allele"], counts[name], left=start, color=colour, label=name, height=0.7)
        start += counts[name].to_numpy()
    for place, total in enumerate(start):
        axis.text(total, place, f" {int(total):,}", va="center", fontsize=8)
    axis.invert_yaxis()
    axis.spines[["top", "right"]].set_visible(False)
    axis.set_xlim(0, max(1.0, 1.1 * float(start.max())))
    axis.locator_params(axis="x", integer=True)
    axis.set_xlabel("binders")
    axis.legend(frameon=False, fontsize=8, loc="lower right")
    return figure
