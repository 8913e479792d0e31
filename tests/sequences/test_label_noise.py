"""Ligands under the wrong allele: who is told, who is believed, and what training does without them."""

import numpy as np
import pandas as pd
import pytest

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.label_noise import LabelNoise, believed
from pmhc_distil.sequences.prepare import prepare
from pmhc_distil.sequences.proteins import Proteome
from pmhc_distil.sequences.sources import Source
from pmhc_distil.sequences.split import validation_mask

RESIDUES = list("ACDEFGHIKLMNPQRSTVWY")
A1, A2, B7, C4 = "HLA-A*01:01", "HLA-A*02:01", "HLA-B*07:02", "HLA-C*04:01"
ANCHORS = {A2: "LV", B7: "PF", C4: "DM"}
NOISE = LabelNoise("trusted.csv", 100)


def peptides(generator, count, anchors=None):
    """Give random 9-mers, with the two residues given at P2 and at the C-terminus."""
    made = ["".join(generator.choice(RESIDUES, 9)) for _ in range(count)]
    return [text[0] + anchors[0] + text[2:-1] + anchors[1] for text in made] if anchors else made


def table(rows):
    return pd.DataFrame(rows, columns=["peptide", "allele", "source", "kind"])


@pytest.fixture(scope="module")
def ligands():
    """Give a trusted source (few ligands of C*04:01), and one with ligands of B*07:02 under A*02:01 and C*04:01."""
    generator = np.random.default_rng(3)
    rows = []
    for allele, count in ((A2, 300), (B7, 300), (C4, 60)):
        rows += [(text, allele, "trusted", "own") for text in peptides(generator, count, ANCHORS[allele])]
    for allele in (A2, C4):
        for kind, count, anchors in (("own", 200, ANCHORS[allele]), ("other", 100, ANCHORS[B7]), ("none", 100, None)):
            rows += [(text, allele, "mixed", kind) for text in peptides(generator, count, anchors)]
    rows += [(text, B7, "pure", "own") for text in peptides(generator, 200, ANCHORS[B7])]
    rows += [(text, A1, "mixed", "own") for text in peptides(generator, 200)]
    return table(rows)


@pytest.fixture(scope="module")
def windows():
    generator = np.random.default_rng(4)
    return pd.DataFrame({"peptide": peptides(generator, 2000), "allele": [A2, B7] * 1000})


def test_ligands_of_another_allele_are_told(ligands, windows):
    """Prevents ligands that stand under the wrong allele from being learned, and right ones from being lost."""
    chosen = ligands.assign(probability=believed(ligands, windows, NOISE))
    mean = chosen[(chosen["source"] == "mixed") & (chosen["allele"] == A2)].groupby("kind")["probability"].mean()
    assert mean["own"] > 0.97
    assert mean["other"] < 0.03
    assert mean["none"] < 0.1


def test_a_source_without_noise_loses_nothing(ligands, windows):
    """Prevents a share of noise that was assumed rather than found."""
    pure = ligands["source"] == "pure"
    assert believed(ligands, windows, NOISE)[pure].mean() > 0.98


def test_who_is_not_judged(ligands, windows):
    """Prevents alleles that the reference hardly knows, or not at all, from being judged by what it does not know."""
    probability = believed(ligands, windows, NOISE)
    unjudged = (ligands["source"] == "trusted") | ligands["allele"].isin([A1, C4])
    assert (probability[unjudged] == 1).all()
    assert (believed(ligands, windows, LabelNoise("trusted.csv", 50))[ligands["allele"] == C4] < 0.5).any()
    assert (believed(ligands, windows, LabelNoise("trusted.csv", 1000)) == 1).all()


def test_a_reference_of_just_enough_ligands(windows):
    """Prevents an allele from being judged by fewer trusted ligands than asked for, or left out with as many."""
    generator = np.random.default_rng(0)
    rows = [(text, A2, "trusted", "own") for text in peptides(generator, 100, ANCHORS[A2])]
    found = table(rows + [(text, A2, "mixed", "none") for text in peptides(generator, 100)])
    assert (believed(found, windows, LabelNoise("trusted.csv", 100))[100:] < 0.5).any()
    assert (believed(found, windows, LabelNoise("trusted.csv", 101)) == 1).all()


