"""%rank is where a score stands among random peptides, and a better score always has a better rank."""

import gzip
import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open

from pmhc_distil.errors import InputError
from pmhc_distil.inference import calibration
from pmhc_distil.inference.background import draw_windows, read_windows, write_windows
from pmhc_distil.inference.calibration import calibrate, calibrate_groove, calibrate_model, score_all
from pmhc_distil.inference.engine import Engine
from pmhc_distil.inference.groove_ranks import GrooveRanks
from pmhc_distil.inference.ranks import (
    CLASSES,
    PERCENTILES,
    RARITY,
    RankTable,
    knots_of,
    mean_score,
    percent_rank,
    to_milli,
)
from pmhc_distil.inference.score_estimates import Thoroughness
from pmhc_distil.models.vocabulary import encode
from pmhc_distil.sequences.groove_table import groove_table
from pmhc_distil.sequences.proteins import Proteome
from pmhc_distil.sequences.residues import PEPTIDE_LENGTHS

NAMES = ("A*01:01", "A*02:01", "A*02:02", "A*24:02", "B*07:02", "B*27:05", "B*44:02", "C*06:02", "C*07:01")


@pytest.fixture(autouse=True)
def one_thread():
    """Set the threads back, which an engine changes for the whole process."""
    yield
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def grooves():
    table = groove_table()
    return [table.grooves[f"HLA-{name}"] for name in NAMES]


@pytest.fixture(scope="module")
def engine(tmp_path_factory, make_model):
    """Give a model whose logits spread as those of a trained one do."""
    model = make_model(seed=1)
    with torch.no_grad():
        model.head.output.weight.mul_(8)
    folder = tmp_path_factory.mktemp("spread")
    model.save_pretrained(folder)
    return Engine(folder, threads=1, device="cpu")


@pytest.fixture(scope="module")
def background():
    generator = np.random.default_rng(0)
    proteome = Proteome(["".join(generator.choice(list("ACDEFGHIKLMNPQRSTVWY"), 500)) for _ in range(10)])
    tokens = encode(draw_windows(proteome, 1000, seed=1), 15)
    return {length: tokens[:, :length] for length in PEPTIDE_LENGTHS}


scores = st.integers(0, 1000).map(lambda seed: np.random.default_rng(seed).normal(-3, 2, 5000))


@given(scores)
def test_rank_falls_strictly(scores):
    """Prevents ties, above all among the strongest: two binders beyond the last knot need an order."""
    knots = to_milli(knots_of(scores))
    grid = np.arange(knots[0] / 1000 + 0.001, knots[-1] / 1000 + 20, 0.01)
    ranks = percent_rank(grid, knots)
    assert (np.diff(ranks) < 0).all()
    assert ranks.min() > 0 and ranks.max() <= 100


def test_equal_knots_still_fall():
    """Prevents ties where a model gives many random peptides the same score."""
    knots = np.array([-3000] * 20 + [1000] * (len(PERCENTILES) - 20), dtype=np.int16)
    ranks = percent_rank(np.linspace(-2.99, 1.5, 400), knots)
    assert np.isfinite(ranks).all() and (np.diff(ranks) < 0).all()


def test_distinct_knots_stay_where_they_are():
    """Prevents ranks that drift because knots far from any tie are moved too."""
    knots = np.arange(len(PERCENTILES), dtype=np.int16) * 2 - 3000
    np.testing.assert_allclose(percent_rank(knots / 1000, knots), PERCENTILES, rtol=1e-9)
    knots[5] = knots[4]
    found = percent_rank(knots / 1000, knots)
    np.testing.assert_allclose(np.delete(found, 5), np.delete(PERCENTILES, 5), rtol=1e-9)


def test_knots_have_their_percentiles():
    """Prevents an off-by-one between knots and percentiles, or 0.5 % from meaning 0.5."""
    scores = np.random.default_rng(0).normal(-3, 2, 100_000)
    exact = knots_of(scores)
    # All that is lost is the rounding to thousandths of a logit.
    np.testing.assert_allclose(percent_rank(exact, to_milli(exact)), PERCENTILES, rtol=0.005)
    for percentile, knot in zip(PERCENTILES, exact, strict=True):
        assert 100 * (scores >= knot).mean() == pytest.approx(percentile, rel=0.02, abs=0.002)


