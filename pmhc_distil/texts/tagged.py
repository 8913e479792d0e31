"""Sentences or proteins with a tag for every word or residue, and how well predicted tags agree with the true ones."""

import itertools
import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.column_names import plain_name, recognised
from pmhc_distil.sequences.delimited import fields_of
from pmhc_distil.sequences.text_files import open_text
from pmhc_distil.texts.documents import parse_texts
from pmhc_distil.texts.records import Records, first_line, is_table, parse_records, suffixes_of

WORDS_NAMES = ("tokens", "words", "seq", "sequence", "sentence", "text")
"""Headers of a column of words or residues, in lower case without separators."""

TAGS_NAMES = ("tags", "nertags", "label", "labels", "postags")
"""Headers of a column of tags, in lower case without separators."""

_CONLL = {".conll", ".bio", ".iob", ".iob2"}
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
        As many.
    row : int
        1-based line on which the sentence starts.
    """

    words: tuple[str, ...]
    tags: tuple[str, ...]
    row: int


def read_tagged(path: Path) -> list[TaggedSentence]:
    """Read sentences with a tag per word.

    JSON lines have lists under :data:`WORDS_NAMES` and :data:`TAGS_NAMES`.  A table (CSV, TSV) has such a column each:
    words and tags with blanks between them or, if no text of the file has a blank, a letter per residue and per tag.
    Any other text is CoNLL: a word a line, its tag in the last of the columns (tabs or blanks), an empty line after
    every sentence; lines that start with ``-DOCSTART-`` are skipped.

    Parameters
    ----------
    path : Path
        Plain or gzip.

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
    _check_kind(path)
    with open_text(path) as stream:
        _, head = first_line(stream)
        if head.startswith("{") or _is_table(head, Path(path)):
            found = _from_records(parse_records(stream, str(path)))
        else:
            found = _from_lines(stream, str(path))
    if not found:
        raise InputError("no sentence found", source=str(path))
    return found


def read_untagged(path: Path, tags: Collection[str]) -> tuple[list[str | list[str]], list[int]]:
    """Read texts or sentences that are to be tagged.

    Parameters
    ----------
    path : Path
        A path, or ``"-"`` for standard input: a file as for :func:`read_tagged`, whose tags are not read; a FASTA; a
        table or JSON lines without tags; or lines of text.  A file is CoNLL if its name says so (``.conll``,
        ``.bio``, ``.iob``, ``.iob2``; then it may have words alone, one a line), if most of its lines end
        in a known tag, or if a line starts with ``-DOCSTART-``.
    tags : collection of str
        That are known.

    Returns
    -------
    texts : list of str or list of str
        Texts, and lists of words where the file has words; in the order of the file.
    rows : list of int
        1-based line (of FASTA: record) of each.

    Raises
    ------
    InputError
        As for :func:`read_tagged`, but for tags.
    """
    source = str(path)
    _check_kind(path)
    with open_text(path) as stream:
        _, head = first_line(stream)
        table = _is_table(head, Path(path))
        named = bool(_CONLL & suffixes_of(path))
        if named or (not table and _ends_in_tags(stream, tags)):
            sentences = _from_lines(stream, source, labelled=False)
            return [list(sentence.words) for sentence in sentences], [sentence.row for sentence in sentences]
        if table or is_table(head, source, WORDS_NAMES):
            records = parse_records(stream, source)
            return _untagged(records), records.rows.tolist()
        texts, rows = parse_texts(stream, source)
        return [*texts], rows


def _check_kind(path: Path) -> None:
    if ".conllu" in suffixes_of(path):
        hint = "write a word a line and its tag in the last column, an empty line after every sentence"
        raise InputError("CoNLL-U, which has other columns, is not read", source=str(path), hint=hint)


def _is_table(head: str, path: Path) -> bool:
    if ".csv" in suffixes_of(path):
        return True
    for delimiter in "\t,;":
        header = {plain_name(field) for field in fields_of(head, delimiter)}
        if header & set(WORDS_NAMES) and header & set(TAGS_NAMES):
            return True
    return False


