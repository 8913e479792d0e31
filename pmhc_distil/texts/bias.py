"""Templates that probe a masked language model for bias: one sentence, two fillings, one masked word."""

from dataclasses import dataclass
from pathlib import Path

from pmhc_distil.errors import InputError
from pmhc_distil.texts.records import read_records

MASK = "[MASK]"
"""Stands for the word that the model is asked for, whatever its own mask is."""

SLOT = "{}"
"""Stands for what differs between the two sentences."""


@dataclass(frozen=True)
class PairTemplate:
    """A sentence with a masked word, to be completed in two ways.

    Attributes
    ----------
    template : str
        With :data:`MASK` and :data:`SLOT` once each.
    first, second : str
        The two fillings of the slot.
    row : int
        1-based line.
    """

    template: str
    first: str
    second: str
    row: int

    def sentences(self, mask: str = MASK) -> tuple[str, str]:
        """Give the two sentences.

        Parameters
        ----------
        mask : str
            The mask of the tokenizer.

        Returns
        -------
        tuple of str
            They differ in the slot alone.
        """
        before, after = (part.replace(MASK, mask) for part in self.template.split(SLOT))
        return before + self.first + after, before + self.second + after


def read_pairs_of_templates(path: Path) -> list[PairTemplate]:
    """Read templates and their fillings.

    Parameters
    ----------
    path : Path
        CSV, TSV or JSON lines with the columns ``template``, ``first`` and ``second``, plain or gzip.

    Returns
    -------
    list of PairTemplate
        In the order of the file.

    Raises
    ------
    InputError
        If the file cannot be read or has no rows, a column is missing, a cell is empty, a template has not exactly one
        mask and one slot, or a filling holds one of them or equals the other.
    """
    records = read_records(path)
    columns = [records.need(kind, name) for kind, name in (("templates", "template"), ("first fillings", "first"))]
    columns.append(records.need("second fillings", "second"))
    found = []
    for row, *cells in zip(records.rows.tolist(), *map(records.texts, columns), strict=True):
        for mark in (MASK, SLOT):
            if cells[0].count(mark) != 1:
                reason = f"the template needs {mark} exactly once"
                raise InputError(reason, records.source, row, columns[0], cells[0], "such as: {} works as a [MASK].")
            for column, filling in zip(columns[1:], cells[1:], strict=True):
                if mark in filling:
                    raise InputError(f"the filling holds a {mark}", records.source, row, column, filling)
        if cells[1] == cells[2]:
            raise InputError("both fillings are the same", records.source, row, columns[2], cells[2])
        found.append(PairTemplate(cells[0], cells[1], cells[2], row))
    if not found:
        raise InputError("the table has no rows", records.source)
    return found
