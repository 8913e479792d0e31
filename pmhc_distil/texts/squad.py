"""Questions about a context, with answers that stand in it, and the scores of SQuAD."""

import io
import itertools
import json
import math
import re
import string
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.text_files import open_text
from pmhc_distil.texts.records import HALF_A_LETTER, Records, first_line, is_unicode, parse_records, suffixes_of

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_SHOWN = 40


@dataclass(frozen=True)
class Question:
    """A question about a context.

    Attributes
    ----------
    id : str
        Name of the question, once in a file.
    question, context : str
        As they are written.
    answers : tuple of (str, int)
        Texts and the characters of `context` where they start; none if the context does not hold the answer, or if no
        answers were asked for.
    row : int
        1-based line, or in SQuAD's JSON the number of the question.
    """

    id: str
    question: str
    context: str
    answers: tuple[tuple[str, int], ...]
    row: int


def read_questions(path: Path, *, labelled: bool = True) -> list[Question]:
    """Read questions and check that the answers stand where they should.

    Parameters
    ----------
    path : Path
        Plain or gzip: the JSON of SQuAD 1.1 or 2.0; or CSV, TSV or JSON lines with columns question, context, answer or
        answers (empty where there is none) and perhaps answer_start and id.  Without answer_start an
        answer is the first place of its text.  In JSON lines answers can be a list of texts, of objects with text and
        answer_start, or one object with both as lists.
    labelled : bool
        Answers are needed; otherwise none are read.

    Returns
    -------
    list of Question
        In the order of the file.

    Raises
    ------
    InputError
        If the file cannot be read or is not such a file, a question or context is empty, an id occurs twice, or an
        answer does not stand at its place.
    """
    source = str(path)
    with open_text(path) as stream:
        stream.reconfigure(newline="")  # offsets count both letters of the line ends within a context
        text = stream.read()
    articles = _articles(text, source)
    if articles is None:
        found = _from_table(parse_records(io.StringIO(text, newline=""), source), labelled)
    else:
        found = list(_from_articles(articles, source, labelled))
    if not found:
        raise InputError("no question found", source)
    seen: dict[str, int] = {}
    for one in found:
        if one.id in seen:
            raise InputError("the id of a question occurs twice", source, one.row, "id", one.id)
        seen[one.id] = one.row
    return found


def is_squad(path: Path) -> bool:
    """Tell whether a file is one JSON object with the articles of SQuAD as its member ``data``.

    Raises
    ------
    InputError
        If the file cannot be read.
    """
    with open_text(path) as stream:
        _, head = first_line(stream)
        if not head.startswith("{") or {".txt", ".jsonl", ".ndjson"} & suffixes_of(path):
            return False
        stream.seek(0)
        text = stream.read()
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError):  # JSON lines, or broken
        return False
    return isinstance(whole.get("data"), list)


def exact_match(prediction: str, answers: Sequence[str]) -> float:
    """Tell whether a prediction is one of the answers, by SQuAD's normalisation.

    Parameters
    ----------
    prediction : str
        ``""`` for "no answer".
    answers : sequence of str
        Texts of the true answers; none for "no answer".

    Returns
    -------
    float
        1 or 0.  Case, punctuation, articles and blanks do not count.
    """
    return max(float(_normalise(prediction) == answer) for answer in _accepted(answers))


def token_f1(prediction: str, answers: Sequence[str]) -> float:
    """Give the F1 of the words of a prediction against the best of the answers, as SQuAD 2.0 does.

    Parameters
    ----------
    prediction, answers
        As for :func:`exact_match`.

    Returns
    -------
    float
        0 to 1; with "no answer" on either side 1 if it is on both.
    """
    return max(_f1(_normalise(prediction).split(), answer.split()) for answer in _accepted(answers))


def _accepted(answers: Sequence[str]) -> list[str]:
    return [text for text in map(_normalise, answers) if text] or [""]


def _normalise(text: str) -> str:
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def _f1(given: list[str], wanted: list[str]) -> float:
    if not given or not wanted:
        return float(given == wanted)
    common = (Counter(given) & Counter(wanted)).total()
    return 2 * common / (len(given) + len(wanted))


def _articles(text: str, source: str) -> list[Any] | None:
    """Give the articles of SQuAD's JSON, or None for another format."""
    if not text.lstrip().startswith("{") or {".jsonl", ".ndjson"} & suffixes_of(source):
        return None
    try:
        whole = json.loads(text)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data":  # a second object: JSON lines
            return None
        reason = f"the JSON is broken: {error.msg[:1].lower()}{error.msg[1:]}"
        stands = text[error.pos : error.pos + _SHOWN]
        hint = f"character {error.colno} of the line"
        raise InputError(reason, source, error.lineno, value=stands, hint=hint) from error
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, thousands of brackets
        raise InputError("the JSON is broken", source, hint=str(error)) from error
    if "question" in whole:
        return None
    return list(_member(whole, "data", list, source, "the file"))


