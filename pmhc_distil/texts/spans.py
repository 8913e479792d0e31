"""Answers as spans of a context, from the logits of their first and last tokens."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Span:
    """A candidate answer.

    Attributes
    ----------
    text : str
        What stands there, ``""`` for "no answer".
    score : float
        Sum of the logits of the first and the last token.
    start, end : int
        First character in the context and the one after the last; -1 for "no answer".
    probability : float
        Softmax of the score over the candidates that it is listed with.
    """

    text: str
    score: float
    start: int
    end: int
    probability: float


def best_spans(
    start_logits: ArrayLike,
    end_logits: ArrayLike,
    offsets: NDArray[np.integer],
    context: str,
    *,
    n_best: int = 20,
    max_answer_length: int = 30,
    null_score: float | None = None,
) -> list[Span]:
    """List the best answers of one feature.

    Every pair of tokens is looked at, not only those of the best starts and ends.

    Parameters
    ----------
    start_logits, end_logits : array_like, shape (tokens,)
        Logits of the first and of the last token of the answer.
    offsets : ndarray of int, shape (tokens, 2)
        First character of each token in `context` and the one after its last; (-1, -1) for a token outside.
    context : str
        The whole context.
    n_best : int
        Spans to list.
    max_answer_length : int
        Tokens of an answer at most.
    null_score : float, optional
        Score of "no answer", which is then listed as well, whatever its place.

    Returns
    -------
    list of Span
        Best first; of equal scores the one that starts, then the one that ends, first.  Empty if no token is in the
        context and there is no `null_score`.
    """
    inside = np.flatnonzero(offsets[:, 0] >= 0)
    start, end = (np.asarray(logits, dtype=np.float64)[inside] for logits in (start_logits, end_logits))
    first, last = np.triu_indices(len(inside))
    short = last - first < max_answer_length
    first, last = first[short], last[short]
    scores = start[first] + end[last]
    if len(scores) > n_best:  # leave the many out before the few are sorted; ties at the border stay
        kept = np.flatnonzero(scores >= np.partition(scores, -n_best)[-n_best])
        first, last, scores = first[kept], last[kept], scores[kept]
    spans = []
    for i in np.argsort(-scores, kind="stable")[:n_best].tolist():
        begin, stop = int(offsets[inside[first[i]], 0]), int(offsets[inside[last[i]], 1])
        spans.append(Span(context[begin:stop], float(scores[i]), begin, stop, 0.0))
    if null_score is not None:
        spans.append(Span("", float(null_score), -1, -1, 0.0))
    return _with_probabilities(spans)


def merge_spans(features: Iterable[Sequence[Span]], n_best: int = 20) -> list[Span]:
    """Join the answers of the overlapping features that one long context was cut into.

    Parameters
    ----------
    features : iterable of sequence of Span
        What :func:`best_spans` listed for each.
    n_best : int
        Spans to list.

    Returns
    -------
    list of Span
        Best first.  A span that several features list has its best score; "no answer", listed whatever its place, has
        its worst, for a feature that does not hold the answer always finds none.
    """
    best: dict[tuple[int, int], Span] = {}
    nulls = []
    for span in (span for spans in features for span in spans):
        place = (span.start, span.end)
        if span.start < 0:
            nulls.append(span)
        elif place not in best or span.score > best[place].score:
            best[place] = span
    spans = sorted(best.values(), key=_order)[:n_best]
    return _with_probabilities(spans + sorted(nulls, key=lambda span: span.score)[:1])


def _order(span: Span) -> tuple[float, int, int]:
    return -span.score, span.start, span.end


def _with_probabilities(spans: list[Span]) -> list[Span]:
    if not spans:
        return []
    scores = np.array([span.score for span in spans])
    weights = np.exp(scores - scores.max())
    shares = (weights / weights.sum()).tolist()
    return sorted((replace(span, probability=p) for span, p in zip(spans, shares, strict=True)), key=_order)
