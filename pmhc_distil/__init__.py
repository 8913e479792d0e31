"""Peptide-HLA class I presentation, predicted offline by a small distilled encoder.

Importing this package loads neither torch nor transformers.  Once transformers is loaded, before or after, its Auto
classes and pipelines know the encoder.
"""

import importlib.abc
import importlib.machinery
import sys
from collections.abc import Sequence
from importlib.metadata import version
from types import ModuleType
from typing import TYPE_CHECKING

from pmhc_distil.errors import InputError

if TYPE_CHECKING:
    from pmhc_distil.inference.pipeline import Pipeline, embed, pipeline
    from pmhc_distil.inference.predictor import Predictor

__version__ = version("pmhc-distil")
__all__ = ["InputError", "Pipeline", "Predictor", "__version__", "embed", "pipeline"]

_MODULES = {
    "Predictor": "pmhc_distil.inference.predictor",
    "Pipeline": "pmhc_distil.inference.pipeline",
    "pipeline": "pmhc_distil.inference.pipeline",
    "embed": "pmhc_distil.inference.pipeline",
}


def __getattr__(name: str) -> object:
    """Load what needs more than a moment when it is first asked for (PEP 562)."""
    if name in _MODULES:
        return getattr(importlib.import_module(_MODULES[name]), name)
    msg = f"module 'pmhc_distil' has no attribute '{name}'"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    return [*globals(), *_MODULES]


class _AfterTransformers(importlib.abc.MetaPathFinder):
    """Registers the encoder as soon as somebody else imports transformers, instead of importing it ourselves.

    It stays where it is, as transformers may be looked for without being loaded.
    """

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Let transformers be found and loaded as ever, and register afterwards."""
        if fullname != "transformers":
            return None
        # Those before it were asked already, and one of them may be another of this kind.
        others = sys.meta_path[sys.meta_path.index(self) + 1 :] if self in sys.meta_path else []
        found = (finder.find_spec(fullname, path, target) for finder in others if hasattr(finder, "find_spec"))
        spec = next((spec for spec in found if spec is not None), None)
        if spec is None or spec.loader is None:
            return None
        load = spec.loader.exec_module

        def load_and_register(module: ModuleType) -> None:
            load(module)
            _register()

        spec.loader.exec_module = load_and_register  # type: ignore[method-assign]
        return spec


def _register() -> None:
    # Where our own classes asked for transformers, they are being imported now and register themselves.
    if "pmhc_distil.models.hf" not in sys.modules:
        importlib.import_module("pmhc_distil.models.hf")


if "transformers" in sys.modules:
    _register()
else:
    sys.meta_path.insert(0, _AfterTransformers())
