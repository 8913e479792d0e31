"""The optimizer trains every weight once: matrices inside the layers by Muon, the rest as AdamW would."""

import copy

import pytest
import torch
from torch import nn

from pmhc_distil.distillation.halve import layer_list
from pmhc_distil.distillation.muon import MOMENTUM, muon, orthogonalised


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", [(16, 16), (16, 64), (64, 16)])
def test_directions_get_equal_steps(shape, dtype):
    """Prevents an update in which a few directions drown the others, also where half precision computes it."""
    torch.manual_seed(0)
    left, _, right = torch.linalg.svd(torch.randn(shape), full_matrices=False)
    matrix = left @ torch.diag(torch.logspace(0, -1, 16)) @ right
    update, other = orthogonalised(torch.stack([matrix, 100 * torch.randn(shape)]), dtype)
    assert update.dtype == matrix.dtype
    assert torch.linalg.svdvals(other).max() < 1.3
    after = torch.linalg.svdvals(update)
    assert after.min() > 0.6 and after.max() < 1.3
    assert torch.cosine_similarity(update.flatten(), (left @ right).flatten(), dim=0) > 0.95


def test_every_weight_is_in_one_group(teacher):
    """Prevents weights that are never trained, or trained twice a step."""
    optimizer = muon(teacher, layer_list(teacher), matrices=0.02, others=1e-3, weight_decay=0.01)
    held = [weight for group in optimizer.param_groups for weight in group["params"]]
    assert len(held) == len(set(held)) == len(list(teacher.parameters()))
    names = {weight: name for name, weight in teacher.named_parameters()}
    inside = [names[weight] for group in optimizer.param_groups if group["muon"] for weight in group["params"]]
    assert len(inside) == 4 * teacher.config.num_hidden_layers and all(".layers." in name for name in inside)
    plain = [group for group in optimizer.param_groups if not group["weight_decay"]]
    assert all(weight.ndim == 1 for group in plain for weight in group["params"])


def test_the_rest_is_trained_as_by_adamw():
    """Prevents an AdamW of our own that is another method than torch's."""
    torch.manual_seed(0)
    own = nn.Sequential(nn.Embedding(7, 5), nn.LayerNorm(5))
    other = copy.deepcopy(own)
    optimizers = [
        muon(own, nn.ModuleList(), matrices=0.0, others=3e-3, weight_decay=0.1),
        torch.optim.AdamW(
            [{"params": other[0].parameters(), "weight_decay": 0.1}, {"params": other[1].parameters()}],
            lr=3e-3,
            weight_decay=0.0,
        ),
    ]
    for _ in range(5):
        tokens = torch.randint(7, (4,))
        for model, optimizer in zip((own, other), optimizers, strict=True):
            model.zero_grad()
            model(tokens).square().sum().backward()
            optimizer.step()
    for one, another in zip(own.parameters(), other.parameters(), strict=True):
        assert torch.allclose(one, another, atol=1e-6)


def test_a_wide_matrix_is_one():
    """Prevents a feed-forward layer of three times the width from being taken for queries, keys and values."""
    torch.manual_seed(0)
    layers = nn.ModuleList([nn.ModuleDict({"dense": nn.Linear(16, 48, bias=False)})])
    optimizer = muon(layers, layers, matrices=1.0, others=0.0, weight_decay=0.0)
    weight = layers[0]["dense"].weight
    before = weight.detach().clone()
    weight.grad = torch.randn_like(before)
    optimizer.step()
    expected = 3**0.5 * orthogonalised((weight.grad * (1 - MOMENTUM**2))[None])[0]
    torch.testing.assert_close(before - weight.detach(), expected, atol=1e-5, rtol=1e-4)


def stepped(weight, gradients, weight_decay=0.0):
    """Give the weight before the last of several steps, and after it."""
    layers = nn.ModuleList([nn.Linear(*weight.shape[::-1], bias=False)])
    own = layers[0].weight
    with torch.no_grad():
        own.copy_(weight)
    optimizer = muon(layers, layers, matrices=0.1, others=0.0, weight_decay=weight_decay)
    for gradient in gradients:
        before = own.detach().clone()
        own.grad = gradient
        optimizer.step()
    return before, own.detach()


def test_a_tall_matrix_takes_longer_steps():
    """Prevents outputs of a matrix that widens from moving less than those of a square one."""
    torch.manual_seed(0)
    before, after = stepped(torch.randn(64, 16), [torch.randn(64, 16)])
    values = torch.linalg.svdvals((before - after) / 0.1) / (64 / 16) ** 0.5
    assert values.min() > 0.6 and values.max() < 1.3


def test_the_last_gradient_counts_besides_the_momentum():
    """Prevents an optimizer that lags a step behind: the momentum looks ahead (Nesterov)."""
    torch.manual_seed(0)
    one, two = torch.randn(2, 16, 16)
    before, after = stepped(torch.randn(16, 16), [one, two])
    mean = (1 - MOMENTUM) * (MOMENTUM * one + two)
    expected = orthogonalised((MOMENTUM * mean + (1 - MOMENTUM) * two)[None])[0]
    torch.testing.assert_close((before - after) / 0.1, expected, atol=1e-4, rtol=1e-3)


def test_matrices_decay_by_their_own_rate():
    """Prevents matrices that grow without bound, as their steps are of one size."""
    before, after = stepped(torch.randn(16, 16), [torch.zeros(16, 16)], weight_decay=0.5)
    torch.testing.assert_close(after, before * (1 - 0.1 * 0.5))


def test_joined_projections_are_three_matrices(teacher):
    """Prevents queries, keys and values from sharing one orthogonal update, which would shrink each of them."""
    layer = layer_list(teacher)[0]
    optimizer = muon(teacher, layer_list(teacher), matrices=1.0, others=0.0, weight_decay=0.0)
    before = layer.qkv.weight.detach().clone()
    layer.qkv.weight.grad = torch.randn_like(before)
    optimizer.step()
    for part in (before - layer.qkv.weight.detach()).chunk(3):
        values = torch.linalg.svdvals(part)
        assert values.min() > 0.6 and values.max() < 1.3
