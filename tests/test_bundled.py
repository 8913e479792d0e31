"""The bundled student as a user meets it: the numbers that ship with the package."""

import hashlib
import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pmhc_distil import Predictor
from pmhc_distil.inference import native
from pmhc_distil.inference.background import FILE_NAME, read_windows
from pmhc_distil.inference.ranks import RankTable
from pmhc_distil.inference.uncertainty import uncertainty
from pmhc_distil.models import BUNDLED_MODEL
from pmhc_distil.models.shape import EncoderShape
from pmhc_distil.models.vocabulary import VOCABULARY
from pmhc_distil.sequences.groove_table import groove_table
from pmhc_distil.sequences.tables import PREDICTION_NAMES

ROOT = Path(__file__).parent.parent
CHECKSUMS = ROOT / "data/bundled.sha256"
# Immunodominant epitopes of textbooks, each with the allele that presents it.
EPITOPES = {
    "GILGFVFTL": "HLA-A*02:01",
    "NLVPMVATV": "HLA-A*02:01",
    "GLCTLVAML": "HLA-A*02:01",
    "SLYNTVATL": "HLA-A*02:01",
    "TPRVTGGGAM": "HLA-B*07:02",
    "FLRGRAYGL": "HLA-B*08:01",
    "QYDPVAALF": "HLA-A*24:02",
    "IPSINVHHY": "HLA-B*35:01",
}


@pytest.fixture(scope="module")
def predictor():
    return Predictor(threads=1)


def run(*arguments: str, **kwargs):
    return subprocess.run(
        [sys.executable, "-m", "pmhc_distil.cli", *arguments], capture_output=True, text=True, cwd=ROOT, **kwargs
    )


def test_checksums_and_size():
    """Weights that were exchanged without their calibration, or a package that grew beyond what was promised."""
    for line in CHECKSUMS.read_text().splitlines():
        digest, name = line.split()
        assert hashlib.sha256((ROOT / name).read_bytes()).hexdigest() == digest, name
    assert sum(path.stat().st_size for path in BUNDLED_MODEL.iterdir()) < 10e6


def test_known_epitopes_bind(predictor):
    """A model that ranks well on average but misses what every immunologist tries first."""
    table = pd.DataFrame({"peptide": EPITOPES.keys(), "allele": EPITOPES.values()})
    found = predictor.predict(table)
    assert tuple(found.columns) == PREDICTION_NAMES
    assert (found["rank"] <= 2).all(), found[["peptide", "rank"]]
    assert (found["binder"] != "").all()
    swapped = predictor.predict(list(EPITOPES)[:4], "B*07:02")
    assert (swapped["rank"] > 5 * found["rank"][:4]).all(), "an epitope of A*02:01 suits B*07:02 as well"


def test_epitopes_of_one_allele_do_not_bind_another(predictor):
    """Epitopes of A*02:01 have no anchor for B*07:02 at P2."""
    assert (predictor.predict(list(EPITOPES)[:4], "B*07:02")["rank"] > 2).all()


@pytest.mark.xfail(strict=True, reason="ligands of A*02:01 among those of A*01:01 in el_anthem: ranks of 0.2 and 1.2")
def test_epitopes_of_an_allele_do_not_bind_its_neighbour(predictor):
    """Neither has an anchor of A*01:01 (T, S or D, E at P2 and P3, Y at the end)."""
    assert (predictor.predict(["YLEPGPVTV", "LLFGYPVYV"], "A*01:01")["rank"] > 2).all()


def test_every_shipped_groove_is_calibrated():
    """A listed allele whose rank has to be computed first, or is missing."""
    table = RankTable.load(BUNDLED_MODEL / "ranks.safetensors")
    assert table.grooves == groove_table().unique_grooves()
    assert (np.diff(table.knots, axis=-1) >= 0).all(), "knots rise as the percentile falls"


def test_ranks_fall_as_scores_rise_without_ties(predictor):
    """Ties among strong binders, which hide the best candidates of a shortlist."""
    rng = np.random.default_rng(0)
    core = ["".join(rng.choice(list("ACDEFGHIKLMNPQRSTVWY"), 6)) for _ in range(300)]
    found = predictor.predict([f"{a[0]}L{a[1:]}V" for a in core], "A*02:01").drop_duplicates("peptide")
    ordered = found.sort_values("score", ascending=False)
    assert (np.diff(ordered["rank"]) > 0).all()
    assert ordered["rank"].iloc[0] < 0.5


def test_random_human_peptides_rank_uniformly(predictor):
    """A calibration that promises 2 % and delivers another share, for a common allele and for a rare one."""
    tokens = read_windows(BUNDLED_MODEL / FILE_NAME)
    assert sum(len(part) for part in tokens.values()) >= 50_000
    letters = np.array([token[0] for token in VOCABULARY])
    peptides = ["".join(row) for part in tokens.values() for row in letters[part[::50]]]
    for allele in ("A*02:01", "B*15:220"):
        ranks = predictor.predict(peptides, allele)["rank"]
        assert ranks.mean() == pytest.approx(50, abs=3)
        assert (ranks <= 2).mean() * 100 == pytest.approx(2, abs=1)


