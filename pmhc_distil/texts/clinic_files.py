"""Notes of an eye clinic as files of questions and answers, for training, validation and test."""

import hashlib
import json
import re
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

from pmhc_distil.sequences.files import create_folder, write_text
from pmhc_distil.texts.clinic_notes import SIDES, SLOT, ClinicNote, make_notes
from pmhc_distil.texts.clinic_phrases import QUESTIONS

REPORT_FILE = "report.json"


def squad_of(notes: list[ClinicNote], role: str, seed: int) -> dict[str, Any]:
    """Give notes as SQuAD 2.0: four questions each, what a note does not say being impossible.

    Returns
    -------
    dict
        Ready for JSON.  A paragraph has its phrasings beside what SQuAD asks for.
    """
    random = Random(f"{seed} {role} questions")
    data = []
    for number, note in enumerate(notes):
        asked = []
        for kind, ways in QUESTIONS.items():
            for side in SIDES:
                answer = note.answers.get((kind, side))
                asked.append(
                    {
                        "id": f"{role}-{number}-{kind}-{side}",
                        "question": random.choice(ways).format(side=side),
                        "is_impossible": answer is None,
                        "answers": [{"text": answer[0], "answer_start": answer[1]}] if answer else [],
                    }
                )
        paragraph = {"context": note.text, "qas": asked, "phrasings": list(note.phrasings)}
        data.append({"title": f"{role} note {number}", "paragraphs": [paragraph]})
    return {"version": "v2.0", "data": data}


def write_clinic_notes(folder: Path, count: int, seed: int) -> dict[str, Any]:
    """Write ``train.json``, ``validation.json``, ``test.json`` and ``report.json``; the same seed gives the same bytes.

    Parameters
    ----------
    folder : Path
        Is created.
    count, seed : int
        As for :func:`pmhc_distil.texts.clinic_notes.make_notes`.

    Returns
    -------
    dict
        The report: for every role notes, questions with an answer by kind and side, phrasings and templates (orders of
        phrasings), how many phrasings two roles share, and the words of its phrasings that no training note has.
    """
    made = make_notes(count, seed)
    create_folder(folder)
    used = {role: {phrasing for note in notes for phrasing in note.phrasings} for role, notes in made.items()}
    words = {
        role: {word for one in ones for word in re.findall(r"[a-z']+", SLOT.sub("", one).lower())}
        for role, ones in used.items()
    }
    report: dict[str, Any] = {"seed": seed, "roles": {}}
    for role, notes in made.items():
        data = json.dumps(squad_of(notes, role, seed), ensure_ascii=False, indent=1) + "\n"
        write_text(folder / f"{role}.json", data)
        answered = Counter(f"{kind} {side}" for note in notes for kind, side in note.answers)
        report["roles"][role] = {
            "notes": len(notes),
            "questions": 4 * len(notes),
            "answered": dict(sorted(answered.items())),
            "phrasings": len(used[role]),
            "templates": len({note.phrasings for note in notes}),
            "phrasings_of_other_roles": len(used[role] & set().union(*(used[one] for one in used if one != role))),
            "words": len(words[role]),
            "words_not_in_training": sorted(words[role] - words["train"]),
            "sha256": hashlib.sha256(data.encode()).hexdigest(),
        }
    write_text(folder / REPORT_FILE, json.dumps(report, indent=2) + "\n")
    return report
