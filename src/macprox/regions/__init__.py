"""Tumour, margin, airspace, exclusions: polygons in micrometres and what lies in them."""

from typing import TYPE_CHECKING

import lazy_loader

from macprox.regions.parameters import RegionParameters

# Resolved on first use: study.py needs the parameters alone, without scipy and shapely.

__all__ = [
    "RegionParameters",
    "Regions",
    "TumourProposal",
    "mask_from_polygons",
    "polygons_from_mask",
    "tumour_region",
]

if TYPE_CHECKING:
    from macprox.regions.contours import mask_from_polygons, polygons_from_mask
    from macprox.regions.model import Regions
    from macprox.regions.tumour import TumourProposal, tumour_region

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "model": ["Regions"],
        "tumour": ["TumourProposal", "tumour_region"],
        "contours": ["polygons_from_mask", "mask_from_polygons"],
    },
)
