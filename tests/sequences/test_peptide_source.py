"""An input in parts is the same input, and what is to say about it is known before it is used."""

import numpy as np
import pandas as pd
import pytest

from pmhc_distil.errors import InputError
from pmhc_distil.sequences import peptide_formats
from pmhc_distil.sequences.peptide_formats import Records
from pmhc_distil.sequences.peptide_source import PeptideSource
from pmhc_distil.sequences.readers import open_peptides, read_peptides

ALLELES = ["A0201", "", "B0702", "A0201", "B0702", "C0701", "A0201"]


@pytest.fixture
def pairs(tmp_path):
    """Give a table of pairs with an empty line and a peptide that cannot be scored."""
    peptides = ["ACGTACGTA", "SLYN", "ACGTACGTC", "ACGTACGTG", "ACGTACGTT", "CCGTACGTA", "CCGTACGTT"]
    lines = [f"{peptide},{allele},{i}" for i, (peptide, allele) in enumerate(zip(peptides, ALLELES, strict=True))]
    path = tmp_path / "pairs.csv"
    path.write_text("\n".join(["peptide,allele,score", *lines[:2], "", *lines[2:]]) + "\n")
    return path


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
@pytest.mark.parametrize("chunk", [1, 2, 5])
def test_parts_are_the_whole(tmp_path, monkeypatch, size, chunk):
    """Prevents rows or their lines from being lost or repeated where parts of the input meet parts of the output."""
    monkeypatch.setattr(peptide_formats, "_CHUNK", chunk)
    path = tmp_path / "peptides.txt"
    path.write_text("SLYNTVATL\n\n# x\nNLVPMVATV\nSLYN\nGILGFVFTL\n\nGLCTLVAML\nSLYNTVATV\nSLYNTVATI\n")
    whole, source = read_peptides(path), open_peptides(path)
    for _ in range(2):
        parts = list(source.tables(size))
        assert [len(part.frame) for part in parts[:-1]] == [min(size, 7)] * (len(parts) - 1)
        pd.testing.assert_frame_equal(pd.concat([part.frame for part in parts], ignore_index=True), whole.frame)
        assert [row for part in parts for row in part.rows] == whole.rows.tolist() == [1, 4, 5, 6, 8, 9, 10]


@pytest.mark.parametrize("skip", range(9))
def test_rows_that_are_done_are_skipped(skip):
    """Prevents rows that are lost or repeated where a run goes on from where it stopped."""
    texts = [f"SLYNTVAT{letter}" for letter in "ACDEFGHI"]

    def parts():
        for start in (0, 3, 6):
            yield [texts[start : start + 3]], np.arange(start, min(start + 3, 8)) + 1

    source = PeptideSource(Records(("peptide",), parts), "x")
    assert [text for part in source.tables(2, skip) for text in part.frame["peptide"]] == texts[skip:]


def test_overview(pairs, monkeypatch):
    """Prevents an allele from being refused by the wrong line, and warnings of a part for the whole."""
    for name in ("_LINES", "_CHUNK"):
        monkeypatch.setattr(f"pmhc_distil.sequences.delimited.{name}", 2)
    source = open_peptides(pairs)
    overview = source.check()
    assert overview.rows == 7 and overview.alleles == {"A0201": 2, "": 3, "B0702": 5, "C0701": 8}
    assert overview.distinct()["allele"].tolist() == ["A0201", "", "B0702", "C0701"]
    assert overview.first_rows().tolist() == [2, 3, 5, 8]
    assert source.own_columns == ["score_input"]
    assert overview.warnings == read_peptides(pairs).warnings and len(overview.warnings) == 2
    pairs.write_text(pairs.read_text() + "SLYNTVATL,A0201,7\n")
    assert len(open_peptides(pairs).check().warnings) == 1, "no nucleotides any more"


def test_list():
    """Prevents peptides without alleles, or no peptides at all, from having alleles to look up."""
    overview = PeptideSource.of_list(["SLYNTVATL", "SLYN"], "--peptide").check()
    assert (overview.rows, overview.alleles, len(overview.distinct())) == (2, None, 1)
    assert len(PeptideSource.of_list([], "--peptide").check().distinct()) == 0
    with pytest.raises(InputError, match=r"^--peptide, row 2"):
        PeptideSource.of_list(["SLYNTVATL", "SLYN"], "--peptide", strict=True).check()
