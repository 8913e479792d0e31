"""Texts that nobody has labelled, for a student to learn its teacher's answers to them (Tang et al. 2019)."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from pmhc_distil.errors import InputError
from pmhc_distil.texts.corpus import passages
from pmhc_distil.texts.documents import read_texts_or_pairs

Pair = tuple[str, str]


def with_unlabelled(
    table: pd.DataFrame,
    files: Sequence[Path],
    generator: np.random.Generator,
    *,
    count: int | None = None,
    words: int | None = None,
) -> pd.DataFrame:
    """Add texts, or pairs of texts, that are not in a training table.

    Parameters
    ----------
    table : DataFrame
        As :func:`~pmhc_distil.texts.tables.read_labelled` gives it, its labels as text.
    files : sequence of Path
        What :func:`~pmhc_distil.texts.documents.read_texts_or_pairs` reads: pairs, if `table` has pairs.
    generator : Generator
    count : int, optional
        Texts that are drawn; by default all are taken, in their order.
    words : int, optional
        Cut texts between sentences into passages of at most so many words; a longer sentence stays whole.

    Returns
    -------
    DataFrame
        Columns ``text``, ``text_pair`` if `table` has pairs, and ``label``: the rows of `table`, then each new text
        once, with an empty label.

    Raises
    ------
    InputError
        If a file cannot be read, holds pairs where texts are needed or the reverse, there are fewer new texts than
        asked for, or none.
    """
    paired = bool((table["text_pair"] != "").any())
    if paired and words is not None:
        raise InputError("pairs of texts are not cut", source="words", value=words, hint="leave it out")
    there = set(zip(table["text"], table["text_pair"], strict=True))
    new = [pair for pair in dict.fromkeys(_read(files, words, paired=paired)) if pair not in there]
    if len(new) < (count or 1):
        reason = f"there are only {len(new):,} texts that are not in the table"
        raise InputError(reason, source=str(files[0]), value=count, hint="ask for less, or give more files")
    if count is not None:
        new = [new[number] for number in np.sort(generator.choice(len(new), count, replace=False))]
    added = pd.DataFrame(new, columns=["text", "text_pair"], dtype="str").assign(label="")
    columns = ["text", "text_pair", "label"] if paired else ["text", "label"]
    return pd.concat([table[columns], added[columns]], ignore_index=True)


def _read(files: Sequence[Path], words: int | None, *, paired: bool) -> list[Pair]:
    found: list[Pair] = []
    for path in files:
        texts, rows = read_texts_or_pairs(path)
        for text, row in zip(texts, rows, strict=True):
            one, other = text["text"], text.get("text_pair", "")
            if bool(other) != paired:
                kinds = "pairs of texts, this row a single one" if paired else "single texts, this row a pair"
                raise InputError(f"the table has {kinds}", str(path), row, value=one)
            found += [(one, other)] if words is None else [(part, "") for part in passages(one, words)]
    return found
