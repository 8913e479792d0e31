"""Sentences or proteins with a tag for every word or residue, and how well predicted tags agree with the true ones."""

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.column_names import plain_name
from pmhc_distil.sequences.text_files import open_text
from pmhc_distil.texts.records import Records, first_line, parse_records

WORDS_NAMES = ("tokens", "words", "seq", "sequence", "sentence", "text")
"""Headers of a column of words or residues, in lower case without separators."""

TAGS_NAMES = ("tags", "nertags", "label", "labels", "postags")
"""Headers of a column of tags, in lower case without separators."""

_DOCUMENT = "-DOCSTART-"
_BLANKS = re.compile(r"[ \t]+")  # no-break and thin spaces are words of real files
_PREFIXED = re.compile(r"[BIESLU]-.")


@dataclass(frozen=True)
class TaggedSentence:
    """Words and their tags.

    Attributes
    ----------
    words : tuple of str
        Words, or the residues of a protein, one letter each.
    tags : tuple of str
        As many; none where no tags were asked for.
    row : int
        1-based line on which the sentence starts.
    """

    words: tuple[str, ...]
    tags: tuple[str, ...]
    row: int


def read_tagged(path: Path, *, labelled: bool = True) -> list[TaggedSentence]:
    """Read sentences with a tag per word.

    JSON lines have lists under :data:`WORDS_NAMES` and :data:`TAGS_NAMES`.  A table (CSV, TSV) has such a column each:
    words and tags with blanks between them or, if no text of the file has a blank, a letter per residue and per tag.
    Any other text is CoNLL: a word a line, its tag in the last of the columns (tabs or blanks), an empty line after
    every sentence; lines that start with ``-DOCSTART-`` are skipped.

    Parameters
    ----------
    path : Path
        Plain or gzip.
    labelled : bool
        Tags are needed; otherwise none are read.

    Returns
    -------
    list of TaggedSentence
        In the order of the file.

    Raises
    ------
    InputError
        If the file cannot be read or holds no sentence, a column is missing, or a sentence is empty or has more or
        fewer tags than words.
    """
    with open_text(path) as stream:
        _, head = first_line(stream)
        if head.startswith("{") or _is_table(head, Path(path), labelled):
            found = _from_records(parse_records(stream, str(path)), labelled)
        else:
            found = _from_lines(stream, str(path), labelled)
    if not found:
        raise InputError("no sentence found", source=str(path))
    return found


def _is_table(head: str, path: Path, labelled: bool) -> bool:
    suffixes = {suffix.lower() for suffix in path.suffixes}
    if ".csv" in suffixes:
        return True
    for delimiter in "\t,;":
        header = {plain_name(field) for field in next(csv.reader([head], delimiter=delimiter))}
        if header & set(WORDS_NAMES) and (header & set(TAGS_NAMES) or (".tsv" in suffixes and not labelled)):
            return True
    return False


def _from_records(records: Records, labelled: bool) -> list[TaggedSentence]:
    words = records.need("words", *WORDS_NAMES)
    tags = records.need("tags", *TAGS_NAMES) if labelled else None
    spaced = any(isinstance(cell, str) and " " in cell.strip() for cell in records.columns[words])
    found = []
    for place, row in enumerate(records.rows.tolist()):
        pieces = _pieces(records, words, place, spaced)
        if not pieces:
            raise InputError("no words", records.source, row, words)
        own = _pieces(records, tags, place, spaced) if tags else ()
        if tags and len(own) != len(pieces):
            reason = f"{len(pieces)} words but {len(own)} tags"
            raise InputError(reason, records.source, row, tags, hint="every word or residue needs one tag")
        found.append(TaggedSentence(pieces, own, row))
    return found


def _pieces(records: Records, column: str, place: int, spaced: bool) -> tuple[str, ...]:
    cell: Any = records.columns[column][place]
    if isinstance(cell, list):
        pieces = tuple("" if one is None else str(one).strip() for one in cell)
        if not all(pieces):
            raise InputError("an element of the list is empty", records.source, int(records.rows[place]), column)
        return pieces
    if not isinstance(cell, str):
        raise InputError("a list or a text is expected", records.source, int(records.rows[place]), column, cell)
    return tuple(cell.split() if spaced else cell.strip())


