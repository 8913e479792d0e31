"""A journal beside an output: what a run is, and how far it has come, so that another can continue it."""

import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from pmhc_distil.errors import InputError

try:
    import fcntl
except ImportError:  # Windows, where no second run is kept out
    fcntl = None  # type: ignore[assignment]


@dataclass(frozen=True)
class Tally:
    """How far a run has come.

    Attributes
    ----------
    rows : int
        Rows of the input that are done.
    count : int
        Predictions that were made of them, with those that were left out.
    unscored : int
        Predictions without a score.
    kept : int
        Predictions that were not left out.
    """

    rows: int = 0
    count: int = 0
    unscored: int = 0
    kept: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        """Count both."""
        ours, theirs = asdict(self), asdict(other)
        return Tally(**{name: number + theirs[name] for name, number in ours.items()})


@dataclass(frozen=True)
class Step:
    """What stood in a partial output when a part was complete.

    Attributes
    ----------
    tally : Tally
    size : int
        Bytes.
    sha256 : str
        Of these bytes.
    header : int
        Bytes before the first row.
    types : dict of str to str
        Columns and their types.
    """

    tally: Tally
    size: int
    sha256: str
    header: int
    types: dict[str, str]


class Journal:
    """The journal of one output, of which no second run can be had at the same time.

    Parameters
    ----------
    path : Path
    output : str
        What it is a journal of, for messages.

    Raises
    ------
    InputError
        If another run has it open.
    OSError
        If it cannot be opened.
    """

    def __init__(self, path: Path, output: str) -> None:
        self.path = path
        self._file = path.open("a+b")
        try:
            _lock(self._file.fileno())
        except BlockingIOError as error:
            self._file.close()
            hint = "wait until it ends, or write to another file"
            raise InputError("another run is writing this file", source=output, hint=hint) from error

    def __enter__(self) -> "Journal":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of it."""
        self._file.close()

    def read(self) -> tuple[dict[str, Any], list[Step]]:
        """Give the facts of the run that wrote it, and its steps; empty as far as it is damaged or cut short."""
        self._file.seek(0)
        facts: dict[str, Any] = {}
        steps: list[Step] = []
        with contextlib.suppress(ValueError, KeyError, TypeError):
            for line in self._file:
                if not line.endswith(b"\n"):
                    break
                entry = json.loads(line)
                if not facts:
                    facts = dict(entry["facts"])
                else:
                    steps.append(Step(**{**entry, "tally": Tally(**entry["tally"])}))
        return facts, steps

    def start(self, facts: Mapping[str, Any], steps: list[Step]) -> None:
        """Write it anew."""
        self._file.seek(0)
        self._file.truncate()
        self._append({"facts": facts})
        for step in steps:
            self.add(step)

    def add(self, step: Step) -> None:
        """Write down a step, once what it stands for is on the disk."""
        self._append(asdict(step))

    def _append(self, entry: Mapping[str, Any]) -> None:
        self._file.write(json.dumps(entry).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())


def _lock(number: int) -> None:
    """Lock an open file, or raise BlockingIOError; where the file system knows no locks, go on without."""
    if fcntl is not None:
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise
        except OSError:
            return
