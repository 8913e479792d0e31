"""Whole texts, their sentences, and pairs of sentences that do or do not follow each other."""

import itertools
import re
from collections.abc import Sequence
from html import unescape
from pathlib import Path
from typing import TextIO

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.proteins import parse_proteins
from pmhc_distil.sequences.text_files import open_text
from pmhc_distil.texts.records import first_line, is_table, json_array, parse_records, suffixes_of
from pmhc_distil.texts.tables import PAIR_NAMES, TEXT_NAMES, text_column, text_frame

IS_NEXT, NOT_NEXT = "IS_NEXT", "NOT_NEXT"
"""Labels of next-sentence prediction: the second sentence follows the first, or is one of another text."""

_LINE_BREAK = re.compile(r"<br\s*/?>|</?p>|\n\s*\n", re.IGNORECASE)
_TAG = re.compile(r"</?[a-z]+(?:\s[^<>]*)?/?>", re.IGNORECASE)
_CLOSING, _OPENING = "[\"'\u201d\u2019)\\]]*", "[\"'\u201c\u2018(\\[]*"
_END = re.compile(rf"[.!?\u2026]+{_CLOSING}(?=\s+{_OPENING}[A-Z0-9]|$)")
_ABBREVIATION = re.compile(
    r"(?:\b(?:mr|mrs|ms|dr|prof|st|sr|jr|rev|gen|sen|rep|col|capt|lt|sgt|vs|etc|fig|figs|eq|ref|refs|vol|pp|ca|cf|al"
    r"|approx|dept|inc|ltd|co|corp|jan|feb|mar|apr|jun|jul|aug|sep|sept|oct|nov|dec)|\b(?:[a-z]\.)+[a-z]|(?<!['\u2019])\b(?-i:[A-Z]))\.$",
    re.IGNORECASE,
)
_ARRAY = re.compile(r"""\[\s*(?:[{"]|$)""")
"""How a JSON array begins."""
_NUMBER = re.compile(r"\b[Nn]o\.$")
_ROUNDS = 50


def read_texts(path: Path) -> list[str]:
    """Read texts without labels.

    Parameters
    ----------
    path : Path
        Plain or gzip.  A file called ``.csv`` or ``.tsv`` is a table, one that starts with ``{`` JSON lines, both with
        a column of texts (:data:`~pmhc_distil.texts.tables.TEXT_NAMES`); one that starts with ``>`` is FASTA; any
        other, and any called ``.txt``, has a text in every line that is not blank.

    Returns
    -------
    list of str
        In the order of the file; of FASTA the sequences.

    Raises
    ------
    InputError
        If the file cannot be read, is a JSON array, holds no text, a table has no column of texts or several, or a
        text is empty.
    """
    return read_numbered_texts(path)[0]


def read_numbered_texts(path: Path) -> tuple[list[str], list[int]]:
    """Read texts as :func:`read_texts` does, and the 1-based line (of FASTA: record) of each."""
    with open_text(path) as stream:
        return parse_texts(stream, str(path))


def parse_texts(stream: TextIO, source: str) -> tuple[list[str], list[int]]:
    """Take apart a file that is open for reading; see :func:`read_numbered_texts`."""
    suffixes = suffixes_of(source)
    skipped, head = first_line(stream)
    if ".txt" not in suffixes and (head.startswith("{") or suffixes & {".csv", ".tsv"}):
        records = parse_records(stream, source)
        found, rows = records.texts(text_column(records)), records.rows.tolist()
    elif ".txt" not in suffixes and head.startswith(">"):
        stream.seek(0)
        found = [sequence for _, sequence in parse_proteins(stream, source)]
        if "" in found:
            raise InputError("the record has no sequence", source, found.index("") + 1)
        rows = list(range(1, len(found) + 1))
    else:
        if ".txt" not in suffixes and _ARRAY.match(head):
            raise json_array(source, skipped + 1)
        stream.seek(0)
        lines = [(line.strip(), row) for row, line in enumerate(stream, 1) if line.strip()]
        found, rows = [text for text, _ in lines], [row for _, row in lines]
    if not found:
        raise InputError("no text found", source)
    return found, rows


def read_texts_or_pairs(path: Path) -> tuple[list[dict[str, str]], list[int]]:
    """Read texts, or pairs of texts, to ask about.

    Parameters
    ----------
    path : Path
        A path, or ``"-"`` for standard input: a table or JSON lines as
        :func:`~pmhc_distil.texts.tables.read_labelled` reads, whose labels are not read, or what :func:`read_texts`
        reads.

    Returns
    -------
    texts : list of dict
        ``text``, and of a table ``text_pair`` (``""`` where there is none), in the order of the file.
    rows : list of int
        1-based line (of FASTA: record) of each.

    Raises
    ------
    InputError
        As the two functions do.
    """
    source = str(path)
    with open_text(path) as stream:
        _, head = first_line(stream)
        if not is_table(head, source, {*TEXT_NAMES, *itertools.chain.from_iterable(PAIR_NAMES)}):
            texts, rows = parse_texts(stream, source)
            return [{"text": text} for text in texts], rows
        frame = text_frame(parse_records(stream, source))
    pairs = zip(frame["text"], frame["text_pair"], strict=True)
    return [{"text": text, "text_pair": pair} for text, pair in pairs], frame["row"].tolist()


