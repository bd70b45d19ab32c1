"""The regions and artefacts of a slide as files that people open in QuPath, too."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import shapely
from shapely import MultiPolygon
from shapely.geometry.base import BaseGeometry

from macprox.errors import ResultError, reason_of, shortened
from macprox.io.atomic import write_text
from macprox.io.geojson import (
    features_of,
    geometry_from_um,
    geometry_of,
    in_um,
    load,
    parsed,
    read_text,
)
from macprox.regions import Regions
from macprox.regions.contours import as_multipolygon

COLOURS = {  # QuPath shows an annotation's outline in its class's colour
    "tissue_window": (120, 120, 120),
    "airspace": (90, 170, 220),
    "tumour": (200, 0, 60),
    "inner_margin": (230, 130, 60),
    "outer_margin": (240, 200, 70),
    "exclusion": (0, 0, 0),
    "artefact": (150, 60, 170),
}
CLASSES = {
    "tissue_window": "Tissue window",
    "airspace": "Airspace",
    "tumour": "Tumour",
    "inner_margin": "Inner margin",
    "outer_margin": "Outer margin",
    "exclusion": "Exclusion",
    "artefact": "Artefact",
}
_NOT_OURS = (LookupError, TypeError, ValueError, AttributeError, shapely.errors.GEOSException)
_NAMESPACE = uuid.UUID("5b4b1a4e-3b0e-4c7d-9b57-6d6163707278")  # ids that stay the same


def write_regions(path: Path, regions: Regions, pixel_size_um: float) -> None:
    """Write ``regions.geojson``; margins are written for people and other tools.

    Parameters
    ----------
    path : Path
    regions : Regions
    pixel_size_um : float
        Of the slide at full resolution.
    """
    areas: list[tuple[str, BaseGeometry, dict[str, Any]]] = [
        ("tissue_window", regions.tissue_window, {}),
        ("airspace", regions.airspace, {}),
    ]
    for lesion_id, lesion in regions.lesions().items():
        areas.append(("tumour", lesion, {"lesion_id": lesion_id}))
    areas.append(("inner_margin", regions.inner_margin, {}))
    areas.append(("outer_margin", regions.outer_margin, {}))
    reasons = regions.exclusion_reasons or (("", regions.exclusions),)
    areas.extend(("exclusion", area, {"reason": reason}) for reason, area in reasons)
    collection = {
        "type": "FeatureCollection",
        "macprox": {
            "pixel_size_um": pixel_size_um,
            "tumour_source": regions.tumour_source,
            "margin_um": regions.margin_um,
            "flags": list(regions.flags),
            "reason": regions.reason,
        },
        "features": [
            _feature(kind, area, more, pixel_size_um, number)
            for number, (kind, area, more) in enumerate(areas)
            if not area.is_empty
        ],
    }
    write_text(Path(path), json.dumps(collection, ensure_ascii=False, allow_nan=False))


def read_regions(path: Path, pixel_size_um: float) -> Regions:
    """Read what `write_regions` wrote.

    Raises
    ------
    ResultError
        If the file was not written by macprox, or for another pixel size.
    """
    text = read_text(Path(path))
    collection = parsed(text, Path(path))
    about = collection.get("macprox") if isinstance(collection, dict) else None
    if not isinstance(about, dict):
        raise ResultError(
            f"{path} was not written by macprox. A drawn region belongs into study.toml "
            "([regions] tumour = 'file.geojson'), not in place of a result."
        )
    written_um = about.get("pixel_size_um")
    if not _agree(written_um, pixel_size_um):
        raise ResultError(
            f"{path} has pixels of {shortened(repr(written_um))} um, expected {pixel_size_um:g}; "
            "the result folder mixes two runs. Run the slide again."
        )
    try:
        return _regions(text, collection, pixel_size_um)
    except _NOT_OURS as error:
        raise ResultError(f"{path} is not as macprox writes it ({reason_of(error)}).") from error


def _agree(written_um: Any, expected_um: float) -> bool:
    is_number = isinstance(written_um, (int, float)) and 0 < written_um < 1e9
    return is_number and abs(written_um - expected_um) <= 1e-9 * expected_um


def _regions(text: str, collection: dict[str, Any], pixel_size_um: float) -> Regions:
    about = collection["macprox"]
    areas: dict[str, list[MultiPolygon]] = {kind: [] for kind in CLASSES}
    reasons: list[tuple[str, MultiPolygon]] = []
    # All at once: one by one, as `_geometry` reads what others wrote, takes half as long again.
    geometries = shapely.get_parts(shapely.from_geojson(text))
    for feature, geometry in zip(collection["features"], geometries, strict=True):
        kind = feature["properties"]["kind"]
        area = in_um(geometry, pixel_size_um)
        areas[kind].append(area)
        if kind == "exclusion":
            reasons.append((feature["properties"]["reason"], area))
    return Regions(
        tissue_window=_together(areas["tissue_window"]),
        airspace=_together(areas["airspace"]),
        tumour=_together(areas["tumour"]),
        exclusions=as_multipolygon(shapely.union_all(areas["exclusion"])),
        tumour_source=about["tumour_source"],
        margin_um=about["margin_um"],
        flags=tuple(about["flags"]),
        reason=about["reason"],
        exclusion_reasons=tuple(reasons),
    )


def write_artefacts(
    path: Path, areas: Sequence[tuple[str, MultiPolygon]], pixel_size_um: float
) -> None:
    """Write ``quality.geojson``: what is wrong with the image, and where; micrometres.

    Parameters
    ----------
    path : Path
    areas : sequence of (str, MultiPolygon)
        By reason.
    pixel_size_um : float
        Of the slide at full resolution.
    """
    features = [
        _feature("artefact", area, {"reason": reason}, pixel_size_um, number)
        for number, (reason, area) in enumerate(areas)
    ]
    about = {"pixel_size_um": pixel_size_um}
    collection = {"type": "FeatureCollection", "macprox": about, "features": features}
    write_text(Path(path), json.dumps(collection, ensure_ascii=False, allow_nan=False))


def read_artefacts(path: Path, pixel_size_um: float) -> tuple[tuple[str, MultiPolygon], ...]:
    """What `write_artefacts` wrote."""
    features = features_of(load(Path(path)), path)
    try:
        return tuple(
            (feature["properties"]["reason"], in_um(geometry_of(feature, path), pixel_size_um))
            for feature in features
        )
    except _NOT_OURS as error:
        raise ResultError(f"{path} is not as macprox writes it ({reason_of(error)}).") from error


def _feature(
    kind: str, area: BaseGeometry, more: dict[str, Any], pixel_size_um: float, number: int
) -> dict[str, Any]:
    own = {"kind": kind, **more}
    title = f"{CLASSES[kind]} {more['lesion_id']}" if "lesion_id" in more else CLASSES[kind]
    if more.get("reason"):
        title += f": {more['reason']}"
    return {
        "type": "Feature",
        "id": str(uuid.uuid5(_NAMESPACE, f"{kind} {number}")),
        "geometry": geometry_from_um(area, pixel_size_um),
        "properties": {
            "objectType": "annotation",
            "name": title,
            "classification": {"name": CLASSES[kind], "color": list(COLOURS[kind])},
            "isLocked": True,
            **own,
            # QuPath drops properties it does not know but keeps its metadata, as text
            "metadata": {key: str(value) for key, value in own.items()},
        },
    }


def _together(areas: list[MultiPolygon]) -> MultiPolygon:
    """Pieces as they were written: disjoint, so that nothing needs a union (or moves by it)."""
    return MultiPolygon([piece for area in areas for piece in area.geoms])
