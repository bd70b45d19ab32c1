"""Outlines of a slide's cells and nuclei, tile by tile: memory depends on the tile alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from macprox.image.outlines import label_polygons
from macprox.image.tiles import Box
from macprox.io.labels import boxes
from macprox.results import SlideResult
from macprox.segment.given import LabelledObjects

TILE_PX = 2048


@dataclass(frozen=True, eq=False)
class OutlinedCells:
    """The cells of one tile.

    Parameters
    ----------
    cell_id : (n,) int64
    cells, nuclei : (n,) object
        Polygons in full-resolution pixels, corners; None for a cell without a nucleus.
    """

    cell_id: np.ndarray
    cells: np.ndarray
    nuclei: np.ndarray


def cell_outlines(result: SlideResult, cell_id: np.ndarray) -> Iterator[OutlinedCells]:
    """The outlines of these cells, every cell once, in tiles by where its box begins.

    Raises
    ------
    ResultError
        If the labels cannot be read.
    """
    cells, nuclei = (result.label_levels(name)[0] for name in ("cells", "nuclei"))
    spans = _spans(cells, np.sort(cell_id))
    column = spans.span[:, [0, 2]] // TILE_PX
    for tile in np.unique(column, axis=0):
        here = np.flatnonzero((column == tile).all(axis=1))
        yield _outlined(cells, nuclei, spans.value[here], spans.span[here])


def _spans(labels, wanted: np.ndarray) -> LabelledObjects:
    """Where the wanted cells lie."""
    width_px = labels.shape[1]
    parts = [
        LabelledObjects.in_region(
            np.asarray(labels[y, x]), Box(y.start, y.stop, x.start, x.stop), width_px
        )
        for y, x in boxes(labels.shape, TILE_PX)
    ]
    found = LabelledObjects.joined(parts)
    keep = np.isin(found.value, wanted.astype(np.uint64))
    return LabelledObjects(found.value[keep], found.first_px[keep], found.span[keep])


def _outlined(cells, nuclei, wanted: np.ndarray, span: np.ndarray) -> OutlinedCells:
    origin_px = (int(span[:, 0].min()), int(span[:, 2].min()))
    box = np.s_[origin_px[0] : span[:, 1].max(), origin_px[1] : span[:, 3].max()]
    cell_id, polygons = label_polygons(_only(np.asarray(cells[box]), wanted), origin_px)
    with_nucleus, of_nuclei = label_polygons(_only(np.asarray(nuclei[box]), wanted), origin_px)
    inside = np.full(len(cell_id), None, object)
    inside[np.searchsorted(cell_id, with_nucleus)] = of_nuclei
    return OutlinedCells(cell_id, polygons, inside)


def _only(labels: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    return np.where(np.isin(labels, wanted.astype(labels.dtype)), labels, 0)
