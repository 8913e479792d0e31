"""Extractive question answering: the span of a context that answers a question, or none (Rajpurkar et al. 2018)."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import AutoModelForQuestionAnswering
from transformers.utils import ModelOutput

from pmhc_distil.distillation.losses import class_loss
from pmhc_distil.distillation.task import Batch, Reading, Task
from pmhc_distil.errors import InputError
from pmhc_distil.tasks.token_arrays import TextData
from pmhc_distil.tasks.tokenizing import OUTSIDE, tokenize
from pmhc_distil.texts.spans import Span, best_spans, merge_spans
from pmhc_distil.texts.squad import Question, exact_match, read_questions, token_f1

logger = logging.getLogger(__name__)

NO_ANSWER = "NO_ANSWER"
N_BEST = 20
NEVER = -1e4
"""Logit of a token that cannot be the answer; finite, as the divergence of two infinite ones is no number."""
MAX_ANSWER_LENGTH = 30


def read(path: Path, reading: Reading) -> TextData:
    """Read questions with their contexts and answers (SQuAD 1.1 or 2.0, or a table).

    The only class is ``NO_ANSWER``, if some questions have none.  A context longer
    than the model becomes several examples; one without the answer has the answer "none", which is the first token.
    """
    questions = read_questions(path)
    none = next((question for question in questions if not question.answers), None)
    classes = ((NO_ANSWER,) if none else ()) if reading.classes is None else reading.classes
    if none and NO_ANSWER not in classes:
        reason = f"question '{none.id}' has no answer, and the model was not trained with such questions"
        raise InputError(reason, str(path), none.row, hint="remove it, or train with some, too")
    data = _encode(questions, reading, str(path))
    data.classes, data.labels = classes, _labels(data)
    lost = np.array([bool(question.answers) for question in questions])
    lost[data.source[data.labels[:, 1] > 0]] = False
    if lost.any():
        reason = "%s: of %d questions, %d have an answer that no piece of their context holds whole, so none"
        logger.warning(reason, path, len(questions), lost.sum())
    return data


def _labels(data: TextData) -> np.ndarray:
    """Give the first and the last token of the answer in every piece; 0, 0 where it does not stand whole."""
    inside = data.places.flat != OUTSIDE
    source = np.repeat(data.source, data.input_ids.lengths)[inside]
    lowest, highest = np.full(data.texts, np.iinfo(np.int32).max), np.zeros(data.texts, dtype=np.int64)
    np.minimum.at(lowest, source, data.places.flat[inside])
    np.maximum.at(highest, source, data.ends.flat[inside])
    labels = np.zeros((len(data), 2), dtype=np.int64)
    for number, text in enumerate(data.source):
        if answers := data.questions[text].answers:
            answer, start = answers[0]
            first = start + len(answer) - len(answer.lstrip())
            last = first + len(answer.strip())
            # Some characters, such as accents that stand by themselves, have no token, also at the ends of a context.
            first, last = max(first, lowest[text]), min(last, highest[text])
            labels[number] = _span_of_tokens(data.places[number], data.ends[number], first, last)
    return labels


def _encode(questions: Sequence[Question], reading: Reading, path: str | None = None) -> TextData:
    texts = [question.question for question in questions]
    tokenizer, longest = reading.required_tokenizer(), reading.max_seq_length
    room = longest - tokenizer.num_special_tokens_to_add(pair=True) - reading.stride
    lengths = tokenize(tokenizer, texts).lengths
    if (lengths >= room).any():
        number = int(np.argmax(lengths >= room))
        reason = f"the question has {lengths[number]} tokens, which leaves no room for a context within {longest}"
        hint = "shorten it, raise max_seq_length or lower doc_stride"
        raise InputError(reason, path, questions[number].row if path else number + 1, value=texts[number], hint=hint)
    data = TextData.encode(texts, [question.context for question in questions], reading, pieces=True)
    data.asked = data.places.flat != OUTSIDE
    data.asked[data.input_ids.starts[:-1]] = True
    data.questions = questions
    data.null_score_diff_threshold = reading.null_score_diff_threshold
    return data


def _span_of_tokens(starts: np.ndarray, ends: np.ndarray, first: int, last: int) -> tuple[int, int]:
    """Give the first and last token of the characters from ``first`` to ``last``, or 0, 0 if this piece lacks some."""
    here = np.flatnonzero(starts != OUTSIDE)
    inside = here[(ends[here] > first) & (starts[here] < last)]
    whole = len(inside) > 0 and starts[here[0]] <= first and ends[here[-1]] >= last
    return (int(inside[0]), int(inside[-1])) if whole else (0, 0)


def rows(outputs: ModelOutput, batch: Batch) -> Tensor:
    """Give the logits of start and end in turn, shape (2 * examples, tokens)."""
    logits = torch.stack([outputs.start_logits, outputs.end_logits], dim=1)
    return logits.masked_fill(~batch["asked"][:, None], NEVER).flatten(0, 1)


def targets(batch: Batch) -> Tensor:
    """Give the tokens of start and end in turn, shape (2 * examples, 1)."""
    return batch["labels"].flatten()[:, None]


def hard_loss(outputs: ModelOutput, batch: Batch) -> Tensor:
    """Mean cross-entropy of start and end."""
    return class_loss(rows(outputs, batch), targets(batch)[:, 0])


def metrics(data: TextData, logits: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Measure the loss, and exact match and F1 of the words, in percent, as SQuAD does."""
    real = np.arange(logits.shape[1]) < np.repeat(data.input_ids.lengths, 2)[:, None]
    loss = class_loss(torch.from_numpy(np.where(real, logits, np.float32(NEVER))), torch.from_numpy(truth[:, 0]))
    found = [spans[0].text for spans in _spans(data, logits)]
    answers = [[text for text, _ in question.answers] for question in data.questions]
    pairs = list(zip(found, answers, strict=True))
    return {
        "loss": float(loss),
        "exact_match": 100 * float(np.mean([exact_match(text, answers) for text, answers in pairs])),
        "f1": 100 * float(np.mean([token_f1(text, answers) for text, answers in pairs])),
    }


