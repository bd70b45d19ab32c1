"""Areas drawn by hand: a temporary shapes layer that gives polygons and goes away."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from napari.layers import Shapes
from qtpy.QtCore import QObject, QTimer, Signal

from napari_macprox.keys import OWN_KEYS
from napari_macprox.marks import corners_of, polygon_of

if TYPE_CHECKING:
    import napari

DRAWN_COLOUR = "#ffe14d"
HOLE_COLOUR = "#ff5a36"
FREEHAND, CORNERS, MOVE_CORNERS, LINE = "add_polygon_lasso", "add_polygon", "direct", "add_line"
LINE_FRAC = 1 / 300  # of what is in view: as thick on the screen at every zoom


class DrawingTool(QObject):
    """One drawing at a time.

    Parameters
    ----------
    viewer : napari.Viewer
    parent : QObject
    """

    gave_up = Signal()  # Esc: nothing was drawn

    def __init__(self, viewer: napari.Viewer, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._layer: Shapes | None = None
        self._done: Callable[[shapely.Polygon], object] | None = None
        self._active_before: Any = None

    @property
    def is_drawing(self) -> bool:
        return self._layer is not None and self._layer in self._viewer.layers

    def draw(
        self, name: str, done: Callable[[shapely.Polygon], object], mode: str = FREEHAND
    ) -> None:
        """Let one area be drawn; ``done`` gets it in micrometres, ``(x_um, y_um)``."""
        self._open(name, [], mode)
        self._done = done

    def draw_line(self, name: str, done: Callable[[np.ndarray], object]) -> None:
        """Let a line be dragged; ``done`` gets its ends, ``(2, 2)`` of ``(y_um, x_um)``."""
        self._open(name, [], LINE)
        assert self._layer is not None
        self._layer.mouse_drag_callbacks.append(lambda _, event: self._dragged(event, done))

    def edit(
        self, name: str, outer: Sequence[shapely.Polygon], holes: Sequence[shapely.Polygon] = ()
    ) -> None:
        """Let corners be moved, areas be added and removed, until `polygons` is asked for."""
        self._open(name, [*outer, *holes], MOVE_CORNERS)
        assert self._layer is not None
        if outer:
            is_hole = [False] * len(outer) + [True] * len(holes)
            self._layer.features = {"hole": is_hole}
            self._layer.edge_color = [HOLE_COLOUR if hole else DRAWN_COLOUR for hole in is_hole]
        self._layer.feature_defaults = {"hole": False}
        self._layer.current_edge_color = DRAWN_COLOUR

    def polygons(self) -> tuple[list[shapely.Polygon], list[shapely.Polygon]]:
        """The areas as they are now, and the holes in them."""
        if self._layer is None or not self.is_drawing:
            return [], []
        areas = [polygon_of(corners) for corners in self._layer.data]
        is_hole = np.asarray(self._layer.features["hole"], bool)
        outer = [area for area, hole in zip(areas, is_hole, strict=True) if not hole]
        return outer, [area for area, hole in zip(areas, is_hole, strict=True) if hole]

    def stop(self) -> None:
        """Take the drawing away."""
        layer, self._layer, self._done = self._layer, None, None
        if layer is not None and layer in self._viewer.layers:
            self._viewer.layers.remove(layer)
        if self._active_before is not None and self._active_before in self._viewer.layers:
            self._viewer.layers.selection.active = self._active_before

    def _open(self, name: str, polygons: Sequence[shapely.Polygon], mode: str) -> None:
        self.stop()
        self._active_before = self._viewer.layers.selection.active
        height_um = self._viewer.canvas.size[0] / self._viewer.scene.camera.zoom
        layer = Shapes(
            corners_of(polygons) or None,
            ndim=2,
            name=name,
            shape_type="polygon",
            edge_color=DRAWN_COLOUR,
            edge_width=height_um * LINE_FRAC,
            face_color="#ffe14d22",
            units=("um", "um"),
            metadata={OWN_KEYS: True},
        )
        self._layer = self._viewer.add_layer(layer)
        self._viewer.layers.selection.active = layer
        layer.mode = mode
        layer.events.data.connect(self._drawn)
        layer.bind_key("Escape", lambda _: self._give_up(), overwrite=True)

    def _give_up(self) -> None:
        QTimer.singleShot(0, self, self.stop)  # napari is still busy with the key
        QTimer.singleShot(0, self, self.gave_up.emit)

    def _drawn(self, event: Any) -> None:
        """A drawing has ended; napari is in the middle of telling so, hence a moment later."""
        if self._done is None or self._layer is None or event.action != "added":
            return
        shapes = [
            corners
            for corners, kind in zip(self._layer.data, self._layer.shape_type, strict=True)
            if kind == "polygon" and len(np.unique(corners, axis=0)) > 2
        ]
        if shapes:
            done, polygon = self._done, polygon_of(shapes[-1])
            self._done = None
            QTimer.singleShot(0, self, lambda: self._finish(done, polygon))

    def _dragged(self, event: Any, done: Callable[[np.ndarray], object]) -> Iterator[None]:
        yield
        while event.type == "mouse_move":
            yield
        if self._layer is not None and len(self._layer.data):
            ends = np.asarray(self._layer.data[-1], float)[:, -2:]
            QTimer.singleShot(0, self, lambda: self._finish(done, ends))

    def _finish(self, done: Callable[[Any], object], drawn: Any) -> None:
        self.stop()
        done(drawn)
