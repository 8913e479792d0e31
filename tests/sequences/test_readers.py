"""A row in, a row out, in the same order, whatever the row holds; and one clear line where the input is no table."""

import gzip

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmhc_distil.errors import InputError
from pmhc_distil.sequences import delimited, peptide_table
from pmhc_distil.sequences.column_names import PEPTIDE_NAMES
from pmhc_distil.sequences.readers import read_peptides, table_from
from pmhc_distil.sequences.residues import peptide_problem


@pytest.fixture
def write(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write(content, name="in.txt"):
        (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
        return name

    return write


def test_awkward_rows_all_survive(write):
    """Prevents silent row loss: U, X, *, lower case, CRLF, a 7-mer, a 16-mer and duplicates all keep their rows."""
    peptides = ["SLYNTVAUL", "SLYXTVATL", "SLYNTVAT*", "slyntvatl", "SLYNTVA", "A" * 16, "SLYNTVATL", "SLYNTVATL"]
    table = read_peptides(write("\r\n".join(["# mine", *peptides[:4], "", *peptides[4:]]) + "\r\n"))
    assert list(table.frame["peptide"]) == [peptide.upper() for peptide in peptides]
    assert list(table.rows) == [2, 3, 4, 5, 7, 8, 9, 10]
    assert table.n_problems == 5
    assert list(table.frame["note"]) == [peptide_problem(peptide.upper()) for peptide in peptides]


cells = st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), max_size=12)


@given(rows=st.lists(st.tuples(cells, cells), max_size=30), delimiter=st.sampled_from(",\t;"), packed=st.booleans())
def test_rows_in_are_rows_out(tmp_path_factory, rows, delimiter, packed):
    """Prevents losing or reordering rows, and touching the user's own text, for any text that a table can hold."""
    text = pd.DataFrame(rows, columns=["Peptide", "own"], dtype="str").to_csv(sep=delimiter, index=False, quoting=1)
    path = tmp_path_factory.mktemp("rows") / "in"
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    table = read_peptides(path)
    assert len(table.frame) == len(table.rows) == len(rows)
    assert list(table.frame["own"]) == [own for _, own in rows]
    assert [*table.frame["note"]] == [peptide_problem(text) for text in table.frame["peptide"]]
    lines = text.split("\n")
    assert all(lines[row - 1].startswith('"') for row in table.rows)


@pytest.mark.parametrize("text", ["ß" * 8, "\u017fSSSSSSSS", "ﬁSSSSSSSS"])
def test_upper_case_makes_no_residues_of_other_scripts(text):
    """Prevents a sharp s from becoming two serines that get a score."""
    table = table_from([text])
    assert table.n_problems == 1


@pytest.mark.parametrize("name", sorted({*PEPTIDE_NAMES} - {"peptides"}))
def test_no_header_name_is_a_peptide(name):
    """Prevents the first peptide of a list from being eaten as its header."""
    assert peptide_problem(name.upper())


def test_fasta(write):
    """Prevents lost ids, lost empty records and a record cut over two lines from being two peptides."""
    table = read_peptides(write("\n>a one\nSLYN\nTVATL\n>b\n\n>\nnlvpmvatv\n", "in.csv"))
    assert table.frame.to_dict("list") == {
        "peptide": ["SLYNTVATL", "", "NLVPMVATV"],
        "note": ["", "empty peptide", ""],
        "name": ["a", "b", ""],
    }
    assert list(table.rows) == [1, 2, 3]


@pytest.mark.parametrize("records", [["SLYNTVATL", "M" * 51], ["M" * 16, "M" * 31]])
def test_fasta_of_proteins(write, records):
    """Prevents a proteome from coming back as a table without a single score."""
    with pytest.raises(InputError, match=r"^in\.txt, row 2: the record has .* this is a protein.*8 to 15"):
        read_peptides(write("".join(f">p{i}\n{text}\n" for i, text in enumerate(records))))


def test_long_peptides_of_fasta_are_rows(write):
    """Prevents the refusal of proteins from refusing a class II peptide among others."""
    assert read_peptides(write(">a\nSLYNTVATL\n>b\n" + "M" * 40)).n_problems == 1


