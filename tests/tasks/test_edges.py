"""Texts of every task at their edges: nothing to tokenize, long contexts, more answers asked for than there are."""

import json

import numpy as np
import pytest

from pmhc_distil.distillation.task import Reading
from pmhc_distil.errors import InputError
from pmhc_distil.inference.pipeline import Pipeline
from pmhc_distil.models.hf.starting import new_tokenizer
from pmhc_distil.tasks import TASKS
from pmhc_distil.tasks.text_classification import class_names

INVISIBLE = "\u200b"
"""A letter of no width, which the tokenizer leaves out."""


@pytest.fixture
def pipe(tmp_path, make_text_model, word_tokenizer):
    """Give a function that makes a pipeline with a tiny model."""

    def make(task, classes=(), **options):
        make_text_model(task, "bert", word_tokenizer, classes, layers=2).save_pretrained(tmp_path / task)
        word_tokenizer.save_pretrained(tmp_path / task)
        return Pipeline(task, tmp_path / task, **options)

    return make


@pytest.mark.parametrize("place", [0, 1, 2])
def test_words_without_a_token(place, tmp_path, pipe, word_tokenizer):
    """Prevents fewer tags than words, at the end of a sentence too, where a word tokenizes to nothing."""
    words = ["ann", "ran", "far"]
    words[place] = INVISIBLE
    path = tmp_path / "tags.txt"
    path.write_text("\n".join(f"{word} {tag}" for word, tag in zip(words, ("B-PER", "O", "O"), strict=True)))
    task = TASKS["token-classification"]
    data = task.read(path, Reading(word_tokenizer, 32))
    assert data.asked.sum() == 2
    logits = np.zeros((2, 2))
    assert 0 <= task.metrics(data, logits, np.zeros((2, 1), dtype=np.int64))["accuracy"] < 1
    answers = pipe("token-classification", ("B-PER", "O"))([words], grouped=False)
    assert [one["word"] for one in answers[0]] == words
    assert answers[0][place]["entity"] == "O" and answers[0][place]["score"] == 0


def test_residues_with_blanks_between_them(tmp_path):
    """Prevents offsets that count residues from being taken for those of the text, which has blanks and line ends."""
    path = tmp_path / "questions.jsonl"
    asked = {"question": "AAA", "context": "MKT AYW\nG[MASK]HHH", "answer": "HHH"}
    path.write_text(json.dumps(asked) + "\n")
    data = TASKS["question-answering"].read(path, Reading(new_tokenizer("residues"), 32))
    first, last = data.labels[0]
    assert (data.places[0][first], data.ends[0][last]) == (15, 18)
    assert data.input_ids[0][first : last + 1].tolist() == [data.input_ids[0][first]] * 3


def test_residues_in_lower_case(tmp_path):
    """Prevents tagged proteins in lower case from being learned as unknown residues."""
    for name, sequence in (("upper.csv", "MKTAY"), ("lower.csv", "mktay")):
        (tmp_path / name).write_text(f"seq,label\n{sequence},HHHCC\n")
    task, reading = TASKS["token-classification"], Reading(new_tokenizer("residues"), 32)
    upper, lower = (task.read(tmp_path / name, reading).input_ids.flat for name in ("upper.csv", "lower.csv"))
    assert upper.tolist() == lower.tolist()


def test_segments_of_a_protein(pipe):
    """Prevents tags without B- and I- from giving no answer."""
    (found,) = pipe("token-classification", ("C", "H"))([["ann", "ran", "far"]])
    assert found[0]["start"] == 0 and found[-1]["end"] == 3
    assert {one["entity_group"] for one in found} <= {"C", "H"}


def test_filled_sentences_read_like_the_text(tmp_path, make_text_model, vocabulary):
    """Prevents word pieces, other masks and unknown words from being lost or shown apart."""
    tokenizer = new_tokenizer(vocabulary)
    make_text_model("fill-mask", "bert", tokenizer, (), layers=2).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    first, second = Pipeline("fill-mask", tmp_path)("the [MASK] sat \u2603 [MASK].", top_k=1)
    assert first[0]["sequence"].endswith("sat [UNK] [MASK].") and second[0]["sequence"].startswith("the [MASK] sat")


