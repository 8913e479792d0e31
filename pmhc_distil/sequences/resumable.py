"""Predictions that are written part by part, of which every complete part stays when the run ends early.

The rows stand in a file beside the output, ``<output>.partial``, and a journal, ``<output>.journal``, tells up to which
byte they are complete.  The output takes its name when all is done, and has the same bytes as if it had been written
at once: what cannot be continued in the middle (gzip, Parquet) is made of the rows then.
"""

import contextlib
import hashlib
import io
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, cast

import pandas as pd

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.files import check_destination, file_sha256, is_packed
from pmhc_distil.sequences.formats import PACKED_FORMATS
from pmhc_distil.sequences.journal import Journal, Step, Tally
from pmhc_distil.sequences.shard_record import ShardRecord
from pmhc_distil.sequences.shards import Shard
from pmhc_distil.sequences.tables import PREDICTION_COLUMNS, Column, digits_of
from pmhc_distil.sequences.writers import TableWriter, open_predictions, open_raw, text_writer, told

_ROWS = 100_000
_KEPT = "what is done is kept; give the same command again to continue"


class ResumableWriter:
    """Writes predictions into a partial file.

    Parameters
    ----------
    file : BinaryIO
        At its end, with the rows of `before`.
    journal : Journal
        Started.
    make_writer : callable
        Gives what writes a table to a text.
    before : Step, optional
        What an earlier run has done.
    digest : hash object
        Of what is in the file.

    Attributes
    ----------
    tally : Tally
        How far it has come, with what earlier runs have done.
    header : int
        Bytes before the first row.
    types : dict of str to str
        Columns and their types.
    """

    def __init__(
        self,
        file: BinaryIO,
        journal: Journal,
        make_writer: Callable[[io.TextIOWrapper], TableWriter],
        before: Step | None,
        digest: Any,
    ) -> None:
        self.tally = before.tally if before else Tally()
        self.header = before.header if before else 0
        self.types = dict(before.types) if before else {}
        self._file = file
        self._journal = journal
        self._made = io.BytesIO()
        self._text = io.TextIOWrapper(self._made, encoding="utf-8", errors="surrogateescape", newline="")
        self._writer = make_writer(self._text)
        self._started = False
        self._before = before
        self._digest = digest
        self._size = before.size if before else 0

    def write(self, frame: pd.DataFrame) -> None:
        """Write more rows; all tables have the columns of the first."""
        if not self._started:
            self._started = True
            self.types = self.types or {str(name): str(kind) for name, kind in frame.dtypes.items()}
            self._writer.write(frame.iloc[:0])
            self._hand_on(discard=self._before is not None)
            self.header = self._before.header if self._before else self._size
        self._writer.write(frame)
        self._hand_on()

    def mark(self, tally: Tally) -> None:
        """Say how far the rows that were written go; they stay from now on."""
        self.tally = tally
        self._file.flush()
        os.fsync(self._file.fileno())
        self._journal.add(Step(tally, self._size, self._digest.hexdigest(), self.header, self.types))

    def _hand_on(self, *, discard: bool = False) -> None:
        self._text.flush()
        data = self._made.getvalue()
        self._made.seek(0)
        self._made.truncate()
        if not discard:
            self._file.write(data)
            self._digest.update(data)
            self._size += len(data)


