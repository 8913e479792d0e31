"""The peptide-HLA task learns from what was measured, and from nothing else."""

import gzip
import math
import shutil
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from pmhc_distil.errors import InputError
from pmhc_distil.models.vocabulary import MASK, PAD, encode
from pmhc_distil.sequences.hla import resolve_allele
from pmhc_distil.tasks.binding import AFFINITY_WEIGHT, BINDING, PairData, hard_loss, metrics, read_pairs, rows

NAN = math.nan


def outputs(presentation, affinity):
    presentation = torch.tensor(presentation, dtype=torch.float32, requires_grad=True)
    affinity = torch.tensor(affinity, dtype=torch.float32, requires_grad=True)
    return (
        SimpleNamespace(
            logits=torch.stack([torch.zeros_like(presentation), presentation], -1), affinity_logits=affinity
        ),
        presentation,
        affinity,
    )


def loss_of(presentation, affinity, labels):
    found, *leaves = outputs(presentation, affinity)
    loss = hard_loss(found, {"labels": torch.tensor(labels, dtype=torch.float32)})
    loss.backward()
    return float(loss.detach()), *(leaf.grad for leaf in leaves)


def test_presentation_is_cross_entropy():
    """Prevents a mean over rows that have no label."""
    loss, gradient, _ = loss_of([2.0, -1.0, 5.0], [0, 0, 0], [[1, NAN, NAN, 0], [0, NAN, NAN, 0], [NAN] * 4])
    expected = (math.log1p(math.exp(-2)) + math.log1p(math.exp(-1))) / 2
    assert loss == pytest.approx(expected, abs=1e-6)
    assert gradient[2] == 0 and gradient[0] < 0 < gradient[1]


def test_offset_is_added_to_the_presentation_logit_in_training_only():
    """Prevents an offset of the wrong sign, one that shifts affinities, or one that reaches the scores."""
    logits, offset, label = [2.0, -1.0, 0.5], [-1.5, 1.0, 2.0], [1.0, 0.0, 0.0]
    labels = [[*facts, NAN, NAN, shift] for facts, shift in zip(([x] for x in label), offset, strict=True)]
    found, gradient, affinity = loss_of(logits, [0, 0, 0], labels)
    shifted = torch.tensor(logits) + torch.tensor(offset)
    expected = torch.nn.functional.binary_cross_entropy_with_logits(shifted, torch.tensor(label))
    assert found == pytest.approx(float(expected), abs=1e-6)
    torch.testing.assert_close(gradient, (shifted.sigmoid() - torch.tensor(label)) / 3)
    assert (affinity == 0).all()
    # Rows of an affinity alone: whatever the offset says, it is not asked for.
    assert loss_of([1.0], [2.0], [[NAN, 0.3, 0, 9]])[0] == loss_of([1.0], [2.0], [[NAN, 0.3, 0, 0]])[0]
    assert rows(outputs(logits, [0, 0, 0])[0], {})[:, 0].tolist() == logits


@pytest.mark.parametrize(
    ("inequality", "predicted", "costs"),
    [(0, 0.9, True), (0, 0.1, True), (1, 0.9, True), (1, 0.1, False), (-1, 0.9, False), (-1, 0.1, True)],
)
def test_bounds_cost_on_one_side(inequality, predicted, costs):
    """Prevents '>' from being read as a stronger affinity: '> 500 nM' forbids strong predictions, not weak ones."""
    logit = math.log(predicted / (1 - predicted))
    loss, _, gradient = loss_of([0.0], [logit], [[NAN, 0.5, inequality, 0]])
    assert loss == pytest.approx(AFFINITY_WEIGHT * 0.4**2 if costs else 0, abs=1e-6)
    assert bool(gradient[0]) == costs
    if costs:
        assert (gradient[0] > 0) == (predicted > 0.5)


def test_affinity_is_averaged_over_measured_rows():
    """Prevents the affinity loss from fading where few rows are measured."""
    alone = loss_of([0.0], [2.0], [[NAN, 0.3, 0, 0]])[0]
    among = loss_of([0.0] * 4, [2.0] * 4, [[NAN, 0.3, 0, 0], *[[NAN] * 4] * 3])[0]
    assert among == pytest.approx(alone)


def test_nothing_measured_costs_nothing():
    """Prevents NaN weights after a batch of padding."""
    loss, *gradients = loss_of([3.0, -3.0], [1.0, 2.0], [[NAN] * 4] * 2)
    assert loss == 0
    assert all(torch.equal(gradient, torch.zeros(2)) for gradient in gradients)