def _from_articles(articles: list[Any], source: str, labelled: bool) -> Iterator[Question]:
    row = 0
    for number, article in enumerate(articles):
        place = f"data[{number}]"
        for one, paragraph in enumerate(_member(article, "paragraphs", list, source, place)):
            inner = f"{place}.paragraphs[{one}]"
            context = _member(paragraph, "context", str, source, inner)
            for other, item in enumerate(_member(paragraph, "qas", list, source, inner)):
                row += 1
                where = f"{inner}.qas[{other}]"
                name = str(_member(item, "id", str | int, source, where))
                impossible = item.get("is_impossible", False)
                if not isinstance(impossible, bool):
                    reason = f"question '{name}': is_impossible is neither true nor false"
                    raise InputError(reason, source, row, value=json.dumps(impossible))
                wanted = labelled and not impossible
                answers = _member(item, "answers", list, source, where) if wanted else []
                question = _member(item, "question", str, source, where)
                yield _checked(source, row, name, question, context, [_answer(a, source, row, name) for a in answers])


def _from_table(records: Records, labelled: bool) -> list[Question]:
    questions = records.texts(records.need("questions", "question"))
    contexts = _contexts(records)
    id_column = records.find("id", "questionid", "qid")
    names = records.texts(id_column) if id_column else [str(row) for row in records.rows]
    answers = records.columns[records.need("answers", "answers", "answer")] if labelled else [None] * len(names)
    start_column = records.find("answerstart", "start") if labelled else None
    starts = records.columns[start_column] if start_column else [None] * len(names)
    found = []
    for row, name, question, context, cell, start in zip(
        records.rows.tolist(), names, questions, contexts, answers, starts, strict=True
    ):
        pairs = [_answer(one, records.source, row, name) for one in _listed(cell, start)]
        found.append(_checked(records.source, row, name, question, context, pairs))
    return found


def _contexts(records: Records) -> list[str]:
    """Give the contexts as they are written: offsets count the blanks around them, too."""
    column = records.need("contexts", "context", "text", "passage")
    for row, cell in zip(records.rows.tolist(), records.columns[column], strict=True):
        if cell is not None and not isinstance(cell, str):
            raise InputError("text is expected", records.source, row, column, json.dumps(cell))
    return [cell or "" for cell in records.columns[column]]


def _listed(cell: Any, start: Any) -> list[Any]:
    """Give the answers of a cell as texts and as objects with text and answer_start."""
    if isinstance(cell, dict) and isinstance(cell.get("text"), list):
        starts = cell.get("answer_start") or [None] * len(cell["text"])
        return [{"text": text, "answer_start": one} for text, one in itertools.zip_longest(cell["text"], starts)]
    if isinstance(cell, list | dict):
        return cell if isinstance(cell, list) else [cell]
    return [] if cell is None or cell == "" else [{"text": cell, "answer_start": start}]


def _answer(answer: Any, source: str, row: int, name: str) -> tuple[str, int | None]:
    """Give text and start of an answer, without a start if it is to be looked for."""
    text, start = (answer.get("text"), answer.get("answer_start")) if isinstance(answer, dict) else (answer, None)
    if not isinstance(text, str) or not text.strip():
        hint = "write a text, or an object with text and answer_start"
        raise InputError(f"question '{name}': an answer has no text", source, row, value=json.dumps(answer), hint=hint)
    if start in (None, ""):
        return text, None
    try:
        place = float(str(start))  # 12.0 is how a spreadsheet or pandas writes a 12
    except ValueError:
        place = math.nan
    if not place.is_integer():
        raise InputError(f"question '{name}': answer_start is no whole number", source, row, value=start)
    return text, int(place)


def _checked(
    source: str, row: int, name: str, question: str, context: str, answers: list[tuple[str, int | None]]
) -> Question:
    if not is_unicode(name):
        raise InputError(f"in an id {HALF_A_LETTER}", source, row, value=json.dumps(name))
    for kind, text in (("question", question), ("context", context)):
        if not text.strip():
            raise InputError(f"question '{name}': the {kind} is empty", source, row)
        if not is_unicode(text):
            raise InputError(f"question '{name}': in the {kind} {HALF_A_LETTER}", source, row)
    found = []
    for text, start in answers:
        place = context.find(text) if start is None else start
        if place < 0 and start is None:
            raise InputError(f"question '{name}': the answer does not stand in the context", source, row, value=text)
        if place < 0 or place + len(text) > len(context):
            reason = (
                f"question '{name}': the answer at offset {place} lies outside the context of {len(context)} characters"
            )
            raise InputError(reason, source, row, value=text)
        stands = context[place : place + len(text)]
        if stands != text:
            reason = f"question '{name}': at offset {place} stands '{stands[:_SHOWN]}', not the answer"
            raise InputError(reason, source, row, value=text, hint="offsets count characters from 0")
        found.append((text, place))
    return Question(name, question, context, tuple(found), row)


def _member(holder: Any, name: str, kind: Any, source: str, place: str) -> Any:
    """Give what an object of SQuAD's JSON holds under a name, if it is what it should be."""
    if not isinstance(holder, dict) or not isinstance(holder.get(name), kind):
        reason = f"{place} has no '{name}', or another value than SQuAD's format asks for"
        raise InputError(reason, source, hint="see https://rajpurkar.github.io/SQuAD-explorer")
    return holder[name]
