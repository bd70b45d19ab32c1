"""Outlines edited on a crop of the labels, and written back as one decision."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import shapely
from napari.layers import Labels
from qtpy.QtWidgets import QGridLayout, QPushButton, QVBoxLayout, QWidget

from macprox.errors import MacproxError
from macprox.review.outlines import shapes
from macprox.review.outlines.crop import Crop, CropEdit, crop_edit, cut_crop
from macprox.review.session import ReviewSession
from napari_macprox.crop_layers import CropLabels, most_under
from napari_macprox.drawing import DrawingTool
from napari_macprox.panels.furniture import button, heading, row, sentence
from napari_macprox.review import Review

BRUSH_PX = 8
ROOM = 1.15  # what the canvas shows of a crop: all of it and a little more
EXPLAINED = (
    "Opens a piece of the image, about 0.5 mm wide, whose outlines you can change. Nothing is "
    "saved before you say so."
)
TOOLS = (
    ("Split", "Drag a line across a cell: it becomes two", "split"),
    ("Merge", "Click two cells: they become one", "merge"),
    ("Add", "Draw around a cell that was missed", "add"),
    ("Draw anew", "Click a cell, then draw its outline", "redraw"),
    ("Remove", "Click what is no cell", "remove"),
    ("Brush", "Paint a new cell; napari's own tools are at the upper left", "brush"),
)


class OutlineEditor(QWidget):
    """The part of the cells panel that edits outlines.

    Parameters
    ----------
    review : Review
    """

    def __init__(self, review: Review) -> None:
        super().__init__()
        self._review = review
        self._tool = DrawingTool(review.viewer, self)
        self._crop: Crop | None = None
        self._session: ReviewSession | None = None
        self._labels: CropLabels | None = None
        self._cells_were_visible = True
        self._clicks: Callable[[int], object] | None = None
        self._tool.gave_up.connect(self._pan)
        self._build()
        review.opened.connect(self.discard)
        review.viewer.layers.events.removed.connect(self._layer_removed)

    def _build(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(heading("Outlines"))
        self._begin = button("Edit outlines here", EXPLAINED, self.begin)
        self._hint = sentence()
        self._tools = QWidget()
        grid = QGridLayout(self._tools)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(4)
        self._buttons: dict[str, QPushButton] = {}
        for number, (text, tip, name) in enumerate(TOOLS):
            self._buttons[name] = button(text, tip, getattr(self, name))
            grid.addWidget(self._buttons[name], number // 3, number % 3)
        self._save = button("Save outlines", "Write them into the slide's labels", self.save)
        self._drop = button("Discard", "Leave everything as it was", self.discard)
        ends = QWidget()
        ends.setLayout(row(self._save, self._drop))
        grid.addWidget(ends, 2, 0, 1, 3)
        for widget in (self._begin, self._hint, self._tools):
            layout.addWidget(widget)
        self._show()

    @property
    def is_editing(self) -> bool:
        labels = self._labels
        return labels is not None and labels.layer in self._review.viewer.layers

    @property
    def layer(self) -> Labels | None:
        """The labels that are drawn on."""
        return self._labels.layer if self._labels is not None and self.is_editing else None

    # Beginning and ending.

    def begin(self) -> None:
        """Cut a crop around the middle of the view."""
        session, viewer = self._review.session, self._review.viewer
        if session is None or self.is_editing:
            return
        y_um, x_um = (float(at) for at in viewer.scene.camera.center[-2:])
        try:
            if session.read_only:
                raise MacproxError(session.read_only)
            crop = cut_crop(session.result, (x_um, y_um))
        except MacproxError as error:
            self._review.said.emit(str(error), "warning")
            return
        self._session, self._crop = session, crop
        self._labels = CropLabels(crop)
        viewer.add_layer(self._labels.layer)
        self._labels.layer.mouse_drag_callbacks.append(self._clicked)
        cells = self._review.layers.cells
        if cells is not None:
            self._cells_were_visible, cells.visible = cells.visible, False
        self._review.select(None)
        self._review.layers.queue(None)
        self._look_at(crop)
        self._show("Choose what to do. Ctrl+Z in the image takes back the last change.")

    def save(self) -> None:
        """Write what was drawn as one decision."""
        if self._crop is None or self._labels is None:
            return
        self._save.setEnabled(False)
        session = self._session
        self._review.in_background(
            crop_edit, self._crop, self._labels.cells.copy(),
            done=lambda edit: self._saved(edit, session),
            failed=self._show, text="Looking at the new outlines…",
        )  # fmt: skip

    def discard(self) -> None:
        """Take the crop away; nothing has changed."""
        self._tool.stop()
        labels, self._labels, self._crop, self._clicks = self._labels, None, None, None
        if labels is not None and labels.layer in self._review.viewer.layers:
            self._review.viewer.layers.remove(labels.layer)
        cells = self._review.layers.cells
        if labels is not None and cells is not None:
            cells.visible = self._cells_were_visible
            self._review.viewer.layers.selection.active = cells
        self._show()

    def _saved(self, edit: CropEdit, session: ReviewSession | None) -> None:
        if session is not self._review.session:  # another slide was opened meanwhile
            return
        for remark in edit.remarks:
            self._review.said.emit(remark, "info")
        if not edit:
            self._review.said.emit("No outline was changed.", "info")
        elif not self._review.do(lambda now: now.redraw(edit)):
            self._show()
            return
        self.discard()

    # Tools. Each waits for what its name says, then changes the labels.

    def split(self) -> None:
        self._pan()
        self._tool.draw_line("cut the cell here", self._split_along)
        self._say("split", "Drag a line across the cell, from side to side.")

    def merge(self) -> None:
        first: list[int] = []

        def clicked(cell_id: int) -> None:
            first.append(cell_id)
            if len(first) == 2:
                chosen = first.copy()
                first.clear()
                self._change(lambda cells: shapes.merge(cells, chosen))
                self._say("merge", "Click the next two cells.")
            else:
                self._say("merge", "Now click the other cell.")

        self._wait_for_click("merge", "Click the first of two cells.", clicked)

    def add(self) -> None:
        self._pan()
        self._tool.draw("around the new cell", self._add_area)
        self._say("add", "Hold the mouse button and draw around the cell that was missed.")

    def redraw(self) -> None:
        def clicked(cell_id: int) -> None:
            self._tool.draw("the cell's outline", lambda area: self._redraw_area(cell_id, area))
            self._say("redraw", "Now hold the mouse button and draw the cell's outline.")

        self._wait_for_click("redraw", "Click the cell to be drawn anew.", clicked)

    def remove(self) -> None:
        self._wait_for_click(
            "remove",
            "Click what is no cell.",
            lambda cell_id: self._change(lambda cells: shapes.remove(cells, [cell_id])),
        )

    def brush(self) -> None:
        if self._labels is not None:
            self._pan()
            layer = self._labels.layer
            layer.selected_label = int(np.max(self._labels.cells)) + 1
            layer.brush_size = BRUSH_PX
            layer.mode = "paint"
            self._say("brush", "Paint the new cell. Brush size: [ and ].")

    def _split_along(self, ends_um: np.ndarray) -> None:
        if self._labels is None:
            return
        line_px = self._labels.to_px(ends_um)
        self._change(lambda cells: shapes.split(cells, most_under(cells, line_px), line_px))
        if self.is_editing:
            self.split()

    def _add_area(self, area_um: shapely.Polygon) -> None:
        if self._labels is not None:
            area = self._labels.pixels_in(area_um)
            self._change(lambda cells: shapes.add(cells, area))
            self._pan()

    def _redraw_area(self, cell_id: int, area_um: shapely.Polygon) -> None:
        if self._labels is not None:
            area = self._labels.pixels_in(area_um)
            self._change(lambda cells: shapes.redraw(cells, cell_id, area))
            self._pan()

    def _change(self, change: Callable[[np.ndarray], np.ndarray]) -> None:
        if self._labels is None:
            return
        try:
            self._labels.change(change)
        except MacproxError as error:
            self._review.said.emit(str(error), "info")

    # Clicks and the view.

    def _clicked(self, layer: Labels, event: Any) -> Iterator[None]:
        if self._clicks is None or layer.mode != "pan_zoom":
            return
        start = np.array(event.pos)
        yield
        while event.type == "mouse_move":
            yield
        if self._clicks is not None and np.abs(np.array(event.pos) - start).max() <= 4:
            self.click(*event.position[-2:])

    def click(self, y_um: float, x_um: float) -> None:
        """What a click on the crop means for the tool in hand."""
        if self._labels is None or self._clicks is None:
            return
        cell_id = self._labels.id_at(y_um, x_um)
        if cell_id:
            self._clicks(cell_id)

    def _look_at(self, crop: Crop) -> None:
        """Come nearer until the crop fills the canvas; who is nearer already stays."""
        box, size_um = crop.box, crop.pixel_size_um
        width_um = box.shape[1] * size_um * ROOM
        viewer = self._review.viewer
        if viewer.canvas.size[1] / viewer.scene.camera.zoom > width_um:
            x_um, y_um = (box.x0 + box.x1) / 2 * size_um, (box.y0 + box.y1) / 2 * size_um
            self._review.go_to(x_um, y_um, width_um)

    # What is shown.

    def _wait_for_click(self, name: str, text: str, clicked: Callable[[int], object]) -> None:
        self._pan()
        self._clicks = clicked
        self._say(name, text)

    def _pan(self) -> None:
        self._tool.stop()
        self._clicks = None
        if self._labels is not None:
            self._labels.layer.mode = "pan_zoom"
            self._review.viewer.layers.selection.active = self._labels.layer
        self._say("", "")

    def _say(self, name: str, text: str) -> None:
        self._hint.setText(text)
        for key, made in self._buttons.items():
            made.setCheckable(True)
            made.setChecked(key == name)

    def _show(self, hint: str = "") -> None:
        self._begin.setVisible(not self.is_editing)
        self._tools.setVisible(self.is_editing)
        self._save.setEnabled(True)
        self._say("", hint)

    def _layer_removed(self, event: Any) -> None:
        if self._labels is not None and event.value is self._labels.layer:
            self.discard()
