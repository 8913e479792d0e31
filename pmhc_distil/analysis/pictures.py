"""Plots as PNG, SVG or PDF by the name of the file, the same bytes for the same numbers."""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.files import atomic_path, check_destination

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_P = ParamSpec("_P")
_R = TypeVar("_R")

PICTURES = ("png", "svg", "pdf")
DOTS = 200
"""Dots per inch of a PNG."""


def require_plots(source: str) -> None:
    """Refuse to go on without the plotting libraries.

    Parameters
    ----------
    source : str
        What needs them, for the message.

    Raises
    ------
    InputError
        If matplotlib or logomaker is not installed.
    """
    try:
        import logomaker  # noqa: F401
        import matplotlib  # noqa: F401
    except ImportError as error:
        hint = "pip install 'pmhc-distil[plots]'"
        raise InputError("plots need matplotlib and logomaker", source=source, hint=hint) from error


def picture_format(path: str | Path, others: Sequence[str] = ()) -> str:
    """Tell the format of a picture from its name, and refuse it before any work is done for it.

    Parameters
    ----------
    path : str or Path
    others : sequence of str
        Formats besides :data:`PICTURES`.

    Returns
    -------
    str
        The suffix in lower case, without its dot.

    Raises
    ------
    InputError
        If the name has another suffix, the file cannot be written, or the plotting library is missing.
    """
    suffix = Path(path).suffix.lower().removeprefix(".")
    if suffix not in (*PICTURES, *others):
        listed = ", ".join(f".{name}" for name in (*PICTURES, *others))
        raise InputError("the name of the picture does not tell its format", str(path), hint=f"end it in {listed}")
    check_destination(path)
    require_plots(str(path))
    return suffix


def plain_names(draw: Callable[_P, _R]) -> Callable[_P, _R]:
    """Make a function draw names as they are: what stands between two ``$`` matplotlib takes for a formula."""

    @functools.wraps(draw)
    def drawn(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        import matplotlib

        with matplotlib.rc_context({"text.parse_math": False}):
            return draw(*args, **kwargs)

    return drawn


@plain_names
def save_pictures(figures: "Sequence[Figure]", path: str | Path) -> None:
    """Write a figure, or several as the pages of a PDF.

    Parameters
    ----------
    figures : sequence of Figure
        At least one; only a PDF can hold more.
    path : str or Path
        Written whole or not at all.
    """
    import matplotlib
    from matplotlib.backends.backend_pdf import PdfPages

    suffix = picture_format(path)
    with (
        matplotlib.rc_context({"svg.hashsalt": "pmhc-distil", "pdf.fonttype": 42}),
        atomic_path(path) as temporary,
    ):
        if suffix == "pdf":
            with PdfPages(temporary, metadata={"CreationDate": None}) as pages:
                for figure in figures:
                    pages.savefig(figure)
        else:
            (figure,) = figures
            metadata = {"Date": None} if suffix == "svg" else {"Software": None}
            figure.savefig(temporary, format=suffix, dpi=DOTS, metadata=metadata)