def test_random_peptides_share_no_rank(predictor):
    """Ranks in steps: many peptides with one rank cannot be told apart, whatever their scores."""
    generator = np.random.default_rng(6)
    windows = read_windows(BUNDLED_MODEL / FILE_NAME)[9]
    letters = np.array([token[0] for token in VOCABULARY])
    peptides = ["".join(row) for row in letters[windows[generator.choice(len(windows), 2000, replace=False)]]]
    for allele in ("A*02:01", "B*46:01", "C*07:02"):
        found = predictor.predict(peptides, allele).drop_duplicates("peptide")
        assert found["rank"].round(6).value_counts(normalize=True).max() <= 0.01
        assert found["rank_same_length"].round(6).value_counts(normalize=True).max() <= 0.01


def test_alleles_far_from_the_training_data_are_marked(predictor):
    """A prediction for a groove like no other must not look as certain as one for A*02:01."""
    near = predictor.predict(["GILGFVFTL"], "A*02:01")
    assert near["distance"].iloc[0] == 0 and near["note"].iloc[0] == ""
    far = predictor.predict(["GILGFVFTL", "SHORT"], grooves={"mine": groove_table().groove("HLA-F*01:01")})
    assert far["distance"].iloc[0] > 0.08 and "far from the training data" in far["note"].iloc[0]
    assert np.isnan(far["distance"].iloc[1]) and "far" not in far["note"].iloc[1]


def test_order_neighbours_and_threads_do_not_matter(predictor):
    """A score that depends on what else is in the file."""
    peptides = [*EPITOPES, "AAAAAAAA", "SLYNTVATLAAAAAA"]
    alleles = ["A*02:01", "C*07:02"]
    whole = predictor.predict(peptides, alleles).set_index(["peptide", "allele"])["score"]
    reverse = predictor.predict(peptides[::-1], alleles[::-1]).set_index(["peptide", "allele"])["score"]
    alone = Predictor(threads=2).predict(peptides[:1], alleles[:1])["score"]
    assert np.allclose(whole, reverse.loc[whole.index], atol=1e-6)
    assert np.allclose(alone, whole.iloc[0], atol=1e-6)


@pytest.mark.skipif(not native.has_half(), reason="this processor does not compute in bfloat16")
@pytest.mark.parametrize("tiles", [True, False])
def test_half_precision_changes_no_class(tiles, monkeypatch):
    """A binder that is none on another machine."""
    if not tiles:
        monkeypatch.setattr(native, "_half_kernel", lambda: 1)
    predictor = Predictor(threads=1)
    letters = np.array([token[0] for token in VOCABULARY])
    windows = read_windows(BUNDLED_MODEL / FILE_NAME)
    peptides = ["".join(row) for tokens in windows.values() for row in letters[tokens[:1500]]]
    alleles = ["A*02:01", "B*44:02", "C*04:01"]
    single = Predictor(threads=1, precision="single")
    assert predictor.engine.half and not single.engine.half
    half, exact = predictor.predict(peptides, alleles), single.predict(peptides, alleles)
    assert (half["binder"] == exact["binder"]).all()
    logits = [np.log(found["score"] / (1 - found["score"])) for found in (half, exact)]
    assert 0 < np.abs(logits[0] - logits[1]).max() < predictor.engine.backend.error


def test_genotype_takes_the_best_allele(predictor):
    """One row per peptide, with the allele of the lowest rank; an unscorable peptide names no allele."""
    alleles = ["A*02:01", "B*07:02"]
    found = predictor.predict(["GILGFVFTL", "TPRVTGGGAM", "SHORT"], alleles, genotype=True)
    assert found["allele"].tolist() == ["HLA-A*02:01", "HLA-B*07:02", ""]
    each = predictor.predict(["GILGFVFTL", "TPRVTGGGAM"], alleles)
    assert found["rank"].iloc[0] == each.groupby("peptide")["rank"].min()["GILGFVFTL"]


def test_an_allele_by_sequence_is_its_name(predictor, tmp_path, monkeypatch):
    """A sequence-defined allele that is scored or ranked differently from the same allele by name."""
    monkeypatch.setenv("PMHC_DISTIL_CACHE", str(tmp_path))
    groove = groove_table().groove("HLA-A*02:01")
    named = predictor.predict(["GILGFVFTL"], "A*02:01").drop(columns="allele")
    given = predictor.predict(["GILGFVFTL"], "mine", grooves={"mine": groove}).drop(columns="allele")
    pd.testing.assert_frame_equal(named, given)
    other = groove.replace("Y", "F", 1)
    small = Predictor(threads=1, windows=200)
    first = small.predict(["GILGFVFTL"], "odd", grooves={"odd": other})
    assert len(list(tmp_path.iterdir())) == 1, "the new ranks are kept"
    again = Predictor(threads=1, windows=200).predict(["GILGFVFTL"], "odd", grooves={"odd": other})
    pd.testing.assert_frame_equal(first, again)


