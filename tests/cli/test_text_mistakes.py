"""Mistakes in texts, tables and models: one line, exit status 2, and nothing half-written."""

import json
import shlex
import sys

import pytest

from pmhc_distil import cli

HEAD = "sentence\tlabel\n"
SQUAD = {"version": "2.0", "data": [{"title": "t", "paragraphs": [{"context": "ann won .", "qas": []}]}]}
LONG_QUESTION = "who " * 30 + "?"


def squad(text, start, question="who won ?"):
    answers = [] if text is None else [{"text": text, "answer_start": start}]
    asked = {"id": "q1", "question": question, "is_impossible": not answers, "answers": answers}
    return json.dumps({**SQUAD, "data": [{"title": "t", "paragraphs": [{"context": "ann won .", "qas": [asked]}]}]})


FILES = {
    "good.tsv": HEAD + "good film\tyes\nbad film\tno\n" * 3,
    "numbers.tsv": HEAD + "good film\t1.5\nbad film\t2\nthe cat\t3\n",
    "one_number.tsv": HEAD + "good film\t1.5\n",
    "unseen.tsv": HEAD + "good film\tmaybe\n",
    "one_class.tsv": HEAD + "good film\tyes\nbad film\tyes\n",
    "columns.tsv": "alpha\tbeta\na\tb\n",
    "no_label.tsv": "sentence\tother\na\tb\n",
    "empty.tsv": "",
    "header.tsv": HEAD,
    "blank.tsv": HEAD + "\tyes\n",
    "ragged.tsv": HEAD + "good\tyes\tmore\n",
    "broken.jsonl": '{"text": "a", "label": \n',
    "half.jsonl": '{"text": "good", "label": "yes"}\n{"text": "bad \\ud83d", "label": "no"}\n',
    "half.json": squad("ann", 0, "who \ud83d ?"),
    "nan.jsonl": '{"text": "good", "label": "yes"}\n{"text": "odd", "label": NaN}\n',
    "listed.jsonl": '{"question": "who ?", "context": ["ann won"], "answer": "ann"}\n',
    "masks.txt": "\nthe [MASK]\n\nthe cat\n",
    "nothing_at_once.yaml": "gradient_accumulation_steps: 0\n",
    "cold.yaml": "alpha_soft: 1.0\ntemperature: 0\n",
    "endless.yaml": "learning_rate: .inf\n",
    "array.json": '[{"text": "a"}]',
    "good.json": squad("ann", 0),
    "outside.json": squad("ann", 90),
    "offset.json": squad("ann", 4),
    "absent.csv": "question,context,answer\nwho ?,ann won .,bob\n",
    "no_context.csv": "question,answer\nwho ?,bob\n",
    "broken.json": '{"version": "2.0", "data": [',
    "other.json": '{"version": "2.0", "data": [{"title": "t"}]}',
    "long.json": squad("ann", 0, LONG_QUESTION),
    "tags.txt": "ann B-PER\nran O\n\nbob B-PER\n",
    "unseen_tag.txt": "ann B-PER\nran B-LOC\n",
    "untagged.txt": "ann\nran\n",
    "tags.jsonl": '{"tokens": ["ann", "ran"], "tags": ["O"]}\n',
    "nothing.txt": "\n\n",
    "invisible_tags.txt": "\u200b O\n\nbob B-PER\n",
    "pairs.csv": "template,first,second\n{} was a [MASK],he,she\n",
    "no_slot.csv": "template,first,second\nann was a [MASK],he,she\n",
    "long.csv": "template,first,second\n{} was [MASK],he,she\nhe {} was [MASK],ran," + "the " * 600 + "\n",
    "texts.txt": "The cat sat. The dog ran.\nAnn won. Bob was in Paris.\n",
    "invisible.txt": "\u200b\n\u200b\n",
    "single.txt": "The cat sat.\n",
    "latin.txt": b"caf\xe9 \xff\xfe\n",
    "cut.txt.gz": b"\x1f\x8b\x08\x00",
    "pieces.txt": "a\nb\n",
    "bert.yaml": "model_type: bert\nhidden_size: 16\nnum_hidden_layers: 2\nnum_attention_heads: 2\n",
    "heads.yaml": "model_type: bert\nhidden_size: 16\nnum_attention_heads: 3\n",
    "words.yaml": "model_type: bert\nhidden_size: wide\n",
    "zero.yaml": "model_type: bert\nnum_attention_heads: 0\n",
    "kind.yaml": "model_type: elephant\n",
    "stride.yaml": "doc_stride: many\n",
    "minus.yaml": "doc_stride: -1\n",
    "length.yaml": "max_seq_length: long\n",
    "soft.yaml": "alpha_soft: 1.0\n",
    "pmhc.yaml": "model_type: pmhc\nmax_position_embeddings: 64\n",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory, vocabulary, word_tokenizer, make_text_model, binding_folder, pair_files):
    """Folder with the files above and a tiny model of every kind."""
    folder = tmp_path_factory.mktemp("mistakes")
    for name, content in FILES.items():
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    classes = {"text-classification": ("no", "yes"), "token-classification": ("B-PER", "O")}
    for task in ("text-classification", "token-classification", "question-answering", "fill-mask", "regression"):
        model = make_text_model(task, "bert", word_tokenizer, classes.get(task, ()), layers=2)
        model.save_pretrained(folder / task)
        word_tokenizer.save_pretrained(folder / task)
    (folder / "no_tokenizer").mkdir()
    (folder / "no_weights").mkdir()
    (folder / "pickled").mkdir()
    (folder / "pickled" / "config.json").write_bytes((folder / "regression" / "config.json").read_bytes())
    (folder / "pickled" / "pytorch_model.bin").write_bytes(b"")
    word_tokenizer.save_pretrained(folder / "pickled")
    (folder / "no_layers").mkdir()
    (folder / "no_layers" / "config.json").write_text('{"model_type": "perceiver"}')
    (folder / "broken_sizes").mkdir()
    (folder / "broken_sizes" / "config.json").write_text('{"model_type": "bert", "num_attention_heads": "two"}')
    (folder / "not_json").mkdir()
    for name in ("config.json", "model.safetensors"):
        (folder / "no_tokenizer" / name).write_bytes((folder / "regression" / name).read_bytes())
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (folder / "no_weights" / name).write_bytes((folder / "regression" / name).read_bytes())
    (folder / "not_json" / "config.json").write_text("{")
    (folder / "not_json" / "model.safetensors").write_text("")
    (folder / "binding").symlink_to(binding_folder)
    (folder / "vocab.txt").symlink_to(vocabulary)
    (folder / "pairs.csv.gz").symlink_to(pair_files[0])
    return folder


