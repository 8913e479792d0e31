"""Predictions of a source of peptides, part by part, so that no input is too long."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from pmhc_distil.inference.predictor import Predictor
from pmhc_distil.inference.request import Request
from pmhc_distil.inference.screen import FITTED, WORTH
from pmhc_distil.sequences.ahead import ahead
from pmhc_distil.sequences.journal import Tally
from pmhc_distil.sequences.peptide_source import Overview, PeptideSource
from pmhc_distil.sequences.peptide_table import PeptideTable
from pmhc_distil.sequences.tables import written_rank


@dataclass(frozen=True)
class PredictedParts:
    """What is predicted of a source of peptides.

    Attributes
    ----------
    rows : PeptideSource
    overview : Overview
        Of `rows`.
    request : Request
        Of the alleles that meet these rows.
    alleles, grooves, genotype
        As for :meth:`pmhc_distil.inference.predictor.Predictor.predict`.
    max_rank : float, optional
        Leave out rows with a higher rank in percent, and those without one.
    screened : sequence of int
        Lengths of the peptides, if there are no others and a first stage may discard peptides for `max_rank`.
    pairs : int
        Peptides times alleles that are predicted at a time.
    """

    rows: PeptideSource
    overview: Overview
    request: Request
    alleles: Sequence[str] | None
    grooves: dict[str, str] | None
    genotype: bool
    max_rank: float | None
    screened: Sequence[int]
    pairs: int

    @property
    def each(self) -> int:
        """Predictions of a row of the source."""
        return len(self.request.allele_names) if self.request.cross and not self.genotype else 1

    def frames(self, predictor: Predictor, done: int) -> Iterator[tuple[pd.DataFrame, Tally]]:
        """Predict.

        Parameters
        ----------
        predictor : Predictor
        done : int
            Rows of the source to leave out at first.

        Yields
        ------
        frame : DataFrame
            Predictions as :class:`~pmhc_distil.inference.predictor.Predictor` makes them.
        tally : Tally
            What they stand for.
        """
        request = self.request
        screen = None
        # A shard must be treated as the whole would be, or its rows would be others.
        if (
            self.max_rank is not None
            and self.screened
            and self.overview.peptides_of_all > WORTH * FITTED * len(self.screened)
        ):
            screen = predictor.screen(request.grooves, self.screened, self.max_rank)
        # What passes for some alleles is a table of pairs.
        names = None if request.cross and screen and not self.genotype else self.alleles

        def predict(table: PeptideTable) -> tuple[pd.DataFrame, Tally]:
            problems, count = table.n_problems, len(table.frame)
            if screen:
                table = screen.rows(table, request, genotype=self.genotype)
            frame = predictor.predict(table, names, genotype=self.genotype, grooves=self.grooves)
            unscored = problems * self.each if screen else int(frame["score"].isna().sum())
            if self.max_rank is not None:
                frame = frame[written_rank(frame["rank"]) <= self.max_rank].reset_index(drop=True)
            return frame, Tally(count, count * self.each, unscored, len(frame))

        size = max(1, self.pairs // request.most_per_row)
        yield from ahead(predict, self.rows.tables(size, done), predictor.engine.parts_at_once)
