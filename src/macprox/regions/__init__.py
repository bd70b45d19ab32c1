"""Tumour, margin, airspace, exclusions: polygons in micrometres and what lies in them."""

from importlib import import_module
from typing import TYPE_CHECKING

from macprox.regions.parameters import RegionParameters

# Resolved on first use: study.py needs the parameters alone, without scipy and shapely.
_HOMES = {
    "Regions": "macprox.regions.model",
    "TumourProposal": "macprox.regions.tumour",
    "tumour_region": "macprox.regions.tumour",
    "polygons_from_mask": "macprox.regions.contours",
    "mask_from_polygons": "macprox.regions.contours",
}

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


def __getattr__(name: str):
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'macprox.regions' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
