"""The optimizer: Muon for the matrices inside the layers, AdamW for everything else."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

MOMENTUM = 0.95
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
ITERATIONS = 5


class Muon(Optimizer):
    """Momentum whose update is orthogonalised, so that every direction of a matrix learns at the same pace.

    Jordan et al. 2024, https://kellerjordan.github.io/posts/muon.  What is not a matrix inside the encoder's layers
    (embeddings, norms, biases, heads) is trained by AdamW (Loshchilov and Hutter 2019), in the same object because the
    Trainer and its checkpoints know one optimizer.  ``torch.optim.Muon`` (2.9 and later) takes matrices only.

    Parameters
    ----------
    groups : list of dict
        Groups of parameters with ``params``, ``lr``, ``weight_decay`` and ``muon``: True for matrices, which Muon
        trains; the others have ``betas`` and ``eps`` of AdamW.
    dtype : torch.dtype
        Of the products that orthogonalise; bfloat16 is enough for the method, and several times as fast where there are
        units for it.
    """

    def __init__(self, groups: list[dict[str, Any]], *, dtype: torch.dtype = torch.float32) -> None:
        self.dtype = dtype
        super().__init__(groups, {"lr": 0.0, "weight_decay": 0.0, "muon": False, "betas": (0.9, 0.999), "eps": 1e-8})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Update all parameters that have a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            update = self._muon if group["muon"] else self._adamw
            for weight in group["params"]:
                if weight.grad is not None:
                    weight.mul_(1 - group["lr"] * group["weight_decay"])
                    update(weight, weight.grad, group)
        return loss

    def _muon(self, weight: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[weight]
        if not state:
            state["momentum"] = torch.zeros_like(weight)
        momentum = state["momentum"].lerp_(gradient, 1 - MOMENTUM)
        update = gradient.lerp(momentum, MOMENTUM)
        rows, columns = update.shape
        # Query, key and value projections that are stored as one matrix are three matrices to the method.
        parts = update.chunk(3) if rows == 3 * columns else (update,)
        step = torch.cat([orthogonalised(part, self.dtype) for part in parts])
        weight.add_(step, alpha=-group["lr"] * max(1.0, len(parts[0]) / columns) ** 0.5)

    def _adamw(self, weight: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[weight]
        if not state:
            state.update(step=0, mean=torch.zeros_like(weight), square=torch.zeros_like(weight))
        state["step"] += 1
        first, second = group["betas"]
        mean = state["mean"].lerp_(gradient, 1 - first)
        square = state["square"].lerp_(gradient.square(), 1 - second)
        scale = (square / (1 - second ** state["step"])).sqrt_().add_(group["eps"])
        weight.addcdiv_(mean, scale, value=-group["lr"] / (1 - first ** state["step"]))


def orthogonalised(matrix: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """Replace the singular values of a matrix by ones, approximately (0.7 to 1.2), by Newton-Schulz iteration.

    Parameters
    ----------
    matrix : Tensor
    dtype : torch.dtype
        Of the products.

    Returns
    -------
    Tensor
        Of the matrix's own type.
    """
    a, b, c = NEWTON_SCHULZ
    wide = matrix.T if matrix.shape[0] > matrix.shape[1] else matrix
    result = (wide / (wide.norm() + 1e-7)).to(dtype)
    for _ in range(ITERATIONS):
        gram = result @ result.T
        result = torch.addmm(result, torch.addmm(gram, gram, gram, beta=b, alpha=c), result, beta=a)
    return (result.T if matrix.shape[0] > matrix.shape[1] else result).to(matrix.dtype)


def muon(
    model: nn.Module,
    layers: nn.ModuleList,
    *,
    matrices: float,
    others: float,
    weight_decay: float,
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
    dtype : torch.dtype
        As in :class:`Muon`.
    """
    inside = {weight for weight in layers.parameters() if weight.ndim == 2}
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    outside = [weight for weight in trained if weight not in inside]
    return Muon(
        [
            {"params": [w for w in trained if w in inside], "lr": matrices, "muon": True, "weight_decay": weight_decay},
            {"params": [w for w in outside if w.ndim > 1], "lr": others, "weight_decay": weight_decay},
            {"params": [w for w in outside if w.ndim <= 1], "lr": others},
        ],
        dtype=dtype,
    )