def test_rows_are_presentation_and_affinity():
    """Prevents teacher and student from being compared in another order than they are scored."""
    found, *_ = outputs([1.0, 2.0], [3.0, 4.0])
    assert rows(found, {}).tolist() == [[1, 3], [2, 4]]


@pytest.fixture(scope="module")
def data(pairs):
    return PairData(pairs)


def test_collate_joins_each_pair_with_its_own_groove_and_labels(data, pairs):
    """Prevents a peptide from meeting another pair's allele or label; padding has no label."""
    seen = 0
    for numbers in data.batches(96, shuffle=True, seed=0):
        batch = data.collate(numbers)
        blocks, size, _ = batch["peptide_ids"].shape
        assert batch["groove_ids"].shape == (blocks, 34)
        labels = batch["labels"].view(blocks, size, 4)
        for place, number in enumerate(numbers):
            block, column = divmod(place, size)
            pair = pairs.iloc[number if number >= 0 else ~number]
            tokens = batch["peptide_ids"][block, column]
            assert tokens[tokens != PAD].tolist() == encode([pair["peptide"]])[0].tolist()
            assert batch["groove_ids"][block].tolist() == encode([resolve_allele(pair["allele"]).groove])[0].tolist()
            if number < 0:
                assert labels[block, column].isnan().all()
            else:
                seen += 1
                np.testing.assert_equal(float(labels[block, column, 0]), pair["label"])
                assert labels[block, column, 1].isnan() == math.isnan(pair["affinity_nm"])
                assert labels[block, column, 3] == pair["offset"]
    assert seen == len(pairs)


def test_inequality_and_affinity_reach_the_labels():
    """Prevents an inequality that is lost or turned round on the way from the table."""
    frame = pd.DataFrame(
        {
            "peptide": ["SLYNTVATL"] * 4,
            "allele": ["A*02:01", "HLA-A*02:01", "A0201", "B*07:02"],
            "label": [NAN, NAN, NAN, 1.0],
            "affinity_nm": [1.0, 50_000.0, 500.0, NAN],
            "inequality": ["<", ">", "=", ""],
            "offset": [0.0, 0.0, 0.0, -1.5],
        }
    )
    labels = PairData(frame).labels
    assert labels[:, 3].tolist() == [0, 0, 0, -1.5]
    assert labels[:, 2].tolist()[:3] == [-1, 1, 0] and math.isnan(labels[3, 2])
    assert labels[:, 1].tolist()[:2] == pytest.approx([1, 0], abs=1e-6)
    assert labels[2, 1] == pytest.approx(1 - math.log(500) / math.log(50_000), abs=1e-6)


def test_metrics_use_labelled_and_exact_rows_only():
    """Prevents padding, and affinities known as bounds only, from counting in the metrics."""
    targets = np.array(
        [
            [1, NAN, NAN, 5],
            [0, NAN, NAN, 5],
            [NAN] * 4,
            *[[NAN, x, 0, 0] for x in (0.1, 0.5, 0.9)],
            [NAN, 0.0, 1, 0],
        ]
    )
    predicted = np.array([[2, 0], [-2, 0], [9, 0], [0, 1], [0, 2], [0, 3], [0, 99.0]])
    found = metrics(None, predicted, targets)
    assert found["auroc"] == found["ap"] == found["accuracy"] == found["f1"] == found["mcc"] == 1
    assert found["affinity_spearman"] == pytest.approx(1)


def test_two_affinities_have_no_correlation():
    """Prevents a correlation of 1 or -1 that any two numbers have."""
    targets = np.array([[1, NAN, NAN, 0], [0, NAN, NAN, 0], [NAN, 0.1, 0, 0], [NAN, 0.9, 0, 0]])
    assert "affinity_spearman" not in metrics(None, np.arange(8.0).reshape(4, 2), targets)


def test_files_are_read_plain_and_packed(pairs, pair_files, tmp_path):
    """Prevents another result for the same table in another packing."""
    pairs.to_csv(tmp_path / "pairs.csv", index=False)
    packed_by_content = shutil.copy(pair_files[0], tmp_path / "packed.csv")
    plain, packed = read_pairs(tmp_path / "pairs.csv"), read_pairs(packed_by_content)
    assert plain.fingerprint() == packed.fingerprint() == PairData(pairs).fingerprint()
    np.testing.assert_array_equal(plain.labels, packed.labels)