def test_a_vocabulary_that_is_padded(tmp_path, make_text_model, vocabulary):
    """Prevents numbers beyond the last token, of which some models have a few, from being answers."""
    tokenizer = new_tokenizer(vocabulary)
    model = make_text_model("fill-mask", "bert", tokenizer, (), layers=2)
    model.resize_token_embeddings(len(tokenizer) + 8)
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    found = Pipeline("fill-mask", tmp_path)("the [MASK]", top_k=1000)
    assert sorted(one["token"] for one in found) == sorted(tokenizer.get_vocab())


@pytest.mark.parametrize(
    ("task", "options", "told"),
    [
        ("fill-mask", {"top_k": 0}, "top_k: not a whole number of at least 1: '0'"),
        ("fill-mask", {"batch_size": -1}, "batch_size: not a whole number of at least 1: '-1'"),
        ("question-answering", {"max_answer_length": 1.5}, "max_answer_length: not a whole number"),
        ("question-answering", {"null_score_diff_threshold": float("nan")}, "threshold: not a number: 'nan'"),
    ],
)
def test_options_that_are_no_numbers(task, options, told, pipe):
    """Prevents answers to an option that means nothing."""
    with pytest.raises(InputError, match=told):
        pipe(task)([{"question": "who ?", "context": "ann won"}], **options)


@pytest.mark.parametrize("options", [{"max_seq_length": "12"}, {"doc_stride": 4}])
def test_lengths_that_mean_nothing(options, pipe):
    """Prevents a traceback for a length in letters, and a stride from being passed over where pieces share nothing."""
    with pytest.raises(InputError, match=next(iter(options))):
        pipe("text-classification", ("no", "yes"), **options)


def test_a_context_without_a_token(pipe, tmp_path, word_tokenizer):
    """Prevents a traceback where no span can be the answer, with a model that always gives one."""
    asked = {"question": "who ?", "context": INVISIBLE}
    assert pipe("question-answering")(asked)["answer"] == ""
    path = tmp_path / "questions.csv"
    path.write_text(f"question,context,answer\nwho ?,{INVISIBLE},{INVISIBLE}\nwho ?,ann won .,ann\n")
    data = TASKS["question-answering"].read(path, Reading(word_tokenizer, 32))
    measured = TASKS["question-answering"].metrics(data, np.zeros((4, 9), np.float32), np.zeros((4, 1), int))
    assert 0 <= measured["exact_match"] <= 100


@pytest.mark.parametrize("length", [12, 16, 64])
def test_a_context_of_several_pieces(length, pipe):
    """Prevents places that count from the beginning of a piece instead of from that of the context."""
    context = " ".join(["the cat sat ."] * 8) + " ann won ."
    ask = pipe("question-answering", max_seq_length=length, doc_stride=3)
    for found in ask({"question": "who won ?", "context": context}, top_k=200):
        assert context[found["start"] : found["end"]] == found["answer"]
    reached = {found["end"] for found in ask({"question": "who won ?", "context": context}, top_k=10_000)}
    assert max(reached) == len(context), "the last piece is read"


def test_a_question_that_leaves_no_room(pipe):
    """Prevents a crash of the tokenizer where question and stride fill the longest input, and one token too strict."""
    ask = pipe("question-answering", max_seq_length=16, doc_stride=4)
    context = "ann won . " * 10
    assert ask({"question": "who " * 8, "context": context})
    with pytest.raises(InputError, match="row 2: the question has 9 tokens"):
        ask([{"question": "who", "context": context}, {"question": "who " * 9, "context": context}])


