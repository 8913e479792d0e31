"""The frame of every HTML page: one file with its tables and plots inside, nothing fetched from elsewhere.

A page can be read on a telephone and when it is printed.  A table that is sortable is sorted by a tap on a heading; the
page is complete without that script.
"""

import html
import io
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from pmhc_distil import __version__

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
td.long { white-space: normal; min-width: 14rem; text-align: left; }
.sortable th { cursor: pointer; } .sortable th:hover { background: #f0f0f0; }
th[aria-sort]::after { content: " \\25B2"; font-size: 0.7em; } th[aria-sort=descending]::after { content: " \\25BC"; }
dl.facts { display: grid; grid-template-columns: max-content 1fr; gap: 0.2rem 1rem; } dl.facts dd { margin: 0; }
.heat td:not(:first-child) { text-align: center; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(17rem, 1fr)); gap: 0.5rem 1rem; }
.cards figure { margin: 0; break-inside: avoid; }
@media (max-width: 30rem) { body { margin: 1rem auto; } dl.facts { grid-template-columns: 1fr; } dt { color: #555; } }
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
    rows: Iterable[Sequence[str]],
    *,
    keys: Iterable[Sequence[object]] | None = None,
    text: Sequence[int] = (),
) -> str:
    """Write a table that scrolls sideways where it is too wide.

    Parameters
    ----------
    head : sequence of str
        Plain text.
    rows : iterable of sequence of str
        Plain text of the cells.
    keys : iterable of sequence, optional
        What each cell is sorted by, if its text is not it.  A table with keys is sortable; ``""`` comes last.
    text : sequence of int
        Columns of text, aligned to the left.

    Returns
    -------
    str
        HTML.
    """
    sortable = keys is not None
    lines = []
    for row, order in zip(rows, keys, strict=True) if keys is not None else ((row, ()) for row in rows):
        cells = []
        for number, cell in enumerate(row):
            key = f' data-key="{html.escape(str(order[number]))}"' if sortable else ""
            kind = ' class="text"' if number in text else ""
            cells.append(f"<td{kind}{key}>{html.escape(cell)}</td>")
        lines.append(f"<tr>{''.join(cells)}</tr>")
    kinds = ['class="text"' if number in text else "" for number in range(len(head))]
    columns = "".join(f"<th {kind}>{html.escape(name)}</th>" for name, kind in zip(head, kinds, strict=True))
    opening = '<table class="sortable">' if sortable else "<table>"
    return f'<div class="wide">{opening}<thead><tr>{columns}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>'


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
