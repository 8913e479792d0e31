"""The twenty residues and which peptides can be scored; nothing else knows letters."""

RESIDUES = "ACDEFGHIKLMNPQRSTVWY"
"""The twenty standard amino acids, in the order of the one-letter code."""

MIN_PEPTIDE_LENGTH = 8
MAX_PEPTIDE_LENGTH = 15
PEPTIDE_LENGTHS = tuple(range(MIN_PEPTIDE_LENGTH, MAX_PEPTIDE_LENGTH + 1))

_STANDARD = frozenset(RESIDUES)


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
    if not _STANDARD.issuperset(peptide):
        odd = ", ".join(f"'{letter}'" for letter in sorted(set(peptide) - _STANDARD))
        return f"non-standard residue {odd}"
    if not MIN_PEPTIDE_LENGTH <= len(peptide) <= MAX_PEPTIDE_LENGTH:
        return f"length {len(peptide)} is outside {MIN_PEPTIDE_LENGTH}-{MAX_PEPTIDE_LENGTH}"
    return ""
