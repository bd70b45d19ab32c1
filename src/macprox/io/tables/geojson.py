"""Cells as GeoJSON objects: QuPath's detections and cells, other programs' outlines, our own."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import shapely

from macprox.errors import TableError, reason_of
from macprox.io.geojson import LEGACY_IDS, classification_of, said_object_type, table_in
from macprox.io.tables.opened import Opened, as_text
from macprox.io.tables.text import Header

X, Y = "Centroid X px", "Centroid Y px"  # as QuPath's tables call them
_GEOMETRIES = ("nucleusGeometry", "geometry")  # the first that is there counts
# What numpy and shapely raise for coordinates that are words, too few or too large.
_WRONG = (ValueError, TypeError, KeyError, IndexError, OverflowError)


def open_objects(data: bytes, path: Path) -> Opened:
    """Detections and cells of a GeoJSON file, as a table like QuPath's.

    Parameters
    ----------
    data : bytes
        The file, uncompressed.
    path : Path

    Returns
    -------
    Opened
        Positions are the centroids of nuclei, or of the outlines without one, in pixels.

    Raises
    ------
    TableError
        If it is no GeoJSON, or has no object but annotations.
    """
    try:
        with _without_collection():
            content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise TableError(f"{path} is not GeoJSON ({reason_of(error)}).") from None
    features = _features(content, path)
    kinds = [_kind(feature) for feature in features]
    is_cell = [kind not in ("annotation", "tma core", "root", "tile") for kind in kinds]
    cells = [feature for feature, yes in zip(features, is_cell, strict=True) if yes]
    if not cells:
        what = "annotations or tiles" if features else "no object at all"
        raise TableError(
            f"{path} holds {what} and no cells. Export detections or cells from QuPath; areas are "
            "given with --tumour or --window."
        )
    objects = _Objects(path, cells, [k for k, yes in zip(kinds, is_cell, strict=True) if yes])
    return Opened(objects.header, objects.columns)


def _features(content: Any, path: Path) -> list[dict[str, Any]]:
    if isinstance(content, dict):
        content = [content] if content.get("type") == "Feature" else content.get("features")
    is_list = isinstance(content, list) and all(
        isinstance(item, dict) and "geometry" in item for item in content
    )
    if not is_list:
        raise TableError(
            f"{path} is JSON but not GeoJSON: expected a FeatureCollection, or a list of features."
        )
    return content


def _kind(feature: dict[str, Any]) -> str:
    """What kind of object a feature is, as QuPath's tables write it: "cell", "tma core"."""
    said = said_object_type(feature).replace("tmaCore", "tma core")
    return said.lower().replace("_", " ")


@dataclass(frozen=True, eq=False)
class _Objects:
    """Features whose values are looked up when a column is asked for."""

    path: Path
    features: list[dict[str, Any]] = field(repr=False)
    kinds: list[str] = field(repr=False)

    @property
    def header(self) -> Header:
        metadata: dict[str, Any] = {}
        measured: dict[str, Any] = {}
        for feature in self.features:
            said = table_in(feature, "properties")
            metadata.update(table_in(said, "metadata"))
            measured.update(_measurements(said))
        own = ("Object ID", "Object type", "Name", "Classification", X, Y)
        columns = dict.fromkeys((*own, *map(str, metadata), *map(str, measured)))
        if "cell_id" not in columns and self._are_numbers_of_cells():
            columns["cell_id"] = None
        return Header(self.path, tuple(columns), "", "")

    def columns(self, columns: Sequence[str]) -> pd.DataFrame:
        asked = list(dict.fromkeys(columns))
        table: dict[str, Any] = {}
        if X in asked or Y in asked:
            xy = _centroids(self.features, self.path)
            table |= {X: xy[:, 0], Y: xy[:, 1]}
        for name in asked:
            if name not in table:
                table[name] = [
                    _value(feature, kind, name)
                    for feature, kind in zip(self.features, self.kinds, strict=True)
                ]
        return as_text(pd.DataFrame(table), asked)

    def _are_numbers_of_cells(self) -> bool:
        """Whether the names are what macprox wrote there: a number a cell."""
        names = [table_in(feature, "properties").get("name") for feature in self.features]
        return all(str(name).isdecimal() for name in names) and len(set(names)) == len(names)


