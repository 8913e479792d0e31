"""Which peptides and proteins belong to training and which to validation.

The text itself decides, with the seed, by its hash: nothing changes sides when a source is added or rows are put in
another order, and equal peptides or proteins are always together.
"""

import gzip
import hashlib
from collections.abc import Set
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pmhc_distil.sequences.files import atomic_path, check_destination, check_folder, create_folder
from pmhc_distil.sequences.proteins import read_proteins


def in_validation(text: str, share: float, seed: int) -> bool:
    """Tell whether a peptide or protein belongs to validation: a property of its residues and the seed alone.

    Parameters
    ----------
    text : str
        Residues.
    share : float
        Share of all texts, 0 to 1, that belong to validation.
    seed : int
        Another one gives another split.
    """
    digest = hashlib.sha256(f"{seed}:{text}".encode()).digest()
    return int.from_bytes(digest[:8], "big") < share * 2**64


def validation_mask(peptides: "pd.Series[str]", share: float, seed: int) -> NDArray[np.bool_]:
    """Tell it of every peptide of a column; see :func:`in_validation`."""
    unique = peptides.unique()
    return peptides.map({text: in_validation(text, share, seed) for text in unique}).to_numpy(bool)


def split_proteins(
    fasta: Path, folder: Path, validation_share: float, seed: int, excluded: Set[str] = frozenset()
) -> tuple[int, int, set[str]]:
    """Write ``train.fasta.gz`` and ``validation.fasta.gz``, split by sequence.

    Sequences in ``excluded``, as :func:`~pmhc_distil.sequences.proteins.plain_sequence` gives them, go to neither.

    Returns
    -------
    train, validation : int
        Proteins in each.
    found : set of str
        Those of ``excluded`` that were there.

    Raises
    ------
    InputError
        If the file cannot be read or holds no protein, or the folder cannot be created.
    """
    check_folder(folder)
    parts: tuple[list[str], list[str]] = ([], [])
    found: set[str] = set()
    for name, sequence in read_proteins(fasta):
        if sequence in excluded:
            found.add(sequence)
            continue
        parts[in_validation(sequence, validation_share, seed)].append(f">{name}\n{sequence}\n")
    create_folder(folder)
    # Beside a new training file, an older one would share proteins with it.
    check_destination(folder / "validation.fasta.gz").unlink(missing_ok=True)
    for name, records in zip(("train", "validation"), parts, strict=True):
        with atomic_path(folder / f"{name}.fasta.gz") as temporary:
            temporary.write_bytes(gzip.compress("".join(records).encode(), mtime=0))
    return len(parts[0]), len(parts[1]), found
