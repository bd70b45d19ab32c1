"""What a reviewer decides about areas, as events."""

from __future__ import annotations

from dataclasses import replace

from shapely.geometry.base import BaseGeometry

from macprox.edits import RegionDrawn
from macprox.errors import MacproxError
from macprox.io.geojson import geometry_from_um
from macprox.review.decision import Decision, Standing


def drawn(
    at: Standing, key: tuple[str, str], area_um: BaseGeometry, reason: str, pixel_size_um: float
) -> Decision:
    """An area is tumour or is left out, in the place of an earlier drawing of the same key.

    Parameters
    ----------
    at : Standing
    key : (kind, region_id)
        ``kind`` "tumour" or "exclusion".
    area_um : Polygon or MultiPolygon
    reason : str
        Why an area is left out.
    pixel_size_um : float
        Of the slide at full resolution.
    """
    kind, region_id = key
    standing = at.corrections.regions.get(key)
    event = RegionDrawn(
        **at.who(), kind=kind, region_id=region_id, reason=reason,
        before=None if standing is None else standing.after,
        after=geometry_from_um(area_um, pixel_size_um),
    )  # fmt: skip
    return Decision(f"draw {'tumour' if kind == 'tumour' else reason or 'an exclusion'}", [event])


def withdrawn(at: Standing, kind: str, region_id: str) -> Decision:
    """A drawing is taken back.

    Raises
    ------
    MacproxError
        If there is no such drawing.
    """
    standing = at.corrections.regions.get((kind, region_id))
    if standing is None:
        raise MacproxError(f"There is no drawn {kind} {region_id!r} on this slide.")
    event = replace(standing, **at.who(), before=standing.after, after=None)
    return Decision(f"remove {standing.reason or kind}", [event])
