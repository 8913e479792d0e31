"""The scale between an affinity in nM and a number from 0 to 1 (Nielsen et al. 2003)."""

import numpy as np
import pandas as pd

WEAKEST_NM = 50_000.0
"""Affinity that maps to 0; the strongest, 1 nM, maps to 1."""
BINDER_NM = 500.0
"""Affinity below which a peptide is called a binder."""
MEASURED = "measurement_nM"
"""Column of measured affinities; ``inequality`` beside it says whether the true value is ``<``, ``=`` or ``>``."""


_SIGNS = {"<": "<", "<=": "<", "\u2264": "<", ">": ">", ">=": ">", "\u2265": ">", "": "=", "=": "=", "~": "="}


def signs(cells: "pd.Series[str]") -> "pd.Series[str]":
    """Read inequalities.

    Parameters
    ----------
    cells : Series of str
        ``<``, ``<=`` or ``\u2264`` where the true value is at most the one given, the like where it is at least that;
        ``=``, ``~``, nothing or NaN where it is about that.

    Returns
    -------
    Series of str
        ``<``, ``=`` or ``>``; NaN for any other sign.
    """
    return cells.astype(object).where(cells.notna(), "").astype(str).str.strip().map(_SIGNS)


def affinity_to_unit(affinity_nm: np.ndarray) -> np.ndarray:
    """Map nM to ``1 - log(nM) / log(50000)``, clipped to 0-1; NaN stays NaN."""
    return 1 - np.log(np.clip(affinity_nm, 1.0, WEAKEST_NM)) / np.log(WEAKEST_NM)


def unit_to_affinity(unit: np.ndarray) -> np.ndarray:
    """Map 0-1 back to nM: 0 is 50,000 nM, 1 is 1 nM."""
    return WEAKEST_NM ** (1 - unit)
