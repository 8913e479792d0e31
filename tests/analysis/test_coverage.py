"""Coverage of populations against what enumerating all persons gives."""

import itertools
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmhc_distil.analysis.coverage import coverage, hit_chances, least_hits, predictions_for
from pmhc_distil.errors import InputError, InputWarning
from pmhc_distil.sequences.frequencies import frequencies_from, read_frequencies
from pmhc_distil.sequences.readers import read_peptides

RANKS = {
    "HLA-A*01:01": [0.1, 1.0, 9.0],
    "HLA-A*02:01": [2.00004, 50.0, 0.2],
    "HLA-B*07:02": [5.0, 2.1, 3.0],
    "HLA-B*08:01": [0.5, 9.0, 9.0],
}
FREQUENCIES = {"HLA-A*01:01": 0.2, "HLA-A*02:01": 0.3, "HLA-B*07:02": 0.4, "HLA-B*08:01": 0.1}


@pytest.fixture
def predictions():
    rows = [(f"PEPTIDE{i}", allele, rank) for allele, ranks in RANKS.items() for i, rank in enumerate(ranks)]
    return pd.DataFrame(rows, columns=["peptide", "allele", "rank"])


@pytest.fixture
def frequencies():
    return pd.DataFrame({"allele": list(FREQUENCIES), "frequency": list(FREQUENCIES.values())})


def every_person(loci="AB"):
    """Give the chance and the hits of every person: two chromosomes with an allele of every locus each."""
    choices = []
    for locus in loci:
        own = {name: share for name, share in FREQUENCIES.items() if name.startswith(f"HLA-{locus}")}
        choices.append([*own.items(), (None, 1 - sum(own.values()))])
    hits = {name: sum(rank <= 2.0001 for rank in ranks) for name, ranks in RANKS.items()} | {None: 0}
    for person in itertools.product(*choices, *choices):
        yield np.prod([share for _, share in person]), sum(hits[name] for name in {name for name, _ in person})


def test_every_person(predictions, frequencies):
    """Prevents chromosomes that are not independent, homozygous persons who count twice, and loci that are added."""
    made = coverage(predictions, frequencies).set_index("locus")
    for row, loci in (("all", "AB"), ("A", "A"), ("B", "B")):
        persons = list(every_person(loci))
        assert made.loc[row, "coverage"] == pytest.approx(sum(chance for chance, hits in persons if hits))
        assert made.loc[row, "average_hits"] == pytest.approx(sum(chance * hits for chance, hits in persons))
    assert made["alleles_bound"].tolist() == [3, 2, 1] and made["alleles"].tolist() == [4, 2, 2]


def test_rows_that_are_given_twice_count_once(predictions, frequencies):
    """Prevents a peptide of several proteins from being presented as often."""
    once = coverage(predictions, frequencies)
    pd.testing.assert_frame_equal(coverage(pd.concat([predictions, predictions]), frequencies), once)


def test_hardy_weinberg(predictions, frequencies):
    """Prevents another formula than 1 - (1 - sum f)^2 of a locus, and than independent loci."""
    made = coverage(predictions, frequencies).set_index("locus")["coverage"]
    assert made["A"] == pytest.approx(1 - 0.5**2) and made["B"] == pytest.approx(1 - 0.9**2)
    assert made["all"] == pytest.approx(1 - 0.5**2 * 0.9**2)


@given(shares=st.lists(st.integers(1, 20), min_size=1, max_size=6), data=st.data())
def test_chances(shares, data):
    """Prevents chances that do not sum to 1, for any frequencies and hits."""
    hits = data.draw(st.lists(st.integers(0, 9), min_size=len(shares), max_size=len(shares)))
    frequencies = np.array(shares) / (sum(shares) + 1)
    chances = hit_chances(frequencies, np.array(hits))
    assert chances.sum() == pytest.approx(1) and (chances >= 0).all()
    bound = frequencies[np.array(hits) > 0].sum()
    assert 1 - chances[0] == pytest.approx(1 - (1 - bound) ** 2)