def test_weakest_score_has_rank_100():
    """Prevents ranks above 100 %."""
    knots = to_milli(knots_of(np.random.default_rng(0).normal(size=1000)))
    assert percent_rank(np.array([-30.0, knots[0] / 1000]), knots).tolist() == [100, 100]


def test_background_is_close_to_uniform(engine, grooves, background):
    """Prevents a calibration that misfits its own peptides: their mean rank is 50 %, and 2 % of them rank below 2."""
    table = RankTable(grooves[:1], calibrate_groove(engine, grooves[0], background)[None], {})
    found = score_all(engine, grooves[0], background)
    logits = np.concatenate(list(found.values()))
    lengths = np.repeat(list(found), [len(part) for part in found.values()])
    for ranks in table.ranks(grooves[0], logits, lengths):
        assert ranks.mean() == pytest.approx(50, abs=2)
        for percentile in (0.5, 2, 20, 80):
            assert 100 * (ranks <= percentile).mean() == pytest.approx(percentile, rel=0.15, abs=0.1)


def test_rank_of_the_same_length_uses_that_length(engine, grooves, background):
    """Prevents the knots of one length from being used for another."""
    table = RankTable(grooves[:1], calibrate_groove(engine, grooves[0], background)[None], {})
    assert table.knots.shape == (1, CLASSES, len(PERCENTILES))
    for number, length in enumerate(PEPTIDE_LENGTHS, start=1):
        middle = np.median(score_all(engine, grooves[0], background)[length])
        same = table.ranks(grooves[0], np.array([middle]), np.array([length]))[1]
        assert same[0] == pytest.approx(50, abs=2), number


def test_save_and_load(tmp_path, grooves):
    """Prevents a table that comes back with other grooves, knots or origin."""
    knots = np.sort(np.random.default_rng(0).integers(-9000, 9000, (len(grooves), CLASSES, len(PERCENTILES))), -1)
    RankTable(grooves, knots.astype(np.int16), {"weights": "abc", "seed": "1"}).save(tmp_path / "r.safetensors")
    (tmp_path / "new").touch()
    assert (tmp_path / "r.safetensors").stat().st_mode == (tmp_path / "new").stat().st_mode, "as any other file"
    loaded = RankTable.load(tmp_path / "r.safetensors")
    assert loaded.grooves == grooves and loaded.facts == {"weights": "abc", "seed": "1"}
    np.testing.assert_array_equal(loaded.knots, knots)
    assert grooves[0] in loaded and "A" * 34 not in loaded


def test_same_table_same_bytes(tmp_path, grooves):
    """Prevents a rank table whose checksum depends on the order of its facts, or on the run."""
    knots = np.zeros((len(grooves), CLASSES, len(PERCENTILES)), dtype=np.int16)
    facts = {"weights": "abc", "seed": "1", "precision": "single", "background": "def", "hla_release": "test"}
    for name, table in (("a", facts), ("b", dict(reversed(facts.items())))):
        RankTable(grooves, knots, table).save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    with safe_open(tmp_path / "a", framework="numpy") as file:
        assert json.loads(file.metadata()["facts"]) == facts and len(file.metadata()) == 1
    RankTable(grooves, knots, {**facts, "seed": "2"}).save(tmp_path / "c")
    assert (tmp_path / "a").read_bytes() != (tmp_path / "c").read_bytes()


@pytest.mark.parametrize("content", [None, b"", b"nothing of the kind, but long enough"])
def test_damaged_table(tmp_path, content):
    """Prevents a traceback where calibration is missing."""
    path = tmp_path / "ranks.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"ranks\.safetensors.*calibrate"):
        RankTable.load(path)


def test_an_interrupted_calibration_goes_on(engine, grooves, background, tmp_path, monkeypatch):
    """Prevents an hour of scoring from being lost, and grooves of another model from being taken over."""
    partial, grooves = tmp_path / "partial", grooves[:8]
    background = {length: tokens[:100] for length, tokens in background.items()}
    whole = calibrate(engine, grooves, background, facts={"weights": "a"})
    scored = []
    score_all = calibration.score_all

    def stop_at_five(engine, groove, background):
        scored.append(groove)
        if len(scored) == 5:
            raise KeyboardInterrupt
        return score_all(engine, groove, background)

    monkeypatch.setattr(calibration, "_KEPT_EVERY", 2)
    monkeypatch.setattr(calibration, "score_all", stop_at_five)
    with pytest.raises(KeyboardInterrupt):
        calibrate(engine, grooves, background, facts={"weights": "a"}, partial=partial)
    again = calibrate(engine, grooves, background, facts={"weights": "a"}, partial=partial)
    assert scored[:5] == grooves[:5] and set(scored) == set(grooves)
    assert all(scored.count(groove) == 1 for groove in grooves[:4]), "what was kept is not done again"
    assert again.grooves == grooves
    np.testing.assert_array_equal(again.knots, whole.knots)
    calibrate(engine, grooves[:2], background, facts={"weights": "b"}, partial=partial)
    assert scored[-2:] == grooves[:2]


