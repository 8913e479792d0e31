"""From a table of peptides to a table of predictions: what the command line and notebooks call."""

import hashlib
import logging
import threading
import warnings
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pmhc_distil.errors import InputError, InputWarning, checked_count
from pmhc_distil.inference import background
from pmhc_distil.inference.calibration import Background
from pmhc_distil.inference.engine import Engine, Precision
from pmhc_distil.inference.groove_ranks import GrooveRanks
from pmhc_distil.inference.pairs import Pairs, best_rows, make_pairs
from pmhc_distil.inference.ranks import RANKS_FILE, RankTable
from pmhc_distil.inference.screen import MotifScreen
from pmhc_distil.inference.uncertainty import uncertainty
from pmhc_distil.models import BUNDLED_MODEL
from pmhc_distil.sequences.affinity import unit_to_affinity
from pmhc_distil.sequences.cells import taken
from pmhc_distil.sequences.explain import FAR, TRAINING_FILE, TrainingDistance, read_training_alleles
from pmhc_distil.sequences.files import file_sha256
from pmhc_distil.sequences.peptide_table import PeptideTable
from pmhc_distil.sequences.readers import table_from
from pmhc_distil.sequences.residues import MIN_PEPTIDE_LENGTH
from pmhc_distil.sequences.tables import BINDERS, PREDICTION_NAMES, binder_number, validate_predictions

logger = logging.getLogger(__name__)


