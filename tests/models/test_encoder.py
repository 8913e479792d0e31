"""The prefix form is the joint form, only faster; no row knows of another."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pmhc_distil.models.encoder import Encoder, both_end_positions
from pmhc_distil.models.shape import EncoderShape
from pmhc_distil.models.vocabulary import CLS, PAD, encode
from pmhc_distil.sequences.groove_table import GROOVE_LENGTH
from pmhc_distil.sequences.hla import resolve_allele

ALLELES = ("HLA-A*02:01", "HLA-B*07:02", "HLA-C*06:02")
LENGTHS = range(8, 16)


@pytest.fixture(scope="module")
def grooves():
    return torch.from_numpy(encode([resolve_allele(name).groove for name in ALLELES]).astype(np.int64))


@pytest.fixture(scope="module")
def model(make_model):
    return make_model(seed=3)


def tokens(sequences):
    return torch.from_numpy(encode(sequences).astype(np.int64))


def joint(grooves, peptides, extra=0):
    """Input of the joint form: one row per groove and peptide, ``extra`` tokens of padding beyond the longest."""
    wide = torch.nn.functional.pad(peptides, (0, extra), value=PAD)
    ids = torch.cat([grooves, torch.full((len(grooves), 1), CLS), wide], dim=1)
    types = torch.cat([torch.zeros_like(grooves), torch.ones_like(ids[:, GROOVE_LENGTH:])], dim=1)
    return {"input_ids": ids, "attention_mask": (ids != PAD).long(), "token_type_ids": types * (ids != PAD)}


def rows(outputs):
    return torch.stack([outputs.logits[:, 1], outputs.affinity_logits], dim=-1)


@pytest.mark.parametrize("length", LENGTHS)
def test_anchor_positions_do_not_move_with_length(length):
    """Prevents P2 and P-omega from meaning another position in a 9-mer than in an 11-mer."""
    positions = both_end_positions(torch.arange(length), torch.tensor(length), 64).tolist()
    assert positions[:4] == [0, 1, 2, 3]
    assert positions[-4:] == [67, 66, 65, 64]
    assert len(set(positions)) == length


@pytest.mark.parametrize("start", [0, GROOVE_LENGTH])
@given(length=st.integers(1, 20))
def test_both_forms_count_positions_alike(length, start):
    """Prevents the groove, or padding, from moving the positions of CLS and peptide."""
    encoder = Encoder(EncoderShape(hidden_size=4, num_hidden_layers=1, num_attention_heads=1, max_half_length=10))
    real = torch.ones(1, start + 1 + length + 2, dtype=torch.bool)
    real[:, -2:] = False
    groove = torch.arange(real.shape[1])[None] < start
    found = encoder._positions(real, groove)[0]
    assert found[:start].tolist() == list(range(start))
    assert found[start] == GROOVE_LENGTH
    expected = GROOVE_LENGTH + 1 + both_end_positions(torch.arange(length), torch.tensor(length), 10)
    assert found[start + 1 : -2].tolist() == expected.tolist()


def test_impossible_lengths_are_refused(make_model, grooves):
    """Prevents a position of the other end from being taken silently."""
    model = make_model(max_half_length=4)
    assert torch.isfinite(rows(model(groove_ids=grooves[:1], peptide_ids=tokens(["SLYNTVAT"])[None]))).all()
    with pytest.raises(ValueError, match="9 residues: the model has positions for 8"):
        model(groove_ids=grooves[:1], peptide_ids=tokens(["SLYNTVATL"])[None])


@pytest.mark.parametrize("count", [1, 3])
def test_prefix_form_equals_joint_form(model, grooves, peptides, count):
    """Prevents training (prefix), pipelines (joint) and the engine from computing different models."""
    generator = np.random.default_rng(count)
    index = torch.from_numpy(generator.integers(len(ALLELES), size=24))
    flat = [peptides[i] for i in generator.integers(len(peptides), size=24 * count)]
    assert len({len(text) for text in flat}) > 4
    peptide_ids = tokens(flat).view(24, count, -1)
    with torch.no_grad():
        fast = rows(model(groove_ids=grooves[index], peptide_ids=peptide_ids))
        slow = rows(model(**joint(grooves[index.repeat_interleave(count)], tokens(flat))))
    assert slow.std(0).min() > 0.05, "the test model must tell peptides apart"
    torch.testing.assert_close(fast, slow, atol=1e-5, rtol=0)


def test_blocks_of_one_length_equal_joint_form(model, grooves, peptides):
    """Prevents an error in the shortcut that the engine takes: one length, no packing."""
    nine = [text for text in peptides if len(text) == 9]
    with torch.no_grad():
        fast = rows(model(groove_ids=grooves[:1], peptide_ids=tokens(nine)[None]))
        slow = rows(model(**joint(grooves[:1].expand(len(nine), -1), tokens(nine))))
    torch.testing.assert_close(fast, slow, atol=1e-5, rtol=0)


def test_hidden_states_of_both_forms_agree(model, grooves, peptides):
    """Prevents the hidden losses from comparing other states than those of the layers they name."""
    nine = [text for text in peptides if len(text) == 9]
    with torch.no_grad():
        fast = model(groove_ids=grooves[:1], peptide_ids=tokens(nine)[None]).hidden_states
        slow = model(**joint(grooves[:1].expand(len(nine), -1), tokens(nine))).hidden_states
    assert len(fast) == len(slow) == 1 + model.config.num_hidden_layers
    for one, other in zip(fast[:-1], slow[:-1], strict=True):
        torch.testing.assert_close(one, other[:, GROOVE_LENGTH:].flatten(0, 1), atol=1e-4, rtol=0)
    torch.testing.assert_close(fast[-1], slow[-1][:, GROOVE_LENGTH], atol=1e-4, rtol=0)


def test_score_is_independent_of_neighbours_and_padding(model, grooves, peptides):
    """Prevents a peptide's score from depending on what else is in its batch."""
    short = min(peptides, key=len)
    with torch.no_grad():
        alone = rows(model(**joint(grooves[:1], tokens([short]))))
        padded = rows(model(**joint(grooves[:1], tokens([short]), extra=9)))
        crowd = rows(model(**joint(grooves[:1].expand(len(peptides) + 1, -1), tokens([*peptides, short]))))[-1:]
    torch.testing.assert_close(padded, alone, atol=1e-5, rtol=0)
    torch.testing.assert_close(crowd, alone, atol=1e-5, rtol=0)


