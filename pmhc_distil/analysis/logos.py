"""Sequence logos with length preferences, as figures and as a page of many alleles."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pmhc_distil.analysis.html_page import html_figure, html_page
from pmhc_distil.analysis.motif import LIGANDS, PREDICTED
from pmhc_distil.analysis.pictures import plain_names
from pmhc_distil.sequences.residues import PEPTIDE_LENGTHS, RESIDUES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = {
    **dict.fromkeys("DE", "#c8371f"),
    **dict.fromkeys("KRH", "#2b5fb0"),
    **dict.fromkeys("NQSTGCY", "#2e8b57"),
    **dict.fromkeys("AVLIPMFW", "#222222"),
}
"""Acidic residues red, basic blue, polar green, hydrophobic black."""
BARS = {PREDICTED: "#4c72b0", LIGANDS: "#b0b0b0"}
ROWS_ON_A_PAGE = 6
_ROW, _ABOVE, _BELOW = 1.75, 0.22, 0.4
"""Inches: of a row, and what of it is above and below the axes."""
_LEAST = 0.02
"""Bits; lower letters could not be seen."""
_WIDTH = 0.95


@plain_names
def motif_figures(motifs: pd.DataFrame, lengths: pd.DataFrame, *, rows: int | None = None) -> "list[Figure]":
    """Draw motifs with the length preferences beside them.

    Parameters
    ----------
    motifs : DataFrame
        Of :func:`~pmhc_distil.analysis.motif.predicted_motifs`, and perhaps those of
        :func:`~pmhc_distil.analysis.motif.ligand_motifs`, which are drawn beside the predicted ones.
    lengths : DataFrame
        Shares of lengths, from the same places.
    rows : int, optional
        Most rows (an allele and length each) of a figure; by default all.

    Returns
    -------
    list of Figure
    """
    from matplotlib.figure import Figure

    pairs = list(dict.fromkeys(zip(motifs["allele"], motifs["length"], strict=True)))
    sources = list(dict.fromkeys(motifs["source"]))
    size = rows or len(pairs)
    figures = []
    for start in range(0, len(pairs), size):
        part = pairs[start : start + size]
        width, height = 3.6 * len(sources) + 2.0, _ROW * len(part)
        figure = Figure(figsize=(width, height))
        widths = [*(3.6 for _ in sources), 1.7]
        axes = figure.subplots(len(part), len(widths), squeeze=False, width_ratios=widths)
        # Margins in inches; to find them out would take longer than to draw.
        figure.subplots_adjust(
            left=0.4 / width,
            right=1 - 0.05 / width,
            bottom=_BELOW / height,
            top=1 - _ABOVE / height,
            wspace=0.2,
            hspace=(_BELOW + _ABOVE) / (_ROW - _BELOW - _ABOVE),
        )
        told: set[str] = set()
        for line, (allele, length) in zip(axes, part, strict=True):
            own = motifs[(motifs["allele"] == allele) & (motifs["length"] == length)]
            for axis, source in zip(line, sources, strict=False):
                _logo(axis, own[own["source"] == source], allele if len(sources) == 1 else f"{allele}, {source}")
            if allele in told:
                line[-1].set_axis_off()
            else:
                _bars(line[-1], lengths[lengths["allele"] == allele])
                told.add(allele)
        figures.append(figure)
    return figures


def motif_page(title: str, motifs: pd.DataFrame, lengths: pd.DataFrame, notes: Mapping[str, str]) -> str:
    """Write a page with the logos of many alleles.

    Parameters
    ----------
    title : str
    motifs, lengths : DataFrame
        As for :func:`motif_figures`.
    notes : mapping of str to str
        A caption for each allele, in plain text.

    Returns
    -------
    str
        HTML.
    """
    return html_page(title, [logo_cards(motifs, lengths, notes)])


def logo_cards(motifs: pd.DataFrame, lengths: pd.DataFrame, notes: Mapping[str, str] | None = None) -> str:
    """Write the logos of many alleles as a part of a page.

    Parameters
    ----------
    motifs, lengths, notes
        As for :func:`motif_page`.

    Returns
    -------
    str
        HTML.
    """
    parts = []
    for name, own in motifs.groupby("allele", sort=False):
        (figure,) = motif_figures(own, lengths[lengths["allele"] == name])
        parts.append(html_figure(figure, (notes or {}).get(str(name), "")))
    body = "".join(parts)
    wide = motifs["source"].nunique() > 1
    return f"<p>{_EXPLAINED}</p>" + (body if wide else f'<div class="cards">{body}</div>')


_EXPLAINED = (
    "The height of a stack is how much the residue at a position is determined, in bits, and the height of a letter "
    "its share of that. Bars: how often the best binders have each length."
)


def _logo(axis: Any, motif: pd.DataFrame, title: str) -> None:
    """Draw one logo; an empty table says that there is nothing."""
    axis.set_title(title, fontsize=9.5, loc="left")
    axis.tick_params(labelsize=7.5, length=2)
    if motif.empty:
        axis.set(xticks=[], yticks=[])
        axis.text(0.5, 0.5, "none of this length", ha="center", va="center", color="0.5", fontsize=8)
        return
    heights = motif[list(RESIDUES)].to_numpy() * motif["information"].to_numpy()[:, None]
    _letters(axis, heights)
    if not heights.any():  # what a share of so few peptides could be by chance is more than all there is
        axis.text(
            0.5, 0.5, "too few to tell", ha="center", va="center", color="0.5", fontsize=8, transform=axis.transAxes
        )
    axis.spines[["top", "right"]].set_visible(False)
    axis.set_xlim(0.45, len(heights) + 0.55)
    axis.set_xticks(range(1, len(heights) + 1), [str(position) for position in motif["position"]])
    axis.set_ylim(0, max(4.0, float(heights.sum(1).max())))
    axis.set_yticks([0, 2, 4])
    axis.set_ylabel("bits", fontsize=7.5)
    axis.set_xlabel(f"position ({int(motif['peptides'].iloc[0]):,} peptides)", fontsize=7.5)


def _letters(axis: Any, heights: NDArray[np.float64]) -> None:
    """Stack letters (positions, residues) of so many bits, the highest on top."""
    import logomaker

    seen = np.where(heights < _LEAST, 0.0, heights)
    if not seen.any():
        return
    table = pd.DataFrame(seen, columns=list(RESIDUES), index=range(1, len(heights) + 1))
    logomaker.Logo(table, ax=axis, color_scheme=COLOURS, width=_WIDTH, baseline_width=0)


def _bars(axis: Any, lengths: pd.DataFrame) -> None:
    """Draw the shares of the lengths."""
    sources = list(dict.fromkeys(lengths["source"]))
    width = 0.8 / max(len(sources), 1)
    for number, source in enumerate(sources):
        own = lengths[lengths["source"] == source]
        shift = (number - (len(sources) - 1) / 2) * width
        axis.bar(own["length"] + shift, 100 * own["share"], width, color=BARS[source], label=source)
    if len(sources) > 1:
        axis.legend(frameon=False, fontsize=6.5, loc="upper right", handlelength=1)
    axis.spines[["top", "right"]].set_visible(False)
    axis.tick_params(labelsize=7.5, length=2)
    axis.set_xticks(PEPTIDE_LENGTHS, [str(length) for length in PEPTIDE_LENGTHS])
    axis.set_ylim(0, 100)
    axis.set_yticks([0, 50, 100])
    axis.set_ylabel("%", fontsize=7.5)
    axis.set_xlabel("length", fontsize=7.5)
