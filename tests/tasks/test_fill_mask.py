"""Masked-LM asks for hidden tokens, only for those, and anew in every epoch."""

import numpy as np
import pytest
import torch

from pmhc_distil.distillation.task import Reading
from pmhc_distil.errors import InputError
from pmhc_distil.models.hf.modeling import PMHCForMaskedLM
from pmhc_distil.models.hf.starting import new_tokenizer
from pmhc_distil.models.hf.tokenizer import PMHCTokenizer
from pmhc_distil.models.vocabulary import CLS, FIRST_RESIDUE, MASK, PAD, UNK, VOCABULARY, encode
from pmhc_distil.tasks.fill_mask import forward, measured, metrics, read_windows, rows, targets
from pmhc_distil.tasks.masked_windows import WindowData
from pmhc_distil.tasks.token_arrays import IGNORED
from pmhc_distil.tasks.tokenizing import letters, tokenize

WINDOW = 32
TOKENIZER = PMHCTokenizer()


def windows(proteins, longest=WINDOW):
    """Windows of so many residues, and CLS."""
    return WindowData(proteins, longest + 1, TOKENIZER)


def batches(data, epoch=0, seed=0, batch_size=10, shuffle=True):
    sampler = data.batches(batch_size, shuffle=shuffle, seed=seed)
    sampler.set_epoch(epoch)
    for numbers in sampler:
        yield numbers, data.collate(numbers)


def original(batch):
    """Residues before masking: the label where there is one."""
    return torch.where(batch["labels"] == IGNORED, batch["input_ids"], batch["labels"])


def test_windows_lie_inside_one_protein(proteins):
    """Prevents windows that run on into the next protein, and labels that are not what stood there."""
    data = windows(proteins)
    seen = []
    for numbers, batch in batches(data):
        assert batch["input_ids"].shape[1] <= WINDOW + 1
        for number, row, mask in zip(numbers, original(batch), batch["attention_mask"], strict=True):
            assert row[0] == CLS
            residues = row[1:][mask[1:].bool()].tolist()
            assert len(residues) == min(WINDOW, len(proteins[number]))
            text = "".join(VOCABULARY[token] for token in residues)
            assert text in proteins[number]
            assert (row[~mask.bool()] == PAD).all()
        seen += numbers
    assert sorted(seen) == list(range(len(proteins)))


def test_windows_begin_anywhere():
    """Prevents the end of a protein from never being seen, and windows that run over it."""
    text = "ACDEFGHIKLMN"
    data = windows([text], 8)
    seen = set()
    for epoch in range(100):
        ((_, batch),) = batches(data, epoch)
        seen.add("".join(VOCABULARY[token] for token in original(batch)[0][1:].tolist()))
    assert seen == {text[start : start + 8] for start in range(5)}


def test_share_and_kinds_of_masking():
    """Prevents too few or too many questions, and the 80/10/10 rule from getting lost."""
    generator = np.random.default_rng(0)
    proteins = ["".join(generator.choice(list("ACDEFGHIKLMNPQRSTVWY"), 60)) for _ in range(300)]
    data = windows(proteins, 60)
    ((_, batch),) = batches(data, batch_size=300, shuffle=False)
    asked = batch["labels"] != IGNORED
    truth = torch.from_numpy(encode(proteins).astype(np.int64))
    assert asked.float().mean() * 61 / 60 == pytest.approx(0.15, abs=0.015)
    tokens, labels = batch["input_ids"][asked], batch["labels"][asked]
    assert torch.equal(original(batch)[:, 1:], truth)
    assert (tokens == MASK).float().mean() == pytest.approx(0.8, abs=0.03)
    assert (tokens == labels).float().mean() == pytest.approx(0.1 + 0.1 / 20, abs=0.03)
    assert tokens[tokens != MASK].min() >= FIRST_RESIDUE
    assert not (batch["input_ids"][~asked] == MASK).any()


def test_any_residue_may_stand_in_for_another():
    """Prevents residues that never replace one that is asked for, as where one draw decides both."""
    generator = np.random.default_rng(0)
    proteins = ["".join(generator.choice(list("ACDEFGHIKLMNPQRSTVWY"), 60)) for _ in range(300)]
    ((_, batch),) = batches(windows(proteins, 60), batch_size=300, shuffle=False)
    tokens, labels = batch["input_ids"], batch["labels"]
    replaced = tokens[(labels != IGNORED) & (tokens != MASK) & (tokens != labels)]
    assert len(replaced.unique()) == 20


def test_only_residues_are_asked_for():
    """Prevents questions about CLS, padding, and letters that are no residue."""
    data = windows(["XXXXXXXXXXXXXXXXXXXX", "ACDXXACDEFGHIKLMNPQX", "ACD"] * 40)
    for _, batch in batches(data):
        labels = batch["labels"][batch["labels"] != IGNORED]
        assert (labels >= FIRST_RESIDUE).all()
        assert (batch["labels"][:, 0] == IGNORED).all()
        assert (batch["labels"][batch["attention_mask"] == 0] == IGNORED).all()
        assert (batch["labels"][batch["input_ids"] == UNK] == IGNORED).all()