@pytest.mark.parametrize("task", ["text-classification", "fill-mask", "question-answering"])
def test_more_answers_than_there_are(task, pipe, word_tokenizer):
    """Prevents a traceback for a top_k above the number of classes, tokens or spans."""
    asked = {"question-answering": {"question": "who ?", "context": "ann"}, "fill-mask": "the [MASK]"}.get(
        task, "a cat"
    )
    found = pipe(task, ("no", "yes") if task == "text-classification" else ())(asked, top_k=1000)
    assert len(found) == {"text-classification": 2, "fill-mask": len(word_tokenizer), "question-answering": 1}[task]


@pytest.mark.parametrize(
    ("context", "answer", "found"),
    [
        ("Ann won in Paris and sat", "Paris ", "paris"),
        ("Ann won in Paris and sat", " Paris", "paris"),
        ("the cafe\u0301 was good", "cafe\u0301", "cafe"),
    ],
)
def test_answers_with_characters_without_a_token(context, answer, found, tmp_path):
    """Prevents such answers from being learned as none."""
    (tmp_path / "v.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nann\nparis\ncafe\n")
    tokenizer = new_tokenizer(tmp_path / "v.txt")
    (tmp_path / "q.jsonl").write_text(json.dumps({"question": "who ?", "context": context, "answer": answer}))
    data = TASKS["question-answering"].read(tmp_path / "q.jsonl", Reading(tokenizer, 32))
    first, last = data.labels[0]
    assert tokenizer.convert_ids_to_tokens(data.input_ids[0][first : last + 1].tolist()) == [found]


def test_answers_in_no_piece_are_told(tmp_path, word_tokenizer, caplog):
    """Prevents answers that are longer than what pieces share from being learned as none without a word."""
    answer = " ".join(["the cat sat ."] * 3)
    table = {"question": "what ?", "context": f"ann won . {answer} bob ran .", "answer": answer}
    (tmp_path / "q.jsonl").write_text(json.dumps(table))
    data = TASKS["question-answering"].read(tmp_path / "q.jsonl", Reading(word_tokenizer, 16))
    assert len(data) > 1 and not data.labels.any()
    assert "q.jsonl: of 1 questions, 1 have an answer that no piece of their context holds whole" in caplog.text


def test_pieces_hold_the_answer_once_or_more(tmp_path, word_tokenizer):
    """Prevents labels beyond a piece, or of a part of the answer, where the context is cut within it."""
    context = " ".join(["the cat sat ."] * 6) + " ann won ."
    start = context.index("ann")
    table = {"question": "who ?", "context": context, "answer": "ann won", "answer_start": start}
    (tmp_path / "q.jsonl").write_text(json.dumps(table))
    for length in range(10, 24):
        data = TASKS["question-answering"].read(tmp_path / "q.jsonl", Reading(word_tokenizer, length, doc_stride=3))
        held = [(first, last) for first, last in data.labels if last]
        assert held
        for number, (first, last) in enumerate(data.labels):
            if last:
                place, end = data.places[number][first], data.ends[number][last]
                assert context[place:end] == "ann won"


def test_pieces_from_the_end_of_a_context(tmp_path, vocabulary):
    """Prevents a part of an answer from being learned where a tokenizer cuts contexts from their end."""
    tokenizer = new_tokenizer(vocabulary)
    tokenizer.truncation_side = "left"
    context = "the cat sat . ann won in paris . " + " ".join(["bob ran ."] * 3)
    table = {"question": "who ?", "context": context, "answer": "ann won in paris"}
    (tmp_path / "q.jsonl").write_text(json.dumps(table))
    for length in range(12, 24):
        data = TASKS["question-answering"].read(tmp_path / "q.jsonl", Reading(tokenizer, length, doc_stride=4))
        for number, (first, last) in enumerate(data.labels):
            assert not last or context[data.places[number][first] : data.ends[number][last]] == "ann won in paris"


