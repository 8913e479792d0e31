"""``pmhc-distil run`` and ``embed``: answers and vectors of a trained model of texts."""

import gzip
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from pmhc_distil.cli.train import TASK_NAMES
from pmhc_distil.errors import InputError

_TEXT_TASKS = tuple(name for name in TASK_NAMES if name != "binding")


@click.command()
@click.argument("source", metavar="[INPUT]", required=False)
@click.option("--task", type=click.Choice(_TEXT_TASKS), required=True)
@click.option("--model", required=True, help="Folder of a trained model, or its name on the hub.")
@click.option("--text", "texts", multiple=True, help="A text, instead of INPUT. Repeatable.")
@click.option("--text-pair", help="The second text of a pair.")
@click.option("--question", help="With --context, instead of INPUT.")
@click.option("--context", help="The text that holds the answer.")
@click.option("--top-k", type=click.IntRange(min=1), help="Answers for each question.")
@click.option("--words", is_flag=True, help="token-classification: every word, not whole entities.")
@click.option("--max-answer-length", type=click.IntRange(min=1), help="question-answering: in tokens.  [default: 30]")
@click.option(
    "--null-score-diff-threshold",
    type=float,
    help="question-answering: how far 'no answer' must lead, in logits.  [default: as chosen in training]",
)
@click.option("--max-seq-length", type=click.IntRange(min=8), help="Longest in tokens.  [default: as in training]")
@click.option("--doc-stride", type=click.IntRange(min=0), help="Tokens shared by pieces.  [default: as in training]")
@click.option("--batch-size", type=click.IntRange(min=1), default=32, show_default=True)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="JSON lines; .gz is packed.  [default: standard output]",
)
def run(
    source: str | None,
    task: str,
    model: str,
    texts: tuple[str, ...],
    text_pair: str | None,
    question: str | None,
    context: str | None,
    words: bool,
    max_seq_length: int | None,
    doc_stride: int | None,
    batch_size: int,
    output: Path | None,
    **options: Any,
) -> None:
    """Answer questions with a trained model of texts; one JSON line for each.

    INPUT is a file as for training, whose labels are not read, a FASTA, or lines of text; - is standard input.
    next-sentence takes a table of pairs.

    \b
    Examples:
      pmhc-distil run --task text-classification --model runs/sentiment --text 'a charming journey'
      pmhc-distil run --task question-answering --model runs/squad --question 'Who won?' --context 'Ann beat Bob.'
      pmhc-distil run --task fill-mask --model runs/english --text 'The film was [MASK].' --top-k 3
      pmhc-distil run --task token-classification --model runs/names sentences.txt -o entities.jsonl
    """
    given = _given(source, texts, text_pair, question, context)
    if output is not None:
        from pmhc_distil.sequences.files import check_destination, check_not_input

        check_destination(output)
        check_not_input(output, source, *_files_of(model))
    from pmhc_distil.tasks import TASKS

    chosen = {name: value for name, value in options.items() if value is not None}
    if words:
        chosen["grouped"] = False
    for name in chosen:
        if name not in TASKS[task].options:
            flag = "--words" if name == "grouped" else f"--{name.replace('_', '-')}"
            raise InputError(f"no option of the task {task}", source=flag)
    reader = TASKS[task].read_questions
    assert reader is not None
    from pmhc_distil.inference.pipeline import Pipeline

    pipe = Pipeline(task, model, max_seq_length=max_seq_length, doc_stride=doc_stride)
    questions, rows = (given, []) if given is not None else reader(Path(source or "-"), pipe.reading)
    with _located(source, rows):
        answers = pipe(list(questions), batch_size=batch_size, **chosen)
    lines = [
        json.dumps({**_shown(asked), "answer": found}, ensure_ascii=False) + "\n"
        for asked, found in zip(questions, answers, strict=True)
    ]
    if output is None:
        sys.stdout.writelines(lines)
    else:
        from pmhc_distil.sequences.files import atomic_path, is_packed

        text = "".join(lines).encode()
        with atomic_path(output) as temporary:
            temporary.write_bytes(gzip.compress(text, mtime=0) if is_packed(output) else text)


