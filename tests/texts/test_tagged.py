"""Words keep their tags, from CoNLL, JSON lines and tables of residues; entities are counted as conlleval does."""

import json

import pytest

from pmhc_distil.errors import InputError
from pmhc_distil.texts.tagged import TaggedSentence, entities, entity_scores, read_tagged, read_untagged, runs

CONLL = "-DOCSTART- -X- -X- O\n\nEU NNP I-NP B-ORG\nrejects VBZ I-VP O\n\n\nPeter NNP I-NP B-PER\n"


def read(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    return read_tagged(tmp_path / name)


def test_conll(tmp_path):
    """Prevents a document mark from becoming a sentence, and the last sentence from being lost."""
    expected = [
        TaggedSentence(("EU", "rejects"), ("B-ORG", "O"), 3),
        TaggedSentence(("Peter",), ("B-PER",), 7),
    ]
    assert read(tmp_path, "a.txt", CONLL) == expected
    assert read(tmp_path, "a.conll", CONLL.replace(" ", "\t")) == expected


@pytest.mark.parametrize(
    ("name", "content", "expected", "rows"),
    [
        ("a.conll", "Peter\nsleeps\n\nWhy\n", [["Peter", "sleeps"], ["Why"]], [1, 4]),
        ("a.txt", CONLL, [["EU", "rejects"], ["Peter"]], [3, 7]),
        ("a.txt", "Ann B-PER\nlives O\n\nOslo B-LOC\n", [["Ann", "lives"], ["Oslo"]], [1, 4]),
        ("a.tsv", "Ann\tB-PER\nlives\tO\n", [["Ann", "lives"]], [1]),
        ("a.txt", "Ann lives here now\n\nBob works there too\n", ["Ann lives here now", "Bob works there too"], [1, 3]),
        ("lines", "Ann lives\nBob works there\n", ["Ann lives", "Bob works there"], [1, 2]),
        ("a.fasta", ">a\nMKT\nAY\n>b\nAEA\n", ["MKTAY", "AEA"], [1, 2]),
        ("a.tsv", "text\nParis\nLondon\n", ["Paris", "London"], [2, 3]),
        ("a.csv", "text,tags\nEU rejects,B-ORG O\n", [["EU", "rejects"]], [2]),
        ("a.csv", "seq,label\nMRY,211\n", ["MRY"], [2]),
        ("a.jsonl", '{"text": "  Ann lives"}', ["  Ann lives"], [1]),
        ("a.jsonl", '{"tokens": ["EU"], "pos_tags": [1], "ner_tags": [2]}', [["EU"]], [1]),
        ("a.jsonl", '{"tokens": ["EU", "a b"]}\n{"tokens": ["x"]}\n', [["EU", "a b"], ["x"]], [1, 2]),
    ],
)
def test_what_is_to_be_tagged(tmp_path, name, content, expected, rows):
    """Prevents lines of text from being read as columns, headers of a FASTA as words, and texts as letters."""
    (tmp_path / name).write_text(content)
    assert read_untagged(tmp_path / name, {"B-PER", "B-LOC", "O"}) == (expected, rows)


def test_a_table_of_unknown_columns_is_no_conll(tmp_path):
    """Prevents the header of a table from being learned as a word, and whole sentences of tags as classes."""
    with pytest.raises(InputError, match="a tag has a blank") as caught:
        read(tmp_path, "a.tsv", "utterance\tslots\nAnn lives\tB-PER O\n")
    assert caught.value.row == 2


def test_rare_blanks_are_words(tmp_path):
    """Prevents a no-break space from splitting a line into another number of columns."""
    (found,) = read(tmp_path, "a.txt", "10\u00a0km B-Q\n\u2009 O\n")
    assert found.words == ("10\u00a0km", "\u2009")


@pytest.mark.parametrize("names", [("tokens", "ner_tags"), ("words", "labels"), ("tokens", "tags")])
def test_json_lines(tmp_path, names):
    """Prevents the numbers of a class list from being dropped, or lists from being taken for texts."""
    lines = [dict(zip(names, (["EU", "a b"], [3, 0]), strict=True))]
    assert read(tmp_path, "a.jsonl", json.dumps(lines[0])) == [TaggedSentence(("EU", "a b"), ("3", "0"), 1)]


def test_residues(tmp_path):
    """Prevents the structure of a protein from being read as one word with one tag."""
    expected = [TaggedSentence(tuple("MRY"), tuple("211"), 2), TaggedSentence(tuple("GG"), tuple("02"), 3)]
    assert read(tmp_path, "a.csv", "seq,label\nMRY,211\nGG,02\n") == expected
    assert read(tmp_path, "a.txt", "label\tsequence\n211\tMRY\n02\tGG\n") == expected


def test_words_in_a_table(tmp_path):
    """Prevents words from being taken apart into letters where a table separates them by blanks."""
    found = read(tmp_path, "a.csv", "text,tags\nEU rejects,B-ORG O\nPeter,B-PER\n")
    assert [one.words for one in found] == [("EU", "rejects"), ("Peter",)]


@pytest.mark.parametrize(
    ("name", "content", "row", "told"),
    [
        ("a.csv", "seq,label\nMRY,211\nGG,0\n", 3, "2 words but 1 tags"),
        ("a.csv", "peptide,label\nMRY,211\n", None, "columns are: peptide, label"),
        ("a.jsonl", '{"tokens": ["a", "b"], "tags": ["O"]}', 1, "2 words but 1 tags"),
        ("a.jsonl", '{"tokens": [], "tags": []}', 1, "no words"),
        ("a.jsonl", '{"tokens": ["a", ""], "tags": ["O", "O"]}', 1, "empty"),
        ("a.jsonl", '{"tokens": 3, "tags": []}', 1, "list"),
        ("a.txt", "EU NNP B-ORG\nrejects VBZ\n", 2, "2 columns"),
        ("a.txt", "EU\nrejects\n", 1, "without a tag"),
        ("a.txt", "EU\tB-ORG\nrejects\t\n", 2, "empty"),
        ("a.txt", "\n\n", None, "no sentence"),
        ("a.conllu", "1\tEU\tEU\tPROPN\n", None, "CoNLL-U"),
    ],
)
def test_mistakes(tmp_path, name, content, row, told):
    """Prevents tags from moving to other words, and another column from standing in for a missing tag."""
    with pytest.raises(InputError) as caught:
        read(tmp_path, name, content)
    assert told in str(caught.value) and name in str(caught.value)
    assert caught.value.row == row


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("O O", []),
        ("B-PER I-PER O B-LOC", [("PER", 0, 2), ("LOC", 3, 4)]),
        ("B-PER B-PER I-PER", [("PER", 0, 1), ("PER", 1, 3)]),
        ("I-PER I-PER O I-LOC", [("PER", 0, 2), ("LOC", 3, 4)]),
        ("B-PER I-LOC I-LOC", [("PER", 0, 1), ("LOC", 1, 3)]),
        ("I-PER O I-PER", [("PER", 0, 1), ("PER", 2, 3)]),
        ("B-A I-A E-A I-A S-A S-A", [("A", 0, 3), ("A", 3, 4), ("A", 4, 5), ("A", 5, 6)]),
        ("B-long-name I-long-name", [("long-name", 0, 2)]),
    ],
)
def test_entities(tags, expected):
    """Prevents neighbours of one label from merging, and an I- without a B- from being lost."""
    assert entities(tags.split()) == expected


