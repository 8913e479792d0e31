"""Blocks of peptides of one allele: packed without padding, and attending to the groove and to themselves."""

import math

import torch
from torch import Tensor

from pmhc_distil.sequences.groove_table import GROOVE_LENGTH


class Layout:
    """Tokens of peptides of several lengths: packed without padding, and with padding where attention needs it.

    Parameters
    ----------
    real : Tensor of bool, shape (blocks, count, tokens)
        Which positions of CLS and peptides in blocks are not padding; if all are, nothing is moved.
    """

    def __init__(self, real: Tensor) -> None:
        self.shape = real.shape
        self.real = real
        self.index = None if bool(real.all()) else real.flatten().nonzero()[:, 0]

    def pack(self, padded: Tensor) -> Tensor:
        """Turn (blocks, count, tokens) into (real tokens)."""
        return padded.flatten() if self.index is None else padded.flatten()[self.index]

    def unpack(self, packed: Tensor) -> Tensor:
        """Turn (real tokens, width) into (blocks * count * tokens, width), zeros where padding is."""
        if self.index is None:
            return packed
        padded = packed.new_zeros((math.prod(self.shape), packed.shape[1]))
        return padded.index_copy(0, self.index, packed)

    def repack(self, padded: Tensor) -> Tensor:
        """Turn (blocks * count * tokens, width) into (real tokens, width)."""
        return padded if self.index is None else padded[self.index]

    def first(self, packed: Tensor) -> Tensor:
        """Take the CLS positions, (real tokens, width) to (blocks * count, width)."""
        blocks, count, tokens = self.shape
        if self.index is None:
            return packed.view(blocks * count, tokens, -1)[:, 0]
        lengths = self.real.sum(-1).flatten()
        return packed[lengths.cumsum(0) - lengths]

    def heads(self, padded: Tensor, parts: int, heads: int) -> tuple[Tensor, ...]:
        """Split (blocks * count * n, parts * width) into parts of (blocks, heads, count, n, head width)."""
        blocks, count, _ = self.shape
        split = padded.view(blocks, count, -1, parts, heads, padded.shape[1] // (parts * heads))
        return split.permute(3, 0, 4, 1, 2, 5).unbind(0)

    def bias(self, like: Tensor) -> Tensor | None:
        """Give what is added to attention on the peptide, (blocks, 1, count, 1, tokens): -inf on padding."""
        if self.index is None:
            return None
        zeros = torch.zeros(self.real.shape, dtype=like.dtype, device=like.device)
        return zeros.masked_fill(~self.real, -math.inf)[:, None, :, None]


def mix(query: Tensor, key: Tensor, value: Tensor, groove: tuple[Tensor, Tensor], bias: Tensor | None) -> Tensor:
    """Attend from peptide positions to the groove and to the peptide itself.

    Parameters
    ----------
    query : Tensor, shape (blocks, heads, peptides, queries, d)
    key, value : Tensor, shape (blocks, heads, peptides, tokens, d)
    groove : pair of Tensor, shape (blocks, heads, 34, d)
        Its keys and values.
    bias : Tensor, shape (blocks, 1, peptides, 1, tokens), optional

    Returns
    -------
    Tensor, shape (blocks * peptides * queries, heads * d)
    """
    blocks, heads, count, queries, width = query.shape
    groove_key, groove_value = groove
    query = query / math.sqrt(width)
    flat = query.reshape(blocks, heads, count * queries, width)
    to_groove = (flat @ groove_key.transpose(-1, -2)).view(blocks, heads, count, queries, GROOVE_LENGTH)
    to_peptide = query @ key.transpose(-1, -2)
    if bias is not None:
        to_peptide = to_peptide + bias
    weights = torch.cat([to_groove, to_peptide], dim=-1).softmax(-1)
    from_groove = weights[..., :GROOVE_LENGTH].reshape(blocks, heads, count * queries, GROOVE_LENGTH) @ groove_value
    mixed = from_groove.view(blocks, heads, count, queries, width) + weights[..., GROOVE_LENGTH:] @ value
    return mixed.permute(0, 2, 3, 1, 4).reshape(blocks * count * queries, heads * width)
