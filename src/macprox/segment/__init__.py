"""Pixels to labels: nuclei, the cells around them, macrophage bodies.

Names resolve on first use: `macprox.study` needs the parameters only, and no numba.
"""

from importlib import import_module
from typing import TYPE_CHECKING

_HOMES = {
    "MacrophageParameters": "macprox.segment.parameters",
    "SegmentationParameters": "macprox.segment.parameters",
    "segment_cells": "macprox.segment.whole",
    "segment_nuclei": "macprox.segment.whole",
}

__all__ = ["MacrophageParameters", "SegmentationParameters", "segment_cells", "segment_nuclei"]

if TYPE_CHECKING:
    from macprox.segment.parameters import MacrophageParameters, SegmentationParameters
    from macprox.segment.whole import segment_cells, segment_nuclei


def __getattr__(name: str):
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'macprox.segment' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