def test_frequencies_that_sum_to_more_than_one():
    """Prevents negative chances, as frequencies are printed with few digits."""
    chances = hit_chances(np.array([0.6, 0.404]), np.array([1, 0]))
    assert (chances >= 0).all() and chances.sum() == pytest.approx(1)
    assert chances[0] == pytest.approx((0.404 / 1.004) ** 2)
    table = pd.DataFrame({"allele": ["A*01:01", "A*02:01", "A*03:01"], "frequency": [0.334, 0.335, 0.335]})
    assert len(frequencies_from(table)) == 3


@pytest.mark.parametrize(
    ("chances", "wanted"),
    [
        ([0.4, 0.6], 0.1 / 0.4),  # below 90 %: between no hit and one
        ([0.0, 0.0, 1.0], 2 + 0.1),
        ([0.05, 0.05, 0.9], 2.0),
        ([0.05, 0.15, 0.8], 1 + (0.95 - 0.9) / (0.95 - 0.8)),
        ([1.0], 0.1),
        ([0.1, 0.0, 0.9], 2.0),  # exactly 90 %
    ],
)
def test_pc90(chances, wanted):
    """Prevents a PC90 that jumps where the tool of the IEDB interpolates."""
    assert least_hits(np.array(chances)) == pytest.approx(wanted)


def test_nothing_presented_is_zero(predictions, frequencies):
    """Prevents a share of -2e-16, as 1 less a sum of chances may be."""
    frequencies["frequency"] = 0.1
    made = coverage(predictions.assign(rank=50.0), frequencies)
    assert made["coverage"].tolist() == [0.0] * len(made)


def test_alleles_without_predictions_are_named(predictions, frequencies):
    """Prevents a coverage that looks low because of a misspelled allele."""
    frequencies.loc[len(frequencies)] = ["B*99:99", 0.2]
    frequencies.loc[len(frequencies)] = ["HLA-C*07:01", 0.2]
    made = coverage(predictions, frequencies).set_index("locus")["unknown"]
    assert made.to_dict() == {"all": "B*99:99; HLA-C*07:01", "A": "", "B": "B*99:99", "C": "HLA-C*07:01"}


def test_null_alleles_present_nothing(predictions):
    """Prevents an allele that no cell shows from covering anyone, by the predictions of others with its groove."""
    both = pd.DataFrame({"allele": ["A*02:01", "A*02:01N", "A*24:09N"], "frequency": [0.1, 0.2, 0.3]})
    made = coverage(predictions, both).set_index("locus").loc["A"]
    assert made["coverage"] == pytest.approx(1 - 0.9**2) and made["unknown"] == "A*02:01N; A*24:09N"
    given = predictions.assign(allele=predictions["allele"].replace("HLA-A*01:01", "HLA-A*24:09"))
    both.loc[2] = ["HLA-A*24:09", 0.3]  # as predictions call it
    as_predicted = coverage(given, both).set_index("locus").loc["A"]
    assert as_predicted["coverage"] == made["coverage"]
    assert as_predicted["unknown"] == "A*02:01N; HLA-A*24:09N"
    both.loc[3] = ["HLA-A*24:09N", 0.1]
    with pytest.raises(InputError, match="the allele occurs twice"):
        coverage(predictions, both)


def test_spellings_and_populations(predictions, frequencies):
    """Prevents an allele in another spelling from counting as unbound, and populations from being mixed."""
    other = frequencies.assign(allele=["A0101", "a*02:01", "B0702", "HLA-B08:01"], population="south")
    both = pd.concat([frequencies.assign(population="north"), other])
    made = coverage(predictions, both)
    assert made["population"].tolist() == ["north"] * 3 + ["south"] * 3
    pd.testing.assert_frame_equal(made.iloc[:3, 1:], made.iloc[3:, 1:].reset_index(drop=True))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("allele,share\nA0201,0.2\n", "row 1: no column frequency"),
        ("allele,frequency\nA0201,27\n", "row 2, column 'frequency': not a frequency: '27' (a share from 0 to 1"),
        ("allele,frequency\nA0201,\n", "not a frequency"),
        ("allele,frequency\n,0.1\n", "row 2, column 'allele': empty allele"),
        ("allele,frequency\nA0201,0.1\nA*02:01,0.2\n", "row 3, column 'allele': the allele occurs twice"),
        ("allele,frequency,population\nA0201,0.6,x\nA0101,0.5,x\n", "the frequencies of HLA-A in x sum above 1: '1.1'"),
        ("allele,frequency\nA*0,0.6\nA0101,0.5\n", "the frequencies of HLA-A sum above 1"),
    ],
)
def test_mistakes_in_frequencies(tmp_path, text, message):
    """Prevents percentages and frequencies of carriers from giving a coverage that looks right."""
    path = tmp_path / "frequencies.csv"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_frequencies(path)
    assert message in str(caught.value)


