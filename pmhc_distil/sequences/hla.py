"""HLA class I names: whatever the spelling, one canonical name that exists, or a refusal.

Common spellings are looked up in the shipped table of grooves.  Only what is not found there is put to mhcgnomes, which
knows retired names, but is believed only if the table has its answer: it parses names of alleles that do not exist.
"""

import re
import unicodedata
from dataclasses import dataclass, replace

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.groove_table import EXPRESSION, GrooveTable, groove_table
from pmhc_distil.sequences.hla_refusal import no_groove, refusal

_SEPARATOR = r"[\s_:.\-]"
_SPELLING = re.compile(
    rf"(?:HLA)?[\s_:.*\-]*(?P<gene>A|B|CW?|E|F|G)[\s_:.*\-]*"
    rf"(?P<fields>\d+(?:(?P<sep>{_SEPARATOR})\d+(?:(?P=sep)\d+){{0,2}})?)"
    rf"\s*(?P<suffix>[NLSCAQGP]?)"
)

_DASHES = {number: "-" for number in (*range(0x2010, 0x2016), 0x2212)}

_REASSIGNED = {
    "A*02:01:08": "A*02:1040",
    "A*02:01:16": "A*02:134",
    "A*24:459:02": "A*24:608",
    "A*26:03:02": "A*26:111",
    "B*07:02:06": "B*07:436",
    "B*15:01:05": "B*15:120",
    "B*35:43:02": "B*35:185",
    "B*56:05:02": "B*56:94",
    "C*02:02:04": "C*02:10",
    "C*02:02:05": "C*02:10",
    "C*02:16:01": "C*02:137",
    "C*06:02:02": "C*06:17",
    "C*07:01:03": "C*07:18",
    "C*08:01:08": "C*08:22",
    "C*12:274:02": "C*12:329",
    "C*15:05:08": "C*15:152",
}
"""Three-field names that IPD-IMGT/HLA withdrew for a name of another protein, so that cutting them would mislead."""


@dataclass(frozen=True)
class Allele:
    """An HLA class I allele that can be scored.

    Attributes
    ----------
    name : str
        Canonical two-field name, ``HLA-A*02:01``.
    requested : str
        The spelling that was given.
    groove : str
        34 residues.
    warning : str
        What the user should know about this allele: null, low expression, renamed; empty for most.
    null : bool
        Whether it is known, or written, as one that no cell shows.
    """

    name: str
    requested: str
    groove: str
    warning: str = ""
    null: bool = False


@dataclass(frozen=True)
class _Spelling:
    """A name taken apart: every way to read it as fields, and its suffix."""

    gene: str
    readings: tuple[tuple[str, ...], ...]
    suffix: str

    def two_field(self) -> list[str]:
        return list(dict.fromkeys(f"HLA-{self.gene}*{fields[0]}:{fields[1]}" for fields in self.readings))


def resolve_allele(
    text: str, *, source: str | None = None, row: int | None = None, column: str | None = None
) -> Allele:
    """Find the HLA class I allele that a text names.

    Parameters
    ----------
    text : str
        Any usual spelling: ``HLA-A*02:01``, ``A0201``, ``hla_a_02_01``, ``A*02:01:01:02``, ``A*24:09N`` ...
    source, row, column : optional
        Where the text stands, for the message of a refusal.

    Returns
    -------
    Allele
        Look at its ``warning``.

    Raises
    ------
    InputError
        If the text names no allele, none of HLA class I, none that exists, more than one, or one without a complete
        groove sequence.
    """
    try:
        return look_up_allele(text) or _ask_mhcgnomes(text)
    except InputError as error:
        raise replace(error, source=source, row=row, column=column, value=text) from None


def look_up_allele(text: str) -> Allele | None:
    """Find an allele by the shipped table alone.

    Parameters
    ----------
    text : str
        Any usual spelling.

    Returns
    -------
    Allele or None
        None for a name that is not in the table, which may be a retired one.

    Raises
    ------
    InputError
        If digits without separators can be read as two alleles, or if the allele has no complete groove.
    """
    table = groove_table()
    if text in table and not table.expression(text):
        return Allele(text, text, table.groove(text))
    spelling = _take_apart(text)
    if spelling is None:
        return None
    names = spelling.two_field()
    if len(names) > 1:
        readings = " or ".join(f"HLA-{spelling.gene}*{':'.join(fields)}" for fields in spelling.readings)
        raise InputError("ambiguous HLA name", value=text, hint=f"write the colons: {readings}")
    if not names or (names[0] not in table and names[0] not in table.incomplete):
        return None
    name, fields = names[0], spelling.readings[0]
    full, warnings = ":".join([name, *fields[2:]]), []
    withdrawn = f"{spelling.gene}*{':'.join(fields[:3])}"
    if withdrawn in _REASSIGNED:
        full = name = f"HLA-{_REASSIGNED[withdrawn]}"
        warnings.append(f"{withdrawn} was withdrawn and is now {name}")
    if name not in table:
        raise no_groove(text, name)
    warnings += _expression_warnings(table, name, full, spelling.suffix)
    null = spelling.suffix not in ("G", "P") and "N" in (spelling.suffix, _expression(table, name, full))
    return Allele(name, text, table.groove(name), "; ".join(warnings), null)