def test_an_unwritable_cache_is_no_obstacle(tmp_path, monkeypatch, caplog):
    """A container user without a home folder gets ranks all the same, and is told that they are not kept."""
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("PMHC_DISTIL_CACHE", str(blocked / "folder"))
    groove = groove_table().groove("HLA-A*02:01").replace("Y", "W", 1)
    found = Predictor(threads=1, windows=100).predict(["GILGFVFTL"], "odd", grooves={"odd": groove})
    assert found["rank"].notna().all()
    assert "not kept" in caplog.text


def test_command_line_end_to_end(tmp_path):
    """The sentence of the README: a FASTA and an allele in, the whole table out, the same bytes every time."""
    outputs = [tmp_path / "a.csv", tmp_path / "b.csv"]
    for output in outputs:
        done = run("predict", "data/examples/peptides.fasta", "--hla", "A*02:01", "-o", str(output), "--threads", "1")
        assert done.returncode == 0, done.stderr
    assert outputs[0].read_bytes() == outputs[1].read_bytes()
    table = pd.read_csv(outputs[0])
    assert (ROOT / "data/examples/peptides.fasta").read_text().count(">") == len(table)
    assert table["score"].notna().all()


def test_scan_finds_the_epitope_of_a_protein():
    """A scan that loses the one window everybody looks for, or puts it elsewhere."""
    done = run("scan", "data/examples/protein.fasta", "--hla", "A*02:01", "--max-rank", "0.5", "--format", "csv")
    assert done.returncode == 0, done.stderr
    found = pd.read_csv(io.StringIO(done.stdout)).set_index("peptide")
    assert found.loc["GILGFVFTL", ["protein", "position"]].tolist() == ["P03485", 58]
    assert (found["rank"] <= 0.5).all() and len(found) < 30


@pytest.mark.skipif(native.unsupported(EncoderShape()) != "", reason="without compiled kernels torch computes")
def test_prediction_imports_no_large_library():
    """A cold start that pays for libraries which prediction does not need."""
    code = (
        "import sys; from pmhc_distil import Predictor;"
        "Predictor(threads=1, device='cpu').predict(['GILGFVFTL'], 'A0201');"
        "assert not {'torch', 'transformers', 'mhcgnomes', 'sklearn', 'scipy'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_transformers_pipeline_agrees(predictor):
    """A model on the hub's terms that gives other probabilities than the predictor."""
    import transformers

    import pmhc_distil  # noqa: F401 (registers the model)

    pipeline = transformers.pipeline("text-classification", model=str(BUNDLED_MODEL))
    (answer,) = pipeline(["GILGFVFTL HLA-A*02:01"])
    score = predictor.predict(["GILGFVFTL"], "A*02:01")["score"].iloc[0]
    assert answer["label"] == "BINDER"
    assert answer["score"] == pytest.approx(score, abs=1e-3)


@pytest.mark.parametrize("reload", ["", "importlib.reload(pmhc_distil);"])
def test_transformers_is_found_before_it_is_loaded(reload):
    """A library that asks whether transformers is installed, after which the Auto classes no longer know the model."""
    code = (
        f"import importlib.util, sys; import pmhc_distil; {reload}"
        "assert all([importlib.util.find_spec('transformers') for _ in range(3)]);"
        "assert not {'torch', 'transformers'} & set(sys.modules);"
        "from transformers import AutoConfig; print(type(AutoConfig.for_model('pmhc')).__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "PMHCConfig\n"), done.stderr


def test_wrong_ranks_are_refused(tmp_path):
    """Ranks of another model, silently used."""
    import shutil

    from pmhc_distil import InputError

    folder = tmp_path / "model"
    shutil.copytree(BUNDLED_MODEL, folder)
    table = RankTable.load(folder / "ranks.safetensors")
    RankTable(table.grooves, table.knots, {"weights": "other"}).save(folder / "ranks.safetensors")
    with pytest.raises(InputError, match="other weights"):
        Predictor(folder)


def test_uncertainty_is_of_the_score_and_of_the_distance(predictor):
    """A row that is anybody's guess but looks certain, above all for an allele without data."""
    found = predictor.predict([*EPITOPES, "SHORT"], "A*02:01").iloc[:-1]
    np.testing.assert_allclose(found["uncertainty"], np.minimum(found["score"], 1 - found["score"]), rtol=1e-6)
    far = predictor.predict(list(EPITOPES), grooves={"mine": groove_table().groove("HLA-F*01:01")})
    assert (far["uncertainty"] > np.minimum(far["score"], 1 - far["score"])).all()
    assert far["uncertainty"].max() <= 0.5
    assert uncertainty(np.array([0.0, 0.5, 1.0, np.nan]), np.array([0, 0.1, np.nan, 0]))[:3].tolist() == [0, 0.5, 0]