@contextmanager
def _located(source: str | None, rows: Sequence[int]) -> Iterator[None]:
    """Say in which line of a file a mistake is, where only the number of the text is known."""
    try:
        yield
    except InputError as error:
        if source is None or error.row is None:
            raise
        raise replace(error, source=source, row=rows[error.row - 1]) from error


def _given(
    source: str | None, texts: tuple[str, ...], text_pair: str | None, question: str | None, context: str | None
) -> list[Any] | None:
    """Give what the options ask, or nothing if a file does."""
    said = (("INPUT", source), ("--text", texts or None), ("--question", question))
    asked = [name for name, value in said if value is not None]
    if len(asked) != 1:
        reason = "give one of INPUT, --text and --question"
        raise InputError(reason, source=", ".join(asked) if asked else "run")
    if (question is None) != (context is None):
        raise InputError("--question and --context go together", source="run")
    from pmhc_distil.texts.records import is_unicode

    words_of = {"--text": texts, "--text-pair": [text_pair], "--question": [question], "--context": [context]}
    for name, words in words_of.items():
        for word in words:
            if word is not None and not is_unicode(word):
                raise InputError("not UTF-8", source=name, value=ascii(word))
    if text_pair is not None and len(texts) != 1:
        raise InputError("goes with one --text", source="--text-pair")
    if question is not None:
        return [{"question": question, "context": context}]
    if text_pair is not None:
        return [{"text": texts[0], "text_pair": text_pair}]
    return list(texts) or None


def _files_of(model: str) -> list[Path]:
    return [*Path(model).iterdir()] if Path(model).is_dir() else []


def _shown(asked: Any) -> dict[str, Any]:
    """Give a question as it is printed beside its answer."""
    if isinstance(asked, str):
        return {"text": asked}
    if isinstance(asked, list):
        return {"words": asked}
    if isinstance(asked, dict):
        return {key: value for key, value in asked.items() if value}
    return {"id": asked.id, "question": asked.question}


@click.command()
@click.argument("source", metavar="INPUT")
@click.option("--model", required=True, help="Folder of a model, or its name on the hub.")
@click.option("--pooling", type=click.Choice(["mean", "cls", "tokens"]), default="mean", show_default=True)
@click.option("--max-seq-length", type=click.IntRange(min=8), help="Longest text in tokens.")
@click.option("--batch-size", type=click.IntRange(min=1), default=32, show_default=True)
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="HDF5 file.")
def embed(source: str, model: str, pooling: str, max_seq_length: int | None, batch_size: int, output: Path) -> None:
    """Write the vectors that a model gives to texts or proteins.

    INPUT is a FASTA, lines of text, or a table with a column of texts.  The file has the data set 'embeddings' (texts,
    width), or with --pooling tokens (tokens, width) and 'starts', the first row of every text, with the number of rows
    at its end.  A model of peptides reads the twenty residues alone.

    \b
    Example:
      pmhc-distil embed proteins.fasta --model runs/pretrained -o vectors.h5
    """
    from pmhc_distil.sequences.files import check_destination, check_not_input
    from pmhc_distil.texts.documents import read_numbered_texts

    check_destination(output)
    check_not_input(output, source, *_files_of(model))
    if output.suffix.lower() not in (".h5", ".hdf5"):
        raise InputError("vectors are written as HDF5", source=str(output), hint="end its name in .h5")
    texts, rows = read_numbered_texts(Path(source))
    from pmhc_distil.inference.pipeline import embed as write

    with _located(source, rows):
        write(texts, model, output, pooling=pooling, max_seq_length=max_seq_length, batch_size=batch_size)
    click.echo(f"{len(texts):,} texts", err=True)
