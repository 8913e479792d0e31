"""Tiny models and tables for every room; nothing here is read from outside the tests."""

import os

# Before torch is imported by whichever test needs it: one thread, and no question to the network.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np
import pandas as pd
import pytest

RESIDUES = "ACDEFGHIKLMNPQRSTVWY"
ALLELES = ("HLA-A*01:01", "HLA-A*02:01", "HLA-B*07:02")
SIZES = {
    "hidden_size": 16,
    "num_hidden_layers": 4,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_half_length": 32,
}


def random_peptides(generator, lengths):
    return ["".join(generator.choice(list(RESIDUES), length)) for length in lengths]


@pytest.fixture(scope="session")
def peptides():
    """Forty random peptides of 8 to 15 residues in no order of length."""
    generator = np.random.default_rng(5)
    return random_peptides(generator, generator.permutation(np.arange(40) % 8 + 8))


@pytest.fixture(scope="session")
def sizes():
    """Sizes of a tiny encoder."""
    return dict(SIZES)


@pytest.fixture(scope="session")
def make_model():
    """Give a function that builds a tiny model whose weights spread far enough for its logits to vary."""
    import torch

    from pmhc_distil.models.hf.configuration import PMHCConfig
    from pmhc_distil.models.hf.modeling import EMBEDDING_STD, PMHCForSequenceClassification

    def make(model_class=PMHCForSequenceClassification, seed=0, spread=0.4, **changed):
        torch.manual_seed(seed)
        model = model_class(PMHCConfig(**{**SIZES, **changed})).eval()
        with torch.no_grad():
            # Start next to nothing, whatever training starts from, so that the spread alone makes the model.
            for module in model.modules():
                if isinstance(module, torch.nn.Linear):
                    module.weight.mul_(0.02 * module.in_features**0.5)
                elif isinstance(module, torch.nn.Embedding):
                    module.weight.mul_(0.02 / EMBEDDING_STD)
            for weight in model.parameters():
                weight.add_(spread * torch.randn_like(weight))
        return model

    return make


@pytest.fixture
def teacher(make_model):
    """Give a tiny binding model of four layers."""
    return make_model()


@pytest.fixture(scope="session")
def binding_folder(tmp_path_factory, make_model):
    """Folder of a tiny binding model in single precision, with its tokenizer; read only."""
    from pmhc_distil.models.hf.tokenizer import PMHCTokenizer

    folder = tmp_path_factory.mktemp("binding")
    make_model().save_pretrained(folder)
    PMHCTokenizer().save_pretrained(folder)
    return folder


def planted_pairs(rows, seed):
    """Pairs that follow a rule: L or M at P2 and V or L at the end bind A*02:01, P at P2 and L at the end B*07:02."""
    generator = np.random.default_rng(seed)
    anchors = {"HLA-A*01:01": ("TS", "Y"), "HLA-A*02:01": ("LM", "VL"), "HLA-B*07:02": ("P", "L")}
    found = []
    for number, peptide in enumerate(random_peptides(generator, 8 + np.arange(rows) % 4)):
        allele = ALLELES[number // 4 % len(ALLELES)]
        label = number % 3 == 0
        if label:
            second, last = (generator.choice(list(letters)) for letters in anchors[allele])
            peptide = peptide[0] + second + peptide[2:-1] + last
        measured = number % 5 == 0
        found.append(
            {
                "peptide": peptide,
                "allele": allele,
                "label": float(label) if number % 10 else np.nan,
                "affinity_nm": (20.0 if label else 20_000.0) if measured else np.nan,
                "inequality": "=" if measured else "",
                "offset": 0.25 * (len(peptide) - 9) if number % 10 else 0.0,
                "source": "planted",
            }
        )
    return pd.DataFrame(found)


@pytest.fixture(scope="session")
def pairs():
    """Give 180 pairs of three alleles and four lengths, some with an affinity."""
    return planted_pairs(180, seed=1)


@pytest.fixture(scope="session")
def pair_files(tmp_path_factory, pairs):
    """Training and validation tables as files."""
    folder = tmp_path_factory.mktemp("pairs")
    pairs.to_csv(folder / "train.csv.gz", index=False)
    planted_pairs(60, seed=2).to_csv(folder / "validation.csv", index=False)
    return folder / "train.csv.gz", folder / "validation.csv"


@pytest.fixture(scope="session")
def proteins():
    """Thirty proteins of 20 to 78 residues."""
    generator = np.random.default_rng(3)
    return random_peptides(generator, range(20, 80, 2))


@pytest.fixture(scope="session")
def protein_fasta(tmp_path_factory, proteins):
    """Give the proteins as a FASTA file."""
    path = tmp_path_factory.mktemp("proteins") / "proteins.fasta"
    path.write_text("".join(f">p{number} test\n{text}\n" for number, text in enumerate(proteins)))
    return path


TEXT = (
    "the cat dog sat ran on a mat road he she was good bad film very not . , ? who where in paris london ann bob won ."
)


@pytest.fixture(scope="session")
def vocabulary(tmp_path_factory):
    """Give a file of thirty word pieces and the special ones."""
    path = tmp_path_factory.mktemp("vocabulary") / "vocab.txt"
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *dict.fromkeys(TEXT.split()), "##s", "##ing"]
    path.write_text("\n".join(pieces) + "\n")
    return path


@pytest.fixture(scope="session")
def word_tokenizer(vocabulary):
    """Give a tokenizer of a few English words."""
    from pmhc_distil.models.hf.starting import new_tokenizer

    return new_tokenizer(vocabulary)


@pytest.fixture(scope="session")
def make_text_model():
    """Give a function that builds a tiny encoder of texts for a task."""
    import torch

    from pmhc_distil.models.hf.starting import new_config
    from pmhc_distil.tasks import TASKS

    def make(task, kind, tokenizer, classes=(), seed=0, layers=4):
        sizes = {"hidden_size": 16, "num_hidden_layers": layers, "num_attention_heads": 2}
        sizes["hidden_dim" if kind == "distilbert" else "intermediate_size"] = 32
        config = new_config(kind, tokenizer, sizes)
        for name, value in TASKS[task].config(classes).items():
            setattr(config, name, value)
        torch.manual_seed(seed)
        model = TASKS[task].auto_class.from_config(config).eval()
        with torch.no_grad():
            for weight in model.parameters():
                weight.add_(0.1 * torch.randn_like(weight))
        return model

    return make
