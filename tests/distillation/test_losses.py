"""The losses of distillation are zero where teacher and student agree, and only there."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pmhc_distil.distillation.losses import class_loss, cosine_loss, hidden_loss, soft_loss

LINKS = ("sigmoid", "softmax")
logits = st.integers(0, 10_000).map(lambda seed: 4 * torch.randn(5, 3, generator=torch.Generator().manual_seed(seed)))
temperatures = st.floats(0.3, 8)


@pytest.mark.parametrize("link", LINKS)
@given(rows=logits, temperature=temperatures)
def test_agreement_costs_nothing(link, rows, temperature):
    """Prevents a student that equals its teacher from being pushed away."""
    assert soft_loss(rows, rows, link, temperature) == 0


@pytest.mark.parametrize("link", LINKS)
@given(student=logits, teacher=logits, temperature=temperatures)
def test_never_negative(link, student, teacher, temperature):
    """Prevents the two arguments from being swapped in one term of the divergence."""
    loss = soft_loss(student, teacher, link, temperature)
    assert torch.isfinite(loss) and loss >= 0


@pytest.mark.parametrize("link", LINKS)
def test_disagreement_costs(link):
    """Prevents a loss that is always zero."""
    generator = torch.Generator().manual_seed(1)
    student, teacher = torch.randn(2, 6, 4, generator=generator)
    assert soft_loss(student, teacher, link) > 0.05


def test_values_by_hand():
    """Prevents the forward from becoming the backward divergence, and a sum from becoming a mean or the reverse."""
    p, q = torch.tensor([0.8, 0.2]), torch.tensor([0.5, 0.5])
    expected = float((p * (p / q).log()).sum())
    rows = torch.log(torch.stack([q, q])), torch.log(torch.stack([p, p]))
    assert float(soft_loss(*rows, "softmax")) == pytest.approx(expected, abs=1e-6)
    column = torch.zeros(2, 1), torch.full((2, 1), math.log(0.8 / 0.2))
    assert float(soft_loss(*column, "sigmoid")) == pytest.approx(expected, abs=1e-6)
    assert float(soft_loss(torch.zeros(2, 3), torch.full((2, 3), math.log(4)), "sigmoid")) == pytest.approx(
        expected, abs=1e-6
    )


def test_numbers_by_hand():
    """Prevents a temperature that scales numbers, and a sum in place of a mean."""
    student, teacher = torch.tensor([[1.0], [2.0]]), torch.tensor([[4.0], [2.0]])
    assert float(soft_loss(student, teacher, "identity", 3.0)) == pytest.approx(4.5)


@given(student=logits, teacher=logits, shift=st.floats(-20, 20))
def test_softmax_ignores_a_shift_of_a_row(student, teacher, shift):
    """Prevents a loss on logits where only the distribution counts."""
    moved = soft_loss(student + shift, teacher - shift, "softmax")
    torch.testing.assert_close(moved, soft_loss(student, teacher, "softmax"), atol=1e-4, rtol=1e-3)


def test_sigmoid_heeds_a_shift():
    """Prevents presentation logits from being compared up to a constant."""
    rows = torch.randn(4, 2, generator=torch.Generator().manual_seed(0))
    assert soft_loss(rows + 1, rows, "sigmoid") > 0.01


@pytest.mark.parametrize("link", LINKS)
def test_extreme_logits_stay_finite(link):
    """Prevents NaN where a probability rounds to zero."""
    student = torch.tensor([[400.0, -400.0]], requires_grad=True)
    loss = soft_loss(student, torch.tensor([[-400.0, 400.0]]), link)
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(student.grad).all()


@pytest.mark.parametrize("link", LINKS)
def test_half_precision_is_computed_in_single(link):
    """Prevents differences below the resolution of bfloat16 from being lost in mixed precision."""
    rows = torch.randn(4, 3, generator=torch.Generator().manual_seed(0)).bfloat16()
    assert soft_loss(rows, rows.float() + 0.01, link).dtype == torch.float32


@pytest.mark.parametrize("link", LINKS)
def test_gradient_keeps_its_size_with_temperature(link):
    """Prevents a high temperature from switching the soft loss off (Hinton et al. 2015)."""
    generator = torch.Generator().manual_seed(3)
    student, teacher = 0.1 * torch.randn(2, 8, 4, generator=generator)
    norms = []
    for temperature in (4.0, 16.0):
        own = student.clone().requires_grad_()
        soft_loss(own, teacher, link, temperature).backward()
        norms.append(float(own.grad.norm()))
    assert norms[1] == pytest.approx(norms[0], rel=0.05)


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("shapes", [((4, 2), (4, 1)), ((4, 2), (2,)), ((1, 2), (4, 2)), ((8,), (4, 2))])
def test_shapes_must_match(link, shapes):
    """Prevents broadcasting, which trains quietly on nonsense."""
    with pytest.raises(ValueError, match="differ in shape"):
        soft_loss(*map(torch.zeros, shapes), link)


@pytest.mark.parametrize("temperature", [0, -1.0, math.nan, math.inf])
def test_bad_temperature(temperature):
    """Prevents NaN weights after an hour of training."""
    with pytest.raises(ValueError, match="temperature"):
        soft_loss(torch.zeros(1, 2), torch.zeros(1, 2), "softmax", temperature)


def test_unknown_link():
    """Prevents a misspelt link from choosing the other one."""
    with pytest.raises(ValueError, match="unknown link 'Sigmoid'"):
        soft_loss(torch.zeros(1, 2), torch.zeros(1, 2), "Sigmoid")


def test_cosine():
    """Prevents a loss that heeds length, or that is smallest for opposite states."""
    states = torch.randn(6, 8, generator=torch.Generator().manual_seed(0))
    assert float(cosine_loss(states, 3 * states)) == pytest.approx(0, abs=1e-6)
    assert float(cosine_loss(states, -states)) == pytest.approx(2, abs=1e-6)
    right = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 5.0]])
    assert float(cosine_loss(*right)) == pytest.approx(1, abs=1e-6)


def test_hidden():
    """Prevents a loss whose weight depends on the scale of the teacher's states."""
    student, teacher = torch.randn(2, 50, 8, generator=torch.Generator().manual_seed(0))
    assert hidden_loss(teacher, teacher) == 0
    loss = hidden_loss(student, teacher)
    torch.testing.assert_close(hidden_loss(10 * student, 10 * teacher), loss)
    assert float(hidden_loss(torch.full_like(teacher, teacher.mean()), teacher)) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("loss", [cosine_loss, hidden_loss])
def test_widths_must_match(loss):
    """Prevents broadcasting."""
    with pytest.raises(ValueError, match="differ in shape"):
        loss(torch.zeros(4, 8), torch.zeros(4, 1))


@pytest.mark.parametrize("link", [*LINKS, "identity"])
def test_no_rows(link):
    """Prevents a loss that is no number of a batch that asks for nothing."""
    nothing = torch.zeros(0, 3, requires_grad=True)
    loss = soft_loss(nothing, torch.zeros(0, 3), link) + class_loss(nothing, torch.zeros(0, dtype=torch.long))
    loss.backward()
    assert loss == 0 and nothing.grad.shape == (0, 3)