def test_unusable_files_are_one_line(tmp_path, pairs):
    """Prevents a traceback, or an error that does not name file and column."""
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00\xd8" * 10)
    (tmp_path / "cut.csv.gz").write_bytes(gzip.compress(pairs.to_csv(index=False).encode())[:-20])
    (tmp_path / "bad.csv.gz").write_bytes(gzip.compress(b"peptide,allele\n")[:10] + b"\xff" * 40)
    for column in ("label", "offset"):
        pairs.drop(columns=column).to_csv(tmp_path / f"{column}.csv", index=False)
    (tmp_path / "longer.csv").write_text(pairs.to_csv(index=False) + "SLYNTVATL,A0201,1,,,0,,,\n")
    (tmp_path / "quote.csv").write_text(pairs.to_csv(index=False) + '"SLYNTVATL,A0201,1,,,0,\n')
    told = {
        "missing.csv": "no such file",
        "empty.csv": "the table is empty (make the table",
        "bytes.csv": "UTF-16",
        "cut.csv.gz": "the gzip file is cut short",
        "bad.csv.gz": "the gzip file is damaged",
        "longer.csv": f"row {len(pairs) + 2}: the row has more fields than the header",
        "quote.csv": f"row {len(pairs) + 2}: a quotation mark is open",
    }
    for name in (*told, "label.csv", "offset.csv"):
        with pytest.raises(InputError) as caught:
            read_pairs(tmp_path / name)
        assert name in str(caught.value) and "\n" not in str(caught.value)
        assert told.get(name, "") in str(caught.value)
        if name in ("label.csv", "offset.csv"):
            assert f"column '{name[:-4]}'" in str(caught.value)


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("peptide", "SLYNXVATL", "non-standard residue 'X'"),
        ("peptide", "slyntvatl", "non-standard residue"),
        ("peptide", "SLYN", "length 4 is outside 8-15"),
        ("peptide", "", "empty peptide"),
        ("allele", "HLA-A*99:99", "HLA-A*99:99"),
        ("allele", "NA", "NA"),
    ],
)
def test_bad_peptides_and_alleles_are_named(tmp_path, pairs, column, value, reason):
    """Prevents a search through millions of rows for the one that cannot be scored."""
    bad = pairs.copy()
    bad.loc[[4, 9], column] = value
    bad.to_csv(tmp_path / "pairs.csv", index=False)
    with pytest.raises(InputError, match="data prepare") as caught:
        read_pairs(tmp_path / "pairs.csv")
    error = caught.value
    assert (error.source, error.row, error.column, error.value) == (str(tmp_path / "pairs.csv"), 6, column, value)
    assert reason in str(error) and "\n" not in str(error)


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("label", "yes", "not a number"),
        ("label", "0.5", "neither 1 (presented) nor 0"),
        ("label", "-1", "neither 1 (presented) nor 0"),
        ("label", "inf", "not a finite number"),
        ("affinity_nm", "strong", "not a number"),
        ("affinity_nm", "0", "not above 0"),
        ("affinity_nm", "-5", "not above 0"),
        ("offset", "none", "not a number"),
        ("offset", "inf", "not a finite number"),
        ("inequality", "about", "none of <, = and >"),
    ],
)
def test_measurements_that_mean_nothing(tmp_path, pairs, column, value, reason):
    """Prevents a table that was edited by hand from ending in a traceback, or from being learned as it is."""
    bad = pairs.astype(dict.fromkeys(("label", "affinity_nm", "offset"), object))
    row = int(bad["affinity_nm"].notna().argmax())
    bad.loc[row, column] = value
    text = bad.to_csv(index=False)
    (tmp_path / "pairs.csv").write_text(text.replace("\n", "\n\n", 1))  # a blank line is no row
    with pytest.raises(InputError) as caught:
        read_pairs(tmp_path / "pairs.csv")
    error = caught.value
    assert (error.reason, error.row, error.column) == (reason, row + 3, column)


def test_more_fields_than_the_header(tmp_path, pairs):
    """Prevents columns from being shifted by one, so that alleles are read where peptides stand."""
    lines = pairs.to_csv(index=False).splitlines()
    (tmp_path / "pairs.csv").write_text("\n".join([lines[0], *(f"{line}," for line in lines[1:])]))
    with pytest.raises(InputError, match="more fields than the header"):
        read_pairs(tmp_path / "pairs.csv")


