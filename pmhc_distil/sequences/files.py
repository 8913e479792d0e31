"""Files as bytes and text: written whole or not at all, read whatever their packing.

Nothing here knows peptides.  Every mistake of a user's (no such file, not text, half a gzip) becomes an
:class:`~pmhc_distil.errors.InputError` at the moment of opening, never later in the middle of a parse.
"""

import codecs
import contextlib
import gzip
import hashlib
import io
import itertools
import os
import secrets
import stat
import sys
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast

from pmhc_distil.errors import InputError

STDIN = "-"
"""The name of standard input wherever a path is expected."""

_GZIP_MAGIC = b"\x1f\x8b"
_PIECE = 1 << 20
_SIGNATURES = (
    (b"PK\x03\x04", "a zip archive or an Excel workbook", "unpack it, or save the sheet as CSV"),
    (b"BZh", "a bzip2 file", "unpack it, or pack it with gzip"),
    (b"\xfd7zXZ", "an xz file", "unpack it, or pack it with gzip"),
    (b"\x28\xb5\x2f\xfd", "a zstd file", "unpack it, or pack it with gzip"),
    (b"%PDF", "a PDF", "give text"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook", "save the sheet as CSV"),
    (b"\xff\xfe", "UTF-16 text", "save it as UTF-8"),
    (b"\xfe\xff", "UTF-16 text", "save it as UTF-8"),
)


def check_destination(path: str | Path) -> Path:
    """Refuse a path that cannot be written, before any work is done for it.

    Parameters
    ----------
    path : str or Path
        The file to be written.  It need not exist.

    Returns
    -------
    Path
        The file that will be written, links followed.

    Raises
    ------
    InputError
        If the folder does not exist or is not writable, or if `path` is a folder or a file that is write-protected.
    """
    shown = str(path)
    try:
        target = Path(path).resolve()
        if target.is_dir():
            raise InputError("is a folder, not a file", source=shown)
        if not target.parent.is_dir():
            raise InputError("cannot write: its folder does not exist", source=shown, hint=f"create {target.parent}")
        if target.exists():
            if not os.access(target, os.W_OK):
                raise InputError("cannot write: the file is write-protected", source=shown)
            if not stat.S_ISREG(target.stat().st_mode):
                return Path(path)
        if not os.access(target.parent, os.W_OK | os.X_OK):
            raise InputError("cannot write: no permission in its folder", source=shown)
    except (OSError, ValueError, RuntimeError) as error:  # a name too long, with a NUL, a loop of links
        raise InputError(f"cannot write: {_why(error)}", source=shown) from error
    return target


def check_not_input(destination: str | Path, *sources: str | Path | None) -> None:
    """Refuse to write over a file that is read.

    Parameters
    ----------
    destination : str or Path
        The file to be written.
    *sources : str, Path or None
        What is read; what is no file that exists, such as standard input, is passed over.

    Raises
    ------
    InputError
        If one of them is `destination`, by whatever path or link.
    """
    target = Path(destination)
    for source in (path for path in sources if path is not None):
        with contextlib.suppress(OSError, ValueError):  # one of them does not exist
            if target.is_file() and target.samefile(source):
                raise InputError("would be written over what is read", source=str(destination), hint="name another")


def check_folder(path: str | Path) -> None:
    """Refuse a folder that cannot be created, or written into, before any work is done for it.

    Parameters
    ----------
    path : str or Path
        The folder.  It need not exist.

    Raises
    ------
    InputError
        If a file is in its way, or there is no permission.
    """
    folder = Path(path)
    try:
        there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
        if not there.is_dir():
            raise InputError("is a file, not a folder", source=str(there))
        if not os.access(there, os.W_OK | os.X_OK):
            raise InputError("cannot write: no permission in this folder", source=str(there))
    except (OSError, ValueError) as error:
        raise InputError(f"cannot write: {_why(error)}", source=str(path)) from error


def create_folder(path: str | Path) -> Path:
    """Create a folder for output, and those it is in, unless it is there.

    Parameters
    ----------
    path : str or Path
        The folder.

    Returns
    -------
    Path
        The same.

    Raises
    ------
    InputError
        If there is a file of this name, or the folder cannot be created.
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise InputError("is a file, not a folder", source=str(path)) from error
    except (OSError, ValueError) as error:
        raise InputError(f"cannot create the folder: {_why(error)}", source=str(path)) from error
    return folder


@contextlib.contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Write a file whole or not at all.

    Parameters
    ----------
    path : str or Path
        The file to be written.  A device or a named pipe, which cannot be replaced, is handed out as it is.

    Yields
    ------
    Path
        An empty temporary file beside `path`, with the same suffixes.  It takes the name `path` when the block ends,
        and is deleted when the block fails or is interrupted; what was at `path` before stays until then.

    Raises
    ------
    InputError
        As :func:`check_destination`.
    """
    target = check_destination(path)
    if target.exists() and not target.is_file():
        yield target
        return
    temporary = target.with_name(f".{secrets.token_hex(4)}.{target.name}")
    try:
        temporary.touch(exist_ok=False)
    except OSError as error:
        raise InputError(f"cannot write: {_why(error)}", source=str(path)) from error
    try:
        yield temporary
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def read_text(source: str | Path) -> str:
    r"""Read a whole text file.

    Parameters
    ----------
    source : str or Path
        A path, or ``"-"`` for standard input.  Plain or gzip, told apart by content.

    Returns
    -------
    str
        The text, without a byte order mark, with ``\n`` as the only line end.

    Raises
    ------
    InputError
        If there is no such file, it cannot be read, the gzip is damaged, or it is not UTF-8 text.
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
    unpacked = open_unpacked(source)
    _check_text(unpacked, str(source))
    unpacked.seek(0)
    return io.TextIOWrapper(unpacked, encoding="utf-8-sig")


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
        raise InputError(f"cannot read: {_why(error)}", source=shown) from error
    return cast("BinaryIO", gzip.GzipFile(fileobj=file)) if packed else file


def pieces(file: BinaryIO) -> Iterator[bytes]:
    """Give the rest of a file, a bounded number of bytes at a time."""
    return iter(partial(file.read, _PIECE), b"")


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
                raise InputError(f"is {kind}, not text", source=shown, hint=hint)
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
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        cut = isinstance(error, EOFError)
        reason = "the gzip file is cut short" if cut else "the gzip file is damaged"
        raise InputError(reason, source=shown, hint="copy or download it again") from error
    except OSError as error:
        raise InputError(f"cannot read: {_why(error)}", source=shown) from error


def _why(error: Exception) -> str:
    """Return the operating system's own words, without its error number and path."""
    text = getattr(error, "strerror", None) or str(error)
    return text[:1].lower() + text[1:]
