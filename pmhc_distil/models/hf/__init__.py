"""The encoder as transformers classes; importing this makes the Auto classes and pipelines know them."""

from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
)

from pmhc_distil.models.hf.configuration import PMHCConfig
from pmhc_distil.models.hf.modeling import PMHCForMaskedLM, PMHCForSequenceClassification, PMHCModel
from pmhc_distil.models.hf.tokenizer import PMHCTokenizer

AutoConfig.register(PMHCConfig.model_type, PMHCConfig, exist_ok=True)
AutoTokenizer.register(PMHCConfig, tokenizer_class=PMHCTokenizer, exist_ok=True)
AutoModel.register(PMHCConfig, PMHCModel, exist_ok=True)
AutoModelForSequenceClassification.register(PMHCConfig, PMHCForSequenceClassification, exist_ok=True)
AutoModelForMaskedLM.register(PMHCConfig, PMHCForMaskedLM, exist_ok=True)

__all__ = ["PMHCConfig", "PMHCForMaskedLM", "PMHCForSequenceClassification", "PMHCModel", "PMHCTokenizer"]
