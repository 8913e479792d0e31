"""Configuration of the peptide-HLA encoder as a transformers class."""

from dataclasses import asdict
from typing import Any

from transformers import PretrainedConfig

from pmhc_distil.models.shape import EncoderShape

LABELS = ("NON_BINDER", "BINDER")


class PMHCConfig(PretrainedConfig):
    """Configuration of :class:`~pmhc_distil.models.hf.modeling.PMHCModel` and its heads.

    Keyword arguments are the fields of :class:`~pmhc_distil.models.shape.EncoderShape`; the others go to
    :class:`transformers.PretrainedConfig`.
    """

    model_type = "pmhc"

    def __init__(self, **kwargs: Any) -> None:
        for name, value in asdict(EncoderShape.from_mapping(kwargs)).items():
            setattr(self, name, kwargs.pop(name, value))
        kwargs.setdefault("id2label", dict(enumerate(LABELS)))
        kwargs.setdefault("label2id", {label: number for number, label in enumerate(LABELS)})
        kwargs.setdefault("problem_type", "single_label_classification")
        kwargs.setdefault("tie_word_embeddings", False)
        super().__init__(**kwargs)

    def shape(self) -> EncoderShape:
        """Give the sizes that fix the encoder's weights."""
        return EncoderShape.from_mapping(self.to_dict())