def same(one, other):
    return all(
        first == second and all(torch.equal(a[key], b[key]) for key in a)
        for (first, a), (second, b) in zip(one, other, strict=True)
    )


def test_seed_and_epoch_fix_the_masks(proteins):
    """Prevents runs that cannot be repeated, and epochs that ask the same questions."""
    data = windows(proteins)
    first = list(batches(data, epoch=0))
    assert same(first, list(batches(windows(proteins), epoch=0)))
    assert not same(first, list(batches(data, epoch=1)))
    assert not same(first, list(batches(data, seed=1)))
    assert same(first, list(batches(data, epoch=0))), "an epoch in between changes nothing"


def test_validation_asks_the_same_in_every_run(proteins):
    """Prevents validation metrics that differ by luck."""
    found = [list(batches(windows(proteins), shuffle=False)) for _ in range(2)]
    assert same(*found)
    assert [number for numbers, _ in found[0] for number in numbers] == list(range(len(proteins)))


def test_measured_masks_depend_on_their_text_alone(proteins):
    """Prevents perplexities that are lower for another seed or for smaller batches."""
    data, shown = windows(proteins), []
    for size, seed in ((4, 0), (7, 0), (4, 5)):
        sampler = data.batches(size, shuffle=False, seed=seed)
        sampler.set_epoch(3)
        tables = [data.collate(numbers) for numbers in sampler]
        shown.append([row[row != -100].tolist() for table in tables for row in table["labels"]])
    assert shown[0] == shown[1] == shown[2] and sum(map(len, shown[0])) > 0


def test_rows_belong_to_targets(proteins):
    """Prevents logits of one position from being compared with the residue of another."""
    _, batch = next(iter(batches(windows(proteins))))
    truth = targets(batch)
    logits = torch.nn.functional.one_hot(original(batch)[batch["asked"]], len(VOCABULARY)).float() * 20
    found = rows(type("Output", (), {"logits": logits}), batch)
    assert found.shape == (len(truth), len(VOCABULARY)) and truth.shape[1] == 1
    scores = metrics(None, measured(found, batch).numpy(), truth.numpy())
    assert scores["accuracy"] == 1 and scores["perplexity"] == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("kind", ["bert", "roberta", "electra", "distilbert", "pmhc"])
def test_head_is_called_on_asked_positions_alone(kind, make_text_model, make_model, proteins):
    """Prevents a large vocabulary from being computed for every token, and logits of other positions."""
    if kind == "pmhc":
        tokenizer, model = TOKENIZER, make_model(PMHCForMaskedLM)
    else:
        tokenizer = new_tokenizer("residues")
        model = make_text_model("fill-mask", kind, tokenizer)
    _, batch = next(iter(batches(WindowData(proteins, 20, tokenizer))))
    with torch.no_grad():
        found = forward(model, batch).logits
        whole = model(**{name: batch[name] for name in ("input_ids", "attention_mask")}).logits
    assert found.shape == (int(batch["asked"].sum()), len(tokenizer))
    torch.testing.assert_close(found, whole[batch["asked"]])


def test_words_get_their_special_tokens(word_tokenizer):
    """Prevents windows of text without CLS or SEP, or with a piece cut off by them."""
    texts = ["the cat sat on the mat .", "a dog ran ."]
    _, batch = next(iter(batches(WindowData(texts, 6, word_tokenizer), shuffle=False)))
    whole = original(batch)
    assert whole.shape[1] == 6 and (whole[:, 0] == word_tokenizer.cls_token_id).all()
    for row, mask in zip(whole, batch["attention_mask"].bool(), strict=True):
        assert row[mask][-1] == word_tokenizer.sep_token_id
        assert word_tokenizer.decode(row[mask], skip_special_tokens=True) in " ".join(texts).replace(" .", ".")


def test_residues_are_tokenized_as_the_tokenizer_does():
    """Prevents a hidden residue, a small letter or an unknown one from being read as another token."""
    tokenizer = new_tokenizer("residues")
    texts = ["SIINFEKL", "siinfekl", f"AC{tokenizer.mask_token}B*?"]
    found = tokenize(tokenizer, [*texts, ""])
    for number, text in enumerate(texts):
        options = {"is_split_into_words": True, "add_special_tokens": False}
        assert found[number].tolist() == tokenizer(letters(text, tokenizer), **options)["input_ids"]
    assert len(found) == 4 and len(found[2]) == 6 and len(found[3]) == 0


def test_fingerprint_heeds_proteins_and_window(proteins):
    """Prevents two runs on other data from looking the same."""
    glued = [proteins[0] + proteins[1], *proteins[2:]]
    tables = [windows(proteins), windows(proteins, 31), windows(proteins[::-1]), windows(glued)]
    assert len({data.fingerprint() for data in tables}) == 4


def test_reading(protein_fasta, proteins, tmp_path):
    """Prevents a file without texts from training on nothing."""
    reading = Reading(TOKENIZER, max_seq_length=WINDOW)
    found = read_windows(protein_fasta, reading)
    assert len(found) == len(proteins) and found.window == WINDOW - 1
    (tmp_path / "table.csv").write_text("a,b\n1,2\n")
    for name in ("table.csv", "missing.fasta"):
        with pytest.raises(InputError, match=name):
            read_windows(tmp_path / name, reading)
