"""A few rows of a table, laid out for a terminal."""

from collections.abc import Sequence

import pandas as pd

from pmhc_distil.sequences.cells import values_of
from pmhc_distil.sequences.tables import PREDICTION_COLUMNS, PREDICTION_NAMES, Column, digits_of

_DIGITS = 3
_FIRST = (
    "peptide",
    "best_peptide",
    "allele",
    "mutation",
    "score",
    "rank",
    "best_rank",
    "wild_type_rank",
    "fold_change",
    "affinity_nm",
    "binder",
    "note",
)
"""What a reader looks for first, in whichever table it is; the rest follows in its own order as far as it fits."""


def terminal_table(
    frame: pd.DataFrame,
    width: int = 100,
    max_rows: int = 20,
    total: int | None = None,
    columns: Sequence[Column] = PREDICTION_COLUMNS,
) -> str:
    """Lay out the first rows for reading.

    Parameters
    ----------
    frame : DataFrame
        Predictions.
    width : int
        Characters in a line.  Columns that do not fit are left out, the user's own first.
    max_rows : int
        Rows to show, in their order.
    total : int, optional
        Rows that there are, of which `frame` has the first.
    columns : sequence of Column
        Columns whose numbers are shown with few digits.

    Returns
    -------
    str
        Aligned lines, and a last one that tells what is not shown and how to save it.
    """
    shown = frame.head(max_rows)
    digits = digits_of(columns)
    own = [str(name) for name in frame.columns if name not in (*PREDICTION_NAMES, *_FIRST)]
    wanted = [name for name in _FIRST if name in frame.columns]
    if "note" in wanted and not (shown["note"] != "").any():
        wanted.remove("note")
    blocks: list[list[str]] = []
    room = width
    hidden = 0
    for name in wanted + own:
        cells = [name, *(_cell(value) for value in values_of(shown[name], digits.get(name)))]
        size = max(map(len, cells))
        if blocks and room < min(size, 12):
            hidden += 1
            continue
        size = min(size, max(room, 1))
        cells = [text if len(text) <= size else text[: size - 1] + "…" for text in cells]
        align = str.rjust if name in digits else str.ljust
        blocks.append([align(text, size) for text in cells])
        room -= size + 2
    lines = ["  ".join(line).rstrip() for line in zip(*blocks, strict=True)]
    more = (len(frame) if total is None else total) - len(shown)
    left = [f"{more:,} more rows"] * (more > 0)
    left += [f"{hidden} more column{'s' * (hidden > 1)}"] * (hidden > 0)
    if left:
        lines.append(f"... and {' and '.join(left)}: save all with -o predictions.csv")
    return "\n".join(lines)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        rounded = float(f"{value:.{_DIGITS}g}")
        return f"{rounded:.0f}" if abs(rounded) >= 100 else f"{rounded:g}"
    return "".join(c if c.isprintable() else "?" for c in str(value))
