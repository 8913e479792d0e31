"""Phrasings of eye clinic notes, each for one of training, validation and test, and the words they are filled with.

``{e}`` is an eye, ``{r}``, ``{l}`` and ``{b}`` the right one, the left one and both; ``{drug}`` and ``{va}`` are facts,
``{old_drug}`` and ``{old_va}`` are none; :data:`FILLINGS` has the others.
"""

import itertools
import re

from pmhc_distil.texts.clinic_training import TRAINING

Families = dict[str, tuple[tuple[str, ...], ...]]
"""Families of phrasings: of each its patterns, and of each pattern the phrasings that it stands for."""

_CHOICE = re.compile(r"\[(.*?)\]")

FILLINGS = {
    "when": ("4/52", "6/52", "8/52", "10/52", "12/52", "2/12", "3/12", "4 wks", "6 weeks", "8w", "1/12", "5/52"),
    "n": ("2", "3", "4", "5", "7", "9", "12", "15", "21"),
    "date": ("12/3/24", "6/9/23", "3/6", "20/4/24", "6/12/23", "1/8", "9/6/24"),
    "site": ("IT", "ST", "inf temp", "sup temp", "3.5mm", "4 mm post limbus"),
    "price": ("$95", "$110", "$85", "$1450", "$60", "$75.50", "$0", "$620"),
    "code": ("hn", "HN", "bb", "pp", "hcc", "item 42738"),
    "age": ("54", "61", "66F", "72M", "78F", "81M", "84", "90F"),
    "iop": ("12", "14", "16", "18", "21", "9"),
    "drop": (
        *("latanoprost", "Xalatan", "timolol", "Combigan", "Cosopt", "Ganfort", "Simbrinza", "pred forte", "Azopt"),
        *("FML", "chlorsig", "Acular", "Systane", "Hylo-Forte", "Alphagan"),
    ),
}
"""What the slots without a fact hold."""

DRUGS = {
    "ranibizumab": ("Lucentis", "lucentis", "ranibizumab", "luc", "Byooviz", "Ximluci"),
    "aflibercept": ("Eylea", "eylea", "aflibercept", "aflib", "Eylea HD", "Eylea 8mg"),
    "bevacizumab": ("Avastin", "avastin", "bevacizumab", "bev", "Lytenava"),
    "faricimab": ("Vabysmo", "vabysmo", "faricimab", "vaby"),
    "brolucizumab": ("Beovu", "beovu", "brolucizumab"),
}
"""Anti-VEGF drugs and the ways to write them."""

EYES = (
    *(("RE", "LE", "BE"), ("OD", "OS", "OU"), ("r)", "l)", "b)"), ("R)", "L)", "B)"), ("R", "L", "BE")),
    *(("right", "left", "both"), ("right eye", "left eye", "both eyes"), ("R/E", "L/E", "B/E")),
    *(("rt", "lt", "both eyes"), ("(R)", "(L)", "(R+L)"), ("R eye", "L eye", "both eyes"), ("re", "le", "be")),
)
"""Right, left and both, as one hand writes them."""

VISIONS = (
    (
        "6/5",
        "6/6",
        "6/7.5",
        "6/9",
        "6/12",
        "6/15",
        "6/18",
        "6/24",
        "6/36",
        "6/60",
        "6/9-1",
        "6/12+2",
        "6/7.5-2",
        "6/18+1",
    ),
    ("20/20", "20/25", "20/30", "20/40", "20/50", "20/60", "20/80", "20/100", "20/200", "20/400", "20/40-2", "20/25+1"),
    ("0.0", "0.1", "0.2", "0.3", "0.4", "0.48", "0.6", "0.7", "0.8", "1.0"),
    ("85 letters", "78 letters", "74 letters", "70 letters", "63 letters", "55 letters", "42 letters", "35 letters"),
)
"""Visual acuities on four scales: metres, feet, logMAR and letters of the ETDRS chart."""

LOW_VISIONS = ("CF", "CF 1m", "CF@50cm", "HM", "PL", "LP", "NPL", "NLP", "3/60", "1/60")
"""Visual acuities below every chart: counting fingers, hand movements, perception of light."""