def test_rows_near_a_class_limit_are_found(engine, grooves, background):
    """Prevents the error of half precision from making a binder of a non-binder."""
    table = RankTable(grooves[:1], calibrate_groove(engine, grooves[0], background)[None], {})
    logits = np.linspace(table.knots[0, 0, 0] / 1000, table.knots[0, 0, -1] / 1000, 5000)
    ranks = table.ranks(grooves[0], logits, np.full(len(logits), 9))[0]
    near = table.near_class_limit(grooves[0], logits, 0.01)
    for limit in (0.5, 2.0):
        crossing = logits[np.argmin(np.abs(ranks - limit))]
        np.testing.assert_array_equal(near[np.abs(logits - crossing) < 0.008], True)
    assert near.sum() > 0 and (np.ptp(logits) / len(logits)) * near.sum() < 0.05


def test_windows_are_the_same_bytes_every_time(tmp_path, proteins):
    """Prevents a background whose checksum changes."""
    for name in ("a", "b"):
        write_windows(draw_windows(Proteome(proteins), 20, seed=1), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    read = read_windows(tmp_path / "a")
    assert {length: tokens.shape for length, tokens in read.items()} == {
        length: (20, length) for length in range(8, 16)
    }
    assert (read[8] == read[15][:, :8]).all()


@pytest.mark.parametrize(
    "content",
    [None, b"text", gzip.compress(b"ACD" * 99, mtime=0)[:-9], gzip.compress(b"A", mtime=0)[:10] + b"\xff" * 40],
)
def test_damaged_background(tmp_path, content):
    """Prevents a traceback where the random peptides are missing."""
    if content is not None:
        (tmp_path / "x.gz").write_bytes(content)
    with pytest.raises(InputError, match=r"x\.gz"):
        read_windows(tmp_path / "x.gz")


def test_a_model_folder_is_calibrated(tmp_path, make_model, grooves, protein_fasta, monkeypatch):
    """Prevents calibration and prediction from not finding each other's files."""

    class Table:
        release = "test"

        def unique_grooves(self):
            return grooves

    monkeypatch.setattr(calibration, "groove_table", Table)
    make_model(num_hidden_layers=2).save_pretrained(tmp_path)
    arguments = {"windows": 400, "seed": 1, "threads": 1, "device": "cpu"}
    report = calibrate_model(tmp_path, protein_fasta, **arguments)
    assert report["grooves"] == len(grooves) and report["peptides"] == 3200
    table = RankTable.load(tmp_path / "ranks.safetensors")
    assert table.grooves == grooves and table.facts["hla_release"] == "test"
    assert (np.diff(table.knots, axis=-1) >= 0).all()
    written = (tmp_path / "ranks.safetensors").read_bytes()
    assert calibrate_model(tmp_path, protein_fasta, **arguments) == report
    assert (tmp_path / "ranks.safetensors").read_bytes() == written
    again = RankTable.load(tmp_path / "ranks.safetensors")
    assert again.facts == table.facts and not list(tmp_path.glob("*.partial.*"))
    # A calibration that ends early leaves table and random peptides as they were.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(calibration, "_knots", lambda _: (_ for _ in ()).throw(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            calibrate_model(tmp_path, protein_fasta, **{**arguments, "seed": 2})
    engine = Engine(tmp_path, threads=1, device="cpu")
    ranks = GrooveRanks(engine, table.facts["weights"])
    assert len(next(iter(ranks.random_peptides.values()))) == 400
    (tmp_path / "background.partial.txt.gz").replace(tmp_path / "background.txt.gz")
    with pytest.raises(InputError, match="made with other random peptides"):
        GrooveRanks(engine, table.facts["weights"]).table("Y" * 34)
    np.testing.assert_array_equal(again.knots, table.knots)


@given(scores)
def test_mean_score_is_that_of_the_peptides(drawn):
    """Prevents an average over knots that misses the few peptides with high scores, which make most of it."""
    knots = to_milli(knots_of(drawn))
    assert mean_score(knots) == pytest.approx((1 / (1 + np.exp(-drawn))).mean(), rel=0.1)
    assert mean_score(knots, 5) == pytest.approx((1 / (1 + 5 * np.exp(-drawn))).mean(), rel=0.1)


def test_shares_of_lengths_are_those_among_all_peptides():
    """Prevents shares at the rank among peptides of one length, of which all lengths have as many."""
    generator = np.random.default_rng(0)
    drawn = [generator.normal(-3 - abs(length - 9), 2, 20_000) for length in PEPTIDE_LENGTHS]
    knots = to_milli(np.stack([knots_of(np.concatenate(drawn)), *map(knots_of, drawn)]))
    limit = np.quantile(np.concatenate(drawn), 0.98)
    counts = np.array([(part >= limit).sum() for part in drawn])
    shares = RankTable(["groove"], knots[None], {}).length_shares("groove", 2.0)
    np.testing.assert_allclose(shares, counts / counts.sum(), atol=0.01)


def test_extreme_knots_keep_their_sign():
    """Prevents a logit beyond what sixteen bits hold from coming back with the other sign."""
    assert to_milli(np.array([-40.0, 40.0])).tolist() == [-32_000, 32_000]


def test_length_neutral_scores_add_up_alike(engine, grooves, background):
    """Prevents a score that still tells how often an allele presents peptides of a length."""
    table = RankTable([grooves[0]], calibrate_groove(engine, grooves[0], background)[None], {})
    odds = table.length_log_odds(grooves[0])
    assert np.exp(odds).mean() == pytest.approx(1)
    logits = score_all(engine, grooves[0], background)
    means = {length: (1 / (1 + RARITY * np.exp(-part))).mean() for length, part in logits.items()}
    for length, preference in zip(PEPTIDE_LENGTHS, odds, strict=True):
        expected = np.log(means[length] / np.mean(list(means.values())))
        assert preference == pytest.approx(expected, abs=0.1)


def test_estimates_rank_as_all_scores_do(tmp_path, make_model, grooves, protein_fasta, monkeypatch):
    """Prevents a quick calibration that is another, or whose error nobody is told."""
    few = Thoroughness(references=4, sample=100, components=3)
    monkeypatch.setattr(calibration, "Thoroughness", lambda: few)
    monkeypatch.setattr(
        calibration, "groove_table", lambda: SimpleNamespace(release="x", unique_grooves=lambda: grooves)
    )
    make_model(num_hidden_layers=2).save_pretrained(tmp_path)
    arguments = {"windows": 400, "seed": 1, "threads": 1, "device": "cpu"}
    whole = calibrate_model(tmp_path, protein_fasta, **arguments, exhaustive=True)
    exact = RankTable.load(tmp_path / "ranks.safetensors")
    report = calibrate_model(tmp_path, protein_fasta, **arguments)
    quick = RankTable.load(tmp_path / "ranks.safetensors")
    assert "largest_error" not in whole and "estimates" not in exact.facts and "estimates" in quick.facts
    assert quick.grooves == exact.grooves
    errors = [
        percent_rank(row[at] / 1000, knots) / PERCENTILES[at]
        for estimated, all_scores in zip(quick.knots, exact.knots, strict=True)
        for row, knots in zip(estimated, all_scores, strict=True)
        for at in [PERCENTILES == 2]
    ]
    assert np.min(errors) > 0.5 and np.max(errors) < 2 and np.mean(errors) == pytest.approx(1, abs=0.1)
    assert set(report["largest_error"]) == {"0.1 %", "0.5 %", "2 %", "20 %"}
    assert report["largest_error"]["2 %"] >= max(1, np.sort(np.ravel(errors))[-10])


@pytest.mark.parametrize("wrong", [{"windows": 0}, {"windows": "many"}, {"seed": 1.5}, {"exhaustive": "no"}])
def test_wrong_settings_are_one_line(tmp_path, wrong):
    """Prevents a traceback for a typing error in a recipe."""
    with pytest.raises(InputError, match=next(iter(wrong))):
        calibrate_model(tmp_path, tmp_path / "none.fasta", **({"windows": 10, "seed": 1} | wrong))
