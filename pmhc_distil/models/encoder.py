"""The encoder in plain torch: the same weights in a joint form (reference) and a prefix form (fast).

Input order is ``[groove, 34 residues][CLS][peptide]``.  Groove positions attend only to groove positions, CLS and
peptide positions attend to everything.  The groove half of every layer therefore depends on the allele alone, and the
prefix form computes its keys and values once per allele for any number of peptides.  No transformers here: prediction
loads this file only.
"""

import math
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pmhc_distil.models.block_attention import Layout, mix
from pmhc_distil.models.shape import EncoderShape
from pmhc_distil.models.vocabulary import CLS, PAD
from pmhc_distil.sequences.groove_table import GROOVE_LENGTH

Prefix = list[tuple[Tensor, Tensor]]
"""Keys and values of the groove, one pair per layer, each of shape (alleles, heads, 34, head width)."""


def both_end_positions(residue: Tensor, length: Tensor, max_half_length: int) -> Tensor:
    """Position of residues, counted from the nearer end.

    Residues of the first half count from the N-terminus (0, 1, ...), those of the second half from the C-terminus
    (``max_half_length`` + 0, 1, ... inwards), so that the anchors P2 and P-omega have one position at every length.

    Parameters
    ----------
    residue : Tensor of int64
        0-based number of a residue in its sequence.
    length : Tensor of int64
        Residues of that sequence, at most ``2 * max_half_length``; broadcast with ``residue``.
    max_half_length : int
        Number of positions kept for each end.
    """
    return torch.where(residue < (length + 1) // 2, residue, max_half_length + length - 1 - residue)


class Layer(nn.Module):
    """One pre-norm transformer layer; attention itself is left to the caller's form."""

    def __init__(self, shape: EncoderShape) -> None:
        super().__init__()
        width = shape.hidden_size
        self.heads = shape.num_attention_heads
        self.attention_norm = nn.LayerNorm(width, eps=shape.layer_norm_eps)
        self.qkv = nn.Linear(width, 3 * width)
        self.attention_output = nn.Linear(width, width)
        self.feedforward_norm = nn.LayerNorm(width, eps=shape.layer_norm_eps)
        self.feedforward_in = nn.Linear(width, shape.intermediate_size)
        self.feedforward_out = nn.Linear(shape.intermediate_size, width)
        self.dropout = nn.Dropout(shape.dropout)

    def project(self, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Give queries, keys and values (batch, heads, tokens, head width) of ``hidden`` (batch, tokens, width)."""
        batch, tokens, width = hidden.shape
        qkv = self.qkv(self.attention_norm(hidden)).view(batch, tokens, 3, self.heads, width // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        return query, key, value

    def finish(self, hidden: Tensor, attended: Tensor) -> Tensor:
        """Add the attention output and the feed-forward block to ``hidden``; any leading shape."""
        hidden = hidden + self.dropout(self.attention_output(attended))
        inner = F.gelu(self.feedforward_in(self.feedforward_norm(hidden)))
        return hidden + self.dropout(self.feedforward_out(inner))


class Encoder(nn.Module):
    """Groove and peptide encoder.

    Parameters
    ----------
    shape : EncoderShape
    """

    def __init__(self, shape: EncoderShape) -> None:
        super().__init__()
        self.shape = shape
        self.tokens = nn.Embedding(shape.vocab_size, shape.hidden_size)
        self.positions = nn.Embedding(GROOVE_LENGTH + 1 + 2 * shape.max_half_length, shape.hidden_size)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.num_hidden_layers))
        self.final_norm = nn.LayerNorm(shape.hidden_size, eps=shape.layer_norm_eps)

    def stack(self) -> list[Layer]:
        """Give the layers by their type, which an ``nn.ModuleList`` hides."""
        return cast(list[Layer], list(self.layers))

    def embed_groove(self, groove_ids: Tensor) -> Tensor:
        """Embed groove tokens (..., 34) as (..., 34, width)."""
        return self.tokens(groove_ids) + self.positions.weight[:GROOVE_LENGTH]

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> list[Tensor]:
        """Encode padded sequences jointly: the reference form.

        Parameters
        ----------
        input_ids : Tensor of int64, shape (batch, tokens)
            ``groove + [CLS] + sequence`` or ``[CLS] + sequence``, padded on the right.
        attention_mask : Tensor, shape (batch, tokens)
            1 for tokens, 0 for padding.
        token_type_ids : Tensor, shape (batch, tokens)
            0 for groove positions, 1 for CLS and sequence.

        Returns
        -------
        list of Tensor, each of shape (batch, tokens, width)
            The embedding and the output of every layer, the last one normalised.
        """
        real = attention_mask.bool()
        groove = (token_type_ids == 0) & real
        visible = real[:, None, :] & (groove[:, None, :] | ~groove[:, :, None])
        hidden = self.tokens(input_ids) + self.positions(self._positions(real, groove))
        states = [hidden]
        for layer in self.stack():
            query, key, value = layer.project(hidden)
            attended = F.scaled_dot_product_attention(query, key, value, attn_mask=visible[:, None])
            hidden = layer.finish(hidden, attended.transpose(1, 2).reshape(hidden.shape))
            states.append(hidden)
        states[-1] = self.final_norm(hidden)
        return states

    def _positions(self, real: Tensor, groove: Tensor) -> Tensor:
        """Give the positions of groove (if any), CLS and sequence, (batch, tokens) with padding on the right."""
        index = torch.arange(real.shape[1], device=real.device)[None]
        start = groove.sum(1, keepdim=True)
        residue = index - start - 1
        ends = both_end_positions(residue, real.sum(1, keepdim=True) - start - 1, self.shape.max_half_length)
        positions = torch.where(groove, index, GROOVE_LENGTH + 1 + ends)
        return torch.where(residue == -1, GROOVE_LENGTH, positions).masked_fill(~real, 0)

    def prefix(self, groove_ids: Tensor) -> Prefix:
        """Compute keys and values of the groove for every layer.

        Parameters
        ----------
        groove_ids : Tensor of int64, shape (alleles, 34)
        """
        hidden = self.embed_groove(groove_ids)
        prefix = []
        for number, layer in enumerate(self.stack(), start=1):
            query, key, value = layer.project(hidden)
            prefix.append((key, value))
            if number < len(self.layers):
                # Written out: in bfloat16 on a CPU the fused kernel takes six times as long for so few tokens.
                weights = (query / math.sqrt(query.shape[-1]) @ key.transpose(-1, -2)).softmax(-1)
                hidden = layer.finish(hidden, (weights @ value).transpose(1, 2).reshape(hidden.shape))
        return prefix

    def forward_blocks(self, prefix: Prefix, peptide_ids: Tensor) -> list[Tensor]:
        """Encode blocks of peptides, one allele per block: the prefix form.

        Parameters
        ----------
        prefix : Prefix
            Of the alleles of the blocks, in their order.
        peptide_ids : Tensor of int64, shape (blocks, peptides, longest)
            Padded with PAD on the right; nothing is spent on padding if all peptides have one length.

        Returns
        -------
        list of Tensor
            The embedding and the output of every layer but the last, of shape (tokens, width), packed without padding
            in the order of the input; then the normalised CLS state of the last layer, shape
            (blocks * peptides, width).

        Raises
        ------
        ValueError
            If the peptides are longer than the positions of both ends reach.
        """
        longest, reach = peptide_ids.shape[-1], 2 * self.shape.max_half_length
        if longest > reach:
            msg = f"peptides of {longest} residues: the model has positions for {reach}"
            raise ValueError(msg)
        real = F.pad(peptide_ids != PAD, (1, 0), value=True)
        layout = Layout(real)
        positions = self._positions(real.flatten(0, 1), torch.zeros_like(real.flatten(0, 1)))
        tokens = F.pad(peptide_ids, (1, 0), value=CLS)
        hidden = self.tokens(layout.pack(tokens)) + self.positions(layout.pack(positions))
        states = [hidden]
        for layer, groove in zip(self.stack()[:-1], prefix[:-1], strict=True):
            qkv = layout.unpack(layer.qkv(layer.attention_norm(hidden)))
            query, key, value = layout.heads(qkv, 3, layer.heads)
            hidden = layer.finish(hidden, layout.repack(mix(query, key, value, groove, layout.bias(qkv))))
            states.append(hidden)
        layer, width = self.stack()[-1], self.shape.hidden_size
        # The heads read the CLS state alone: the last layer needs keys and values of all tokens, but one query.
        normed = layer.attention_norm(hidden)
        key_value = layout.unpack(F.linear(normed, layer.qkv.weight[width:], layer.qkv.bias[width:]))
        query = F.linear(layout.first(normed), layer.qkv.weight[:width], layer.qkv.bias[:width])
        (query,) = layout.heads(query, 1, layer.heads)
        key, value = layout.heads(key_value, 2, layer.heads)
        attended = mix(query, key, value, prefix[-1], layout.bias(key_value))
        states.append(self.final_norm(layer.finish(layout.first(hidden), attended)))
        return states


class BindingHead(nn.Module):
    """Presentation logit and affinity logit from the CLS state."""

    def __init__(self, shape: EncoderShape) -> None:
        super().__init__()
        self.dense = nn.Linear(shape.hidden_size, shape.hidden_size)
        self.output = nn.Linear(shape.hidden_size, 2)

    def forward(self, cls: Tensor) -> Tensor:
        """Map CLS states (rows, width) to (rows, 2): presentation logit, affinity logit."""
        return self.output(self.hidden(cls))

    def hidden(self, cls: Tensor) -> Tensor:
        """Give what the outputs are linear in, (rows, width)."""
        return F.gelu(self.dense(cls))