def _from_lines(stream: TextIO, source: str, labelled: bool) -> list[TaggedSentence]:
    found: list[TaggedSentence] = []
    words: list[str] = []
    tags: list[str] = []
    width = start = 0
    stream.seek(0)
    for row, line in enumerate(stream, 1):
        text = line.strip(" \t\n")
        if not text or text.startswith(_DOCUMENT):
            if words:
                found.append(TaggedSentence(tuple(words), tuple(tags), start))
            words, tags = [], []
            continue
        fields = [field.strip() for field in line.split("\t")] if "\t" in line else _BLANKS.split(text)
        width = width or len(fields)
        if len(fields) != width:
            reason = f"the line has {len(fields)} column{'s' * (len(fields) != 1)}, the first line has {width}"
            raise InputError(reason, source, row, value=text, hint="a word first, its tag last")
        if labelled and width == 1:
            raise InputError("a word without a tag", source, row, value=text, hint="the last column holds the tag")
        if not fields[0] or not fields[-1]:
            raise InputError("a word or its tag is empty", source, row, value=text)
        if not words:
            start = row
        words.append(fields[0])
        if labelled:
            tags.append(fields[-1])
    if words:
        found.append(TaggedSentence(tuple(words), tuple(tags), start))
    return found


def entities(tags: Sequence[str]) -> list[tuple[str, int, int]]:
    """Find the entities in the tags of a sentence, by the rules of conlleval.

    An entity starts at ``B-``, and at ``I-`` after ``O``, at the beginning or after another label.  The prefixes ``E-``
    and ``L-`` (last) and ``S-`` and ``U-`` (single) are understood as well.

    Parameters
    ----------
    tags : sequence of str
        ``O`` or a prefix and a label, such as ``B-PER``.

    Returns
    -------
    list of (str, int, int)
        Label, first word and the word after the last.
    """
    found: list[tuple[str, int, int]] = []
    goes_on = False
    for place, tag in enumerate(tags):
        prefix, dash, label = tag.partition("-")
        if not dash:
            goes_on = False
            continue
        if goes_on and prefix not in "BSU" and found[-1][0] == label:
            found[-1] = (label, found[-1][1], place + 1)
        else:
            found.append((label, place, place + 1))
        goes_on = prefix not in "ESLU"
    return found


def entity_scores(true: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> dict[str, float]:
    """Compare predicted tags with the true ones.

    Parameters
    ----------
    true, predicted : sequence of sequence of str
        Tags of the same sentences.

    Returns
    -------
    dict
        Where all tags are ``O`` or have a prefix such as ``B-``: ``precision``, ``recall`` and ``f1`` over the entities
        of all sentences, an entity being right if label and both ends are (as conlleval and seqeval count; 0 where
        there is none), and ``accuracy`` over words.  For other tags, such as those of secondary structure: ``accuracy``
        and ``macro_f1``, the mean F1 of the tags that occur.

    Raises
    ------
    ValueError
        If the number of sentences or of words differs, or there is no word.
    """
    pairs = [pair for one, other in zip(true, predicted, strict=True) for pair in zip(one, other, strict=True)]
    if not pairs:
        msg = "there are no tags to compare"
        raise ValueError(msg)
    accuracy = sum(one == other for one, other in pairs) / len(pairs)
    tags = {tag for pair in pairs for tag in pair}
    if not all(tag == "O" or _PREFIXED.match(tag) for tag in tags):
        right = Counter(one for one, other in pairs if one == other)
        occurs = Counter(tag for pair in pairs for tag in pair)
        return {"accuracy": accuracy, "macro_f1": sum(2 * right[tag] / occurs[tag] for tag in tags) / len(tags)}
    wanted, given = (
        {(sentence, *entity) for sentence, tags in enumerate(side) for entity in entities(tags)}
        for side in (true, predicted)
    )
    hits = len(wanted & given)
    return {
        "precision": hits / len(given) if given else 0.0,
        "recall": hits / len(wanted) if wanted else 0.0,
        "f1": 2 * hits / (len(wanted) + len(given)) if wanted or given else 0.0,
        "accuracy": accuracy,
    }
