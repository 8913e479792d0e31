"""The examples that a command's --help shows must work when they are pasted."""

import gzip
import json
import re
import shlex
import shutil
import types
from pathlib import Path

import click
import numpy as np
import pandas as pd
import pytest
import yaml

from pmhc_distil import cli
from pmhc_distil.inference import calibration
from pmhc_distil.sequences.groove_table import groove_table

ROOT = Path(__file__).parents[1]
SIZES = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
QUICK = {"max_steps": 2, "num_train_epochs": 1, "per_device_train_batch_size": 8, "use_cpu": True}
TAUGHT = {"alpha_soft": 1.0, "alpha_cosine": 0.1}
RECIPES = {
    "pretrain": {**SIZES, **QUICK, "max_half_length": 16, "max_seq_length": 20},
    "finetune": QUICK,
    "distill": {**QUICK, **TAUGHT},
    "calibrate": {"windows": 4, "seed": 1},
    "english/pretrain": {**SIZES, **QUICK, "model_type": "bert", "max_position_embeddings": 64},
    "english/distill": {**QUICK, **TAUGHT},
    "data": {
        "sources": [{"file": "ligands.csv"}, {"file": "affinities.csv"}],
        "negatives_per_positive": 3,
        "uniform_share": 0.25,
        "validation_share": 0.3,
        "seed": 1,
    },
}
ORDER = (
    "data",
    "pretrain",
    "finetune",
    "distill",
    "calibrate",
    "evaluate",
    "run",
    "embed",
    "bias",
    "compare",
    "gather",
)
"""Commands in the order in which one makes what the next reads."""
MORE_MODELS = (
    ("question-answering", "squad", "train-v1.1.json.gz"),
    ("token-classification", "names", "names.txt"),
    ("question-answering", "clinic/teacher", "train-v1.1.json.gz"),
    ("question-answering", "clinic/student", "train-v1.1.json.gz"),
)
"""Task, name and data of the models that the examples of ``run`` and ``compare`` use."""
TEXTS = (
    "The film was good. It was a charming journey.",
    "A bad film. Ann won in Paris.",
    "Bob was not there. Who won?",
)


def _commands(command, name, context):
    """Give every command under one by its full name."""
    if not isinstance(command, click.Group):
        yield name, command
        return
    for child in command.list_commands(context):
        yield from _commands(command.get_command(context, child), f"{name} {child}".strip(), context)


def _examples(command):
    """Give the arguments of every example in a command's help."""
    text = re.sub(r"\\\n", " ", f"{command.help}\n{command.epilog or ''}")
    return [shlex.split(line, comments=True)[1:] for line in re.findall(r"^\s+(pmhc-distil .*)$", text, re.M)]


def _can_run(words):
    """Tell whether every file that an example reads is shipped."""
    read = [word for before, word in zip(["", *words], words, strict=False) if before not in ("-o", "--output")]
    files = [word for word in read if "/" in word or re.search(r"\.[a-z]{2,}$", word)]
    return all(word.startswith("data/") and (ROOT / word).exists() for word in files)  # others may lie about here


CONTEXT = click.Context(cli.group)
EXAMPLES = {name: _examples(command) for name, command in _commands(cli.group, "", CONTEXT)}
RUNNABLE = {shlex.join(words): words for examples in EXAMPLES.values() for words in examples if _can_run(words)}


def _call(words, monkeypatch, capsys):
    """Run a command as from a shell; a status other than 0 fails."""
    monkeypatch.setattr("sys.argv", ["pmhc-distil", *map(str, words)])
    try:
        cli.main()
    except SystemExit as stop:
        assert stop.code in (0, None), f"{words}: {capsys.readouterr().err}"


@pytest.mark.parametrize("words", RUNNABLE.values(), ids=RUNNABLE.keys())
def test_examples_of_the_help_run(words, tmp_path, monkeypatch, capsys):
    """Prevents an example that was typed from memory, or that a renamed option has broken."""
    (tmp_path / "data").symlink_to(ROOT / "data")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PMHC_DISTIL_CACHE", str(tmp_path / "cache"))
    _call(words, monkeypatch, capsys)
    written = [words[place + 1] for place, word in enumerate(words[:-1]) if word in ("-o", "--output")]
    assert all(Path(name).exists() for name in written)
    assert written or capsys.readouterr().out