@contextlib.contextmanager
def open_resumable(
    destination: str | Path,
    format: str,
    facts: Mapping[str, Any],
    *,
    resume: bool,
    shard: Shard | None = None,
    columns: Sequence[Column] = PREDICTION_COLUMNS,
    warn: Callable[[str], None] = lambda line: None,
) -> Iterator[ResumableWriter]:
    """Open a prediction table for writing in parts that stay.

    Parameters
    ----------
    destination : str or Path
        A file that is there or can be; no device.
    format : str
        As :func:`~pmhc_distil.sequences.formats.choose_format` gives it.
    facts : mapping
        What the rows depend on, for JSON.  A run of other facts is not continued but begun anew.
    resume : bool
        Continue what an earlier run has left, and leave what is done if this one ends early.
    shard : Shard, optional
        Which shard of a table it is, for a record beside it.
    columns : sequence of Column
        As for :func:`~pmhc_distil.sequences.writers.open_predictions`.
    warn : callable
        Is told in one line why something is begun anew.

    Raises
    ------
    InputError
        If the destination cannot be written, is no file, or is being written by another run.
    """
    target = check_destination(destination)
    if target.exists() and not target.is_file():
        raise InputError("--resume and --shard need a file", source=str(destination), hint="name another with -o")
    partial, log = (target.with_name(f"{target.name}.{suffix}") for suffix in ("partial", "journal"))
    direct = format not in PACKED_FORMATS
    digits = digits_of(columns) if direct else {}  # rounded when it is made into what it is to be

    run = json.loads(json.dumps({**facts, "format": format, "shard": str(shard or "")}))  # as they will be read

    def make_writer(text: io.TextIOWrapper) -> TableWriter:
        return text_writer(text, format if direct else "csv", digits)

    with told(str(destination), _KEPT if resume else None), Journal(log, str(destination)) as journal:
        try:
            before, digest = _left_behind(journal, partial, run, warn) if resume else (None, hashlib.sha256())
            journal.start(run, [before] if before else [])
            with partial.open("r+b" if before else "wb") as file:
                if before:
                    file.truncate(before.size)
                    file.seek(before.size)
                writer = ResumableWriter(file, journal, make_writer, before, digest)
                yield writer
            if not direct:
                with open_predictions(destination, format, columns) as final:
                    for frame in _read_back(partial, writer.types):
                        final.write(frame)
            elif is_packed(target):
                with partial.open("rb") as rows, open_raw(destination) as raw:
                    shutil.copyfileobj(rows, raw, 1 << 20)
            else:
                partial.replace(target)
            if shard:
                header = writer.header if direct else 0
                ShardRecord(shard, dict(facts), writer.tally, format, header, file_sha256(target)).save(target)
        except BaseException:
            if not resume:
                _remove(partial, log)
            raise
        _remove(partial, log)


def _remove(*paths: Path) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _left_behind(
    journal: Journal, partial: Path, facts: Mapping[str, Any], warn: Callable[[str], None]
) -> tuple[Step | None, Any]:
    """Find the last step that is whole, and the digest of what it stands for."""
    known, steps = journal.read()
    if not known or not steps or not partial.is_file():
        return None, hashlib.sha256()
    other = sorted(name for name in {*known, *facts} if known.get(name) != facts.get(name))
    if other:
        warn(f"{partial.name} is of a run with other {', '.join(other)}; everything is predicted anew")
        return None, hashlib.sha256()
    digest = hashlib.sha256()
    found: tuple[Step | None, Any] = None, digest.copy()
    with partial.open("rb") as file:
        place = 0
        for step in steps:
            data = file.read(step.size - place)
            digest.update(data)
            place += len(data)
            if place < step.size or digest.hexdigest() != step.sha256:
                warn(f"{partial.name} is damaged; what is whole is kept")
                break
            found = step, digest.copy()
    return found


def _read_back(path: Path, types: Mapping[str, str]) -> Iterator[pd.DataFrame]:
    """Give the rows of a partial file as they were, to the last bit."""
    numbers = [name for name, kind in types.items() if kind == "float64"]
    cells = {name: "str" if name in numbers else kind for name, kind in types.items()}
    rows = 0
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as text:
        parts = pd.read_csv(
            text,
            dtype=cast("dict[str, Any]", cells),
            keep_default_na=False,
            na_filter=False,
            lineterminator="\n",
            chunksize=_ROWS,
        )
        for frame in parts:
            rows += len(frame)
            yield frame.assign(**{name: [float(cell or "nan") for cell in frame[name]] for name in numbers})
    if not rows:
        yield pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in types.items()})