def _value(feature: dict[str, Any], kind: str, name: str) -> Any:
    said = table_in(feature, "properties")
    metadata = table_in(said, "metadata")
    if name in metadata:
        return metadata[name]
    if name == "Object ID":
        found = feature.get("id")
        return None if str(found) in LEGACY_IDS else found
    if name == "Object type":
        return kind
    if name in ("Name", "cell_id"):
        return said.get("name")
    if name == "Classification":
        return classification_of(feature)
    return _measurements(said).get(name)


def _measurements(said: dict[str, Any]) -> dict[str, Any]:
    """A table of measurements (since 0.4), or a list of names and values."""
    found = said.get("measurements")
    if isinstance(found, list):
        pairs = [item for item in found if isinstance(item, dict)]
        return {str(item.get("name")): item.get("value") for item in pairs}
    return found if isinstance(found, dict) else {}


def _centroids(features: list[dict[str, Any]], path: Path) -> np.ndarray:
    """``(n, 2)`` of nuclei or outlines; plain rings and points by the ten thousand."""
    geometries = [_geometry(feature) for feature in features]
    shapes = np.empty(len(features), dtype=object)
    kinds = [_simple(one) for one in geometries]
    rings, points, others, missing = (
        [i for i, kind in enumerate(kinds) if kind == wanted]
        for wanted in ("ring", "point", "other", "none")
    )
    try:
        if rings:
            outlines = [geometries[i]["coordinates"][0] for i in rings]
            indices = np.repeat(np.arange(len(rings)), [len(outline) for outline in outlines])
            shapes[rings] = shapely.polygons(shapely.linearrings(_flat(outlines), indices=indices))
        if points:
            xy = np.array([geometries[i]["coordinates"][:2] for i in points], dtype=float)
            shapes[points] = shapely.points(xy)
        if others:
            shapes[others] = shapely.from_geojson([json.dumps(geometries[i]) for i in others])
    except (shapely.errors.GEOSException, *_WRONG) as error:
        raise TableError(f"{path}: a geometry is not GeoJSON ({reason_of(error)}).") from None
    shapes[missing] = None
    _require_geometries(shapes, path)
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is refused by name
        middle = shapely.centroid(shapes)
    xy, is_there = np.full((len(features), 2), np.nan), ~shapely.is_empty(middle)
    xy[is_there] = shapely.get_coordinates(middle[is_there])
    return xy


def _flat(outlines: list[list[list[float]]]) -> np.ndarray:
    """All points of all outlines, ``(n, 2)``; a third coordinate is left out."""
    n_points = sum(map(len, outlines))
    flat = np.fromiter(chain.from_iterable(chain.from_iterable(outlines)), dtype=float)
    if len(flat) == 2 * n_points:
        return flat.reshape(-1, 2)
    return np.array([point[:2] for outline in outlines for point in outline], dtype=float)


@contextmanager
def _without_collection() -> Iterator[None]:
    """Garbage is not looked for among the lists of a file: a third of the time, or less."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _geometry(feature: dict[str, Any]) -> dict[str, Any]:
    said = table_in(feature, "properties")
    for name in _GEOMETRIES:
        found = feature.get(name) or said.get(name)
        if isinstance(found, dict):
            return found
    return {}


def _simple(geometry: dict[str, Any]) -> str:
    """Whether a geometry is one ring of coordinates or one point: "ring", "point", else "other"."""
    kind, coordinates = geometry.get("type"), geometry.get("coordinates")
    if not geometry or not isinstance(coordinates, list):
        return "other" if geometry else "none"
    if kind == "Polygon" and len(coordinates) == 1 and isinstance(coordinates[0], list):
        return "ring"
    return "point" if kind == "Point" and coordinates else "other"


def _require_geometries(shapes: np.ndarray, path: Path) -> None:
    missing = shapely.is_missing(shapes) | shapely.is_empty(shapes)
    if missing.any():
        raise TableError(
            f"{path}: {missing.sum():,} of {len(shapes):,} objects have no geometry (first: number "
            f"{int(np.flatnonzero(missing)[0]) + 1}). Export them again."
        )