QUESTIONS = {
    "drug": (
        "Which drug was given in the {side} eye?",
        "What was injected into the {side} eye?",
        "Which anti-VEGF drug did the {side} eye receive?",
        "What drug did the {side} eye get at this visit?",
    ),
    "va": (
        "What is the visual acuity of the {side} eye?",
        "What is the vision in the {side} eye?",
        "What is the {side} eye's VA?",
        "What visual acuity was measured in the {side} eye?",
    ),
}
"""Ways to ask."""

_VALIDATION = """
opening: {age} old patient with AMD {b} | treat and extend {e} | DME {e} review | clinic visit {n}
opening: {age} macular clinic | brought by son | new ref {e}
one drug: {e} treated w {drug} | {drug} injection into {e} | today {e} {drug} {price} | {drug} {site} {e} ok
one drug: {e} eye inj: {drug} {code} | intravitreal {e} {drug}, tolerated well | {drug} administered {e}
one drug: {e} rec'd {drug}
same drug: {b} treated w {drug} | {drug} administered {b} | {drug} into {b} today {price} | {b} rec'd {drug}
same drug: {b}: IVT {drug} {site}
two drugs: {r} treated w {drug_r}, {l} w {drug_l} | {drug_l} into {l} & {drug_r} into {r}
two drugs: {r} rec'd {drug_r}; {l} rec'd {drug_l} | today {drug_r} {r} {drug_l} {l}
two drugs: {drug_r} for {r}, {drug_l} for {l} {code}
no drug: withheld {old_drug} {e} | no treatment given | dry so no inj | {old_drug} not required {e}
no drug: injection omitted
fellow eye: {e} eye left alone | {e} observed | {e} without treatment, prior {old_drug} | nil to {e}
both visions: VA today {va_r} {r} / {va_l} {l} | Snellen {r} {va_r}, {l} {va_l} | {r} {va_r}; {l} {va_l} unaided
both visions: vision today {l} {va_l} {r} {va_r} | measured {l} {va_l}, {r} {va_r} | {va_r} in {r}, {va_l} in {l}
one vision: VA today {va} {e} | {e} eye {va} unaided | Snellen {e} {va} | {va} in {e} | vision today {e} {va}
equal visions: VA today {va} {b} | {b} eyes read {va} | Snellen {va} {b} | {va} in each
no vision: VA unable | acuity not recorded | chart not available | vision test skipped
last vision: {e} {old_va} previously | VA {date} {e} {old_va} | from {old_va} {e} at start | {e} used to read {old_va}
last vision: {when} ago {e} was {old_va}
last drug: previously {old_drug} {e} | {e} had {n} {old_drug} before | {old_drug} {e} given {when} ago
last drug: changed from {old_drug} {e} | prior rx {old_drug} {e} {date} | {e} refractory to {old_drug}
drops: continues {drop} {e} | {drop} drops {b} | {drop} tds {e} | takes {drop} at night | {drop} stopped {e}
plan: back in {when} | repeat {old_drug} {e} in {when} | will have {old_drug} {e} {when} | appt {when}
plan: intend {old_drug} {b} next time
fee: charged {price} | cost {price} {code} | {code}, pays {price} | receipt {price}
findings: OCT {e} better | pressure {iop} {e} | fluid {b} less | haem {e} | macula flat {b} | lens clear {b}
findings: tears ok
"""

