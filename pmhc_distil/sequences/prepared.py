"""Training and validation tables with what was left out of them, and the files that they are written to."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pmhc_distil.sequences.affinity import MEASURED
from pmhc_distil.sequences.csv_tables import write_csv
from pmhc_distil.sequences.explain import TRAINING_FILE
from pmhc_distil.sequences.files import check_destination, create_folder, file_sha256, write_text
from pmhc_distil.sequences.overlap import HASHES_FILE, write_hashes

REPORT_FILE = "report.json"
"""Name of the report beside training tables."""

FILES = (
    "train.csv.gz",
    "validation.csv.gz",
    TRAINING_FILE,
    "held_out_ligands.csv.gz",
    "held_out_affinities.csv.gz",
    HASHES_FILE,
    REPORT_FILE,
)
"""Names of all files that :func:`write_prepared` writes, the two of what is held out only where there is something."""


@dataclass
class Prepared:
    """Tables of :func:`prepare` and what was left out on the way."""

    train: pd.DataFrame
    validation: pd.DataFrame
    alleles: pd.DataFrame
    """``allele, ligands, affinities``: what training knows of every allele."""
    measured: pd.DataFrame
    """``peptide, allele`` of what was measured, without validation and random negatives, but with what ``label_noise``
    left out of training."""
    held_out: pd.DataFrame
    """What was kept out of the tables: ``peptide, allele, label, measurement_nM, inequality, source`` and ``held_out``,
    which tells why: ``allele`` or ``peptide``."""
    dropped: dict[str, int]
    """Rows that were not used, by the reason."""


def write_prepared(prepared: Prepared, folder: Path, recipe: Mapping[str, Any] | None = None) -> None:
    """Write the tables and the report of :func:`prepare`; the same input gives the same bytes.

    The report holds what was dropped, the settings in ``recipe`` and the checksums of the tables.  It is written last,
    and where there is one all files of the set are there.

    Raises
    ------
    InputError
        If the folder or a file in it cannot be written; nothing is changed then.
    """
    create_folder(folder)
    targets = [check_destination(folder / name) for name in FILES]
    # Files of an earlier set go first, and of these the report: mixed with new ones, the tables would share peptides.
    for target in reversed(targets):
        target.unlink(missing_ok=True)
    parts = [prepared.train, prepared.validation, prepared.alleles]
    if len(prepared.held_out):
        measured = prepared.held_out[MEASURED].notna()
        parts.append(prepared.held_out[~measured].drop(columns=[MEASURED, "inequality"]))
        parts.append(prepared.held_out[measured].drop(columns="label"))
    tables = dict(zip(FILES, parts, strict=False))
    for name, table in tables.items():
        write_csv(table, folder / name)
    write_hashes(prepared.measured["peptide"], prepared.measured["allele"], folder / HASHES_FILE)
    report = {
        "recipe": dict(recipe or {}),
        "dropped": prepared.dropped,
        "sha256": {name: file_sha256(folder / name) for name in (*tables, HASHES_FILE)},
    }
    write_text(folder / REPORT_FILE, json.dumps(report, indent=2) + "\n")
