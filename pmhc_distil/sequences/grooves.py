"""Groove sequences derived from protein sequences.

A groove is the 34 residues of the alpha-1 and alpha-2 domains that can touch a peptide.  They are read at fixed
positions of the mature chain after each sequence, whatever part of the protein it covers, has been placed on the
domains of HLA-A*02:01: without gaps where that fits all along, else by alignment.
"""

from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.groove_distance import groove_distances
from pmhc_distil.sequences.groove_table import GROOVE_LENGTH, groove_table
from pmhc_distil.sequences.hla import Allele, look_up_allele
from pmhc_distil.sequences.mhc_fasta import Record, records
from pmhc_distil.sequences.residues import RESIDUES

GROOVE_POSITIONS = (
    *(7, 9, 24, 45, 59, 62, 63, 66, 67, 69, 70, 73, 74, 76, 77, 80, 81, 84, 95, 97, 99, 114, 116, 118),
    *(143, 147, 150, 152, 156, 158, 159, 163, 167, 171),
)
"""1-based positions in the mature chain; 1 is the G of GSHSM."""

REFERENCE = (
    "GSHSMRYFFTSVSRPGRGEPRFIAVGYVDDTQFVRFDSDAASQRMEPRAPWIEQEGPEYWDGETRKVKAHSQTHRVDLGTLRGYYNQSEAGSHTVQRMYGCDVGSDWRFL"
    "RGYHQYAYDGKDYIALKEDLRSWTAADMAAQTTKHKWEAAHVAEQLRAYLEGTCVEWLRRYLENGKETLQRT"
)
"""Residues 1 to 182 of mature HLA-A*02:01."""

_WORD = 5
_WINDOW = 20
_UNGAPPED_IDENTITY = 0.5
"""A placement without gaps must keep this identity in every window: an insertion or deletion breaks it."""

CLASS_I_IDENTITY = 0.35
"""Less than this identity to the reference is not taken for a class I chain: class II chains have about 0.2."""

_LEAST_COVERED = 100
"""A handful of chance matches is no likeness."""

_KNOWN_GROOVE_DISTANCE = 0.6
"""A bare groove must be at least this near to a known one: shuffled grooves are further away."""


@dataclass(frozen=True)
class Placement:
    """A sequence laid on the reference domains.

    Attributes
    ----------
    residues : str
        One letter for each of the 182 reference positions, ``-`` where the sequence has none.
    """

    residues: str

    @property
    def groove(self) -> str:
        """The letters at the groove positions, complete or not."""
        return "".join(self.residues[position - 1] for position in GROOVE_POSITIONS)

    @property
    def missing(self) -> tuple[int, ...]:
        """Groove positions without a standard residue."""
        return tuple(position for position in GROOVE_POSITIONS if self.residues[position - 1] not in RESIDUES)

    @property
    def identity(self) -> float:
        """Share of identical residues among the reference positions covered, which count as 100 at least."""
        covered = [(a, b) for a, b in zip(self.residues, REFERENCE, strict=True) if a != "-"]
        return sum(a == b for a, b in covered) / max(len(covered), _LEAST_COVERED)

    @property
    def lowest_identity(self) -> float:
        """Identity in the worst of all fully covered windows of 20 positions; 0 without any such window."""
        same = [a == b for a, b in zip(self.residues, REFERENCE, strict=True)]
        counts: list[int] = []
        run = matches = 0
        for index, letter in enumerate(self.residues):
            if letter == "-":
                run = matches = 0
                continue
            run, matches = run + 1, matches + same[index]
            if run > _WINDOW:
                matches -= same[index - _WINDOW]
            if run >= _WINDOW:
                counts.append(matches)
        return min(counts, default=0) / _WINDOW


@lru_cache(maxsize=4096)
def place(sequence: str) -> Placement:
    """Lay a protein sequence on the alpha-1 and alpha-2 domains of HLA-A*02:01.

    Parameters
    ----------
    sequence : str
        Upper-case protein sequence: full length with any signal peptide, mature chain, or a part of either.

    Returns
    -------
    Placement
        Also for a sequence that has nothing to do with class I: look at its ``identity``.
    """
    ungapped = _place_ungapped(sequence)
    if ungapped is not None and ungapped.lowest_identity >= _UNGAPPED_IDENTITY:
        return ungapped
    return _place_aligned(sequence)