def test_no_answer_where_it_is_asked_for(pipe):
    """Prevents models of others, which do not tell that they know it, from never answering none."""
    ask, asked = pipe("question-answering"), {"question": "who ?", "context": "ann won ."}
    usual = ask(asked, top_k=50)
    assert all(one["answer"] for one in usual)
    never, always = (ask(asked, top_k=50, null_score_diff_threshold=lead) for lead in (np.inf, -np.inf))
    assert never[-1]["answer"] == always[0]["answer"] == ""
    assert never[-1]["score"] == always[0]["score"] < 1, "a probability, wherever the border is"
    assert [one["answer"] for one in never[:-1]] == [one["answer"] for one in usual][: len(never) - 1]


def test_questions_without_an_answer_for_a_model_that_knows_none(tmp_path, word_tokenizer):
    """Prevents a test whose questions cannot be answered rightly."""
    table = {"question": "who ?", "context": "ann won .", "answer": ""}
    (tmp_path / "q.jsonl").write_text(json.dumps(table))
    with pytest.raises(InputError, match=r"q.jsonl, row 1: question '1' has no answer, and the model was not"):
        TASKS["question-answering"].read(tmp_path / "q.jsonl", Reading(word_tokenizer, 32, classes=()))


@pytest.mark.parametrize(("task", "classes"), [("text-classification", ("no", "yes")), ("regression", ())])
def test_answers_do_not_depend_on_other_rows(task, classes, pipe):
    """Prevents a text beside pairs from being read as one with an empty second text."""
    ask, pair = pipe(task, classes), {"text": "the cat", "text_pair": "a mat"}
    alone, beside = ask("the film was good ."), ask([pair, "the film was good .", pair])[1]
    one, other = (found if task == "regression" else found[0] for found in (alone, beside))
    assert one["score"] == pytest.approx(other["score"], abs=1e-6)
    data = TASKS[task].ask(["the cat", pair], ask.reading)
    assert sorted(data.input_ids.lengths) == [4, 7]


def test_marks_stay_in_their_word(pipe):
    """Prevents words from being cut at accents, vowel signs and unseen letters that are letters by themselves."""
    text = "cafe\u0301s in \u0928\u092e\u0938\u094d\u0924\u0947, ok"
    found = pipe("token-classification", ("B-X", "O"))(text, grouped=False)
    emoji = pipe("token-classification", ("B-X", "O"))("I \u2764\ufe0fyou", grouped=False)
    assert [one["word"] for one in emoji] == ["I", "\u2764\ufe0f", "you"]
    unseen = pipe("token-classification", ("B-X", "O"))("Man\u00adchester, \u200bG\u200dermany", grouped=False)
    assert [one["word"] for one in unseen] == ["Man\u00adchester", ",", "\u200b", "G\u200dermany"]
    assert [one["word"] for one in found] == ["cafe\u0301s", "in", "\u0928\u092e\u0938\u094d\u0924\u0947", ",", "ok"]


def test_a_word_in_pieces_is_asked_about_once(word_tokenizer):
    """Prevents more tags than words where a window ends within a word."""
    words = ["the", "cat", "sat", "on", "a", "mats", "ran"]  # "mats" is of two pieces
    data = TASKS["token-classification"].ask([words], Reading(word_tokenizer, 8, classes=("O", "B-X")))
    assert len(data) == 2 and data.asked.sum() == len(words)


def test_a_group_is_as_sure_as_its_words_on_average(word_tokenizer):
    """Prevents a name of several words from being told as certain because one of them is."""
    task = TASKS["token-classification"]
    data = task.ask([["ann", "ran"]], Reading(word_tokenizer, 8, classes=("B-X", "I-X")))
    ((found,),) = task.answer(data, np.log([[0.9, 0.1], [0.4, 0.6]]))
    assert found["score"] == pytest.approx(0.75)


def test_classes_that_are_numbers_are_in_the_order_of_numbers(tmp_path):
    """Prevents class 10 from standing before class 2."""
    assert class_names(["10", "9", "2"], tmp_path) == ("2", "9", "10")


