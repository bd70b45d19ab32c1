"""Pixels to labels: nuclei, the cells around them, macrophage bodies."""

from macprox.segment.parameters import MacrophageParameters, SegmentationParameters
from macprox.segment.whole import segment_cells, segment_nuclei

__all__ = ["MacrophageParameters", "SegmentationParameters", "segment_cells", "segment_nuclei"]
