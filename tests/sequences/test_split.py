"""Equal peptides and proteins stay together, and stay where they are."""

import numpy as np
import pandas as pd
import pytest

from pmhc_distil.sequences.proteins import read_proteins
from pmhc_distil.sequences.split import in_validation, split_proteins, validation_mask


def test_split_is_a_property_of_the_peptide():
    """Prevents a peptide from changing sides when a source is added."""
    sides = [in_validation(f"PEPTIDE{i}", 0.3, 5) for i in range(2000)]
    assert np.mean(sides) == pytest.approx(0.3, abs=0.03)
    assert sides == [in_validation(f"PEPTIDE{i}", 0.3, 5) for i in range(2000)]
    assert sides != [in_validation(f"PEPTIDE{i}", 0.3, 6) for i in range(2000)]
    assert not in_validation("PEPTIDE", 0, 5) and in_validation("PEPTIDE", 1, 5)


def test_a_column_is_split_row_by_row():
    """Prevents repeated peptides, or a table whose rows were selected, from being split by their place."""
    peptides = pd.Series([f"PEPTIDE{i * i % 11}" for i in range(40)], index=range(100, 60, -1))
    assert validation_mask(peptides, 0.5, 5).tolist() == [in_validation(text, 0.5, 5) for text in peptides]


def test_proteins_are_split_by_sequence(tmp_path, proteins):
    """Prevents one protein under two names from being in both files, and a file that changes from run to run."""
    fasta = tmp_path / "p.fasta"
    fasta.write_text("".join(f">{copy}{i}\n{text}\n" for copy in "ab" for i, text in enumerate(proteins)))
    counts = split_proteins(fasta, tmp_path / "one", 0.4, 3)
    split_proteins(fasta, tmp_path / "two", 0.4, 3)
    parts = [
        [text for _, text in read_proteins(tmp_path / "one" / f"{name}.fasta.gz")] for name in ("train", "validation")
    ]
    assert counts == (*map(len, parts), set()) and sum(counts[:2]) == 2 * len(proteins)
    assert not set(parts[0]) & set(parts[1])
    for name in ("train", "validation"):
        assert (tmp_path / "one" / f"{name}.fasta.gz").read_bytes() == (
            tmp_path / "two" / f"{name}.fasta.gz"
        ).read_bytes()


def test_an_interrupted_split_is_not_mixed_with_an_earlier_one(tmp_path, protein_fasta, monkeypatch):
    """Prevents new training proteins beside those of an older validation, some of which are the same."""
    split_proteins(protein_fasta, tmp_path, 0.4, 3)

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("pmhc_distil.sequences.split.gzip.compress", interrupted)
    with pytest.raises(KeyboardInterrupt):
        split_proteins(protein_fasta, tmp_path, 0.4, 4)
    assert [path.name for path in tmp_path.iterdir()] == ["train.fasta.gz"]
