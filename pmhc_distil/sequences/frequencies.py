"""Allele frequencies of populations, as a user gives them."""

import re
from pathlib import Path

import numpy as np
import pandas as pd

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.column_names import ALLELE_NAMES
from pmhc_distil.sequences.hla import resolve_allele
from pmhc_distil.sequences.small_tables import read_small_table, require_columns

ROUNDING = 0.005
"""By how much the frequencies of a locus may exceed 1, because they are printed with few digits."""
_LOCUS = re.compile(r"(?:HLA)?[\s_:.*\-]*([ABCEFG])(?![A-Za-z])", re.IGNORECASE)


def read_frequencies(path: str | Path) -> pd.DataFrame:
    """Read a table of allele frequencies.

    Parameters
    ----------
    path : str or Path
        CSV or TSV with the columns ``allele``, ``frequency`` (0 to 1) and, if there are several, ``population``.

    Returns
    -------
    DataFrame
        As :func:`frequencies_from`.

    Raises
    ------
    InputError
        As :func:`frequencies_from`; or if the file cannot be read.
    """
    columns = {"allele": ALLELE_NAMES, "frequency": ("frequency", "freq", "allelefrequency")}
    frame, rows = read_small_table(path, columns, {"population": ("population", "pop")})
    return frequencies_from(frame, str(path), rows)


def frequencies_from(table: pd.DataFrame, source: str = "frequencies", rows: np.ndarray | None = None) -> pd.DataFrame:
    """Check a table of allele frequencies.

    Parameters
    ----------
    table : DataFrame
        ``allele``, ``frequency`` (0 to 1) and optionally ``population``, of which cells may be missing.
    source, rows : optional
        The table's file and the line of each row, for messages.

    Returns
    -------
    DataFrame
        ``population`` (empty if there was none), ``locus`` (``"A"``, ``"B"``, ...; empty where the allele does not
        tell), ``allele`` (canonical; as given where it is not known or a null allele), ``known`` (neither) and
        ``frequency``.

    Raises
    ------
    InputError
        If a column or an allele is missing, a frequency is no number from 0 to 1, an allele occurs twice in a
        population, or the frequencies of a locus sum above 1.
    """
    lines = np.arange(1, len(table) + 1) if rows is None else rows
    require_columns(table, ("allele", "frequency"), source)
    found: list[tuple[str, str, str, bool, float]] = []
    seen: set[tuple[str, str]] = set()
    populations = table["population"] if "population" in table else [""] * len(table)
    cells = zip(populations, table["allele"], table["frequency"], lines.tolist(), strict=True)
    for population, text, number, line in cells:
        where, text = ("" if pd.isna(cell) else str(cell).strip() for cell in (population, text))
        if not text:
            raise InputError("empty allele", source, line, "allele")
        value = pd.to_numeric(str(number).strip(), errors="coerce")
        if not 0 <= value <= 1:
            hint = "a share from 0 to 1, such as 0.27"
            raise InputError("not a frequency", source, line, "frequency", number, hint)
        try:
            allele = resolve_allele(text)
            key = f"{allele.name}{'N' * allele.null}"
            # A null allele presents nothing, though others with its groove may; and predictions leave its N out.
            name, known = (key if text == allele.name else text, False) if allele.null else (allele.name, True)
        except InputError:
            name, known, key = text, False, text
        if (where, key) in seen:
            raise InputError(f"the allele occurs twice{_of(where)}", source, line, "allele", text)
        seen.add((where, key))
        locus = _LOCUS.match(name)
        found.append((where, locus[1].upper() if locus else "", name, known, float(value)))
    frame = pd.DataFrame(found, columns=["population", "locus", "allele", "known", "frequency"])
    sums = frame[frame["locus"] != ""].groupby(["population", "locus"], sort=False)["frequency"].sum()
    for (where, locus), total in sums.items():  # type: ignore[misc]
        if total > 1 + ROUNDING:
            hint = "are they percentages, or those of carriers?"
            reason = f"the frequencies of HLA-{locus}{_of(where)} sum above 1"
            raise InputError(reason, source=source, column="frequency", value=f"{total:.4g}", hint=hint)
    return frame


def _of(population: str) -> str:
    return f" in {population}" if population else ""
