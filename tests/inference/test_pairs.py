"""Every row meets exactly the alleles that were asked for, and a wrong allele never goes unnoticed."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmhc_distil.errors import InputError
from pmhc_distil.inference import request
from pmhc_distil.inference.pairs import best_rows, make_pairs
from pmhc_distil.inference.request import resolve_request
from pmhc_distil.sequences.hla import Allele
from pmhc_distil.sequences.readers import table_from

GROOVE = "ACDEFGHIKLMNPQRSTVWYACDEFGHIKLMNPQ"
KNOWN = {"A1": "HLA-A*01:01", "A2": "HLA-A*02:01", "A0201": "HLA-A*02:01", "NULL": "HLA-A*24:09N"}


@pytest.fixture(autouse=True)
def names(monkeypatch):
    """Replace the allele table by four names, and count what is asked of it."""
    asked = []

    def resolve(text, *, source=None, row=None, column=None):
        asked.append(text)
        if text not in KNOWN:
            raise InputError("no such allele", source, row, column, text, "did you mean A2?")
        groove = GROOVE[len(KNOWN[text]) :] + GROOVE[: len(KNOWN[text])]
        return Allele(KNOWN[text], text, groove, "null" * (text == "NULL"), text == "NULL")

    monkeypatch.setattr(request, "resolve_allele", resolve)
    return asked


def pair_table(*alleles, peptides=None):
    return table_from(
        pd.DataFrame(
            {"peptide": peptides or ["SLYNTVATL"] * len(alleles), "allele": alleles, "id": range(len(alleles))}
        )
    ).frame


@given(
    peptides=st.lists(st.sampled_from(["SLYNTVATL", "NLVPMVATV", "SLYN", ""]), max_size=8),
    alleles=st.lists(st.sampled_from(["A1", "A2", "NULL"]), min_size=1, unique=True),
)
def test_cross_product_is_peptide_major(peptides, alleles):
    """Prevents the column swap: each peptide with each allele, the alleles of one peptide together."""
    table = table_from(pd.DataFrame({"peptide": peptides, "id": np.arange(len(peptides))}, dtype=object)).frame
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(request, "resolve_allele", lambda text, **_: Allele(KNOWN[text], text, GROOVE))
        pairs = make_pairs(table, alleles)
    expected = [(peptide, KNOWN[allele], i) for i, peptide in enumerate(peptides) for allele in alleles]
    assert list(pairs.frame[["peptide", "allele", "id"]].itertuples(index=False, name=None)) == expected
    assert list(pairs.frame.columns) == ["peptide", "allele", "note", "id"]
    scored = pairs.allele_index >= 0
    assert list(scored) == [len(peptide) == 9 for peptide, _, _ in expected]
    assert [pairs.allele_names[i] for i in pairs.allele_index[scored]] == list(pairs.frame["allele"][scored])


def test_pairs_keep_rows_with_a_bad_allele(names):
    """Prevents one bad allele from killing 48,387 rows, and from being scored as something else."""
    table = pair_table("A2", "B*99:99", "A0201", "", "A1", "B*99:99")
    pairs = make_pairs(table)
    assert list(pairs.frame["allele"]) == ["HLA-A*02:01", "B*99:99", "HLA-A*02:01", "", "HLA-A*01:01", "B*99:99"]
    assert list(pairs.allele_index) == [0, -1, 0, -1, 1, -1]
    bad = "no such allele (did you mean A2?)"
    assert list(pairs.frame["note"]) == ["", bad, "", "empty allele", "", bad]
    assert list(pairs.frame["id"]) == list(range(6))
    assert names == ["A2", "B*99:99", "A0201", "A1"]
    assert resolve_request(table).warnings == (f"B*99:99: {bad}", "allele: empty allele")


def test_a_reason_is_told_once():
    """Prevents a row whose sample is not known from complaining of its allele, too."""
    table = pair_table("", "B*99:99")
    table["note"] = "no such sample"
    assert list(make_pairs(table).frame["note"]) == [
        "no such sample",
        "no such sample; no such allele (did you mean A2?)",
    ]


def test_strict_names_the_first_bad_row():
    """Prevents a search for the row that stopped the run."""
    with pytest.raises(InputError) as caught:
        resolve_request(
            pair_table("A2", "A2", "foo"), strict=True, source="in.csv", rows=np.array([2, 4, 7]), column="HLA"
        )
    assert str(caught.value) == "in.csv, row 7, column 'HLA': no such allele: 'foo' (did you mean A2?)"


def test_notes_of_peptide_and_allele_are_both_kept():
    """Prevents a user from mending one mistake only to meet the next."""
    pairs = make_pairs(pair_table("foo", "NULL", peptides=["SLYN", "SLYNTVATL"]))
    assert pairs.frame["note"][0] == "length 4 is outside 8-15; no such allele (did you mean A2?)"
    assert pairs.frame["note"][1] == "null" and pairs.allele_index[1] >= 0


def test_a_bad_allele_of_the_option_is_an_error():
    """Prevents a whole run against an allele that does not exist."""
    with pytest.raises(InputError, match=r"^--hla: no such allele: 'foo'"):
        resolve_request(table_from(["SLYNTVATL"]).frame, ["A2", "foo"], option="--hla")


def test_every_spelling_is_warned_of(monkeypatch):
    """Prevents what to mind about one spelling of an allele from hiding that of another."""
    told = {"A*02:01N": "no cell shows it", "A*02:01P": "a group"}
    monkeypatch.setattr(request, "resolve_allele", lambda text, **_: Allele("HLA-A*02:01", text, GROOVE, told[text]))
    table = pair_table("A*02:01N", "A*02:01P", "A*02:01N")
    assert resolve_request(table).warnings == ("A*02:01N: no cell shows it", "A*02:01P: a group")


def test_an_allele_named_twice_is_scored_once():
    """Prevents doubled rows for a homozygous patient or two spellings."""
    table = table_from(["SLYNTVATL"]).frame
    assert len(make_pairs(table, ["A2", "A0201"]).frame) == 1
    assert "A0201: names HLA-A*02:01 again" in resolve_request(table, ["A2", "A0201"]).warnings[0]


def test_sequence_defined_alleles(names):
    """Prevents an id of the user's own from being looked up among HLA names."""
    table = table_from(["SLYNTVATL"]).frame
    own = {"Mamu-X": GROOVE, "Patr-Y": GROOVE[::-1]}
    assert make_pairs(table, grooves=own).allele_names == ["Mamu-X", "Patr-Y"]
    assert names == []
    pairs = make_pairs(table, ["A2", "Patr-Y"], grooves=own)
    assert list(pairs.frame["allele"]) == ["HLA-A*02:01", "Patr-Y"] and pairs.grooves[1] == GROOVE[::-1]
    assert list(make_pairs(pair_table("Mamu-X", "A2"), grooves=own).allele_index) == [0, 1]
    with pytest.raises(InputError, match="34 standard residues"):
        make_pairs(table, grooves={"x": "AAA"})


