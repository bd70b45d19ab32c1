"""Regions as GeoJSON in full-resolution pixels, as QuPath reads and writes them.

Inside macprox everything is micrometres; the pixel exists only in these files. Coordinates are
pixel corners, as QuPath's are: (0, 0) is the outer corner of the first pixel.
"""

from __future__ import annotations

import json
import re
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from shapely import MultiPolygon
from shapely.geometry.base import BaseGeometry

from macprox.errors import ResultError
from macprox.io.atomic import write_text
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
# What people call these classes; QuPath's own are "Tumor", "Ignore*", "Necrosis".
MEANT = {
    "tumour": re.compile(r"tumou?r|cancer|carcinoma|neoplas|lesion", re.IGNORECASE),
    "tissue_window": re.compile(r"window|tissue|field|core", re.IGNORECASE),
    "exclusion": re.compile(r"exclu|ignore|art[ei]fact|fold|necro|debris", re.IGNORECASE),
}
_NAMESPACE = uuid.UUID("5b4b1a4e-3b0e-4c7d-9b57-6d6163707278")  # ids that stay the same


@dataclass(frozen=True)
class Drawn:
    """Areas somebody drew.

    Attributes
    ----------
    area : MultiPolygon
        Micrometres; the union.
    by_reason : tuple of (str, MultiPolygon)
        The same by the name or class that was given to them.
    messages : tuple of str
        What was left out or repaired, for the manifest's warnings.
    """

    area: MultiPolygon
    by_reason: tuple[tuple[str, MultiPolygon], ...]
    messages: tuple[str, ...] = ()


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
    text = _text(Path(path))
    collection = _parsed(text, Path(path))
    about = collection.get("macprox") if isinstance(collection, dict) else None
    if about is None:
        raise ResultError(
            f"{path} was not written by macprox. A drawn region belongs into study.toml "
            "([regions] tumour = 'file.geojson'), not in place of a result."
        )
    if abs(about["pixel_size_um"] - pixel_size_um) > 1e-9 * pixel_size_um:
        raise ResultError(
            f"{path} has pixels of {about['pixel_size_um']:g} um, expected {pixel_size_um:g}; "
            "the result folder mixes two runs. Run the slide again."
        )
    areas: dict[str, list[MultiPolygon]] = {kind: [] for kind in CLASSES}
    reasons: list[tuple[str, MultiPolygon]] = []
    # All at once: one by one, as `_geometry` reads what others wrote, takes half as long again.
    geometries = shapely.get_parts(shapely.from_geojson(text))
    for feature, geometry in zip(collection["features"], geometries, strict=True):
        kind = feature["properties"]["kind"]
        area = _to_um(geometry, pixel_size_um)
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
    return tuple(
        (feature["properties"]["reason"], _to_um(_geometry(feature, path), pixel_size_um))
        for feature in _features(_load(Path(path)), path)
    )


def read_drawn(
    path: Path, pixel_size_um: float, kind: str, shape: tuple[int, int] | None = None
) -> Drawn:
    """Read areas drawn in QuPath or any tool that writes GeoJSON in pixels.

    Of the annotations those count whose class means ``kind`` ("Tumor", "Cancer", ...); where
    no class does, all of them, if they are of one class or of none.

    Parameters
    ----------
    path : Path
    pixel_size_um : float
        Of the slide at full resolution, whose pixels the file's coordinates are.
    kind : {"tumour", "exclusion", "tissue_window"}
    shape : (int, int), optional
        ``(y, x)`` of the slide in pixels: areas that do not touch it are refused.

    Raises
    ------
    ResultError
        If the file is not GeoJSON, holds no area, or several classes of which none is meant.
    """
    path = Path(path)
    features = _features(_load(path), path)
    areas, messages = [], []
    for number, feature in enumerate(features, start=1):
        geometry = _geometry(feature, path)
        if shapely.get_dimensions(geometry) < 2:  # not its area: a bow tie has none
            continue
        if not geometry.is_valid:
            why = shapely.is_valid_reason(geometry)
            geometry = shapely.make_valid(geometry)
            messages.append(f"{path.name}: area {number} was repaired ({why}).")
        areas.append((_class_name(feature), _label(feature), as_multipolygon(geometry)))
    if len(areas) < len(features):
        messages.append(f"{path.name}: {len(features) - len(areas)} points or lines left out.")
    meant = _meant(areas, kind, path)
    drawn = as_multipolygon(shapely.union_all([area for _, _, area in meant]))
    if shape is not None and not drawn.intersects(shapely.box(0, 0, shape[1], shape[0])):
        raise ResultError(
            f"{path}: its areas (x {drawn.bounds[0]:g} to {drawn.bounds[2]:g}) lie outside the "
            f"slide of {shape[1]} x {shape[0]} pixels. Expected full-resolution pixels of this "
            "slide, as QuPath exports them."
        )
    return Drawn(
        area=_to_um(drawn, pixel_size_um),
        by_reason=tuple((label, _to_um(area, pixel_size_um)) for _, label, area in meant),
        messages=tuple(messages),
    )