def test_a_stride_as_it_is_given():
    """Prevents pieces that share fewer tokens than was asked for and written down."""
    tokenizer = new_tokenizer("residues")
    assert [Reading.within(512, tokenizer, max_seq_length=length).stride for length in (32, 512)] == [8, 128]
    assert Reading.within(512, tokenizer, max_seq_length=32, doc_stride=16).stride == 16
    with pytest.raises(InputError, match="doc_stride: not a number of tokens that pieces can share: '32'"):
        Reading.within(512, tokenizer, max_seq_length=32, doc_stride=32)


def test_regression_on_one_row():
    """Prevents a traceback for a validation table of one row, of which there is no correlation."""
    assert TASKS["regression"].metrics(None, np.array([[1.0]]), np.array([[3.0]])) == {"loss": 4.0, "rmse": 2.0}
    assert TASKS["regression"].measures([1]) == ("rmse",)


@pytest.mark.filterwarnings("error")
def test_no_correlation_of_constants():
    """Prevents lines of a library's warnings in every evaluation of a table with a single number."""
    found = TASKS["regression"].metrics(None, np.array([[1.0], [2.0]]), np.array([[3.0], [3.0]]))
    assert np.isnan(found["spearman"]) and np.isnan(found["pearson"]) and found["rmse"] > 0


def test_a_correlation_of_ranks_and_one_of_values():
    """Prevents the two correlations from standing under each other's name."""
    found = TASKS["regression"].metrics(None, np.array([[1.0], [2.0], [30.0]]), np.array([[1.0], [2.0], [3.0]]))
    assert found["spearman"] == pytest.approx(1) and found["pearson"] < 0.95


@pytest.mark.parametrize("task", ["text-classification", "token-classification"])
def test_a_text_on_one_long_line(task, pipe, tmp_path):
    """Prevents a traceback for a line that is longer than the module csv takes a field to be."""
    (tmp_path / "long.txt").write_text("the cat sat " * 12_000)
    ask = pipe(task, ("O", "B-X"))
    questions, rows = TASKS[task].read_questions(tmp_path / "long.txt", ask.reading)
    assert len(questions) == 1 and list(rows) == [1]


def test_texts_without_a_token_are_left_out(tmp_path, word_tokenizer):
    """Prevents an index beyond the last token where the last text of a file tokenizes to nothing."""
    (tmp_path / "texts.txt").write_text(f"the cat\n{INVISIBLE}\na dog sat\n{INVISIBLE}\n")
    data = TASKS["fill-mask"].read(tmp_path / "texts.txt", Reading(word_tokenizer, 32))
    batch = data.collate([0, 1])
    assert len(data) == 2 and batch["attention_mask"].sum(1).tolist() == [4, 5]


def test_small_batches_ask_for_a_token(tmp_path, word_tokenizer):
    """Prevents a loss that is no number where chance masks nothing in a batch."""
    (tmp_path / "texts.txt").write_text("cat\n" * 50)
    data = TASKS["fill-mask"].read(tmp_path / "texts.txt", Reading(word_tokenizer, 32))
    assert all(data.collate([number])["asked"].sum() == 1 for number in range(50))
    assert data.collate(list(range(50)))["asked"].sum(1).tolist() == [1] * 50, "in batches of any size"


@pytest.mark.parametrize("given", [None, {"text": None}, ("a", None), 3, ("a", "b", "c")])
def test_what_is_no_text(given, pipe):
    """Prevents an attribute error from what is neither a text nor a pair."""
    with pytest.raises(InputError, match="row 1"):
        pipe("text-classification", ("no", "yes"))([given])


def test_next_sentence_needs_two(pipe):
    """Prevents an answer about a sentence that was not given."""
    ask = pipe("next-sentence", ("IS_NEXT", "NOT_NEXT"))
    assert len(ask(("the cat sat .", "ann won ."))) == 2
    for given in ("the cat sat .", {"text": "the cat sat ."}):
        with pytest.raises(InputError, match="no second sentence"):
            ask(given)
