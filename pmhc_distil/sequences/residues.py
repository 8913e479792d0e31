"""The twenty residues and which peptides can be scored; nothing else knows letters."""

RESIDUES = "ACDEFGHIKLMNPQRSTVWY"
"""The twenty standard amino acids, in the order of the one-letter code."""

MIN_PEPTIDE_LENGTH = 8
MAX_PEPTIDE_LENGTH = 15
PEPTIDE_LENGTHS = tuple(range(MIN_PEPTIDE_LENGTH, MAX_PEPTIDE_LENGTH + 1))

_STANDARD = frozenset(RESIDUES)
_MODIFIED = frozenset("()[]{}+0123456789")
"""What modifications are written with."""
_PLAIN = "a modified peptide? give its plain sequence"


def residue_problem(sequence: str) -> str:
    """Name the letters of an upper-case sequence that are not among the twenty; an empty string if there are none."""
    if _STANDARD.issuperset(sequence):
        return ""
    odd = sorted(set(sequence) - _STANDARD)
    shown = (f"'{letter}'" if letter.isprintable() else f"U+{ord(letter):04X}" for letter in odd)
    return f"non-standard residue {', '.join(shown)}"


def peptide_problem(peptide: str) -> str:
    """Say why a peptide cannot be scored.

    Parameters
    ----------
    peptide : str
        Upper-case one-letter sequence.

    Returns
    -------
    str
        The reason, or an empty string for a peptide of 8 to 15 standard residues.
    """
    if not peptide:
        return "empty peptide"
    if problem := residue_problem(peptide):
        return f"{problem} ({_PLAIN})" if _MODIFIED & set(peptide) else problem
    if not MIN_PEPTIDE_LENGTH <= len(peptide) <= MAX_PEPTIDE_LENGTH:
        return f"length {len(peptide)} is outside {MIN_PEPTIDE_LENGTH}-{MAX_PEPTIDE_LENGTH}"
    return ""