@pytest.mark.parametrize("genotype", [False, True])
def test_alleles_from_two_places_are_refused(genotype):
    """Prevents silent scoring with alleles other than those that stand in the row."""
    with pytest.raises(InputError, match="the table has alleles for each peptide"):
        make_pairs(pair_table("A2"), ["A2"], genotype=genotype)


def test_a_genotype_in_each_row(names):
    """Prevents alleles of one person from being scored with the peptides of another, twice, or not at all."""
    pairs = make_pairs(pair_table("A1;A2", "foo, A2|A0201", "A2 A1", "A1;A2", ""), genotype=True)
    a1, a2 = "HLA-A*01:01", "HLA-A*02:01"
    assert list(pairs.frame["allele"]) == [a1, a2, "foo", a2, a2, a1, a1, a2, ""]
    assert list(pairs.owner) == [0, 0, 1, 1, 2, 2, 3, 3, 4] == list(pairs.frame["id"])
    assert [name for name, place in zip(pairs.frame["allele"], pairs.allele_index, strict=True) if place < 0] == [
        "foo",
        "",
    ]
    assert make_pairs(pair_table("A1;A2")).allele_index.tolist() == [-1], "one allele a row unless a genotype is meant"


def test_a_null_allele_presents_nothing_for_a_person():
    """Prevents the best allele of a person from being one that no cell shows, or one that is left out unnoticed."""
    table = pair_table("A2,NULL", "NULL,NULL", "NULL,foo")
    pairs = make_pairs(table, genotype=True)
    assert pairs.frame["allele"].tolist() == ["HLA-A*02:01", "NULL", "NULL", "NULL", "foo"]
    assert pairs.allele_index.tolist() == [0, -1, -1, -1, -1] and pairs.allele_names == ["HLA-A*02:01"]
    told = "null allele, not expressed at the cell surface: left out of the genotype"
    assert pairs.frame["note"].tolist()[:4] == ["", *3 * [told]] and f"NULL: {told}" in pairs.warnings
    of_all = make_pairs(table.drop(columns="allele"), ["A2", "NULL", "NULL"], genotype=True)
    assert of_all.allele_names == ["HLA-A*02:01"] and of_all.warnings == (f"NULL: {told}",)
    assert len(make_pairs(table.drop(columns="allele"), ["A2", "NULL"]).allele_names) == 2, "asked for by name"
    with pytest.raises(InputError, match="no cell shows any allele"):
        make_pairs(table.drop(columns="allele"), ["NULL"], genotype=True)