class Predictor:
    """A model with its calibration.

    Parameters
    ----------
    model : str or Path, optional
        Model folder; by default the bundled student.
    threads : int, optional
        CPU threads; by default all cores that this process may use.
    device : str, optional
        ``"cpu"``, ``"cuda"`` or ``"mps"``; by default as for :class:`~pmhc_distil.inference.engine.Engine`.
    precision : {"auto", "single", "half"}
        Numbers to compute with, see :class:`~pmhc_distil.inference.engine.Engine`.  The class of a binder is that of
        single precision in any case.
    windows : int, optional
        Random peptides of every length for ranks that are computed on demand; by default all that were shipped.

    Raises
    ------
    InputError
        If the folder is no model or its rank table belongs to another model.

    Examples
    --------
    >>> predictions = Predictor().predict(["SLYNTVATL", "GILGFVFTL"], ["A*02:01"])
    >>> predictions["binder"].tolist()
    ['SB', 'SB']
    """

    def __init__(
        self,
        model: str | Path | None = None,
        *,
        threads: int | None = None,
        device: str | None = None,
        precision: Precision = "auto",
        windows: int | None = None,
    ) -> None:
        if not isinstance(model, str | Path | None):
            raise InputError("the path of a folder is expected", source="model", value=model)
        if windows is not None:
            checked_count(windows, "windows")
        self.folder = BUNDLED_MODEL if model is None else Path(model)
        self._arguments: dict[str, Any] = {
            "threads": threads,
            "device": device,
            "precision": precision,
            "windows": windows,
        }
        self.engine = Engine(self.folder, threads=threads, device=device, precision=precision)
        self.weights = file_sha256(self.folder / "model.safetensors")
        self.device = device
        training = self.folder / TRAINING_FILE
        self.training = TrainingDistance(read_training_alleles(training) if training.is_file() else {})
        self._ranks = GrooveRanks(self.engine, self.weights, windows)
        # Parts of a table may be predicted at the same time, and one engine in single precision is enough for them.
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        """Tell what would make it again."""
        said = (f"{name}={value!r}" for name, value in self._arguments.items() if value not in (None, "auto"))
        return f"{type(self).__name__}({', '.join([repr(str(self.folder)), *said])})"

    def __reduce__(self) -> tuple[Any, ...]:
        """Be copied to another process as what made it: the model is loaded again there."""
        return partial(type(self), self.folder, **self._arguments), ()

    def identity(self) -> dict[str, str]:
        """Tell what its numbers depend on: the files of the model, and how it computes.

        Returns
        -------
        dict of str to str
            ``model``, the SHA-256 of what is read of its folder; ``precision``, ``"single"`` or ``"half"``; and
            ``backend``, what computes.
        """
        digest = hashlib.sha256(self.weights.encode())
        for name in ("config.json", RANKS_FILE, TRAINING_FILE, background.FILE_NAME):
            path = self.folder / name
            digest.update(path.read_bytes() if path.is_file() else b"none")
        return {
            "model": digest.hexdigest(),
            "precision": "half" if self.engine.half else "single",
            "backend": self.engine.computed_by,
        }

    def predict(
        self,
        peptides: PeptideTable | pd.DataFrame | Iterable[str],
        alleles: str | Sequence[str] | None = None,
        *,
        genotype: bool = False,
        grooves: Mapping[str, str] | None = None,
        progress: bool = False,
    ) -> pd.DataFrame:
        """Predict presentation, ranks and affinity.

        Parameters
        ----------
        peptides : PeptideTable, DataFrame or iterable of str
            Peptides; or a table with the column ``peptide``, optionally ``allele`` (one for each peptide), and columns
            of the user's own; or what :func:`pmhc_distil.sequences.readers.read_peptides` read from a file.
        alleles : str or sequence of str, optional
            HLA names in any spelling, or keys of ``grooves``.  Several give a row for every peptide and allele, the
            alleles of one peptide together.
        genotype : bool
            Take ``alleles``, or what stands in each row's ``allele`` (several, separated by commas, semicolons, bars or
            blanks), as one person's: one row per peptide, with the allele of the lowest rank.
        grooves : mapping of str to str, optional
            Names to grooves (34 residues) of MHC molecules that are given by sequence.
        progress : bool
            Show progress on stderr, if that is a terminal.

        Returns
        -------
        DataFrame
            The columns of :data:`pmhc_distil.sequences.tables.PREDICTION_COLUMNS` (for a genotype also
            :data:`~pmhc_distil.sequences.tables.GENOTYPE_COLUMNS`), then the user's own; every input row in its order.
            A row that cannot be scored has a reason in ``note``.

        Raises
        ------
        InputError
            For an allele in ``alleles`` that does not exist, or none at all.

        Warns
        -----
        InputWarning
            For what was not asked for just so: an allele that is named twice and scored once, one that is weakly
            expressed, columns that are renamed.  What the command line says of a file it says itself.
        """
        table = peptides if isinstance(peptides, PeptideTable) else table_from(peptides)
        pairs = make_pairs(table.frame, alleles, genotype=genotype, grooves=grooves)
        if table is not peptides:
            for text in (*table.warnings, *pairs.warnings):
                warnings.warn(text, InputWarning, stacklevel=2)
        frame = pairs.frame
        numbers = self._numbers(table.frame, pairs, progress=progress)
        frame = pd.concat([frame, pd.DataFrame(numbers, index=frame.index)], axis=1)
        frame["binder"] = taken(BINDERS, binder_number(numbers["rank"]))
        self._mind_distance(frame, pairs.allele_index, pairs.grooves)
        frame["uncertainty"] = uncertainty(frame["score"].to_numpy(), frame["distance"].to_numpy())
        own = [name for name in frame.columns if name not in PREDICTION_NAMES]
        frame = frame[[*PREDICTION_NAMES, *own]]
        if genotype:
            frame = best_rows(frame, pairs.owner)
        validate_predictions(frame)
        return frame

    def _numbers(self, table: pd.DataFrame, pairs: Pairs, *, progress: bool) -> dict[str, np.ndarray]:
        """Score what can be scored; the rest is NaN."""
        index, grooves = pairs.allele_index, pairs.grooves
        scorable = np.flatnonzero(index >= 0)
        index = index[scorable]
        # Peptides are many times fewer than pairs.
        used = np.zeros(len(table), dtype=bool)
        used[pairs.owner[scorable]] = True
        texts = table["peptide"][used].tolist()
        number = (np.cumsum(used) - 1)[pairs.owner[scorable]]
        logits = self.engine.score(texts, grooves, index, number, progress=progress).astype(np.float64)
        of_grooves = _rows_of_each(index, len(grooves))
        if self.engine.half:
            self._sharpen(logits, texts, grooves, index, number, of_grooves)
        lengths = np.fromiter(map(len, texts), dtype=int, count=len(texts))[number]
        rank, same_length, neutral = (np.full(len(index), np.nan) for _ in range(3))
        for groove, rows in zip(grooves, of_grooves, strict=True):
            if len(rows):
                ranks = self.rank_table(groove)
                rank[rows], same_length[rows] = ranks.ranks(groove, logits[rows, 0], lengths[rows])
                preference = ranks.length_log_odds(groove)[lengths[rows] - MIN_PEPTIDE_LENGTH]
                neutral[rows] = logits[rows, 0] - preference
        values = {
            "score": 1 / (1 + np.exp(-logits[:, 0])),
            "rank": rank,
            "rank_same_length": same_length,
            "affinity_nm": unit_to_affinity(1 / (1 + np.exp(-logits[:, 1]))),
            "score_same_length": 1 / (1 + np.exp(-neutral)),
        }
        if len(scorable) == len(pairs.owner):
            return values
        full = {name: np.full(len(pairs.owner), np.nan) for name in values}
        for name, part in values.items():
            full[name][scorable] = part
        return full

    def _sharpen(
        self,
        logits: np.ndarray,
        texts: list[str],
        grooves: list[str],
        index: np.ndarray,
        number: np.ndarray,
        of_grooves: list[NDArray[np.intp]],
    ) -> None:
        """Score again, in single precision, the rows whose class the error of half precision could change."""
        near = np.zeros(len(index), dtype=bool)
        for groove, rows in zip(grooves, of_grooves, strict=True):
            if len(rows):
                near[rows] = self.rank_table(groove).near_class_limit(
                    groove, logits[rows, 0], self.engine.backend.error
                )
        rows = np.flatnonzero(near)
        if len(rows):
            with self._lock:
                precise = self._precise
            logits[rows] = precise.score([texts[row] for row in number[rows].tolist()], grooves, index[rows])

    @cached_property
    def _precise(self) -> Engine:
        return Engine(self.folder, threads=self.engine.threads, device=self.device, precision="single")

    def _mind_distance(self, frame: pd.DataFrame, index: np.ndarray, grooves: list[str]) -> None:
        """Add how far each row's allele is from those with training data, and a note where that is far."""
        if not grooves:
            frame["distance"] = np.nan
            return
        nearest, distances = zip(*map(self.training.nearest, grooves), strict=True)
        frame["distance"] = np.where(index >= 0, np.array(distances)[index], np.nan)
        for number in np.flatnonzero(np.array(distances) > FAR):
            rows = np.flatnonzero(index == number)
            note = f"far from the training data: nearest is {nearest[number]} at a distance of {distances[number]:.2f}"
            frame.loc[rows, "note"] = [f"{before}; {note}" if before else note for before in frame["note"].iloc[rows]]

    def rank_table(self, groove: str) -> RankTable:
        """Find the calibration of a groove, or make it (some seconds) and keep it for the next time.

        Parameters
        ----------
        groove : str
            34 residues.
        """
        return self._ranks.table(groove)

    def screen(self, grooves: Sequence[str], lengths: Sequence[int], max_rank: float) -> MotifScreen:
        """Make a first stage for peptides of which only those up to a rank are of interest.

        Parameters
        ----------
        grooves : sequence of str
            34 residues each.
        lengths : sequence of int
            Of the peptides to come.
        max_rank : float
            Percent.
        """
        return MotifScreen(self.engine, self.rank_table, grooves, lengths, max_rank, self.random_peptides)

    @property
    def random_peptides(self) -> Background:
        """Random human peptides, as tokens, by length; those of one row are the beginnings of one window."""
        return self._ranks.random_peptides


def _rows_of_each(index: np.ndarray, count: int) -> list[NDArray[np.intp]]:
    """Give the rows of each number from 0 to below `count`, in their order; sorted once, where there may be many."""
    order = np.argsort(index.astype(np.min_scalar_type(count)), kind="stable")
    return np.split(order, np.cumsum(np.bincount(index, minlength=count))[:-1]) if count else []
