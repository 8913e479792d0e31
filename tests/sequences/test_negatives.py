"""Negatives are windows that nobody knows to bind, and the offset takes back how they were chosen."""

import numpy as np
import pandas as pd
import pytest

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.negatives import HardNegatives, draw_negatives
from pmhc_distil.sequences.prepare import prepare
from pmhc_distil.sequences.proteins import Proteome
from pmhc_distil.sequences.sources import Source

RESIDUES = list("ACDEFGHIKLMNPQRSTVWY")
A2, B7 = "HLA-A*02:01", "HLA-B*07:02"
SETTINGS = {"negatives_per_positive": 4, "uniform_share": 0.25, "validation_share": 0.2, "seed": 11}


def random(generator, lengths):
    return ["".join(generator.choice(RESIDUES, length)) for length in lengths]


def test_a_small_proteome_of_ligands_gives_other_negatives(tmp_path):
    """Prevents the check against known ligands from being skipped: here most windows are ligands."""
    proteome = Proteome(random(np.random.default_rng(4), [40]))
    windows = [proteome.text[start : start + 9] for start in proteome.windows(9)]
    pd.DataFrame({"peptide": windows[:28], "allele": "A*02:01"}).to_csv(tmp_path / "l.csv", index=False)
    made = prepare(tmp_path, [Source("l.csv", (9,))], proteome, **SETTINGS)
    drawn = {text for table in (made.train, made.validation) for text in table.loc[table["label"] == 0, "peptide"]}
    assert drawn and drawn <= set(windows[28:])
    pd.DataFrame({"peptide": windows, "allele": "A*02:01"}).to_csv(tmp_path / "l.csv", index=False)
    with pytest.raises(InputError, match="nearly every window of 9 residues"):
        prepare(tmp_path, [Source("l.csv", (9,))], proteome, **SETTINGS)


def test_few_negatives_from_a_proteome_of_many_ligands():
    """Prevents a draw that happens to meet ligands alone from being taken for a proteome without other windows."""
    proteome = Proteome(["ACDEFGHIKLMNPQRSTVWY"])
    windows = sorted({proteome.text[start : start + 9] for start in proteome.windows(9)})
    ligands = pd.DataFrame({"peptide": windows[:2], "allele": A2, "source": "one"})
    shares = pd.Series({9: 1.0})
    for seed in range(20):
        found = draw_negatives(ligands, [Source("one.csv", (9,))], shares, proteome, set(windows[:11]), shares, seed)
        assert len(found) >= 1 and set(found["peptide"]) <= set(windows[11:])


def test_alleles_with_few_ligands_have_negatives_of_every_length():
    """Prevents lengths of which less than half a negative is asked for from having none, which the offset denies."""
    proteome = Proteome(random(np.random.default_rng(6), [2000]))
    ligands = pd.DataFrame({"peptide": "SLYNTVATL", "allele": [f"HLA-A*{n}" for n in range(400)], "source": "one"})
    shares = pd.Series({8: 0.2, 9: 0.8})
    rates = pd.Series({8: 0.3, 9: 1.75})
    found = draw_negatives(ligands, [Source("one.csv", (8, 9))], shares, proteome, set(), rates, 1)
    numbers = found["peptide"].str.len().value_counts()
    assert numbers[8] == pytest.approx(400 * 0.3, abs=30) and numbers[9] == pytest.approx(400 * 1.75, abs=30)
    assert set(found[found["peptide"].str.len() == 9].groupby("allele").size()) == {1, 2}


def test_a_small_proteome_gives_as_many_negatives():
    """Prevents fewer negatives than the offset counts on where windows are drawn twice."""
    proteome = Proteome(["ACDEFGHIKLM"])
    ligands = pd.DataFrame({"peptide": ["SLYNTVATL"] * 50, "allele": A2, "source": "one"})
    rates = pd.Series({9: 2.0})
    found = draw_negatives(ligands, [Source("one.csv", (9,))], pd.Series({9: 1.0}), proteome, set(), rates, 1)
    assert found.groupby("peptide").size().between(15, 55).all() and len(found) == 100


