"""Phrasings of eye clinic notes, each for one of training, validation and test, and the words they are filled with.

``{e}`` is an eye, ``{r}``, ``{l}`` and ``{b}`` the right one, the left one and both; ``{drug}`` and ``{va}`` are facts,
``{old_drug}`` and ``{old_va}`` are none; :data:`FILLINGS` has the others.
"""

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

_TRAIN = """
opening: {age} wet AMD {e} | {age}, nAMD {b} | DMO {b} | inj visit {n} | BRVO {e}, rv | T+E {e} | reviewed today
opening: {age} F/U CRVO {e} | AMD {e} x {n} yrs | seen with daughter | diabetic, {age} | {when} F/U
opening: routine {when} check
one drug: {when} rev + {e} {drug} {code} {price} | {e} {drug} {code} | IVT {drug} {e} | {drug} inj {e}
one drug: {e} IVT {drug} #{n} | {drug} {e} today | given {drug} {e} {site} | {e} inj {drug} uneventful
one drug: {drug} to {e} no complications | {e}: {drug} no. {n} | rx {drug} {e} | {e} {drug} 0.05ml {site}
one drug: had {drug} {e} this morning | injected {e} with {drug} | {drug} given {e} {price}
one drug: proceeded with {drug} {e} | {e} - {drug} inj done | consent, {drug} {e}, {site}
one drug: procedure: {e} intravitreal {drug} | {drug} ({e}) {when}
same drug: {b} {drug} | IVT {drug} {b} | {drug} {b} {code} {price} | {drug} inj {b} today | {b} inj {drug} #{n}
same drug: {when} rev + {b} {drug} | bilateral {drug} | {drug} both sides, no problems | injected {b} with {drug}
same drug: rx {drug} {b} {site}
two drugs: {r} {drug_r} {l} {drug_l} | {drug_r} {r}, {drug_l} {l} | {l} {drug_l} + {r} {drug_r}
two drugs: IVT {drug_l} {l} and {drug_r} {r} | {r}: {drug_r} {l}: {drug_l} {code}
two drugs: inj {drug_r} {r} / {drug_l} {l} {price} | {l} {drug_l} given, {r} {drug_r} given
two drugs: {drug_l} inj {l}, {drug_r} inj {r} {site} | rx {r} {drug_r} #{n}, {l} {drug_l}
two drugs: {when} rev + {r} {drug_r} & {l} {drug_l}
no drug: no inj today | not injected | {old_drug} {e} deferred | obs only | {old_drug} postponed, infection
no drug: no rx {b} | injection cancelled | declined {old_drug} | hold {old_drug} {e} | monitor without treatment
fellow eye: {e} no inj | {e} dry, observe | {e} stable, off {old_drug} | {e} not treated | no rx {e}
fellow eye: {e} disciform scar | {e} {old_drug} not needed | fellow {e} quiet
both visions: VA {r} {va_r} {l} {va_l} | {r} {va_r} {l} {va_l} | VA {va_r} {r}, {va_l} {l} | {va_l} {l} and {va_r} {r}
both visions: VA {l} {va_l} {r} {va_r} | vision {r} {va_r}, {l} {va_l} | BCVA {va_r} {r} {va_l} {l}
both visions: V {r} {va_r} / {l} {va_l} | VA: {r}={va_r} {l}={va_l} | reads {va_r} {r}, {va_l} {l}
both visions: sees {va_l} {l} {va_r} {r} | {r} VA {va_r}, {l} VA {va_l} | VA cc {r} {va_r} {l} {va_l}
both visions: {l} {va_l} today, {r} {va_r} | acuity {r} {va_r} & {l} {va_l} | VAs {l} {va_l}, {r} {va_r}
one vision: VA {e} {va} | {e} {va} | {va} {e} | vision {va} {e} | {e} VA {va} | BCVA {e} {va} | {e} reads {va}
one vision: V {va} {e} | {e} sees {va} today | VA: {e} {va}, other eye not checked | VA cc {e} {va}
equal visions: VA {va} {b} | {b} {va} | {b} VA {va} | vision {va} {b} | {va} each eye | V {b} {va} | reads {va} {b}
no vision: VA not done | no VA today | vision not checked | VA n/a | forgot glasses, VA not taken
last vision: last VA {e} {old_va} | was {old_va} {e} {when} ago | {e} {old_va} last visit | prev VA {old_va} {e}
last vision: {date}: {e} {old_va} | {old_va} {e} before {old_drug} | baseline {e} {old_va} | up from {old_va} {e}
last vision: {e} VA was {old_va} in clinic on {date}
last drug: prev {old_drug} {e} x{n} | had {old_drug} {e} {when} ago | last inj {old_drug} {e}
last drug: switched from {old_drug} {e} | failed {old_drug} {e} | {old_drug} {e} on {date}
last drug: {n} x {old_drug} {e} in past | {e} {old_drug} stopped {date} | poor response to {old_drug} {e}
last drug: last visit {old_drug} {e}, VA {old_va}
drops: g. {drop} {b} | {drop} nocte {e} | cont {drop} bd {e} | gutt {drop} qid {e} | {drop} {b} bd | on {drop}
drops: {drop} qid 1/52 post inj | using {drop} {e} | {drop} prn {b}
plan: plan {when} | plan {old_drug} {e} {when} | next visit {old_drug} {e} | rev {when} | book {e} {old_drug} {when}
plan: see {when} | extend to {when} | next: {when} {b} OCT | consider {old_drug} {e} if worse | RTC {when}
plan: TCA {when} ?{old_drug} {e} | for {old_drug} {e} next month
fee: {code} {price} | {price} paid | {price} | fee {price} | gap {price} {code} | bill {price} | inv {price}
findings: OCT dry {b} | SRF {e} | IOP {iop} | IOP {r} {iop} {l} {iop} | IRF {e} on OCT | no haem | OCT fluid {e}
findings: PED {e} | cat {b} | NS 2+ {b} | fundus flat | CMT {e} improved | pt happy | no pain
"""

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


def _parse(text: str) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for line in text.strip().splitlines():
        family, _, phrasings = line.partition(": ")
        found[family] = (*found.get(family, ()), *phrasings.split(" | "))
    return found


PHRASINGS = {"train": _parse(_TRAIN), "validation": _parse(_VALIDATION), "test": _parse(_TEST)}
"""Phrasings by role and family; none is in two roles."""
