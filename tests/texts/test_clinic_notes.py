"""Notes say what their answers say, and the test has nothing of what was trained on but words."""

import itertools
import json
import re
from collections import Counter
from random import Random

import pytest

from pmhc_distil.errors import InputError
from pmhc_distil.texts.clinic_files import write_clinic_notes
from pmhc_distil.texts.clinic_notes import ROLES, make_note, make_notes
from pmhc_distil.texts.clinic_phrases import DRUGS, EYES, FILLINGS, LOW_VISIONS, PHRASINGS, QUESTIONS, VISIONS, shape
from pmhc_distil.texts.squad import read_questions

FACTS = {
    "one drug": ["drug"],
    "same drug": ["drug"],
    "two drugs": ["drug_l", "drug_r"],
    "both visions": ["va_l", "va_r"],
    "one vision": ["va"],
    "equal visions": ["va"],
}
"""Slots that are answers, by family; all other families have none."""

ALL = [
    (role, family, one)
    for role, families in PHRASINGS.items()
    for family, patterns in families.items()
    for phrasings in patterns
    for one in phrasings
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Give 600 notes as files."""
    folder = tmp_path_factory.mktemp("notes") / "new"
    write_clinic_notes(folder, 600, seed=7)
    return folder


def test_no_phrasing_is_in_two_roles(folder):
    """Prevents a test on phrasings that were trained on, also with other punctuation or with the eyes exchanged."""
    shapes = {role: {shape(one) for other, _, one in ALL if other == role} for role in ROLES}
    used = {}
    for role in ROLES:
        data = json.loads((folder / f"{role}.json").read_text())["data"]
        notes = [tuple(article["paragraphs"][0]["phrasings"]) for article in data]
        assert len(set(notes)) >= 60, "templates"
        used[role] = {phrasing for note in notes for phrasing in note}
        assert len(used[role]) >= 60, "phrasings"
        assert {shape(one) for one in used[role]} <= shapes[role]
    words = {role: {word for one in ones for word in one.split()} for role, ones in shapes.items()}
    assert words["test"] & words["train"] and shape("VA: {r} {va_r}") == shape("va {l}  {va_l}") != shape("{va} VA {e}")
    for one, other in (("train", "validation"), ("train", "test"), ("validation", "test")):
        assert not shapes[one] & shapes[other]
        assert not used[one] & used[other]


def test_what_reads_alike_is_told_alike():
    """Prevents training on the contrary of what a note of a test means, as where a plan reads like what was given."""
    told = {True: set(), False: set()}
    for _, family, phrasing in ALL:
        if re.search("DRUG|VA", read := shape(phrasing)):
            told[family in FACTS].add(read)
    assert min(map(len, told.values())) > 100
    assert not told[True] & told[False]
    assert shape("{when} then {old_drug} {b}") == shape("{when} then {drug} {e}")


@pytest.mark.parametrize("role", ROLES)
def test_every_family_can_be_written(role):
    """Prevents a family that one role lacks, a slot that nothing fills, and a fact where none should be."""
    assert PHRASINGS[role].keys() == PHRASINGS["train"].keys()
    for family, patterns in PHRASINGS[role].items():
        for phrasing in itertools.chain(*patterns):
            slots = re.findall(r"{(.*?)}", phrasing)
            facts = sorted(slot for slot in slots if re.match("drug|va", slot))
            assert facts == FACTS.get(family, []), phrasing
            assert set(slots) - set(facts) <= {"e", "r", "l", "b", "old_drug", "old_va", *FILLINGS}, phrasing
            if facts and facts[0].endswith("_l"):
                assert {"r", "l"} <= set(slots), phrasing
            elif family in ("one drug", "one vision"):
                assert "e" in slots and not {"r", "l", "b"} & set(slots), phrasing
            elif facts:
                assert not {"e", "r", "l"} & set(slots), phrasing


def test_answers_stand_in_the_notes(folder):
    """Prevents offsets that noise has moved; the reader refuses those that disagree with the text."""
    for role, share in ROLES.items():
        questions = read_questions(folder / f"{role}.json")
        assert len(questions) == 4 * round(600 * share)
        answered = sum(bool(one.answers) for one in questions) / len(questions)
        assert 0.5 < answered < 0.85, "both kinds of questions are needed"


def test_answers_say_what_the_note_says():
    """Prevents the fact of one eye from becoming the answer for the other: read again by a plain rule."""
    random = Random(3)
    eyes = {one.lower(): side for right, left, _ in EYES for one, side in ((right, "right"), (left, "left"))}
    checked = Counter()
    for number in range(4000):
        note = make_note(tuple(ROLES)[number % 3], random)
        for phrasing, kind in itertools.product(note.phrasings, ("drug", "va")):
            sides = len(re.findall(rf"{{{kind}(?:_[rl])?}} {{[erl]}}", phrasing))
            if not sides or sides != phrasing.count(f"{{{kind}"):
                continue  # another order, to be read by another rule
            found = [(side, value) for (one, side), value in note.answers.items() if one == kind]
            assert len(found) == sides
            for side, (text, start) in found:
                after = note.text[start + len(text) :].lower()
                written = max((eye for eye in eyes if after.startswith(f" {eye}")), key=len)
                assert eyes[written] == side
                checked[kind, sides] += 1
    assert len(checked) == 4 and min(checked.values()) > 20


def test_answers_are_drugs_and_acuities():
    """Prevents a drop, a price or a date from being an answer."""
    random = Random(4)
    scales = {one.lower() for scale in (*VISIONS, LOW_VISIONS) for one in scale}
    drugs = {one.lower() for names in DRUGS.values() for one in names}
    right, total = 0, 0
    for _ in range(500):
        note = make_note("test", random)
        for (kind, _), (text, start) in note.answers.items():
            assert note.text[start : start + len(text)] == text
            if kind == "va":
                assert text.lower() in scales
            else:
                total += 1
                right += text.lower() in drugs
    assert 0.8 < right / total < 1, "some drugs are misspelt, most are not"


def test_nothing_said_nothing_answered():
    """Prevents an answer from what was given before, is planned or was refused."""
    random = Random(5)
    seen = 0
    for _ in range(1000):
        note = make_note("train", random)
        if set(note.phrasings) & set().union(*PHRASINGS["train"]["no drug"]):
            assert not any(kind == "drug" for kind, _ in note.answers)
            seen += 1
        if set(note.phrasings) & set().union(*PHRASINGS["train"]["no vision"]):
            assert not any(kind == "va" for kind, _ in note.answers)
    assert seen > 50


def test_seed(tmp_path, folder):
    """Prevents files that cannot be made again."""
    write_clinic_notes(tmp_path, 600, seed=7)
    for path in folder.iterdir():
        assert path.read_bytes() == (tmp_path / path.name).read_bytes()
    assert make_notes(20, seed=1) == make_notes(20, seed=1) != make_notes(20, seed=2)


def test_strange_words_are_for_training():
    """Prevents made-up words in what is measured on, and a training without any."""
    known = {role: " ".join(one for other, _, one in ALL if other == role).lower() for role in ROLES}
    for role in ROLES:
        random, strange, total = Random(6), 0, 0
        for _ in range(200):
            note = make_note(role, random)
            words = [
                word for one in note.phrasings for word in re.findall(r"[a-z]{3,}", re.sub(r"{.*?}", "", one.lower()))
            ]
            total += len(words)
            strange += sum(word not in note.text.lower() for word in words)
        assert known[role] and total > 400
        assert (0.05 < strange / total < 0.2) if role == "train" else strange / total < 0.04, "the rest is misspelt"


def test_short_notes_are_for_training():
    """Prevents notes without anything to be read, and a test that is easier than it was."""
    for role in ROLES:
        random = Random(8)
        notes = [make_note(role, random) for _ in range(300)]
        assert all(note.phrasings for note in notes)
        short = sum(len(note.phrasings) <= 3 for note in notes) / len(notes)
        assert (short > 0.5) if role == "train" else (short < 0.35)


def test_no_note_twice():
    """Prevents the same note from being counted as two examples."""
    notes = [note.text for made in make_notes(1500, seed=0).values() for note in made]
    assert len(set(notes)) == len(notes) == 1500


def test_too_few():
    """Prevents a test file without a note."""
    with pytest.raises(InputError, match="at least 10"):
        make_notes(9, seed=0)


def test_questions_name_the_eye():
    """Prevents a question whose answer depends on an eye that it does not name."""
    assert all("{side}" in way for ways in QUESTIONS.values() for way in ways)