@pytest.mark.parametrize(
    ("header", "delimiter"), [("Peptide", ","), ("sequence", "\t"), ("PEP", ";"), (" Epitope ", ",")]
)
def test_recognised_columns(write, header, delimiter):
    """Prevents users from renaming columns, and the file name from deciding the format."""
    rows = [["id", header, "HLA Allele"], ["1", "NA", " A0201 "]]
    table = read_peptides(write("\n".join(delimiter.join(row) for row in rows), "in.fasta"))
    assert table.frame.iloc[0].to_dict() == {
        "peptide": "NA",
        "allele": "A0201",
        "note": "length 2 is outside 8-15",
        "id": "1",
    }
    assert table.allele_column == "HLA Allele"


def test_the_plain_name_wins_and_a_choice_wins_over_it(write):
    """Prevents the protein column `sequence` from being scored where a column `peptide` stands beside it."""
    name = write("sequence,peptide,hla\nNLVPMVATV,SLYNTVATL,A0201\n")
    assert read_peptides(name).frame["peptide"][0] == "SLYNTVATL"
    table = read_peptides(name, peptide_column="Sequence", allele_column="")
    assert table.frame.to_dict("list") == {
        "peptide": ["NLVPMVATV"],
        "note": [""],
        "peptide_input": ["SLYNTVATL"],
        "hla": ["A0201"],
    }


def test_own_columns_with_our_names_are_renamed(write):
    """Prevents the user's measured `score` from being overwritten by ours, or by their own `score_input`."""
    table = read_peptides(write("peptide,score,score_input,note\nSLYNTVATL,1e3,007,\n"))
    assert list(table.frame.columns) == ["peptide", "note", "score_input_input", "score_input", "note_input"]
    assert table.frame["score_input_input"][0] == "1e3" and table.frame["score_input"][0] == "007"
    assert len(table.warnings) == 2 and "'score' is written as 'score_input_input'" in table.warnings[0]


def test_empty_peptide_of_a_table_is_a_row(write):
    """Prevents a row with a missing peptide, or the last rows of a spreadsheet, from vanishing."""
    table = read_peptides(write("peptide,own\n,x\n\n , \n,\n"))
    assert list(table.frame["note"]) == ["empty peptide"] * 3
    assert list(table.rows) == [2, 4, 5]


@pytest.mark.parametrize(
    "above",
    [
        "sep=;\npeptide;allele",
        '"SEP=;"\r\npeptide;allele',
        "#peptide;allele",
        "# by x, y\n\n# Peptide;allele",
        "#peptide\npeptide;allele",
    ],
)
def test_what_stands_above_a_table(write, above):
    """Prevents a spreadsheet's line of its delimiter, or a header with a #, from hiding the columns."""
    path = write(f"{above}\nSLYNTVATL;A0201\nGILGFVFTL;B0702\n")
    table = read_peptides(path)
    assert table.frame["peptide"].tolist() == ["SLYNTVATL", "GILGFVFTL"]
    assert table.frame["allele"].tolist() == ["A0201", "B0702"] and table.allele_column == "allele"
    first = above.count("\n") + 2
    assert table.rows.tolist() == [first, first + 1]


@pytest.mark.parametrize("content", ["", "\n \n", "# nothing\n", gzip.compress(b"", mtime=0)])
def test_empty_input(write, content):
    """Prevents a pipeline from failing on a sample without peptides."""
    table = read_peptides(write(content))
    assert table.frame.shape == (0, 2) and "holds no peptides" in table.warnings[0]


@pytest.mark.parametrize("header", ["Peptide_Sequence", "epitope seq", "PEPTIDE"])
def test_header_of_a_single_column(write, header):
    """Prevents the header of a list from being scored as a peptide, however it is spelt."""
    assert read_peptides(write(f"{header}\nSLYNTVATL\n")).frame["peptide"].tolist() == ["SLYNTVATL"]


def test_header_alone(write):
    """Prevents a table without rows from losing its columns."""
    table = read_peptides(write("peptide,allele,own\n"))
    assert list(table.frame.columns) == ["peptide", "allele", "note", "own"] and len(table.frame) == 0


