"""The scan of the library gives what the command writes."""

import pandas as pd
import pytest

from pmhc_distil.analysis.scan import scan
from pmhc_distil.errors import InputError
from pmhc_distil.inference.predictor import Predictor

PROTEINS = {"one": "mslynTVATLKKWGILGFVFTLAAA", "two": "MNLVPMVATVQ"}
WITH_STOP = {name: f"{sequence}*" for name, sequence in PROTEINS.items()}
ALLELES = ["A*02:01", "B*07:02"]


@pytest.fixture(scope="module")
def predictor():
    return Predictor(threads=1)


def test_windows(predictor, monkeypatch):
    """Prevents windows that a part of the predictions loses, and another order than that of the proteins."""
    whole = scan(PROTEINS, ALLELES, predictor=predictor)
    monkeypatch.setattr("pmhc_distil.analysis.scan._ROWS", 7)
    table = pd.DataFrame({"protein": list(PROTEINS), "sequence": list(PROTEINS.values())})
    pd.testing.assert_frame_equal(scan(table, ALLELES, predictor=predictor, lengths=(11, 10, 9, 8, 8)), whole)
    pd.testing.assert_frame_equal(scan(WITH_STOP, ALLELES, predictor=predictor), whole)
    sequences = {name: text.upper() for name, text in PROTEINS.items()}
    assert len(whole) == 2 * sum(len(text) - length + 1 for text in sequences.values() for length in (8, 9, 10, 11))
    for row in whole.itertuples():
        assert sequences[row.protein][row.position - 1 :].startswith(row.peptide + row.c_flank)


def test_regions_and_samples(predictor):
    """Prevents a region of the library that differs from the windows it stands for."""
    samples = pd.DataFrame({"sample": ["d1", "d2"], "alleles": ["A0201;B0702", "A0101"]})
    binders = scan(PROTEINS, samples=samples, genotype=True, predictor=predictor, max_rank=2)
    regions = scan(PROTEINS, samples=samples, genotype=True, predictor=predictor, regions=True)
    assert (binders["rank"] <= 2).all() and regions["binders"].sum() == len(binders)
    best = binders.sort_values("rank", kind="stable").groupby(["sample", "protein"]).head(1)
    top = scan(PROTEINS, samples=samples, genotype=True, predictor=predictor, top=1)
    assert set(top["peptide"]) >= set(best["peptide"]) and top.groupby(["sample", "protein"]).size().eq(1).all()


def test_mistakes(predictor):
    """Prevents a scan of nothing from passing for a result."""
    with pytest.raises(InputError, match="no protein has 8 residues"):
        scan({"one": "MSLY"}, ALLELES, predictor=predictor)
    with pytest.raises(InputError, match="no HLA alleles"):
        scan(PROTEINS, predictor=predictor)
    for lengths, told in (([7], "'7'"), (9, "'9'"), ("9", "'9'"), ([9.0], "'9.0'"), ([], "no lengths")):
        with pytest.raises(InputError, match=f"lengths: .*{told}"):
            scan(PROTEINS, ALLELES, predictor=predictor, lengths=lengths)
    with pytest.raises(InputError, match="named proteins are expected: 'list'"):
        scan(list(PROTEINS.values()), ALLELES, predictor=predictor)
    twice = pd.DataFrame({"protein": ["a", "a"], "sequence": ["MSLYNTVATL"] * 2})
    with pytest.raises(InputError, match="the same name"):
        scan(twice, ALLELES, predictor=predictor, top=3)


def test_a_table_without_its_columns_is_one_line(predictor):
    """Prevents a traceback out of pandas."""
    with pytest.raises(InputError, match="proteins, column 'sequence': the column is missing; there are: protein, seq"):
        scan(pd.DataFrame({"protein": ["one"], "seq": ["SLYNTVATL"]}), ALLELES, predictor=predictor)
