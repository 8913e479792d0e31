"""Teacher rows on disk are those of this teacher for these examples, or they are not used."""

import dataclasses

import h5py
import numpy as np
import pytest
import torch

from pmhc_distil.distillation import cache
from pmhc_distil.distillation.cache import cache_key, teacher_rows, weights_hash
from pmhc_distil.errors import InputError
from pmhc_distil.tasks import TASKS
from pmhc_distil.tasks.binding import PairData

BINDING = TASKS["binding"]
CPU = torch.device("cpu")


@pytest.fixture
def data(pairs):
    return PairData(pairs)


def rows_of(task, teacher, data, path, batch_size=96):
    return teacher_rows(task, teacher, data, path, batch_size=batch_size, device=CPU)


def test_key_changes_with_every_weight(teacher, data):
    """Prevents the answers of one teacher from being taken for those of another."""
    keys = {cache_key(BINDING, teacher, data)}
    for weight in teacher.parameters():
        with torch.no_grad():
            weight.view(-1)[-1] += 1e-3
        keys.add(cache_key(BINDING, teacher, data))
    assert len(keys) == 1 + len(list(teacher.parameters()))


def test_key_is_the_same_for_the_same_teacher(make_model, pairs):
    """Prevents a cache that is never found again."""
    keys = {cache_key(BINDING, make_model(), PairData(pairs)) for _ in range(2)}
    assert len(keys) == 1


@pytest.mark.parametrize(("name", "value"), [("num_attention_heads", 1), ("layer_norm_eps", 0.1)])
def test_key_changes_with_what_is_done_with_the_weights(name, value, make_model, data):
    """Prevents the answers of a model of other heads from being used for one of the same weights."""
    one, other = make_model(), make_model()
    assert cache_key(BINDING, one, data) == cache_key(BINDING, other, data)
    setattr(other.config, name, value)
    other.config._name_or_path = "elsewhere"
    assert cache_key(BINDING, one, data) != cache_key(BINDING, other, data)


def test_hash_tells_names_and_shapes_apart(teacher):
    """Prevents two models with the same numbers in other places from sharing a key."""
    before = weights_hash(teacher)
    layers = teacher.encoder.layers
    layers[0], layers[1] = layers[1], layers[0]
    assert weights_hash(teacher) != before


def test_key_changes_with_data_and_task(teacher, data, pairs):
    """Prevents rows of other examples, or of the same ones in another order, from being used."""
    other_peptide = pairs.copy()
    other_peptide.loc[7, "peptide"] = "SLYNTVATL"
    other_allele = pairs.assign(allele=pairs["allele"].replace("HLA-A*01:01", "HLA-A*03:01"))
    tables = [data, PairData(pairs[::-1]), PairData(pairs[:-1]), PairData(other_peptide), PairData(other_allele)]
    keys = {cache_key(BINDING, teacher, table) for table in tables}
    keys.add(cache_key(dataclasses.replace(BINDING, name="other"), teacher, data))
    assert len(keys) == 6


def test_labels_do_not_matter(teacher, data, pairs):
    """Prevents the teacher from running again for new labels on the same pairs."""
    assert cache_key(BINDING, teacher, PairData(pairs.assign(label=1.0))) == cache_key(BINDING, teacher, data)


def test_rows_are_the_live_ones_in_the_order_of_the_table(teacher, data, pairs, tmp_path):
    """Prevents rows in the order of the blocks, or padding in the place of a pair."""
    found = rows_of(BINDING, teacher, data, tmp_path / "cache.h5")
    assert found.shape == (len(pairs), 2) and not np.isnan(found).any()
    with torch.no_grad():
        for number in range(0, len(pairs), 17):
            outputs = teacher(
                groove_ids=torch.from_numpy(data.grooves[data.allele[number]][None].astype(np.int64)),
                peptide_ids=torch.from_numpy(
                    data.peptides[number, : data.lengths[number]][None, None].astype(np.int64)
                ),
            )
            expected = [float(outputs.logits[0, 1]), float(outputs.affinity_logits[0])]
            assert found[number].tolist() == pytest.approx(expected, abs=1e-4)


