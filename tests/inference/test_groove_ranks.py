"""Ranks of a groove that no table has are those that this run would have made, whatever lies in the cache."""

import shutil

import numpy as np
import pytest

from pmhc_distil.inference.background import FILE_NAME, write_windows
from pmhc_distil.inference.engine import Engine
from pmhc_distil.inference.groove_ranks import GrooveRanks
from pmhc_distil.sequences.groove_table import groove_table
from pmhc_distil.sequences.residues import RESIDUES

GROOVE = groove_table().groove("HLA-A*02:01").replace("Y", "W", 1)


@pytest.fixture
def ranks(binding_folder, tmp_path, monkeypatch):
    monkeypatch.setenv("PMHC_DISTIL_CACHE", str(tmp_path / "cache"))
    engine = Engine(binding_folder, threads=1, device="cpu", precision="single")

    def make():
        return GrooveRanks(engine, "weights", windows=100)

    return make


def test_a_table_is_made_once(ranks, monkeypatch):
    """Prevents seconds of calibration in every run with one's own molecule."""
    made = ranks().table(GROOVE)
    monkeypatch.setattr(GrooveRanks, "_calibrate", lambda *_: pytest.fail("made again"))
    found = ranks()
    np.testing.assert_array_equal(found.table(GROOVE).knots, made.knots)
    assert found.table(GROOVE) is found.table(GROOVE)


def test_a_damaged_table_is_made_anew(ranks, tmp_path):
    """Prevents a file that nobody knows of from ending every run with one's own molecule."""
    made = ranks().table(GROOVE)
    (kept,) = (tmp_path / "cache").iterdir()
    kept.write_bytes(b"half")
    np.testing.assert_array_equal(ranks().table(GROOVE).knots, made.knots)
    assert len(kept.read_bytes()) > 100


def test_each_precision_has_its_own(ranks, tmp_path, monkeypatch):
    """Prevents the ranks of one run from depending on the precision of another that ran before."""
    ranks().table(GROOVE)
    monkeypatch.setattr(Engine, "half", True)
    for number, instructions in enumerate(("AMX", "AVX-512"), start=2):
        monkeypatch.setattr(Engine, "computed_by", instructions)
        ranks().table(GROOVE)
        assert len(list((tmp_path / "cache").iterdir())) == number


def test_each_model_and_background_has_its_own(binding_folder, tmp_path, monkeypatch):
    """Prevents ranks made with another model, other random peptides, or more of them than are asked for."""
    monkeypatch.setenv("PMHC_DISTIL_CACHE", str(tmp_path / "cache"))
    windows = ["".join(row) for row in np.random.default_rng(0).choice(list(RESIDUES), (60, 15))]
    engines = []
    for name, some in (("one", windows), ("other", windows[::-1])):
        folder = shutil.copytree(binding_folder, tmp_path / name)
        write_windows(some, folder / FILE_NAME)
        engines.append(Engine(folder, threads=1, device="cpu", precision="single"))
    one, other = engines
    runs = [(one, "weights", 20), (one, "weights", 10), (other, "weights", 20), (one, "other weights", 20)]
    made = [GrooveRanks(engine, weights, windows=count) for engine, weights, count in runs]
    knots = [ranks.table(GROOVE).knots for ranks in made]
    assert len(list((tmp_path / "cache").iterdir())) == len(runs)
    assert len(made[1].random_peptides[9]) == 10
    assert not np.array_equal(knots[0], knots[1]) and not np.array_equal(knots[0], knots[2])
