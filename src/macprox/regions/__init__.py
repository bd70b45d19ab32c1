"""Tumour, margin, airspace, exclusions: polygons in micrometres and what lies in them.

Lesions are the tumour's pieces, with their depth; areas of every place are what densities need.
"""

from typing import TYPE_CHECKING

import lazy_loader

from macprox.regions.parameters import RegionParameters

# Resolved on first use: study.py needs the parameters alone, without scipy and shapely.

__all__ = [
    "RegionParameters",
    "Regions",
    "TumourProposal",
    "area_by_place",
    "border_clarity",
    "half_width_um",
    "lesion_shapes",
    "lesion_zone_areas",
    "lesion_zone_of",
    "mask_from_polygons",
    "nearest_lesion",
    "place_by_lesion",
    "polygons_from_mask",
    "tumour_region",
]

if TYPE_CHECKING:
    from macprox.regions.clarity import border_clarity
    from macprox.regions.contours import mask_from_polygons, polygons_from_mask
    from macprox.regions.extent import (
        area_by_place,
        half_width_um,
        lesion_zone_areas,
        lesion_zone_of,
    )
    from macprox.regions.lesions import lesion_shapes, nearest_lesion, place_by_lesion
    from macprox.regions.model import Regions
    from macprox.regions.tumour import TumourProposal, tumour_region

# Set where no type checker sees it, which would take every misspelt name for one of ours.
globals()["__getattr__"], __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "model": ["Regions"],
        "tumour": ["TumourProposal", "tumour_region"],
        "lesions": ["lesion_shapes", "nearest_lesion", "place_by_lesion"],
        "extent": ["area_by_place", "half_width_um", "lesion_zone_areas", "lesion_zone_of"],
        "clarity": ["border_clarity"],
        "contours": ["polygons_from_mask", "mask_from_polygons"],
    },
)
