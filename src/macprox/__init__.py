"""Where do macrophages sit relative to the tumour, and does it matter?"""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

# Public name -> module that holds it. Resolved on first use, so that importing macprox is free.
_HOMES = {
    "Slide": "macprox.slide",
    "open_slide": "macprox.io.images",
    "Study": "macprox.study",
    "run": "macprox.batch",
    "update": "macprox.batch",
    "SlideResult": "macprox.results",
    "open_result": "macprox.results",
    "read_cells": "macprox.io.tables",
    "MacproxError": "macprox.errors",
}
_SUBPACKAGES = ("segment", "spatial", "phenotype", "simulate")

__all__ = [
    "MacproxError",
    "Slide",
    "SlideResult",
    "Study",
    "__version__",
    "open_result",
    "open_slide",
    "phenotype",
    "read_cells",
    "run",
    "segment",
    "simulate",
    "spatial",
    "update",
]

if TYPE_CHECKING:
    from macprox import phenotype, segment, simulate, spatial
    from macprox.batch import run, update
    from macprox.errors import MacproxError
    from macprox.io.images import open_slide
    from macprox.io.tables import read_cells
    from macprox.results import SlideResult, open_result
    from macprox.slide import Slide
    from macprox.study import Study


def __getattr__(name: str):
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if name in _SUBPACKAGES:
        return import_module(f"macprox.{name}")
    raise AttributeError(f"module 'macprox' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
