"""What a new encoder of texts begins with."""

import pytest
import torch

from pmhc_distil.errors import InputError
from pmhc_distil.models.hf.starting import (
    ARCHITECTURES,
    new_config,
    new_tokenizer,
    order_positions,
    train_vocabulary,
)
from pmhc_distil.tasks import TASKS


@pytest.mark.parametrize("kind", sorted({*ARCHITECTURES} - {"deberta-v2"}))
def test_positions_tell_neighbours(kind, make_text_model, word_tokenizer):
    """Prevents positions of another size than before, and ones whose likeness says nothing about how near they are."""
    model = make_text_model("fill-mask", kind, word_tokenizer, layers=2)
    order_positions(model)
    positions = model.base_model.embeddings.position_embeddings.weight.detach()
    assert float(positions.std()) == pytest.approx(model.config.initializer_range, rel=0.35)
    likeness = torch.nn.functional.cosine_similarity(positions[100:101], positions[101:140])
    assert likeness[0] > likeness[3] > likeness[12] and positions.requires_grad is False
    assert model.base_model.embeddings.position_embeddings.weight.requires_grad


def test_distances_instead_of_places(make_text_model, word_tokenizer):
    """Prevents a new DeBERTa without relative attention, off by default, or one that fails without positions."""
    model = make_text_model("fill-mask", "deberta-v2", word_tokenizer, layers=1)
    order_positions(model)
    assert model.base_model.embeddings.position_embeddings is None
    words = word_tokenizer("a b a a a a", return_tensors="pt", add_special_tokens=False)["input_ids"]
    words[:] = words[0, 0]
    words[0, 1] = word_tokenizer.mask_token_id
    with torch.inference_mode():
        states = model.base_model(words).last_hidden_state[0]
    assert not torch.allclose(states[0], states[4], atol=1e-3)


def test_new_encoders_have_them(vocabulary):
    """Prevents the order from being forgotten where a run starts from random weights."""
    from pmhc_distil.distillation.start import from_scratch

    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    model, _ = from_scratch(TASKS["fill-mask"], "bert", vocabulary, sizes).build(())
    before = model.base_model.embeddings.position_embeddings.weight.clone()
    order_positions(model)
    assert torch.equal(before, model.base_model.embeddings.position_embeddings.weight)


def test_sizes_have_one_name_for_all_kinds(word_tokenizer):
    """Prevents a recipe that serves BERT from being refused for DistilBERT, which has other names for the same."""
    sizes = {"hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 48, "hidden_dropout_prob": 0.25}
    config = new_config("distilbert", word_tokenizer, sizes)
    assert (config.dim, config.hidden_dim, config.dropout) == (16, 48, 0.25)


def test_pieces_that_end_lines_elsewhere(tmp_path):
    """Prevents a vocabulary from being cut where only some programs see an end of a line."""
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "\u2028", "\u0085", "b"]
    (tmp_path / "v.txt").write_text("\n".join(pieces) + "\n", encoding="utf-8")
    assert new_tokenizer(tmp_path / "v.txt").convert_ids_to_tokens(range(9)) == pieces


def test_a_piece_that_stands_twice(tmp_path):
    """Prevents a traceback in training for numbers beyond the vocabulary."""
    (tmp_path / "v.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\na\n")
    with pytest.raises(InputError, match=r"v.txt, row 8: the piece stands there twice: 'a'"):
        new_tokenizer(tmp_path / "v.txt")


def test_the_same_texts_give_the_same_pieces():
    """Prevents encoders that nobody can make again, as pairs of pieces that are as frequent came in any order."""
    letters = "abcdefghijklmnopqrstuvwxyz\u00e9\u00df"
    texts = [f"{a}{b}{c} {c}{a}b, {b}{c}{a}x" for a in letters for b in letters[::3] for c in letters[::5]]
    found = {tuple(train_vocabulary(texts, 400, lower=False)) for _ in range(5)}
    assert len(found) == 1
    (pieces,) = found
    assert len(pieces) == len(set(pieces)) == 400 and pieces[:5] == ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
    assert "##," not in pieces, "a letter that never stands within a word"
    with pytest.raises(InputError, match=r"the letters of these texts are more pieces: '40' \(ask for at least 62\)"):
        train_vocabulary(texts, 40, lower=False)
