"""Token numbers of residues and special tokens, and their vectorised encoding.  No torch here."""

from collections.abc import Sequence

import numpy as np

from pmhc_distil.sequences.residues import RESIDUES

PAD, MASK, CLS, UNK = range(4)
VOCABULARY = ("[PAD]", "[MASK]", "[CLS]", "[UNK]", *RESIDUES)
FIRST_RESIDUE = len(VOCABULARY) - len(RESIDUES)

_CODES = np.full(256, UNK, dtype=np.uint8)
_CODES[0] = PAD
for _number, _residue in enumerate(RESIDUES, start=FIRST_RESIDUE):
    _CODES[[ord(_residue), ord(_residue.lower())]] = _number


def encode(sequences: Sequence[str], width: int | None = None) -> np.ndarray:
    """Encode sequences as token numbers, padded with PAD on the right.

    Parameters
    ----------
    sequences : sequence of str
        One-letter sequences; what is not one of the twenty residues becomes UNK.
    width : int, optional
        Columns of the result; by default the longest sequence.  Longer sequences are refused.

    Returns
    -------
    ndarray of uint8, shape (len(sequences), width)
    """
    longest = max(map(len, sequences), default=0)
    if width is None:
        width = longest
    if longest > width:
        msg = f"a sequence of {longest} residues does not fit into {width} tokens"
        raise ValueError(msg)
    letters = np.array(list(sequences), dtype=f"S{max(width, 1)}")
    return _CODES[letters.view(np.uint8).reshape(len(letters), max(width, 1))][:, :width]
