"""Metrics of a model's outputs are those of the output that they stand beside."""

import shutil

import numpy as np
import pandas as pd
import pytest

from pmhc_distil.evaluation.compare import Evaluation, evaluate_model, summary
from pmhc_distil.evaluation.details import detailed_metrics
from pmhc_distil.sequences.overlap import HASHES_FILE, write_hashes
from pmhc_distil.sequences.readers import table_from

NAN = float("nan")


def evaluation(labels, affinities=None, **columns):
    """Give an evaluation whose outputs all say what the labels do, but for these columns."""
    labels = np.array(labels, dtype=bool)
    count = len(labels)
    outputs = {
        "score": np.where(labels, 0.9, 0.1),
        "rank": np.where(labels, 0.1, 50.0),
        "rank_same_length": np.where(labels, 0.1, 50.0),
        "affinity_nm": np.where(labels, 10.0, 20_000.0),
        "score_same_length": np.where(labels, 0.9, 0.1),
        "distance": np.zeros(count),
        "uncertainty": np.full(count, 0.1),
    }
    frame = pd.DataFrame({"peptide": ["SLYNTVATL"] * count, "allele": "HLA-A*02:01", **outputs, **columns})
    measured = np.full(count, NAN) if affinities is None else np.array(affinities)
    untold = {"ligands": np.full(count, -1), "training": np.full(count, "", dtype="<U7"), "facts": {}}
    return Evaluation("m", frame, frame, labels, measured, 0, **untold)


def test_errors_of_the_most_uncertain_tenth():
    """Prevents the errors of certain rows, or the right ones, from being told as those of uncertain rows."""
    wrong = np.isin(np.arange(20), [3, 7])
    one = evaluation(~wrong, score=0.9, uncertainty=np.where(wrong, 0.4, 0.1))
    row = summary([one]).set_index("output").loc["score"]
    assert (row["error_uncertain"], row["error_others"]) == (1.0, 0.0)


def test_each_output_has_its_threshold_and_calibration():
    """Prevents numbers of the score beside the name of the score that is neutral of length."""
    one = evaluation([1, 1, 0, 0], score=[0.9, 0.8, 0.2, 0.1], score_same_length=[0.3, 0.2, 0.05, 0.01])
    found = summary([one]).set_index("output")
    assert found["best_threshold"].tolist() == pytest.approx([0.5, 0.125])
    assert found["calibration_error"].tolist() == pytest.approx([0.15, (0.7 + 0.8 + 0.05 + 0.01) / 4])


def test_affinities_are_correlated_as_logarithms():
    """Prevents the weakest affinities, which are the largest numbers, from deciding the correlation."""
    predicted = np.array([4.0, 100.0, 10_000.0, 900.0])
    one = evaluation([1, 1, 0, 0], np.sqrt(predicted), affinity_nm=predicted)
    assert summary([one])["affinity_pearson"].tolist() == pytest.approx([1.0, 1.0])


def test_low_ranks_are_good():
    """Prevents a rank from being measured as if a high one were that of a binder."""
    found = detailed_metrics([evaluation([1, 1, 0, 0])], resamples=0)
    assert found.loc[found["by"] == "all", ["output", "auroc"]].to_numpy().tolist() == [
        [output, 1.0] for output in ("score", "rank", "rank_same_length", "score_same_length")
    ]


def test_bounds_and_rows_of_the_training_data(binding_folder, tmp_path):
    """Prevents a bound from counting as an affinity, and a peptide of the training data from passing as new."""
    model = shutil.copytree(binding_folder, tmp_path / "model")
    write_hashes(["SLYNTVATL", "GILGFVFTL"], ["HLA-A*02:01", "HLA-B*07:02"], model / HASHES_FILE)
    columns = {"allele": "A*02:01", "label": [1, 0, 1], "measurement_nM": [10, 900, 5], "inequality": ["=", ">", "<"]}
    table = table_from(pd.DataFrame({"peptide": ["SLYNTVATL", "GILGFVFTL", "NLVPMVATV"], **columns}))
    found = evaluate_model(table, model, windows=50, threads=1, device="cpu")
    assert found.affinities.tolist() == pytest.approx([10, NAN, NAN], nan_ok=True)
    assert found.training.tolist() == ["pair", "peptide", "new"]
