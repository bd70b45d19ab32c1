"""Cells that macprox exported for QuPath, as QuPath gives them back."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from macprox.errors import ResultError, shortened
from macprox.io.geojson import (
    classification_of,
    listed_features,
    not_geojson,
    object_type,
    read_text,
    table_in,
)

_MOST_DIGITS = 19  # of 64 bits
_OF_CELLS = ("cell", "detection")
_MIDDLE = "middle"


@dataclass(frozen=True, eq=False)
class ReturnedCells:
    """One entry a cell.

    Parameters
    ----------
    slide_id, before, after : (n,) object
        The slide, the phenotype at export and the class now; ``""`` for a class taken away.
    cell_id : (n,) int64
    xy_px : (n, 2) float
        Middle of the nucleus, of the cell where there is none; full-resolution pixels.
    """

    slide_id: np.ndarray
    cell_id: np.ndarray
    before: np.ndarray
    after: np.ndarray
    xy_px: np.ndarray


def read_returned_cells(path: Path) -> ReturnedCells:
    """Read a GeoJSON of cells that came from ``macprox export --to geojson``.

    Raises
    ------
    ResultError
        If it is not GeoJSON, holds no cell, or one without what macprox wrote into it.
    """
    path = Path(path)
    features = listed_features(_light(read_text(path), path), path)
    cells = [feature for feature in features if object_type(feature) in _OF_CELLS]
    if not cells:
        raise ResultError(f"{path} holds no cell. In QuPath: File, Export objects as GeoJSON, all.")
    told = [table_in(table_in(cell, "properties"), "metadata") for cell in cells]
    for cell, metadata in zip(cells, told, strict=True):
        if not _is_ours(metadata):
            name = shortened(str(table_in(cell, "properties").get("name", "")))
            raise ResultError(
                f"{path}: a cell ({name!r}) does not say which it was when macprox exported it. "
                "Export with this version (macprox export ... --to geojson), and correct that file."
            )
    return ReturnedCells(
        slide_id=np.array([metadata["slide_id"] for metadata in told], object),
        cell_id=np.array([int(metadata["cell_id"]) for metadata in told]),
        before=np.array([metadata["phenotype"] for metadata in told], object),
        after=np.array([classification_of(cell) for cell in cells], object),
        xy_px=np.array([_middle(cell, path) for cell in cells]),
    )


def _light(text: str, path: Path) -> Any:
    """The content without outlines and measurements, which take gigabytes as Python's objects."""

    def lighter(content: dict[str, Any]) -> dict[str, Any]:
        content.pop("measurements", None)
        if "coordinates" in content:
            found = shapely.from_geojson(json.dumps(content)).centroid
            return {_MIDDLE: (found.x, found.y)} if not found.is_empty else {}
        return content

    try:
        return json.loads(text, object_hook=lighter)
    except (ValueError, RecursionError, shapely.errors.GEOSException) as error:
        raise not_geojson(path, error) from None


def _is_ours(metadata: dict[str, Any]) -> bool:
    texts = [metadata.get(key) for key in ("slide_id", "cell_id", "phenotype")]
    is_number = str(texts[1]).isdecimal() and len(str(texts[1])) < _MOST_DIGITS
    return all(isinstance(text, str) for text in texts) and is_number


def _middle(cell: dict[str, Any], path: Path) -> tuple[float, float]:
    for key in ("nucleusGeometry", "geometry"):
        if _MIDDLE in table_in(cell, key):
            return cell[key][_MIDDLE]
    raise ResultError(f"{path}: a cell has no outline and no place. Export it from QuPath again.")