def sentences(text: str) -> list[str]:
    """Split a text into sentences by rules for English.

    A sentence ends at ``.``, ``!``, ``?`` or ``…`` before a capital or a digit, but not after a usual abbreviation or
    an initial, and at an HTML line break or an empty line.  HTML tags are left out, blanks become one.

    Parameters
    ----------
    text : str
        Perhaps with HTML.

    Returns
    -------
    list of str
        Sentences with at least one letter or digit.
    """
    found = []
    for part in _LINE_BREAK.split(text):
        plain = " ".join(unescape(_TAG.sub(" ", part)).split())
        start = 0
        for match in _END.finditer(plain):
            before, after = plain[start : match.end()], plain[match.end() :].lstrip()
            if after and (_ABBREVIATION.search(before) or (after[0].isdigit() and _NUMBER.search(before))):
                continue
            found.append(before.strip())
            start = match.end()
        found.append(plain[start:].strip())
    return [sentence for sentence in found if any(letter.isalnum() for letter in sentence)]


def sentence_pairs(texts: Sequence[str], seed: int) -> pd.DataFrame:
    """Make pairs of sentences for next-sentence prediction, half of which follow each other.

    Each two neighbouring sentences give a pair, and their first sentence gives another one with a sentence of another
    text.  The second sentences of the random pairs are those of the true ones in another order, so that neither
    sentence tells the label by itself.  A text of one sentence takes the place of a sentence in a random pair.

    Parameters
    ----------
    texts : sequence of str
        See :func:`sentences`.
    seed : int
        The same seed gives the same pairs.

    Returns
    -------
    DataFrame
        In random order: ``text``, ``text_pair`` and ``label`` (:data:`IS_NEXT` or :data:`NOT_NEXT`), all str.

    Raises
    ------
    InputError
        If there are no two texts with sentences, or more than two texts of a single sentence for every true pair.
    """
    documents = [found for found in map(sentences, texts) if found]
    firsts = [(d, sentence) for d, found in enumerate(documents) for sentence in found[:-1]]
    seconds = [(d, sentence) for d, found in enumerate(documents) for sentence in found[1:]]
    single = [(d, found[0]) for d, found in enumerate(documents) if len(found) == 1]
    hint = "give texts of several sentences"
    if len(documents) < 2:
        raise InputError("at least two texts are needed to pair sentences of different texts", "texts", hint=hint)
    if len(single) > 2 * len(firsts):
        reason = f"{len(single)} texts have a single sentence, for only {len(firsts)} pairs of neighbours"
        raise InputError(reason, "texts", hint=hint)
    generator = np.random.default_rng(seed)
    # The singles go where a sentence was, at places that the random order chooses.
    single = [single[i] for i in generator.permutation(len(single))]
    first, second = list(firsts), list(seconds)
    for own, taken in ((second, single[: len(firsts)]), (first, single[len(firsts) :])):
        for place, one in zip(generator.permutation(len(own)), taken, strict=False):
            own[place] = one
    order = _elsewhere(first, second, generator)
    true = [(a, b, IS_NEXT) for (_, a), (_, b) in zip(firsts, seconds, strict=True)]
    pairs = true + [(a, second[i][1], NOT_NEXT) for (_, a), i in zip(first, order, strict=True)]
    rows = [pairs[i] for i in generator.permutation(len(pairs))]
    return pd.DataFrame(rows, columns=["text", "text_pair", "label"], dtype="str")


def _elsewhere(
    first: list[tuple[int, str]], second: list[tuple[int, str]], generator: np.random.Generator
) -> NDArray[np.intp]:
    """Order the second sentences so that none meets a first one of its own text."""
    homes, others = (np.array([d for d, _ in side]) for side in (first, second))
    order = generator.permutation(len(second))
    for _ in range(_ROUNDS):
        bad = np.flatnonzero(homes == others[order])
        if not len(bad):
            break
        # Deal them out anew together with as many others.
        mixed = np.union1d(bad, generator.choice(len(order), min(len(bad) + 1, len(order)), replace=False))
        order[mixed] = order[generator.permutation(mixed)]
    for place in np.flatnonzero(homes == others[order]):  # a text that has most of all sentences
        order[place] = generator.choice(np.flatnonzero(others != homes[place]))
    return order
