"""Every metric of every output, overall and in groups of rows."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pmhc_distil.errors import InputError
from pmhc_distil.evaluation.compare import Evaluation, groups
from pmhc_distil.evaluation.ranking import DEFAULT_THRESHOLDS, RANKING_METRICS, intervals, ranking_metrics
from pmhc_distil.sequences.explain import FAR
from pmhc_distil.sequences.tables import WEAK_BINDER_RANK, written_rank
from pmhc_distil.tasks.metrics import binary_metrics

OUTPUTS = {"score": 1, "rank": -1, "rank_same_length": -1, "score_same_length": 1}
"""Outputs and the sign that makes higher mean positive."""
DISTANCE_BINS = np.array([0, 0.04, FAR])
"""Lowest groove distance to the nearest allele with enough training ligands in every group of rows."""
LIGAND_BINS = np.array([0, 1, 100, 1000, 5000])
"""Lowest number of training ligands in every group of alleles."""


def detailed_metrics(
    evaluations: Sequence[Evaluation],
    *,
    columns: Sequence[str] = (),
    thresholds: Mapping[str, float] = DEFAULT_THRESHOLDS,
    resamples: int = 200,
) -> pd.DataFrame:
    """Measure every output of every model, overall and in groups of rows.

    Parameters
    ----------
    evaluations : sequence of Evaluation
        One for each model.
    columns : sequence of str
        Columns of the user's own whose values group the rows, such as a donor.
    thresholds : mapping of str to float
        As for :func:`~pmhc_distil.evaluation.compare.summary`.
    resamples : int
        Bootstrap samples for the intervals (95 %).

    Returns
    -------
    DataFrame
        ``model``; ``output`` (one of :data:`OUTPUTS`); ``by`` (all, length, allele, ligands: training ligands
        of the allele, distance: groove distance to the nearest allele with enough of them, training: whether the row
        was trained on, or one of ``columns``) and ``group``; ``positives``,
        ``negatives``; ``auroc``, ``auroc10``, ``ap`` and ``ppv`` (see :func:`ranking_metrics`), each with ``_low`` and
        ``_high``; ``accuracy``, ``f1`` and ``mcc`` at the threshold of a score, or up to a rank of 2 %.
    """
    rows = []
    for each in evaluations:
        for by, group, chosen in _groups(each, columns):
            labels = each.labels[chosen]
            for output, sign in OUTPUTS.items():
                values = each.frame[output].to_numpy()[chosen]
                scores = sign * values
                ranking = {name: float(value[0]) for name, value in ranking_metrics(labels, scores).items()}
                ends = intervals(labels, scores, resamples=resamples)
                if output in thresholds:
                    decided = binary_metrics(labels, scores, threshold=thresholds[output])
                else:  # as the column binder decides
                    binds = (written_rank(values) <= WEAK_BINDER_RANK).astype(np.float64)
                    decided = binary_metrics(labels, binds, threshold=0.5)
                rows.append(
                    {
                        "model": each.name,
                        "output": output,
                        "by": by,
                        "group": group,
                        "positives": int(labels.sum()),
                        "negatives": int((~labels).sum()),
                        **{
                            key: value
                            for name in RANKING_METRICS
                            for key, value in zip(
                                (name, f"{name}_low", f"{name}_high"), (ranking[name], *ends[name]), strict=True
                            )
                        },
                        **{name: decided[name] for name in ("accuracy", "f1", "mcc")},
                    }
                )
    return pd.DataFrame(rows)


def _bins(values: pd.Series, lowest: NDArray[Any]) -> pd.Series:
    """Name the bin of every value, ``>=`` its lowest; empty for a negative or missing one."""
    place = np.searchsorted(lowest, values.fillna(-1), side="right")
    return pd.Series(np.array(["", *(f">={low:g}" for low in lowest)])[place])


_GROUPS: dict[str, Callable[[Evaluation], pd.Series]] = {
    "length": lambda each: each.frame["peptide"].str.len(),
    "allele": lambda each: each.frame["allele"],
    "ligands": lambda each: _bins(pd.Series(each.ligands), LIGAND_BINS),
    "distance": lambda each: _bins(each.frame["distance"], DISTANCE_BINS),
    "training": lambda each: pd.Series(each.training),
}
"""What is always measured apart: the group of every row."""


def check_groups(columns: Sequence[str]) -> None:
    """Refuse to measure by the values of a column that is called as groups that are measured anyway.

    Raises
    ------
    InputError
    """
    taken = ["all", *(name for name in _GROUPS if name != "allele")]
    for column in columns:
        if column in taken:
            hint = f"groups of that name are in the output anyway ({', '.join(taken)}); rename the column"
            raise InputError("the column cannot be told from what is always measured", "--by", value=column, hint=hint)


def _groups(each: Evaluation, columns: Sequence[str]) -> Iterator[tuple[str, str, NDArray[np.intp]]]:
    """Give the kind of a group, its name and its rows."""
    yield "all", "all", np.arange(len(each.frame))
    kinds = {name: group_of(each) for name, group_of in _GROUPS.items()}
    for by, values in {**kinds, **{column: each.given[column] for column in columns}}.items():
        for group, rows in groups(values).items():
            yield by, group, rows
