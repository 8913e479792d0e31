"""Allele names found by a part of them."""

import contextlib
import re

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.groove_table import groove_table
from pmhc_distil.sequences.hla import look_up_allele


def search_names(text: str) -> list[str]:
    """Return the canonical names that contain a text.

    Parameters
    ----------
    text : str
        Part of a name, or all of it in any spelling.  Case, quotes, the prefix ``HLA-`` and separators do not matter,
        except that a colon stands for a colon.  A first field of one digit is one that begins with 0.

    Returns
    -------
    list of str
        Names that begin with the text before those that contain it further on, each in the order of the table.
    """
    wanted = re.sub(r"[\s\"'*_\-.]", "", text.upper().replace("HLA", ""))
    wanted = re.sub(r"^CW", "C", wanted)
    if not wanted:  # such as HLA or *, which all of them contain
        return list(groove_table().names)
    if re.fullmatch(r"[A-Z]\d", wanted) and (found := search_names(f"{wanted[0]}0{wanted[1]}:")):
        return found
    drop = {ord("*"): None} if ":" in wanted else {ord("*"): None, ord(":"): None}
    begin, within = [], []
    for name in groove_table().names:
        position = name[4:].translate(drop).find(wanted)
        if position == 0:
            begin.append(name)
        elif position > 0:
            within.append(name)
    if not begin and not within:  # of more fields, or in a spelling of its own
        with contextlib.suppress(InputError):
            if allele := look_up_allele(text):
                return [allele.name]
    return begin + within
