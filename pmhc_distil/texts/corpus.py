"""A corpus for pretraining: passages of whole sentences from files of several kinds."""

import gzip
from collections.abc import Iterator, Sequence
from pathlib import Path

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.files import atomic_path, check_folder, create_folder
from pmhc_distil.sequences.split import in_validation
from pmhc_distil.texts.documents import read_texts, sentences
from pmhc_distil.texts.squad import is_squad, read_questions


def passages(text: str, words: int) -> Iterator[str]:
    """Cut a text between sentences into passages of at most so many words; a longer sentence stays whole."""
    part: list[str] = []
    count = 0
    for sentence in sentences(text):
        length = len(sentence.split())
        if part and count + length > words:
            yield " ".join(part)
            part, count = [], 0
        part.append(sentence)
        count += length
    if part:
        yield " ".join(part)


def write_corpus(
    files: Sequence[Path], folder: Path, *, words: int, validation_share: float, seed: int
) -> dict[str, list[str]]:
    """Write ``train.txt.gz`` and ``validation.txt.gz``, one passage a line.

    Parameters
    ----------
    files : sequence of Path
        Texts (:func:`~pmhc_distil.texts.documents.read_texts`), or SQuAD, of which the contexts are taken.
    folder : Path
    words : int
        Longest passage.
    validation_share : float
        Share of the texts (not of the passages) for validation; the text itself and the seed decide.

    Returns
    -------
    dict
        The passages of ``train`` and ``validation``.

    Raises
    ------
    InputError
        If a file cannot be read, either part would be empty, or the folder cannot be created.
    """
    check_folder(folder)
    parts: dict[str, list[str]] = {"train": [], "validation": []}
    for text in dict.fromkeys(text for path in files for text in _texts(path)):
        name = "validation" if in_validation(text, validation_share, seed) else "train"
        parts[name] += passages(text, words)
    for name, found in parts.items():
        if not found:
            raise InputError(f"no text falls to {name}", source=str(files[0]), hint="change the share or the seed")
    create_folder(folder)
    for name, found in parts.items():
        with atomic_path(folder / f"{name}.txt.gz") as temporary:
            temporary.write_bytes(gzip.compress("".join(f"{text}\n" for text in found).encode(), mtime=0))
    return parts


def _texts(path: Path) -> Sequence[str]:
    """Give the contexts of SQuAD, the texts of another file."""
    if is_squad(path):
        return [question.context for question in read_questions(path, labelled=False)]
    return read_texts(path)
