"""Loading a model and its tokenizer, with errors that name it; no code from a folder is run.

A folder on disk is read and nothing else; the network is asked only for a name that is no folder here.
"""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from tokenizers.pre_tokenizers import ByteLevel
from transformers import AutoConfig, AutoTokenizer, PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging

from pmhc_distil.errors import InputError
from pmhc_distil.models.hf.configuration import PMHCConfig
from pmhc_distil.models.hf.tokenizer import PMHCTokenizer
from pmhc_distil.models.vocabulary import VOCABULARY
from pmhc_distil.sequences.residues import RESIDUES

FOLDER = "a folder made by pretrain, finetune or distill is expected, or the name of a model on the hub"
WEIGHT_FILES = ("model.safetensors", "model.safetensors.index.json")
TOKENIZER_FILES = ("tokenizer.json", "vocab.txt", "vocab.json", "spiece.model", "sentencepiece.bpe.model")
LONGEST = 512
AFTER_PADDING = (
    "camembert",
    "data2vec-text",
    "esm",
    "ibert",
    "longformer",
    "luke",
    "mpnet",
    "roberta",
    "roberta-prelayernorm",
    "xlm-roberta",
    "xlm-roberta-xl",
    "xmod",
)
"""Kinds of encoders whose positions begin after that of padding."""


def load_model(model_class: Any, source: str | Path, *, new_head: bool = False, **changes: Any) -> PreTrainedModel:
    """Load a model in single precision.

    Parameters
    ----------
    model_class : type
        A model class, or an Auto class that finds one.
    source : str or Path
        Folder that holds ``config.json`` and ``model.safetensors`` (or its parts and their index), or the name of a
        model on the hub.
    new_head : bool
        Accept a model that has another head, and start this one's at random.
    **changes
        Changes to its configuration, such as the names of classes.

    Raises
    ------
    InputError
        If this is no model of this kind.
    """
    folder = _is_folder(source)
    weights = any((Path(source) / name).is_file() for name in WEIGHT_FILES)
    if folder and not (weights and (Path(source) / "config.json").is_file()):
        hint = FOLDER
        if (Path(source) / "pytorch_model.bin").is_file():
            hint = "pytorch_model.bin can hold code and is not read: save the model once more by save_pretrained"
        raise InputError(
            "not a model folder: config.json or model.safetensors is missing", source=str(source), hint=hint
        )
    config = load_config(source)
    for name, value in changes.items():
        setattr(config, name, value)
    # What is missing is for us to judge; the report that transformers prints would alarm for a new head.
    level = logging.get_verbosity()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        model, report = model_class.from_pretrained(
            str(source),
            config=config,
            local_files_only=folder,
            use_safetensors=True,
            dtype="float32",
            output_loading_info=True,
            ignore_mismatched_sizes=new_head,
        )
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        raise InputError("the model cannot be loaded", source=str(source), hint=_first_line(error)) from error
    finally:
        logging.set_verbosity(level)
    inside = f"{model.base_model_prefix}."
    # A weight of another size is reinitialised like one that is missing.
    without = {*report["missing_keys"], *(name for name, *_ in report["mismatched_keys"])}
    if bad := next((name for name, weight in model.named_parameters() if not weight.isfinite().all()), None):
        raise InputError("the weights are not all numbers", source=str(source), value=bad, hint="train it anew")
    beyond = sorted(name for name in report["unexpected_keys"] if name.startswith(inside))
    if beyond and config.model_type == PMHCConfig.model_type:  # ours have no others than those of their sizes
        raise InputError("there are weights that its sizes do not have", source=str(source), value=beyond[0])
    bare = model.base_model is model  # so that all its weights are inside, and none says so in its name
    missing = sorted(
        name
        for name in without
        # The pooler belongs to the head: masked-LM has none.
        if not new_head or ((bare or name.startswith(inside)) and ".pooler." not in f".{name}")
    )
    if missing:
        raise InputError(
            f"there are no fitting weights for {len(missing)} parts of {type(model).__name__}",
            source=str(source),
            value=missing[0],
            hint=FOLDER,
        )
    return model


