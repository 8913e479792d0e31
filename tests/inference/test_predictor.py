"""The predictor in a program: given other things than lists of texts, in other processes, and its warnings."""

import copy
import multiprocessing
import pickle
import shutil
import warnings

import numpy as np
import pandas as pd
import pytest

from pmhc_distil import InputError, Predictor
from pmhc_distil.errors import InputWarning
from pmhc_distil.inference.background import FILE_NAME, write_windows
from pmhc_distil.inference.engine import Engine
from pmhc_distil.inference.ranks import CLASSES, PERCENTILES, RANKS_FILE, RARITY, RankTable
from pmhc_distil.models.vocabulary import VOCABULARY
from pmhc_distil.sequences.files import file_sha256
from pmhc_distil.sequences.hla import resolve_allele
from pmhc_distil.sequences.residues import RESIDUES

PEPTIDES = ["SLYNTVATL", "GILGFVFTL"]
LETTERS = np.array([token[0] for token in VOCABULARY])


@pytest.fixture(scope="module")
def predictor():
    return Predictor(threads=2, device="cpu", precision="single")


@pytest.mark.parametrize(
    "peptides",
    [
        {"peptide": PEPTIDES},
        [text.encode() for text in PEPTIDES],
        np.array([PEPTIDES, PEPTIDES]),
        [PEPTIDES],
        None,
        5,
        np.array("SLYNTVATL"),
        "SLYNTVATL",
    ],
    ids=repr,
)
def test_what_is_no_list_of_peptides(predictor, peptides):
    """Prevents keys, bytes or rows from being scored, or refused, as if they were peptides."""
    with pytest.raises(InputError) as caught:
        predictor.predict(peptides, ["A*02:01"])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("alleles", [[np.nan], [None], [pd.NA], [201], [["A*02:01"]], [b"A*02:01"], 201, [], iter([])])
def test_what_is_no_list_of_alleles(predictor, alleles):
    """Prevents a traceback from far below, or an option of the command line in the message."""
    with pytest.raises(InputError) as caught:
        predictor.predict(PEPTIDES, alleles)
    assert "--" not in str(caught.value)


def test_alleles_in_other_containers(predictor):
    """Prevents a generator, an array or a list in a cell from being taken for no alleles."""
    expected = predictor.predict(PEPTIDES, ["A*02:01", "B*07:02"], genotype=True)
    for alleles in ((name for name in ("A0201", "B0702")), np.array(["A0201", "B0702"]), pd.Series(["A0201", "B0702"])):
        pd.testing.assert_frame_equal(predictor.predict(PEPTIDES, alleles, genotype=True), expected)
    table = pd.DataFrame({"peptide": PEPTIDES, "allele": [["A0201", "B0702"], ("A0201", "B0702")]})
    pd.testing.assert_frame_equal(predictor.predict(table, genotype=True), expected)


@pytest.mark.parametrize(
    "wrong", [{"threads": 0}, {"threads": -1}, {"threads": "2"}, {"precision": "xx"}, {"windows": 0}, {"windows": "a"}]
)
def test_wrong_settings(wrong):
    """Prevents a misspelt precision from computing in another, and a traceback at the first prediction."""
    with pytest.raises(InputError) as caught:
        Predictor(**wrong)
    assert caught.value.source == next(iter(wrong))


