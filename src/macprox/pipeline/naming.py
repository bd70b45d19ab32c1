"""Tiles' own labels become the slide's: ids 1..N in raster order of anchors, each chunk once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import zarr

from macprox.image.tiles import Tile
from macprox.io.label_runs import read_label_runs
from macprox.io.labels import LabelImage, ranks, write_label_index
from macprox.io.store import LABEL_NAMES, SlideFolder
from macprox.pipeline.tiles import Workers
from macprox.slide import Slide


@dataclass(frozen=True)
class TileNames:
    """A tile, its own labels and their anchors.

    Parameters
    ----------
    tile : Tile
    anchor_px : (n + 1,) int64
        By label; negative for background.
    runs : Path
        The labels of its core (`macprox.io.label_runs`).
    """

    tile: Tile
    anchor_px: np.ndarray
    runs: Path


def label_runs(parts: Path, tile: Tile) -> Path:
    """Where a tile leaves the labels of its core."""
    return parts / f"{tile.index}-labels.npz"


def name_labels(
    slide: Slide,
    named: Sequence[TileNames],
    ranked: np.ndarray,
    folder: SlideFolder,
    n_workers: int,
) -> int:
    """Write the label images and their pyramids from what the tiles left.

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
    images = {name: LabelImage(folder.labels / name, slide.shape, tile_px) for name in LABEL_NAMES}
    for image in images.values():
        image.create()
    # Most chunks of a tile with cells hold one: to look for those that do not costs more.
    with zarr.config.set({"array.write_empty_chunks": True}):
        unknown = Workers(n_workers).map(_NameTile(images, ranked), named)
    for image in images.values():
        image.finish(slide.pixel_size_um)
    write_label_index(folder.labels, LABEL_NAMES)
    return sum(unknown)


@dataclass(frozen=True)
class _NameTile:
    """Names one tile's labels and says how many pixels of cells nobody measured."""

    images: Mapping[str, LabelImage]
    ranked: np.ndarray

    def __call__(self, one: TileNames) -> int:
        core = one.tile.core
        ids = ranks(one.anchor_px, self.ranked)
        named = read_label_runs(one.runs, dict.fromkeys(self.images, ids), core.shape)
        for name, image in self.images.items():
            image.write_tile(core.y0, core.x0, named[name])
        unknown = (ids == 0) & (one.anchor_px >= 0)
        if not unknown.any():
            return 0
        return int(read_label_runs(one.runs, {"cells": unknown}, core.shape)["cells"].sum())