def test_best_alleles_alone_are_no_coverage(predictions, frequencies):
    """Prevents predictions of one genotype from passing for those of all alleles."""
    with pytest.raises(InputError, match="predictions: these are predictions of the best allele alone"):
        coverage(predictions.assign(alleles_bound=1), frequencies)


def test_predictions_come_from_the_table_or_the_model(tmp_path, frequencies):
    """Prevents written predictions from being made again, and a rank that is no number from counting as no hit."""
    checked = frequencies_from(frequencies)
    path = tmp_path / "predictions.csv"
    path.write_text("peptide,allele,rank,note\nSLYNTVATL,HLA-A*02:01,0.1,\nSLYN,HLA-A*02:01,,too short\n")
    made = predictions_for(read_peptides(path), checked, lambda: pytest.fail("no model is needed"))
    assert made["rank"].tolist()[:1] == [0.1] and np.isnan(made["rank"][1])
    path.write_text("peptide,allele,rank\nSLYNTVATL,HLA-A*02:01,low\n")
    with pytest.raises(InputError, match="row 2, column 'rank': not a rank: 'low'"):
        predictions_for(read_peptides(path), checked, lambda: pytest.fail("no model is needed"))
    path.write_text("peptide\nSLYNTVATL\n")
    null = frequencies_from(pd.DataFrame({"allele": ["A*24:09N"], "frequency": [0.1]}))
    with pytest.raises(InputError, match=r"none of the alleles is known and expressed: 'A\*24:09N'"):
        predictions_for(read_peptides(path), null, lambda: pytest.fail("no model is needed"))
    asked = []

    class Fake:
        def predict(self, table, alleles, progress):
            asked.append((table.frame["peptide"].tolist(), alleles))
            return pd.DataFrame()

    path.write_text("SLYNTVATL\nNLVPMVATV\nSLYNTVATL\n")
    predictions_for(read_peptides(path), checked, Fake)
    path.write_text("peptide,allele\nSLYNTVATL,A0201\n")
    predictions_for(read_peptides(path), checked, Fake)
    assert asked == [(["SLYNTVATL", "NLVPMVATV"], list(FREQUENCIES)), (["SLYNTVATL"], list(FREQUENCIES))]


def test_pairs_that_are_missing_are_counted(predictions, frequencies):
    """Prevents a table in which each peptide has one allele from giving the share of a whole one without a word."""
    with pytest.warns(InputWarning, match="2 of 12 pairs of a peptide and an allele have no row"):
        coverage(predictions.drop(index=[0, 1]), frequencies)
    unscored = predictions.assign(rank=predictions["rank"].where(predictions.index != 1))
    other = pd.DataFrame({"peptide": ["PEPTIDE0"], "allele": ["HLA-C*07:01"], "rank": [1.0]})
    empty = pd.DataFrame({"peptide": [None], "allele": [None], "rank": [None]})
    with warnings.catch_warnings():
        warnings.simplefilter("error", InputWarning)
        coverage(pd.concat([unscored, other, empty]), frequencies)


def test_a_table_that_pandas_has_read(predictions, frequencies, tmp_path):
    """Prevents a traceback for rows without a score, and for missing populations one that is called nan."""
    path = tmp_path / "out.csv"
    predictions.assign(rank=predictions["rank"].astype(object)).to_csv(path, index=False)
    with path.open("a") as file:
        file.write("PEPTIDE0,,\nPEPTIDE0,no allele,\n")
    made = coverage(pd.read_csv(path), frequencies.assign(population=[None, np.nan, "", None]))
    pd.testing.assert_frame_equal(made, coverage(predictions, frequencies))
    pd.testing.assert_frame_equal(made, coverage(pd.read_csv(path, dtype=str), frequencies))
    with pytest.raises(InputError, match="predictions, row 2, column 'rank': not a rank: 'low'"):
        coverage(predictions.assign(rank=["1", "low", *"1" * 10]), frequencies)
