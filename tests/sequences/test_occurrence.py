"""A peptide is found wherever it stands in a proteome, and nowhere else."""

import numpy as np
import pytest

from pmhc_distil.sequences import occurrence
from pmhc_distil.sequences.occurrence import occurring


@pytest.mark.parametrize("piece", [1, 30, 1 << 20])
def test_as_a_search_of_texts_does(monkeypatch, piece, proteins):
    """Prevents peptides that span two proteins, and long ones of which only the start was looked at."""
    monkeypatch.setattr(occurrence, "_PIECE", piece)
    generator = np.random.default_rng(1)
    wanted = [text[i : i + n] for text in proteins[:9] for n in (8, 11, 12, 13, 15) for i in (0, 3, len(text) - n)]
    wanted += [proteins[0][-4:] + proteins[1][:4], wanted[3][:-1] + "A", wanted[4][:12] + "WWW", "", "XXXXXXXX"]
    wanted += ["".join(generator.choice(list("ACDE"), 8)) for _ in range(50)]
    found = occurring(wanted, iter(proteins))
    assert found.tolist() == [bool(text) and any(text in protein for protein in proteins) for text in wanted]
    assert 100 < found.sum() < len(wanted)


def test_unknown_residues_match_nothing():
    """Prevents an X of the proteome from standing for any residue."""
    assert occurring(["SLYNTVATL", "NTVATLKKW"], ["MSLYXTVATLKKW", "NTVATLKKW"]).tolist() == [False, True]
    assert occurring([], ["MSLY"]).tolist() == [] and occurring(["SLYNTVATL"], []).tolist() == [False]


def test_peptides_that_differ_at_their_end():
    """Prevents a long peptide from hiding another that begins alike."""
    assert occurring(["ACDEFGHIKLMNP", "ACDEFGHIKLMNQ"], ["WWACDEFGHIKLMNQWW"]).tolist() == [False, True]
