"""Synthetic notes of an eye clinic, and what they say: which drug was given, and what is the visual acuity.

No patient stands behind them: every note is drawn from the phrasings of :mod:`pmhc_distil.texts.clinic_phrases`.
"Given" means at this visit, and the visual acuity is that of this visit: what was given or measured before, is planned
or was refused, eye drops, prices, dates and pressures are there to mislead.
"""

import re
from dataclasses import dataclass, field
from random import Random

from pmhc_distil.errors import InputError
from pmhc_distil.texts.clinic_phrases import DRUGS, EYES, FILLINGS, LOW_VISIONS, PHRASINGS, VISIONS

ROLES = {"train": 0.8, "validation": 0.1, "test": 0.1}
"""Files that are made, and the share of the notes in each."""

SIDES = ("right", "left")
SLOT = re.compile(r"\{(\w+)\}")
"""What a phrasing is filled at."""

_TREATMENTS = {"one drug": 38, "same drug": 15, "two drugs": 22, "no drug": 13, "": 12}
_MEASUREMENTS = {"both visions": 55, "one vision": 15, "equal visions": 12, "no vision": 8, "": 10}
_MISLEADING = {"last vision": 0.4, "last drug": 0.35, "drops": 0.35, "findings": 0.45}
_SEPARATORS = (". ", ", ", "; ", "\n", " - ", " / ")
_DRUG_TYPO, _WORD_TYPO, _LOW_VISION = 0.12, 0.04, 0.15
_SHORT = 0.6
"""Share of training notes that are cut to one to three clauses: with less to read, reading is sooner learned."""
_STRANGE_WORD = 0.1
"""Share of the words of training notes that are made up, so that a model learns to read on where it meets one."""


@dataclass
class ClinicNote:
    """A note and what it says.

    Attributes
    ----------
    text : str
        The note.
    phrasings : tuple of str
        The phrasings of its clauses, in their order: its template.
    answers : dict of (str, str) to (str, int)
        By ``"drug"`` or ``"va"`` and side: the answer as it is written, and its first character.  What the note does
        not say is not there.
    """

    text: str = ""
    phrasings: tuple[str, ...] = ()
    answers: dict[tuple[str, str], tuple[str, int]] = field(default_factory=dict)


def make_note(role: str, random: Random) -> ClinicNote:
    """Draw a note.

    Parameters
    ----------
    role : str
        One of :data:`ROLES`, which decides on the phrasings.
    random : Random
        Source of chance.

    Returns
    -------
    ClinicNote
        With a treatment, a visual acuity or both, and clauses that mislead.
    """
    families = ["", ""]
    while not any(families):
        families = [
            random.choices(list(weights), list(weights.values()))[0] for weights in (_TREATMENTS, _MEASUREMENTS)
        ]
    middle = [family for family in families if family]
    middle += [family for family, chance in _MISLEADING.items() if random.random() < chance]
    if "one drug" in families and random.random() < 0.3:
        middle.append("fellow eye")
    random.shuffle(middle)
    first = ["opening"] if random.random() < 0.6 else []
    last = [family for family, chance in (("plan", 0.5), ("fee", 0.3)) if random.random() < chance]
    ordered = [*first, *middle, *last] if random.random() < 0.8 else [*last, *middle, *first]
    if role == "train" and random.random() < _SHORT:
        told = random.choice([family for family in families if family])
        ordered = [
            told,
            *random.sample([one for one in ordered if one != told], random.randrange(min(3, len(ordered)))),
        ]
        random.shuffle(ordered)
    hand = _Hand(role, random)
    separator = random.choice(_SEPARATORS)
    for number, family in enumerate(ordered):
        if number:
            hand.note.text += separator
        hand.write(family)
    style = random.choices((str, str.lower, str.upper), (60, 33, 7))[0]
    note = hand.note
    note.text = style(note.text)
    note.answers = {kind: (style(text), start) for kind, (text, start) in note.answers.items()}
    return note


