"""Measure trained models of texts side by side: a teacher and its students.

python benchmarks/text_models.py --task text-classification --file dev.tsv.gz --insert data/english.md --block sst2 \
    runs/english/teacher_sst2 runs/english/student_sst2 runs/english/student_labels_sst2

A table that the document does not have yet gets a section of its own.  The first model is what the others are compared
with.  With ``--train`` a last line tells what the most frequent answer of the training file would reach: the most
frequent class, or of questions the most frequent answer that stands in the context.  The speed is that of the model
alone, on batches of 32 examples of similar length, on one thread; the models take turns, so that a busy machine slows
all of them.
"""

import argparse
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pmhc_distil.evaluation.markdown import insert
from pmhc_distil.inference.pipeline import BATCH_SIZE, Pipeline
from pmhc_distil.sequences.files import atomic_path
from pmhc_distil.texts.squad import exact_match, read_questions, token_f1

ROUNDS = 5
TIMED_BATCHES = 8


def measure(pipe: Pipeline, path: Path) -> dict[str, float]:
    """Give the metrics of a model on a labelled file."""
    data = pipe.task.read(path, pipe.reading)
    found, truth = [], []
    with torch.inference_mode():
        for numbers in data.batches(BATCH_SIZE, shuffle=False, seed=0):
            batch = data.collate(numbers)
            rows = pipe.task.rows(pipe.task.forward(pipe.model, batch), batch).float()
            found.append(pipe.task.measured(rows, batch).numpy())
            truth.append(pipe.task.targets(batch).numpy())
    width = max(part.shape[1] for part in found)
    measured = np.concatenate([np.pad(part, ((0, 0), (0, width - part.shape[1]))) for part in found])
    metrics = pipe.task.metrics(data, measured, np.concatenate(truth))
    return {name: metrics[name] for name in pipe.task.measures(data)}


def guess(pipe: Pipeline, train: Path, path: Path) -> dict[str, float]:
    """Give the metrics of the most frequent answer, of a task with one class for each text or with spans."""
    if pipe.task.name == "question-answering":
        known = Counter(text for question in read_questions(train) for text, _ in question.answers).most_common()
        scores = []
        for question in read_questions(path):
            said = next((text for text, _ in known if text in question.context), "")
            answers = [text for text, _ in question.answers]
            scores.append((exact_match(said, answers), token_f1(said, answers)))
        return dict(zip(("exact_match", "f1"), (100 * np.mean(scores, axis=0)).tolist(), strict=True))
    truth: Any = pipe.task.read(path, pipe.reading)
    learned: Any = pipe.task.read(train, pipe.reading)
    counts = np.bincount(learned.labels[:, 0], minlength=len(truth.classes))
    logits = np.zeros((len(truth), len(truth.classes)))
    logits[:, counts.argmax()] = 1
    return pipe.task.metrics(truth, logits, truth.labels)


def speeds(pipes: list[Pipeline], path: Path) -> list[float]:
    """Give the examples per second of every model: the best of some rounds."""
    batches = []
    for pipe in pipes:
        data = pipe.task.read(path, pipe.reading)
        numbers = list(data.batches(BATCH_SIZE, shuffle=False, seed=0))
        chosen = numbers[:: max(1, len(numbers) // TIMED_BATCHES)][:TIMED_BATCHES]
        batches.append([data.collate(part) for part in chosen])
    best = [0.0] * len(pipes)
    with torch.inference_mode():
        for _ in range(ROUNDS):
            for number, (pipe, parts) in enumerate(zip(pipes, batches, strict=True)):
                start = time.perf_counter()
                for batch in parts:
                    pipe.task.forward(pipe.model, batch)
                rate = sum(len(batch["input_ids"]) for batch in parts) / (time.perf_counter() - start)
                best[number] = max(best[number], rate)
    return best


def table(
    names: list[str],
    pipes: list[Pipeline],
    metrics: list[dict[str, float]],
    rates: list[float],
    guessed: dict[str, float] | None,
) -> str:
    """Lay the results out, a line for each model."""
    header = ["model", "layers", "parameters", "MB in half precision", *metrics[0]]
    header += ["examples per second", "times the first"]
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    for name, pipe, measured, rate in zip(names, pipes, metrics, rates, strict=True):
        count = sum(weight.numel() for weight in pipe.model.parameters())
        facts: list[Any] = [name, pipe.model.config.num_hidden_layers, f"{count:,}", f"{2e-6 * count:.1f}"]
        facts += [f"{value:.4g}" for value in measured.values()]
        lines.append("| " + " | ".join(map(str, [*facts, f"{rate:,.0f}", f"{rate / rates[0]:.2f}"])) + " |")
    if guessed:
        lines.append(
            "| most frequent answer | | | | " + " | ".join(f"{guessed[key]:.4g}" for key in metrics[0]) + " | | |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure the models and put the table into a document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", required=True)
    parser.add_argument("--file", required=True, type=Path)
    parser.add_argument("--train", type=Path)
    parser.add_argument("--max-seq-length", type=int)
    parser.add_argument("--insert", type=Path)
    parser.add_argument("--block")
    parser.add_argument("models", nargs="+", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    pipes = [Pipeline(given.task, model, max_seq_length=given.max_seq_length, device="cpu") for model in given.models]
    metrics = [measure(pipe, given.file) for pipe in pipes]
    guessed = guess(pipes[0], given.train, given.file) if given.train else None
    made = table([model.name for model in given.models], pipes, metrics, speeds(pipes, given.file), guessed)
    sys.stdout.write(made + "\n")
    if given.insert:
        text = given.insert.read_text(encoding="utf-8") if given.insert.exists() else ""
        if f"<!-- {given.block}:begin -->" not in text:
            begin, end = (f"<!-- {given.block}:{part} -->" for part in ("begin", "end"))
            text += f"\n## {given.block}\n\nTask `{given.task}` on `{given.file.name}`.\n\n{begin}\n{end}\n"
        text = insert(text, made, given.block, str(given.insert))
        with atomic_path(given.insert) as temporary:
            temporary.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
