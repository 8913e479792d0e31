"""Questions come with answers that stand where they say, and are scored as SQuAD scores them."""

import json

import pytest

from pmhc_distil.errors import InputError
from pmhc_distil.texts.squad import Question, exact_match, read_questions, token_f1

CONTEXT = "Seen today. Eylea left eye, 6/12."


def squad(answers, **changed):
    item = {"id": "q1", "question": "Which drug?", "answers": answers} | changed
    return {"version": "2.0", "data": [{"title": "t", "paragraphs": [{"context": CONTEXT, "qas": [item]}]}]}


def read(tmp_path, content, name="q.json", **options):
    (tmp_path / name).write_text(content if isinstance(content, str) else json.dumps(content))
    return read_questions(tmp_path / name, **options)


def test_squad(tmp_path):
    """Prevents answers of SQuAD 1.1 and 2.0 from being dropped, or given to a question that has none."""
    answers = [{"text": "Eylea", "answer_start": 12}, {"text": "Eylea left eye", "answer_start": 12}]
    expected = Question("q1", "Which drug?", CONTEXT, (("Eylea", 12), ("Eylea left eye", 12)), 1)
    assert read(tmp_path, squad(answers)) == [expected]
    assert read(tmp_path, json.dumps(squad(answers), indent=1)) == [expected]
    for one in (squad([]), squad([], is_impossible=True, plausible_answers=answers)):
        assert read(tmp_path, one)[0].answers == ()
    unanswered = squad([])
    del unanswered["data"][0]["paragraphs"][0]["qas"][0]["answers"]
    assert read(tmp_path, unanswered, labelled=False)[0].answers == ()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("q.csv", f'id,question,context,answer,answer_start\na,What?,"{CONTEXT}",Eylea,12\nb,What?,"{CONTEXT}",,\n'),
        ("q.tsv", f"id\tquestion\tcontext\tanswer\na\tWhat?\t{CONTEXT}\tEylea\nb\tWhat?\t{CONTEXT}\t\n"),
        (
            "q.json",
            "".join(
                json.dumps({"id": i, "question": "What?", "context": CONTEXT, "answers": answers}) + "\n"
                for i, answers in (("a", {"text": ["Eylea"], "answer_start": [12]}), ("b", {"text": []}))
            ),
        ),
        (
            "q.jsonl",
            "".join(
                json.dumps({"id": i, "question": "What?", "context": CONTEXT, "answers": answers}) + "\n"
                for i, answers in (("a", ["Eylea"]), ("b", None))
            ),
        ),
    ],
)
def test_tables(tmp_path, name, content):
    """Prevents an answer without an offset from being lost, and an empty one from being an answer."""
    found = read(tmp_path, content, name)
    assert [(one.id, one.context, one.answers) for one in found] == [
        ("a", CONTEXT, (("Eylea", 12),)),
        ("b", CONTEXT, ()),
    ]
    assert all(one.answers == () for one in read(tmp_path, content, name, labelled=False))


def test_offsets_of_a_spreadsheet(tmp_path):
    """Prevents 12.0, which is what a column of numbers with gaps becomes, from being refused."""
    content = f'question,context,answer,answer_start\nWhat?,"{CONTEXT}",Eylea,12.0\n'
    assert read(tmp_path, content, "q.csv")[0].answers == (("Eylea", 12),)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_line_ends_within_a_context(tmp_path, end):
    """Prevents offsets that are one off for every line of a context that Windows has written."""
    text = f'q,context,answer,answer_start{end}who ?,"Anna lives{end}in Paris",Paris,{len(end) + 13}{end}'
    (tmp_path / "q.csv").write_bytes(text.replace("q,", "question,", 1).encode())
    (found,) = read_questions(tmp_path / "q.csv")
    assert found.answers == (("Paris", len(end) + 13),) and found.row == 2


