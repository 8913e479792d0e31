"""The shards of an input have all of its rows, each once and in order, whatever its format and packing."""

import gzip

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmhc_distil.errors import InputError
from pmhc_distil.sequences import shards
from pmhc_distil.sequences.readers import open_peptides
from pmhc_distil.sequences.shards import Shard
from pmhc_distil.sequences.windows import protein_windows

LIST = "# comment\n\n" + "".join(f"{'ACDEFGHIKLMN'[: 8 + i % 5]}\n" + "\n# x\n" * (i % 3) for i in range(23))
FASTA = "".join(f">name{i} title\n{'SLYNTVATLKKW'[: 1 + i % 12]}\n{'ACD' * (i % 4)}\n" for i in range(23))
TABLE = "\ufeff# above\npeptide,allele,own\n" + "".join(f"SLYNTVATL,A*02:0{i % 5},{'ü' * i}\n" for i in range(23))
QUOTED = 'own\tpeptide\n"a ""b""\nc\td"\tSLYNTVATL\n' + "".join(f'"{i}\n\n>"\tGILGFVFTL\n' for i in range(23))
HASHED = "sep=;\n#peptide;own\n" + "".join(f"SLYNTVATL;{i}\n" for i in range(9))
INPUTS = {
    "list": LIST,
    "FASTA": FASTA,
    "table": TABLE,
    "quoted table": QUOTED,
    "one column": "peptide\nSIINFEKL\n" * 5,
    "header with a #": HASHED,
}


def rows_of(source):
    tables = list(source.tables(7))
    frames = [table.frame.to_dict("records") for table in tables]
    return [row for frame in frames for row in frame], [row for table in tables for row in table.rows.tolist()]


@pytest.mark.parametrize("text", INPUTS.values(), ids=INPUTS)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("of", [1, 2, 3, 8, 100])
def test_every_row_is_in_one_shard(tmp_path, monkeypatch, text, pack, end, of):
    """Prevents rows from being lost, doubled or cut in two at the limit of a shard, and messages with a wrong line."""
    monkeypatch.setattr(shards, "_PIECE", 5)
    path = tmp_path / "input"
    path.write_bytes(pack(text.replace("\n", end).encode()))
    whole = open_peptides(path)
    found, lines = rows_of(whole)
    parts = [open_peptides(path, shard=Shard(number, of)) for number in range(1, of + 1)]
    each = [rows_of(part) for part in parts]
    assert [row for rows, _ in each for row in rows] == found and len(found) >= 5
    if end != "\r":
        assert [line for _, numbers in each for line in numbers] == lines
    assert {tuple(part.own_columns) for part in parts} == {tuple(whole.own_columns)}
    assert {part.digest() for part in parts} == {whole.digest()}
    assert sum(part.check().rows for part in parts) == len(found)


@given(
    cells=st.lists(st.text(st.sampled_from('ab"\n,>#é '), max_size=6), max_size=12),
    of=st.integers(1, 9),
    final=st.booleans(),
)
def test_cells_with_anything_in_them(tmp_path_factory, cells, of, final):
    """Prevents a quoted line end from being taken for the end of a row."""
    rows = ["SLYNTVATL," + '"' + cell.replace('"', '""') + '"' for cell in cells]
    path = tmp_path_factory.mktemp("cells") / "in.csv"
    path.write_text("\n".join(["peptide,own", *rows]) + "\n" * final, encoding="utf-8")
    parts = [rows_of(open_peptides(path, shard=Shard(number, of)))[0] for number in range(1, of + 1)]
    assert [row["own"] for part in parts for row in part] == cells


def test_shards_are_of_about_the_same_size(tmp_path):
    """Prevents one job of a hundred from doing the work of all."""
    path = tmp_path / "list.txt"
    generator = np.random.default_rng(1)
    path.write_text("".join("A" * size + "\n" for size in generator.integers(8, 16, 5_000)))
    counts = [open_peptides(path, shard=Shard(number, 8)).check().rows for number in range(1, 9)]
    assert sum(counts) == 5_000 and max(counts) < 1.1 * min(counts)


def test_a_plain_file_is_not_parsed_before_its_shard(tmp_path, monkeypatch):
    """Prevents every one of a thousand jobs from taking the whole input apart."""
    path = tmp_path / "in.csv"
    path.write_text("peptide,own\n" + "SLYNTVATL,x\n" * 1_000)
    monkeypatch.setattr(shards, "_row_ends", None)
    part = open_peptides(path, shard=Shard(1_000, 1_000))
    assert rows_of(part) == ([{"peptide": "SLYNTVATL", "note": "", "own": "x"}], [1_001])


def test_windows_of_shards(tmp_path):
    """Prevents a protein that is cut in two, and a first stage that only the shards leave out."""
    path = tmp_path / "proteins.fasta"
    path.write_text("".join(f">p{i}\n{'MSLYNTVATLKKW' * (i % 3)}\nMSL\n" for i in range(11)))
    whole = protein_windows(path, (8, 9))
    parts = [protein_windows(path, (8, 9), shard=Shard(number, 20)) for number in range(1, 21)]
    assert [row for part in parts for row in rows_of(part)[0]] == rows_of(whole)[0]
    assert {part.check().rows_of_all for part in parts} == {whole.check().rows}


def test_a_mistake_is_told_with_its_line(tmp_path):
    """Prevents a message that names the line of the shard, which nobody can look at."""
    path = tmp_path / "in.csv"
    path.write_text("peptide,own\n" + "SLYNTVATL,x\n" * 50 + "SLYNTVATL\n" + "SLYNTVATL,x\n" * 50)
    with pytest.raises(InputError, match=r"row 52: the row has 1 field"):
        open_peptides(path, shard=Shard(2, 3)).check()
    assert open_peptides(path, shard=Shard(3, 3)).check().rows == 33


@pytest.mark.parametrize("above", ["", "\ufeff", "# a comment\n", "\n"])
def test_a_record_is_told_with_its_number(tmp_path, above):
    """Prevents another number for a record of a shard than for the same one of the whole file."""
    path = tmp_path / "in.fasta"
    path.write_text(above + ">a\nSLYNTVATL\n>b\nGILGFVFTL\n>c\nSLYX\n", encoding="utf-8")
    for shard in (None, Shard(2, 2)):
        with pytest.raises(InputError, match="row 3, column 'peptide': non-standard"):
            open_peptides(path, shard=shard, strict=True).check()


def test_an_open_quotation_mark_is_told_by_one_shard(tmp_path):
    """Prevents the rows behind a damaged one from vanishing without a word."""
    path = tmp_path / "in.csv"
    path.write_text("peptide,own\n" + "SLYNTVATL,x\n" * 2_500 + 'SLYNTVATL,"x\n' + "SLYNTVATL,x\n" * 500)
    told = []
    for number in range(1, 7):
        try:
            open_peptides(path, shard=Shard(number, 6)).check()
        except InputError as error:
            told.append(str(error))
    assert len(told) == 1 and "row 2502: a quotation mark is open" in told[0]


@pytest.mark.parametrize("text", ["0/3", "4/3", "1", "1/0", "-1/3", "1/3/4", "a/b", "", "1.0/2"])
def test_what_is_no_shard(text):
    """Prevents a shard 0, which would be read as the first by some and as the last by others."""
    with pytest.raises(InputError, match="--shard: is no shard"):
        Shard.parse(text)
    assert Shard.parse(" 3/8") == Shard(3, 8) and str(Shard(3, 8)) == "3/8"
