"""Designed peptides bind what they should, keep to the rules, and are the best that there are."""

import itertools

import numpy as np
import pandas as pd
import pytest

from pmhc_distil import InputError, Predictor
from pmhc_distil.analysis.design import Rules, design
from pmhc_distil.analysis.similarity import identities, similarities
from pmhc_distil.analysis.substitutions import replaced
from pmhc_distil.sequences.groove_table import groove_table
from pmhc_distil.sequences.residues import RESIDUES
from pmhc_distil.sequences.result_columns import DESIGN_COLUMNS

POOR = "SAYNTVATK"
"""SLYNTVATL without its two anchors."""


@pytest.fixture(scope="module")
def predictor():
    return Predictor(threads=1)


@pytest.fixture(scope="module")
def designed(predictor):
    return design(predictor, [POOR], ["A0201"])


def test_lost_anchors_are_found_again(designed):
    """A search that misses what every immunologist would try: L or M at P2, V or L at the end."""
    assert list(designed.columns) == [column.name for column in DESIGN_COLUMNS]
    assert designed["changes"].tolist() == [0, *np.repeat([1, 2, 3, 4], 5)]
    assert designed["peptide"].iloc[0] == POOR and designed["reached"].iloc[0] == ""
    best = designed[designed["changes"] == 2].iloc[0]
    assert best["peptide"] in {POOR[0] + second + POOR[2:-1] + last for second in "LM" for last in "VLI"}
    assert best["binder"] == "SB" and best["reached"] == "yes"
    assert (designed.groupby("changes")["rank"].min().diff().dropna() < 0).all()


def test_rows_are_predictions_and_steps_lead_there(designed, predictor):
    """Ranks of another peptide, substitutions that do not give the peptide, gains that do not add up."""
    found = predictor.predict(designed["peptide"].tolist(), "A0201")
    np.testing.assert_allclose(designed["rank"], found["rank"])
    np.testing.assert_allclose(designed["score"], found["score"])
    for row in designed.itertuples():
        peptide = POOR
        for step in row.substitutions.split():
            at = int(step[1:-1]) - 1
            assert peptide[at] == POOR[at] == step[0]
            peptide = replaced(peptide, at, step[-1])
        assert peptide == row.peptide and row.identity == pytest.approx(1 - row.changes / len(POOR))
        ranks = [float(text) for text in row.step_ranks.split()]
        gains = [float(text) for text in row.step_gains.split()]
        assert len(gains) == row.changes == len(ranks) - 1
        assert sum(gains) == pytest.approx(np.log10(ranks[0] / ranks[-1]), abs=0.03)


def test_the_beam_finds_the_best_of_all_pairs(predictor):
    """A beam so narrow that better peptides are missed: here against all of 2,888 pairs at four positions."""
    rules = Rules(2, fixed=[3, 4, 5, 6, 7], avoid="")
    found = design(predictor, [POOR], ["A0201"], rules=rules, best=3)
    every = [
        replaced(replaced(POOR, one, first), two, second)
        for one, two in itertools.combinations((0, 1, 7, 8), 2)
        for first in RESIDUES
        for second in RESIDUES
        if first != POOR[one] and second != POOR[two]
    ]
    table = predictor.predict(every, "A0201").sort_values("rank")
    assert found[found["changes"] == 2]["peptide"].tolist() == table["peptide"].head(3).tolist()


def test_rules_are_kept(predictor):
    """A substitution where the user needs the residue, or with a residue that cannot be made."""
    rules = Rules(3, fixed=[-1, 4, "T"], avoid="CMW", similarity=0.7)
    found = design(predictor, [POOR], ["A0201"], rules=rules, best=20)
    changed = found[found["changes"] > 0]
    assert len(changed) > 20
    for place in (3, 4, 7, 8):
        assert (changed["peptide"].str[place] == POOR[place]).all()
    assert not set("".join(step[-1] for steps in changed["substitutions"] for step in steps.split())) & set("CMW")
    assert (found["similarity"] >= 0.7).all()
    for position in (10, 0, 2.5):
        with pytest.raises(InputError, match=f"^fixed: {POOR} has 9 positions: '{position}'"):
            design(predictor, [POOR], ["A0201"], rules=Rules(fixed=[position]))
    with pytest.raises(InputError, match="no position is free"):
        design(predictor, [POOR], ["A0201"], rules=Rules(fixed=list(range(1, 10))))
    with pytest.raises(InputError, match=r"^avoid: no residue is left"):
        design(predictor, [POOR], ["A0201"], rules=Rules(avoid=RESIDUES))
    strict = design(predictor, [POOR], ["A0201"], rules=Rules(similarity=1.0))
    assert strict["changes"].tolist() == [0], "where nothing keeps to the rules, the peptide alone is told"


def test_a_peptide_as_similar_as_is_asked_for_is_kept(predictor):
    """Prevents the best peptide from being lost where its similarity is the floor."""
    floor = float(similarities(POOR, ["SLYNTVATK"])[0])
    found = design(predictor, [POOR], ["A0201"], rules=Rules(1, fixed=[1, 3, 4, 5, 6, 7, 8, 9], similarity=floor))
    assert "SLYNTVATK" in set(found["peptide"])


def test_a_narrow_beam_still_gives_as_many_as_asked_for(predictor):
    """Prevents fewer peptides than are asked for because fewer are looked at."""
    found = design(predictor, [POOR], ["A0201"], rules=Rules(1), best=5, beam=1)
    assert (found["changes"] == 1).sum() == 5


