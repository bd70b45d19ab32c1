"""Second stage: read each tile once; segment, measure, write labels; keep a small table."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import zarr

from macprox.image.correction import Correction
from macprox.image.stain import StainStatistics
from macprox.image.tiles import Tile, whole_multiple
from macprox.io.arrays import read_arrays, write_arrays
from macprox.io.atomic import write_parquet
from macprox.io.labels import CHUNK_PX, create_tile_labels
from macprox.io.store import LABEL_NAMES, SlideFolder
from macprox.measure import cell_table, measure_tile
from macprox.pipeline.naming import TileNames, name_labels
from macprox.pipeline.options import RunOptions
from macprox.pipeline.survey import Survey
from macprox.pipeline.tiles import reading_together
from macprox.segment.bodies import body_threshold, is_body
from macprox.segment.parameters import SegmentationParameters
from macprox.segment.whole import segment_tile, tiles_of
from macprox.slide import Slide
from macprox.study import Study


@dataclass(frozen=True)
class Segmented:
    """What the stage leaves besides its files."""

    n_cells: int
    n_cut: int  # kept objects that reached a tile's frame: the halo was too small for them
    unmeasured_px: int  # label pixels whose cell no tile measured
    body_thresholds: dict[str, float]


@dataclass(frozen=True)
class _TileJob:
    """Everything a worker needs for one tile; travels with the task."""

    slide: Slide
    nucleus: str
    correction: Correction
    nuclear: StainStatistics
    parameters: SegmentationParameters
    body_thresholds: dict[str, float]
    anchors: Path
    parts: Path

    def __call__(self, tile: Tile) -> Path:
        done = self.parts / f"{tile.index}.npz"
        if done.exists():
            return done
        blank = self._blank(tile)
        # What segmentation looks at is measured afterwards: decoded and corrected once.
        seen = {
            name: self._corrected(name, tile, blank)
            for name in (self.nucleus, *self.body_thresholds)
        }
        labels = segment_tile(
            seen[self.nucleus],
            self._body_marker(seen),
            tile.outer,
            (self.slide.shape, self.slide.pixel_size_um),
            self.nuclear,
            self.parameters,
        )
        width_px = self.slide.shape[1]
        owned = labels.owned(tile.outer, tile.core, width_px)
        table = measure_tile(
            labels.nuclei,
            labels.cells,
            owned,
            (tile.outer, self.slide.shape, self.slide.pixel_size_um),
            self._channels(tile, blank, seen),
        )
        table["anchor_px"] = labels.anchor_px[owned]
        inside = tile.core.within(tile.outer)
        for name, array in zip(LABEL_NAMES, (labels.nuclei, labels.cells), strict=True):
            level = zarr.open_array(str(self.anchors / name), mode="r+")
            level[tile.core.slices] = array[inside].astype(np.uint32)
        names = {"label_anchor_px": labels.anchor_px, "n_cut": labels.cut[owned].sum()}
        write_arrays(done, {**table, **names})
        return done

    def _blank(self, tile: Tile) -> np.ndarray | None:
        name = self.correction.autofluorescence
        return None if name is None else self.slide.read(name, *tile.outer.slices)

    def _corrected(self, name: str, tile: Tile, blank: np.ndarray | None) -> np.ndarray:
        if blank is not None and name == self.correction.autofluorescence:
            raw = blank
        else:
            raw = self.slide.read(name, *tile.outer.slices)
        return self.correction.apply(name, raw, blank)

    def _body_marker(self, seen: dict[str, np.ndarray]) -> np.ndarray | None:
        marker = None
        for name, threshold in self.body_thresholds.items():
            positive = is_body(seen[name], threshold, self.slide.pixel_size_um)
            marker = positive if marker is None else marker | positive
        return marker

    def _channels(
        self, tile: Tile, blank: np.ndarray | None, seen: dict[str, np.ndarray]
    ) -> Iterator[tuple[str, np.ndarray]]:
        for name in self.slide.channels:
            yield name, seen[name] if name in seen else self._corrected(name, tile, blank)


def segment_slide(
    slide: Slide,
    study: Study,
    survey: Survey,
    folder: SlideFolder,
    options: RunOptions,
    mark: str,
) -> Segmented:
    """Labels and measurements of a whole slide.

    Tiles that an interrupted run finished under the same ``mark`` (fingerprint of the stage's
    inputs) and tile size are kept.
    """
    core_px = whole_multiple(options.tile_px, CHUNK_PX)
    tiles = tiles_of(slide.shape, core_px, slide.pixel_size_um, study.segmentation)
    slide, tiles = reading_together(slide, tiles)
    thresholds = body_thresholds(study.segmentation, survey)
    job = _TileJob(
        slide=slide,
        nucleus=study.image.nucleus,
        correction=survey.correction,
        nuclear=_nuclear_stain(survey, study.image.nucleus),
        parameters=study.segmentation,
        body_thresholds=thresholds,
        anchors=folder.anchors,
        parts=folder.parts(core_px, mark),
    )
    _prepare(job, folder, slide.shape, core_px)
    advance = options.watcher.stage(slide.slide_id, "segmentation", len(tiles))
    parts = [read_arrays(path) for path in options.workers.map(job, tiles, advance)]
    cells = cell_table(parts, slide.slide_id, slide.channels)
    write_parquet(folder.measurements, cells)
    named = [TileNames(t, p["label_anchor_px"]) for t, p in zip(tiles, parts, strict=True)]
    ranked = cells["anchor_px"].to_numpy(np.uint64)
    unmeasured_px = name_labels(slide, named, ranked, folder, options.workers.n_workers)
    folder.remove_parts()  # first: parts without their label pixels would pass for finished tiles
    shutil.rmtree(job.anchors, ignore_errors=True)
    return Segmented(
        len(cells), int(sum(part["n_cut"] for part in parts)), unmeasured_px, thresholds
    )


def _nuclear_stain(survey: Survey, nucleus: str) -> StainStatistics:
    """Of the corrected stain, with the grain of the raw one: correction adds no signal."""
    stain = StainStatistics.from_sample(survey.corrected_sample(nucleus))
    return replace(stain, grain=survey.correction.stains[nucleus].grain)


def body_thresholds(parameters: SegmentationParameters, survey: Survey) -> dict[str, float]:
    """The level above which a pixel is macrophage body, by channel; corrected units."""
    wanted = parameters.macrophages
    if wanted.pixel_threshold != "auto":
        return dict.fromkeys(wanted.channels, float(wanted.pixel_threshold))
    return {name: body_threshold(survey.corrected_sample(name)) for name in wanted.channels}


def _prepare(job: _TileJob, folder: SlideFolder, shape: tuple[int, int], core_px: int) -> None:
    """Empty label arrays, unless an interrupted run of the same tiles left its own."""
    if not job.parts.exists():
        folder.remove_parts()
        shutil.rmtree(job.anchors, ignore_errors=True)
        for name in LABEL_NAMES:
            create_tile_labels(job.anchors / name, shape, core_px)
        job.parts.mkdir(parents=True)
