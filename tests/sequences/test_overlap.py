"""A model can be asked what it was trained on."""

import gzip

import numpy as np
import pytest

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.overlap import TrainingHashes, hash_pairs, hash_peptides, write_hashes

PEPTIDES = ["SLYNTVATL", "GILGFVFTL", "TPRVTGGGAM"]
ALLELES = ["HLA-A*02:01", "HLA-A*02:01", "HLA-B*07:02"]


@pytest.fixture
def path(tmp_path):
    write_hashes(PEPTIDES, ALLELES, tmp_path / "h.bin.gz")
    return tmp_path / "h.bin.gz"


def test_what_was_written_is_seen(path):
    """Prevents pairs of training from passing as new, and a peptide with another allele from passing as its pair."""
    hashes = TrainingHashes.read(path)
    assert hashes.seen(hash_pairs(PEPTIDES, ALLELES)).all()
    assert hashes.seen(hash_peptides(PEPTIDES)).all()
    assert not hashes.seen(hash_pairs(PEPTIDES, ALLELES[::-1]))[[0, 2]].any()
    assert not hashes.seen(hash_peptides(["NLVPMVATV"])).any()


def test_false_alarms_are_as_rare_as_the_docstring_says(tmp_path):
    """Prevents a hash so short that an honest test file looks like training data."""
    texts = [f"{number:09d}" for number in range(60_000)]
    write_hashes(texts[:30_000], ["A"] * 30_000, tmp_path / "h")
    hashes = TrainingHashes.read(tmp_path / "h")
    assert len(hashes.hashes) == 60_000
    assert hashes.seen(hash_peptides(texts[30_000:])).sum() == 0


def test_order_does_not_matter(path, tmp_path):
    """Prevents a file that changes though the data do not."""
    write_hashes(PEPTIDES[::-1], ALLELES[::-1], tmp_path / "other")
    assert (tmp_path / "other").read_bytes() == path.read_bytes()


def test_no_pairs_at_all(tmp_path):
    """Prevents a crash on a table of validation alone."""
    write_hashes([], [], tmp_path / "h")
    assert not TrainingHashes.read(tmp_path / "h").seen(np.array([0, 1], dtype=np.uint64)).any()


@pytest.mark.parametrize("content", [b"", b"nonsense", gzip.compress(b"hashes", mtime=0)[:10] + b"\xff" * 40, None])
def test_damaged_files_are_refused(path, tmp_path, content):
    """Prevents a damaged file from saying that nothing was trained on."""
    broken = tmp_path / "broken"
    broken.write_bytes(path.read_bytes()[:20] if content is None else content)
    with pytest.raises(InputError, match="training hashes"):
        TrainingHashes.read(broken)