@pytest.mark.parametrize(
    "rules",
    [
        {"changes": 9},
        {"changes": 0},
        {"changes": 2.0},
        {"similarity": 2},
        {"similarity": "a"},
        {"fixed": 9},
        {"avoid": 1},
    ],
)
def test_rules_out_of_range_are_refused(rules):
    """A search that takes hours, or no step, for a number that the command line would refuse."""
    with pytest.raises(InputError, match=f"^{next(iter(rules))}: a"):
        Rules(**rules)


@pytest.mark.parametrize(
    ("peptide", "options", "told"),
    [
        (None, {}, "peptide: not a text"),
        (POOR, {"best": 0}, "best: a whole number above 0 is expected: '0'"),
        (POOR, {"beam": 2.5}, "beam: a whole number above 0 is expected: '2.5'"),
        (POOR, {"rank": 101}, "rank: a percentage from 0 to 100 is expected: '101'"),
    ],
)
def test_mistakes(predictor, peptide, options, told):
    """Prevents a traceback, or a design of nothing, for what the command refuses."""
    with pytest.raises(InputError, match=f"^{told}"):
        design(predictor, [peptide], ["A0201"], **options)


def test_numbers_of_numpy_are_numbers():
    """Prevents positions out of an array from being refused as outside of the peptide."""
    assert Rules(np.int64(2), fixed=np.array([2, -1])).free("SIINFEKLL") == [0, 2, 3, 4, 5, 6, 7]


def test_reverse_unbinds_all_alleles_at_once(predictor):
    """A peptide that leaves one allele only to bind another one of the same person."""
    alleles = ["A0201", "A6802", "B0702"]
    found = design(predictor, ["SLYNTVATL"], alleles, reverse=True, rules=Rules(2))
    assert found["reached"].tolist()[0] == "" and (found["reached"][found["changes"] > 0] == "yes").all()
    ranks = predictor.predict(found["peptide"].tolist(), alleles).groupby("peptide", sort=False)["rank"].min()
    np.testing.assert_allclose(found["rank"], ranks.loc[found["peptide"]])
    gains = found[found["changes"] == 1]["step_gains"].astype(float)
    assert (gains > 0).all() and gains.is_monotonic_decreasing
    assert "C" not in "".join(found["substitutions"])


@pytest.mark.parametrize(("reverse", "allele", "rank"), [(False, "HLA-A*02:01", 2.0001), (True, "HLA-B*07:02", 2.0)])
def test_the_allele_of_the_worst_rank_limits(monkeypatch, reverse, allele, rank):
    """An aim that is told as reached though one allele misses it by a little, because its score is better."""
    near = Predictor(threads=1)
    monkeypatch.setattr(
        near,
        "predict",
        lambda texts, grooves: pd.DataFrame({"rank": [2.0001, 2.0], "score": [0.5, 0.1]}).iloc[[0, 1] * len(texts)],
    )
    found = design(near, [POOR], ["A0201", "B0702"], reverse=reverse, rules=Rules(1))
    assert (found["allele"] == allele).all() and (found["rank"] == rank).all() and (found["reached"] == "").all()


def test_a_rank_at_the_aim_reaches_it(monkeypatch):
    """Prevents an aim that is told as missed by the rank that was asked for."""
    near = Predictor(threads=1)
    frame = pd.DataFrame({"rank": [1.5], "score": [0.5]})
    monkeypatch.setattr(near, "predict", lambda texts, grooves: frame.iloc[[0] * len(texts)])
    assert (design(near, [POOR], ["A0201"], rules=Rules(1), rank=1.5)["reached"] == "yes").all()


def test_several_alleles_are_to_be_bound_together(predictor):
    """A design for two alleles that is the best of one of them."""
    groove = groove_table().groove("HLA-A*68:02")
    found = design(predictor, [POOR, POOR.lower()], ["A0201", "mine"], grooves={"mine": groove}, rules=Rules(2))
    assert len(found) == 11, "a peptide that is given twice is designed once"
    each = predictor.predict(found["peptide"].tolist(), ["A0201", "A6802"])
    worst = each.groupby("peptide", sort=False)["rank"].max()
    np.testing.assert_allclose(found["rank"], worst.loc[found["peptide"]])
    assert set(found["allele"]) <= {"HLA-A*02:01", "mine"}


def test_similarity_is_that_of_blosum62():
    """A similarity whose floor means nothing: 1 for itself, higher for a kindred residue than for another."""
    same, kindred, other = similarities("SLYNTVATL", ["SLYNTVATL", "SIYNTVATL", "SDYNTVATL"])
    assert same == pytest.approx(1) and same > kindred > other > 0
    assert identities("SLYNTVATL", ["SLYNTVATL", "SIYNTVATV"]).tolist() == pytest.approx([1, 7 / 9])


def test_command(tmp_path, monkeypatch, capsys):
    """The command as the README shows it, and one line for a mistake."""
    from pmhc_distil import cli

    monkeypatch.chdir(tmp_path)
    words = ["design", POOR, "--hla", "A0201", "--fix", "2,-1", "--rank", "0.0001", "--changes", "1", "-o", "d.csv"]
    monkeypatch.setattr("sys.argv", ["pmhc-distil", *words])
    cli.main()
    assert len(pd.read_csv("d.csv")) == 6
    assert "no peptide that keeps to the rules" in capsys.readouterr().err
    for wrong, told in (
        ([POOR, "--fix", "P2", "--hla", "A0201"], "neither a position"),
        ([POOR, "--fix", "12", "--hla", "A0201"], f"--fix: {POOR} has 9 positions"),
        ([POOR, "--avoid", "CX", "--hla", "A0201"], "--avoid: not a residue"),
        ([POOR], "no HLA alleles"),
    ):
        monkeypatch.setattr("sys.argv", ["pmhc-distil", "design", *wrong])
        with pytest.raises(SystemExit, match="2"):
            cli.main()
        assert told in capsys.readouterr().err
