"""Making rank tables: the distribution of every groove's scores over the same random peptides.

Scoring every peptide with every groove would take hours.  A few grooves, spread over all of them, are scored
completely.  For each other groove a sample of the peptides is scored, a linear model predicts the rest from the
complete grooves, and the peptides predicted to be strongest are scored too.  What is left is imputed: its prediction
plus an error drawn from the sample (stochastic regression imputation, Little and Rubin 2002).
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from pmhc_distil.inference.background import FILE_NAME, draw_windows, read_windows, write_windows
from pmhc_distil.inference.engine import Engine
from pmhc_distil.inference.ranks import CLASSES, PERCENTILES, RankTable, knots_of, percent_rank, to_milli
from pmhc_distil.sequences.files import atomic_path
from pmhc_distil.sequences.groove_distance import groove_distances
from pmhc_distil.sequences.groove_table import groove_table
from pmhc_distil.sequences.proteins import Proteome, read_proteins

SAMPLE = 64
"""Peptides of every length in the sample."""
TOP_SHARE = 0.02
"""Share of the peptides of every length, predicted to be strongest, that are scored."""
TOGETHER = 4
"""Grooves that are scored in one pass: more would not fit the caches of a CPU."""
RIDGE = 1.0
CHECKED_RANKS = (0.5, 2.0, 20.0)

Scores = dict[int, np.ndarray]
"""Peptide length to presentation logits, shape (peptides,)."""


def score_all(engine: Engine, groove: str, background: Mapping[int, np.ndarray]) -> Scores:
    """Score every random peptide with one groove."""
    prefix = engine.prefix(groove)
    return {length: engine.forward(prefix, tokens)[:, 0] for length, tokens in background.items()}


def exact_knots(scores: Scores) -> np.ndarray:
    """Give the knots of a groove whose every peptide was scored, shape (1 + lengths, percentiles)."""
    return np.stack([knots_of(np.concatenate(list(scores.values()))), *map(knots_of, scores.values())])


def calibrate_exactly(engine: Engine, groove: str, background: Mapping[int, np.ndarray]) -> np.ndarray:
    """Calibrate one groove by scoring every random peptide.

    Returns
    -------
    ndarray of int16, shape (1 + lengths, percentiles)
    """
    return to_milli(exact_knots(score_all(engine, groove, background)))


def choose_anchors(grooves: Sequence[str], count: int) -> list[str]:
    """Choose grooves that lie far from each other, each the farthest from those chosen before (Gonzalez 1985)."""
    anchors = [grooves[0]]
    nearest = groove_distances(anchors[0], grooves)
    while len(anchors) < min(count, len(grooves)):
        anchors.append(grooves[int(nearest.argmax())])
        nearest = np.minimum(nearest, groove_distances(anchors[-1], grooves))
    return anchors


def calibrate(
    engine: Engine,
    grooves: Sequence[str],
    background: Mapping[int, np.ndarray],
    *,
    anchors: int,
    seed: int,
    facts: Mapping[str, str],
) -> RankTable:
    """Calibrate many grooves.

    Parameters
    ----------
    engine : Engine
    grooves : sequence of str
    background : mapping
        Random peptides as tokens, by length.
    anchors : int
        Grooves to score completely; all of them if there are no more than that.
    seed : int
        Draws the sample.
    facts : mapping of str to str
        Stored with the table.

    Returns
    -------
    RankTable
        In the order of ``grooves``.
    """
    done: dict[str, np.ndarray] = {}
    complete = choose_anchors(grooves, anchors)
    columns = []
    for groove in tqdm(complete, desc="anchors", disable=None):
        scores = score_all(engine, groove, background)
        done[groove] = to_milli(exact_knots(scores))
        columns.append(np.concatenate(list(scores.values())))
    estimator = Estimator(engine, background, np.stack(columns, axis=1), seed)
    others = [groove for groove in grooves if groove not in done]
    with tqdm(total=len(others), desc="grooves", disable=None) as bar:
        for first in range(0, len(others), TOGETHER):
            some = others[first : first + TOGETHER]
            done |= zip(some, to_milli(estimator.knots(some)), strict=True)
            bar.update(len(some))
    return RankTable(list(grooves), np.stack([done[groove] for groove in grooves]), facts)


class Estimator:
    """Estimates the knots of a groove from a part of its scores.

    Parameters
    ----------
    engine : Engine
    background : mapping
        Random peptides as tokens, by length.
    known : ndarray of float, shape (peptides, anchors)
        Logits of the anchors for all random peptides, length after length.
    seed : int
    """

    def __init__(self, engine: Engine, background: Mapping[int, np.ndarray], known: np.ndarray, seed: int) -> None:
        self.engine = engine
        self.background = background
        generator = np.random.default_rng(seed)
        count = len(next(iter(background.values())))
        self.samples = {length: np.sort(generator.permutation(count)[:SAMPLE]) for length in background}
        self.top = max(1, round(TOP_SHARE * count))
        self.lots = {length: generator.integers(1 << 30, size=count) for length in background}
        self.starts = {length: number * count for number, length in enumerate(background)}
        offsets = np.repeat(np.eye(len(background)), count, axis=0)
        centred = (known - known.mean(0)) / known.std(0)
        self.features = np.concatenate([centred, offsets], axis=1).astype(np.float32)
        rows = self.features[np.concatenate([self.starts[length] + rows for length, rows in self.samples.items()])]
        penalty = RIDGE * np.diag([1.0] * known.shape[1] + [0.0] * len(background))
        self.solver = np.linalg.solve(rows.T @ rows + penalty, rows.T)

    def knots(self, grooves: Sequence[str]) -> np.ndarray:
        """Estimate the knots of some grooves, shape (grooves, 1 + lengths, percentiles)."""
        prefix = self.engine.prefix(*grooves)
        sampled: Scores = {}
        for length, tokens in self.background.items():
            chosen = tokens[self.samples[length]]
            blocks = np.broadcast_to(chosen, (len(grooves), *chosen.shape))
            sampled[length] = self.engine.forward_grooves(prefix, blocks)[..., 0]
        known = np.concatenate(list(sampled.values()), axis=1)
        predicted = (known @ self.solver.T).astype(np.float32) @ self.features.T
        proxies = dict(zip(self.background, np.split(predicted, len(self.background), axis=1), strict=True))
        strongest = {
            length: np.sort(np.argpartition(-proxy, self.top - 1)[:, : self.top], axis=1)
            for length, proxy in proxies.items()
        }
        top = {
            length: self.engine.forward_grooves(prefix, tokens[strongest[length]])[..., 0]
            for length, tokens in self.background.items()
        }
        found = []
        for number in range(len(grooves)):
            own = [
                {length: part[number] for length, part in each.items()} for each in (sampled, proxies, strongest, top)
            ]
            found.append(self._knots_of_one(*own))
        return np.stack(found)

    def _knots_of_one(self, sampled: Scores, proxies: Scores, strongest: Scores, top: Scores) -> np.ndarray:
        """Join what was scored and what is imputed for one groove."""
        points: Scores = {}
        for length, proxy in proxies.items():
            rest = np.ones(len(proxy), dtype=bool)
            rest[strongest[length]] = False
            checked = rest[self.samples[length]]
            error = (sampled[length] - proxy[self.samples[length]])[checked]
            imputed = proxy[rest] + error[self.lots[length][: rest.sum()] % len(error)]
            points[length] = np.concatenate([top[length], imputed])
        return exact_knots(points)


def calibrate_model(
    folder: Path,
    proteins: Path,
    *,
    windows: int,
    anchors: int,
    checked: int,
    seed: int,
    threads: int | None = None,
    device: str | None = None,
) -> dict[str, Any]:
    """Calibrate a model folder for every shipped groove.

    Parameters
    ----------
    folder : Path
        Model folder; gets ``ranks.safetensors``, ``background.txt.gz`` and ``calibration.json``.
    proteins : Path
        FASTA that random peptides are cut from.
    windows : int
        Random windows; each gives one peptide of every length.
    anchors : int
        Grooves to score completely.
    checked : int
        Grooves, evenly spaced over the others, whose estimate is compared with complete scoring.
    seed : int

    Returns
    -------
    dict
        ``grooves``, ``peptides``, and ``largest_error``: for ranks of 0.5, 2 and 20 %, the largest factor between the
        estimated and the exact rank over the checked grooves and over the length classes.
    """
    engine = Engine(folder, threads=threads, device=device, half=True)
    drawn = draw_windows(Proteome([sequence for _, sequence in read_proteins(proteins)]), windows, seed)
    write_windows(drawn, folder / FILE_NAME)
    random = read_windows(folder / FILE_NAME)
    grooves = groove_table().unique_grooves()
    weights = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    facts = {
        "weights": weights,
        "background": hashlib.sha256((folder / FILE_NAME).read_bytes()).hexdigest(),
        "hla_release": groove_table().release,
        "seed": str(seed),
        "anchors": str(anchors),
    }
    table = calibrate(engine, grooves, random, anchors=anchors, seed=seed, facts=facts)
    table.save(folder / "ranks.safetensors")
    complete = set(choose_anchors(grooves, anchors))
    others = [groove for groove in grooves if groove not in complete]
    sample = others[:: max(1, len(others) // max(checked, 1))][:checked]
    errors: dict[str, float] = {}
    # Checked in single precision, as predictions are made, so that the error of half precision counts too.
    precise = Engine(folder, threads=threads, device=device)
    for groove in tqdm(sample, desc="checking", disable=None):
        scores = score_all(precise, groove, random)
        exact = exact_knots(scores)
        estimated = table.knots[table.grooves.index(groove)]
        for rank in CHECKED_RANKS:
            column = int(np.flatnonzero(rank == PERCENTILES)[0])
            found = [percent_rank(exact[kind, column : column + 1], estimated[kind])[0] for kind in range(CLASSES)]
            worst = max(max(value / rank, rank / value) for value in found)
            errors[f"{rank:g}"] = max(errors.get(f"{rank:g}", 1.0), round(float(worst), 3))
    report = {
        **facts,
        "grooves": len(grooves),
        "peptides": windows * len(random),
        "checked": len(sample),
        "largest_error": errors,
    }
    with atomic_path(folder / "calibration.json") as temporary:
        temporary.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return report
