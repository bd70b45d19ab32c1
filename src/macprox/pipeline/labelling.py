"""Nuclei and cells of one tile, by whichever method the study names."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from macprox.errors import SlideError
from macprox.image.correction import Correction
from macprox.image.stain import StainStatistics
from macprox.image.tiles import Box, Tile, tile_grid
from macprox.io.arrays import read_arrays, write_arrays
from macprox.io.fingerprint import content_fingerprint
from macprox.io.label_file import LabelFile, find_label_file, open_label_file
from macprox.pipeline.options import RunOptions
from macprox.pipeline.pixels import TilePixels
from macprox.pipeline.survey import Survey
from macprox.segment.bodies import body_threshold, marker_levels
from macprox.segment.given import LabelledObjects
from macprox.segment.methods import GIVEN
from macprox.segment.parameters import SegmentationParameters
from macprox.segment.whole import (
    TileLabels,
    cells_around,
    given_cells,
    given_halo_um,
    halo_um,
    segment_tile,
)
from macprox.slide import Slide
from macprox.study import Study


@dataclass(frozen=True)
class GivenObjects:
    """Nuclei or cells that are labelled already.

    Parameters
    ----------
    file : LabelFile
    table : Path
        Its objects, as `look_at_labels` left them.
    extent_um : float
        Of the largest.
    n_left_out : int
        Values too far apart to be one object.
    """

    file: LabelFile
    table: Path
    extent_um: float
    n_left_out: int

    def labels(self, outer: Box) -> np.ndarray:
        """``(y, x)`` int32 of a box, numbered in raster order of first pixels on the slide."""
        objects = LabelledObjects(**read_arrays(self.table))
        return objects.name_in(self.file.read(*outer.slices))


def open_given(parameters: SegmentationParameters, slide: Slide) -> LabelFile | None:
    """The label image that the study gives for a slide; None with any other method.

    Raises
    ------
    SlideError
        If there is none, or its shape is not the slide's.
    """
    if parameters.method != GIVEN or parameters.labels is None:
        return None
    path = find_label_file(parameters.labels, slide.slide_id)
    file = open_label_file(path, parameters.labels_are)
    if file.shape != slide.shape:
        raise SlideError(
            f"The label image {str(file.path)!r} has {_size(file.shape)}, slide "
            f"{slide.slide_id!r} has {_size(slide.shape)}; expected the same. Give labels of the "
            "slide's full resolution."
        )
    return file


def segmentation_files(parameters: SegmentationParameters, slide: Slide) -> dict[str, str]:
    """Fingerprints of the files besides the slide that its labels come from.

    Raises
    ------
    SlideError
        As `open_given`, before a pixel is read.
    """
    files = {}
    labels = open_given(parameters, slide)
    if labels is not None:
        files["labels"] = labels.fingerprint
    if parameters.model is not None:
        model = Path(parameters.model)
        parts = sorted(model.rglob("*")) if model.is_dir() else [model]
        files["model"] = content_fingerprint(tuple(part for part in parts if part.is_file()))
    return files


def _size(shape: tuple[int, int]) -> str:
    return f"{shape[1]} x {shape[0]} px"


def look_at_labels(
    file: LabelFile, slide: Slide, core_px: int, place: Path, options: RunOptions
) -> GivenObjects:
    """See a label image once, and leave a table of its objects in a folder.

    Raises
    ------
    SlideError
        If nothing in it could be a nucleus or a cell.
    """
    blocks = tile_grid(slide.shape, core_px, 0)
    parts = options.workers.map(_LookAt(file), blocks)
    objects = LabelledObjects.joined(parts)
    kept = objects.small_enough(slide.pixel_size_um)
    table = place / "objects.npz"
    write_arrays(table, {"value": kept.value, "first_px": kept.first_px, "span": kept.span})
    extent_um = float(kept.extent_px.max(initial=0)) * slide.pixel_size_um
    return GivenObjects(file, table, extent_um, len(objects) - len(kept))


@dataclass(frozen=True)
class _LookAt:
    """The objects in one block."""

    file: LabelFile

    def __call__(self, block: Tile) -> LabelledObjects:
        pixels = self.file.read(*block.core.slices)
        return LabelledObjects.in_region(pixels, block.core, self.file.shape[1])


@dataclass(frozen=True)
class Labeller:
    """Everything a worker needs to label a tile; travels with the task.

    Parameters
    ----------
    slide : Slide
    nucleus : str
        Channel.
    correction : Correction
    nuclear : StainStatistics
        Of the corrected nuclear channel.
    parameters : SegmentationParameters
    body_thresholds : dict of str to float
    given : GivenObjects or None
    """

    slide: Slide
    nucleus: str
    correction: Correction
    nuclear: StainStatistics
    parameters: SegmentationParameters
    body_thresholds: dict[str, float]
    given: GivenObjects | None = None

    @classmethod
    def of(cls, slide: Slide, study: Study, survey: Survey) -> Labeller:
        """With what the survey found of the slide."""
        return cls(
            slide=slide,
            nucleus=study.image.nucleus,
            correction=survey.correction,
            nuclear=_nuclear_stain(survey, study.image.nucleus),
            parameters=study.segmentation,
            body_thresholds=body_thresholds(study.segmentation, survey),
        )

    def tiles(self, core_px: int) -> list[Tile]:
        """The slide's tiles, with the halo that this method needs."""
        size_um = self.slide.pixel_size_um
        if self.given is None:
            halo = halo_um(self.parameters, size_um)
        else:
            halo = given_halo_um(self.given.extent_um, self.parameters)
        return tile_grid(self.slide.shape, core_px, int(np.ceil(halo / size_um)))

    def pixels(self, outer: Box) -> TilePixels:
        return TilePixels(self.slide, self.correction, outer)

    def label(self, pixels: TilePixels) -> TileLabels:
        """Label one box of the slide."""
        slide = self.slide.shape, self.slide.pixel_size_um
        bodies = self._body_marker(pixels)
        if self.given is None:
            stain = pixels.channel(self.nucleus)
            return segment_tile(stain, bodies, pixels.box, slide, self.nuclear, self.parameters)
        labels = self.given.labels(pixels.box)
        if self.parameters.labels_are == "nuclei":
            return cells_around(labels, bodies, pixels.box, slide, self.parameters)
        stain = pixels.channel(self.nucleus)
        return given_cells(labels, stain, pixels.box, slide, self.nuclear, self.parameters)

    def _body_marker(self, pixels: TilePixels) -> np.ndarray | None:
        marker = None
        for name, threshold in self.body_thresholds.items():
            levels = marker_levels(pixels.channel(name), threshold, self.slide.pixel_size_um)
            marker = levels if marker is None else np.maximum(marker, levels)
        return marker


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
