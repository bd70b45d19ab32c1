"""Does the tiling show? Windows across seams are labelled again and compared with the disk."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import pandas as pd
import zarr

from macprox.image.tiles import Box, Tile
from macprox.io.labels import ranks
from macprox.io.store import LABEL_NAMES, SlideFolder
from macprox.pipeline.label_images import look_at_labels, open_given
from macprox.pipeline.labelling import Labeller
from macprox.pipeline.options import RunOptions
from macprox.pipeline.survey import load_survey
from macprox.pipeline.views import ViewJob
from macprox.segment.methods import is_learned
from macprox.segment.seams import SAME_IOU, TWIN_IOU, View, overlapping_objects
from macprox.slide import Slide
from macprox.study import Study

WINDOW_PX = 512
MAX_WINDOWS = 40


@dataclass(frozen=True)
class SeamCheck:
    """What labelling again found.

    Parameters
    ----------
    method : str
    exact : bool
        Whether the method promises that nothing differs. Then every pixel and every id counts;
        else outlines, which must overlap by an IoU of .9.
    tile_px, window_px, windows : int
        Side of the tiles, side of a window, and how many windows were labelled.
    nuclei, nuclei_differ, cells, cells_differ : int
        Objects compared, and those that are not the same. A learned segmenter finds nuclei; its
        cells follow from them and are not compared.
    """

    method: str
    exact: bool
    tile_px: int
    window_px: int
    windows: int
    nuclei: int
    nuclei_differ: int
    cells: int
    cells_differ: int

    def to_dict(self) -> dict[str, object]:
        return asdict(self)


def check_seams(
    slide: Slide, study: Study, folder: SlideFolder, tile_px: int, options: RunOptions
) -> SeamCheck:
    """Label a sample of windows across a slide's seams again and compare with the labels on disk.

    Parameters
    ----------
    slide : Slide
    study : Study
    folder : SlideFolder
        With a finished segmentation.
    tile_px : int
        Side of the tiles that it was made with.
    options : RunOptions

    Returns
    -------
    SeamCheck
        Of up to 40 windows that hold cells, drawn by the study's seed; none where one tile holds
        the whole slide.
    """
    survey = load_survey(folder, slide.channels)
    cells = pd.read_parquet(folder.measurements, columns=["x_um", "y_um", "anchor_px"])
    centres_px = (cells[["y_um", "x_um"]] / slide.pixel_size_um).to_numpy()
    cores = windows_on_seams(centres_px, slide.shape, tile_px, study.proximity.seed)
    labeller = Labeller.of(slide, study, survey)
    place = folder.work / "seam-check"
    place.mkdir(exist_ok=True)
    try:
        job: _Again | _ViewAgain
        if is_learned(study.segmentation.method):
            views = ViewJob.of(labeller, survey)
            job, halo_px = _ViewAgain(views, folder), _halo_px(views.tiles(tile_px))
        else:
            images = open_given(study.segmentation, slide)
            if images is not None:
                given = look_at_labels(images, slide, tile_px, place, options)
                labeller = replace(labeller, given=given)
            ranked = cells["anchor_px"].to_numpy(np.uint64)
            job, halo_px = _Again(labeller, folder, ranked), _halo_px(labeller.tiles(tile_px))
        windows = [_around(i, core, halo_px, slide.shape) for i, core in enumerate(cores)]
        advance = options.watcher.stage(slide.slide_id, "seams", len(windows))
        counts = options.workers.map(job, windows, advance)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    totals = np.sum(counts, axis=0, dtype=int) if counts else np.zeros(4, int)
    method, exact = study.segmentation.method, not is_learned(study.segmentation.method)
    return SeamCheck(method, exact, tile_px, WINDOW_PX, len(windows), *map(int, totals))


def windows_on_seams(
    centres_px: np.ndarray, shape: tuple[int, int], tile_px: int, seed: int
) -> list[Box]:
    """Windows whose middle lies on a seam and that hold a cell, a sample of all.

    Parameters
    ----------
    centres_px : (n, 2) float
        Cells, ``(y, x)``.
    shape : (int, int)
        Of the slide, ``(y, x)``.
    tile_px : int
        A multiple of the window's side, so that crossings of seams are middles too.
    seed : int
    """
    half = WINDOW_PX // 2
    found = set()
    for axis in (0, 1):
        across, along = centres_px[:, axis], centres_px[:, 1 - axis]
        seam = np.rint(across / tile_px).astype(int) * tile_px
        middle = np.rint(along / WINDOW_PX).astype(int) * WINDOW_PX
        near = (np.abs(across - seam) < half) & (seam > 0) & (seam < shape[axis])
        pairs = np.unique(np.column_stack([seam[near], middle[near]]), axis=0)
        found |= {(int(s), int(m)) if axis == 0 else (int(m), int(s)) for s, m in pairs}
    middles = sorted(found)
    if len(middles) > MAX_WINDOWS:
        chosen = np.random.default_rng(seed).choice(len(middles), MAX_WINDOWS, replace=False)
        middles = [middles[i] for i in sorted(chosen)]
    return [
        Box(max(y - half, 0), min(y + half, shape[0]), max(x - half, 0), min(x + half, shape[1]))
        for y, x in middles
    ]


def _halo_px(tiles: Sequence[Tile]) -> int:
    """The halo that a grid was cut with: a tile that has a lower or right neighbour shows it."""
    first = tiles[0]
    return max(first.outer.y1 - first.core.y1, first.outer.x1 - first.core.x1)


def _around(index: int, core: Box, halo_px: int, shape: tuple[int, int]) -> Tile:
    outer = Box(
        max(core.y0 - halo_px, 0),
        min(core.y1 + halo_px, shape[0]),
        max(core.x0 - halo_px, 0),
        min(core.x1 + halo_px, shape[1]),
    )
    return Tile(index, core, outer)


@dataclass(frozen=True)
class _Again:
    """Compares ids pixel by pixel."""

    labeller: Labeller
    folder: SlideFolder
    ranked: np.ndarray

    def __call__(self, window: Tile) -> list[int]:
        labels = self.labeller.label(self.labeller.pixels(window.outer))
        ids = ranks(labels.anchor_px, self.ranked).astype(np.int64)
        unknown = np.flatnonzero((ids == 0) & (labels.anchor_px >= 0))
        ids[unknown] = len(self.ranked) + 1 + unknown
        inside = window.core.within(window.outer)
        counts: list[int] = []
        for name, array in zip(LABEL_NAMES, (labels.nuclei, labels.cells), strict=True):
            again, before = ids[array[inside]], _on_disk(self.folder, name, window.core)
            other = again != before
            counts.append(_n_objects(again, before))
            counts.append(_n_objects(again[other], before[other]))
        return counts


def _n_objects(a: np.ndarray, b: np.ndarray) -> int:
    return int(np.setdiff1d(np.union1d(a, b), [0]).size)


@dataclass(frozen=True)
class _ViewAgain:
    """Compares the outlines of nuclei whose middle lies in the window."""

    views: ViewJob
    folder: SlideFolder

    def __call__(self, window: Tile) -> list[int]:
        again = self.views.label(window.outer)
        disk = _on_disk(self.folder, "nuclei", window.outer)
        before = np.unique(disk, return_inverse=True)[1].reshape(disk.shape).astype(np.int32)
        if not (disk == 0).any():
            before += 1  # no background that would have taken the first number
        pairs = overlapping_objects(before, again)
        has_twin = np.zeros(int(before.max(initial=0)) + 1, bool)
        has_twin[pairs.first[pairs.iou >= TWIN_IOU]] = True
        is_known = np.zeros(int(again.max(initial=0)) + 1, bool)
        is_known[pairs.second[pairs.iou > SAME_IOU]] = True
        expected, new = View.of(before, window).owned, View.of(again, window).owned & ~is_known
        differ = (expected & ~has_twin).sum() + new.sum()
        return [int(expected.sum() + new.sum()), int(differ), 0, 0]


def _on_disk(folder: SlideFolder, name: str, box: Box) -> np.ndarray:
    level = zarr.open_array(str(folder.labels / name / "0"), mode="r")
    return np.asarray(level[box.slices]).astype(np.int64)
