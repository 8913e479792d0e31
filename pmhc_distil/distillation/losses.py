"""Losses of distillation: pure functions of tensors, shared by every task."""

import math

import torch.nn.functional as F
from torch import Tensor

from pmhc_distil.distillation.task import Link


def soft_loss(student: Tensor, teacher: Tensor, link: Link, temperature: float = 1.0) -> Tensor:
    """Divergence of the student's from the teacher's softened predictions (Hinton et al. 2015).

    Parameters
    ----------
    student, teacher : Tensor, shape (N, K)
        Logits on the same rows.
    link : {"sigmoid", "softmax", "identity"}
        K independent probabilities (Bernoulli KL divergence), one distribution over K (KL divergence), or K numbers
        (squared difference).
    temperature : float
        Divides the logits; the result is multiplied by its square so that gradients keep their size.  Numbers are left
        as they are.

    Returns
    -------
    Tensor, shape ()
        Mean over the rows (and over K unless "softmax"); 0 exactly when both agree, and of no rows, never negative.

    Raises
    ------
    ValueError
        For a shape mismatch, which would broadcast silently, and for a temperature that is not a positive number.
    """
    if student.shape != teacher.shape:
        msg = f"student rows {tuple(student.shape)} and teacher rows {tuple(teacher.shape)} differ in shape"
        raise ValueError(msg)
    if not (math.isfinite(temperature) and temperature > 0):
        msg = f"temperature must be a positive number, not {temperature}"
        raise ValueError(msg)
    if not len(student):  # as in a batch of unknown words alone
        return student.float().sum()
    if link == "identity":
        return F.mse_loss(student.float(), teacher.float())
    student, teacher = student.float() / temperature, teacher.float() / temperature
    if link == "softmax":
        loss = F.kl_div(student.log_softmax(-1), teacher.log_softmax(-1), reduction="batchmean", log_target=True)
    elif link == "sigmoid":
        on = teacher.sigmoid() * (F.logsigmoid(teacher) - F.logsigmoid(student))
        off = (-teacher).sigmoid() * (F.logsigmoid(-teacher) - F.logsigmoid(-student))
        loss = (on + off).mean()
    else:
        msg = f"unknown link {link!r}: use 'sigmoid', 'softmax' or 'identity'"
        raise ValueError(msg)
    return loss.clamp_min(0) * temperature**2


def class_loss(logits: Tensor, truth: Tensor) -> Tensor:
    """Mean cross-entropy of the logits (N, K) of the true classes (N,); 0 of no rows, which have no mean."""
    return F.cross_entropy(logits.float(), truth) if len(truth) else logits.float().sum()


def cosine_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean of one minus the cosine between hidden states (Sanh et al. 2019).

    Parameters
    ----------
    student, teacher : Tensor, shape (..., width)

    Returns
    -------
    Tensor, shape ()
        From 0 to 2.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    _same_width(student, teacher)
    return 1 - F.cosine_similarity(student.float(), teacher.float(), dim=-1).mean()


def hidden_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean squared difference of hidden states, in units of the teacher's variance (Jiao et al. 2020).

    Parameters, result and errors are as for :func:`cosine_loss`; it has no upper limit.
    """
    _same_width(student, teacher)
    teacher = teacher.float()
    return F.mse_loss(student.float(), teacher) / teacher.var().clamp_min(1e-6)


def _same_width(student: Tensor, teacher: Tensor) -> None:
    if student.shape != teacher.shape:
        msg = f"hidden states of student {tuple(student.shape)} and teacher {tuple(teacher.shape)} differ in shape"
        raise ValueError(msg)
