"""The bias probe on a model whose distributions are known."""

import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner

from pmhc_distil import cli
from pmhc_distil.evaluation.bias import bias_of
from pmhc_distil.inference.pipeline import Pipeline
from pmhc_distil.sequences.result_columns import BIAS_COLUMNS
from pmhc_distil.texts.bias import PairTemplate


@pytest.fixture
def model(tmp_path, make_text_model, word_tokenizer):
    """Folder of a tiny model."""
    made = make_text_model("fill-mask", "bert", word_tokenizer, layers=2)
    with torch.no_grad():
        for weight in made.parameters():
            weight.add_(0.3 * torch.randn_like(weight))
    made.save_pretrained(tmp_path / "model")
    word_tokenizer.save_pretrained(tmp_path / "model")
    return tmp_path / "model", made


TEMPLATES = [
    PairTemplate("in paris {} was not a very good [MASK] .", "the cat", "she", 2),
    PairTemplate("{} ran on a [MASK]", "he", "she", 3),
    PairTemplate("[MASK] won , {} .", "ann", "the bad dog", 4),
]


def expected(model, tokenizer, sentence):
    batch = tokenizer(sentence, return_tensors="pt")
    with torch.no_grad():
        logits = model(**batch).logits[0, batch["input_ids"][0] == tokenizer.mask_token_id]
    return logits[0].double().softmax(-1).numpy()


def test_numbers_are_those_of_the_model(model, word_tokenizer):
    """Prevents sentences that are compared with those of another template, as the examples are sorted by length."""
    folder, made = model
    found = bias_of(folder, TEMPLATES, "t.csv", top_k=2)
    assert found["template"].tolist() == [one.template for one in TEMPLATES]
    for (_, row), template in zip(found.iterrows(), TEMPLATES, strict=True):
        one, other = (expected(made, word_tokenizer, sentence) for sentence in template.sentences())
        assert row["total_variation"] == pytest.approx(0.5 * np.abs(one - other).sum(), abs=1e-6) and one is not other
        for column, chance in (("tokens_first", one), ("tokens_second", other)):
            best = [word_tokenizer.convert_ids_to_tokens(int(n)) for n in np.argsort(-chance)[:2]]
            assert [entry.split()[0] for entry in row[column].split("; ")] == best
        token, ratio = row["towards_second"].split("; ")[0].split()
        number = word_tokenizer.convert_tokens_to_ids(token)
        assert float(ratio) == pytest.approx(np.log(other[number] / one[number]), rel=0.01)


def test_a_padded_vocabulary(tmp_path, make_text_model, word_tokenizer):
    """Prevents tokens called None from being listed as what the model expects."""
    made = make_text_model("fill-mask", "bert", word_tokenizer, layers=1)
    made.resize_token_embeddings(len(word_tokenizer) + 5)
    with torch.no_grad():
        made.get_output_embeddings().bias[-5:] = 20.0
    made.save_pretrained(tmp_path / "padded")
    word_tokenizer.save_pretrained(tmp_path / "padded")
    found = bias_of(tmp_path / "padded", TEMPLATES, "t.csv", top_k=3)
    assert not found["tokens_first"].str.contains("None").any()


def test_no_difference(model):
    """Prevents noise from being listed as a bias: with equal sentences nothing moves."""
    same = [PairTemplate("the {} [MASK]", "cat", "CAT", 2)]
    found = bias_of(model[0], same, "t.csv")
    assert found["total_variation"][0] == 0
    assert found["towards_first"][0] == found["towards_second"][0] == ""


def test_noise_of_single_precision_is_no_difference(model, monkeypatch):
    """Prevents the last digit of a sum, which depends on the place in the batch, from being listed as a bias."""

    def noisy(pipe, sentences):
        data, logits = rows(pipe, sentences)
        logits[1] = logits[0] + 1e-6 * np.arange(logits.shape[1]) % 3e-6
        return data, logits

    rows = Pipeline.rows
    monkeypatch.setattr(Pipeline, "rows", noisy)
    found = bias_of(model[0], [PairTemplate("the {} [MASK]", "cat", "dog", 2)], "t.csv")
    assert found["total_variation"][0] == 0
    assert found["towards_first"][0] == found["towards_second"][0] == ""


def test_a_token_that_one_filling_rules_out(model, monkeypatch, word_tokenizer):
    """Prevents the strongest bias from being left out, as the token is improbable with the other filling."""
    bad, good = word_tokenizer.convert_tokens_to_ids(["bad", "good"])

    def certain(pipe, sentences):
        data, logits = rows(pipe, sentences)
        logits[:] = -30.0
        logits[:, good] = 0.0
        logits[:, bad] = np.where(np.asarray(data.source) == 0, 0.0, -12.0)
        return data, logits

    rows = Pipeline.rows
    monkeypatch.setattr(Pipeline, "rows", certain)
    found = bias_of(model[0], [PairTemplate("the {} [MASK]", "cat", "dog", 2)], "t.csv")
    assert found["towards_first"][0].startswith("bad ")


def test_command(model, tmp_path):
    """Prevents a table with other columns than are documented, or other rows than the templates."""
    templates, output = "data/examples/bias_templates.csv", tmp_path / "bias.csv"
    arguments = ["bias", templates, "--model", str(model[0]), "-o", str(output)]
    assert CliRunner().invoke(cli.group, arguments, catch_exceptions=False).exit_code == 0
    table = pd.read_csv(output)
    assert list(table.columns) == [column.name for column in BIAS_COLUMNS]
    assert table["template"].tolist() == pd.read_csv(templates)["template"].tolist()
    assert table["total_variation"].between(0, 1).all()