def _strip(text: str) -> str:
    """Return a text without quotes and space around it, wide characters and dashes made plain."""
    return unicodedata.normalize("NFKC", text).translate(_DASHES).strip(" \t\r\n\"'`")


def _take_apart(text: str) -> _Spelling | None:
    match = _SPELLING.fullmatch(_strip(text).upper())
    if match is None:
        return None
    gene, suffix = match["gene"][0], match["suffix"]
    if match["sep"] is None:
        readings = _split_digits(match["fields"])
    else:
        fields = match["fields"].split(match["sep"])
        readings = [(fields[0].zfill(2), *fields[1:])] if all(len(one) > 1 for one in fields[1:]) else []
    if suffix in ("G", "P"):  # groups of alleles: three fields and G, two fields and P
        readings = [fields for fields in readings if len(fields) == (3 if suffix == "G" else 2)]
    return _Spelling(gene, tuple(readings), suffix)


def _split_digits(digits: str) -> list[tuple[str, ...]]:
    """Return every way to read digits without separators as a first field of two digits and further ones."""

    def rest(left: str, widths: tuple[tuple[int, ...], ...]) -> list[tuple[str, ...]]:
        if not left or not widths:
            return [] if left else [()]
        return [
            (left[:width], *tail)
            for width in widths[0]
            if len(left) >= width and (width == 2 or left[0] != "0")
            for tail in rest(left[width:], widths[1:])
        ]

    readings = rest(digits[2:], ((2, 3, 4), (2, 3), (2, 3)))
    return [(digits[:2], *fields) for fields in readings if fields]


def _expression_warnings(table: GrooveTable, name: str, full: str, written: str) -> list[str]:
    """Say what is unusual about the expression of the allele that was asked for."""
    if written == "G":
        return [f"a G group is scored as {name}, whose groove its members share; some may not be expressed"]
    if written == "P":
        return [f"a P group is scored as {name}, whose groove its members share"]
    known = _expression(table, name, full)
    warnings = []
    if known:
        asked = full if table.members.get(full) else name
        warnings.append(f"{asked}{known}: {EXPRESSION[known]} (scored by its groove all the same)")
    if written and written != known:
        listed = f"{full}{known}" if known else f"{full} without suffix"
        warnings.append(f"{full}{written}: {EXPRESSION[written]} (release {table.release} lists {listed})")
    return warnings


def _expression(table: GrooveTable, name: str, full: str) -> str:
    """Give the suffix of an allele, of its group's or of its own; empty for most."""
    return table.members.get(full, "") or table.expression(name)


def _ask_mhcgnomes(text: str) -> Allele:
    """Resolve what the table does not have as a retired name or a rare spelling, or refuse it."""
    import mhcgnomes  # 1.4 s

    text_only = _strip(text)
    spelling = _take_apart(text)
    candidates = [text_only]
    if spelling is not None:  # only its readings: mhcgnomes would cut A*02:9999 to A*02:99:99 if it met the bare digits
        candidates = [name + spelling.suffix for name in spelling.two_field()]
        candidates += [name.replace(":", "") for name in candidates if re.search(r"\*\d\d:\d\d[A-Z]?$", name)]
    for candidate in candidates:
        written = mhcgnomes.parse(candidate, raise_on_error=False) if candidate else None
        if not isinstance(written, mhcgnomes.Allele) or written.mutations or written.species_prefix != "HLA":
            continue
        if "".join(written.allele_fields) != re.sub(r"\D", "", candidate):  # never a digit that was not written
            continue
        current = mhcgnomes.parse(candidate, use_allele_aliases=True, raise_on_error=False)
        allele = look_up_allele(current.to_string())
        if allele is None:
            continue
        if look_up_allele(written.to_string()) == replace(allele, requested=written.to_string()):
            return replace(allele, requested=text)
        retired = f"{written.to_string()} is a retired name, replaced by {current.to_string()}; scored as {allele.name}"
        return replace(allele, requested=text, warning="; ".join([retired, *filter(None, [allele.warning])]))
    raise refusal(text_only, mhcgnomes.parse(text_only, raise_on_error=False) if text_only else None)