def test_warnings(predictor):
    """Prevents rows or columns from changing without a word."""
    with pytest.warns(InputWarning, match="A0201: names HLA-A\\*02:01 again"):
        assert len(predictor.predict(["SLYNTVATL"], ["A*02:01", "A0201"])) == 1
    with pytest.warns(InputWarning, match="'score' is written as 'score_input'"):
        predictor.predict(pd.DataFrame({"peptide": PEPTIDES, "score": [1, 2]}), ["A*02:01"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        predictor.predict(PEPTIDES, ["A*02:01"])


def test_types_do_not_depend_on_rows(predictor):
    """Prevents a parquet file of an empty part from having another type than its neighbours."""
    some, none = (predictor.predict(peptides, ["A*02:01"]) for peptides in (PEPTIDES, []))
    assert some.dtypes.to_dict() == none.dtypes.to_dict()


def test_length_neutral_scores_do_not_prefer_a_length(predictor):
    """Prevents a preference that is added instead of taken away, or that of another length."""
    means = []
    for length in (8, 9, 10, 11):
        texts = ["".join(row) for row in LETTERS[predictor.random_peptides[length][:300]]]
        found = predictor.predict(texts, "A*02:01")["score_same_length"]
        means.append((1 / (1 + RARITY * (1 - found) / found)).mean())
    assert max(means) / min(means) < 4, "the scores themselves differ a hundredfold"


def test_half_precision_is_made_exact_near_a_class_limit(binding_folder, tmp_path, monkeypatch):
    """Prevents a binder class that half precision decides, and exact scores that go to other rows."""
    monkeypatch.setenv("PMHC_DISTIL_CACHE", str(tmp_path))
    half = Predictor(binding_folder, precision="half", device="cpu", threads=1, windows=100)
    single = Engine(binding_folder, precision="single", device="cpu", threads=1)
    assert half.engine.half, "which torch computes on any processor"
    letters = np.random.default_rng(0).choice(list(RESIDUES), (300, 9))
    peptides = ["".join(row) for row in letters]
    found = half.predict(peptides, ["A*02:01", "B*07:02"])
    logits = np.log(found["score"] / (1 - found["score"])).to_numpy()
    checked = 0
    for allele, own in found.groupby("allele"):
        groove = resolve_allele(allele).groove
        exact = single.score(peptides, [groove], np.zeros(300, dtype=int))[:, 0]
        # Within half the error, a score was near the limit whatever half precision made of it.
        table, error = half.rank_table(groove), half.engine.backend.error / 2
        near = table.near_class_limit(groove, exact.astype(float), error)
        np.testing.assert_allclose(logits[own.index][near], exact[near], atol=1e-4)
        checked += near.sum()
    assert checked > 10


def test_identity_heeds_ranks_and_random_peptides(binding_folder, tmp_path):
    """Prevents the results of one calibration from being kept for another."""
    folder = shutil.copytree(binding_folder, tmp_path / "model")
    facts = {"weights": file_sha256(folder / "model.safetensors")}
    told = []
    for letter, level in (("A", 0), ("C", 0), ("C", 1)):  # other random peptides, then other ranks
        write_windows([letter * 15], folder / FILE_NAME)
        knots = np.full((1, CLASSES, len(PERCENTILES)), level, dtype=np.int16)
        RankTable(["A" * 34], knots, facts).save(folder / RANKS_FILE)
        told.append(Predictor(folder, threads=1, device="cpu").identity()["model"])
    assert len(set(told)) == 3


def test_other_processes(predictor):
    """Prevents a forked child from waiting for threads of its parent, and a predictor that cannot be sent elsewhere."""
    peptides = PEPTIDES * 1500  # more than one thread's share
    expected = predictor.predict(peptides, ["B*07:02"])["score"].sum()
    assert repr(predictor).endswith("bundled', threads=2, device='cpu', precision='single')")
    for method in ("fork", "spawn"):
        with multiprocessing.get_context(method).Pool(1) as pool:
            found = pool.apply_async(predictor.predict, (peptides, ["B*07:02"])).get(120)
        assert found["score"].sum() == expected, method
    assert copy.deepcopy(predictor).predict(peptides, ["B*07:02"])["score"].sum() == expected


def test_mistakes_cross_processes():
    """Prevents one mistake in a pool of workers from breaking the pool."""
    with pytest.raises(InputError) as caught:
        Predictor(threads=1).predict(PEPTIDES, ["A*99:99"])
    error = caught.value
    for made in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert str(made) == str(error) and made.row == error.row
    assert len({error}) == 1
