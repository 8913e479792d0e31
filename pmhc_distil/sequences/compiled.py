"""Shared libraries without Python in them, built when the package is installed if there is a C compiler."""

import ctypes
import importlib.util


def compiled_library(module: str) -> ctypes.CDLL | None:
    """Load what was built as an extension module of this name; None if it was not built, or cannot be loaded."""
    found = importlib.util.find_spec(module)
    if found is None or found.origin is None:
        return None
    try:
        return ctypes.CDLL(found.origin)
    except OSError:
        return None