def settle(data: TextData, measured: Callable[[], np.ndarray]) -> dict[str, float]:
    """Choose how far "no answer" must lead, so that most answers are right (as for SQuAD 2.0, Rajpurkar et al. 2018).

    Phrasings that a model was not trained on make it doubt an answer that it finds, which moves the lead away from 0.
    Between leads that do as well the one nearest to 0 is chosen.
    """
    if NO_ANSWER not in data.classes:
        return {}
    leads, gains = [], []
    for spans, question in zip(
        _spans(replace(data, null_score_diff_threshold=0.0), measured()), data.questions, strict=True
    ):
        answers = [text for text, _ in question.answers]
        best = next((span for span in spans if span.start >= 0), None)
        if best is not None:
            none = next(span for span in spans if span.start < 0)
            leads.append(none.score - best.score)
            gains.append(exact_match(best.text, answers) - exact_match("", answers))
    # With the questions in the order of their leads, those before a cut are answered and the others are not.
    order = np.argsort(leads, kind="stable")
    lead = np.array(leads)[order]
    right = np.concatenate([[0.0], np.cumsum(np.array(gains)[order])])
    cuts = np.concatenate([lead[:1] - 1, (lead[1:] + lead[:-1]) / 2, lead[-1:] + 1])
    right[1:-1][lead[1:] == lead[:-1]] = -np.inf
    here = float(right[np.searchsorted(lead, 0.0, side="right")])
    if here >= right.max():
        return {"null_score_diff_threshold": 0.0}
    best_cuts = cuts[right == right.max()]
    return {"null_score_diff_threshold": round(float(best_cuts[np.abs(best_cuts).argmin()]), 4)}


def _read_unanswered(path: Path, _: Reading) -> tuple[list[Question], list[int]]:
    """Read what is asked about, and the line of each question."""
    questions = read_questions(path, labelled=False)
    return questions, [question.row for question in questions]


