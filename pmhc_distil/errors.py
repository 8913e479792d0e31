"""What a user did wrong, as data.

Every room raises :class:`InputError` for a mistake that the user can mend; the command line prints it as one line and
exits with status 2.  Mistakes of our own are ordinary exceptions and keep their traceback.
"""

from dataclasses import astuple, dataclass
from numbers import Integral, Real
from typing import Any


class InputWarning(UserWarning):
    """What a user should know of an input that is used all the same."""


@dataclass(eq=False)
class InputError(Exception):
    """A mistake in what the user gave.

    Attributes
    ----------
    reason : str
        What is wrong, without a full stop.
    source : str, optional
        File, option or argument that holds the mistake (``"-"`` is standard input).
    row : int, optional
        1-based line (text files) or record (FASTA) in ``source``.
    column : str, optional
        Column or field.
    value : object, optional
        The offending value, quoted in the message.
    hint : str, optional
        What to do about it.
    """

    reason: str
    source: str | None = None
    row: int | None = None
    column: str | None = None
    value: object = None
    hint: str | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        """Be copied with all that it says, also from one process to another."""
        return type(self), astuple(self)

    def __str__(self) -> str:
        """One line: place, reason, value and remedy."""
        place = [
            *([str(self.source)] if self.source is not None else []),
            *([f"row {self.row}"] if self.row is not None else []),
            *([f"column '{self.column}'"] if self.column is not None else []),
        ]
        text = f"{', '.join(place)}: " if place else ""
        text += self.reason
        if self.value is not None:
            shown = str(self.value)
            text += f": '{shown if len(shown) <= 60 else shown[:57] + '...'}'"
        if self.hint:
            text += f" ({self.hint})"
        return " ".join(text.split())


def checked_percentage(value: float, name: str) -> None:
    """Refuse a limit of ranks that is no percentage.

    Parameters
    ----------
    value : float
    name : str
        The argument that it was given by.

    Raises
    ------
    InputError
        If it is no number from 0 to 100.
    """
    if not isinstance(value, Real) or isinstance(value, bool) or not 0 <= value <= 100:
        raise InputError("a percentage from 0 to 100 is expected", source=name, value=value)


def checked_count(value: int, name: str) -> None:
    """Refuse a number of things that is none.

    Parameters
    ----------
    value : int
    name : str
        The argument that it was given by.

    Raises
    ------
    InputError
        If it is no whole number above 0.
    """
    if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
        raise InputError("a whole number above 0 is expected", source=name, value=value)
