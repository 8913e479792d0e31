"""The encoder in plain torch: the same weights in a joint form (reference) and a prefix form (fast).

Input order is ``[groove, 34 residues][CLS][peptide]``.  Groove positions attend only to groove positions, CLS and
peptide positions attend to everything.  The groove half of every layer therefore depends on the allele alone, and the
prefix form computes its keys and values once per allele for any number of peptides.  No transformers here: prediction
loads this file only.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pmhc_distil.models.vocabulary import CLS, GROOVE_LENGTH, PAD, VOCABULARY

Prefix = list[tuple[Tensor, Tensor]]
"""Keys and values of the groove, one pair per layer, each of shape (alleles, heads, 34, head width)."""


@dataclass(frozen=True)
class EncoderShape:
    """Sizes that fix the weights of an :class:`Encoder`."""

    vocab_size: int = len(VOCABULARY)
    hidden_size: int = 128
    num_hidden_layers: int = 6
    num_attention_heads: int = 4
    intermediate_size: int = 512
    max_half_length: int = 64
    dropout: float = 0.0
    layer_norm_eps: float = 1e-5

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> "EncoderShape":
        """Take the sizes out of a configuration and ignore its other keys."""
        return cls(**{field.name: values[field.name] for field in fields(cls) if field.name in values})


def both_end_positions(length: int, max_half_length: int) -> Tensor:
    """Position of every residue, counted from the nearer end.

    Residues of the first half count from the N-terminus (0, 1, ...), those of the second half from the C-terminus
    (``max_half_length`` + 0, 1, ... inwards), so that the anchors P2 and P-omega have one position at every length.

    Parameters
    ----------
    length : int
        Number of residues, at most ``2 * max_half_length``.
    max_half_length : int
        Number of positions kept for each end.

    Returns
    -------
    Tensor of int64, shape (length,)
    """
    if not 0 < length <= 2 * max_half_length:
        msg = f"sequence length {length} is outside 1-{2 * max_half_length}"
        raise ValueError(msg)
    index = torch.arange(length)
    return torch.where(index < (length + 1) // 2, index, max_half_length + length - 1 - index)


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


class Group(NamedTuple):
    """Chunks of one peptide length inside a packed batch."""

    chunks: Tensor
    """Rows of the batch's groove table, int64, shape (chunks,)."""
    length: int
    """Residues of each peptide."""


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

    def embed_peptides(self, peptide_ids: Tensor) -> Tensor:
        """Embed CLS and peptides of one length, (..., length) as (..., length + 1, width)."""
        length = peptide_ids.shape[-1]
        ends = both_end_positions(length, self.shape.max_half_length).to(peptide_ids.device)
        positions = GROOVE_LENGTH + torch.cat([ends.new_zeros(1), ends + 1])
        return self.tokens(F.pad(peptide_ids, (1, 0), value=CLS)) + self.positions(positions)

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
        hidden = self.tokens(input_ids) + self.positions(self._joint_positions(real, groove))
        states = [hidden]
        for layer in self.stack():
            query, key, value = layer.project(hidden)
            attended = F.scaled_dot_product_attention(query, key, value, attn_mask=visible[:, None])
            hidden = layer.finish(hidden, attended.transpose(1, 2).reshape(hidden.shape))
            states.append(hidden)
        states[-1] = self.final_norm(hidden)
        return states

    def _joint_positions(self, real: Tensor, groove: Tensor) -> Tensor:
        index = torch.arange(real.shape[1], device=real.device)[None]
        start = groove.sum(1, keepdim=True)
        length = real.sum(1, keepdim=True) - start - 1
        residue = index - start - 1
        half = self.shape.max_half_length
        ends = torch.where(residue < (length + 1) // 2, residue, half + length - 1 - residue)
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
                attended = F.scaled_dot_product_attention(query, key, value)
                hidden = layer.finish(hidden, attended.transpose(1, 2).reshape(hidden.shape))
        return prefix

    def forward_blocks(self, prefix: Prefix, peptide_ids: Tensor) -> list[Tensor]:
        """Encode blocks of peptides, one allele and one length per block: the prefix form.

        Parameters
        ----------
        prefix : Prefix
            Of the alleles of the blocks, in their order.
        peptide_ids : Tensor of int64, shape (blocks, peptides, longest)
            Every block holds peptides of one length, padded with PAD on the right.

        Returns
        -------
        list of Tensor
            The embedding and the output of every layer but the last, packed without padding in the order of length
            and block, shape (tokens, width); then the normalised CLS state of the last layer, shape
            (blocks * peptides, width), in the order of the input.
        """
        lengths = (peptide_ids[:, 0] != PAD).sum(-1).tolist()
        count = peptide_ids.shape[1]
        device = peptide_ids.device
        groups = [
            Group(torch.tensor([i for i, of in enumerate(lengths) if of == length], device=device), length)
            for length in sorted(set(lengths))
        ]
        sizes = [len(group.chunks) * count * (group.length + 1) for group in groups]
        width = self.shape.hidden_size
        hidden = torch.cat([self.embed_peptides(peptide_ids[g.chunks, :, : g.length]).view(-1, width) for g in groups])
        states = [hidden]
        for layer, (keys, values) in zip(self.stack()[:-1], prefix[:-1], strict=True):
            qkv = layer.qkv(layer.attention_norm(hidden))
            attended = torch.cat(
                [
                    _attend(
                        part.view(len(g.chunks), count, g.length + 1, 3, layer.heads, -1), keys, values, g, len(groups)
                    )
                    for part, g in zip(qkv.split(sizes), groups, strict=True)
                ]
            )
            hidden = layer.finish(hidden, attended)
            states.append(hidden)
        states.append(self._last_layer(hidden, prefix[-1], groups, sizes, count))
        return states

    def _last_layer(
        self, hidden: Tensor, prefix: tuple[Tensor, Tensor], groups: list[Group], sizes: list[int], count: int
    ) -> Tensor:
        """Run the last layer for the CLS query alone, the only state that the heads read."""
        layer, width = self.stack()[-1], self.shape.hidden_size
        normed = layer.attention_norm(hidden)
        key_value = F.linear(normed, layer.qkv.weight[width:], layer.qkv.bias[width:])
        rows, attended = [], []
        for part, state, pair, group in zip(
            normed.split(sizes), hidden.split(sizes), key_value.split(sizes), groups, strict=True
        ):
            blocks, tokens = len(group.chunks), group.length + 1
            cls = part.view(-1, tokens, width)[:, 0]
            rows.append(state.view(-1, tokens, width)[:, 0])
            query = F.linear(cls, layer.qkv.weight[:width], layer.qkv.bias[:width])
            key, value = pair.view(blocks, count, tokens, 2, layer.heads, -1).unbind(3)
            groove_key, groove_value = (_pick(table, group, len(groups)) for table in prefix)
            attended.append(_mix(query.view(blocks, count, 1, layer.heads, -1), key, value, groove_key, groove_value))
        out = self.final_norm(layer.finish(torch.cat(rows), torch.cat(attended)))
        if len(groups) == 1:
            return out
        order = torch.argsort(torch.cat([group.chunks for group in groups]))
        return out.view(-1, count, width)[order].flatten(0, 1)


def _pick(table: Tensor, group: Group, groups: int) -> Tensor:
    return table if groups == 1 else table[group.chunks]


def _attend(qkv: Tensor, keys: Tensor, values: Tensor, group: Group, groups: int) -> Tensor:
    query, key, value = qkv.unbind(3)
    return _mix(query, key, value, _pick(keys, group, groups), _pick(values, group, groups))


def _mix(query: Tensor, key: Tensor, value: Tensor, prefix_key: Tensor, prefix_value: Tensor) -> Tensor:
    """Attend from peptide positions to the groove and to the peptide itself.

    Parameters
    ----------
    query : Tensor, shape (blocks, peptides, queries, heads, d)
    key, value : Tensor, shape (blocks, peptides, tokens, heads, d)
    prefix_key, prefix_value : Tensor, shape (blocks, heads, 34, d)

    Returns
    -------
    Tensor, shape (blocks * peptides * queries, heads * d)
    """
    blocks, count, queries, heads, width = query.shape
    query, key, value = (part.permute(0, 3, 1, 2, 4) for part in (query / math.sqrt(width), key, value))
    flat = query.reshape(blocks, heads, count * queries, width)
    to_groove = (flat @ prefix_key.transpose(-1, -2)).view(blocks, heads, count, queries, GROOVE_LENGTH)
    weights = torch.cat([to_groove, query @ key.transpose(-1, -2)], dim=-1).softmax(-1)
    from_groove = weights[..., :GROOVE_LENGTH].reshape(blocks, heads, count * queries, GROOVE_LENGTH) @ prefix_value
    mixed = from_groove.view(blocks, heads, count, queries, width) + weights[..., GROOVE_LENGTH:] @ value
    return mixed.permute(0, 2, 3, 1, 4).reshape(blocks * count * queries, heads * width)


class BindingHead(nn.Module):
    """Presentation logit and affinity logit from the CLS state."""

    def __init__(self, shape: EncoderShape) -> None:
        super().__init__()
        self.dense = nn.Linear(shape.hidden_size, shape.hidden_size)
        self.output = nn.Linear(shape.hidden_size, 2)

    def forward(self, cls: Tensor) -> Tensor:
        """Map CLS states (rows, width) to (rows, 2): presentation logit, affinity logit."""
        return self.output(F.gelu(self.dense(cls)))
