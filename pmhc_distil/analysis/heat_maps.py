"""Substitution matrices as heat maps."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pmhc_distil.analysis.pictures import plain_names

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ORDER = "GAVLIMFWYPCSTNQDEHKR"
"""Residues from small and hydrophobic over polar to charged."""
MOST_MATRICES = 50
"""What a picture can hold: a PNG of more rows is higher than any program shows, and all are held in memory."""
CHANGES = {"logit": "logit_change", "rank": "log_rank_change"}
"""What can be shown, and the column of it."""
_LABELS = {"logit": "change of the logit", "rank": "change of log10 rank"}


@plain_names
def substitution_figures(table: pd.DataFrame, *, change: str = "logit", apart: bool = False) -> "list[Figure]":
    """Draw substitution matrices: blue binds better, red worse, and the mean of every position above.

    Parameters
    ----------
    table : DataFrame
        Of :func:`~pmhc_distil.analysis.substitutions.substitutions`, with at least one row.
    change : {"logit", "rank"}
        What to show.
    apart : bool
        Give every matrix a figure of its own, instead of a row to every peptide and a column to every allele.

    Returns
    -------
    list of Figure
    """
    from matplotlib.figure import Figure

    pairs = list(table.groupby(["peptide", "allele"], sort=False))
    column = CHANGES[change]
    # One scale for all, so that colours can be compared; a few extremes must not bleach the rest.
    limit = max(float(np.quantile(np.abs(table[column]), 0.98)), 0.1)
    figures = []
    for part in [[pair] for pair in pairs] if apart else [pairs]:
        across = len({allele for (_, allele), _ in part})
        down = len(part) // across
        figure = Figure(figsize=(4.2 * across, 4.4 * down), layout="constrained")
        places = figure.subfigures(down, across, squeeze=False).flat
        for place, ((peptide, allele), own) in zip(places, part, strict=True):
            above, below = place.subplots(2, sharex=True, height_ratios=[1, 5])
            native = own[own["residue"] == own["substitute"]]
            rank = float(native["rank"].iloc[0])
            above.set_title(f"{peptide}, {allele}, rank {rank:.2g} %", fontsize=9.5, loc="left")
            _means(above, own, column)
            image = _matrix(below, own, native, column, limit, sign=-1 if change == "rank" else 1)
            bar = place.colorbar(image, ax=[above, below], shrink=0.6, aspect=30, extend="both")
            bar.set_label(_LABELS[change], fontsize=8)
            bar.ax.tick_params(labelsize=7.5)
        figures.append(figure)
    return figures


def _means(axis: Any, own: pd.DataFrame, column: str) -> None:
    """Draw the mean change of every position."""
    means = own[own["residue"] != own["substitute"]].groupby("position")[column].mean()
    axis.bar(means.index, means, 0.8, color="#555555")
    axis.axhline(0, color="#222222", linewidth=0.8)
    axis.spines[["top", "right", "bottom"]].set_visible(False)
    axis.tick_params(labelsize=7.5, length=2, bottom=False, labelbottom=False)
    axis.set_ylabel("mean", fontsize=8)


def _matrix(axis: Any, own: pd.DataFrame, native: pd.DataFrame, column: str, limit: float, *, sign: int) -> Any:
    """Draw one heat map with the peptide's own residues marked."""
    matrix = own.pivot(index="substitute", columns="position", values=column).loc[list(ORDER)]
    length = matrix.shape[1]
    image = axis.imshow(
        matrix,
        cmap="RdBu" if sign > 0 else "RdBu_r",
        vmin=-limit,
        vmax=limit,
        aspect="auto",
        extent=(0.5, length + 0.5, len(ORDER) - 0.5, -0.5),
        interpolation="nearest",
    )
    axis.scatter(native["position"], [ORDER.index(residue) for residue in native["residue"]], s=9, color="#222222")
    axis.set_yticks(range(len(ORDER)), list(ORDER))
    axis.set_xticks(native["position"], [f"{row.residue}\n{row.position}" for row in native.itertuples()])
    axis.tick_params(labelsize=7.5, length=0)
    axis.set_ylabel("put in its place", fontsize=8)
    axis.spines[:].set_visible(False)
    return image
