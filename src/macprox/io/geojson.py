"""GeoJSON in full-resolution pixels, as QuPath reads and writes it: the text and its geometries.

Inside macprox everything is micrometres; the pixel exists only in these files. Coordinates are
pixel corners, as QuPath's are: (0, 0) is the outer corner of the first pixel. What macprox writes:
`macprox.io.region_files`; what people draw: `macprox.io.drawn_areas`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from shapely import MultiPolygon
from shapely.geometry.base import BaseGeometry

from macprox.errors import ResultError, reason_of
from macprox.io.packed import TORN, read_unpacked
from macprox.regions.contours import as_multipolygon

_SUFFIXES = (".geojson", ".json")
LEGACY_IDS = {  # before 0.3 an object had its type as its id
    "PathAnnotationObject": "annotation",
    "PathCellObject": "cell",
    "PathDetectionObject": "detection",
    "PathTileObject": "tile",
    "PathRootObject": "root",
    "TMACoreObject": "tmaCore",
}


def geometry_to_um(geometry: dict, pixel_size_um: float) -> MultiPolygon:
    """A GeoJSON geometry in pixels, such as an edit's, as polygons in micrometres."""
    area = geometry_of({"geometry": geometry}, Path("the drawn region"))
    return in_um(area if area.is_valid else shapely.make_valid(area), pixel_size_um)


def geometry_from_um(area: BaseGeometry, pixel_size_um: float) -> dict:
    """Polygons in micrometres as a GeoJSON geometry in pixels."""
    return json.loads(shapely.to_geojson(shapely.transform(area, lambda xy: xy / pixel_size_um)))


def in_um(area: BaseGeometry, pixel_size_um: float) -> MultiPolygon:
    """Polygons in pixels as polygons in micrometres."""
    return as_multipolygon(shapely.transform(area, lambda xy: xy * pixel_size_um))


def load(path: Path) -> Any:
    """The content of a file.

    Raises
    ------
    ResultError
        If there is none, or it is no JSON.
    """
    return parsed(read_text(path), path)


def read_text(path: Path) -> str:
    """The text of a file, which `parsed` understands; packed as ``.gz`` or ``.zip``, unpacked."""
    try:
        return read_unpacked(path, _SUFFIXES).decode("utf-8-sig")
    except FileNotFoundError:
        raise ResultError(f"There is no file {path}; expected a GeoJSON file.") from None
    except IsADirectoryError:
        raise ResultError(f"{path} is a folder; expected a GeoJSON file.") from None
    except (ValueError, *TORN) as error:  # not even text
        raise not_geojson(path, error) from None


def parsed(text: str, path: Path) -> Any:
    """What the text of a file means; ``path`` is for the error."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:  # brackets within brackets within brackets
        raise not_geojson(path, error) from None


def features_of(content: Any, path: Path) -> list[dict[str, Any]]:
    """Annotations among `listed_features`."""
    # cells and tiles are exported into the same file; nobody drew them
    return [item for item in listed_features(content, path) if object_type(item) == "annotation"]


def listed_features(content: Any, path: Path) -> list[dict[str, Any]]:
    """Objects of a collection, of a list (older QuPath), of one feature or geometry."""
    if isinstance(content, dict):
        if content.get("type") == "FeatureCollection":
            content = content.get("features")
        elif content.get("type") == "Feature":
            content = [content]
        elif "coordinates" in content or "geometries" in content:
            content = [{"type": "Feature", "geometry": content, "properties": {}}]
    if not isinstance(content, list) or not all(isinstance(item, dict) for item in content):
        raise ResultError(f"{path} is JSON but not GeoJSON: expected a FeatureCollection.")
    return content


def object_type(feature: dict[str, Any]) -> str:
    """What kind of object QuPath says a feature is: annotation, cell, detection, tile, ...

    Version 0.2 said it in the feature's id, 0.3 under another name; what says nothing is an
    annotation, as for QuPath itself.
    """
    return said_object_type(feature) or "annotation"


def said_object_type(feature: dict[str, Any]) -> str:
    """As `object_type`; empty where the feature says nothing, as other programs' do."""
    by_id = LEGACY_IDS.get(str(feature.get("id")), "")
    if by_id in ("cell", "detection"):  # networks' outlines are often called annotations, too
        return by_id
    properties = table_in(feature, "properties")
    said = properties.get("objectType") or properties.get("object_type")
    return said if isinstance(said, str) and said != "unknown" else by_id


def classification_of(feature: dict[str, Any]) -> str:
    """A feature's class, in the way of any version of QuPath; empty without one.

    Text; a table with a name; since 0.5 a table, or a list, of the names of derived classes.
    """
    found = table_in(feature, "properties").get("classification")
    if isinstance(found, dict):
        names = found.get("names")
        found = found.get("name") or (names if isinstance(names, list) else "")
    return ": ".join(map(str, found)) if isinstance(found, list) else str(found or "")


def table_in(content: dict[str, Any], key: str) -> dict[str, Any]:
    """What stands under a key; an empty table where it is missing or something else."""
    value = content.get(key)
    return value if isinstance(value, dict) else {}


def geometry_of(feature: dict[str, Any], path: Path) -> BaseGeometry:
    """Where a feature lies, in pixels.

    Raises
    ------
    ResultError
        If it says so with no numbers, or not in GeoJSON.
    """
    try:
        geometry = shapely.from_geojson(json.dumps(feature.get("geometry")))
    except (shapely.errors.GEOSException, ValueError) as error:
        raise ResultError(f"{path}: a geometry is not GeoJSON ({reason_of(error)}).") from None
    if geometry is None or not np.isfinite(shapely.get_coordinates(geometry)).all():
        raise ResultError(f"{path}: a geometry is missing or its coordinates are not numbers.")
    return geometry


def not_geojson(path: Path, error: Exception) -> ResultError:
    """The error of a file that is something else."""
    return ResultError(
        f"{path} is not GeoJSON ({reason_of(error)}). In QuPath: File, Export objects as GeoJSON."
    )
