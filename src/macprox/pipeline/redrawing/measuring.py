"""Measurements of cells that were drawn, with the functions that measure tiles."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from macprox.errors import MacproxError, SlideError
from macprox.image.tiles import Box
from macprox.io.images import reopen_slide
from macprox.io.store import LABEL_NAMES, SlideFolder
from macprox.measure import CONTACT_UM, cell_table, measure_tile
from macprox.pipeline.pixels import TilePixels, corrected_means
from macprox.pipeline.redrawing.drawings import Placed
from macprox.pipeline.survey import Survey, load_survey
from macprox.segment.objects import anchors
from macprox.slide import Slide

PLACE = ["cell_id", "anchor_px", "x_um", "y_um"]


@dataclass
class DrawnCells:
    """Measures drawn cells as tiles measure theirs; the slide is opened when one is asked for.

    Parameters
    ----------
    folder : SlideFolder
        With a finished segmentation.
    source : dict
        The manifest's facts about the slide.
    """

    folder: SlideFolder
    source: dict[str, Any]

    @property
    def shape(self) -> tuple[int, int]:
        height, width = self.source["shape"]
        return height, width

    @property
    def pixel_size_um(self) -> float:
        return float(self.source["pixel_size_um"])

    @cached_property
    def _opened(self) -> tuple[Slide, Survey] | str:
        """The slide with its survey, or why there is none."""
        source = self.source
        try:
            slide = reopen_slide(source, self.folder.slide_id)
            if slide.fingerprint != source["fingerprint"]:
                raise SlideError(f"{source['path']} is not the slide that was analysed")
            return slide, load_survey(self.folder, slide.channels)
        except MacproxError as error:
            return str(error).rstrip(".")

    @property
    def why_not(self) -> str:
        """Why nothing can be measured; empty where it can."""
        return self._opened if isinstance(self._opened, str) else ""

    def measured(self, ids: np.ndarray, placed: Placed, box: Box) -> pd.DataFrame:
        """Rows of the cell table of these cells; without means where no pixel can be read."""
        if not len(ids):
            return pd.DataFrame({name: [] for name in PLACE})
        # Beyond that, a neighbour does not matter to what is measured.
        margin_px = round(CONTACT_UM / self.pixel_size_um) + 1
        around = _box_around(np.isin(placed.labels["cells"], ids), box, margin_px)
        nuclei, cells = (placed.labels[name][around.within(box)] for name in LABEL_NAMES)
        owned = np.zeros(int(cells.max()) + 1, bool)
        owned[ids] = True
        channels: tuple[str, ...] = ()
        frame = around, self.shape, self.pixel_size_um
        if isinstance(self._opened, str):
            table = measure_tile(nuclei, cells, owned, frame, ())
        else:
            slide, survey = self._opened
            pixels, channels = TilePixels(slide, survey.correction, around), slide.channels
            table = measure_tile(nuclei, cells, owned, frame, pixels.channels())
            table = corrected_means(table, channels, survey.correction)
        table["anchor_px"] = _anchors(nuclei, cells, ids, around, self.shape[1])
        table["clump"] = np.zeros(len(ids), bool)
        rows = cell_table([table], self.folder.slide_id, channels)
        rows["cell_id"] = ids[np.argsort(table["anchor_px"])]
        return rows


def _box_around(mask: np.ndarray, box: Box, margin_px: int) -> Box:
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    return Box(
        max(box.y0 + int(rows[0]) - margin_px, box.y0),
        min(box.y0 + int(rows[-1]) + 1 + margin_px, box.y1),
        max(box.x0 + int(columns[0]) - margin_px, box.x0),
        min(box.x0 + int(columns[-1]) + 1 + margin_px, box.x1),
    )


def _anchors(
    nuclei: np.ndarray, cells: np.ndarray, ids: np.ndarray, box: Box, slide_width_px: int
) -> np.ndarray:
    """First pixel of each nucleus on the slide, of the cell where it has none."""
    of_cell = anchors(cells, box, slide_width_px)[ids]
    of_nucleus = anchors(nuclei, box, slide_width_px)
    of_nucleus = np.pad(
        of_nucleus, (0, max(ids.max() + 1 - len(of_nucleus), 0)), constant_values=-1
    )
    return np.where(of_nucleus[ids] >= 0, of_nucleus[ids], of_cell)
