"""Motifs of alleles: what tells a ligand from a window."""

import numpy as np
import pandas as pd
import pytest

from pmhc_distil.sequences.motifs import Motifs

RESIDUES = list("ACDEFGHIKLMNPQRSTVWY")


def peptides(generator, count, second=None, last=None, lengths=(8, 9, 10, 11)):
    """Give random peptides with given residues at P2 and at the C-terminus."""
    made = ["".join(generator.choice(RESIDUES, generator.choice(lengths))) for _ in range(count)]
    return [text[0] + (second or text[1]) + text[2:-1] + (last or text[-1]) for text in made]


@pytest.fixture(scope="module")
def motifs():
    generator = np.random.default_rng(0)
    ligands = pd.DataFrame(
        {
            "peptide": peptides(generator, 300, "L", "V", (9,)) + peptides(generator, 300, "P", "F", (9, 10, 11)),
            "allele": ["A"] * 300 + ["B"] * 300,
        }
    )
    windows = pd.DataFrame({"peptide": peptides(generator, 3000), "allele": ["A", "B"] * 1500})
    return Motifs(ligands, windows)


def test_anchors_and_lengths_make_a_ligand(motifs):
    """Prevents a motif read from the wrong end, of another allele, or blind to the length."""
    rows = [
        ("GLGGGGGGV", "A"),
        ("GPGGGGGGF", "B"),
        ("GPGGGGGGGGF", "B"),
        ("GPGGGGGGF", "A"),
        ("GLGGGGGGV", "B"),
        ("VGGGGGGLG", "A"),
        ("GLGGGGGGGGV", "A"),
    ]
    frame = pd.DataFrame(rows, columns=["peptide", "allele"])
    probability = motifs.probability(frame["peptide"], frame["allele"], 5.0)
    assert (probability[:3] > 0.9).all(), probability
    assert (probability[3:6] < 0.1).all(), probability
    assert probability[6] < probability[0], "the first allele has no ligands of eleven residues"


def test_odds_follow_the_number_of_windows(motifs):
    """Prevents a probability that does not know among how many windows it is asked."""
    frame = pd.DataFrame({"peptide": ["GLGGGGGGV", "GLGGGGGGA", "GAGGGGGGA"], "allele": "A"})
    odds = {}
    for windows in (5.0, 50.0):
        probability = motifs.probability(frame["peptide"], frame["allele"], windows)
        odds[windows] = probability / (1 - probability)
    np.testing.assert_allclose(odds[5.0], 10 * odds[50.0], rtol=1e-6)


def test_probabilities_are_calibrated(motifs):
    """Prevents log-odds that are added up as if residues were independent from being taken at their word."""
    generator = np.random.default_rng(1)
    frame = pd.DataFrame(
        {
            "peptide": peptides(generator, 500, "L", "V", (9,)) + peptides(generator, 2500),
            "allele": "A",
        }
    )
    assert motifs.probability(frame["peptide"], frame["allele"], 5.0).sum() == pytest.approx(500, rel=0.1)


def test_what_has_no_motif(motifs):
    """Prevents the motif of another allele from being used, and a failure where all ligands went to validation."""
    own = pd.Series(["GLGGGGGGV", "GPGGGGGGF", "GAGGGGGGA"])
    unknown = motifs.probability(own, pd.Series(["C"] * 3), 5.0)
    assert unknown == pytest.approx([unknown[0]] * 3) and unknown[0] < 0.5
    empty = pd.DataFrame({"peptide": [], "allele": []}, dtype="str")
    with pytest.raises(ValueError, match="ligands and windows"):
        Motifs(empty, empty)