@pytest.mark.parametrize("name", [name for name in cli.COMMANDS if name not in ORDER])
def test_commands_show_an_example_that_runs(name):
    """Prevents a command without an example, and examples that no test would run."""
    assert any(words[0] == name for words in RUNNABLE.values())


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_command_has_an_example(name):
    """Prevents a command without an example, and that of another, which a copied help leaves behind."""
    assert any(" ".join(words).startswith(name) for words in EXAMPLES[name])


def _write_inputs(folder, proteins, peptides):
    """Write everything that the examples read and no example makes."""
    for name, settings in RECIPES.items():
        path = folder / "recipes" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(settings))
    (folder / "data").symlink_to(ROOT / "data")
    records = [f">p{number}\n{text}\n" for number, text in enumerate(proteins)]
    for name in ("proteins.fasta", "held_out.fasta"):
        (folder / name).write_text("".join(records))
    for name in ("proteins.fasta.gz", "human.fasta.gz"):
        (folder / name).write_bytes(gzip.compress("".join(records * 3).encode()))
    (folder / "peptides.txt").write_text("\n".join(peptides) + "\n")
    generator = np.random.default_rng(1)
    (folder / "my_data").mkdir()
    letters = list("ACDEFGHIKLMNPQRSTVWY")
    ligands = ["".join(generator.choice(letters, 9)) for _ in range(200)]
    alleles = [f"HLA-{name}" for name in ("A*01:01", "A*02:01", "B*07:02", "B*08:01", "C*07:01", "C*07:02")] * 34
    table = pd.DataFrame({"peptide": ligands, "allele": alleles[:200]})
    table.to_csv(folder / "my_data/ligands.csv", index=False)
    table[:40].assign(measurement_nM=np.arange(1, 41) * 50.0).to_csv(folder / "my_data/affinities.csv", index=False)
    table.assign(label=np.arange(200) % 2).to_csv(folder / "labelled.csv", index=False)
    lines = [text for text in TEXTS for _ in range(40)]
    for name in ("reviews.txt", "held_out.txt", "sentences.txt"):
        (folder / name).write_text("\n".join(lines) + "\n")
    numbered = [f"{text} Number {number} was seen." for number, text in enumerate(lines * 5)]
    (folder / "reviews.jsonl.gz").write_bytes(
        gzip.compress("".join(json.dumps({"text": text}) + "\n" for text in numbered).encode())
    )
    asked = [{"id": "1", "question": "Who won?", "answers": [{"text": "Ann", "answer_start": 0}]}]
    squad = {"version": "1.1", "data": [{"title": "t", "paragraphs": [{"context": "Ann beat Bob.", "qas": asked}]}]}
    (folder / "train-v1.1.json.gz").write_bytes(gzip.compress(json.dumps(squad).encode()))
    for name in ("train.tsv", "dev.tsv"):
        (folder / name).write_text(
            "sentence\tlabel\n" + "".join(f"{text}\t{n % 2}\n" for n, text in enumerate(lines[:40]))
        )
    (folder / "names.txt").write_text("Ann B-PER\nwon O\n\nBob B-PER\nran O\n")


def test_examples_of_the_chain_run(tmp_path, monkeypatch, capsys, proteins, peptides):
    """Prevents an example that does not fit the one before, a recipe setting that is gone, and options that moved."""
    _write_inputs(tmp_path, proteins, peptides)
    # All shipped grooves would take minutes.
    table = groove_table()
    few = types.SimpleNamespace(unique_grooves=lambda: table.unique_grooves()[:3], release=table.release)
    monkeypatch.setattr(calibration, "groove_table", lambda: few)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PMHC_DISTIL_CACHE", str(tmp_path / "cache"))
    done = set()
    waiting = [words for name in ORDER for one, found in EXAMPLES.items() if one.split()[0] == name for words in found]
    # Of what a validation table holds, it makes a benchmark: after the tables.
    waiting.sort(key=lambda words: (ORDER.index(words[0]), words[1] == "benchmark") if words[0] in ORDER else (-1, 0))
    for words in waiting:
        if words[:2] == ["pretrain", "--train"] and "reviews.txt" in words:
            shutil.copy("runs/texts/vocab.txt", "vocab.txt")
        if words[0] == "run" and not Path("runs/squad").exists():
            for task, name, file in MORE_MODELS:
                files = ["--train", file, "--validation", file, "--test", file, "-o", f"runs/{name}"]
                more = ["finetune", "--task", task, "--model", "runs/english", "--max-steps", 1, "--cpu", *files]
                _call(more, monkeypatch, capsys)
        _call(words, monkeypatch, capsys)
        done.add(words[0])
    assert done >= set(ORDER)
