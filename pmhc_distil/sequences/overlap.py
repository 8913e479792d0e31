"""Which peptides and pairs a model was trained on, kept as hashes, so that a test file can be audited.

Random negatives are not kept.  A hash has 40 bits: of a million rows that were not in the training data about one is
said to be, for a million hashes.
"""

import gzip
import hashlib
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.files import atomic_path

HASHES_FILE = "training_hashes.bin.gz"
"""Name of the file beside training tables and in model folders."""

BYTES = 5
_MAGIC = b"pmhc-distil training hashes 1\n"


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=BYTES).digest(), "little")


def hash_pairs(peptides: Iterable[str], alleles: Iterable[str]) -> NDArray[np.uint64]:
    """Hash peptides with their alleles by canonical name, in their order."""
    pairs = zip(peptides, alleles, strict=True)
    return np.array([_hash(f"{peptide} {allele}") for peptide, allele in pairs], dtype=np.uint64)


def hash_peptides(peptides: Iterable[str]) -> NDArray[np.uint64]:
    """Hash peptides alone, in their order."""
    return np.array([_hash(peptide) for peptide in peptides], dtype=np.uint64)


def write_hashes(peptides: Iterable[str], alleles: Iterable[str], path: Path) -> None:
    """Write the hashes of training pairs and of their peptides; the same pairs in any order give the same bytes."""
    peptides = list(peptides)
    TrainingHashes(np.unique(np.concatenate([hash_pairs(peptides, alleles), hash_peptides(peptides)]))).write(path)


class TrainingHashes:
    """What a model was trained on.

    Parameters
    ----------
    hashes : ndarray of uint64
        Sorted hashes of pairs and of peptides.
    """

    def __init__(self, hashes: NDArray[np.uint64]) -> None:
        self.hashes = hashes

    @classmethod
    def read(cls, path: Path) -> "TrainingHashes":
        """Read what :func:`write_hashes` wrote.

        Raises
        ------
        InputError
            If the file is missing or damaged.
        """
        try:
            content = gzip.decompress(path.read_bytes())
        except (OSError, EOFError, zlib.error) as error:
            raise InputError("cannot be read as training hashes", source=str(path)) from error
        body = content.removeprefix(_MAGIC)
        if len(body) == len(content) or len(body) % BYTES:
            raise InputError("is not a file of training hashes", source=str(path))
        steps = np.zeros((len(body) // BYTES, 8), dtype=np.uint8)
        steps[:, :BYTES] = np.frombuffer(body, np.uint8).reshape(BYTES, -1).T
        return cls(np.cumsum(steps.view("<u8")[:, 0], dtype=np.uint64))

    def write(self, path: Path) -> None:
        """Write them as :meth:`read` reads them."""
        steps = np.diff(self.hashes, prepend=np.uint64(0)).astype("<u8")
        planes = np.ascontiguousarray(steps.view(np.uint8).reshape(-1, 8)[:, :BYTES].T)
        with atomic_path(path) as temporary:
            temporary.write_bytes(gzip.compress(_MAGIC + planes.tobytes(), compresslevel=9, mtime=0))

    def union(self, other: "TrainingHashes") -> "TrainingHashes":
        """Give what is in either."""
        return TrainingHashes(np.union1d(self.hashes, other.hashes))

    def seen(self, hashes: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Tell which of the hashes were in training."""
        return np.isin(hashes, self.hashes)
