"""The tables of a report: a heat map of ranks, the best rows, and what to mind."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from pmhc_distil.analysis.html_page import html_table
from pmhc_distil.sequences.explain import FAR
from pmhc_distil.sequences.tables import PREDICTION_NAMES, STRONG_BINDER_RANK, WEAK_BINDER_RANK

UNCERTAIN = 0.25
"""Chance to be on the wrong side from which on a row is marked."""
SHOWN_ROWS = 500
SHOWN_PEPTIDES = 60
"""How many rows and how many peptides of the heat map a page shows, the best first."""
_BEST, _WORST = 0.01, 20.0
"""Ranks, in percent, of the darkest and of the palest colour of the heat map."""


def heat_map(scored: pd.DataFrame) -> str:
    """Write ranks, peptide by allele, as a table with colours; the peptides with the best ranks first."""
    alleles = list(dict.fromkeys(scored["allele"]))
    wide = scored.pivot_table(index="peptide", columns="allele", values="rank", aggfunc="min", sort=False)[alleles]
    order = wide.min(axis=1).sort_values(kind="stable").index[:SHOWN_PEPTIDES]
    rows, keys, colours = [], [], []
    for peptide, ranks in wide.loc[order].iterrows():
        values = ranks.to_numpy(dtype=float)
        rows.append([str(peptide), *("" if np.isnan(value) else _rank(value) for value in values)])
        keys.append([str(peptide), *("" if np.isnan(value) else value for value in values)])
        colours.append(["", *map(_colour, values)])
    left = len(wide) - len(rows)
    told = f" The best {len(rows):,} of {len(wide):,} peptides." if left else ""
    limits = f"up to {STRONG_BINDER_RANK:g} a strong, up to {WEAK_BINDER_RANK:g} a weak binder"
    caption = f"<p class=quiet>Rank in percent; the darker, the better: {limits}.{told}</p>"
    return caption + html_table(["peptide", *alleles], rows, keys=keys, styles=colours, kind="heat")


def _rank(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"


def _colour(rank: float) -> str:
    """Give the style of a cell: white to blue by the logarithm of the rank."""
    if np.isnan(rank):
        return ""
    depth = np.clip(np.log10(_WORST / rank) / np.log10(_WORST / _BEST), 0, 1)
    red, green, blue = (round(255 + depth * (dark - 255)) for dark in (0x12, 0x4A, 0x8C))
    ink = ";color:#fff" if depth > 0.5 else ""
    return f"background:#{red:02x}{green:02x}{blue:02x}{ink}"


def best_rows(scored: pd.DataFrame) -> str:
    """Write the best rows, with the user's own columns."""
    own = [name for name in scored.columns if name not in PREDICTION_NAMES]
    best = scored.sort_values("rank", kind="stable").head(SHOWN_ROWS)
    head = ["peptide", "allele", "binder", "rank", "score", "affinity_nm", "flags", *own]
    rows, keys = [], []
    for row in best.to_dict("records"):
        own_flags = _flags_of(row)
        texts = [row["peptide"], row["allele"], row["binder"], f"{row['rank']:.3g}", f"{row['score']:.3f}"]
        rows.append([*texts, f"{row['affinity_nm']:,.0f}", own_flags, *(_text(row[name]) for name in own)])
        order = {"SB": 0, "WB": 1, "": 2}[row["binder"]]
        numbers = [order, row["rank"], row["score"], row["affinity_nm"]]
        keys.append([*texts[:2], *numbers, own_flags, *(_text(row[name]) for name in own)])
    told = f"The {len(best):,} best of {len(scored):,} rows." if len(best) < len(scored) else f"All {len(best):,} rows."
    texts_at = [0, 1, 2, 6, *range(7, 7 + len(own))]
    return f"<p class=quiet>{told} A tap on a heading sorts.</p>" + html_table(head, rows, keys=keys, text=texts_at)


def _text(value: Any) -> str:
    return "" if pd.isna(value) else str(value)


def _flags_of(row: Mapping[Any, Any]) -> str:
    """Say what to mind about one row."""
    uncertain, far = bool(row["uncertainty"] >= UNCERTAIN), bool(row["distance"] > FAR)
    return ", ".join(["uncertain"] * uncertain + ["far"] * far)


def flags(predictions: pd.DataFrame) -> str:
    """Write every note with how many rows have it, and an example."""
    notes = predictions[predictions["note"] != ""]
    binders = predictions[predictions["binder"] != ""]
    uncertain = int((binders["uncertainty"] >= UNCERTAIN).sum())
    told = f"<p>{uncertain:,} of {len(binders):,} binders are uncertain.</p>"
    if notes.empty:
        return told + "<p>No row has a note.</p>"
    rows = [
        [str(note), f"{len(own):,}", f"{own['peptide'].iloc[0]} {own['allele'].iloc[0]}".strip()]
        for note, own in notes.groupby("note", sort=False)
    ]
    return told + html_table(["note", "rows", "for example"], rows, text=(0, 2), kind="notes")
