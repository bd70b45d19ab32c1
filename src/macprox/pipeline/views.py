"""A learned segmenter's label image: every tile's view, then one image where views are joined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import zarr

from macprox.image.tiles import Box, Tile, tile_grid
from macprox.io.arrays import read_arrays, write_arrays
from macprox.io.label_file import LabelFile
from macprox.io.labels import create_level
from macprox.io.zarr_chunks import ZarrSource
from macprox.pipeline.labelling import Labeller
from macprox.pipeline.options import RunOptions
from macprox.pipeline.survey import Survey
from macprox.segment.learned import Brightness, label_view, segmenter
from macprox.segment.seams import (
    SeamCounts,
    Twins,
    View,
    common_box,
    join_views,
    neighbours,
    overlapping_objects,
    paint_core,
)


@dataclass(frozen=True)
class ViewJob:
    """Labels one tile's outer box by the study's segmenter; travels with the task."""

    labeller: Labeller
    brightness: Brightness

    @classmethod
    def of(cls, labeller: Labeller, survey: Survey) -> ViewJob:
        model = segmenter(labeller.parameters)
        sample = survey.corrected_sample(labeller.nucleus)
        return cls(labeller, Brightness.of_slide(sample, model))

    def tiles(self, core_px: int) -> list[Tile]:
        """The slide's tiles, with the halo that the segmenter asks for."""
        slide = self.labeller.slide
        halo_um = segmenter(self.labeller.parameters).halo_um
        return tile_grid(slide.shape, core_px, int(np.ceil(halo_um / slide.pixel_size_um)))

    def label(self, outer: Box) -> np.ndarray:
        """(y, x) int32: labels of a box, as this box alone shows them."""
        stain = self.labeller.pixels(outer).channel(self.labeller.nucleus)
        if stain.max(initial=0) <= self.labeller.nuclear.floor:
            return np.zeros(outer.shape, np.int32)  # no nucleus for a model to find
        size_um = self.labeller.slide.pixel_size_um
        return label_view(stain, outer, size_um, self.brightness, self.labeller.parameters)


def label_by_views(
    job: ViewJob, core_px: int, place: Path, options: RunOptions
) -> tuple[LabelFile, SeamCounts]:
    """Label a slide tile by tile and join the views.

    Parameters
    ----------
    job : ViewJob
    core_px : int
        Side of a tile's core.
    place : Path
        Folder for views and image; views that an interrupted run left there are kept.
    options : RunOptions

    Returns
    -------
    LabelFile
        The slide's nuclei, in ``place``.
    SeamCounts
        How far the views disagreed.
    """
    tiles = job.tiles(core_px)
    slide = job.labeller.slide
    advance = options.watcher.stage(slide.slide_id, "nuclei", len(tiles))
    views = options.workers.map(_Look(job, place), tiles, advance)
    found = options.workers.map(_Compare(place, tiles), tiles)
    names, counts = join_views(views, [each for some in found for each in some])
    target = place / "joined"
    create_level(target, slide.shape)
    painted = options.workers.map(_Paint(place, tiles, names, target), tiles)
    counts = replace(counts, cut=_n_cut(views, names, painted))
    source = ZarrSource(str(place), ("joined",), "yx", ("nuclei",), np.dtype(np.uint32))
    return LabelFile(target, slide.shape, source), counts


def _n_cut(
    views: Sequence[View],
    names: Sequence[np.ndarray],
    painted: Sequence[tuple[np.ndarray, np.ndarray]],
) -> int:
    """Objects of which fewer pixels were painted than their view shows."""
    name, n_pixels = (np.concatenate(part) for part in zip(*painted, strict=True))
    whole = np.concatenate([view.area_px[of > 0] for view, of in zip(views, names, strict=True)])
    got = np.bincount(name.astype(np.int64), n_pixels, len(whole) + 1)[1:]
    return int((got < whole).sum())


def _read_view(place: Path, tile: Tile, box: Box) -> np.ndarray:
    view = zarr.open_array(str(place / f"view-{tile.index}"), mode="r")
    return np.asarray(view[box.within(tile.outer)]).astype(np.int32)


@dataclass(frozen=True)
class _Look:
    """Labels one tile, leaves its view, says what seams need to know of it."""

    job: ViewJob
    place: Path

    def __call__(self, tile: Tile) -> View:
        done = self.place / f"view-{tile.index}.npz"
        if not done.exists():
            labels = self.job.label(tile.outer)
            path = self.place / f"view-{tile.index}"
            create_level(path, tile.outer.shape)[:] = labels.astype(np.uint32)
            view = View.of(labels, tile)
            write_arrays(
                done, {"area_px": view.area_px, "owned": view.owned, "crosses": view.crosses}
            )
        return View(**read_arrays(done))


@dataclass(frozen=True)
class _Compare:
    """Compares one tile's view with those of later tiles that overlap it."""

    place: Path
    tiles: Sequence[Tile]

    def __call__(self, tile: Tile) -> list[tuple[int, int, Twins]]:
        return [
            (
                tile.index,
                other.index,
                overlapping_objects(
                    _read_view(self.place, tile, box), _read_view(self.place, other, box)
                ),
            )
            for other, box in neighbours(tile, self.tiles)
            if other.index > tile.index
        ]


@dataclass(frozen=True)
class _Paint:
    """Paints one core, and says how many pixels each name got."""

    place: Path
    tiles: Sequence[Tile]
    names: Sequence[np.ndarray]
    target: Path

    def __call__(self, tile: Tile) -> tuple[np.ndarray, np.ndarray]:
        named = []
        for other in (tile, *(other for other, _ in neighbours(tile, self.tiles))):
            box = common_box(tile.core, other.outer)
            if box is not None:
                named.append((box, self.names[other.index][_read_view(self.place, other, box)]))
        painted = paint_core(named, tile.core)
        zarr.open_array(str(self.target), mode="r+")[tile.core.slices] = painted
        name, n_pixels = np.unique(painted[painted > 0], return_counts=True)
        return name, n_pixels