def _untagged(records: Records) -> list[str | list[str]]:
    """Give the words where there are lists, or tags beside a text with blanks; else texts, which no one has split."""
    words = records.need("words", *WORDS_NAMES)
    spaced = bool(recognised(records.columns, TAGS_NAMES)) and _is_spaced(records, words)
    found: list[str | list[str]] = []
    for place, (row, cell) in enumerate(zip(records.rows.tolist(), records.columns[words], strict=True)):
        split = spaced or not isinstance(cell, str)
        one = list(_pieces(records, words, place, spaced)) if split else cell
        if not one or (isinstance(one, str) and not one.strip()):
            raise InputError("no words", records.source, row, words)
        found.append(one)
    if not found:
        raise InputError("no sentence found", source=records.source)
    return found


def _ends_in_tags(stream: TextIO, tags: Collection[str]) -> bool:
    """Tell whether most lines have several columns, the last of which is a tag."""
    stream.seek(0)
    lines = tagged = 0
    for line in stream:
        if line.startswith(_DOCUMENT):
            return True
        if line.strip():
            fields = _fields(line)
            lines += 1
            tagged += len(fields) > 1 and fields[-1] in tags
    return 2 * tagged > lines


def _is_spaced(records: Records, words: str) -> bool:
    return any(isinstance(cell, str) and " " in cell.strip() for cell in records.columns[words])


def _from_records(records: Records) -> list[TaggedSentence]:
    words = records.need("words", *WORDS_NAMES)
    tags = records.need("tags", *TAGS_NAMES)
    spaced = _is_spaced(records, words)
    found = []
    for place, row in enumerate(records.rows.tolist()):
        pieces = _pieces(records, words, place, spaced)
        if not pieces:
            raise InputError("no words", records.source, row, words)
        own = _pieces(records, tags, place, spaced)
        if len(own) != len(pieces):
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


def _fields(line: str) -> list[str]:
    if "\t" in line:
        return [field.strip() for field in line.split("\t")]
    return _BLANKS.split(line.strip(" \t\n"))


def _from_lines(stream: TextIO, source: str, *, labelled: bool = True) -> list[TaggedSentence]:
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
        fields = _fields(line)
        width = width or len(fields)
        if len(fields) != width:
            reason = f"the line has {len(fields)} column{'s' * (len(fields) != 1)}, the first line has {width}"
            raise InputError(reason, source, row, value=text, hint="a word first, its tag last")
        if labelled and width == 1:
            raise InputError("a word without a tag", source, row, value=text, hint="the last column holds the tag")
        if not fields[0] or not fields[-1]:
            raise InputError("a word or its tag is empty", source, row, value=text)
        if labelled and " " in fields[-1]:
            hint = f"a table has a header with {WORDS_NAMES[0]} and {TAGS_NAMES[0]}"
            raise InputError("a tag has a blank", source, row, value=fields[-1], hint=hint)
        if not words:
            start = row
        words.append(fields[0])
        tags.append(fields[-1])
    if words:
        found.append(TaggedSentence(tuple(words), tuple(tags), start))
    return found


def are_of_entities(tags: Iterable[str]) -> bool:
    """Tell whether tags are ``O`` or have a prefix such as ``B-``."""
    return all(tag == "O" or _PREFIXED.match(tag) for tag in tags)


def runs(tags: Sequence[str]) -> list[tuple[str, int, int]]:
    """Find the runs of one tag, for tags that are not of entities; ``O`` is none.

    Parameters
    ----------
    tags : sequence of str

    Returns
    -------
    list of (str, int, int)
        Tag, first word and the word after the last.
    """
    found, place = [], 0
    for tag, run in itertools.groupby(tags):
        first, place = place, place + sum(1 for _ in run)
        if tag != "O":
            found.append((tag, first, place))
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


def entity_scores(
    true: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]], known: Collection[str] | None = None
) -> dict[str, float]:
    """Compare predicted tags with the true ones.

    Parameters
    ----------
    true, predicted : sequence of sequence of str
        Tags of the same sentences.
    known : collection of str, optional
        All tags that there are, if others than those that occur here.

    Returns
    -------
    dict
        Where all known tags are ``O`` or have a prefix such as ``B-``: ``precision``, ``recall`` and ``f1`` over the
        entities of all sentences, an entity being right if label and both ends are (as conlleval and seqeval count; 0
        where there is none), and ``accuracy`` over words.  For other tags, such as those of secondary structure:
        ``accuracy`` and ``macro_f1``, the mean F1 of the tags that occur.

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
    if not are_of_entities(known or tags):
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
