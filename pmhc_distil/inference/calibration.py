"""Making rank tables: the distribution of every groove's scores over the same random peptides."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from pmhc_distil.errors import InputError
from pmhc_distil.inference.ahead import one_ahead
from pmhc_distil.inference.background import FILE_NAME, draw_windows, read_windows, write_windows
from pmhc_distil.inference.engine import Engine
from pmhc_distil.inference.ranks import RANKS_FILE, RankTable, knots_of, to_milli
from pmhc_distil.sequences.files import atomic_path, file_sha256
from pmhc_distil.sequences.groove_table import groove_table
from pmhc_distil.sequences.proteins import Proteome, read_proteins

PARTIAL_FILE = "ranks.partial.safetensors"
_KEPT_EVERY = 100

Background = Mapping[int, NDArray[np.uint8]]
"""Peptide length to random peptides as tokens, shape (peptides, length)."""


def score_all(engine: Engine, groove: str, background: Background) -> dict[int, NDArray[np.float32]]:
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


def _knots(scores: Mapping[int, NDArray[np.float32]]) -> NDArray[np.int16]:
    by_length = list(scores.values())
    return to_milli(np.stack([knots_of(np.concatenate(by_length)), *map(knots_of, by_length)]))


def calibrate(
    engine: Engine,
    grooves: Sequence[str],
    background: Background,
    *,
    facts: Mapping[str, str],
    partial: Path | None = None,
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
    todo = [groove for groove in grooves if groove not in done]
    scored = one_ahead(lambda groove: score_all(engine, groove, background), todo)
    bar = tqdm(scored, desc="grooves", total=len(todo), disable=None)
    for number, (groove, scores) in enumerate(zip(todo, bar, strict=True), start=1):
        done[groove] = _knots(scores)
        if partial and number % _KEPT_EVERY == 0:
            RankTable(list(done), np.stack(list(done.values())), facts).save(partial)
    return RankTable(list(grooves), np.stack([done[groove] for groove in grooves]), facts)


def calibrate_model(
    folder: Path,
    proteins: Path,
    *,
    windows: int,
    seed: int,
    threads: int | None = None,
    device: str | None = None,
) -> dict[str, Any]:
    """Calibrate a model folder for every shipped groove; a run that was interrupted is continued.

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

    Returns
    -------
    dict
        What the table was made from, and how many ``grooves`` and ``peptides``.
    """
    for name, value, least in (("windows", windows, 1), ("seed", seed, 0)):
        if not isinstance(value, int) or value < least:
            raise InputError("not a number in its range", column=name, value=value, hint=f"whole, at least {least}")
    engine = Engine(folder, threads=threads, device=device)
    drawn = draw_windows(Proteome([sequence for _, sequence in read_proteins(proteins)]), windows, seed)
    write_windows(drawn, folder / FILE_NAME)
    random = read_windows(folder / FILE_NAME)
    grooves = groove_table().unique_grooves()
    facts = {
        "weights": file_sha256(folder / "model.safetensors"),
        "background": file_sha256(folder / FILE_NAME),
        "hla_release": groove_table().release,
        "seed": str(seed),
        "precision": "half" if engine.half else "single",
    }
    partial = folder / PARTIAL_FILE
    calibrate(engine, grooves, random, facts=facts, partial=partial).save(folder / RANKS_FILE)
    partial.unlink(missing_ok=True)
    report = {**facts, "grooves": len(grooves), "peptides": windows * len(random)}
    with atomic_path(folder / "calibration.json") as temporary:
        temporary.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return report
