"""Parts of one input for several runs: shard 3 of 8 reads the third eighth of the file, and little of the rest.

The limits of a shard depend on the bytes of the input and on the number of shards alone, so runs that know nothing of
each other read every row once.  A limit is the first start of a record at or after its share of the bytes.  It is found
by a jump, without reading what is before, save where the file is packed or a quoted field may hold a line end.
"""

import codecs
import csv
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

from pmhc_distil.errors import InputError

_PIECE = 1 << 20
_SHARD = re.compile(r"([1-9]\d{0,8})/([1-9]\d{0,8})")


@dataclass(frozen=True)
class Shard:
    """One of several parts of an input.

    Attributes
    ----------
    number : int
        From 1.
    of : int
        How many there are.
    """

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """Read ``3/8``.

        Raises
        ------
        InputError
            If it is not two numbers, the first from 1 to the second.
        """
        match = _SHARD.fullmatch(text.strip())
        if match is None or int(match[1]) > int(match[2]):
            hint = "for example 3/8, the third of eight; the first is 1/8"
            raise InputError("is no shard", source="--shard", value=text, hint=hint)
        return cls(int(match[1]), int(match[2]))

    def __str__(self) -> str:
        """As it is given."""
        return f"{self.number}/{self.of}"


Piece = tuple[io.TextIOWrapper, int]
"""Seekable text of a shard, and how many lines, or records of FASTA, of the input have been left out before it."""


def cut_lines(stream: io.TextIOWrapper, shard: Shard | None) -> Piece:
    """Give the part of a file in which every line is a record; all of it without a shard.

    Parameters
    ----------
    stream : TextIOWrapper
        As :func:`~pmhc_distil.sequences.text_files.open_text` gives it.
    shard : Shard, optional
    """
    if shard is None:
        return stream, 0
    file = cast("BinaryIO", stream.buffer)
    start, stop = _limits(file, shard, 0, lambda target: _next_line(file, target))
    return _text(stream, 0, start, stop), _count(file, b"\n", start)


def cut_fasta(stream: io.TextIOWrapper, shard: Shard | None) -> Piece:
    """Give the part of a FASTA file; parameters as for :func:`cut_lines`."""
    if shard is None:
        return stream, 0
    file = cast("BinaryIO", stream.buffer)

    def next_record(target: int) -> int:
        position = _next_line(file, target)
        while (line := file.readline()) and not line.startswith(b">"):
            position += len(line)
        return position

    start, stop = _limits(file, shard, 0, next_record)
    file.seek(0)
    first = file.read(4).removeprefix(codecs.BOM_UTF8).startswith(b">")  # if nothing stands above it
    return _text(stream, 0, start, stop), _count(file, b"\n>", start) + (first and start > 0)


def cut_table(stream: io.TextIOWrapper, shard: Shard | None, skipped: int, delimiter: str) -> Piece:
    """Give the header, and what is above it, with the part of a table; other parameters as for :func:`cut_lines`.

    Parameters
    ----------
    stream, shard
    skipped : int
        Lines before the header.
    delimiter : str
        One character.
    """
    if shard is None:
        return stream, 0
    file = cast("BinaryIO", stream.buffer)
    body = _after_header(file, skipped, delimiter)

    def next_row(target: int) -> int:
        position = _next_line(file, target)
        if _count(file, b'"', position, body):  # a line may end within a field
            position = next((end for end in _row_ends(file, body, delimiter) if end >= target), _size(file))
        return position

    start, stop = _limits(file, shard, body, next_row)
    return _text(stream, body, start, stop), _count(file, b"\n", start, body)


def _limits(file: BinaryIO, shard: Shard, first: int, next_record: Callable[[int], int]) -> tuple[int, int]:
    """Give the first byte of a shard and the one after its last; `first` is that of the first record."""
    size = _size(file)

    def limit(number: int) -> int:
        target = first + (size - first) * number // shard.of
        return target if target in (first, size) else next_record(target)

    return limit(shard.number - 1), limit(shard.number)


def _size(file: BinaryIO) -> int:
    return file.seek(0, io.SEEK_END)


def _next_line(file: BinaryIO, target: int) -> int:
    """Give the first start of a line at or after a place that is not the first, and go there."""
    file.seek(target - 1)
    file.readline()
    return file.tell()


def _count(file: BinaryIO, mark: bytes, stop: int, start: int = 0) -> int:
    """Count a mark of one or two bytes between two places."""
    file.seek(start)
    found, before, left = 0, b"", stop - start
    while left > 0 and (piece := file.read(min(_PIECE, left))):
        left -= len(piece)
        text = before + piece
        found += text.count(mark)
        before = text[len(text) - len(mark) + 1 :]
    return found


def _after_header(file: BinaryIO, skipped: int, delimiter: str) -> int:
    """Find the place after the header of a table."""
    file.seek(0)
    lines = _Lines(file)
    for _ in range(skipped):
        next(lines)
    next(csv.reader(lines, delimiter=delimiter, strict=True))
    return lines.place


def _row_ends(file: BinaryIO, start: int, delimiter: str) -> Iterator[int]:
    """Give the place after every row, up to one that is damaged: it belongs to the shard that starts before it."""
    file.seek(start)
    lines = _Lines(file)
    try:
        for _ in csv.reader(lines, delimiter=delimiter, strict=True):
            yield start + lines.place
    except csv.Error:
        return


class _Lines:
    """Lines of text, with how many bytes they had."""

    def __init__(self, file: BinaryIO) -> None:
        self._lines = iter(file)
        self._ended: list[str] = []
        self.place = 0

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        if not self._ended:  # a line of bytes may be several of text, which old Macs ended with a CR alone
            self._ended = io.StringIO(next(self._lines).decode(), newline="").readlines()[::-1]
        line = self._ended.pop()
        self.place += len(line.encode())
        return line


def _text(stream: io.TextIOWrapper, head: int, start: int, stop: int) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BufferedReader(_Spans(stream, [(0, head), (start, stop)]), _PIECE), encoding="utf-8-sig")


class _Spans(io.RawIOBase):
    """Some spans of a file as one that can be read again from its beginning."""

    def __init__(self, stream: io.TextIOWrapper, spans: list[tuple[int, int]]) -> None:
        self._stream = stream  # which would close its file when nobody knew it any more
        self._file = cast("BinaryIO", stream.buffer)
        self._spans = spans
        self._place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence != io.SEEK_SET:
            raise io.UnsupportedOperation("a shard is read from its beginning")
        self._place = offset
        return offset

    def readinto(self, buffer: Any) -> int:
        offset = self._place
        for start, stop in self._spans:
            if offset < stop - start:
                self._file.seek(start + offset)
                data = self._file.read(min(len(buffer), stop - start - offset))
                buffer[: len(data)] = data
                self._place += len(data)
                return len(data)
            offset -= stop - start
        return 0