_TEST = """
opening: AMD pt {age} | follow up {e} macula | visit no {n} | {age} with DMO {b} | walked in, {age}
opening: long standing CNV {e} | mac clinic today | PDR {b}
one drug: {e} had {drug} today | {drug} done {e} {code} | {price} {code} {e} {drug} | after betadine {drug} {e}
one drug: {e}: inj of {drug} {site} | {when} check, {e} {drug} | {drug} x1 {e} | gave {e} {drug} | {e} jab {drug}
one drug: {e} for {drug}, done | topical LA then {drug} {e}
same drug: {b} had {drug} today | gave {b} {drug} | {drug} done {b} {price} | {b} jabs {drug}
same drug: {when} check, {b} {drug} | {drug} x2, {b}
two drugs: {r} had {drug_r}, {l} had {drug_l} | gave {drug_l} {l} then {drug_r} {r}
two drugs: {drug_r} done {r}, {drug_l} done {l} | {l} jab {drug_l}, {r} jab {drug_r}
two drugs: {r} with {drug_r} and {l} with {drug_l} {price} | {drug_r} x1 {r}, {drug_l} x1 {l}
no drug: skipped {old_drug} {e} | nothing given today | {old_drug} refused | no jab | too unwell for {old_drug} {e}
no drug: left untreated {b}
fellow eye: {e} nothing done | {e} skipped | {e} inactive, last {old_drug} long ago | {e} only checked
both visions: {r} sees {va_r}, {l} sees {va_l} | VA OK {va_r} {r} and {va_l} {l} | best {l} {va_l} {r} {va_r}
both visions: {r} manages {va_r}, {l} {va_l} | {va_l} for {l}, {va_r} for {r} | acuities: {r} {va_r} {l} {va_l}
both visions: chart {va_r} {r} - {va_l} {l} | pinhole nil, {l} {va_l}, {r} {va_r}
one vision: {e} sees {va} | best {e} {va} | {e} manages {va} | {va} for {e} | chart {va} {e} | acuity of {e} {va}
equal visions: {b} sees {va} | {b} manage {va} | {va} for {b} | chart {va} {b} | acuities equal {va}
no vision: could not do VA | vision not assessed | no chart done | pt too tired for VA
last vision: {e} had been {old_va} | earlier {e} {old_va} | on {date} {old_va} {e} | down from {old_va} {e}
last vision: {old_va} {e} pre {old_drug}
last drug: earlier {old_drug} {e} | used {old_drug} {e} till {date} | {when} back {old_drug} {e}
last drug: {e} did badly on {old_drug} | {n} old {old_drug} jabs {e}
drops: {drop} to {e} bd | puts in {drop} {b} | still on {drop} {e} | ran out of {drop} | new script {drop} {b}
plan: again in {when} | {old_drug} {e} at next appt | come back {when} | will try {old_drug} {e}
plan: {when} then {old_drug} {b} | wants {old_drug} {e} later
fee: {price} owing | {code} {price} eftpos | paid {price} today | invoice {price} {code}
findings: scan {e} wet | scan {b} ok | IOPs {iop}/{iop} | new blood {e} | drusen {b} | cornea clear | PCO {e}
findings: post seg quiet
"""


def shape(phrasing: str) -> str:
    """Give a phrasing as it reads: without case, punctuation, side of its eyes, and day of its facts."""
    slot = r"{(?:[rleb]|(?:old_)?(drug|va)\w*)}"
    slots = re.sub(slot, lambda match: f" {(match[1] or 'eye').upper()} ", phrasing.lower())
    return " ".join(re.findall(r"\w+", slots))


def _parse(text: str) -> Families:
    found: dict[str, list[tuple[str, ...]]] = {}
    for line in text.strip().replace("\n  ", " ").splitlines():
        family, _, patterns = line.partition(": ")
        for pattern in patterns.split(" | "):
            parts = [part.split(";") if number % 2 else [part] for number, part in enumerate(_CHOICE.split(pattern))]
            written = (_joined("".join(pieces)) for pieces in itertools.product(*parts))
            found.setdefault(family, []).append(tuple(dict.fromkeys(written)))
    return {family: tuple(patterns) for family, patterns in found.items()}


def _joined(text: str) -> str:
    return re.sub(r" ([,:])", r"\1", " ".join(text.split()))


def _without(families: Families, *others: Families) -> Families:
    """Leave out what is a phrasing of another role."""
    taken = {
        shape(one) for other in others for patterns in other.values() for phrasings in patterns for one in phrasings
    }
    left = {
        family: [tuple(one for one in phrasings if shape(one) not in taken) for phrasings in patterns]
        for family, patterns in families.items()
    }
    return {family: tuple(filter(None, patterns)) for family, patterns in left.items()}


_HELD_OUT = {"validation": _parse(_VALIDATION), "test": _parse(_TEST)}
PHRASINGS = {"train": _without(_parse(TRAINING), *_HELD_OUT.values()), **_HELD_OUT}
"""Phrasings by role and family, those of a pattern together; none is in two roles, though their words are."""
