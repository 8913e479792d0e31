"""What the detailed metrics call a binder."""

import numpy as np
import pandas as pd
import pytest

from pmhc_distil.evaluation.compare import Evaluation
from pmhc_distil.evaluation.details import detailed_metrics


def test_ranks_decide_as_the_column_binder(binding_folder):
    """Prevents a rank that is written as 2 from being a binder in predictions and none in evaluations."""
    ranks = np.array([2.0, 2.00004, 2.001, 60.0])
    frame = pd.DataFrame({"peptide": "SLYNTVATL", "allele": "HLA-A*02:01", "score": 0.1, "rank": ranks}, index=range(4))
    frame = frame.assign(rank_same_length=ranks, score_same_length=0.1, distance=0.0, uncertainty=0.1, affinity_nm=9.0)
    labels = np.array([True, True, False, False])
    ligands, training = np.zeros(4, dtype=np.int64), np.full(4, "new", dtype="<U7")
    one = Evaluation("m", frame, frame, labels, np.full(4, np.nan), 0, ligands, training, {})
    found = detailed_metrics([one], resamples=2).query("by == 'all'").set_index("output")
    assert found.loc[["rank", "rank_same_length"], "accuracy"].tolist() == [1.0, 1.0]
    assert found.loc["score", "accuracy"] == pytest.approx(0.5)
