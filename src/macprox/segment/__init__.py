"""Pixels to labels: nuclei, the cells around them, macrophage bodies.

Names resolve on first use: `macprox.study` needs the parameters only, and no numba.
"""

from typing import TYPE_CHECKING

import lazy_loader

__all__ = ["MacrophageParameters", "SegmentationParameters", "segment_cells", "segment_nuclei"]

if TYPE_CHECKING:
    from macprox.segment.parameters import MacrophageParameters, SegmentationParameters
    from macprox.segment.whole import segment_cells, segment_nuclei

# Set where no type checker sees it, which would take every misspelt name for one of ours.
globals()["__getattr__"], __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "parameters": ["MacrophageParameters", "SegmentationParameters"],
        "whole": ["segment_cells", "segment_nuclei"],
    },
)
