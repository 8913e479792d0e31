"""The random human peptides that scores are ranked against."""

import gzip
import zlib
from pathlib import Path

import numpy as np

from pmhc_distil.errors import InputError
from pmhc_distil.models.vocabulary import encode
from pmhc_distil.sequences.files import atomic_path
from pmhc_distil.sequences.proteins import Proteome
from pmhc_distil.sequences.residues import MAX_PEPTIDE_LENGTH, PEPTIDE_LENGTHS

FILE_NAME = "background.txt.gz"


def draw_windows(proteome: Proteome, count: int, seed: int) -> list[str]:
    """Draw random windows of 15 residues; the first 8 to 15 residues of each are its random peptides."""
    return proteome.draw(MAX_PEPTIDE_LENGTH, count, np.random.default_rng(seed))


def write_windows(windows: list[str], path: Path) -> None:
    """Write windows, one a line, gzip'd; the same windows give the same bytes."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(gzip.compress(("\n".join(windows) + "\n").encode(), mtime=0))


def read_windows(path: Path) -> dict[int, np.ndarray]:
    """Read the random peptides as tokens.

    Returns
    -------
    dict
        Peptide length to ndarray of uint8, shape (windows, length).

    Raises
    ------
    InputError
        If the file is missing or damaged.
    """
    try:
        windows = gzip.decompress(path.read_bytes()).decode().split()
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise InputError("the random peptides are missing or damaged", source=str(path)) from error
    tokens = encode(windows, MAX_PEPTIDE_LENGTH)
    return {length: tokens[:, :length] for length in PEPTIDE_LENGTHS}
