"""The optimizer: Muon for the matrices inside the layers, AdamW for everything else."""

import re
from collections import defaultdict
from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.adamw import adamw

MOMENTUM = 0.95
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
ITERATIONS = 5
_JOINED = re.compile("qkv|in_proj|query_key_value", re.IGNORECASE)
"""What models call query, key and value projections that are stored as one matrix."""


class Muon(Optimizer):
    """Momentum whose update is orthogonalised, so that every direction of a matrix learns at the same pace.

    Jordan et al. 2024, https://kellerjordan.github.io/posts/muon.  What is not a matrix inside the encoder's layers
    (embeddings, norms, biases, heads) is trained by AdamW (Loshchilov and Hutter 2019), in the same object because the
    Trainer and its checkpoints know one optimizer.  ``torch.optim.Muon`` (2.9 and later) takes matrices only.

    Parameters
    ----------
    groups : list of dict
        Groups of parameters with ``params``, ``lr``, ``weight_decay`` and ``muon``: the number of matrices, one below
        the other, that each holds, which Muon trains; 0 for the others, which have ``betas`` and ``eps`` of AdamW.
    dtype : torch.dtype
        Of the products that orthogonalise; bfloat16 is enough for the method, and several times as fast where there are
        units for it.
    """

    def __init__(self, groups: list[dict[str, Any]], *, dtype: torch.dtype = torch.float32) -> None:
        self.dtype = dtype
        super().__init__(groups, {"lr": 0.0, "weight_decay": 0.0, "muon": 0, "betas": (0.9, 0.999), "eps": 1e-8})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Update all parameters that have a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            if weights:
                (self._muon if group["muon"] else self._adamw)(weights, group)
        return loss

    def _muon(self, weights: list[Tensor], group: dict[str, Any]) -> None:
        """Update matrices, those of one shape together: a GPU would else wait for one small product after another."""
        parts: dict[torch.Size, list[tuple[Tensor, Tensor]]] = defaultdict(list)
        for weight in weights:
            gradient, state = cast("Tensor", weight.grad), self.state[weight]
            if not state:
                state["momentum"] = torch.zeros_like(weight)
            momentum = state["momentum"].lerp_(gradient, 1 - MOMENTUM)
            update = gradient.lerp(momentum, MOMENTUM)
            for part in zip(weight.chunk(group["muon"]), update.chunk(group["muon"]), strict=True):
                parts[part[0].shape].append(part)
        for (rows, columns), pairs in parts.items():
            steps = orthogonalised(torch.stack([update for _, update in pairs]), self.dtype)
            rate = group["lr"] * max(1.0, rows / columns) ** 0.5
            for (weight, _), step in zip(pairs, steps, strict=True):
                weight.mul_(1 - group["lr"] * group["weight_decay"]).add_(step, alpha=-rate)

    def _adamw(self, weights: list[Tensor], group: dict[str, Any]) -> None:
        for weight in weights:
            if not self.state[weight]:
                step = torch.zeros((), dtype=torch.float32, device=weight.device)
                self.state[weight].update(step=step, mean=torch.zeros_like(weight), square=torch.zeros_like(weight))
        states = [self.state[weight] for weight in weights]
        first, second = group["betas"]
        adamw(
            weights,
            [cast("Tensor", weight.grad) for weight in weights],
            [state["mean"] for state in states],
            [state["square"] for state in states],
            [],
            [state["step"] for state in states],
            fused=True,
            amsgrad=False,
            beta1=first,
            beta2=second,
            lr=group["lr"],
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            maximize=False,
        )


def orthogonalised(matrix: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """Replace the singular values of matrices by ones, approximately (0.7 to 1.2), by Newton-Schulz iteration.

    Parameters
    ----------
    matrix : Tensor, shape (matrices, rows, columns)
    dtype : torch.dtype
        Of the products.

    Returns
    -------
    Tensor
        Of the type and shape of `matrix`.
    """
    a, b, c = NEWTON_SCHULZ
    tall = matrix.shape[-2] > matrix.shape[-1]
    wide = matrix.mT if tall else matrix
    result = (wide / (torch.linalg.matrix_norm(wide, keepdim=True) + 1e-7)).to(dtype)
    for _ in range(ITERATIONS):
        gram = result @ result.mT
        result = torch.baddbmm(result, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), result, beta=a)
    return (result.mT if tall else result).to(matrix.dtype)


def muon(
    model: nn.Module,
    layers: nn.ModuleList,
    *,
    matrices: float,
    others: float,
    weight_decay: float,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    dtype: torch.dtype = torch.float32,
) -> Muon:
    """Build the optimizer of a model.

    Parameters
    ----------
    model : nn.Module
    layers : nn.ModuleList
        The transformer layers of the model, whose matrices Muon trains.
    matrices : float
        Their learning rate.
    others : float
        Learning rate of everything else.
    weight_decay : float
        Of everything but norms and biases.
    betas, eps
        Of AdamW.
    dtype : torch.dtype
        As in :class:`Muon`.
    """
    # Query, key and value projections that are stored as one matrix are three matrices to the method.
    held = {
        weight: 3 if _JOINED.search(name) and weight.shape[0] == 3 * weight.shape[1] else 1
        for name, weight in layers.named_parameters()
        if weight.ndim == 2
    }
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    outside = [weight for weight in trained if weight not in held]
    adamw_of = {"lr": others, "betas": betas, "eps": eps}
    groups: list[dict[str, Any]] = [
        {"params": [w for w in trained if held.get(w) == number], "lr": matrices, "muon": number}
        for number in sorted(set(held.values()))
    ]
    groups.append({"params": [w for w in outside if w.ndim > 1], **adamw_of})
    for group in groups:
        group["weight_decay"] = weight_decay
    return Muon([*groups, {"params": [w for w in outside if w.ndim <= 1], **adamw_of}], dtype=dtype)
