"""Tiles: every pixel belongs to one core; a halo lets objects at its rim be seen whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Box:
    """A half-open rectangle of pixels."""

    y0: int
    y1: int
    x0: int
    x1: int

    @property
    def shape(self) -> tuple[int, int]:
        return self.y1 - self.y0, self.x1 - self.x0

    @property
    def slices(self) -> tuple[slice, slice]:
        """``(y, x)`` for indexing the whole slide."""
        return slice(self.y0, self.y1), slice(self.x0, self.x1)

    def within(self, outer: Box) -> tuple[slice, slice]:
        """``(y, x)`` for indexing an array that covers ``outer``."""
        return (
            slice(self.y0 - outer.y0, self.y1 - outer.y0),
            slice(self.x0 - outer.x0, self.x1 - outer.x0),
        )

    def grown(self, margin_px: int) -> Box:
        """The box and so many pixels around it, also beyond the slide's rim."""
        return Box(
            self.y0 - margin_px, self.y1 + margin_px, self.x0 - margin_px, self.x1 + margin_px
        )

    def holds(self, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Whether each pixel ``(y, x)`` lies inside."""
        return (y >= self.y0) & (y < self.y1) & (x >= self.x0) & (x < self.x1)


@dataclass(frozen=True)
class Tile:
    """One unit of work: the pixels it answers for, and those it looks at."""

    index: int
    core: Box
    outer: Box


def tile_grid(shape: tuple[int, int], core_px: int, halo_px: int) -> list[Tile]:
    """Cut a slide into tiles whose cores partition it, in raster order.

    Parameters
    ----------
    shape : (int, int)
        ``(y, x)`` of the slide in pixels.
    core_px : int
        Side of a core. Cores at the lower and right rim are smaller.
    halo_px : int
        How far a tile looks beyond its core; cut at the slide's rim.
    """
    height, width = shape
    cores = [
        Box(y, min(y + core_px, height), x, min(x + core_px, width))
        for y in range(0, height, core_px)
        for x in range(0, width, core_px)
    ]
    return [
        Tile(
            index,
            core,
            Box(
                max(core.y0 - halo_px, 0),
                min(core.y1 + halo_px, height),
                max(core.x0 - halo_px, 0),
                min(core.x1 + halo_px, width),
            ),
        )
        for index, core in enumerate(cores)
    ]


def in_bands(tiles: Sequence[Tile], n_columns: int) -> list[Tile]:
    """Tiles of a grid, band by band of so many columns, row by row within a band.

    Few rows of pixels lie between a tile and its lower neighbour then, however wide the slide is:
    what the two share can wait in memory.
    """
    column_of = {x: rank for rank, x in enumerate(sorted({tile.core.x0 for tile in tiles}))}
    return sorted(
        tiles,
        key=lambda tile: (column_of[tile.core.x0] // n_columns, tile.core.y0, tile.core.x0),
    )


def whole_multiple(size_px: int, unit_px: int) -> int:
    """The multiple of ``unit_px`` nearest to ``size_px``, at least one unit."""
    return max(1, round(size_px / unit_px)) * unit_px
