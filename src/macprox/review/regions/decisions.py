"""What a reviewer decides about areas, as events."""

from __future__ import annotations

from dataclasses import replace

from shapely.geometry.base import BaseGeometry

from macprox.edits import RegionDrawn
from macprox.errors import MacproxError
from macprox.io.geojson import geometry_from_um
from macprox.review.decision import Decision, Standing


def drawn(
    at: Standing,
    key: tuple[str, str],
    area_um: BaseGeometry,
    reason: str,
    pixel_size_um: float,
    *instead_of: str,
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
    instead_of : str
        Ids of other drawings of this kind that go.
    """
    kind, region_id = key
    standing = at.corrections.regions.get(key)
    event = RegionDrawn(
        **at.who(), kind=kind, region_id=region_id, reason=reason,
        before=None if standing is None else standing.after,
        after=geometry_from_um(area_um, pixel_size_um),
    )  # fmt: skip
    gone = withdrawn(at, kind, *instead_of).events
    text = f"draw {'tumour' if kind == 'tumour' else reason or 'an exclusion'}"
    return Decision(text, [event, *gone])


def withdrawn(at: Standing, kind: str, *region_ids: str) -> Decision:
    """Drawings of one kind are taken back, all as one decision.

    Raises
    ------
    MacproxError
        If there is no such drawing.
    """
    events = []
    for region_id in region_ids:
        standing = at.corrections.regions.get((kind, region_id))
        if standing is None:
            raise MacproxError(f"There is no drawn {kind} {region_id!r} on this slide.")
        events.append(replace(standing, **at.who(), before=standing.after, after=None))
    text = (events[0].reason or kind) if len(events) == 1 else f"{len(events)} areas of {kind}"
    return Decision(f"remove {text}", events)