class _Hand:
    """Writes one note: keeps to one way to name the eyes and to one scale of vision."""

    def __init__(self, role: str, random: Random) -> None:
        self.note = ClinicNote()
        self._phrasings, self._random = PHRASINGS[role], random
        self._eyes = dict(zip((*SIDES, "both"), random.choice(EYES), strict=True))
        self._scale = random.choices(VISIONS, (50, 30, 8, 12))[0]
        self._treated = random.choice(SIDES)
        self._strange = _STRANGE_WORD if role == "train" else 0.0

    def write(self, family: str) -> None:
        """Write a clause and keep the answers in it."""
        random, note = self._random, self.note
        phrasing = random.choice(random.choice(self._phrasings[family]))
        note.phrasings += (phrasing,)
        side = random.choice(SIDES)
        if family in ("one drug", "fellow eye"):
            side = self._treated if family == "one drug" else SIDES[self._treated == "right"]
        for number, piece in enumerate(SLOT.split(phrasing)):
            if not number % 2:
                note.text += self._misspelt(self._made_strange(piece), _WORD_TYPO)
                continue
            kind, _, which = piece.partition("_")
            if kind in ("drug", "va"):
                text = self._drug() if kind == "drug" else self._vision()
                both = family in ("same drug", "equal visions")
                told = SIDES if both else ({"r": "right", "l": "left"}.get(which, side),)
                note.answers |= {(kind, one): (text, len(note.text)) for one in told}
            elif piece in ("old_drug", "old_va"):
                text = self._drug() if piece == "old_drug" else self._vision()
            elif piece in ("e", "r", "l", "b"):
                text = self._eyes[{"e": side, "r": "right", "l": "left", "b": "both"}[piece]]
            else:
                text = random.choice(FILLINGS[piece])
            note.text += text

    def _drug(self) -> str:
        written = self._random.choice(DRUGS[self._random.choice(list(DRUGS))])
        return self._misspelt(written, _DRUG_TYPO)

    def _vision(self) -> str:
        return self._random.choice(LOW_VISIONS if self._random.random() < _LOW_VISION else self._scale)

    def _made_strange(self, text: str) -> str:
        """Replace some words by others that nobody has seen."""
        if not self._strange:
            return text
        words = re.split(r"(\W+)", text)
        for i, word in enumerate(words):
            if word.isalpha() and self._random.random() < self._strange:
                words[i] = "".join(self._random.choice("bdfghklmnprstvw" if j % 2 else "aeiou") for j in range(2, 8))
                words[i] = words[i][self._random.randrange(2) : self._random.randrange(3, 7)]
        return "".join(words)

    def _misspelt(self, text: str, chance: float) -> str:
        """Swap, drop or double a letter inside some of the longer words."""
        words = re.split(r"(\W+)", text)
        for i, word in enumerate(words):
            if len(word) >= 5 and word.isalpha() and self._random.random() < chance:
                at = self._random.randrange(1, len(word) - 2)
                a, b = word[at], word[at + 1]
                words[i] = word[:at] + self._random.choice((b + a, a, a + a + b)) + word[at + 2 :]
        return "".join(words)


def make_notes(count: int, seed: int) -> dict[str, list[ClinicNote]]:
    """Draw notes for every role; no note is drawn twice.

    Parameters
    ----------
    count : int
        Notes in all, shared out by :data:`ROLES`; at least 10.
    seed : int
        The same seed gives the same notes.

    Returns
    -------
    dict of str to list of ClinicNote
        By role.

    Raises
    ------
    InputError
        If `count` is too small for the smallest share.
    """
    if count < 10:
        raise InputError("at least 10 notes are needed for three files", "examples", value=count)
    made = {}
    for role, share in ROLES.items():
        random = Random(f"{seed} {role}")
        notes: dict[str, ClinicNote] = {}
        while len(notes) < round(count * share):
            note = make_note(role, random)
            notes.setdefault(note.text, note)
        made[role] = list(notes.values())
    return made
