"""A peptide and an HLA molecule become groove, CLS and peptide, however they are written."""

import pytest

from pmhc_distil.models.hf.loading import load_tokenizer
from pmhc_distil.models.hf.tokenizer import PMHCTokenizer
from pmhc_distil.models.vocabulary import CLS, PAD, UNK, VOCABULARY, encode
from pmhc_distil.sequences.hla import resolve_allele

GROOVE = resolve_allele("HLA-A*02:01").groove
EXPECTED = [*encode([GROOVE])[0].tolist(), CLS, *encode(["SLYNTVATL"])[0].tolist()]


@pytest.fixture(scope="module")
def tokenizer():
    return PMHCTokenizer()


def test_groove_cls_peptide(tokenizer):
    """Prevents another order than the one the encoder was trained on, or types that hide the groove."""
    tokens = tokenizer("SLYNTVATL", "HLA-A*02:01")
    assert tokens["input_ids"] == EXPECTED
    assert tokens["token_type_ids"] == [0] * 34 + [1] * 10
    assert tokens["attention_mask"] == [1] * 44


@pytest.mark.parametrize(
    "name", ["HLA-A*02:01", "A*02:01", "A0201", "HLA-A0201", "hla-a*02:01", GROOVE, GROOVE.lower()]
)
def test_spellings_of_an_allele(tokenizer, name):
    """Prevents a spelling from being read as a peptide, or as another allele."""
    assert tokenizer("SLYNTVATL", name)["input_ids"] == EXPECTED
    assert tokenizer("slyntvatl", name)["input_ids"] == EXPECTED


@pytest.mark.parametrize("text", ["SLYNTVATL HLA-A*02:01", "slyntvatl a0201", " SLYNTVATL\tA*02:01 "])
def test_one_text_with_peptide_and_allele(tokenizer, text):
    """Prevents a pipeline, which takes one text, from scoring without the HLA molecule."""
    assert tokenizer(text)["input_ids"] == EXPECTED


def test_sequence_alone_has_no_groove(tokenizer):
    """Prevents masked-LM texts from getting a prefix."""
    tokens = tokenizer("SLYNTVATL")
    assert tokens["input_ids"] == EXPECTED[34:]
    assert tokens["token_type_ids"] == [1] * 10


def test_unknown_letters(tokenizer):
    """Prevents X or a selenocysteine from being dropped, which would shift the peptide."""
    assert tokenizer("SLXNUVATL")["input_ids"][1:] == [
        *encode(["SL"])[0],
        UNK,
        *encode(["N"])[0],
        UNK,
        *encode(["VATL"])[0],
    ]


def test_a_batch_is_padded_on_the_right(tokenizer):
    """Prevents padding that the encoder takes for residues."""
    tokens = tokenizer(["SLYNTVATL A0201", "SLYNTVATLKK A0201"], padding=True)
    assert tokens["input_ids"][0] == [*EXPECTED, PAD, PAD]
    assert tokens["attention_mask"][0] == [1] * 44 + [0, 0]


def test_numbers_are_those_of_the_fast_encoding(tokenizer):
    """Prevents tokenizer and engine from numbering residues differently."""
    assert tokenizer.convert_ids_to_tokens(list(range(tokenizer.vocab_size))) == list(VOCABULARY)
    assert tokenizer.convert_tokens_to_ids(list("ACDY")) == encode(["ACDY"])[0].tolist()
    assert tokenizer.decode(tokenizer("SLYNTVATL")["input_ids"], skip_special_tokens=True) == "SLYNTVATL"


def test_save_and_load(tokenizer, tmp_path):
    """Prevents a saved tokenizer from giving other numbers."""
    tokenizer.save_pretrained(tmp_path)
    loaded = PMHCTokenizer.from_pretrained(tmp_path)
    assert loaded.get_vocab() == tokenizer.get_vocab()
    assert loaded("SLYNTVATL A0201").data == tokenizer("SLYNTVATL A0201").data
    assert (loaded.cls_token_id, loaded.pad_token_id, loaded.unk_token_id) == (CLS, PAD, UNK)
    load_tokenizer(tmp_path).save_pretrained(tmp_path / "again")
    first, again = ((folder / "tokenizer_config.json").read_text() for folder in (tmp_path, tmp_path / "again"))
    assert again == first, "how it was loaded is saved with it"


@pytest.mark.parametrize("name", ["A*99:99", "HLA-DRB1*01:01", "nonsense"])
def test_bad_allele_is_one_line(tokenizer, name):
    """Prevents an allele that does not exist from being scored as whatever its letters spell."""
    with pytest.raises(ValueError, match=r"class II|no|not") as caught:
        tokenizer("SLYNTVATL", name)
    assert "\n" not in str(caught.value)
    assert name in str(caught.value)
