"""Making rank tables: the distribution of every groove's scores over the same random peptides."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from pmhc_distil.errors import InputError
from pmhc_distil.inference.background import FILE_NAME, draw_windows, read_windows, write_windows
from pmhc_distil.inference.engine import Engine
from pmhc_distil.inference.ranks import MILLI, PERCENTILES, RANKS_FILE, RankTable, knots_of, percent_rank, to_milli
from pmhc_distil.inference.score_estimates import ScoreEstimates, Scores, Thoroughness, spread_out
from pmhc_distil.sequences.ahead import ahead
from pmhc_distil.sequences.files import file_sha256, write_text
from pmhc_distil.sequences.groove_table import groove_table
from pmhc_distil.sequences.proteins import Proteome, read_proteins

PARTIAL_FILE = "ranks.partial.safetensors"
PARTIAL_WINDOWS = "background.partial.txt.gz"
_KEPT_EVERY = 100
_CHECKED_GROOVES = 8
_CHECKED_RANKS = (20, 2, 0.5, 0.1)

Background = Mapping[int, NDArray[np.uint8]]
"""Peptide length to random peptides as tokens, shape (peptides, length)."""


def score_all(engine: Engine, groove: str, background: Background) -> Scores:
    """Give the presentation logits of every random peptide with one groove, by length."""
    prefix = engine.backend.prefix(groove)
    return {length: engine.backend.forward(prefix, tokens)[:, 0] for length, tokens in background.items()}


def calibrate_groove(engine: Engine, groove: str, background: Background) -> NDArray[np.int16]:
    """Calibrate one groove: score every random peptide.

    Returns
    -------
    ndarray of int16, shape (1 + lengths, percentiles)
    """
    return _knots(score_all(engine, groove, background))


def _knots(scores: Scores) -> NDArray[np.int16]:
    by_length = list(scores.values())
    return to_milli(np.stack([knots_of(np.concatenate(by_length)), *map(knots_of, by_length)]))


def calibrate(
    engine: Engine,
    grooves: Sequence[str],
    background: Background,
    *,
    facts: Mapping[str, str],
    partial: Path | None = None,
    thoroughness: Thoroughness | None = None,
) -> RankTable:
    """Calibrate many grooves.

    Parameters
    ----------
    engine : Engine
    grooves : sequence of str
    background : mapping
        Random peptides as tokens, by length.
    facts : mapping of str to str
        Stored with the table.
    partial : Path, optional
        Where to keep what is done, now and then; what stands there already, with the same facts, is not done again.
    thoroughness : Thoroughness, optional
        How much is computed (:class:`~pmhc_distil.inference.score_estimates.ScoreEstimates`); by default all.

    Returns
    -------
    RankTable
        In the order of ``grooves``.
    """
    done: dict[str, NDArray[np.int16]] = {}
    if partial and partial.exists():
        kept = RankTable.load(partial)
        if kept.facts == dict(facts):
            done = dict(zip(kept.grooves, kept.knots, strict=True))

    def each(score: Callable[[str], Scores], todo: Sequence[str], what: str) -> Iterator[Scores]:
        """Calibrate grooves and give the scores of each."""
        bar = tqdm(ahead(score, todo), desc=what, total=len(todo), disable=None)
        for number, (groove, scores) in enumerate(zip(todo, bar, strict=True), start=1):
            done[groove] = _knots(scores)
            if partial and number % _KEPT_EVERY == 0:
                RankTable(list(done), np.stack(list(done.values())), facts).save(partial)
            yield scores

    def whole(groove: str) -> Scores:
        return score_all(engine, groove, background)

    def estimated(groove: str) -> Scores:
        prefix = engine.backend.prefix(groove)
        return estimates.scores(lambda length, rows: engine.backend.forward(prefix, background[length][rows])[:, 0])

    score = whole
    if thoroughness:
        references = each(whole, spread_out(grooves, thoroughness.references), "reference grooves")
        estimates = ScoreEstimates(list(references), thoroughness)
        score = estimated
    for _ in each(score, [groove for groove in grooves if groove not in done], "grooves"):
        pass
    return RankTable(list(grooves), np.stack([done[groove] for groove in grooves]), facts)


def _largest_error(
    engine: Engine, table: RankTable, background: Background, generator: np.random.Generator
) -> dict[str, float]:
    """Say by which factor some ranks are wrong at most, of some grooves scored against all peptides."""
    factors = np.ones(len(_CHECKED_RANKS))
    at = np.isin(PERCENTILES, _CHECKED_RANKS)
    for number in generator.choice(len(table.grooves), _CHECKED_GROOVES, replace=False):
        exact = calibrate_groove(engine, table.grooves[number], background)
        for estimated, knots in zip(table.knots[number], exact, strict=True):
            ratio = percent_rank(estimated[at] / MILLI, knots) / PERCENTILES[at]
            factors = np.maximum(factors, np.maximum(ratio, 1 / ratio))
    return {f"{rank:g} %": round(float(factor), 3) for rank, factor in zip(PERCENTILES[at], factors, strict=True)}


def calibrate_model(
    folder: Path,
    proteins: Path,
    *,
    windows: int,
    seed: int,
    exhaustive: bool = False,
    threads: int | None = None,
    device: str | None = None,
) -> dict[str, Any]:
    """Calibrate a model folder for every shipped groove; a run that was interrupted is continued.

    Of many peptides only those that may be among the highest are scored with every groove, which takes a seventh of the
    time (:class:`~pmhc_distil.inference.score_estimates.ScoreEstimates`).

    Parameters
    ----------
    folder : Path
        Model folder; gets ``ranks.safetensors``, ``background.txt.gz`` and ``calibration.json``.
    proteins : Path
        FASTA that random peptides are cut from.
    windows : int
        Random windows; each gives one peptide of every length.
    seed : int
        Draws the windows.
    exhaustive : bool
        Score every peptide with every groove.
    threads, device : optional
        As for :class:`~pmhc_distil.inference.engine.Engine`.

    Returns
    -------
    dict
        What the table was made from, how many ``grooves`` and ``peptides``, and, where scores were estimated, the
        ``largest_error`` that was found: the factor by which a rank is too high or too low, of all lengths together
        or of one, among some grooves drawn at random.

    Raises
    ------
    InputError
        If a setting is outside its range, the model cannot be loaded, or the proteins cannot be read.
    """
    for name, value, least in (("windows", windows, 1), ("seed", seed, 0)):
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            hint = f"whole, at least {least}"
            raise InputError("not a number in its range", "recipe", column=name, value=value, hint=hint)
    if not isinstance(exhaustive, bool):
        hint = "use true or false"
        raise InputError("neither true nor false", "recipe", column="exhaustive", value=exhaustive, hint=hint)
    engine = Engine(folder, threads=threads, device=device)
    drawn = draw_windows(Proteome([sequence for _, sequence in read_proteins(proteins)]), windows, seed)
    # Beside the former table the windows that it was made with must stay until there is a new one.
    windows_file = folder / PARTIAL_WINDOWS
    write_windows(drawn, windows_file)
    random = read_windows(windows_file)
    grooves = groove_table().unique_grooves()
    facts = {
        "weights": file_sha256(folder / "model.safetensors"),
        "background": file_sha256(windows_file),
        "hla_release": groove_table().release,
        "seed": str(seed),
        "precision": "half" if engine.half else "single",
    }
    settings = Thoroughness()
    thoroughness = settings if settings.pays(len(grooves), windows) and not exhaustive else None
    if thoroughness:
        facts["estimates"] = json.dumps(asdict(thoroughness))
    partial = folder / PARTIAL_FILE
    table = calibrate(engine, grooves, random, facts=facts, partial=partial, thoroughness=thoroughness)
    table.save(partial)
    table.save(folder / RANKS_FILE)
    windows_file.replace(folder / FILE_NAME)
    report: dict[str, Any] = {**facts, "grooves": len(grooves), "peptides": windows * len(random)}
    if thoroughness:
        report["largest_error"] = _largest_error(engine, table, random, np.random.default_rng(seed))
    write_text(folder / "calibration.json", json.dumps(report, indent=2) + "\n")
    partial.unlink()
    return report