BAD = [
    (
        "id,name\n1,x\n",
        "in.txt, row 1: no peptide column (columns are: id, name; call it peptide, "
        "or choose one with --peptide-column of predict or report)",
    ),
    ("SLYNTVATL,A0201\n", "in.txt, row 1: no peptide column (columns are: SLYNTVATL, A0201; that looks like a row of"),
    (
        "pep,seq\nA,B\n",
        "in.txt, row 1: more than one peptide column: 'pep, seq' (call it peptide, "
        "or choose one with --peptide-column of predict or report)",
    ),
    ("peptide,a,a\n", "in.txt, row 1: the column name occurs twice: 'a'"),
    ("# x\n\npeptide,own\nA,1\nB\n", "in.txt, row 5: the row has 1 field, the header has 2: 'B'"),
    ("peptide,own\nA,1\nB,2,3\n", "in.txt, row 3: the row has 3 fields, the header has 2: 'B,2,3'"),
    ('peptide,own\nA,"x\ny"\nB,"open\nC,3\n', "in.txt, row 4: a quotation mark is open"),
    ('peptide,own\nA,"x"y\n', "in.txt, row 2: text follows a closing quotation mark"),
    ("peptide,own\nA,\0\n", "in.txt, row 2: holds a NUL byte"),
]


@pytest.mark.parametrize(("content", "message"), BAD)
def test_what_is_no_table_is_refused_in_one_line(write, content, message):
    """Prevents shifted columns, silent padding and tracebacks."""
    with pytest.raises(InputError) as caught:
        read_peptides(write(content))
    assert str(caught.value).startswith(message) and "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [">a\nSLYNTVATL\n", "SLYNTVATL\n", "peptide\nSLYNTVATL\n"])
def test_a_column_that_is_not_there(write, content):
    """Prevents a mistyped option from being ignored."""
    with pytest.raises(InputError, match="'nope'"):
        read_peptides(write(content), peptide_column="nope")


def test_strict_names_everything(write):
    """Prevents the user from searching 10^7 rows for the one that stopped the run."""
    with pytest.raises(InputError) as caught:
        read_peptides(write("id\tEpitope\n1\tSLYNTVATL\n2\tSLYNTVATX\n"), strict=True)
    message = "in.txt, row 3, column 'Epitope': non-standard residue 'X': 'SLYNTVATX'"
    assert str(caught.value).startswith(message)


def test_rows_are_right_across_chunks(write, monkeypatch):
    """Prevents wrong row numbers after a chunk's end or a quoted line end."""
    monkeypatch.setattr(delimited, "_CHUNK", 3)
    name = write('peptide,own\nA,1\n\nB,"2\n2"\nC,3\n \nD,4\nE,5\n')
    table = read_peptides(name)
    assert list(table.frame["peptide"]) == list("ABCDE")
    assert list(table.rows) == [2, 4, 6, 8, 9]


def test_nucleotides_are_mentioned(write):
    """Prevents DNA, which is made of valid residues, from being scored without a word."""
    assert "nucleotides" in read_peptides(write("ACGTACGTA\nTTTTGGGGC\n")).warnings[0]
    assert not read_peptides(write("ACGTACGTA\nSLYNTVATL\n")).warnings


def test_a_header_is_no_row_of_data(write):
    """Prevents Intensity and Affinity, which spell peptides, from hiding what to do."""
    with pytest.raises(InputError, match=r"\(columns are: Name, Intensity; call it peptide, or choose"):
        read_peptides(write("Name,Intensity\nSLYNTVATL,3\n"))
    assert read_peptides(write("MT Epitope Seq\tHLA Allele\nSLYNTVATL\tA0201\n")).allele_column == "HLA Allele"
    assert "a modified peptide?" in read_peptides(write("SLYNTVM(ox)L\n")).frame["note"].iloc[0]


def test_table_from_data_frame():
    """Prevents a data frame's missing peptides, index and typed columns from being mangled."""
    data = pd.DataFrame({"seq": ["slyntvatl", None], "hla": ["A0201", np.nan], "n": [1, 2]}, index=[7, 7])
    table = table_from(data)
    assert list(table.frame["peptide"]) == ["SLYNTVATL", ""] and list(table.frame["allele"]) == ["A0201", ""]
    assert table.frame["n"].dtype.kind == "i" and list(table.frame.index) == [0, 1]
    for one in ("SLYNTVATL", b"SLYNTVATL"):  # bytes are numbers, one by one
        with pytest.raises(InputError, match="not one text"):
            table_from(one)


@pytest.mark.parametrize(
    "cells", [["SLYNTVATL", "gilgfvftl"], [" SLYNTVATL", "SLYN"], ["SLYN\nTVATLAAAA", "é" * 9], []]
)
def test_peptides_are_judged_together_as_one_by_one(cells, monkeypatch):
    """Prevents the quick look at all peptides from passing what a look at each refuses, such as a line end inside."""
    quick = peptide_table._judged(cells)
    monkeypatch.setattr(peptide_table, "_ALL_SCORABLE", lambda _: None)
    assert peptide_table._judged(cells) == quick
