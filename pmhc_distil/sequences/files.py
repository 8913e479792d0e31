"""Paths to write to, looked at before any work is done for them, and files that are written whole or not at all."""

import contextlib
import errno
import os
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator
from hashlib import file_digest
from pathlib import Path

from pmhc_distil.errors import InputError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Errors of the operating system where there is no room to write."""


def check_destination(path: str | Path) -> Path:
    """Refuse a path that cannot be written, before any work is done for it.

    Parameters
    ----------
    path : str or Path
        The file to be written.  It need not exist.

    Returns
    -------
    Path
        The file that will be written, links followed; what is no file, such as a device or a pipe, as it is named.

    Raises
    ------
    InputError
        If the folder does not exist or is not writable, or if `path` is a folder or a file that is write-protected.
    """
    shown = str(path)
    try:
        if Path(path).exists() and not Path(path).is_dir() and not Path(path).is_file():
            # What is open, such as /dev/stdout, may be a link to no path at all.
            if not os.access(path, os.W_OK):
                raise InputError("cannot write: no permission", source=shown)
            return Path(path)
        target = Path(path).resolve()
        if target.is_dir():
            raise InputError("is a folder, not a file", source=shown)
        if not target.parent.is_dir():
            raise InputError("cannot write: its folder does not exist", source=shown, hint=f"create {target.parent}")
        if target.exists() and not os.access(target, os.W_OK):
            raise InputError("cannot write: the file is write-protected", source=shown)
        if not os.access(target.parent, os.W_OK | os.X_OK):
            raise InputError("cannot write: no permission in its folder", source=shown)
    except (OSError, ValueError, RuntimeError) as error:  # a name too long, with a NUL, a loop of links
        raise InputError(f"cannot write: {why(error)}", source=shown) from error
    return target


def check_not_input(destination: str | Path, *sources: str | Path | None) -> None:
    """Refuse to write over a file, or into a folder, that is read.

    Parameters
    ----------
    destination : str or Path
        The file or folder to be written.
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
            if (target.is_file() or target.is_dir()) and target.samefile(source):
                raise InputError("would be written over what is read", source=str(destination), hint="name another")


def check_outputs(outputs: Iterable[str | Path | None], *sources: str | Path | None) -> None:
    """Refuse to write two outputs to one file, or one over a file that is read.

    Parameters
    ----------
    outputs : iterable of str, Path or None
        The files to be written; None where one is not asked for.
    *sources : str, Path or None
        As for :func:`check_not_input`.

    Raises
    ------
    InputError
        If an output is one of the others, or of the sources, by whatever path or link.
    """
    seen: set[Path] = set()
    for path in (path for path in outputs if path is not None):
        check_not_input(path, *sources)
        target = Path(path).resolve()
        if target in seen:
            raise InputError("named for two outputs", source=str(path), hint="name another")
        seen.add(target)


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
        raise InputError(f"cannot write: {why(error)}", source=str(path)) from error


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
        raise InputError(f"cannot create the folder: {why(error)}", source=str(path)) from error
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
        As :func:`check_destination`; or if there is no space left.
    """
    target = check_destination(path)
    if target.exists() and not target.is_file():
        yield target
        return
    temporary = target.with_name(f".{secrets.token_hex(4)}.{target.name}")
    try:
        temporary.touch(exist_ok=False)
    except OSError as error:
        raise InputError(f"cannot write: {why(error)}", source=str(path)) from error
    try:
        yield temporary
        if target.exists():
            shutil.copymode(target, temporary)  # what was closed to others stays so
        temporary.replace(target)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno in FULL:
            raise InputError(f"cannot write: {os.strerror(error.errno).lower()}", source=str(path)) from error
        raise


def check_space(path: str | Path, size: int) -> None:
    """Refuse to begin a file of a known size where there is no room for it.

    Parameters
    ----------
    path : str or Path
        The file to be written, in a folder that exists.
    size : int
        Bytes.

    Raises
    ------
    InputError
        If fewer are free.
    """
    free = shutil.disk_usage(Path(path).resolve().parent).free
    if free < size:
        reason = f"cannot write: no space left, {size / 1e6:,.1f} MB are needed and {free / 1e6:,.1f} MB are free"
        raise InputError(reason, source=str(path))


def is_packed(path: str | Path) -> bool:
    """Tell by its name whether what is written to a file is packed by gzip."""
    return Path(path).suffix.lower() == ".gz"


def write_text(path: str | Path, text: str) -> None:
    """Write a text whole or not at all, in UTF-8; of a name that is not UTF-8, what is none becomes U+FFFD.

    Raises
    ------
    InputError
        As :func:`check_destination`.
    """
    with atomic_path(path) as temporary:
        temporary.write_text(re.sub("[\ud800-\udfff]", "\ufffd", text), encoding="utf-8")


def file_sha256(path: str | Path) -> str:
    """Give the SHA-256 of a file, as it lies on the disk.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    try:
        with Path(path).open("rb") as file:
            return file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"cannot read: {why(error)}", source=str(path)) from error


def why(error: Exception) -> str:
    """Return the operating system's own words, without its error number and path."""
    text = getattr(error, "strerror", None) or str(error)
    return text[:1].lower() + text[1:]
