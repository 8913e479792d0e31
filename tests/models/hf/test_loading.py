"""Models and tokenizers of others load whole and fit each other, or are refused by name."""

import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.trainers import BpeTrainer
from transformers import CONFIG_MAPPING, AutoModel, AutoModelForMaskedLM, PreTrainedTokenizerFast

from pmhc_distil.errors import InputError
from pmhc_distil.models.hf.loading import (
    AFTER_PADDING,
    load_config,
    load_model,
    load_tokenizer,
    longest_input,
    separate_words,
)

SIZES = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}


@pytest.fixture
def saved(tmp_path, make_text_model, word_tokenizer):
    """Folder of a masked-LM model of two layers with its tokenizer, and the model."""
    model = make_text_model("fill-mask", "bert", word_tokenizer, layers=2)
    model.save_pretrained(tmp_path / "model")
    word_tokenizer.save_pretrained(tmp_path / "model")
    return tmp_path / "model", model


def test_weights_in_several_files(tmp_path, saved):
    """Prevents a model that is too large for one file from being taken for none."""
    _, model = saved
    model.save_pretrained(tmp_path / "parts", max_shard_size="10KB")
    assert len(list((tmp_path / "parts").glob("*.safetensors"))) > 1
    loaded = load_model(AutoModelForMaskedLM, tmp_path / "parts").state_dict()
    assert all(torch.equal(weight, loaded[name]) for name, weight in model.state_dict().items())


@pytest.mark.parametrize("model_class", [AutoModel, AutoModelForMaskedLM])
def test_layers_that_are_missing(saved, model_class):
    """Prevents vectors of layers that were drawn at random."""
    with pytest.raises(InputError, match="no fitting weights for 16 parts"):
        load_model(model_class, saved[0], new_head=True, num_hidden_layers=3)


@pytest.mark.parametrize("kind", AFTER_PADDING)
def test_positions_after_that_of_padding(kind):
    """Prevents a traceback for an input that is as long as the table of positions."""
    more = {"attention_window": 8} if kind == "longformer" else {}
    config = CONFIG_MAPPING[kind](**SIZES, **more, max_position_embeddings=34, vocab_size=20, pad_token_id=1)
    if kind == "xmod":
        config.default_language = config.languages[0]
    longest = longest_input(config)
    assert longest == 32
    model = AutoModel.from_config(config).eval()
    with torch.inference_mode():
        assert model(torch.full((1, longest), 5)).last_hidden_state.shape == (1, longest, 16)
        if kind != "longformer":  # which pads to its window
            with pytest.raises((IndexError, RuntimeError)):
                model(torch.full((1, longest + 1), 5))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda tokenizer: tokenizer.add_tokens(["zzz"]), "the tokenizer has 36 tokens, the model knows 35"),
        (lambda tokenizer: setattr(tokenizer, "pad_token", None), "the tokenizer has no token for padding"),
    ],
)
def test_a_tokenizer_that_does_not_fit(saved, change, told):
    """Prevents a traceback for tokens without an embedding, and in padding."""
    folder, _ = saved
    tokenizer = load_tokenizer(folder)
    change(tokenizer)
    tokenizer.save_pretrained(folder)
    with pytest.raises(InputError, match=told):
        load_tokenizer(folder, load_config(folder))


def test_pairs_for_a_model_of_one_type(saved):
    """Prevents the second text of a pair from having a type that the model has no embedding for."""
    config = load_config(saved[0])
    assert "token_type_ids" in load_tokenizer(saved[0], config).model_input_names
    config.type_vocab_size = 1
    assert load_tokenizer(saved[0], config).model_input_names == ["input_ids", "attention_mask"]


def test_words_given_one_by_one(tmp_path):
    """Prevents words from running together in tokens of bytes, and a saved tokenizer that reads them otherwise."""
    model = Tokenizer(BPE(unk_token="<unk>"))
    model.pre_tokenizer = ByteLevel(add_prefix_space=False)
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    trainer = BpeTrainer(
        vocab_size=300, special_tokens=special, initial_alphabet=ByteLevel.alphabet(), show_progress=False
    )
    model.train_from_iterator(["the York is New York New York the New"] * 5, trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=model, pad_token="<pad>", unk_token="<unk>")
    words, within = ["New", "York"], tokenizer("is New York").tokens()[-2:]
    assert tokenizer(words, is_split_into_words=True).tokens() != within
    separate_words(tokenizer)
    tokenizer.save_pretrained(tmp_path)
    for read in (tokenizer, load_tokenizer(tmp_path)):
        assert read(words, is_split_into_words=True).tokens() == within
