"""Nuclei and cells of one tile, by whichever method the study names."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from macprox.image.correction import Correction
from macprox.image.stain import StainStatistics
from macprox.image.tiles import Box, Tile, tile_grid
from macprox.pipeline.label_images import GivenObjects
from macprox.pipeline.pixels import TilePixels
from macprox.pipeline.survey import Survey
from macprox.segment.bodies import body_threshold, marker_levels
from macprox.segment.parameters import SegmentationParameters
from macprox.segment.whole import (
    TileLabels,
    cells_around,
    given_cells,
    given_halo_um,
    halo_um,
    named_by_anchors,
    segment_tile,
)
from macprox.slide import Slide
from macprox.study import Study


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
        labels, nuclei = self.given.labels(pixels.box)
        if nuclei is not None:
            return named_by_anchors(nuclei, labels, pixels.box, slide[0])
        if not self.parameters.cells_are_given:
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
