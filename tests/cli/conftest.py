"""Commands that predict, run in this process without a model."""

import io
import sys
import types

import numpy as np
import pandas as pd
import pytest

from pmhc_distil import cli
from pmhc_distil.inference.pairs import best_rows, make_pairs
from pmhc_distil.sequences.tables import PREDICTION_NAMES, binder_class, validate_predictions


class FakePredictor:
    """Scores a pair by its letters, and remembers how it was made."""

    made: tuple = ()
    slow = ""

    def __init__(self, model=None, *, threads=None, device=None, precision="auto"):
        type(self).made = (model, threads, device, precision)
        self.engine = types.SimpleNamespace(slow=self.slow, parts_at_once=1)

    def identity(self):
        return {"model": "fake", "precision": "single", "backend": "none"}

    def predict(self, table, alleles=None, *, genotype=False, grooves=None, progress=False):
        pairs = make_pairs(table.frame, alleles, grooves=grooves, genotype=genotype)
        frame, scored = pairs.frame, pairs.allele_index >= 0
        text = frame["peptide"] + frame["allele"]
        rank = np.where(scored, [sum(map(ord, row)) % 97 / 10 for row in text], np.nan)
        own = [name for name in frame.columns if name not in PREDICTION_NAMES]
        frame = frame.assign(score=1 - rank / 100, rank=rank, rank_same_length=rank, affinity_nm=rank * 100)
        frame = frame.assign(score_same_length=frame["score"], distance=np.where(scored, 0.0, np.nan))
        frame = frame.assign(uncertainty=np.minimum(frame["score"], 1 - frame["score"]))
        frame = frame.assign(binder=pd.Series(binder_class(rank), dtype="str"))[[*PREDICTION_NAMES, *own]]
        if genotype:
            frame = best_rows(frame, pairs.owner)
        validate_predictions(frame)
        return frame


@pytest.fixture
def fake_predictor(monkeypatch):
    """Put the fake in place of the predictor, and give it."""
    fake = types.ModuleType("pmhc_distil.inference.predictor")
    fake.Predictor = FakePredictor
    monkeypatch.setitem(sys.modules, fake.__name__, fake)
    return FakePredictor


@pytest.fixture
def run_command(tmp_path, monkeypatch, capsys, fake_predictor):
    """Run a command in an empty folder and return its exit status, standard output and standard error."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments, stdin=b""):
        monkeypatch.setattr(sys, "argv", ["pmhc-distil", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        try:
            cli.main()
            status = 0
        except SystemExit as stop:
            status = stop.code
        return status, *capsys.readouterr()

    return run