def test_groove_does_not_see_the_peptide(model, grooves, peptides):
    """Prevents the cached prefix from being wrong: groove states must be the same for every peptide, bit for bit."""
    nine = [text for text in peptides if len(text) == 9][:2]
    with torch.no_grad():
        states = model(**joint(grooves[:1].expand(2, -1), tokens(nine))).hidden_states
        prefix = model.encoder.prefix(grooves[:1])
        for layer, (state, (key, value)) in enumerate(zip(states[:-1], prefix, strict=True)):
            one, other = state[:, :GROOVE_LENGTH]
            assert torch.equal(one, other)
            _, own_key, own_value = model.encoder.layers[layer].project(state[:1, :GROOVE_LENGTH])
            torch.testing.assert_close(own_key, key, atol=1e-4, rtol=0)
            torch.testing.assert_close(own_value, value, atol=1e-4, rtol=0)
        one, other = states[2][:, GROOVE_LENGTH]
        assert not torch.equal(one, other), "CLS must see the peptide"


def test_score_depends_on_the_groove(model, grooves, peptides):
    """Prevents a prefix that is computed but never attended to."""
    nine = tokens([text for text in peptides if len(text) == 9])
    with torch.no_grad():
        first, second = (rows(model(groove_ids=groove[None], peptide_ids=nine[None])) for groove in grooves[:2])
    assert (first - second).abs().max() > 0.01


def test_gradients_of_both_forms_agree(model, grooves, peptides):
    """Prevents a fast form that predicts alike but trains differently."""
    nine = tokens([text for text in peptides if len(text) == 9])
    inputs = (
        {"groove_ids": grooves[:1], "peptide_ids": nine[None]},
        joint(grooves[:1].expand(len(nine), -1), nine),
    )
    found = []
    for form in inputs:
        model.zero_grad()
        rows(model(**form)).square().mean().backward()
        found.append({name: weight.grad.clone() for name, weight in model.named_parameters()})
    model.zero_grad()
    for name, gradient in found[0].items():
        torch.testing.assert_close(gradient, found[1][name], atol=1e-5, rtol=1e-3, msg=name)
