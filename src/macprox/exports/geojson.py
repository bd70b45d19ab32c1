"""Cells as GeoJSON for QuPath."""

from __future__ import annotations

import colorsys
import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from macprox.celltable import AMBIGUOUS, OTHER, centroids_um
from macprox.io.atomic import replacing
from macprox.results import SlideResult

_NAMESPACE = uuid.UUID("0f0c7d1e-6a56-4d0c-9b5c-6d6163707278")
_GREYS = {OTHER: (160, 160, 160), AMBIGUOUS: (90, 90, 90)}


def export_geojson(result: SlideResult, folder: Path) -> list[Path]:
    """Write ``cells.geojson``; see `write_geojson`."""
    path = folder / "cells.geojson"
    return [write_geojson(result.cells(), result.pixel_size_um, path)]


def write_geojson(cells: pd.DataFrame, pixel_size_um: float, path: Path) -> Path:
    """Write cells as points that QuPath imports as classified detections.

    Parameters
    ----------
    cells : DataFrame
        With ``cell_id``, ``phenotype`` and positions in micrometres; distances (columns that
        begin with ``nearest_`` and the tumour border's) become measurements.
    pixel_size_um : float
        Of the slide at full resolution: QuPath's coordinates are pixels, from the corner.
    path : Path

    Returns
    -------
    Path
    """
    path = Path(path)
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        # one line a cell, so that a million cells need no million dictionaries at once
        file.write('{"type": "FeatureCollection", "features": [\n')
        for number, line in enumerate(_detections(cells, pixel_size_um)):
            file.write((",\n" if number else "") + line)
        file.write("\n]}\n")
    return path


def phenotype_colours(phenotypes: pd.Series) -> dict[str, tuple[int, int, int]]:
    """A colour a phenotype, evenly spaced in hue in name order; Other and Ambiguous are grey."""
    names = sorted(set(phenotypes.astype(str)) - set(_GREYS))
    colours = {
        name: colorsys.hsv_to_rgb(i / max(len(names), 1), 0.85, 0.9) for i, name in enumerate(names)
    }
    return {name: _bytes(rgb) for name, rgb in colours.items()} | _GREYS


def _detections(cells: pd.DataFrame, pixel_size_um: float) -> Iterator[str]:
    colours = phenotype_colours(cells["phenotype"])
    classes = {
        name: {"name": name, "color": list(colours[name])}
        for name in cells["phenotype"].astype(str).unique()
    }
    distances = [
        name
        for name in cells.columns
        if name == "tumour_border_distance_um" or (name.startswith("nearest_"))
    ]
    values = cells[distances].to_numpy(dtype=float)
    xy_px = centroids_um(cells) / pixel_size_um
    slides = cells["slide_id"].astype(str) if "slide_id" in cells else [""] * len(cells)
    rows = zip(slides, cells["cell_id"].tolist(), cells["phenotype"].astype(str), strict=True)
    for i, (slide_id, cell_id, phenotype) in enumerate(rows):
        finite = np.isfinite(values[i])
        yield json.dumps(
            {
                "type": "Feature",
                "id": str(uuid.uuid5(_NAMESPACE, f"{slide_id} {cell_id}")),
                "geometry": {"type": "Point", "coordinates": xy_px[i].tolist()},
                "properties": {
                    "objectType": "detection",
                    "name": str(cell_id),
                    "classification": classes[phenotype],
                    "measurements": {
                        name: float(value)
                        for name, value, is_known in zip(distances, values[i], finite, strict=True)
                        if is_known
                    },
                },
            },
            ensure_ascii=False,
            allow_nan=False,
        )


def _bytes(rgb: tuple[float, float, float]) -> tuple[int, int, int]:
    red, green, blue = (round(255 * part) for part in rgb)
    return red, green, blue
