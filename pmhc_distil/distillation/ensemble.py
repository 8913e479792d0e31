"""Several teachers as one: a student learns from the mean of what they say (Hinton et al. 2015)."""

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.utils import ModelOutput


class Ensemble(nn.Module):
    """The mean logits of some models, with the hidden states of the first.

    The mean of logits is, but for a constant, the logarithm of the geometric mean of the probabilities.

    Parameters
    ----------
    models : sequence of PreTrainedModel
        With the same head for the same classes; their encoders may differ.
    further : sequence of PreTrainedModel
        Such models that are asked only about what :attr:`pmhc_distil.distillation.task.Task.new_part` gives; their
        answers to it count as those of the others do.
    """

    def __init__(self, models: Sequence[PreTrainedModel], further: Sequence[PreTrainedModel] = ()) -> None:
        super().__init__()
        self.models = nn.ModuleList(models)
        self.further = Ensemble(further) if further else None
        self.config = models[0].config

    def set_attn_implementation(self, name: str) -> None:
        """Choose the attention kernel of every model."""
        for model in self.models:
            cast("PreTrainedModel", model).set_attn_implementation(name)
        if self.further is not None:
            self.further.set_attn_implementation(name)

    def forward(self, *, output_hidden_states: bool = False, **inputs: Any) -> ModelOutput:
        """Give the outputs of the first model, with every tensor replaced by its mean over the models."""
        found = self.models[0](output_hidden_states=output_hidden_states, **inputs)
        others = [model(**inputs) for model in self.models[1:]]
        for name, value in found.items():
            if isinstance(value, Tensor):
                found[name] = torch.stack([value, *(other[name] for other in others)]).mean(0)
        return found


Teacher = PreTrainedModel | Ensemble
