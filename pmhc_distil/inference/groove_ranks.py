"""The rank table of any groove: the one of the model folder, or one that is made when it is needed, and kept."""

import hashlib
import logging
import os
import threading
from functools import cached_property
from pathlib import Path

from safetensors import SafetensorError

from pmhc_distil.errors import InputError
from pmhc_distil.inference import background
from pmhc_distil.inference.calibration import Background, calibrate_groove
from pmhc_distil.inference.engine import Engine
from pmhc_distil.inference.ranks import RANKS_FILE, RankTable
from pmhc_distil.models import BUNDLED_MODEL
from pmhc_distil.sequences.files import create_folder, file_sha256

_REMEDY = "remove it, or run `pmhc-distil calibrate` again"
logger = logging.getLogger(__name__)


class GrooveRanks:
    """Finds or makes the rank table of a groove.

    Parameters
    ----------
    engine : Engine
    weights : str
        SHA-256 of the weights of its model.
    windows : int, optional
        Random peptides of every length for tables that are made; by default all that there are.

    Raises
    ------
    InputError
        If the table in the model folder belongs to other weights, or is damaged; and when random peptides are first
        needed, if it was made with others.
    """

    def __init__(self, engine: Engine, weights: str, windows: int | None = None) -> None:
        self.engine = engine
        self.weights = weights
        self.windows = windows
        self.folder = engine.folder
        self._tables: list[RankTable] = []
        # Parts of a table may be predicted at the same time.
        self._lock = threading.Lock()
        if (self.folder / RANKS_FILE).exists():
            table = RankTable.load(self.folder / RANKS_FILE)
            if table.facts.get("weights") != self.weights:
                raise InputError(
                    "the rank table was made for other weights", str(self.folder / RANKS_FILE), hint=_REMEDY
                )
            self._tables.append(table)

    def table(self, groove: str) -> RankTable:
        """Find the calibration of a groove, or make it (some seconds) and keep it for the next time."""
        with self._lock:
            return self._table(groove)

    def _table(self, groove: str) -> RankTable:
        for table in self._tables:
            if groove in table:
                return table
        # What a run finds must be what it would have made itself, whichever ran before it.
        random = file_sha256(self._background_file)
        # Half precision differs between what computes it, and nodes of a cluster may share the folder.
        computed = f"half {self.engine.computed_by}" if self.engine.half else ""
        made_with = f"{self.weights}{random}{groove}{self.windows or ''}{computed}"
        digest = hashlib.sha256(made_with.encode()).hexdigest()
        path = cache_folder() / f"ranks-{digest[:32]}.safetensors"
        try:
            table = RankTable.load(path)
        except InputError:  # not there, or damaged
            table = self._calibrate(groove, path)
        self._tables.append(table)
        return table

    @cached_property
    def _background_file(self) -> Path:
        """Find the random peptides, which must be those that the table of the model folder was made with."""
        own = self.folder / background.FILE_NAME
        path = own if own.exists() else BUNDLED_MODEL / background.FILE_NAME
        made_with = {table.facts["background"] for table in self._tables if "background" in table.facts}
        if made_with and file_sha256(path) not in made_with:
            raise InputError("the rank table was made with other random peptides", str(path), hint=_REMEDY)
        return path

    @cached_property
    def random_peptides(self) -> Background:
        """Random human peptides, as tokens, by length; those of one row are the beginnings of one window."""
        random = background.read_windows(self._background_file)
        return {length: tokens[: self.windows] for length, tokens in random.items()}

    def _calibrate(self, groove: str, path: Path) -> RankTable:
        knots = calibrate_groove(self.engine, groove, self.random_peptides)
        table = RankTable([groove], knots[None], {"weights": self.weights})
        try:
            create_folder(path.parent)
            table.save(path)
        except (OSError, SafetensorError, InputError) as error:
            logger.warning("the ranks of a new groove are not kept for the next run: %s", error)
        return table


def cache_folder() -> Path:
    """Folder for what is computed on demand: ``$PMHC_DISTIL_CACHE``, or ``pmhc-distil`` in the user's cache folder."""
    if own := os.environ.get("PMHC_DISTIL_CACHE"):
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")  # noqa: PTH111, PTH118 (never raises without HOME)
    return Path(base) / "pmhc-distil"
