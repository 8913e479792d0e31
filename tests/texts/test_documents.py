"""Texts come in whole, and pairs of sentences tell their label by how they fit and by nothing else."""

import gzip
from collections import Counter

import pytest

from pmhc_distil.errors import InputError
from pmhc_distil.texts.corpus import passages
from pmhc_distil.texts.documents import IS_NEXT, NOT_NEXT, read_texts, sentence_pairs, sentences


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.txt", "text, one\n\n{two}\n>three\n", ["text, one", "{two}", ">three"]),
        ("a.txt.gz", "one\n", ["one"]),
        ("a.jsonl", '{"id": 1, "text": "one<br />two"}\n{"text": "three"}\n', ["one<br />two", "three"]),
        ("a.csv", 'id,text\n1,"one, two"\n', ["one, two"]),
        ("a.tsv", 'sentence\nsay "one", two\n', ['say "one", two']),
        ("a.fasta", ">p1\nMKv\nLL*\n>p2\nAC\n", ["MKVLL", "AC"]),
        ("names", "one\ntwo\n", ["one", "two"]),
        ("names", "[MASK] one\n[[two]]\n", ["[MASK] one", "[[two]]"]),
        ("names", "Sentence 1\nSentence 2\n", ["Sentence 1", "Sentence 2"]),
        ("A.TSV", "sentence\none, two\n", ["one, two"]),
    ],
)
def test_texts(tmp_path, name, content, expected):
    """Prevents a format from being taken for lines of text, and lines of text for a format."""
    data = content.encode()
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    assert read_texts(tmp_path / name) == expected


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.txt", " \n\n", "no text found"),
        ("a.csv", "words\na\n", "columns are: words"),
        ("a.jsonl", '{"text": "a"}\n{"text": ""}\n', "row 2, column 'text': the field is empty"),
        ("a.fasta", ">p1\nMK\n>p2\n", "row 2: the record has no sequence"),
        ("a.json", '\n[{"text": "a"}]\n', "row 2: a JSON array is not a table"),
        ("a.json", '[\n {"text": "a"},\n {"text": "b"}\n]\n', "row 1: a JSON array is not a table"),
        ("a.csv", "id,question,context\n1,Who?,Ann won.\n", "'question, context' (keep one of them"),
        ("a.csv", "text,text_pair\na,b\n", "a single text a row is needed: 'text, text_pair'"),
    ],
)
def test_files_without_text(tmp_path, name, content, told):
    """Prevents training on nothing."""
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError) as caught:
        read_texts(tmp_path / name)
    assert told in str(caught.value) and name in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ('He said: "No." Then he left...', ['He said: "No."', "Then he left..."]),
        ("Dr. J. R. Smith met Mrs. Jones, e.g. Here. Then?", ["Dr. J. R. Smith met Mrs. Jones, e.g. Here.", "Then?"]),
        ("It cost 3.50 in 1999. 20 came.", ["It cost 3.50 in 1999.", "20 came."]),
        ("He said no. Then it was No. 5.", ["He said no.", "Then it was No. 5."]),
        ("one<br /><br />two <i>times</i> &amp; more<BR>3", ["one", "two times & more", "3"]),
        ("two\nlines\n\nand a paragraph", ["two lines", "and a paragraph"]),
        ("He's here... at last (\u201creally?\u201d). Good.", ["He's here... at last (\u201creally?\u201d).", "Good."]),
        ("Seen in the 70's. So did I. K. Late was too.", ["Seen in the 70's.", "So did I. K. Late was too."]),
        (" ... <br/> !", []),
    ],
)
def test_sentences(text, expected):
    """Prevents titles and numbers from ending sentences, and tags from being words."""
    assert sentences(text) == expected


def test_passages():
    """Prevents passages that are longer than asked for, and sentences that are cut or lost."""
    text = "One two. Three four. Five six. Seven eight. Nine."
    assert list(passages(text, 4)) == ["One two. Three four.", "Five six. Seven eight.", "Nine."]


@pytest.fixture
def texts():
    """Give thirty texts of one to six sentences, each of which tells where it stands."""
    return [" ".join(f"Text {d} has sentence {i}." for i in range(1 + d % 6)) for d in range(30)]


def place(sentence):
    words = sentence.rstrip(".").split()
    return int(words[1]), int(words[4])


def test_pairs(texts):
    """Prevents a true pair of strangers, a random one of the same text, unequal halves and texts that are left out."""
    frame = sentence_pairs(texts, seed=3)
    assert list(frame.columns) == ["text", "text_pair", "label"]
    assert frame["label"].value_counts().to_dict() == {"IS_NEXT": 75, "NOT_NEXT": 75}
    seen = set()
    for first, second, label in frame.itertuples(index=False):
        (d, i), (e, j) = place(first), place(second)
        assert (e, j) == (d, i + 1) if label == "IS_NEXT" else d != e
        seen |= {d, e}
    assert seen == set(range(30))
    assert not frame.duplicated().any()


def test_one_sentence_does_not_tell_the_label(texts):
    """Prevents a model from being right without looking at both sentences."""
    frame = sentence_pairs([text for text in texts if text.count(".") > 1], seed=3)
    for column in ("text", "text_pair"):
        sides = [Counter(frame.loc[frame["label"] == label, column]) for label in (IS_NEXT, NOT_NEXT)]
        assert sides[0] and sides[0] == sides[1]


def test_seed(texts):
    """Prevents pairs that cannot be made again."""
    assert sentence_pairs(texts, 1).equals(sentence_pairs(texts, 1))
    assert not sentence_pairs(texts, 1).equals(sentence_pairs(texts, 2))


def test_a_text_with_most_sentences():
    """Prevents an endless search where the other texts have too few sentences for one large text."""
    frame = sentence_pairs([" ".join(f"Text 0 has sentence {i}." for i in range(50)), "Text 1 has sentence 0."], 0)
    random = frame[frame["label"] == "NOT_NEXT"]
    assert len(random) == 49
    assert all(place(a)[0] != place(b)[0] for a, b in zip(random["text"], random["text_pair"], strict=True))


@pytest.mark.parametrize("texts", [[], ["One. Two."], ["One.", "Two."], ["One. Two.", "Three.", "Four.", "Five."]])
def test_too_few_sentences(texts):
    """Prevents halves that cannot be made from being made otherwise, quietly."""
    with pytest.raises(InputError, match="texts"):
        sentence_pairs(texts, 0)