def test_two_sources_of_one_file_count_as_one(tmp_path):
    """Prevents twice the negatives, and so another meaning of the score, where a file is listed in parts."""
    generator = np.random.default_rng(5)
    proteome = Proteome(random(generator, [500] * 20))
    ligands = random(generator, [8] * 10 + [9] * 40 + [10] * 20)
    pd.DataFrame({"peptide": ligands, "allele": "A*02:01"}).to_csv(tmp_path / "l.csv", index=False)
    whole = prepare(tmp_path, [Source("l.csv", (8, 9, 10))], proteome, **SETTINGS)
    parts = prepare(tmp_path, [Source("l.csv", (8, 9)), Source("l.csv", (10,))], proteome, **SETTINGS)
    for one, other in ((whole.train, parts.train), (whole.validation, parts.validation)):
        columns = ["peptide", "label", "offset"]
        pd.testing.assert_frame_equal(
            *(table[columns].sort_values("peptide", ignore_index=True) for table in (one, other))
        )


@pytest.fixture(scope="module")
def motif_folder(tmp_path_factory):
    """Ligands with anchors at both ends, so that a motif can tell most windows from them."""
    folder = tmp_path_factory.mktemp("motifs")
    generator = np.random.default_rng(12)
    anchors = {"A*02:01": ("L", "V"), "B*07:02": ("P", "L")}
    rows = [
        (text[0] + second + text[2:-1] + last, allele)
        for allele, (second, last) in anchors.items()
        for text in random(generator, [9] * 300 + [10] * 60)
    ]
    pd.DataFrame(rows, columns=["peptide", "allele"]).to_csv(folder / "ligands.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def plain_and_hard(motif_folder):
    proteome = Proteome(random(np.random.default_rng(13), [4000] * 20))
    hard = HardNegatives(per_positive=40, least_kept=0.25)
    return [
        prepare(motif_folder, [Source("ligands.csv")], proteome, **SETTINGS, hard_negatives=settings)
        for settings in (None, hard)
    ]


def test_hard_negatives_look_like_ligands(plain_and_hard):
    """Prevents negatives that are chosen at random, or the wrong way round."""
    anchored = []
    for prepared in plain_and_hard:
        negatives = prepared.train[prepared.train["label"] == 0]
        own = negatives[negatives["allele"] == A2]["peptide"]
        anchored.append((own.str[1].eq("L") & own.str[-1].eq("V")).mean())
    assert anchored[1] > 2 * anchored[0] > 0
    counts = [(prepared.train["label"] == 0).sum() for prepared in plain_and_hard]
    assert counts[1] < 0.5 * counts[0] * 40 / 4, "most of the forty for each ligand are left out"


def test_offset_undoes_the_choice_of_hard_negatives(plain_and_hard):
    """Prevents a model from learning how the negatives were chosen: weighed by the offset, they are as without it."""
    plain, hard = (prepared.train[prepared.train["label"] == 0] for prepared in plain_and_hard)
    for allele in (A2, B7):
        per_length = []
        for table in (plain, hard):
            own = table[table["allele"] == allele]
            per_length.append(np.exp(own["offset"]).groupby(own["peptide"].str.len()).sum())
        np.testing.assert_allclose(per_length[1], per_length[0], rtol=0.4)
        assert per_length[1].sum() == pytest.approx(per_length[0].sum(), rel=0.1)


def test_ligands_have_the_offset_of_windows_like_them(plain_and_hard):
    """Prevents the odds of peptides that are kept for certain from being shifted otherwise than by their number."""
    plain, hard = (prepared.train[prepared.train["label"] == 1] for prepared in plain_and_hard)
    shift = hard["offset"].to_numpy() - plain["offset"].to_numpy()
    assert (hard["peptide"].to_numpy() == plain["peptide"].to_numpy()).all()
    certain = np.log(SETTINGS["negatives_per_positive"] / 40)
    assert (shift >= certain - 1e-9).all() and (shift <= certain - np.log(0.25) + 1e-9).all()
    assert np.median(shift) < certain + 1


def test_hard_negatives_leave_validation_as_it_is(plain_and_hard):
    """Prevents metrics of validation that depend on the choice of training negatives."""
    plain, hard = plain_and_hard
    pd.testing.assert_frame_equal(plain.validation, hard.validation)
    assert not set(hard.train["peptide"]) & set(hard.validation["peptide"])
