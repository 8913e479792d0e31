"""Every row of a source is used as what it is, or counted as one that is not."""

from collections import Counter

import pandas as pd
import pytest

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.sources import TABLE_COLUMNS, Source, read_source, sources_from_recipe

A2 = "HLA-A*02:01"


def test_dropped_rows_are_counted(tmp_path):
    """Prevents rows that vanish without a word."""
    rows = [
        ("SLYNTVATL", "A*02:01", 1),
        ("slyntvatl ", "A0201", 1),
        ("SLYNXVATL", "A*02:01", 1),
        ("SLYN", "A*02:01", 1),
        ("NLVPMVATV", "A*99:99", 1),
        ("NLVPMVATV", "A*02:01", "high"),
        ("NLVPMVATV", "A*02:01", 0),
        ("GILGFVFTL", "B*07:02", 1),
        ("GILGFVFTLK", "B*07:02", 1),
    ]
    pd.DataFrame(rows, columns=["peptide", "allele", "label"]).to_csv(tmp_path / "own.more.csv", index=False)
    dropped = Counter()
    table = read_source(tmp_path, Source("own.more.csv", (9,), "peptide != 'GILGFVFTL'"), dropped)
    assert list(table.columns) == TABLE_COLUMNS and set(table["source"]) == {"own"}
    assert table[["peptide", "allele", "label"]].to_numpy().tolist() == [
        ["SLYNTVATL", A2, 1],
        ["SLYNTVATL", A2, 1],
        ["NLVPMVATV", A2, 0],
    ]
    assert dropped == {
        "own.more.csv: not peptide != 'GILGFVFTL'": 1,
        "own.more.csv: non-standard residue 'X'": 1,
        "own.more.csv: length 4 is outside 8-15": 1,
        "own.more.csv: length outside the source's range": 1,
        "own.more.csv: allele without a groove sequence": 1,
        "own.more.csv: no usable measurement": 1,
    }


@pytest.mark.parametrize("text", ["TRUE FALSE", "True False", "1.0 0"])
def test_labels_become_numbers(tmp_path, text):
    """Prevents a table of `data prepare` that training refuses."""
    one, other = text.split()
    (tmp_path / "a.csv").write_text(f"peptide,allele,label\nSLYNTVATL,A0201,{one}\nGILGFVFTL,A0201,{other}\n")
    assert read_source(tmp_path, Source("a.csv"), Counter())["label"].map(str).tolist() == ["1.0", "0.0"]


def test_affinities(tmp_path):
    """Prevents an affinity from being taken for a ligand, and a sign that is none from being taken for a limit."""
    signs = ["<", ">", "=", "", "~", " >", "<=", "?", "=", "=", "="]
    measured = [5, 6, 7, 8, 9, 10, 11, 12, 0, -5, float("inf")]
    affinities = {"peptide": "SLYNTVATL", "allele": "A0201", "measurement_nM": measured, "inequality": signs}
    pd.DataFrame(affinities).to_csv(tmp_path / "a.csv", index=False)
    table = read_source(tmp_path, Source("a.csv"), dropped := Counter())
    assert table["label"].isna().all() and table["affinity_nm"].tolist() == [5, 6, 7, 8, 9, 10, 11]
    assert table["inequality"].tolist() == ["<", ">", "=", "=", "=", ">", "<"]
    assert dropped["a.csv: no usable measurement"] == 4


def test_bad_sources(tmp_path):
    """Prevents a traceback, or an error without file and column."""
    (tmp_path / "column.csv").write_text("sequence,allele\nSLYNTVATL,A0201\n")
    (tmp_path / "empty.csv").write_text("")
    for name in ("column.csv", "empty.csv", "missing.csv"):
        with pytest.raises(InputError) as caught:
            read_source(tmp_path, Source(name), Counter())
        assert name in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("column", ["Label", " label", "LABEL", "measurement_nm", "Inequality"])
def test_columns_that_are_nearly_known(tmp_path, column):
    """Prevents non-ligands from being learned as ligands, because their column is spelt otherwise."""
    (tmp_path / "a.csv").write_text(f"peptide,allele,{column}\nSLYNTVATL,A0201,0\n")
    with pytest.raises(InputError, match="is this the column") as caught:
        read_source(tmp_path, Source("a.csv"), Counter())
    assert caught.value.column == column


def test_sources_of_a_recipe():
    """Prevents a misspelt key from being ignored."""
    assert sources_from_recipe([{"file": "a.csv"}, {"file": "b.csv", "lengths": [8, 11], "where": "n > 1"}]) == [
        Source("a.csv"),
        Source("b.csv", (8, 9, 10, 11), "n > 1"),
    ]
    for entry in ({"lengths": [8, 9]}, {"file": "a.csv", "length": [8, 9]}):
        with pytest.raises(InputError, match="column 'sources: 1'"):
            sources_from_recipe([entry])


def test_files_in_folders_are_told_apart():
    """Prevents a path from being cut at a dot in it."""
    assert [source.name for source in sources_from_recipe([{"file": "./a.csv"}, {"file": "v1.2/b.csv.gz"}])] == [
        "a",
        "b",
    ]


def test_two_files_of_one_name_are_refused():
    """Prevents negatives from being drawn twice for ligands whose sources cannot be told apart."""
    with pytest.raises(InputError, match=r"l\.b\.csv.*rename one"):
        sources_from_recipe([{"file": "l.csv"}, {"file": "l.b.csv"}])
    assert len(sources_from_recipe([{"file": "l.csv", "lengths": [8, 9]}, {"file": "l.csv", "lengths": [10, 11]}])) == 2
