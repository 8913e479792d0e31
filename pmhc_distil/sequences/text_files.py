"""Text files, plain or gzip, and known to be text to their end before the first line is read.

Workbooks, Parquet and UTF-16 are such text once they are converted.  Nothing here knows peptides.  Every mistake of
a user's (no such file, not text, half a gzip) becomes an :class:`~pmhc_distil.errors.InputError` at the moment of
opening, never later in the middle of a parse.
"""

import codecs
import gzip
import hashlib
import io
import itertools
import re
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.converted import converted
from pmhc_distil.sequences.files import why

STDIN = "-"
"""The name of standard input wherever a path is expected."""

_GZIP_MAGIC = b"\x1f\x8b"
_PIECE = 1 << 20
_SEPARATOR = re.compile(r'"?sep=.?"?', re.IGNORECASE)
_SIGNATURES = (
    (b"PK\x03\x04", "a zip archive", "unpack it"),
    (b"BZh", "a bzip2 file", "unpack it, or pack it with gzip"),
    (b"\xfd7zXZ", "an xz file", "unpack it, or pack it with gzip"),
    (b"\x28\xb5\x2f\xfd", "a zstd file", "unpack it, or pack it with gzip"),
    (b"%PDF", "a PDF", "give text"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook", "save the sheet as CSV"),
)


def read_text(source: str | Path) -> str:
    r"""Read a whole text file.

    Parameters
    ----------
    source : str or Path
        A path, or ``"-"`` for standard input.  Plain or gzip, or an Excel workbook, Parquet or UTF-16, which
        :mod:`~pmhc_distil.sequences.converted` makes text of; told apart by content.

    Returns
    -------
    str
        The text, without a byte order mark, with ``\n`` as the only line end.

    Raises
    ------
    InputError
        If there is no such file, it cannot be read, the gzip is damaged, or it is neither text nor made to be.
    """
    with open_text(source) as stream:
        return stream.read()


def open_text(source: str | Path) -> io.TextIOWrapper:
    r"""Open a text file for reading, already checked to its end.

    It is read once to check it, so that no mistake in it surfaces while lines are being read, and then again as lines
    are asked for.  What cannot be read twice, as standard input, is held in memory.

    Parameters
    ----------
    source : str or Path
        As for :func:`read_text`.

    Returns
    -------
    TextIOWrapper
        A seekable stream of ``\n``-ended lines; its ``buffer`` has the unpacked bytes, seekable as well.

    Raises
    ------
    InputError
        As :func:`read_text`.
    """
    shown = str(source)
    with _reading(shown):
        text = converted(open_unpacked(source), shown)
        _check_text(text, shown)
    text.seek(0)
    return io.TextIOWrapper(text, encoding="utf-8-sig")


def is_separator(line: str) -> bool:
    """Tell whether a line only tells a spreadsheet the delimiter of those below (``sep=;``)."""
    return _SEPARATOR.fullmatch(line.strip()) is not None


def text_digest(stream: io.TextIOWrapper) -> str:
    """Give the SHA-256 of the unpacked bytes behind a stream of :func:`open_text`, whose place is lost."""
    stream.seek(0)
    digest = hashlib.sha256()
    for piece in pieces(cast("BinaryIO", stream.buffer)):
        digest.update(piece)
    return digest.hexdigest()


def open_unpacked(source: str | Path) -> BinaryIO:
    """Open a file as bytes, unpacked and seekable; `source` and errors as for :func:`read_text`, but not checked."""
    shown = str(source)
    if not shown:
        raise InputError("the name of a file to read is empty", hint="a variable of a script may be unset")
    try:
        if shown == STDIN:
            if sys.stdin is None:
                raise InputError("standard input is closed", source=shown)
            stream = getattr(sys.stdin, "buffer", None)
            file: BinaryIO = io.BytesIO(stream.read() if stream is not None else sys.stdin.read().encode())
        else:
            file = Path(source).open("rb")  # noqa: SIM115 (handed on)
            if not file.seekable():
                with file:
                    file = io.BytesIO(file.read())
        packed = file.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
        file.seek(0)
    except FileNotFoundError as error:
        raise InputError("no such file", source=shown) from error
    except IsADirectoryError as error:
        raise InputError("is a folder, not a file", source=shown) from error
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read: {why(error)}", source=shown) from error
    return cast("BinaryIO", gzip.GzipFile(fileobj=file)) if packed else file


def pieces(file: BinaryIO) -> Iterator[bytes]:
    """Give the rest of a file, a bounded number of bytes at a time."""
    return iter(partial(file.read, _PIECE), b"")


@contextmanager
def _reading(shown: str) -> Iterator[None]:
    """Tell of a file that cannot be read to its end."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        cut = isinstance(error, EOFError)
        reason = "the gzip file is cut short" if cut else "the gzip file is damaged"
        raise InputError(reason, source=shown, hint="copy or download it again") from error
    except OSError as error:
        raise InputError(f"cannot read: {why(error)}", source=shown) from error


def _check_text(file: BinaryIO, shown: str) -> None:
    """Read to the end, and refuse what is not UTF-8 text."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    newlines = io.IncrementalNewlineDecoder(None, translate=True)
    lines = 1

    def count(text: str) -> int:
        return str(newlines.decode(text)).count("\n")

    try:
        head = file.read(max(_PIECE, 8))
        for signature, kind, hint in _SIGNATURES:
            if head.startswith(signature):
                raise InputError(f"is {kind}, not UTF-8 text", source=shown, hint=hint)
        for piece in itertools.chain([head], pieces(file), [b""]):
            text = decoder.decode(piece, final=not piece)
            nul = text.find("\0")
            if nul >= 0:
                row = lines + count(text[:nul])
                raise InputError("holds a NUL byte, so it is not text", source=shown, row=row)
            lines += count(text)
    except UnicodeDecodeError as error:
        row = lines + count(error.object[: error.start].decode())
        byte = f"byte 0x{error.object[error.start]:02x}"
        raise InputError(f"{byte} is not UTF-8 text", source=shown, row=row, hint="save it as UTF-8") from error