def load_config(source: str | Path) -> PreTrainedConfig:
    """Load the configuration of a model.

    Raises
    ------
    InputError
        If there is none, or it is of an unknown kind.
    """
    folder = _is_folder(source)
    if folder and not (Path(source) / "config.json").is_file():
        raise InputError("not a model folder: config.json is missing", source=str(source), hint=FOLDER)
    try:
        return AutoConfig.from_pretrained(str(source), local_files_only=folder)
    except InputError as error:
        raise replace(error, source=str(Path(source) / "config.json")) from error
    except (OSError, ValueError, KeyError, StrictDataclassError) as error:
        reason = "the model cannot be loaded" if folder else "no such folder, and no model of that name can be fetched"
        raise InputError(reason, source=str(source), hint=_first_line(error)) from error


def load_tokenizer(source: str | Path, config: PreTrainedConfig | None = None) -> PreTrainedTokenizerBase:
    """Load the tokenizer of a model.

    Parameters
    ----------
    source : str or Path
    config : PreTrainedConfig, optional
        Of the model, which it has to fit.

    Raises
    ------
    InputError
        If there is none, or it has tokens that the model does not know, or none for padding.
    """
    folder = _is_folder(source)
    if folder and not any((Path(source) / name).is_file() for name in TOKENIZER_FILES):
        # From nothing but a configuration, transformers makes a tokenizer that knows no word.
        raise InputError("there is no tokenizer in the folder", source=str(source), hint=FOLDER)
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(source), local_files_only=folder)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError("the tokenizer cannot be loaded", source=str(source), hint=_first_line(error)) from error
    if isinstance(tokenizer, PMHCTokenizer) and tokenizer.get_vocab() != {
        token: i for i, token in enumerate(VOCABULARY)
    }:
        raise InputError("the vocabulary is another than that of peptides", source=str(source), hint=FOLDER)
    for name in ("local_files_only", "is_local"):  # would be saved with it, though true of this loading alone
        tokenizer.init_kwargs.pop(name, None)
    if config is not None:
        _fit(tokenizer, config, str(source))
    return tokenizer


def _fit(tokenizer: PreTrainedTokenizerBase, config: PreTrainedConfig, source: str) -> None:
    if tokenizer.pad_token_id is None:
        hint = "choose an encoder, or give the tokenizer one (pad_token)"
        raise InputError("the tokenizer has no token for padding", source=source, hint=hint)
    known = getattr(config, "vocab_size", None)
    if known is not None and len(tokenizer) > known:
        reason = f"the tokenizer has {len(tokenizer)} tokens, the model knows {known}"
        raise InputError(reason, source=source, hint="save the model once more after resize_token_embeddings")
    if getattr(config, "type_vocab_size", 2) == 1:  # the second text of a pair is of no type of its own
        tokenizer.model_input_names = [name for name in tokenizer.model_input_names if name != "token_type_ids"]


def separate_words(tokenizer: PreTrainedTokenizerBase) -> None:
    """Let words that are given one by one begin with a blank where the tokens have blanks, as they do within a text.

    A tokenizer of bytes, such as that of RoBERTa, takes the words ``New`` and ``York`` for ``NewYork`` otherwise.
    """
    first = tokenizer.backend_tokenizer.pre_tokenizer
    if isinstance(first, ByteLevel) and not first.add_prefix_space:
        first.add_prefix_space = True
        tokenizer.add_prefix_space = tokenizer.init_kwargs["add_prefix_space"] = True


def spells_residues(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Tell whether the tokens are residues, so that a sequence is read letter by letter."""
    vocabulary = tokenizer.get_vocab()
    return len(vocabulary) <= 8 * len(VOCABULARY) and all(residue in vocabulary for residue in RESIDUES)


def longest_input(model_config: Any) -> int:
    """Give how many tokens a model can take, at most 512."""
    if model_config.model_type == PMHCConfig.model_type:
        return 2 * model_config.max_half_length + 1
    positions = getattr(model_config, "max_position_embeddings", LONGEST)
    if positions < 1:  # no limit, as XLNet has it
        return LONGEST
    if model_config.model_type in AFTER_PADDING:
        positions -= model_config.pad_token_id + 1
    return min(LONGEST, positions)


def _is_folder(source: str | Path) -> bool:
    """Tell a path from the name of a model: what exists, looks like a path, or would lie in a folder here, is one."""
    text = str(source)
    looks = isinstance(source, Path) or text.startswith((".", os.sep, "~")) or text.count("/") > 1
    return Path(text).exists() or looks or ("/" in text and Path(text).parent.is_dir())


def _first_line(error: Exception) -> str:
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
