"""The encoder and its heads as transformers models: what trains, is saved, halved and used by pipelines."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput, MaskedLMOutput
from transformers.utils import ModelOutput

from pmhc_distil.models.encoder import BindingHead, Encoder
from pmhc_distil.models.hf.configuration import PMHCConfig

EMBEDDING_STD = 0.5


@dataclass
class BindingOutput(ModelOutput):
    """Output of :class:`PMHCForSequenceClassification`.

    Attributes
    ----------
    loss : Tensor, optional
        Cross-entropy, when ``labels`` were given to the joint form.
    logits : Tensor, shape (rows, 2)
        NON_BINDER (always 0) and BINDER: their softmax is the sigmoid of the presentation logit.
    affinity_logits : Tensor, shape (rows,)
        Their sigmoid is ``1 - log(nM) / log(50000)``.
    pooled_logits : Tensor, shape (rows,), optional
        What is added to the presentation logit for ligands of pooled sources; in training alone.
    hidden_states : tuple of Tensor, optional
        The embedding and the output of every layer.
    """

    loss: Tensor | None = None
    logits: Tensor | None = None
    affinity_logits: Tensor | None = None
    pooled_logits: Tensor | None = None
    hidden_states: tuple[Tensor, ...] | None = None


class PMHCPreTrainedModel(PreTrainedModel):
    """Weight initialisation and loading, shared by the models below."""

    config_class = PMHCConfig
    base_model_prefix = "encoder"
    supports_gradient_checkpointing = False
    _supports_sdpa = True

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """Draw weights so that signals keep their size at any width; residual branches shrink with depth.

        Matrices have a standard deviation of one over the root of their inputs (LeCun et al. 1998), outputs of
        residual branches that over the root of the number of branches (Radford et al. 2019).  The 0.02 that is common
        for a width of 768 is too little for a narrow encoder, which then learns slowly.
        """
        if isinstance(module, Encoder):
            branches = [b for layer in module.stack() for b in (layer.attention_output, layer.feedforward_out)]
            for branch in branches:
                nn.init.normal_(branch.weight, std=1 / math.sqrt(branch.in_features * len(branches)))
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=1 / math.sqrt(module.in_features))
            nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=EMBEDDING_STD)
        elif isinstance(module, nn.LayerNorm):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)


class PMHCModel(PMHCPreTrainedModel):
    """The bare encoder."""

    base_model_prefix = ""

    def __init__(self, config: PMHCConfig) -> None:
        super().__init__(config)
        self.encoder = Encoder(config.shape())
        self.post_init()

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        **_: Any,
    ) -> BaseModelOutput:
        """Encode padded sequences jointly; see :meth:`Encoder.forward` for the arguments."""
        states = _joint(self.encoder, input_ids, attention_mask, token_type_ids)
        return BaseModelOutput(last_hidden_state=states[-1], hidden_states=tuple(states))


class PMHCForSequenceClassification(PMHCPreTrainedModel):
    """Binding head on the CLS state: presentation and affinity.

    Attributes
    ----------
    pooled : Linear, optional
        An output beside those of the head, which :meth:`tell_pooled_apart` adds for a training.
    """

    def __init__(self, config: PMHCConfig) -> None:
        super().__init__(config)
        self.encoder = Encoder(config.shape())
        self.head = BindingHead(config.shape())
        self.pooled: nn.Linear | None = None
        self.post_init()

    def tell_pooled_apart(self, apart: bool) -> None:
        """Add an output for what sets ligands of pooled sources apart, at first zero, or take it away.

        What is wrong with the labels of a source is learned there instead of in the presentation logit (Goldberger and
        Ben-Reuven 2017 learn noise in a layer of its own; here it may depend on peptide and allele).
        """
        self.pooled = None
        if apart:
            self.pooled = nn.Linear(self.config.hidden_size, 1)
            nn.init.zeros_(self.pooled.weight)
            nn.init.zeros_(self.pooled.bias)

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        *,
        groove_ids: Tensor | None = None,
        peptide_ids: Tensor | None = None,
        labels: Tensor | None = None,
        **_: Any,
    ) -> BindingOutput:
        """Score peptides against HLA molecules.

        Give either the joint form (``input_ids``, ``attention_mask``, ``token_type_ids``: what the tokenizer makes) or
        the prefix form (``groove_ids`` (blocks, 34) and ``peptide_ids`` (blocks, peptides, longest), one allele per
        block).  Both give the same numbers, one row per peptide; the prefix form is faster.

        Parameters
        ----------
        labels : Tensor of int64, shape (batch,), optional
            1 for BINDER, 0 for NON_BINDER; joint form only.
        """
        if input_ids is not None and groove_ids is None and peptide_ids is None:
            states = _joint(self.encoder, input_ids, attention_mask, token_type_ids)
            cls = torch.zeros_like(input_ids[:, 0]) if token_type_ids is None else token_type_ids.argmax(1)
            cls_states = states[-1][torch.arange(len(cls), device=cls.device), cls]
        elif input_ids is None and groove_ids is not None and peptide_ids is not None:
            states = self.encoder.forward_blocks(self.encoder.prefix(groove_ids), peptide_ids)
            cls_states = states[-1]
        else:
            msg = "give either input_ids or groove_ids with peptide_ids"
            raise ValueError(msg)
        hidden = self.head.hidden(cls_states)
        presentation, affinity = self.head.output(hidden).unbind(-1)
        pooled = None if self.pooled is None else self.pooled(hidden)[:, 0]
        logits = torch.stack([torch.zeros_like(presentation), presentation], dim=-1)
        loss = None if labels is None else nn.functional.cross_entropy(logits.float(), labels)
        return BindingOutput(
            loss=loss,
            logits=logits,
            affinity_logits=affinity,
            pooled_logits=pooled,
            hidden_states=tuple(states),
        )


class PMHCForMaskedLM(PMHCPreTrainedModel):
    """Residue prediction at every position."""

    def __init__(self, config: PMHCConfig) -> None:
        super().__init__(config)
        self.encoder = Encoder(config.shape())
        self.lm_dense = nn.Linear(config.hidden_size, config.hidden_size)
        self.lm_output = nn.Linear(config.hidden_size, config.vocab_size)
        self.post_init()

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        labels: Tensor | None = None,
        **_: Any,
    ) -> MaskedLMOutput:
        """Predict the token at every position.

        Parameters
        ----------
        labels : Tensor of int64, shape (batch, tokens), optional
            Token to predict; -100 where nothing was masked.
        """
        states = _joint(self.encoder, input_ids, attention_mask, token_type_ids)
        logits = self.lm_output(nn.functional.gelu(self.lm_dense(states[-1])))
        loss = None
        if labels is not None:
            loss = nn.functional.cross_entropy(logits.flatten(0, 1).float(), labels.flatten())
        return MaskedLMOutput(loss=loss, logits=logits, hidden_states=tuple(states))


def _joint(
    encoder: Encoder, input_ids: Tensor, attention_mask: Tensor | None, token_type_ids: Tensor | None
) -> list[Tensor]:
    """Run the joint form; without a mask nothing is padding, without token types there is no groove."""
    if attention_mask is None:
        attention_mask = torch.ones_like(input_ids)
    if token_type_ids is None:
        token_type_ids = torch.ones_like(input_ids)
    return encoder(input_ids, attention_mask, token_type_ids)