def test_scores_of_entities():
    """Prevents half an entity, or one of the same place in another sentence, from counting as found."""
    true = [["B-PER", "I-PER", "O", "B-LOC"], ["O", "B-ORG"]]
    predicted = [["B-PER", "I-PER", "O", "O"], ["B-ORG", "I-ORG"]]
    scores = entity_scores(true, predicted)
    assert scores == pytest.approx({"precision": 1 / 2, "recall": 1 / 3, "f1": 2 / 5, "accuracy": 3 / 6})
    assert entity_scores(true, true)["f1"] == 1
    assert entity_scores([["O"]], [["O"]]) == {"precision": 0, "recall": 0, "f1": 0, "accuracy": 1}


def test_scores_of_other_tags():
    """Prevents entities from being sought where a tag is a class of its own; checked against scikit-learn."""
    from sklearn.metrics import accuracy_score, f1_score

    true, predicted = ["H", "H", "E", "C", "C", "C"], ["H", "E", "E", "C", "C", "G"]
    scores = entity_scores([true[:2], true[2:]], [predicted[:2], predicted[2:]])
    expected = {"accuracy": accuracy_score(true, predicted), "macro_f1": f1_score(true, predicted, average="macro")}
    assert scores == pytest.approx(expected)


@pytest.mark.parametrize(("true", "predicted"), [([["O", "O"]], [["O"]]), ([["O"]], []), ([], [])])
def test_what_cannot_be_compared(true, predicted):
    """Prevents a metric over sentences that do not belong together."""
    with pytest.raises(ValueError):
        entity_scores(true, predicted)


def test_runs_of_tags_without_prefixes():
    """Prevents proteins from having no segments, as their tags are of no entities."""
    assert runs(list("HHHCCE")) == [("H", 0, 3), ("C", 3, 5), ("E", 5, 6)]
    assert runs(["PER", "PER", "O", "-LRB-"]) == [("PER", 0, 2), ("-LRB-", 3, 4)]


def test_tags_that_do_not_occur():
    """Prevents other metrics in an epoch that predicts nothing but O."""
    found = entity_scores([["O", "O"]], [["O", "O"]], ("PER", "O"))
    assert found == {"accuracy": 1, "macro_f1": 1}
