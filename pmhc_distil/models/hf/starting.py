"""A new encoder for texts: its vocabulary, its tokenizer and random weights."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Regex, Tokenizer
from tokenizers.decoders import WordPiece as WordPieceDecoder
from tokenizers.models import WordLevel, WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer, Split
from tokenizers.processors import TemplateProcessing
from tokenizers.trainers import WordPieceTrainer
from transformers import (
    CONFIG_MAPPING,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)

from pmhc_distil.errors import InputError
from pmhc_distil.models.shape import check_sizes
from pmhc_distil.sequences.residues import RESIDUES

ARCHITECTURES = ("bert", "roberta", "electra", "distilbert", "deberta-v2")
"""Kinds of encoders that can be started from random weights, beside ours for peptides."""
RESIDUE_VOCABULARY = "residues"
RELATIVE = {
    "relative_attention": True,
    "pos_att_type": ["c2p", "p2c"],
    "max_relative_positions": 32,
    "position_biased_input": False,
    "share_att_key": True,
    "norm_rel_ebd": "layer_norm",
    "type_vocab_size": 2,
}
"""A new DeBERTa (He et al. 2021) beside its sizes: it knows how far tokens are apart, up to 32, not where they are."""
DISTILBERT = {
    "intermediate_size": "hidden_dim",
    "hidden_dropout_prob": "dropout",
    "attention_probs_dropout_prob": "attention_dropout",
}
"""What DistilBERT calls sizes of BERT that transformers does not know by both names."""
CONTINUED = "##"
"""Before a piece within a word."""
SPECIAL = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}


def train_vocabulary(texts: Sequence[str], size: int, *, lower: bool) -> list[str]:
    """Learn word pieces (Schuster and Nakajima 2012) from texts; the same texts give the same pieces.

    Parameters
    ----------
    texts : sequence of str
    size : int
        Largest number of pieces, the special ones among them.
    lower : bool
        Lower all letters and take away accents.

    Returns
    -------
    list of str
        In the order of their numbers.

    Raises
    ------
    InputError
        If the letters of the texts are more pieces than that already.
    """
    model = Tokenizer(WordPiece(unk_token=SPECIAL["unk"]))
    model.normalizer = BertNormalizer(lowercase=lower)
    model.pre_tokenizer = BertPreTokenizer()
    words = {word for text in texts for word, _ in _split(model, text)}
    # Ties between pairs of pieces go by the numbers of the pieces, and the trainer numbers letters within a word in an
    # order that changes from run to run unless they are there before.
    within = sorted({f"{CONTINUED}{letter}" for word in words for letter in word[1:]})
    letters = len(SPECIAL) + len(within) + len({letter for word in words for letter in word})
    if letters > size:
        hint = f"ask for at least {letters}"
        raise InputError("the letters of these texts are more pieces", source="vocabulary", value=size, hint=hint)
    trainer = WordPieceTrainer(vocab_size=size, special_tokens=[*SPECIAL.values(), *within], show_progress=False)
    model.train_from_iterator(texts, trainer)
    return sorted(numbers := model.get_vocab(), key=numbers.__getitem__)


def _split(model: Tokenizer, text: str) -> list[tuple[str, tuple[int, int]]]:
    """Give the words of a text, and where they are."""
    assert model.normalizer is not None and model.pre_tokenizer is not None
    return list(model.pre_tokenizer.pre_tokenize_str(model.normalizer.normalize_str(text)))


def new_tokenizer(vocabulary: str | Path) -> PreTrainedTokenizerBase:
    """Make a tokenizer.

    Parameters
    ----------
    vocabulary : str or Path
        A file of word pieces, one a line, as BERT has (if none has a capital, texts are lowered), or ``residues``: one
        token for each of the twenty residues.

    Raises
    ------
    InputError
        If the file cannot be read, or lacks one of [PAD], [UNK], [CLS], [SEP] and [MASK].
    """
    if str(vocabulary) == RESIDUE_VOCABULARY:
        pieces = [*SPECIAL.values(), *RESIDUES]
        numbers = {piece: number for number, piece in enumerate(pieces)}
        model = Tokenizer(WordLevel(numbers, unk_token=SPECIAL["unk"]))
        model.pre_tokenizer = Split(Regex("."), "isolated")
    else:
        numbers = _read_vocabulary(Path(vocabulary))
        model = Tokenizer(WordPiece(numbers, unk_token=SPECIAL["unk"]))
        model.decoder = WordPieceDecoder()
        lower = all(piece == piece.lower() for piece in numbers if not piece.startswith("["))
        model.normalizer = BertNormalizer(lowercase=lower)
        model.pre_tokenizer = BertPreTokenizer()
    model.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(SPECIAL[name], numbers[SPECIAL[name]]) for name in ("cls", "sep")],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=model,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
        **{f"{name}_token": token for name, token in SPECIAL.items()},
    )


def new_config(architecture: str, tokenizer: PreTrainedTokenizerBase, sizes: dict[str, Any]) -> PreTrainedConfig:
    """Make the configuration of a new encoder.

    Parameters
    ----------
    architecture : str
        One of ``ARCHITECTURES``.
    sizes : dict
        Settings of that configuration, such as ``hidden_size``.

    Raises
    ------
    InputError
        For an unknown architecture or setting, and sizes that do not fit together.
    """
    if architecture not in ARCHITECTURES:
        raise InputError(
            "unknown kind of encoder", source="model_type", value=architecture, hint=f"use {', '.join(ARCHITECTURES)}"
        )
    kind = CONFIG_MAPPING[architecture]
    usual = RELATIVE if architecture == "deberta-v2" else {}
    if architecture == "distilbert":
        sizes = {DISTILBERT.get(name, name): value for name, value in sizes.items()}
    sizes = usual | checked_sizes(kind(**usual), sizes)
    return kind(**sizes, vocab_size=len(tokenizer), pad_token_id=tokenizer.pad_token_id)


def order_positions(model: PreTrainedModel) -> None:
    """Let the positions of a new encoder begin as sinusoids (Vaswani et al. 2017) of the size that they have.

    They are trained like any weight.  Attention to a neighbour is then learned for all places at once, instead of for
    each by itself.  An encoder that knows distances alone is left as it is.
    """
    positions = model.base_model.embeddings.position_embeddings
    if positions is None:
        return
    weight = positions.weight
    count, width = weight.shape
    place = torch.arange(count)[:, None]
    angle = place / 10_000 ** (torch.arange(0, width, 2) / width)
    waves = torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)[:, :width]
    with torch.no_grad():
        weight.copy_(waves * 2**0.5 * model.config.initializer_range)


def checked_sizes(usual: PreTrainedConfig, sizes: dict[str, Any]) -> dict[str, Any]:
    """Give the sizes back if a new encoder can have them.

    Parameters
    ----------
    usual : PreTrainedConfig
        A configuration of its kind, with a setting for each that is known, of the right type.

    Raises
    ------
    InputError
        For an unknown setting, one that is no number of its kind, and sizes that do not fit together.
    """
    known = {*usual.to_dict(), *usual.attribute_map}
    for name in sizes:
        if name not in known:
            raise InputError(f"no setting of a '{usual.model_type}' encoder", source="--recipe", value=name)
    right = {name: getattr(usual, name) for name in (*sizes, "hidden_size", "num_attention_heads")}
    check_sizes(sizes, right, "--recipe")
    return sizes


def _read_vocabulary(path: Path) -> dict[str, int]:
    try:
        # Other ends of lines than these, of which Unicode has some, can be pieces.
        lines = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        hint = f"give a text file with one piece a line, or '{RESIDUE_VOCABULARY}'"
        raise InputError("the vocabulary cannot be read", source=str(path), hint=hint) from error
    numbers: dict[str, int] = {}
    for row, piece in enumerate(lines, start=1):
        if piece in numbers:
            raise InputError("the piece stands there twice", source=str(path), row=row, value=piece)
        numbers[piece] = row - 1
    for token in SPECIAL.values():
        if token not in numbers:
            raise InputError("a special token is missing", source=str(path), value=token)
    return numbers