def test_second_call_reads_the_file(teacher, data, tmp_path, monkeypatch):
    """Prevents the teacher from running although its rows are on disk."""
    first = rows_of(BINDING, teacher, data, tmp_path / "cache.h5")

    def run(*_, **__):
        raise AssertionError("the teacher ran")

    monkeypatch.setattr(type(teacher), "forward", run)
    np.testing.assert_array_equal(rows_of(BINDING, teacher, data, tmp_path / "cache.h5", batch_size=48), first)


def test_stale_file_is_replaced(make_model, data, tmp_path):
    """Prevents a student from following last week's teacher."""
    path = tmp_path / "cache.h5"
    old = rows_of(BINDING, make_model(seed=1), data, path)
    new = rows_of(BINDING, make_model(seed=2), data, path)
    assert np.abs(old - new).max() > 0.01
    with h5py.File(path) as file:
        np.testing.assert_array_equal(file["rows"][:], new)


def test_interrupted_write_leaves_nothing(teacher, data, tmp_path, monkeypatch):
    """Prevents half a cache from being read as a whole one."""

    class Interrupted(h5py.File):
        def create_dataset(self, *args, **kwargs):
            super().create_dataset(*args, **kwargs)
            raise KeyboardInterrupt

    monkeypatch.setattr(cache.h5py, "File", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        rows_of(BINDING, teacher, data, tmp_path / "cache.h5")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", ["empty", "text", "truncated", "no rows", "no key"])
def test_damaged_file_is_one_line(teacher, data, tmp_path, damage):
    """Prevents a traceback, and a file that is silently overwritten although it may be something else."""
    path = tmp_path / "cache.h5"
    rows_of(BINDING, teacher, data, path)
    if damage == "empty":
        path.write_bytes(b"")
    elif damage == "text":
        path.write_text("peptide,allele\n")
    elif damage == "truncated":
        path.write_bytes(path.read_bytes()[:-700])
    else:
        with h5py.File(path, "a") as file:
            if damage == "no rows":
                del file["rows"]
            else:
                del file.attrs["key"]
    with pytest.raises(InputError) as caught:
        rows_of(BINDING, teacher, data, path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["fill-mask", "token-classification", "question-answering"])
def test_tasks_without_a_fixed_row_are_refused(name, teacher, data, tmp_path):
    """Prevents rows of one epoch's masks from being used for another's, and rows of one token for all of a text."""
    with pytest.raises(InputError, match=f"'{name}' are no fixed row"):
        rows_of(TASKS[name], teacher, data, tmp_path / "cache.h5")
    assert list(tmp_path.iterdir()) == []


def test_a_teacher_without_examples_is_one_line(teacher, pairs, tmp_path):
    """Prevents a traceback out of numpy, and a cache of nothing."""
    with pytest.raises(InputError, match="no examples"):
        rows_of(BINDING, teacher, PairData(pairs[:0]), tmp_path / "cache.h5")
    assert list(tmp_path.iterdir()) == []


def test_a_cache_that_cannot_be_written_is_refused_before_the_teacher_runs(teacher, data, tmp_path, monkeypatch):
    """Prevents hours of a teacher for a folder with a typing mistake."""
    monkeypatch.setattr(type(teacher), "forward", lambda *_, **__: pytest.fail("the teacher ran"))
    with pytest.raises(InputError, match="its folder does not exist"):
        rows_of(BINDING, teacher, data, tmp_path / "gone" / "cache.h5")


def test_half_precision_is_another_answer(teacher, data, tmp_path):
    """Prevents answers in one precision from being taken for those in the other, or answers that are far off."""
    path = tmp_path / "teacher.h5"
    whole = rows_of(BINDING, teacher, data, path)
    half = teacher_rows(BINDING, teacher, data, path, batch_size=96, device=CPU, half=True)
    assert not np.array_equal(whole, half)
    np.testing.assert_allclose(whole, half, atol=0.1)