def ask(questions: Sequence[Any], reading: Reading) -> TextData:
    """Tokenize records with ``question`` and ``context``."""
    read = []
    for row, given in enumerate(questions, start=1):
        if isinstance(given, Question):
            read.append(given)
            continue
        if not isinstance(given, dict):
            raise InputError("not a question with its context", row=row, value=given)
        for key in ("question", "context"):
            if not isinstance(given.get(key), str) or not given[key].strip():
                raise InputError("the field is missing or empty", row=row, column=key)
        read.append(Question(str(row), given["question"], given["context"], (), row))
    data = _encode(read, reading)
    data.classes = reading.classes or ()
    return data


def answer(
    data: TextData,
    logits: np.ndarray,
    *,
    top_k: int = 1,
    max_answer_length: int = MAX_ANSWER_LENGTH,
    null_score_diff_threshold: float | None = None,
) -> list[Any]:
    """Give the best spans of each context.

    Parameters
    ----------
    data : TextData
    logits : ndarray, shape (2 * examples, tokens)
    top_k : int
        Answers for each question.
    max_answer_length : int
        In tokens.
    null_score_diff_threshold : float, optional
        How far "no answer" must lead; by default what the model was found to do best with on its validation data.  If
        it is given, there may be no answer, whatever the model was trained with.

    Returns
    -------
    list
        For every question ``{answer, score, start, end}``, or with ``top_k`` above 1 a list of these, best first.
        The score is a probability among the best spans and, if there may be none, "no answer"; ``start`` and ``end``
        are characters of the context; the empty answer, at 0 to 0, says that there is none.
    """
    if null_score_diff_threshold is not None:  # models of others do not tell that they know "no answer"
        data = replace(data, null_score_diff_threshold=null_score_diff_threshold, classes=(NO_ANSWER,))
    found = []
    for spans in _spans(data, logits, n_best=max(N_BEST, top_k), max_answer_length=max_answer_length):
        best = [
            {"answer": span.text, "score": span.probability, "start": max(span.start, 0), "end": max(span.end, 0)}
            for span in spans[:top_k]
        ]
        found.append(best[0] if top_k == 1 else best)
    return found


def _spans(
    data: TextData, logits: np.ndarray, *, n_best: int = N_BEST, max_answer_length: int = MAX_ANSWER_LENGTH
) -> list[list[Span]]:
    """Give the best spans of every question over the pieces of its context, best first."""
    pieces: list[list[list[Span]]] = [[] for _ in range(data.texts)]
    limits = {"n_best": n_best, "max_answer_length": max_answer_length}
    for number, (start, end) in enumerate(logits.reshape(len(data), 2, -1)):
        source, count = data.source[number], int(data.input_ids.lengths[number])
        offsets = np.stack([data.places[number], data.ends[number]], axis=1)
        none = float(start[0] + end[0]) if NO_ANSWER in data.classes else None
        context = data.questions[source].context
        pieces[source].append(best_spans(start[:count], end[:count], offsets, context, null_score=none, **limits))
    # A context of invisible letters alone has no token, and no answer.
    found = [merge_spans(parts, n_best) or [Span("", 0.0, -1, -1, 1.0)] for parts in pieces]
    lead = data.null_score_diff_threshold
    return [sorted(spans, key=lambda span: (lead if span.start < 0 else 0.0) - span.score) for spans in found]


def _classes(config: Any) -> tuple[str, ...] | None:
    """Tell whether a model knows questions without an answer; those of others do not say."""
    if not hasattr(config, "unanswerable"):
        return None
    return (NO_ANSWER,) if config.unanswerable else ()


QUESTION_ANSWERING = Task(
    name="question-answering",
    auto_class=AutoModelForQuestionAnswering,
    read=read,
    link="softmax",
    rows=rows,
    hard_loss=hard_loss,
    targets=targets,
    metrics=metrics,
    measures=lambda data: ("exact_match", "f1"),
    pipeline_tag="question-answering",
    uses="Finds the span of a text that answers a question; it makes no sentences of its own.",
    strided=True,
    config=lambda classes: {"unanswerable": NO_ANSWER in classes, "null_score_diff_threshold": 0.0},
    classes=_classes,
    settle=settle,
    settled=("null_score_diff_threshold",),
    read_questions=_read_unanswered,
    ask=ask,
    answer=answer,
    options={"top_k": 1, "max_answer_length": MAX_ANSWER_LENGTH, "null_score_diff_threshold": None},
)