def test_offsets_count_from_the_context_as_written(tmp_path):
    """Prevents offsets from moving when blanks around a context are cut off."""
    line = {"question": "What?", "context": "  Eylea", "answer": "Eylea", "answer_start": 2}
    assert read(tmp_path, line, "q.jsonl")[0].answers == (("Eylea", 2),)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (squad([{"text": "Eylea", "answer_start": 11}]), "question 'q1': at offset 11 stands ' Eyle', not the answer"),
        (squad([{"text": "Eylea", "answer_start": 99}]), "offset 99 lies outside the context of 33 characters"),
        (squad([{"text": "Eylea", "answer_start": -1}]), "offset -1 lies outside"),
        (squad([{"text": "Lucentis"}]), "question 'q1': the answer does not stand in the context: 'Lucentis'"),
        (squad([{"text": "Eylea", "answer_start": "x"}]), "no whole number: 'x'"),
        (squad([{"text": "Eylea", "answer_start": 12.7}]), "no whole number: '12.7'"),
        (
            json.dumps(squad([{"text": "Eylea", "answer_start": 12}])).replace('start": 12', 'start": 1e999'),
            "no whole number",
        ),
        (json.dumps(squad([])).replace('"q1"', "9" * 5000), "the JSON is broken"),
        ('{"data": ' + "[" * 100_000, "the JSON is broken"),
        (squad([{"text": " ", "answer_start": 5}]), "an answer has no text"),
        (squad([{"answer_start": 5}]), "an answer has no text"),
        ('{"question": "q", "context": "a", "answer": 3}', '3, "answer_start": null}\' (write a text, or an object'),
        (json.dumps(squad([])).replace('"q1"', '"\\ud83d"'), "in an id half of a surrogate pair"),
        (
            json.dumps(squad([])).replace('"answers"', '"is_impossible": "false", "answers"'),
            "question 'q1': is_impossible is neither true nor false: '\"false\"'",
        ),
        (squad([], question=" "), "the question is empty"),
        (squad(None), "data[0].paragraphs[0].qas[0] has no 'answers'"),
        ({"data": [{"title": "t"}]}, "data[0] has no 'paragraphs'"),
        ({"dat": []}, "the file has no 'data'"),
        ({"data": []}, "no question found"),
        ('{\n "data": [\n  {"title" "t"}\n ]\n}', "row 3: the JSON is broken: expecting ':' delimiter"),
        ('{"data": [', "row 1: the JSON is broken"),
        ("question,answer\na,b\n", "no column with the contexts (name it context; columns are: question, answer)"),
        ("question,context,answer\na,b c,d\n", "row 2: question '2': the answer does not stand in the context: 'd'"),
        (
            "id,question,context,answer\n1,a,b,b\n1,a,b,b\n",
            "row 3, column 'id': the id of a question occurs twice: '1'",
        ),
        ("", "empty"),
    ],
)
def test_mistakes(tmp_path, content, told):
    """Prevents a model from learning spans that are not the answers, and a traceback for a broken file."""
    with pytest.raises(InputError) as caught:
        read(tmp_path, content)
    assert told in str(caught.value) and "q.json" in str(caught.value)


@pytest.mark.parametrize(
    ("prediction", "answers", "exact", "f1"),
    [
        ("The Eylea.", ["eylea"], 1, 1),
        ("Eylea left", ["Eylea", "Eylea left eye"], 0, 0.8),
        ("left left", ["left"], 0, 2 / 3),
        ("6/12", ["612"], 1, 1),
        ("theatre", ["atre"], 0, 0),
        ("", [], 1, 1),
        ("Eylea", [], 0, 0),
        ("", ["Eylea"], 0, 0),
        ("a", ["the"], 1, 1),
        ("Eylea", ["the", "Eylea"], 1, 1),
        ("", ["the", "cat"], 0, 0),
    ],
)
def test_scores(prediction, answers, exact, f1):
    """Prevents scores that cannot be compared with published ones: these follow the official evaluation script."""
    assert exact_match(prediction, answers) == exact
    assert token_f1(prediction, answers) == pytest.approx(f1)
