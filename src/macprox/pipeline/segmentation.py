"""Second stage: read each tile once; segment, measure, write labels; keep a small table."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from macprox.image.quality import SquareGrid, SquareMeter, Squares
from macprox.image.tiles import Tile, whole_multiple
from macprox.io.arrays import read_arrays, write_arrays
from macprox.io.atomic import write_parquet
from macprox.io.label_runs import write_label_runs
from macprox.io.labels import CHUNK_PX
from macprox.io.store import SlideFolder
from macprox.measure import cell_table, measure_tile
from macprox.pipeline.label_images import GivenImages, GivenObjects, look_at_labels, open_given
from macprox.pipeline.labelling import Labeller
from macprox.pipeline.memory import give_back_freed, give_back_models
from macprox.pipeline.naming import TileNames, label_runs, name_labels
from macprox.pipeline.options import RunOptions
from macprox.pipeline.pixels import corrected_means
from macprox.pipeline.survey import Survey
from macprox.pipeline.tiles import reading_together
from macprox.pipeline.views import ViewJob, label_by_views
from macprox.segment.methods import is_learned
from macprox.segment.seams import SeamCounts
from macprox.slide import Slide
from macprox.study import Study


@dataclass(frozen=True)
class Segmented:
    """What the stage leaves besides its files.

    Parameters
    ----------
    n_cells : int
    n_cut : int
        Kept objects that reached a tile's frame: the halo was too small for them.
    n_streaks : int
        What looked like nuclei and was left out for its width: haze, folds, another scale.
    unmeasured_px : int
        Label pixels whose cell no tile measured.
    core_px : int
        Side of the tiles.
    body_thresholds : dict of str to float
    n_left_out : int
        Values of a given label image that were no object.
    n_without_cell : int
        Given nuclei that lie in no given cell, and were left out.
    views : SeamCounts or None
        How far the tiles of a learned segmenter disagreed.
    squares : Squares
        What image quality is judged by.
    """

    n_cells: int
    n_cut: int
    n_streaks: int
    unmeasured_px: int
    core_px: int
    body_thresholds: dict[str, float]
    squares: Squares
    n_left_out: int = 0
    n_without_cell: int = 0
    views: SeamCounts | None = None


@dataclass(frozen=True)
class _TileJob:
    """Labels and measures one tile; travels with the task."""

    labeller: Labeller
    parts: Path

    def __call__(self, tile: Tile) -> Path:
        done = self.parts / f"{tile.index}.npz"
        if done.exists() and label_runs(self.parts, tile).exists():
            return done
        slide = self.labeller.slide
        pixels = self.labeller.pixels(tile.outer)
        labels = self.labeller.label(pixels)
        owned = labels.owned(tile.outer, tile.core, slide.shape[1])
        meter = SquareMeter(SquareGrid.of(slide), tile.core, slide.channels, self.labeller.nucleus)
        table = measure_tile(
            labels.nuclei,
            labels.cells,
            owned,
            (tile.outer, slide.shape, slide.pixel_size_um),
            meter.along(pixels.channels(), tile.outer),
        )
        table = corrected_means(table, slide.channels, self.labeller.correction)
        table["anchor_px"] = labels.anchor_px[owned]
        table["clump"] = labels.clump[owned]
        inside = tile.core.within(tile.outer)
        images = {"nuclei": labels.nuclei[inside], "cells": labels.cells[inside]}
        write_label_runs(label_runs(self.parts, tile), images)
        names = {
            "label_anchor_px": labels.anchor_px,
            "n_cut": labels.cut[owned].sum(),
            "n_streaks": labels.n_streaks(tile.core, slide.shape[1]),
        }
        write_arrays(done, {**table, **names, **meter.squares.arrays()})
        del pixels, labels, table, names
        give_back_freed()
        return done


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
    parts_folder = folder.parts(core_px, mark)
    if not parts_folder.exists():  # else an interrupted run's, of the same tiles
        folder.remove_parts()
        parts_folder.mkdir(parents=True)
    labeller = Labeller.of(slide, study, survey)
    given, views = _labelled_already(labeller, survey, core_px, parts_folder, options)
    labeller = replace(labeller, given=given)
    slide, tiles = reading_together(slide, labeller.tiles(core_px))
    job = _TileJob(replace(labeller, slide=slide), parts_folder)
    advance = options.watcher.stage(slide.slide_id, "segmentation", len(tiles))
    done = options.workers.map(job, tiles, advance)
    give_back_models()
    parts = [read_arrays(path) for path in done]
    cells = cell_table(parts, slide.slide_id, slide.channels)
    write_parquet(folder.measurements, cells)
    named = [
        TileNames(tile, part["label_anchor_px"], label_runs(parts_folder, tile))
        for tile, part in zip(tiles, parts, strict=True)
    ]
    ranked = cells["anchor_px"].to_numpy(np.uint64)
    unmeasured_px = name_labels(slide, named, ranked, folder, options.workers.n_workers)
    cores = [tile.core for tile in tiles]
    folder.remove_parts()
    return Segmented(
        n_cells=len(cells),
        n_cut=int(sum(part["n_cut"] for part in parts)),
        n_streaks=int(sum(part["n_streaks"] for part in parts)),
        unmeasured_px=unmeasured_px,
        core_px=core_px,
        body_thresholds=labeller.body_thresholds,
        squares=Squares.of_slide(
            SquareGrid.of(slide), len(slide.channels), zip(cores, parts, strict=True)
        ),
        n_left_out=0 if given is None else given.n_left_out,
        n_without_cell=0 if given is None else given.n_without_cell,
        views=views,
    )


def _labelled_already(
    labeller: Labeller, survey: Survey, core_px: int, place: Path, options: RunOptions
) -> tuple[GivenObjects | None, SeamCounts | None]:
    """Objects that are known before the tiles are cut: from a file, or from a learned segmenter.

    With an exact method there are none.
    """
    images, views = open_given(labeller.parameters, labeller.slide), None
    if is_learned(labeller.parameters.method):
        job = ViewJob.of(labeller, survey)
        file, views = label_by_views(job, core_px, place, options)
        images = GivenImages(file)
    if images is None:
        return None, None
    return look_at_labels(images, labeller.slide, core_px, place, options), views
