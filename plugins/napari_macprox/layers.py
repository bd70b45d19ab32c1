"""`ReviewLayers`: one slide's layers in a viewer, and how they follow a decision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from napari.layers import Layer

from napari_macprox import marks
from napari_macprox.conversion import (
    CELL_OPACITY,
    LayerData,
    cell_layer,
    classes_of,
    colours_of,
    outline_layers,
    pixel_layers,
)

if TYPE_CHECKING:
    import napari
    import pandas as pd
    from napari.layers import Labels

    from macprox.regions import Regions
    from macprox.review.session import ReviewSession
    from napari_macprox.lazy import ClassView

LIT_COLOUR = "#ffe14d"
BORDER_DETAIL = ("tissue", "exclusions", "tumour border")
# What gives away how a cell was called, or where the tumour is: hidden while readers are blinded.
TELLING = ("cells", "lit", "bands", "lines", "queue", *BORDER_DETAIL)


class ReviewLayers:
    """What a review shows of one slide.

    Parameters
    ----------
    viewer : napari.Viewer

    Attributes
    ----------
    colours : dict of str to str
        Of each phenotype, as the cells are drawn.
    lacking : str or None
        Why the stain is shown at low resolution only.
    """

    def __init__(self, viewer: napari.Viewer) -> None:
        self.viewer = viewer
        self.colours: dict[str, str] = {}
        self.lacking: str | None = None
        self._layers: dict[str, Layer] = {}
        self._cells: list[ClassView] = []
        self._lit: list[ClassView] = []
        self._pixel_size_um = 1.0
        self._regions: Regions | None = None
        self._redrawn = False
        self._is_opening = False
        self._hidden: dict[Layer, bool] = {}

    # The slide.

    def show(self, session: ReviewSession) -> None:
        """Instead of what is shown, show this slide."""
        self.clear()
        self._is_opening = True  # every change of the selected layer makes napari swap its controls
        result, cells = session.result, session.called.cells
        self.colours = colours_of(session.study, cells)
        self._pixel_size_um = result.pixel_size_um
        self._redrawn = bool(session.corrections.redraws)
        stain, self.lacking = pixel_layers(result)
        for layer in stain:
            self._put(layer[1]["name"], layer)
        data, self._cells = cell_layer(result, cells)
        self._put("cells", data)
        self._show_outlines(session)
        self._is_opening = False
        self.viewer.layers.selection.active = self._layers["cells"]
        self.viewer.canvas.overlays.scale_bar.visible = True
        self.viewer.reset_view()

    def clear(self) -> None:
        """Take this review's layers away; those that somebody else added stay."""
        for key in [*self._layers]:
            self._remove(key)
        self._cells, self._lit, self._hidden = [], [], {}
        self._regions = None

    def recolour(self, session: ReviewSession) -> None:
        """Show cells and regions as they are called now."""
        cells = session.called.cells
        self._redrawn |= bool(session.corrections.redraws)
        if self._redrawn:  # by now, or only later: the labels follow with the recalculation
            self._forget()
            self._read_again("lit")
        if self._cells:
            classes = classes_of(cells, self.colours)
            for view in self._cells:
                view.recolour(classes)
            self._read_again("cells")
        else:
            data, _ = cell_layer(session.result, cells)
            self._put("cells", data)
        self._show_outlines(session)

    # The cells.

    @property
    def cells(self) -> Layer | None:
        """The layer of all cells."""
        return self._there("cells")

    @property
    def has_labels(self) -> bool:
        """Whether cells have outlines, which those of another tool's table have not."""
        return bool(self._cells)

    def outline_cells(self, outlined: bool) -> None:
        """Draw cells as outlines, or filled."""
        for view in self._cells:
            view.outlined = outlined
        self._read_again("cells")
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
        """Light some cells up over the others.

        Parameters
        ----------
        is_lit : (n_ids + 1,) bool or None
            By cell id; None puts the light out.
        colour : str
        """
        if is_lit is None or not self._cells:
            self._remove("lit")
            self._lit = []
        elif self._there("lit") is None:
            data, self._lit = marks.lit_layer(self._cells, is_lit, colour, self._pixel_size_um)
            self._put("lit", data)
        else:
            classes = marks.lit_classes(is_lit)
            for view in self._lit:
                view.recolour(classes)
            self._read_again("lit")

    # What is drawn over them.

    def lines(self, segments_um: np.ndarray | None) -> None:
        """Lines from cells to their nearest tumour cell, ``(n, 2, 2)`` of ``(x_um, y_um)``."""
        self._draw_strokes("lines", segments_um, "nearest tumour cell", marks.LINE_COLOUR)

    def bands(self, regions: Regions | None) -> None:
        """The margins on both sides of the tumour border; None takes them away."""
        data = None if regions is None else marks.band_layer(regions)
        if data is None:
            self._remove("bands")
        else:
            self._put("bands", data)

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
        outline = marks.NO_STROKES
        if self._cells:
            ids = self._cells[0].plane.labels
            outline = marks.cell_outline(ids, cell_id, *xy_um, self._pixel_size_um)
        if not len(outline):
            outline = marks.ring_around(*xy_um)
        line = [] if towards_um is None else [np.array([[xy_um, towards_um]], float)]
        self._draw_strokes(
            "mark", np.concatenate([outline, *line]), "selected cell", marks.MARK_COLOUR
        )

    def queue(self, points: pd.DataFrame | None) -> None:
        """Rings around the cells of the review queue; None takes them away."""
        if points is None or not len(points):
            self._remove("queue")
        else:
            self._put("queue", marks.queue_layer(points))

    def blind(self, blinded: bool) -> None:
        """Hide what tells how cells were called, and show again what was shown before."""
        if blinded and not self._hidden:
            telling = [layer for key in TELLING if (layer := self._there(key)) is not None]
            self._hidden = {layer: layer.visible for layer in telling}
            for layer in telling:
                layer.visible = False
        elif not blinded:
            for layer, visible in self._hidden.items():
                layer.visible = visible
            self._hidden = {}

    # Keeping house.

    def _show_outlines(self, session: ReviewSession) -> None:
        """Shapes are slow to make: only when a region is another one."""
        regions = session.called.regions
        if self._regions is not None and _same_areas(regions, self._regions):
            return
        self._regions = regions
        for key in BORDER_DETAIL:
            self._remove(key)
        for data in outline_layers(session.result, regions):
            self._put(data[1]["name"], data)

    def _forget(self) -> None:
        for view in self._cells:
            view.plane.forget()

    def _draw_strokes(
        self, key: str, segments_um: np.ndarray | None, name: str, colour: str
    ) -> None:
        layer: Any = self._there(key)
        if segments_um is None or not len(segments_um):
            self._remove(key)
        elif layer is not None:
            layer.data = marks.strokes(segments_um)
        else:
            self._put(key, marks.stroke_layer(segments_um, name, colour))

    def _put(self, key: str, data: LayerData) -> Layer:
        """Add a layer, in the place of the one before; what was selected stays selected."""
        self._remove(key)
        active = None if self._is_opening else self.viewer.layers.selection.active
        layer = self.viewer.add_layer(Layer.create(*data))
        if self._hidden and key in TELLING:
            self._hidden[layer] = layer.visible
            layer.visible = False
        self._layers[key] = layer
        if active is not None and active in self.viewer.layers:
            self.viewer.layers.selection.active = active
        return layer

    def _there(self, key: str) -> Layer | None:
        """The layer, unless somebody removed it by hand."""
        layer = self._layers.get(key)
        return layer if layer is not None and layer in self.viewer.layers else None

    def _remove(self, key: str) -> None:
        layer = self._there(key)
        if layer is not None:
            self.viewer.layers.remove(layer)
        gone = self._layers.pop(key, None)
        if gone is not None:
            self._hidden.pop(gone, None)

    def _read_again(self, key: str) -> None:
        """`Layer.refresh` draws what it has; only new data is read."""
        layer: Labels | None = self._there(key)
        if layer is not None:
            layer.data = layer.data


def _same_areas(regions: Regions, other: Regions) -> bool:
    names = ("tissue_window", "exclusions", "tumour")
    return all(
        shapely.equals_identical(getattr(regions, name), getattr(other, name)) for name in names
    )
