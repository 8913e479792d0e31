"""The groove table derived from the protein sequences of an IPD-IMGT/HLA release."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.groove_table import GENES, GrooveTable, name_order
from pmhc_distil.sequences.grooves import REFERENCE, Placement, place
from pmhc_distil.sequences.mhc_fasta import records

_TAIL = slice(171, 182)
"""The reference positions behind the last groove residue."""

_TAIL_IDENTITY = 0.5
"""Human alleles in frame have at least 6 of these 11 residues in common with the reference, shifted ones at most 4."""


@dataclass(frozen=True)
class Derivation:
    """A derived table and what went into it.

    Attributes
    ----------
    table : GrooveTable
        The result.
    n_records : int
        FASTA records read.
    n_ignored : int
        Records of genes without a groove here (class II, pseudogenes, MICA ...).
    """

    table: GrooveTable
    n_records: int
    n_ignored: int


_RELEASE_NAME = re.compile(r"([A-Z0-9]+)\*(\d+):(\d+)((?::\d+){0,2})([NLSCAQ]?)")


def derive_groove_table(paths: Iterable[Path], release: str) -> Derivation:
    """Derive the table of grooves from the protein FASTA files of an IPD-IMGT/HLA release.

    Names are folded to two fields, which name a protein.  Its members differ in how much of it was sequenced and in
    expression only, so that the groove is that of its complete members, of normally expressed ones if there are any.
    Should those disagree, the table is refused: one of the sequences is wrong and the reader cannot know which.
    A null allele that is read in a shifted frame in the domains has no groove.

    Parameters
    ----------
    paths : iterable of Path
        ``*_prot.fasta`` files, plain or gzip'd, with headers such as ``>HLA:HLA00001 A*01:01:01:01 365 bp``.
    release : str
        Release number, written into the table.

    Returns
    -------
    Derivation
        The table and the counts of records.
    """
    found: dict[str, dict[str, tuple[str, str | None]]] = {}
    n_records = n_ignored = 0
    for path in paths:
        for record in records(path):
            n_records += 1
            words = record.title.split()
            match = _RELEASE_NAME.fullmatch(words[1]) if len(words) > 1 else None
            if match is None:
                raise InputError("no allele name after the accession", str(path), record.number, value=record.title)
            if match[1] not in GENES:
                n_ignored += 1
                continue
            two_field = f"HLA-{match[1]}*{match[2]}:{match[3]}"
            found.setdefault(two_field, {})[two_field + match[4]] = (
                match[5],
                _allele_groove(record.sequence, match[5]),
            )
    grooves, suffixes, incomplete, members = {}, {}, {}, {}
    for name in sorted(found, key=name_order):
        of_name = found[name]
        expressions = {suffix for suffix, _ in of_name.values()}
        common = "" if "" in expressions else next(iter(of_name.values()))[0]
        groove = _common_groove(name, of_name)
        if groove is None:
            incomplete[name] = common
        else:
            grooves[name] = groove
            if common:
                suffixes[name] = common
        members.update({member: suffix for member, (suffix, _) in of_name.items() if suffix and suffix != common})
    return Derivation(GrooveTable(release, grooves, suffixes, incomplete, members), n_records, n_ignored)


def _allele_groove(sequence: str, suffix: str) -> str | None:
    placement = place(sequence)
    if placement.missing or (suffix == "N" and _is_shifted(placement)):
        return None
    return placement.groove


def _is_shifted(placement: Placement) -> bool:
    """Tell whether the end of the groove was read behind a frame shift, which leaves its mark on what follows."""
    tail = [(a, b) for a, b in zip(placement.residues[_TAIL], REFERENCE[_TAIL], strict=True) if a != "-"]
    return sum(a == b for a, b in tail) < _TAIL_IDENTITY * len(tail)


def _common_groove(name: str, members: dict[str, tuple[str, str | None]]) -> str | None:
    for wanted in (True, False):
        seen = {groove: member for member, (suffix, groove) in members.items() if groove and (not suffix) == wanted}
        if len(seen) > 1:
            raise InputError("members of one allele have different grooves", value=name, hint=", ".join(seen.values()))
        if seen:
            return next(iter(seen))
    return None