def test_what_was_measured_is_in_the_fingerprint(pairs):
    """Prevents a run from being continued, or compared, with other labels of the same pairs."""
    changed = pairs.assign(label=1 - pairs["label"])
    assert PairData(changed).fingerprint() != PairData(pairs).fingerprint()


def test_who_presents_what_is_in_the_fingerprint(pairs):
    """Prevents a teacher's answers from being taken for those to the same peptides with other alleles."""
    nine = pairs[pairs["peptide"].str.len() == 9].reset_index(drop=True)
    other = int((nine["allele"] != nine["allele"][0]).argmax())
    swapped = nine.copy()
    swapped.loc[[0, other], "allele"] = nine.loc[[other, 0], "allele"].to_numpy()
    assert PairData(swapped).fingerprint(labels=False) != PairData(nine).fingerprint(labels=False)


def test_nothing_labelled_to_measure(pairs):
    """Prevents a traceback after the first epoch where validation holds affinities alone."""
    targets = np.array([[NAN, x, 0, 0] for x in (0.1, 0.5, 0.9)])
    found = metrics(PairData(pairs), np.zeros((3, 2)) + np.arange(3)[:, None], targets)
    assert found.pop("loss") > 0 and found == {"affinity_spearman": 1.0}
    assert BINDING.measures(PairData(pairs.assign(label=None))) == ("affinity_spearman",)


def test_hidden_residues_of_the_groove(pairs):
    """Prevents a setting that does nothing, or that hides residues of peptides."""
    data = PairData(pairs)
    batch = data.collate(next(iter(data.batches(96, shuffle=False, seed=0))))
    assert BINDING.hide(SimpleNamespace(groove_dropout=0.0), batch) is batch
    hidden = BINDING.hide(SimpleNamespace(groove_dropout=0.5), batch)
    masked = hidden["groove_ids"] == MASK
    assert 0.3 < masked.float().mean() < 0.7
    assert torch.equal(hidden["groove_ids"][~masked], batch["groove_ids"][~masked])
    assert all(hidden[name] is batch[name] for name in batch if name != "groove_ids")
    assert not (batch["groove_ids"] == MASK).any(), "the data stay as they are"


def test_pooled_ligands_have_a_logit_of_their_own():
    """Prevents wrong labels of a source from being learned by what predicts, and a negative from counting twice."""
    found, logit, _ = outputs([1.0, 1.0, 1.0, 1.0], [0.0] * 4)
    found.pooled_logits = torch.tensor([0.5, 0.5, 0.5, 0.5], requires_grad=True)
    labels = torch.tensor([[1, NAN, NAN, 0], [1, NAN, NAN, 0], [0, NAN, NAN, -2.0], [NAN, 0.5, 0, 0]])
    loss = hard_loss(found, {"labels": labels, "pooled": torch.tensor([0.0, 1.0, 0.25, 0.0])})
    loss.backward()
    apart = [math.log1p(math.exp(-1)), math.log1p(math.exp(-1.5))]
    shifted = 0.75 * math.log1p(math.exp(-1)) + 0.25 * math.log1p(math.exp(-0.5))
    assert float(loss.detach()) == pytest.approx((sum(apart) + shifted) / 3, abs=1e-6)
    assert found.pooled_logits.grad[[0, 3]].tolist() == [0, 0] and (found.pooled_logits.grad[1:3] != 0).all()
    assert (logit.grad[:3] != 0).all()


def test_pooled_column(tmp_path, pairs):
    """Prevents shares that mean nothing, and tables of other shares from passing as the same."""
    assert PairData(pairs).pooled is None and PairData(pairs.assign(pooled=0.0)).pooled is None
    half = pairs.assign(pooled=0.5)
    assert PairData(half).fingerprint() != PairData(pairs).fingerprint()
    assert PairData(half).fingerprint(labels=False) == PairData(pairs).fingerprint(labels=False)
    half.loc[pairs["label"].isna(), "pooled"] = NAN  # as `data unlabelled` leaves it
    half.to_csv(tmp_path / "pairs.csv", index=False)
    assert set(read_pairs(tmp_path / "pairs.csv").pooled) == {0, 0.5}
    for value in ("some", "1.5"):
        bad = half.astype({"pooled": object})
        row = int(pairs["label"].notna().argmax())
        bad.loc[row, "pooled"] = value
        bad.to_csv(tmp_path / "pairs.csv", index=False)
        with pytest.raises(InputError, match="not a share") as caught:
            read_pairs(tmp_path / "pairs.csv")
        assert (caught.value.row, caught.value.column) == (row + 2, "pooled")
