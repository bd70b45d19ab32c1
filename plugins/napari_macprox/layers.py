"""`ReviewLayers`: one slide's layers in a viewer, and how they follow a decision."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from napari_macprox import marks
from napari_macprox.conversion import (
    CELL_OPACITY,
    OVERVIEW,
    cell_layer,
    classes_of,
    colours_of,
    pixel_layers,
)
from napari_macprox.layer_set import LayerSet
from napari_macprox.staging import Later
from napari_macprox.strokes import (
    NO_STROKES,
    OUTLINE_COLOURS,
    outline_layers,
    ring_around,
    stroke_layer,
    strokes,
)

if TYPE_CHECKING:
    import napari
    import pandas as pd
    from napari.layers import Layer
    from qtpy.QtCore import QObject

    from macprox.regions import Regions
    from macprox.review.session import ReviewSession
    from napari_macprox.lazy import ClassView

LIT_COLOUR = "#ffe14d"
BORDER_DETAIL = tuple(OUTLINE_COLOURS)
# What gives away how a cell was called, or where the tumour is: hidden while readers are blinded.
TELLING = ("cells", "lit", "bands", "lines", "queue", *BORDER_DETAIL)


class ReviewLayers:
    """What a review shows of one slide.

    Parameters
    ----------
    viewer : napari.Viewer
    parent : QObject, optional
        With whose end nothing is to come any more.

    Attributes
    ----------
    colours : dict of str to str
        Of each phenotype, as the cells are drawn.
    lacking : str or None
        Why the stain is shown at low resolution only.
    """

    def __init__(self, viewer: napari.Viewer, parent: QObject | None = None) -> None:
        self.viewer = viewer
        self.colours: dict[str, str] = {}
        self.lacking: str | None = None
        self._set = LayerSet(viewer)
        self._stain: list[str] = []
        self._cells: list[ClassView] = []
        self._lit: list[ClassView] = []
        self._pixel_size_um = 1.0
        self._nucleus = ""
        self._focus: str | None = None
        self._regions: Regions | None = None
        self._redrawn = False
        self._later = Later(parent)

    # The slide.

    def show(self, session: ReviewSession) -> None:
        """Instead of what is shown, show this slide.

        At once what is visible of the stain, and the cells; `finish` waits for the rest.
        """
        result, cells = session.result, session.called.cells
        stain, self.lacking = pixel_layers(result)
        data, views = cell_layer(result, cells)
        self.clear()
        self.colours = colours_of(session.study, cells)
        self._pixel_size_um = result.pixel_size_um
        self._nucleus = session.study.image.nucleus
        self._redrawn = bool(session.corrections.redraws)
        self._stain = [layer[1]["name"] for layer in stain]
        self._set.order = [*self._stain, "cells", *BORDER_DETAIL]
        with self._set.at_once():
            for layer in stain:
                if layer[1]["visible"]:
                    self._set.put(layer[1]["name"], layer)
            self._set.put("cells", data)
            self._cells = views
        self._start_with_the_stain()
        self.viewer.canvas.overlays.scale_bar.visible = True
        self.viewer.reset_view()
        hidden = [layer for layer in stain if not layer[1]["visible"]]
        adding = [partial(self._set.put, layer[1]["name"], layer) for layer in hidden]
        self._later.begin([partial(self._show_outlines, session), *adding])

    def finish(self) -> None:
        """Show now what was to be shown later."""
        self._later.finish()

    def clear(self) -> None:
        """Take this review's layers away; those that somebody else added stay."""
        self._later.cancel()
        self._set.clear()
        self._cells, self._lit, self._focus = [], [], None
        self._regions = None

    def recolour(self, session: ReviewSession) -> None:
        """Show cells and regions as they are called now."""
        cells = session.called.cells
        self._redrawn |= bool(session.corrections.redraws)
        if self._redrawn:  # by now, or only later: the labels follow with the recalculation
            self._forget()
            self._read_again("lit", self._lit)
        if self._cells:
            classes = classes_of(cells, self.colours)
            for view in self._cells:
                view.recolour(classes)
            self._read_again("cells", self._cells)
        else:
            data, _ = cell_layer(session.result, cells)
            self._set.put("cells", data)
        self._show_outlines(session)

    # The cells.

    @property
    def cells(self) -> Layer | None:
        """The layer of all cells."""
        return self._set["cells"]

    @property
    def has_labels(self) -> bool:
        """Whether cells have outlines, which those of another tool's table have not."""
        return bool(self._cells)

    def outline_cells(self, outlined: bool) -> None:
        """Draw cells as outlines, or filled."""
        for view in self._cells:
            view.rim_px = 1 if outlined else 0
        self._read_again("cells", self._cells)
        layer = self.cells
        if self._cells and layer is not None:
            layer.opacity = 1.0 if outlined else CELL_OPACITY  # a thin line hides nothing

    def cell_id_at(self, x_um: float, y_um: float) -> int:
        """The cell under a point at full resolution; 0 for none, or for points without labels."""
        if not self._cells or not np.isfinite([x_um, y_um]).all():
            return 0
        row, column = (int(np.floor(at / self._pixel_size_um)) for at in (y_um, x_um))
        return self._cells[0].plane.at(row, column)

    def light(self, is_lit: np.ndarray | None, colour: str = LIT_COLOUR) -> None:
        """Outline some cells over the others.

        Parameters
        ----------
        is_lit : (n_ids + 1,) bool or None
            By cell id; None puts the light out.
        colour : str
        """
        if is_lit is None or not self._cells:
            self._set.remove("lit")
            self._lit = []
        elif self._set["lit"] is None:
            data, self._lit = marks.lit_layer(self._cells, is_lit, colour, self._pixel_size_um)
            self._set.put("lit", data)
        else:
            classes = marks.lit_classes(is_lit)
            for view in self._lit:
                view.recolour(classes)
            self._read_again("lit", self._lit)

    def focus(self, channel: str | None) -> None:
        """Show of the stain the nuclei and one channel, and no filled cells.

        Parameters
        ----------
        channel : str or None
            None, or another slide, makes visible again what was.
        """
        if channel == self._focus:
            return  # what is switched on or off by hand meanwhile, stays so until then
        self._focus = channel
        shown = (self._nucleus, channel)

        def rule(key: str) -> bool | None:
            if key == "cells":
                return False
            return key.removesuffix(OVERVIEW) in shown if key in self._stain else None

        self._set.rule("focus", None if channel is None else rule)

    # What is drawn over them.

    def lines(self, segments_um: np.ndarray | None) -> None:
        """Lines from cells to their nearest tumour cell, ``(n, 2, 2)`` of ``(x_um, y_um)``."""
        self._draw_strokes("lines", segments_um, "nearest tumour cell", marks.LINE_COLOUR)

    def bands(self, regions: Regions | None) -> None:
        """The margins on both sides of the tumour border; None takes them away."""
        data = None if regions is None else marks.band_layer(regions)
        if data is None:
            self._set.remove("bands")
        else:
            self._set.put("bands", data)

    def mark_cell(
        self,
        cell_id: int | None,
        xy_um: tuple[float, float] = (0.0, 0.0),
        towards_um: tuple[float, float] | None = None,
    ) -> None:
        """Outline one cell, perhaps with a line to another place; None takes the mark away."""
        if cell_id is None:
            self._draw_strokes("mark", None, "selected cell", marks.MARK_COLOUR)
            return
        outline = NO_STROKES
        if self._cells:
            ids = self._cells[0].plane
            outline = marks.cell_outline(ids, cell_id, *xy_um, self._pixel_size_um)
        if not len(outline):
            outline = ring_around(*xy_um)
        line = [] if towards_um is None else [np.array([[xy_um, towards_um]], float)]
        self._draw_strokes(
            "mark", np.concatenate([outline, *line]), "selected cell", marks.MARK_COLOUR
        )

    def queue(self, points: pd.DataFrame | None) -> None:
        """Rings around the cells of the review queue; None takes them away."""
        if points is None or not len(points):
            self._set.remove("queue")
        else:
            self._set.put("queue", marks.queue_layer(points))

    def blind(self, blinded: bool) -> None:
        """Hide what tells how cells were called, and show again what was shown before."""

        def rule(key: str) -> bool | None:
            return False if key in TELLING else None

        self._set.rule("blind", rule if blinded else None)

    # Keeping house.

    def _start_with_the_stain(self) -> None:
        """Its contrast is what the eye asks for first."""
        there = [layer for key in self._stain if (layer := self._set[key]) is not None]
        first = next((layer for layer in there if layer.visible), self.cells)
        self.viewer.layers.selection.active = first

    def _show_outlines(self, session: ReviewSession) -> None:
        """Only when a region is another one."""
        regions = session.called.regions
        if self._regions is not None and _same_areas(regions, self._regions):
            return
        self._regions = regions
        with self._set.at_once():
            for key in BORDER_DETAIL:
                self._set.remove(key)
            for data in outline_layers(regions):
                self._set.put(data[1]["name"], data)

    def _forget(self) -> None:
        for view in self._cells:
            view.plane.forget()

    def _draw_strokes(
        self, key: str, segments_um: np.ndarray | None, name: str, colour: str
    ) -> None:
        layer: Any = self._set[key]
        if segments_um is None or not len(segments_um):
            self._set.remove(key)
        elif layer is not None:
            layer.data = strokes(segments_um)
        else:
            self._set.put(key, stroke_layer(segments_um, name, colour))

    def _read_again(self, key: str, views: list[ClassView]) -> None:
        """Draw what the views say now; nothing else of the layer or the window is another."""
        for view in views:
            view.fill_again()
        layer = self._set[key]
        if layer is not None:
            with self.viewer.layers.events.blocker_all():  # the list would paint itself anew
                layer.refresh(extent=False, thumbnail=False, highlight=False)


def _same_areas(regions: Regions, other: Regions) -> bool:
    names = ("tissue_window", "exclusions", "tumour")
    return all(shapely.equals_exact(getattr(regions, name), getattr(other, name)) for name in names)
