"""Random peptides are what stands in proteins, and nothing that spans two of them."""

import gzip
from collections import Counter

import numpy as np
import pytest

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.proteins import Proteome, read_proteins


def test_reading(tmp_path):
    """Prevents lower case, line breaks, stop signs and gzip from changing a protein."""
    text = ">sp|P1|A first\nMKv\nLL*\n>two\nACD\n"
    (tmp_path / "a.fasta").write_text(text)
    (tmp_path / "a.fasta.gz").write_bytes(gzip.compress(text.encode()))
    expected = [("sp|P1|A", "MKVLL"), ("two", "ACD")]
    assert list(read_proteins(tmp_path / "a.fasta")) == expected
    assert list(read_proteins(tmp_path / "a.fasta.gz")) == expected


def test_residues_without_a_title(tmp_path):
    """Prevents the first protein from being left out where its title was not copied; comments may stand there."""
    path = tmp_path / "x.fasta"
    path.write_text("; from a list\n\n>b\nACD\n")
    assert list(read_proteins(path)) == [("b", "ACD")]
    path.write_text("\nMKTAYIAK\n>b\nACD\n")
    with pytest.raises(InputError, match="residues before the first title: 'MKTAYIAK'") as caught:
        list(read_proteins(path))
    assert caught.value.row == 2


@pytest.mark.parametrize("content", ["", "peptide,allele\nA,B\n", None])
def test_files_without_proteins(tmp_path, content):
    """Prevents an empty proteome from being found out only when peptides are drawn."""
    path = tmp_path / "x.fasta"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InputError, match=r"x\.fasta"):
        list(read_proteins(path))


def test_every_window_and_no_other():
    """Prevents windows across two proteins or over a non-standard residue, and windows that are never drawn."""
    proteins = ["ACDEFGHIKL", "MNPQXRSTVWY", "AAA", "UACDEFGHI"]
    proteome = Proteome(proteins)
    expected = {
        protein[i : i + 4]
        for protein in proteins
        for i in range(len(protein) - 3)
        if not set("XU") & set(protein[i : i + 4])
    }
    assert {proteome.text[start : start + 4] for start in proteome.windows(4)} == expected
    assert set(proteome.draw(4, 2000, np.random.default_rng(0))) == expected


def test_letters_that_are_not_ascii():
    """Prevents them from being taken for two letters, so that windows hold them and others are never drawn."""
    proteome = Proteome(["AC\u00c5DEFG\U0001d538HIKLM"])
    assert [proteome.text[start : start + 4] for start in proteome.windows(4)] == ["DEFG", "HIKL", "IKLM"]


def test_long_proteins_count_by_their_windows():
    """Prevents short proteins from being drawn as often as long ones."""
    proteome = Proteome(["A" * 9, "C" * 108])
    drawn = Counter(text[0] for text in proteome.draw(9, 5000, np.random.default_rng(0)))
    assert drawn["A"] / 5000 == pytest.approx(1 / 101, abs=0.006)


def test_nothing_to_draw():
    """Prevents an endless search, or a numpy traceback."""
    with pytest.raises(InputError, match="no window of 9"):
        Proteome(["ACDEFGHI", "ACDXFGHIKLM"]).draw(9, 1, np.random.default_rng(0))


def test_same_generator_same_windows(proteins):
    """Prevents a background that cannot be drawn again."""
    one, again, other = (Proteome(proteins).draw(9, 30, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert one == again != other
    assert {len(text) for text in one} == {9}
