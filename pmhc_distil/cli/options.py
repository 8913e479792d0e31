"""Options that several commands share."""

import click


def length_range(context: click.Context, parameter: click.Parameter, text: str | None) -> tuple[int, ...] | None:
    """Read a range such as 8-11."""
    from pmhc_distil.sequences.residues import PEPTIDE_LENGTHS

    if text is None:
        return None
    first, dash, last = text.partition("-")
    if dash and first.isdecimal() and last.isdecimal() and int(first) <= int(last):
        lengths = tuple(range(int(first), int(last) + 1))
        if set(lengths) <= set(PEPTIDE_LENGTHS):
            return lengths
    msg = f"{text!r} is not a range of lengths from {PEPTIDE_LENGTHS[0]} to {PEPTIDE_LENGTHS[-1]}, such as 8-11"
    raise click.BadParameter(msg)
