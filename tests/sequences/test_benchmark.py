"""Ligands among random windows: as many, as long and as unknown as promised."""

import numpy as np
import pandas as pd
import pytest

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.benchmark import at_most, hits_among_windows, known_ligands, read_ligands, simulated_donors
from pmhc_distil.sequences.proteins import Proteome

RESIDUES = list("ACDEFGHIKLMNPQRSTVWY")
ALLELES = [f"HLA-{locus}*{group}:01" for locus in "ABC" for group in ("01", "02", "03")]


@pytest.fixture
def generator():
    return np.random.default_rng(3)


@pytest.fixture
def proteome(generator):
    return Proteome(["".join(generator.choice(RESIDUES, 500)) for _ in range(4)])


@pytest.fixture
def ligands(generator):
    lengths = [8, 9, 9, 9, 10]
    rows = [("".join(generator.choice(RESIDUES, lengths[i % 5])), allele) for allele in ALLELES for i in range(10)]
    return pd.DataFrame(rows, columns=["peptide", "allele"])


def lengths_of(table):
    return table["peptide"].str.len().value_counts().sort_index().to_dict()


def test_decoys_have_the_lengths_of_the_ligands(ligands, proteome, generator):
    """Prevents a model from being rewarded for the length alone."""
    made = hits_among_windows(ligands, proteome, decoys=5, lengths=None, excluded=(), generator=generator)
    for _, own in made.groupby("allele"):
        assert lengths_of(own[own["label"] == 0]) == {8: 10, 9: 30, 10: 10}
        assert lengths_of(own[own["label"] == 1]) == {8: 2, 9: 6, 10: 2}


def test_decoys_of_all_lengths(ligands, proteome, generator):
    """Prevents lengths that are more frequent than others."""
    made = hits_among_windows(ligands, proteome, decoys=4, lengths=(8, 9, 10, 11), excluded=(), generator=generator)
    decoys = made[made["label"] == 0]
    assert set(lengths_of(decoys).values()) == {90} and set(lengths_of(decoys)) == {8, 9, 10, 11}
    assert decoys.groupby("allele").size().eq(40).all()
    assert all(text in proteome.text for text in decoys["peptide"])


def test_a_known_ligand_is_no_decoy(ligands, generator):
    """Prevents ligands from counting as mistakes, and an endless search where there is nothing else."""
    sequence = "".join(generator.choice(RESIDUES, 30))
    proteome = Proteome([sequence])
    windows = [sequence[start : start + 9] for start in range(22)]
    nines = ligands[ligands["peptide"].str.len() == 9]
    made = hits_among_windows(nines, proteome, decoys=3, lengths=None, excluded=windows[:15], generator=generator)
    assert set(made.loc[made["label"] == 0, "peptide"]) <= set(windows[15:])
    with pytest.raises(InputError, match="nearly every window of 9 residues"):
        hits_among_windows(nines, proteome, decoys=3, lengths=None, excluded=windows, generator=generator)


def test_donors_have_two_alleles_of_every_locus(ligands, proteome, generator):
    """Prevents persons that do not exist, and donors that share their ligands or lose their decoys."""
    donors = simulated_donors(ligands, 5, generator)
    for _, own in donors.groupby("donor"):
        (genotype,) = own["allele"].unique()
        names = genotype.split(",")
        assert [name[4] for name in names] == list("AABBCC") and len(set(names)) == 6
        assert set(own["peptide"]) == set(ligands.loc[ligands["allele"].isin(names), "peptide"])
    made = hits_among_windows(donors, proteome, decoys=4, lengths=(8, 9), excluded=(), generator=generator)
    counts = made.groupby(["donor", "label"]).size().unstack()
    assert (counts[0] == 4 * counts[1]).all() and len(counts) == 5
    with pytest.raises(InputError, match="two alleles of HLA-B"):
        simulated_donors(ligands[~ligands["allele"].str.contains("B")], 5, generator)


def test_at_most(ligands, generator):
    """Prevents alleles with many ligands from outweighing the others, and the first rows from being preferred."""
    few = ligands.drop(range(3, 10))
    kept = at_most(few, 4, generator)
    counts = dict.fromkeys(ALLELES, 4) | {ALLELES[0]: 3}
    assert kept["allele"].value_counts().to_dict() == counts and kept["peptide"].is_unique
    pd.testing.assert_frame_equal(kept, few.loc[kept.index])
    assert kept.index.is_monotonic_increasing
    chosen = np.array([at_most(few, 4, generator)["peptide"].isin(few["peptide"].iloc[:7]).sum() for _ in range(200)])
    assert chosen.mean() == pytest.approx(3 + 4 * 4 / 10, abs=0.3), "three of the first allele, any of the second"


def test_at_most_of_a_donor(ligands, generator):
    """Prevents a limit for every allele, or for all who share a genotype, from being taken for one for every donor."""
    donors = simulated_donors(ligands, 3, generator)
    donors = pd.concat([donors, donors.assign(donor=donors["donor"] + 3)], ignore_index=True)
    kept = at_most(donors, 7, generator)
    assert kept.groupby("donor").size().to_dict() == dict.fromkeys(range(1, 7), 7)


def test_ligands_of_a_file(tmp_path):
    """Prevents negatives, affinities and repeated rows from being taken for ligands."""
    path = tmp_path / "table.csv"
    rows = [("SLYNTVATL", "A0201", 1), ("slyntvatl", "A*02:01", 1), ("NLVPMVATV", "a", 0), ("GILGFVFTL", "B0702", 1)]
    pd.DataFrame([*rows, ("GLCTLVAML", "b", "")], columns=["peptide", "allele", "label"]).to_csv(path, index=False)
    assert read_ligands(path).to_numpy().tolist() == [["SLYNTVATL", "HLA-A*02:01"], ["GILGFVFTL", "HLA-B*07:02"]]
    assert read_ligands(path, "allele == 'B0702'")["peptide"].tolist() == ["GILGFVFTL"]
    with pytest.raises(InputError, match="no ligand"):
        read_ligands(path, "allele == 'c'")
    for bad, column in ((("GIL", "B0702", 1), "peptide"), (("GILGFVFTL", "ZZ", 1), "allele")):
        pd.DataFrame([*rows, bad], columns=["peptide", "allele", "label"]).to_csv(path, index=False)
        with pytest.raises(InputError) as caught:
            read_ligands(path)
        assert (caught.value.row, caught.value.column) == (6, column)
        path.write_text("\n" + path.read_text().replace("NLVPMVATV", "\nNLVPMVATV"))
        with pytest.raises(InputError) as caught:
            read_ligands(path)
        assert caught.value.row == 8, "blank lines are lines, too"


def test_peptides_that_are_no_decoys(tmp_path):
    """Prevents a row that `--where` leaves out from being refused, and a ligand of any allele from being a decoy."""
    rows = [("slyntvatl", "A2", 1), ("SHORT", "A0201", 1), ("NLVPMVATV", "A0201", 0)]
    pd.DataFrame(rows, columns=["peptide", "allele", "label"]).to_csv(tmp_path / "t.csv", index=False)
    assert known_ligands(tmp_path / "t.csv") == {"SLYNTVATL", "SHORT"}
