"""Regions drawn by hand: what may become one, what is drawn already, and how it is edited."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import shapely
from shapely import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from macprox.edits import Corrections
from macprox.errors import MacproxError
from macprox.io.geojson import geometry_to_um
from macprox.regions import Regions
from macprox.regions.contours import as_multipolygon

EXCLUSION_REASONS = ("fold", "necrosis", "blur", "bubble", "other")
UM2_PER_MM2 = 1e6
MIN_AREA_UM2 = 100.0  # a macrophage; nobody draws less and means it
# How far a border to be edited may lie from what it was: the least that leaves it as few corners
# as can be drawn anew while one of them is moved.
EDIT_DETAIL_UM = (3.0, 5.0, 8.0, 12.0, 20.0)
MAX_EDIT_CORNERS = 1500


@dataclass(frozen=True)
class DrawnRegion:
    """One drawing that stands.

    Parameters
    ----------
    kind : "tumour" or "exclusion"
    region_id : str
    reason : str
        Why an area is left out.
    reviewer, time : str
        Who drew it, and when (ISO 8601, UTC).
    area_um : MultiPolygon
        Micrometres.
    """

    kind: str
    region_id: str
    reason: str
    reviewer: str
    time: str
    area_um: MultiPolygon

    @property
    def area_mm2(self) -> float:
        return self.area_um.area / UM2_PER_MM2

    @property
    def name(self) -> str:
        """For a list."""
        return "Tumour" if self.kind == "tumour" else f"Left out: {self.reason or 'no reason'}"


def drawn_regions(corrections: Corrections, pixel_size_um: float) -> tuple[DrawnRegion, ...]:
    """The drawings that stand, tumour first, each kind in the order of the log."""
    return tuple(
        DrawnRegion(
            kind, event.region_id, event.reason, event.reviewer, event.time,
            geometry_to_um(event.after, pixel_size_um),
        )
        for kind in ("tumour", "exclusion")
        for event in corrections.drawn(kind)
        if event.after is not None
    )  # fmt: skip


def tumour_text(regions: Regions) -> str:
    """Whose tumour border holds, and how much lies inside it."""
    whose = {
        "auto": "Found automatically from the tumour-marker cells",
        "file": "As drawn in the study's file",
        "reviewer": "As drawn here",
    }.get(regions.tumour_source)
    if whose is None or not regions.has_tumour:
        return f"No tumour area is known. {regions.reason}".strip()
    n = len(regions.tumour.geoms)
    pieces = "one area" if n == 1 else f"{n} areas"
    return f"{whose}: {pieces}, {regions.tumour.area / UM2_PER_MM2:.2f} mm²."


def usable_area(
    outer: BaseGeometry | Sequence[BaseGeometry], holes: Sequence[BaseGeometry] = ()
) -> MultiPolygon:
    """What was drawn, as an area: lines that cross themselves are repaired.

    Parameters
    ----------
    outer, holes : polygons, perhaps crossing themselves
        Micrometres.

    Raises
    ------
    MacproxError
        If less is left than a cell covers.
    """
    drawn = [outer] if isinstance(outer, BaseGeometry) else list(outer)
    area = _joined(drawn) - _joined(list(holes))
    pieces = [piece for piece in as_multipolygon(area).geoms if piece.area >= MIN_AREA_UM2]
    if not pieces:
        raise MacproxError(
            f"What was drawn covers {area.area:.0f} µm², less than a cell; draw around an area of "
            f"at least {MIN_AREA_UM2:.0f} µm²."
        )
    return MultiPolygon(pieces)


def editable(area: BaseGeometry) -> tuple[list[Polygon], list[Polygon]]:
    """An area as a hand can edit it: few corners, holes apart.

    Returns
    -------
    list of Polygon
        Its pieces without their holes.
    list of Polygon
        The holes.
    """
    for detail_um in EDIT_DETAIL_UM:
        simple = as_multipolygon(area.simplify(detail_um))
        if shapely.get_num_coordinates(simple) <= MAX_EDIT_CORNERS:
            break
    holes = [Polygon(ring) for piece in simple.geoms for ring in piece.interiors]
    return [Polygon(piece.exterior) for piece in simple.geoms], holes


def _joined(areas: Sequence[BaseGeometry]) -> BaseGeometry:
    return shapely.union_all([shapely.make_valid(area) for area in areas])
