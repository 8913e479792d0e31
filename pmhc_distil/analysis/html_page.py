"""The frame of every HTML page: one file with its tables and plots inside, nothing fetched from elsewhere.

A page can be read on a telephone and when it is printed.  A table that is sortable is sorted by a tap on a heading; the
page is complete without that script.
"""

import html
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from pmhc_distil import __version__
from pmhc_distil.analysis.pictures import plain_names

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #222; background: #fff; max-width: 60rem; margin: 2rem auto;
  padding: 0 1rem; overflow-wrap: anywhere; }
h1, h2, h3 { line-height: 1.2; } figure { margin: 1rem 0; } svg { max-width: 100%; height: auto; }
figcaption, .quiet { color: #555; font-size: 0.9rem; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: 0.85rem; overflow-wrap: normal; }
th, td { padding: 0.2rem 0.6rem; text-align: right; border-bottom: 1px solid #ddd; white-space: nowrap; }
th:first-child, td:first-child, .text { text-align: left; }
.notes td:first-child { white-space: normal; min-width: 14rem; }
.sortable th:first-child, .sortable td:first-child { position: sticky; left: 0; background: #fff; }
.sortable th { cursor: pointer; } .sortable th:hover { background: #f0f0f0; }
th[aria-sort]::after { content: " \\25B2"; font-size: 0.7em; } th[aria-sort=descending]::after { content: " \\25BC"; }
dl.facts { display: grid; grid-template-columns: max-content 1fr; gap: 0.2rem 1rem; }
.facts dt { color: #555; } .facts dd { margin: 0; }
.heat td, .heat th:not(:first-child) { text-align: center; } .heat td:first-child { text-align: left; }
.heat td { border-color: #fff; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(24rem, 100%), 1fr)); gap: 0.5rem 1rem; }
.cards figure { margin: 0; break-inside: avoid; }
@media (max-width: 30rem) { body { margin: 1rem auto; } dl.facts { grid-template-columns: 1fr; } }
@media print {
  body { max-width: none; margin: 0; font-size: 10pt; } .wide { overflow: visible; } table { font-size: 7.5pt; }
  thead { display: table-header-group; } tr, figure { break-inside: avoid; } h2, h3 { break-after: avoid; }
}
"""

_SORT = """
for (const head of document.querySelectorAll("table.sortable th")) {
  head.addEventListener("click", () => {
    const body = head.closest("table").tBodies[0], column = head.cellIndex;
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const key = row => row.cells[column].dataset.key ?? row.cells[column].textContent;
    const compare = (a, b) => {
      if (a === "" || b === "") return (a === "") - (b === "");
      const order = isNaN(a) || isNaN(b) ? a.localeCompare(b) : a - b;
      return down ? -order : order;
    };
    body.append(...[...body.rows].sort((a, b) => compare(key(a), key(b))));
  });
}
"""
_ATTRIBUTE = re.compile(r' (?:d|x|y|transform)="[^"]*"')
_DECIMALS = re.compile(r"(\.\d\d)\d+")
_METADATA = re.compile(r"<metadata>.*?</metadata>", re.S)
_NUMBERED = re.compile(r' id="[A-Za-z.0-9]+_\d{1,4}"')


def html_page(title: str, parts: Iterable[str], footer: str = "") -> str:
    """Put a page together.

    Parameters
    ----------
    title : str
        Plain text; the name of the page and its first heading.
    parts : iterable of str
        HTML.
    footer : str
        Plain text after the version of the program.

    Returns
    -------
    str
        HTML of a whole page.
    """
    body = "".join(parts)
    script = f"<script>{_SORT}</script>" if 'class="sortable' in body else ""
    made = html.escape("; ".join(filter(None, (f"pmhc-distil {__version__}", footer))))
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head>'
        f"<body><h1>{html.escape(title)}</h1>{body}<p class=quiet>{made}</p>{script}</body></html>\n"
    )


def html_table(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    keys: Sequence[Sequence[object]] | None = None,
    text: Sequence[int] = (),
    styles: Sequence[Sequence[str]] | None = None,
    kind: str = "",
) -> str:
    """Write a table that scrolls sideways where it is too wide.

    Parameters
    ----------
    head : sequence of str
        Plain text.
    rows : sequence of sequence of str
        Plain text of the cells.
    keys : sequence of sequence, optional
        What each cell is sorted by, if its text is not it.  A table with keys is sortable; ``""`` comes last.
    text : sequence of int
        Columns of text, aligned to the left.
    styles : sequence of sequence of str, optional
        Style of every cell.
    kind : str
        Class of the table.

    Returns
    -------
    str
        HTML.
    """
    lines = []
    for place, row in enumerate(rows):
        cells = []
        for number, cell in enumerate(row):
            key = f' data-key="{html.escape(str(keys[place][number]))}"' if keys is not None else ""
            style = f' style="{styles[place][number]}"' if styles is not None and styles[place][number] else ""
            side = ' class="text"' if number in text else ""
            cells.append(f"<td{side}{key}{style}>{html.escape(cell)}</td>")
        lines.append(f"<tr>{''.join(cells)}</tr>")
    sides = [' class="text"' if number in text else "" for number in range(len(head))]
    columns = "".join(f"<th{side}>{html.escape(name)}</th>" for name, side in zip(head, sides, strict=True))
    classes = " ".join(filter(None, ["sortable" if keys is not None else "", kind]))
    opening = f'<table class="{classes}">' if classes else "<table>"
    return f'<div class="wide">{opening}<thead><tr>{columns}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>'


def html_facts(facts: Mapping[str, str]) -> str:
    """Write names and what they are, in plain text, one under the other."""
    pairs = (f"<dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd>" for name, value in facts.items())
    return f'<dl class="facts">{"".join(pairs)}</dl>'


@plain_names
def html_figure(figure: "Figure", caption: str = "") -> str:
    """Put a plot into a page as inline SVG, the same bytes for the same numbers.

    Parameters
    ----------
    figure : Figure
    caption : str
        Plain text.

    Returns
    -------
    str
        HTML.
    """
    import matplotlib

    stream = io.StringIO()
    # Texts stay texts, which the page's reader can search and copy.
    with matplotlib.rc_context({"svg.hashsalt": "pmhc-distil", "svg.fonttype": "none"}):
        figure.savefig(stream, format="svg", metadata={"Date": None})
    image = stream.getvalue()
    # A hundredth of a point is finer than any printer, and halves the file.
    image = _ATTRIBUTE.sub(lambda match: _DECIMALS.sub(r"\1", match[0]), image[image.index("<svg") :])
    image = _METADATA.sub("", image)
    image = _NUMBERED.sub("", image)  # nothing refers to these, and another plot of the page has the same
    told = f"<figcaption>{html.escape(caption)}</figcaption>" if caption else ""
    return f"<figure>{image}{told}</figure>"
