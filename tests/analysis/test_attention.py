"""Attention is no explanation of this model: the number that the README gives for it."""

import math
import re
from pathlib import Path

import numpy as np
import torch
from scipy.stats import spearmanr

from pmhc_distil import Predictor
from pmhc_distil.inference.engine import read_weights
from pmhc_distil.models import BUNDLED_MODEL
from pmhc_distil.models.encoder import Encoder
from pmhc_distil.models.vocabulary import CLS, encode
from pmhc_distil.sequences.groove_table import GROOVE_LENGTH, groove_table
from pmhc_distil.sequences.residues import RESIDUES

README = Path(__file__).parents[2] / "README.md"
PAIRS = {
    "SLYNTVATL": "HLA-A*02:01",
    "QYDPVAALF": "HLA-A*24:02",
    "SPRWYFYYL": "HLA-B*07:02",
    "IPSINVHHY": "HLA-B*35:01",
    "AEDMKKYRW": "HLA-B*44:02",
}
AGREEMENT = 0.7
"""Rank correlation from which on attention would say what substitutions say, and could be shown."""


def attention_to_groove(encoder, peptide, groove):
    """Attention that each groove residue gets from CLS and peptide, mean of layers and heads, (34,)."""
    ids = torch.from_numpy(np.concatenate([encode([groove])[0], [CLS], encode([peptide])[0]]))[None].long()
    types = (torch.arange(ids.shape[1]) >= GROOVE_LENGTH).long()[None]
    states = encoder(ids, torch.ones_like(ids), types)
    found = []
    for layer, hidden in zip(encoder.stack(), states, strict=False):
        query, key, _ = layer.project(hidden)
        # Rows of CLS and peptide see every token, so that there is nothing to mask.
        weights = (query[:, :, GROOVE_LENGTH:] @ key.transpose(-1, -2) / math.sqrt(query.shape[-1])).softmax(-1)
        found.append(weights[0, :, :, :GROOVE_LENGTH].sum(1).mean(0))
    return torch.stack(found).mean(0).numpy()


def groove_effects(predictor, peptide, groove):
    """Mean change of the logit, by its size, when a groove residue is replaced, (34,)."""
    variants = [groove[:at] + residue + groove[at + 1 :] for at in range(GROOVE_LENGTH) for residue in RESIDUES[::3]]
    grooves = [groove, *variants]
    logits = predictor.engine.score([peptide] * len(grooves), grooves, np.arange(len(grooves)))[:, 0]
    return np.abs(logits[1:] - logits[0]).reshape(GROOVE_LENGTH, -1).mean(1)


@torch.inference_mode()
def test_attention_does_not_tell_which_groove_residues_matter():
    """Heat maps of attention, which look like an explanation, or a number in the README that nobody measured."""
    predictor = Predictor(threads=1, precision="single")
    shape, weights = read_weights(BUNDLED_MODEL)
    encoder = Encoder(shape).eval()
    own = {name.removeprefix("encoder."): torch.from_numpy(weight) for name, weight in weights.items()}
    encoder.load_state_dict({name: weight for name, weight in own.items() if not name.startswith("head.")})
    correlations = []
    for peptide, allele in PAIRS.items():
        groove = groove_table().groove(allele)
        attention, effects = attention_to_groove(encoder, peptide, groove), groove_effects(predictor, peptide, groove)
        correlations.append(spearmanr(attention, effects).statistic)
    mean = float(np.mean(correlations))
    told = re.search(r"rank correlation of (-?\d\.\d\d) with the effect", README.read_text(encoding="utf-8"))
    assert told is not None and abs(float(told[1]) - mean) < 0.05, f"the README should say {mean:.2f}"
    assert mean < AGREEMENT, "attention agrees with substitutions: it could be shown"