@cache
def _words() -> dict[str, int]:
    return {REFERENCE[start : start + _WORD]: start for start in range(len(REFERENCE) - _WORD + 1)}


def _place_ungapped(sequence: str) -> Placement | None:
    """Place by the offset on which most five-letter words agree; None if no word is shared."""
    words = _words()
    votes: dict[int, int] = {}
    for start in range(len(sequence) - _WORD + 1):
        position = words.get(sequence[start : start + _WORD])
        if position is not None:
            votes[start - position] = votes.get(start - position, 0) + 1
    if not votes:
        return None
    offset = max(votes, key=lambda key: votes[key])
    padded = "-" * max(-offset, 0) + sequence[max(offset, 0) :]
    return Placement(padded[: len(REFERENCE)].ljust(len(REFERENCE), "-"))


@cache
def _aligner() -> Any:
    from Bio.Align import PairwiseAligner, substitution_matrices

    aligner = PairwiseAligner()
    aligner.mode = "global"
    aligner.substitution_matrix = substitution_matrices.load("BLOSUM62")
    aligner.open_gap_score = -11
    aligner.extend_gap_score = -1
    aligner.end_gap_score = 0
    return aligner


def _place_aligned(sequence: str) -> Placement:
    letters = ["-"] * len(REFERENCE)
    if sequence:
        comparable = "".join(letter if letter in RESIDUES else "X" for letter in sequence)
        alignment = _aligner().align(REFERENCE, comparable)[0]
        for (start, stop), (other, _) in zip(*alignment.aligned, strict=True):
            letters[start:stop] = sequence[other : other + stop - start]
    return Placement("".join(letters))


def read_mhc_fasta(path: str | Path) -> dict[str, str]:
    """Read a user's own MHC class I sequences and reduce each to its groove.

    Parameters
    ----------
    path : str or Path
        FASTA, plain or gzip'd.  A record is a protein (full length, mature chain or a part that covers the groove, of
        any vertebrate) or a groove of exactly 34 residues.

    Returns
    -------
    dict of str to str
        Record id (first word of the title) to groove, in the order of the file.

    Raises
    ------
    InputError
        For the first record that is not class I, lacks groove residues, repeats an id or bears the name of an HLA
        allele whose groove is another.
    """
    grooves: dict[str, str] = {}
    for record in records(Path(path)):
        reason, hint = _problem(record)
        groove = record.sequence if len(record.sequence) == GROOVE_LENGTH else place(record.sequence).groove
        if not reason and record.name in grooves:
            reason, hint = "the id occurs twice", "ids must be unique in a file"
        if not reason:
            allele = _allele_named(record.name)
            if allele is not None and allele.groove != groove:
                reason = f"the id names {allele.name}, but the sequence has another groove"
                hint = "rename the record, or ask for the allele by name"
        if reason:
            raise InputError(reason, str(path), record.number, "id", record.name, hint or None)
        grooves[record.name] = groove
    return grooves


def _allele_named(name: str) -> Allele | None:
    """Return the allele of the shipped table that a record id names, if it has a groove there."""
    try:
        return look_up_allele(name)
    except InputError:
        return None


def _problem(record: Record) -> tuple[str, str]:
    """Return reason and hint why a record gives no groove; an empty reason if it does."""
    sequence = record.sequence
    if len(sequence) == GROOVE_LENGTH:
        odd = [
            f"{letter}{position}"
            for letter, position in zip(sequence, GROOVE_POSITIONS, strict=True)
            if letter not in RESIDUES
        ]
        if odd:
            return "incomplete groove", f"not a standard residue (letter and mature position): {_listed(odd)}"
        if groove_distances(sequence, groove_table().unique_grooves()).min() > _KNOWN_GROOVE_DISTANCE:
            return "34 residues that are not an MHC class I groove", "give the protein sequence"
        return "", ""
    placement = place(sequence)
    if placement.identity < CLASS_I_IDENTITY:
        share = f"{placement.identity:.0%} identical to the alpha-1 and alpha-2 domains of HLA-A*02:01"
        return "not an MHC class I heavy chain", f"{share}; at least {CLASS_I_IDENTITY:.0%} is needed"
    if placement.missing:
        return "incomplete groove", f"missing mature residues {_listed([str(at) for at in placement.missing])}"
    return "", ""


def _listed(words: list[str], most: int = 10) -> str:
    more = f" and {len(words) - most} more" if len(words) > most else ""
    return ", ".join(words[:most]) + more
