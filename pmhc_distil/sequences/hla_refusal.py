"""Why a text is not an HLA class I allele, and which names may have been meant."""

import difflib
import re
from typing import Any

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.groove_table import EXPRESSION, GENES, groove_table, name_order

_MAYBE_NAME = re.compile(r"(?:HLA)?[\s_:.*\-]*(A|B|C|E|F|G)W?[\s_:.*\-]*(\d+)?(?:\D+(\d+))?.*", re.IGNORECASE)
_BY_SEQUENCE = "another MHC can be given as a sequence, see --hla-fasta"
_EXAMPLE = "write a name such as HLA-A*02:01"
CLASS_II = "HLA class II, only class I can be scored"
_CHOOSE = "choose one of them"
_CODE = re.compile(r"(?:HLA-?)?[ABC]\*?\d{2,3}:[A-Z]{2,5}", re.IGNORECASE)
"""A code of the NMDP, such as A*02:AB."""
_SEVERAL = re.compile(r"\w\s*[,;+&~^]\s*\w|\d\s+(?:HLA-?)?[ABCEFG]w?(?:\*\d|\d\d:?\d\d)", re.IGNORECASE)


def no_groove(text: str, name: str) -> InputError:
    """Return the refusal of an allele whose known sequences do not cover the groove."""
    table = groove_table()
    suffix = table.incomplete.get(name, "")
    hint = f"{suffix}, {EXPRESSION[suffix]}" if suffix else "its sequence is known in part only"
    return InputError(f"{name}{suffix} has no complete groove in IPD-IMGT/HLA {table.release}", value=text, hint=hint)


def refusal(text: str, parsed: Any) -> InputError:
    """Return the refusal of a text that is no allele of the table.

    Parameters
    ----------
    text : str
        What was given, without quotes and space around it.
    parsed : object
        What mhcgnomes makes of it, or None.

    Returns
    -------
    InputError
        With up to three valid names that look alike as the hint, where there are any.
    """
    if not text:
        return InputError("empty HLA name", value=text, hint=_EXAMPLE)
    kind = type(parsed).__name__
    species = getattr(parsed, "species_prefix", None) or "HLA"
    mhc_class = str(getattr(parsed, "mhc_class", None) or "")
    gene = str(getattr(parsed, "gene_name", None) or "")
    if species != "HLA":
        return InputError(f"not a human allele (species {species})", value=text, hint=_BY_SEQUENCE)
    if mhc_class.startswith("II"):
        return InputError(CLASS_II, value=text, hint="leave it out")
    if _CODE.fullmatch(text):
        return InputError("a code for several alleles", value=text, hint=_CHOOSE)
    if _SEVERAL.search(text):
        hint = "give alleles one by one; those of a person may stand in one cell with --genotype"
        return InputError("more than one allele in one name", value=text, hint=hint)
    if kind in ("Pair", "Haplotype") or re.search(r"\w\s*[/|]\s*\w", text):
        return InputError("an ambiguous typing, of which not all are alleles of the person", value=text, hint=_CHOOSE)
    if kind in ("Serotype", "Supertype"):
        members = [name for name in sorted(map(_name, parsed.alleles), key=name_order) if name in groove_table()]
        return InputError(f"a {kind.lower()} is a group of alleles", value=text, hint=_any_of(members[:3]))
    if kind in ("Gene", "Allele") and gene not in GENES:
        return InputError(f"the gene {gene} cannot be scored, only {', '.join(GENES)}", value=text, hint=_BY_SEQUENCE)
    names = nearest_names(text)
    if kind == "Gene" or (kind == "Allele" and len(parsed.allele_fields) == 1):
        return InputError("a group of alleles, two fields are needed", value=text, hint=_any_of(names))
    if kind == "Allele" and not parsed.mutations:
        release = groove_table().release
        return InputError(f"no such allele in IPD-IMGT/HLA {release}", value=text, hint=_any_of(names))
    return InputError("not an HLA class I allele name", value=text, hint=_any_of(names))


def _name(allele: Any) -> str:
    return str(allele.to_string())


def _any_of(names: list[str]) -> str:
    return f"did you mean {' or '.join(names)}?" if names else _EXAMPLE


def nearest_names(text: str, most: int = 3) -> list[str]:
    """Return the valid names that look most like a text.

    Parameters
    ----------
    text : str
        A name that starts with a gene, perhaps with fields.
    most : int
        How many names at most.

    Returns
    -------
    list of str
        Of the same gene, and of the same first field if that exists; among equally similar ones those with low
        numbers, which are the common alleles.  Empty for a text without a gene or without a number.
    """
    match = _MAYBE_NAME.fullmatch(text)
    if match is None or match[2] is None:
        return []
    first, second = match[2], match[3] or ""
    if len(first) > 2:
        first, second = first[:2], first[2:]
    first = first.zfill(2)
    of_gene = [name for name in groove_table().names if name.startswith(f"HLA-{match[1].upper()}*")]
    candidates = [name for name in of_gene if name.split("*")[1].startswith(f"{first}:")] or of_gene
    if not second:
        return candidates[:most] if candidates is not of_gene else []
    wanted = f"{first}:{second}"
    matcher = difflib.SequenceMatcher(autojunk=False)
    matcher.set_seq2(wanted)

    def unlikeness(name: str) -> float:
        fields = name.split("*")[1]
        matcher.set_seq1(fields)
        return round(0.2 * abs(len(fields) - len(wanted)) - matcher.ratio(), 1)

    return sorted(candidates, key=lambda name: (unlikeness(name), name_order(name)))[:most]
