"""Tiles' own labels become the slide's: ids 1..N in raster order of anchors, each chunk once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import zarr

from macprox.image.tiles import Tile
from macprox.io.labels import LabelImage, ranks, write_label_index
from macprox.io.store import LABEL_NAMES, SlideFolder
from macprox.pipeline.tiles import Workers
from macprox.slide import Slide


@dataclass(frozen=True)
class TileNames:
    """A tile, and the anchors of its own labels.

    Parameters
    ----------
    tile : Tile
    anchor_px : (n + 1,) int64
        By label; negative for background.
    """

    tile: Tile
    anchor_px: np.ndarray


def name_labels(
    slide: Slide,
    named: Sequence[TileNames],
    ranked: np.ndarray,
    folder: SlideFolder,
    n_workers: int,
) -> int:
    """Write the label images and their pyramids from what the tiles left in `folder.anchors`.

    Parameters
    ----------
    slide : Slide
    named : sequence of TileNames
        All tiles of the slide.
    ranked : (n,) uint64
        Anchors of the cells that were measured, rising; the id of ``ranked[i]`` is ``i + 1``.
    folder : SlideFolder
    n_workers : int
        Threads; here even when tiles are computed elsewhere, as this is copying.

    Returns
    -------
    int
        How many pixels of cells carried an anchor that is not in ``ranked``; they become
        background.
    """
    tile_px = max(max(one.tile.core.shape) for one in named)
    names_of = {one.tile.index: one.anchor_px for one in named}
    tiles = [one.tile for one in named]
    unknown = []
    for name in LABEL_NAMES:
        image = LabelImage(folder.labels / name, slide.shape, tile_px)
        image.create()
        job = _NameTile(folder.anchors / name, image, names_of, ranked)
        unknown.append(sum(Workers(n_workers).map(job, tiles)))
        image.finish(slide.pixel_size_um)
    write_label_index(folder.labels, LABEL_NAMES)
    return unknown[LABEL_NAMES.index("cells")]


@dataclass(frozen=True)
class _NameTile:
    """Names one tile's labels and says how many pixels nobody measured."""

    own: Path
    image: LabelImage
    names_of: dict[int, np.ndarray]
    ranked: np.ndarray

    def __call__(self, tile: Tile) -> int:
        anchor_px = self.names_of[tile.index]
        ids = ranks(anchor_px, self.ranked)
        own = np.asarray(zarr.open_array(str(self.own), mode="r")[tile.core.slices])
        self.image.write_tile(tile.core.y0, tile.core.x0, ids[own])
        unknown = (ids == 0) & (anchor_px >= 0)
        return int(unknown[own].sum()) if unknown.any() else 0
