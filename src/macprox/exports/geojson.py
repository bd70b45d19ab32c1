"""Cells as GeoJSON for QuPath: outlines where there are labels, else points; class and id kept."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import shapely

from macprox.celltable import centroids_um
from macprox.exports.outlines import OutlinedCells, cell_outlines
from macprox.io.atomic import replacing
from macprox.results import SlideResult

_NAMESPACE = uuid.UUID("0f0c7d1e-6a56-4d0c-9b5c-6d6163707278")
_NO_MEASUREMENT = ("cell_id", "anchor_px", "x_um", "y_um", "lesion_id", "nearest_lesion_id")
_ONLY_FIELD = "1"  # what a reader calls the field of cells that name none
UNKNOWN_COLOUR = "#7f7f7f"  # of a class that neither the study nor the colours know


def export_geojson(result: SlideResult, folder: Path) -> list[Path]:
    """Write ``cells.geojson``: outlines, or points where a table gave the cells.

    See `write_geojson`.
    """
    cells = result.cells()
    outlined: Iterable[OutlinedCells] = ()
    if result.folder.labels.exists():
        outlined = cell_outlines(result, cells["cell_id"].to_numpy())
    path, colours = folder / "cells.geojson", result.study.colours(cells["phenotype"].unique())
    return [write_geojson(cells, result.pixel_size_um, path, colours, outlined)]


def write_geojson(
    cells: pd.DataFrame,
    pixel_size_um: float,
    path: Path,
    colours: Mapping[str, str] | None = None,
    outlined: Iterable[OutlinedCells] = (),
) -> Path:
    """Write cells as objects that QuPath imports with their classes.

    A cell's name is its ``cell_id``. Its metadata hold that, the ``slide_id``, and the phenotype
    that it has here, by which `macprox.review.returned` tells corrections; where the table names
    fields, the ``roi_id`` too, since neighbours do not cross them. Its own id is a UUID made of
    slide and cell, the same every time. Every number of the table is a measurement, to six
    digits; where it is not known, it is left out.

    Parameters
    ----------
    cells : DataFrame
        With ``cell_id``, ``phenotype`` and positions in micrometres.
    pixel_size_um : float
        Of the slide at full resolution: QuPath's coordinates are pixels, from the corner.
    path : Path
    colours : mapping of str to str, optional
        Colour (``"#rrggbb"``) of each phenotype.
    outlined : iterable of OutlinedCells
        Cells without an outline are points, and detections.

    Returns
    -------
    Path
    """
    path = Path(path)
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        # one line a cell, so that a million cells need no million dictionaries at once
        file.write('{"type": "FeatureCollection", "features": [\n')
        features = _Features(cells, pixel_size_um, colours or {})
        for number, line in enumerate(features.lines(outlined)):
            file.write((",\n" if number else "") + line)
        file.write("\n]}\n")
    return path


class _Features:
    """A table's cells as lines of GeoJSON."""

    def __init__(
        self, cells: pd.DataFrame, pixel_size_um: float, colours: Mapping[str, str]
    ) -> None:
        self._cell_id = cells["cell_id"].to_numpy()
        self._phenotype = cells["phenotype"].astype(str).to_numpy(object)
        self._slide_id = np.full(len(cells), "", object)
        if "slide_id" in cells:
            self._slide_id = cells["slide_id"].astype(str).to_numpy(object)
        self._roi_id: np.ndarray | None = None
        if "roi_id" in cells and (cells["roi_id"].astype(str) != _ONLY_FIELD).any():
            self._roi_id = cells["roi_id"].astype(str).to_numpy(object)
        self._xy_px = centroids_um(cells) / pixel_size_um
        self._classes = {
            name: {"name": name, "color": _rgb(colours.get(name, UNKNOWN_COLOUR))}
            for name in set(self._phenotype)
        }
        self._measured = [
            name for name in cells.select_dtypes("number").columns if name not in _NO_MEASUREMENT
        ]
        self._cells = cells

    def lines(self, outlined: Iterable[OutlinedCells]) -> Iterator[str]:
        """Outlined cells first, then the others."""
        order = np.argsort(self._cell_id, kind="stable")
        left = np.ones(len(order), bool)
        for part in outlined:
            at = order[np.searchsorted(self._cell_id, part.cell_id, sorter=order)]
            left[at] = False
            shapes = zip(_texts(part.cells), _texts(part.nuclei), strict=True)
            for row, (cell, nucleus), values in zip(at, shapes, self._values(at), strict=True):
                inside = f', "nucleusGeometry": {nucleus}' if nucleus else ""
                yield self._line(row, f'"geometry": {cell}{inside}', "cell", values)
        rest = np.flatnonzero(left)
        for row, values in zip(rest, self._values(rest), strict=True):
            point = json.dumps({"type": "Point", "coordinates": self._xy_px[row].tolist()})
            yield self._line(row, f'"geometry": {point}', "detection", values)

    def _values(self, rows: np.ndarray) -> Iterator[list[float]]:
        yield from self._cells[self._measured].iloc[rows].to_numpy(float).tolist()

    def _line(self, row: np.integer, geometry: str, kind: str, values: list[float]) -> str:
        cell_id, slide_id = self._cell_id[row], self._slide_id[row]
        named = zip(self._measured, values, strict=True)
        properties = {
            "objectType": kind,
            "name": str(cell_id),
            "classification": self._classes[self._phenotype[row]],
            "measurements": {
                name: float(f"{value:.6g}") for name, value in named if np.isfinite(value)
            },
            "metadata": {
                "cell_id": str(cell_id),
                "slide_id": slide_id,
                "phenotype": self._phenotype[row],  # what a correction in QuPath is told by
                **({} if self._roi_id is None else {"roi_id": self._roi_id[row]}),
            },
        }
        text = json.dumps(properties, ensure_ascii=False, allow_nan=False)
        own = uuid.uuid5(_NAMESPACE, f"{slide_id} {cell_id}")
        return f'{{"type": "Feature", "id": "{own}", {geometry}, "properties": {text}}}'


def _texts(polygons: np.ndarray) -> list[str]:
    """GeoJSON of each polygon; corners of pixels are whole numbers. Empty where there is none."""
    texts = shapely.to_geojson(polygons)
    return ["" if text is None else text.replace(".0", "") for text in texts]


def _rgb(colour: str) -> list[int]:
    return [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
