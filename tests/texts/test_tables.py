"""Labelled texts come out row for row, whatever their columns and quotation marks."""

import gzip
import json

import pytest

from pmhc_distil.errors import InputError
from pmhc_distil.texts.documents import read_texts_or_pairs
from pmhc_distil.texts.tables import read_labelled


@pytest.fixture
def write(tmp_path):
    """Give a function that writes a file and gives its path."""

    def write(name, content):
        path = tmp_path / name
        data = content.encode()
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return path

    return write


GLUE = (
    "\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\n"
    '1\t5\t6\tThe man said , " no .\t" No , " he said .\n'
    '0\t7\t8\t"Whole field"\tHe \'s here "\n'
    '1\t9\t9\t"opens here\tcloses nowhere\n'
    "0\t10\t11\tx\ty\n"
)


def test_glue_with_bare_quotation_marks(write):
    """Prevents a bare quotation mark of MRPC from swallowing the rows below it, and a BOM from hiding the label."""
    frame = read_labelled(write("mrpc.tsv.gz", GLUE))
    assert frame["label"].tolist() == ["1", "0", "1", "0"]
    assert frame["row"].tolist() == [2, 3, 4, 5]
    assert frame["text"][0] == 'The man said , " no .' and frame["text_pair"][0] == '" No , " he said .'
    assert frame["text"][2] == '"opens here'


def test_marks_that_close_lines_later_open_nothing(write):
    """Prevents rows between two stray marks from merging into one row that has the right number of fields."""
    frame = read_labelled(write("x.tsv", 'text\tlabel\n"First\t1\nsecond\t0\nthird"\t1\n'))
    assert frame["text"].tolist() == ['"First', "second", 'third"']


def test_tsv_quoted_by_a_spreadsheet(write):
    """Prevents the quotation marks that a spreadsheet puts around fields from becoming part of the text."""
    frame = read_labelled(
        write("x.tsv", 'text\tlabel\n"He said ""no"""\t1\n"a tab\there"\t0\n"two\nlines"\t1\nplain\t1\n')
    )
    assert frame["text"].tolist() == ['He said "no"', "a tab\there", "two\nlines", "plain"]
    assert frame["row"].tolist() == [2, 3, 4, 6]


def test_letters_that_end_lines_elsewhere(write):
    """Prevents rows between two stray marks from merging in a file with a line separator of Unicode or a form feed."""
    for letter in "\u2028\x0c\x85":
        frame = read_labelled(write("x.tsv", f'text\tlabel\na{letter}b\t1\n"second\t0\nthird"\t1\n'))
        assert frame["text"].tolist() == [f"a{letter}b", '"second', 'third"']


@pytest.mark.parametrize(
    ("name", "content", "pair"),
    [
        ("a.csv", 'text,label\n"Good, really",1\n', ""),
        ("b.tsv", "sentence\tlabel\nGood, really \t1\n", ""),
        ("c.csv", "label;seq\n1;Good, really\n", ""),
        ("d.txt", "index\tsentence1\tsentence2\tlabel\n0\tGood, really\tSo?\t1\n", "So?"),
        ("e.csv", 'premise,hypothesis,class\n"Good, really",So?,1\n', "So?"),
        ("f.csv", 'Question,Sentence,Target\n"Good, really",So?,1\n', "So?"),
        ("g.jsonl", json.dumps({"text": "Good, really", "text_pair": "So?", "label": 1}) + "\n", "So?"),
        ("h.csv", 'sentence,text_pair,score\n"Good, really",So?,1\n', "So?"),
    ],
)
def test_usual_columns(write, name, content, pair):
    """Prevents a usual layout from being refused, or its columns from being mixed up."""
    frame = read_labelled(write(name, content))
    assert list(frame.columns) == ["text", "text_pair", "label", "row"]
    assert frame.loc[0, ["text", "text_pair", "label"]].tolist() == ["Good, really", pair, "1"]


def test_numbers(write):
    """Prevents a number from staying text, and words or infinities from becoming NaN in the loss."""
    frame = read_labelled(write("x.csv", "seq,label\nMK,0.5\nML,-1e-1\n"), numeric=True)
    assert frame["label"].tolist() == [0.5, -0.1]
    for bad in ("high", "nan", "inf", "1e39", ""):
        with pytest.raises(InputError) as caught:
            read_labelled(write("bad.csv", f"seq,label\nMK,0.5\nML,{bad}\n"), numeric=True)
        assert (caught.value.row, caught.value.column) == (3, "label")


@pytest.mark.parametrize(
    ("name", "content", "texts", "pairs", "rows"),
    [
        ("x.tsv", "sentence\nOne, two\n", ["One, two"], [""], [2]),
        ("x.txt", "sentence\n\nOne, two\n", ["sentence", "One, two"], None, [1, 3]),
        ("lines", "Ann lives, text\nBob\n", ["Ann lives, text", "Bob"], None, [1, 2]),
        ("x.TXT", "Ann lives\nBob\n", ["Ann lives", "Bob"], None, [1, 2]),
        ("table", "id,text\n7,Ann\n", ["Ann"], [""], [2]),
        ("x.txt", "Quality\t#1 String\t#2 String\n1\tAnn\tBob\n", ["Ann"], ["Bob"], [2]),
        ("x.fasta", ">a\nMKT\n>b\nAEA\n", ["MKT", "AEA"], None, [1, 2]),
    ],
)
def test_what_is_asked_about(write, name, content, texts, pairs, rows):
    """Prevents texts that are to be predicted from needing labels, a header from being a text, a text a header."""
    found, lines = read_texts_or_pairs(write(name, content))
    assert [one["text"] for one in found] == texts and lines == rows
    assert [one.get("text_pair") for one in found] == (pairs or [None] * len(texts))


def test_labels_of_json_keep_their_spelling(write):
    """Prevents true, 1 and "1" from becoming Python's spelling of them."""
    lines = [{"text": "a", "label": value} for value in (True, 1, "x")]
    assert read_labelled(write("x.jsonl", "\n".join(map(json.dumps, lines))))["label"].tolist() == ["true", "1", "x"]


@pytest.mark.parametrize(
    ("content", "row", "told"),
    [
        ("", None, "empty"),
        ("text,label\n", None, "no rows"),
        ("words,label\na,1\n", None, "columns are: words, label"),
        ("text,result\na,1\n", None, "columns are: text, result"),
        ("sentence,seq,label\na,b,1\n", None, "sentence, seq"),
        ("sentence1,sentence2,premise,hypothesis,label\na,b,c,d,1\n", None, "premise and hypothesis"),
        ("text,label\na,1\n ,1\n", 3, "empty"),
        ("text,label\na,1\n\nb,\n", 4, "empty"),
        ("text,label\na,1,2\n", 2, "3 fields"),
        ('{"text": "a", "label": "1"}\n{"text": "a"}\n', 2, "empty"),
        ('{"text": "a", "label": "1"}\n{"text": \n', 2, "not JSON"),
        ('{"text": ["a"], "label": "1"}\n', 1, "text is expected"),
        ('[{"text": "a", "label": "1"}]\n', 1, "one object a line"),
        ("text\tlabel\n" + "x" * 200_000 + "\t1\n", 2, "131,072 characters"),
    ],
)
def test_mistakes(write, content, row, told):
    """Prevents a traceback, a row that goes missing, or a message that does not lead to the mistake."""
    with pytest.raises(InputError) as caught:
        read_labelled(write("x.txt", content))
    assert told in str(caught.value) and "x.txt" in str(caught.value)
    assert caught.value.row == row
