"""Pairs without a measurement: of alleles that have none, and nothing else changed."""

import numpy as np
import pandas as pd
import pytest

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.hla import resolve_allele
from pmhc_distil.sequences.sources import TABLE_COLUMNS
from pmhc_distil.sequences.unlabelled import read_training_table, with_unlabelled
from pmhc_distil.tasks.binding import read_pairs


@pytest.fixture
def table():
    """Forty ligands and forty negatives of two alleles."""
    letters = np.random.default_rng(0).choice(list("ACDEFGHIKLMNPQRSTVWY"), (80, 9))
    alleles = ["HLA-A*02:01", "HLA-B*07:02"]
    rows = [("".join(text), alleles[i % 2], float(i < 40), None, "", 0.5, "s") for i, text in enumerate(letters)]
    return pd.DataFrame(rows, columns=TABLE_COLUMNS)


def test_what_is_added(table, tmp_path):
    """Prevents a label that nobody gave, a groove with data, or rows of the table that change."""
    made = with_unlabelled(table, 50, 10, np.random.default_rng(3))
    pd.testing.assert_frame_equal(made.iloc[: len(table)], table, check_dtype=False)
    added = made.iloc[len(table) :]
    assert len(added) == 500 and added[["label", "affinity_nm", "inequality"]].isna().all(axis=None)
    assert (added["source"] == "unlabelled").all()
    grooves = added["allele"].map(lambda name: resolve_allele(name).groove)
    known = {resolve_allele(name).groove for name in table["allele"]}
    assert grooves.nunique() == 50 and not known & set(grooves)
    ligands = set(table.loc[table["label"] == 1, "peptide"])
    for _, peptides in added.groupby("allele")["peptide"]:
        assert peptides.is_unique and peptides.isin(ligands).sum() == 5
    made.to_csv(tmp_path / "t.csv", index=False)
    assert np.isnan(read_pairs(tmp_path / "t.csv").labels[len(table) :, :2]).all(), "training reads them"
    again = with_unlabelled(table, 50, 10, np.random.default_rng(3))
    pd.testing.assert_frame_equal(made, again)


def test_an_unknown_allele_is_named_with_its_line(table, tmp_path):
    """Prevents a search through a table of a million rows for the one that cannot be used."""
    table.loc[5:7, "allele"] = "HLA-A*99:99"
    table.to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(InputError, match=r"t\.csv, row 7, column 'allele': no such allele"):
        read_training_table(tmp_path / "t.csv")


def test_pairs_of_alleles_with_data(table):
    """Prevents a measured pair among those that teachers alone answer, or other pairs of the alleles without data."""
    made = with_unlabelled(table, 50, 10, np.random.default_rng(3), of_known=16)
    first = with_unlabelled(table, 50, 10, np.random.default_rng(3))
    pd.testing.assert_frame_equal(made.iloc[: len(first)], first)
    added = made.iloc[len(first) :]
    assert added["allele"].value_counts().to_dict() == {"HLA-A*02:01": 16, "HLA-B*07:02": 16}
    assert added[["label", "affinity_nm", "inequality"]].isna().all(axis=None)
    assert not made.duplicated(["peptide", "allele"]).any()
    ligands = set(table.loc[table["label"] == 1, "peptide"])
    assert added["peptide"].isin(ligands).groupby(added["allele"]).sum().tolist() == [8, 8]


@pytest.mark.parametrize(
    ("alleles", "peptides", "of_known", "reason"),
    [
        (10**6, 2, 0, "alleles without"),
        (1, 90, 0, "40 ligands"),
        (1, 2, 42, r"20 ligands that are not with HLA-A\*02:01"),
    ],
)
def test_more_than_there_is(table, alleles, peptides, of_known, reason):
    """Prevents a traceback of numpy where a small table is asked for too much."""
    with pytest.raises(InputError, match=reason):
        with_unlabelled(table, alleles, peptides, np.random.default_rng(0), of_known=of_known)
