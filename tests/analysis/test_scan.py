"""The scan of the library gives what the command writes."""

import pandas as pd
import pytest

from pmhc_distil.analysis.scan import scan
from pmhc_distil.errors import InputError, InputWarning
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


def test_a_rank_at_the_limit_is_kept(predictor, monkeypatch):
    """Prevents windows that are written with a rank of 2 from being left out by a limit of 2."""
    predict = type(predictor).predict
    monkeypatch.setattr(predictor, "predict", lambda *a, **k: predict(predictor, *a, **k).assign(rank=2.00004))
    found = scan({"two": PROTEINS["two"]}, ["A*02:01"], predictor=predictor, lengths=(9,), max_rank=2)
    assert len(found) == len(PROTEINS["two"]) - 8


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


@pytest.mark.parametrize(
    "samples",
    [
        {"d": "A*11:01;C*08:02"},
        {"d": ["A*11:01", "C*08:02"]},
        pd.DataFrame({"sample": ["d"], "alleles": ["A*11:01;C*08:02"]}),
        pd.DataFrame({"sample": ["d"], "alleles": [["A*11:01", "C*08:02"]]}),
    ],
)
def test_alleles_of_a_sample_as_text_and_as_list(predictor, samples):
    """Prevents a text from being taken for a list of letters, none of which binds."""
    found = scan(PROTEINS, samples=samples, predictor=predictor)
    expected = scan(PROTEINS, ["A*11:01", "C*08:02"], predictor=predictor)
    pd.testing.assert_frame_equal(found.drop(columns="sample")[expected.columns], expected)


@pytest.mark.parametrize(
    ("samples", "told"),
    [
        ({"d": ["XX", "A*11:01"]}, "samples, row 1, column 'alleles': "),
        (pd.DataFrame({"sample": ["a"], "alleles": ["A*11;C*08:02"]}), "samples, row 1, column 'alleles': "),
        (
            pd.DataFrame({"sample": ["a", "b"], "alleles": ["A*11:01", None]}),
            "row 2, .*: the sample has no alleles: 'b'",
        ),
        (pd.DataFrame({"sample": [None], "alleles": ["A*11:01"]}), "row 1, .*: the sample has no name"),
        ({}, "samples: no samples"),
        ({"d": []}, "the sample has no alleles: 'd'"),
        ([("d", "A*11:01")], "samples are expected: 'list'"),
    ],
)
def test_mistakes_in_samples(predictor, samples, told):
    """Prevents an allele, or a person, from vanishing where a limit leaves out the rows that would tell."""
    with pytest.raises(InputError, match=told):
        scan(PROTEINS, samples=samples, predictor=predictor, max_rank=1)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *[("top", value) for value in (0, 2.5, "3", True)],
        *[("max_rank", value) for value in (-1, float("nan"), 200, "2")],
    ],
)
def test_limits_out_of_range(predictor, option, value):
    """Prevents a limit that the command refuses from leaving out all rows, or none."""
    with pytest.raises(InputError, match=f"^{option}: a .* is expected: '{value}'"):
        scan(PROTEINS, ALLELES, predictor=predictor, **{option: value})


@pytest.mark.parametrize(
    ("alleles", "samples", "told"),
    [
        (["A*11:01", "A1101"], None, "names HLA-A\\*11:01 again"),
        (["A*24:09N", "A*11:01"], None, "null allele"),
        (None, {"d": ["A*24:09N", "A*11:01"]}, "null allele"),
    ],
)
def test_what_to_mind_is_told(predictor, alleles, samples, told):
    """Prevents a null allele from being left out without a word."""
    with pytest.warns(InputWarning, match=told):
        scan(PROTEINS, alleles, samples=samples, genotype=True, predictor=predictor)