def test_one_allele_alone(ligands, windows):
    """Prevents a division by nothing where there is no other allele that a ligand could be of."""
    own = ligands[ligands["allele"] == A2].reset_index(drop=True)
    probability = pd.Series(believed(own, windows, NOISE))
    mean = probability[own["source"] == "mixed"].groupby(own["kind"]).mean()
    assert mean["own"] > 0.97 and mean["none"] < 0.1


def test_order_does_not_matter(ligands, windows):
    """Prevents probabilities that are given to other rows than their own."""
    shuffled = ligands.sample(frac=1, random_state=0)
    np.testing.assert_allclose(
        believed(shuffled, windows, NOISE), believed(ligands, windows, NOISE)[shuffled.index], atol=1e-9
    )


@pytest.fixture(scope="module")
def prepared(ligands, tmp_path_factory):
    """Give a function that prepares tables from the sources."""
    folder = tmp_path_factory.mktemp("noise")
    for name, rows in ligands.groupby("source"):
        rows[["peptide", "allele"]].to_csv(folder / f"{name}.csv", index=False)
    generator = np.random.default_rng(5)
    # Ligands stand in the proteome too, so that they could be drawn.
    proteome = Proteome(["".join(generator.choice(RESIDUES, 400)) for _ in range(20)] + ligands["peptide"].tolist() * 3)
    sources = [Source(f"{name}.csv", (9,)) for name in ("trusted", "mixed", "pure")]
    settings = {"negatives_per_positive": 4, "uniform_share": 1, "validation_share": 0.2, "seed": 11}

    def make(label_noise=NOISE):
        return prepare(folder, sources, proteome, **settings, label_noise=label_noise)

    return make


def test_training_does_without_them(ligands, prepared):
    """Prevents them from staying in training, from being called negatives, and from vanishing without a word."""
    made = prepared()
    in_validation = validation_mask(ligands["peptide"], 0.2, 11)
    wrong = set(ligands.loc[ligands["kind"].eq("other") & ligands["allele"].eq(A2) & ~in_validation, "peptide"])
    trained = made.train[made.train["label"] == 1]
    kept = set(trained.loc[trained["allele"] == A2, "peptide"])
    assert len(kept & wrong) < 0.1 * len(wrong)
    everything = pd.concat([made.train, made.validation])
    assert not wrong & set(everything.loc[everything["label"] == 0, "peptide"])
    counted = [count for reason, count in made.dropped.items() if reason.startswith("mixed.csv: ligand")]
    assert counted == [len(ligands) - (everything["label"] == 1).sum()]
    assert made.alleles.set_index("allele").loc[A2, "ligands"] == (trained["allele"] == A2).sum()


def test_what_was_left_out_was_looked_at(ligands, prepared):
    """Prevents the audit of overlap from calling a ligand unseen on which the choice of the others depends."""
    in_training = ~validation_mask(ligands["peptide"], 0.2, 11)
    expected = ligands.loc[in_training, ["peptide", "allele"]].itertuples(index=False, name=None)
    assert sorted(prepared().measured.itertuples(index=False, name=None)) == sorted(expected)


def test_validation_keeps_all(ligands, prepared):
    """Prevents a model from being measured on what it agrees with."""
    in_validation = validation_mask(ligands["peptide"], 0.2, 11)
    validation = prepared().validation
    found = validation.loc[validation["label"] == 1, ["peptide", "allele"]]
    expected = ligands.loc[in_validation, ["peptide", "allele"]]
    assert set(found.itertuples(index=False, name=None)) == set(expected.itertuples(index=False, name=None))


def test_a_reference_is_one_of_the_sources(prepared):
    """Prevents a typing error from leaving the noise where it is."""
    with pytest.raises(InputError, match=r"trusted\.tsv"):
        prepared(LabelNoise("trusted.tsv", 100))