def train(task, file, *, validation=None, more="", model=None):
    start = f"--model {model}" if model else "--vocabulary vocab.txt --recipe bert.yaml"
    return f"finetune --task {task} --train {file} --validation {validation or file} {start} --cpu {more} -o out"


def distil(task, teacher, file, more=""):
    tables = f"--train {file} --validation {file} --recipe soft.yaml"
    return f"distill --task {task} --teacher {teacher} {tables} --cpu {more} -o out"


def pretrain(file, more="--vocabulary vocab.txt --recipe bert.yaml", task="fill-mask"):
    return f"pretrain --task {task} --train {file} --validation {file} --cpu {more} -o out"


CLASSES, TAGS, ASKED = "text-classification", "token-classification", "question-answering"
MISTAKES = {
    # Tables
    "an empty table": (train(CLASSES, "empty.tsv"), "empty.tsv: the file is empty"),
    "a table without rows": (train(CLASSES, "header.tsv"), "header.tsv: the table has no rows"),
    "other columns": (train(CLASSES, "columns.tsv"), "columns.tsv: no column with the texts"),
    "no labels": (train(CLASSES, "no_label.tsv"), "no_label.tsv: no column with the labels"),
    "an empty text": (train(CLASSES, "blank.tsv"), "blank.tsv, row 2, column 'sentence': the field is empty"),
    "a field too many": (train(CLASSES, "ragged.tsv"), "ragged.tsv, row 2"),
    "broken JSON lines": (train(CLASSES, "broken.jsonl"), "broken.jsonl, row 1: the line is not JSON"),
    "a JSON array": (train(CLASSES, "array.json"), "a JSON array is not a table"),
    "half a letter": (train(CLASSES, "half.jsonl"), "half.jsonl, row 2: half of a surrogate pair stands alone"),
    "a label that is missing": (train(CLASSES, "nan.jsonl"), "nan.jsonl, row 2, column 'label': the field is empty"),
    "a class that training lacks": (
        train(CLASSES, "good.tsv", validation="unseen.tsv"),
        "unseen.tsv, row 2, column 'label': a class that neither the training table nor a teacher has named:"
        " 'maybe' (known: no, yes)",
    ),
    "a class that the teacher lacks": (distil(CLASSES, CLASSES, "unseen.tsv"), "unseen.tsv, row 2"),
    "one class only": (train(CLASSES, "one_class.tsv"), "one_class.tsv: a single class: 'yes'"),
    "classes as numbers": (train("regression", "good.tsv"), "row 2, column 'label': a number is expected: 'yes'"),
    "letters of another encoding": (pretrain("latin.txt"), "latin.txt"),
    "a file cut short": (pretrain("cut.txt.gz"), "cut.txt.gz"),
    # Tagged words
    "a tag that training lacks": (train(TAGS, "tags.txt", validation="unseen_tag.txt"), "'B-LOC'"),
    "no tags": (train(TAGS, "untagged.txt"), "untagged.txt, row 1: a word without a tag"),
    "fewer tags than words": (train(TAGS, "tags.jsonl"), "tags.jsonl, row 1, column 'tags': 2 words but 1 tags"),
    "no sentence": (train(TAGS, "nothing.txt"), "nothing.txt: no sentence found"),
    # Questions
    "an answer outside of its context": (
        train(ASKED, "outside.json"),
        "lies outside the context of 9 characters: 'ann'",
    ),
    "an offset that disagrees": (train(ASKED, "offset.json"), "at offset 4 stands 'won', not the answer: 'ann'"),
    "an answer that is not there": (train(ASKED, "absent.csv"), "absent.csv, row 2: question"),
    "half a letter in a question": (train(ASKED, "half.json"), "half.json, row 1: question 'q1': in the question half"),
    "a list for a context": (train(ASKED, "listed.jsonl"), "listed.jsonl, row 1, column 'context': text is expected"),
    "no contexts": (train(ASKED, "no_context.csv"), "no_context.csv: no column with the contexts"),
    "broken JSON": (train(ASKED, "broken.json"), "broken.json"),
    "JSON of another kind": (train(ASKED, "other.json"), "other.json: data[0] has no 'paragraphs'"),
    "a question longer than the model": (
        train(ASKED, "long.json", more="--max-seq-length 24"),
        "long.json, row 1: the question has 31 tokens",
    ),
    # Texts
    "no text": (pretrain("nothing.txt"), "nothing.txt: no text found"),
    "texts without a token": (pretrain("invisible.txt"), "invisible.txt: there are no examples"),
    "no pair of sentences": (
        pretrain("single.txt", task="next-sentence", more="--model fill-mask"),
        "single.txt: at least two texts",
    ),
    "residues for an encoder of peptides": (pretrain("texts.txt", more=""), "texts.txt"),
    # Settings
    "no examples at once": (train(CLASSES, "good.tsv", more="--batch-size 0"), "--batch-size"),
    "no epochs": (train(CLASSES, "good.tsv", more="--epochs 0"), "--epochs"),
    "a seed below zero": (train(CLASSES, "good.tsv", more="--seed -1"), "--seed"),
    "no batches at once": (
        train(CLASSES, "good.tsv", model=CLASSES, more="--recipe nothing_at_once.yaml"),
        "column 'gradient_accumulation_steps': a setting is out of range: '0' (give a number from 1)",
    ),
    "a rate without end": (
        train(CLASSES, "good.tsv", model=CLASSES, more="--recipe endless.yaml"),
        "column 'learning_rate': a setting is out of range: 'inf' (give a finite number)",
    ),
    "no temperature": (
        distil(CLASSES, CLASSES, "good.tsv", "--recipe cold.yaml"),
        "column 'temperature': a setting is out of range: '0' (give a number above 0)",
    ),
    "a student over its teacher": (
        f"distill --task {CLASSES} --teacher {CLASSES} --train good.tsv --validation good.tsv --recipe soft.yaml"
        f" -o {CLASSES}",
        f"{CLASSES}: would be written over what is read",
    ),
    "a length beyond the model": (
        train(CLASSES, "good.tsv", more="--max-seq-length 9999"),
        "max_seq_length: not a length that the model can take: '9999' (use 8 to 512",
    ),
    "a length of nothing": (train(CLASSES, "good.tsv", more="--max-seq-length 2"), "(use 8 to 512"),
    "a length in words": (train(CLASSES, "good.tsv", model=CLASSES, more="--recipe length.yaml"), "'long'"),
    "a stride in words": (train(ASKED, "good.json", model=ASKED, more="--recipe stride.yaml"), "'many'"),
    "a stride where pieces share nothing": (
        train(CLASSES, "good.tsv", model=CLASSES, more="--doc-stride 4"),
        "doc_stride: no setting of the task text-classification: '4'",
    ),
    "a table that can be read once": (
        f"finetune --task {CLASSES} --train /dev/null --validation good.tsv --model {CLASSES} --cpu -o out",
        "--train: not a file that can be read twice: '/dev/null'",
    ),
    "a stride below zero": (train(ASKED, "good.json", model=ASKED, more="--recipe minus.yaml"), "'-1'"),
    "sizes beside a model": (
        train(CLASSES, "good.tsv", model=CLASSES, more="--recipe bert.yaml"),
        "come from the model",
    ),
    "heads that do not fit": (pretrain("texts.txt", "--vocabulary vocab.txt --recipe heads.yaml"), "'16, 3'"),
    "no heads": (pretrain("texts.txt", "--vocabulary vocab.txt --recipe zero.yaml"), "num_attention_heads"),
    "a size in words": (pretrain("texts.txt", "--vocabulary vocab.txt --recipe words.yaml"), "hidden_size"),
    "an unknown kind": (pretrain("texts.txt", "--vocabulary vocab.txt --recipe kind.yaml"), "'elephant' (use bert"),
    "a cache of questions": (distil(ASKED, ASKED, "good.json", "--cache rows.h5"), "cannot be cached"),
    "a student of other layers": (distil(CLASSES, CLASSES, "good.tsv", "--student text-classification"), "2 layers"),
    "a teacher without layers": (distil(CLASSES, "./no_layers", "good.tsv"), "tells no number of layers: 'perceiver'"),
    "a teacher of words for sizes": (distil(CLASSES, "./broken_sizes", "good.tsv"), "the model cannot be loaded"),
    "pickled weights": (
        train(CLASSES, "good.tsv", model="./pickled"),
        "(pytorch_model.bin can hold code and is not read",
    ),
    # Vocabularies
    "no vocabulary": (
        pretrain("texts.txt", "--recipe bert.yaml"),
        "--vocabulary: a new 'bert' encoder needs a vocabulary",
    ),
    "no such vocabulary": (
        pretrain("texts.txt", "--vocabulary v.txt --recipe bert.yaml"),
        "v.txt: the vocabulary cannot",
    ),
    "a vocabulary without its marks": (
        pretrain("texts.txt", "--vocabulary pieces.txt --recipe bert.yaml"),
        "pieces.txt: a special token is missing: '[PAD]'",
    ),
    "a vocabulary for peptides": (pretrain("texts.txt", "--vocabulary vocab.txt"), "has a vocabulary of its own"),
    # Models
    "no such model": (train(CLASSES, "good.tsv", model="./nowhere"), "./nowhere: not a model folder"),
    "no such name": (train(CLASSES, "good.tsv", model="nowhere"), "nowhere: no such folder"),
    "no weights": (train("regression", "numbers.tsv", model="no_weights"), "no_weights: not a model folder"),
    "no tokenizer": (train("regression", "numbers.tsv", model="no_tokenizer"), "no_tokenizer: there is no tokenizer"),
    "a folder of something else": (
        train("regression", "numbers.tsv", model="not_json"),
        "not_json: the model cannot be",
    ),
    "an encoder of peptides for texts": (
        train(CLASSES, "good.tsv", model="binding"),
        "binding: an encoder of peptides serves the tasks binding and fill-mask",
    ),
    "an encoder of peptides as a teacher of texts": (
        distil(CLASSES, "binding", "good.tsv"),
        "binding: an encoder of peptides serves the tasks binding and fill-mask",
    ),
    "an encoder of texts for peptides": (
        train("binding", "pairs.csv.gz", model=CLASSES),
        "text-classification: the task binding",
    ),
    "a new encoder of texts for peptides": (train("binding", "pairs.csv.gz"), "the task binding"),
    "a new encoder of peptides for texts": (
        f"finetune --task {CLASSES} --train good.tsv --validation good.tsv --cpu -o out",
        "an encoder of peptides serves the tasks binding and fill-mask",
    ),
    "a teacher of another task": (distil(CLASSES, ASKED, "good.tsv"), "question-answering"),
    "a teacher of numbers for classes": (
        distil(CLASSES, "regression", "good.tsv"),
        "regression: a model of another task",
    ),
    # run
    "run: nothing asked": (f"run --task {CLASSES} --model {CLASSES}", "give one of INPUT, --text and --question"),
    "run: no head": (
        f"run --task {ASKED} --model {CLASSES} --question who --context x",
        "text-classification: a model of another task than question-answering",
    ),
    "run: classes for a number": (f"run --task regression --model {CLASSES} --text x", "a model of another task"),
    "run: a number for classes": (f"run --task {CLASSES} --model regression --text x", "a model of another task"),
    "run: classes for sentences": (
        f"run --task next-sentence --model {CLASSES} --text x --text-pair y",
        "a model of another task",
    ),
    "run: peptides": (
        f"run --task {CLASSES} --model binding --text SLYNTVATL",
        "serves the tasks binding and fill-mask",
    ),
    "run: no mask": ("run --task fill-mask --model fill-mask --text 'the cat'", "row 1: the text has no mask"),
    "run: a line without a mask": (
        "run --task fill-mask --model fill-mask masks.txt",
        "masks.txt, row 4: the text has no mask: 'the cat'",
    ),
    "run: answers over the texts": (
        "run --task fill-mask --model fill-mask masks.txt -o masks.txt",
        "masks.txt: would be written over what is read",
    ),
    "run: bytes that are no text": (
        f"run --task {CLASSES} --model {CLASSES} --text caf\udce9",
        "--text: not UTF-8: ''caf\\udce9''",
    ),
    "run: a mask that is cut off": (
        f"run --task fill-mask --model fill-mask --max-seq-length 8 --text '{'the ' * 20}[MASK]'",
        "row 1: a mask stands behind the 8 tokens",
    ),
    "run: a pair for a mask": (
        "run --task fill-mask --model fill-mask --text [MASK] --text-pair y",
        "row 1: a text is expected",
    ),
    "run: a text for a question": (
        f"run --task {ASKED} --model {ASKED} --text x",
        "row 1: not a question with its context",
    ),
    "run: a question for a text": (
        f"run --task {CLASSES} --model {CLASSES} --question x --context y",
        "neither a text nor",
    ),
    "run: half a question": (
        f"run --task {ASKED} --model {ASKED} --question who",
        "--question and --context go together",
    ),
    "run: a context alone": (f"run --task {ASKED} --model {ASKED} --context who", "give one of INPUT"),
    "run: a long question": (
        f"run --task {ASKED} --model {ASKED} --max-seq-length 24 --question '{LONG_QUESTION}' --context 'ann won'",
        "row 1: the question has 31 tokens",
    ),
    "run: a length beyond the model": (
        f"run --task {CLASSES} --model {CLASSES} --max-seq-length 600 --text x",
        "max_seq_length: not a length that the model can take: '600'",
    ),
    "run: an option of another task": (
        "run --task regression --model regression --top-k 2 --text x",
        "--top-k: no option",
    ),
    "run: a stride of another task": (
        f"run --task {CLASSES} --model {CLASSES} --doc-stride 4 --text x",
        "doc_stride: no option of the task text-classification: '4'",
    ),
    "run: an empty question": (
        f"run --task {ASKED} --model {ASKED} --question '' --context x",
        "row 1, column 'question': the field is missing or empty",
    ),
    "run: no lead": (
        f"run --task {ASKED} --model {ASKED} --null-score-diff-threshold nan good.json",
        "null_score_diff_threshold: not a number: 'nan'",
    ),
    "run: answers over the model": (
        f"run --task {CLASSES} --model {CLASSES} --text x -o {CLASSES}/config.json",
        "config.json: would be written over what is read",
    ),
    "run: an empty text": (f"run --task {CLASSES} --model {CLASSES} --text ' '", "the text is empty"),
    "run: an empty file": (f"run --task {CLASSES} --model {CLASSES} empty.tsv", "empty.tsv: the file is empty"),
    "run: broken JSON": (f"run --task {ASKED} --model {ASKED} broken.json", "broken.json"),
    "run: no such file": (f"run --task {ASKED} --model {ASKED} gone.json", "gone.json"),
    "run: no such folder for the answers": (f"run --task {ASKED} --model {ASKED} good.json -o gone/out", "gone"),
    # bias
    "bias: a model of another task": (f"bias pairs.csv --model {CLASSES}", "a model of another task than fill-mask"),
    "bias: no slot": ("bias no_slot.csv --model fill-mask -o out.csv", "no_slot.csv, row 2, column 'template'"),
    "bias: a sentence too long": (
        "bias long.csv --model fill-mask -o out.csv",
        "long.csv, row 3: a mask stands behind",
    ),
    # embed
    "embed: a length beyond the model": ("embed texts.txt --model fill-mask --max-seq-length 600 -o out.h5", "'600'"),
    "embed: no text": ("embed nothing.txt --model fill-mask -o out.h5", "nothing.txt: no text found"),
    "embed: vectors over the model": (
        "embed texts.txt --model fill-mask -o fill-mask/model.safetensors",
        "model.safetensors: would be written over what is read",
    ),
    "embed: standard output": ("embed texts.txt --model fill-mask -o -", "vectors are written as HDF5"),
    "embed: no model": ("embed texts.txt --model ./gone -o out.h5", "./gone: not a model folder"),
}


@pytest.fixture
def run_line(folder, monkeypatch, capsys):
    """Run a command line in the folder; give its exit status, standard output and standard error."""

    def run(line):
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "argv", ["pmhc-distil", *shlex.split(line)])
        try:
            cli.main()
            status = 0
        except SystemExit as stop:
            status = stop.code
        return status, *capsys.readouterr()

    return run


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake(name, folder, run_line):
    """Prevents a traceback, a message that does not name the place, and a folder or file that is left half-written."""
    before = sorted(folder.iterdir())
    line, expected = MISTAKES[name]
    status, out, err = run_line(line)
    errors = [text for text in err.splitlines() if text.startswith("error: ")]
    assert status == 2 and out == "" and len(errors) == 1
    assert expected in errors[0]
    assert sorted(folder.iterdir()) == before
