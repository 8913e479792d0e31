"""Make the Auto classes and pipelines of transformers know the encoder."""

from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
)

from pmhc_distil.models.configuration import PMHCConfig
from pmhc_distil.models.modeling import PMHCForMaskedLM, PMHCForSequenceClassification, PMHCModel
from pmhc_distil.models.tokenizer import PMHCTokenizer


def register() -> None:
    """Register configuration, tokenizer and models; calling it again changes nothing."""
    AutoConfig.register(PMHCConfig.model_type, PMHCConfig, exist_ok=True)
    AutoTokenizer.register(PMHCConfig, slow_tokenizer_class=PMHCTokenizer, exist_ok=True)
    AutoModel.register(PMHCConfig, PMHCModel, exist_ok=True)
    AutoModelForSequenceClassification.register(PMHCConfig, PMHCForSequenceClassification, exist_ok=True)
    AutoModelForMaskedLM.register(PMHCConfig, PMHCForMaskedLM, exist_ok=True)