def geometry_to_um(geometry: dict, pixel_size_um: float) -> MultiPolygon:
    """A GeoJSON geometry in pixels, such as an edit's, as polygons in micrometres."""
    area = _geometry({"geometry": geometry}, Path("the drawn region"))
    return _to_um(area if area.is_valid else shapely.make_valid(area), pixel_size_um)


def geometry_from_um(area: BaseGeometry, pixel_size_um: float) -> dict:
    """Polygons in micrometres as a GeoJSON geometry in pixels."""
    return json.loads(shapely.to_geojson(shapely.transform(area, lambda xy: xy / pixel_size_um)))


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


def _load(path: Path) -> Any:
    return _parsed(_text(path), path)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ResultError(f"There is no file {path}; expected GeoJSON with drawn areas.") from None
    except ValueError as error:  # not even text
        raise _not_geojson(path, error) from None


def _parsed(text: str, path: Path) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise _not_geojson(path, error) from None


def _not_geojson(path: Path, error: ValueError) -> ResultError:
    return ResultError(
        f"{path} is not GeoJSON ({error}). In QuPath: File, Export objects as GeoJSON."
    )


def _features(content: Any, path: Path) -> list[dict[str, Any]]:
    """Annotations of a collection, of a list (older QuPath), of one feature or geometry."""
    if isinstance(content, dict):
        if content.get("type") == "FeatureCollection":
            content = content.get("features")
        elif content.get("type") == "Feature":
            content = [content]
        elif "coordinates" in content or "geometries" in content:
            content = [{"type": "Feature", "geometry": content, "properties": {}}]
    if not isinstance(content, list) or not all(isinstance(item, dict) for item in content):
        raise ResultError(f"{path} is JSON but not GeoJSON: expected a FeatureCollection.")
    # cells and tiles are exported into the same file; nobody drew them
    return [
        item
        for item in content
        if (item.get("properties") or {}).get("objectType", "annotation") == "annotation"
    ]


def _geometry(feature: dict[str, Any], path: Path) -> BaseGeometry:
    try:
        geometry = shapely.from_geojson(json.dumps(feature.get("geometry")))
    except (shapely.errors.GEOSException, ValueError) as error:
        raise ResultError(f"{path}: a geometry is not GeoJSON ({error}).") from None
    if geometry is None or not np.isfinite(shapely.get_coordinates(geometry)).all():
        raise ResultError(f"{path}: a geometry is missing or its coordinates are not numbers.")
    return geometry


def _class_name(feature: dict[str, Any]) -> str:
    properties = feature.get("properties") or {}
    kind = (properties.get("metadata") or {}).get("kind") or properties.get("kind")
    classification = properties.get("classification") or {}
    if isinstance(classification, str):
        return classification
    names = classification.get("names") or []  # QuPath 0.5 and later: derived classes as a list
    return str(kind or classification.get("name") or ": ".join(names))


def _label(feature: dict[str, Any]) -> str:
    properties = feature.get("properties") or {}
    reason = (properties.get("metadata") or {}).get("reason") or properties.get("reason")
    return str(reason or properties.get("name") or _class_name(feature))


def _meant(areas: list, kind: str, path: Path) -> list:
    if not areas:
        raise ResultError(
            f"{path} holds no area: expected at least one annotation drawn as a polygon."
        )
    meant = [item for item in areas if MEANT[kind].search(item[0])]
    classes = Counter(item[0] or "unclassified" for item in areas)
    if not meant and len(classes) > 1:
        listed = ", ".join(f"{name} ({n})" for name, n in classes.most_common())
        raise ResultError(
            f"{path} has annotations of several classes, none of which says {kind}: {listed}. "
            f"Give those meant the class '{CLASSES[kind]}'."
        )
    return meant or areas


def _to_um(area: BaseGeometry, pixel_size_um: float) -> MultiPolygon:
    return as_multipolygon(shapely.transform(area, lambda xy: xy * pixel_size_um))


def _together(areas: list[MultiPolygon]) -> MultiPolygon:
    """Pieces as they were written: disjoint, so that nothing needs a union (or moves by it)."""
    return MultiPolygon([piece for area in areas for piece in area.geoms])
