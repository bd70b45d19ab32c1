"""Within a slide, the unit is the cell: distances, summary functions, nulls, border profile.

Names resolve on first use: `macprox.study` needs the parameters only, and no numba.
"""

from importlib import import_module
from typing import TYPE_CHECKING

_HOMES = {
    "Window": "macprox.window",
    "ProximityParameters": "macprox.spatial.parameters",
    "nearest_distance": "macprox.spatial.neighbours",
    "count_within": "macprox.spatial.neighbours",
    "cross_g": "macprox.spatial.g_function",
    "expected_g_relabelled": "macprox.spatial.relabel",
    "signed_distance": "macprox.spatial.border",
    "zone_of": "macprox.spatial.border",
    "annotate": "macprox.spatial.columns",
    "area_below_um2": "macprox.spatial.border",
    "annotate_regions": "macprox.spatial.columns",
    "annotate_neighbours": "macprox.spatial.columns",
    "proximity": "macprox.spatial.pairs",
    "slide_statistics": "macprox.spatial.slide",
    "headline": "macprox.spatial.slide",
    "is_position": "macprox.spatial.slide",
    "is_lineage": "macprox.spatial.slide",
    "COLUMNS": "macprox.spatial.table",
}

__all__ = [
    "COLUMNS",
    "ProximityParameters",
    "Window",
    "annotate",
    "annotate_neighbours",
    "annotate_regions",
    "area_below_um2",
    "count_within",
    "cross_g",
    "expected_g_relabelled",
    "headline",
    "is_lineage",
    "is_position",
    "nearest_distance",
    "proximity",
    "signed_distance",
    "slide_statistics",
    "zone_of",
]

if TYPE_CHECKING:
    from macprox.spatial.border import area_below_um2, signed_distance, zone_of
    from macprox.spatial.columns import annotate, annotate_neighbours, annotate_regions
    from macprox.spatial.g_function import cross_g
    from macprox.spatial.neighbours import count_within, nearest_distance
    from macprox.spatial.pairs import proximity
    from macprox.spatial.parameters import ProximityParameters
    from macprox.spatial.relabel import expected_g_relabelled
    from macprox.spatial.slide import (
        headline,
        is_lineage,
        is_position,
        slide_statistics,
    )
    from macprox.spatial.table import COLUMNS
    from macprox.window import Window


def __getattr__(name: str):
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'macprox.spatial' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