def test_alleles_that_a_row_meets(names):
    """Prevents parts of a genotype that hold several times as many pairs as there is memory for."""
    table = pair_table("A1;A2", "A1", "")
    assert resolve_request(table, genotype=True).most_per_row == 2
    assert resolve_request(table[:0], genotype=True).most_per_row == 1
    assert resolve_request(table.drop(columns="allele"), ["A1", "A2"]).most_per_row == 2


def test_best_rows():
    """Prevents the best allele of one person from going to the next, and a refused allele from being forgotten."""
    nan = float("nan")
    frame = pd.DataFrame(
        {
            "peptide": list("PPQQRR"),
            "allele": ["a", "b", "c", "d", "e", "f"],
            "rank": [2.0, 1.0, nan, 3.0, nan, nan],
            "note": ["", "", "no such allele", "mind", "too short", "too short"],
        }
    )
    kept = best_rows(frame, np.array([0, 0, 1, 1, 2, 2]))
    assert kept["allele"].tolist() == ["b", "d", ""]
    assert kept["note"].tolist() == ["", "mind; c: no such allele", "too short"]
    assert kept["alleles_bound"].tolist() == [2, 0, pd.NA] and list(kept)[-2:] == ["note", "alleles_bound"]
    assert best_rows(frame[:0], np.empty(0, dtype=int)).empty


def test_an_allele_that_is_written_as_a_binder_is_bound():
    """Prevents a count of binders that differs from the ranks as they are written."""
    frame = pd.DataFrame({"peptide": ["P"], "allele": ["a"], "rank": [2.00004], "note": [""]})
    assert best_rows(frame, np.array([0]))["alleles_bound"].tolist() == [1]


def test_a_person_without_any_known_allele():
    """Prevents all but one of the reasons from being lost, and the alleles that they are about."""
    notes = ["a serotype", "of class II"]
    frame = pd.DataFrame({"peptide": ["SLYNTVATL"] * 2, "allele": ["A2", "DRB1"], "rank": np.nan, "note": notes})
    kept = best_rows(frame, np.array([0, 0]))
    assert kept[["allele", "note"]].to_numpy().tolist() == [["", "A2: a serotype; DRB1: of class II"]]


@pytest.mark.parametrize("alleles", [None, []])
def test_no_alleles(alleles):
    """Prevents a default allele nobody asked for."""
    with pytest.raises(InputError, match="HLA"):
        make_pairs(table_from(["SLYNTVATL"]).frame, alleles)


def test_zero_rows():
    """Prevents a failure on an empty sample, with or without alleles."""
    for alleles in (None, ["A2"]):
        pairs = make_pairs(table_from([]).frame, alleles)
        assert list(pairs.frame.columns) == ["peptide", "allele", "note"] and len(pairs.allele_index) == 0
    assert len(make_pairs(pair_table()).frame) == 0


@pytest.mark.parametrize("genotype", [False, True])
def test_notes_do_not_depend_on_other_rows(monkeypatch, genotype):
    """Prevents a table that reads differently when it is predicted in parts."""
    monkeypatch.setattr(
        request, "resolve_allele", lambda text, **_: Allele("HLA-A*02:01", text, GROOVE, "old" * (text == "A2"))
    )
    table = pair_table("A0201", "A2", "A*02:01", "A0201")
    together = make_pairs(table, genotype=genotype).frame["note"].tolist()
    alone = [make_pairs(table.iloc[[i]], genotype=genotype).frame["note"].iloc[0] for i in range(4)]
    assert together == alone == ["", "old", "", ""]
