"""Where the tumour is, and what is left out: drawn, edited, taken back."""

from __future__ import annotations

import shapely
from qtpy.QtGui import QHideEvent
from qtpy.QtWidgets import QComboBox, QLineEdit, QVBoxLayout, QWidget

from macprox.review.regions.drawn import (
    EXCLUSION_REASONS,
    DrawnRegion,
    drawn_regions,
    editable,
    tumour_text,
    usable_area,
)
from macprox.review.session import ReviewSession
from napari_macprox.drawing import CORNERS, FREEHAND, DrawingTool
from napari_macprox.panels.furniture import button, column, heading, row, sentence
from napari_macprox.panels.region_list import RegionList
from napari_macprox.review import Review

OTHER_REASON = EXCLUSION_REASONS[-1]
ROOM = 1.3  # what the canvas shows of a region: all of it and a little around
FREELY, BY_CORNERS = "freehand", "corner by corner"
HOW = {
    FREELY: "Hold the mouse button and draw around the {}. Esc gives up.",
    BY_CORNERS: "Click the corners of the {}; double-click the last one. Esc gives up.",
}


class RegionsPanel(QWidget):
    """The drawings of the open slide."""

    def __init__(self, review: Review) -> None:
        super().__init__()
        self._review = review
        self._tool = DrawingTool(review.viewer, self)
        self._edited: DrawnRegion | None = None
        self._edits_all = False  # of the tumour, however many areas were drawn
        self._tool.gave_up.connect(self.give_up)
        self._build()
        review.opened.connect(self._show_slide)
        review.log_changed.connect(self._show)
        review.cells_changed.connect(self._show)
        self._show()

    def _build(self) -> None:
        layout = column(self)
        self._build_tumour(layout)
        self._build_exclusions(layout)
        self._how = QComboBox()
        self._how.addItems(list(HOW))
        self._how.setToolTip("With the button held down, or by clicking corners")
        layout.addLayout(row(sentence("Draw"), self._how))
        self._hint = sentence()
        layout.addWidget(self._hint)
        self._keep = button("Keep changes", "Save the areas as they are now", self.keep)
        self._give_up = button("Give up", "Leave everything as it was  (Esc)", self.give_up)
        layout.addLayout(row(self._keep, self._give_up))
        layout.addWidget(heading("Drawn on this slide"))
        self._list = RegionList()
        self._list.itemClicked.connect(lambda *_: self._zoom_to_selected())
        self._list.itemSelectionChanged.connect(self._enable)
        layout.addWidget(self._list)
        self._edit = button("Edit", "Move the corners of this area", self.edit_selected)
        self._remove = button("Remove", "Take this area back", self.remove_selected)
        layout.addLayout(row(self._edit, self._remove))
        layout.addStretch(1)

    def _build_tumour(self, layout: QVBoxLayout) -> None:
        self._tumour = sentence()
        layout.addWidget(heading("Tumour"))
        layout.addWidget(self._tumour)
        self._draw_tumour = button(
            "Draw tumour",
            "What you draw is the tumour; several areas together are. It takes the place of the "
            "automatic one.",
            self.draw_tumour,
        )
        self._edit_tumour = button(
            "Edit tumour",
            "Start from the present border and move its corners",
            self.edit_tumour,
        )
        layout.addLayout(row(self._draw_tumour, self._edit_tumour))
        self._automatic = button(
            "Use automatic tumour again",
            "Take back every tumour area that was drawn on this slide",
            self.use_automatic,
        )
        layout.addWidget(self._automatic)

    def _build_exclusions(self, layout: QVBoxLayout) -> None:
        layout.addWidget(heading("Leave out"))
        layout.addWidget(sentence("Cells in these areas are in no number. Why is it left out?"))
        self._reason, self._words = QComboBox(), QLineEdit()
        self._reason.addItems(list(EXCLUSION_REASONS))
        self._words.setPlaceholderText("in your own words")
        self._words.setVisible(False)
        self._reason.currentTextChanged.connect(
            lambda reason: self._words.setVisible(reason == OTHER_REASON)
        )
        self._draw_exclusion = button(
            "Draw area to leave out", "Draw around a fold, necrosis, …", self.draw_exclusion
        )
        layout.addLayout(row(self._reason, self._draw_exclusion))
        layout.addWidget(self._words)

    def hideEvent(self, event: QHideEvent) -> None:
        self.give_up()
        super().hideEvent(event)

    # Drawing.

    def draw_tumour(self) -> None:
        """Let one more area of tumour be drawn."""
        self._draw("tumour", lambda area: self._save("tumour", area))

    def draw_exclusion(self) -> None:
        """Let an area be drawn that is left out, for the reason that is chosen."""
        reason = self._reason.currentText()
        if reason == OTHER_REASON:
            reason = self._words.text().strip()
            if not reason:
                self._review.said.emit("Say in a few words why the area is left out.", "warning")
                self._words.setFocus()
                return
        self._draw("area to leave out", lambda area: self._save("exclusion", area, reason))

    def _draw(self, what: str, done) -> None:
        if not self._may_draw():
            return
        how = self._how.currentText()
        self._edited = None
        self._tool.draw(f"draw the {what}", done, FREEHAND if how == FREELY else CORNERS)
        self._hint.setText(HOW[how].format(what))
        self._enable()

    def _save(
        self, kind: str, drawn: shapely.Polygon, reason: str = "", region_id: str | None = None
    ) -> None:
        self._hint.setText("")
        self._review.do(
            lambda session: session.draw_region(kind, usable_area(drawn), reason, region_id)
        )
        self._enable()

    # Editing.

    def edit_tumour(self) -> None:
        """Start from the present border: as drawn, or the automatic one."""
        session = self._review.session
        if session is None or not self._may_draw():
            return
        drawn = [region for region in self._regions() if region.kind == "tumour"]
        area = session.called.regions.tumour
        if drawn:
            area = shapely.union_all([region.area_um for region in drawn])
        if area.is_empty:
            self._review.said.emit("There is no tumour to edit yet; draw it.", "info")
            return
        first = drawn[0] if drawn else DrawnRegion("tumour", "", "", "", "", area)
        self._start_editing(first, area, edits_all=True)

    def edit_selected(self) -> None:
        region = self.selected
        if region is not None and self._may_draw():
            self._start_editing(region, region.area_um)

    def _start_editing(
        self, region: DrawnRegion, area: shapely.MultiPolygon, edits_all: bool = False
    ) -> None:
        outer, holes = editable(area)
        self._tool.edit(f"edit: {region.name}", outer, holes)
        self._edited, self._edits_all = region, edits_all
        self._hint.setText(
            "Drag the corners. The tools at the upper left add and remove corners and areas; "
            "holes are red. Then keep the changes."
        )
        self._zoom_to(area.bounds)
        self._enable()

    def keep(self) -> None:
        """Save what was edited."""
        region, session = self._edited, self._review.session
        if region is None or session is None:
            return
        outer, holes = self._tool.polygons()
        others = [
            other.region_id
            for other in self._regions()
            if self._edits_all and other.kind == "tumour" and other.region_id != region.region_id
        ]

        def save(now: ReviewSession) -> None:
            area = usable_area(outer, holes)
            now.draw_region(region.kind, area, region.reason, region.region_id or None, others)

        if self._review.do(save):
            self.give_up()

    def give_up(self) -> None:
        """Nothing is drawn or edited any more."""
        self._tool.stop()
        self._edited = None
        self._hint.setText("")
        self._enable()

    # Taking back.

    def remove_selected(self) -> None:
        region = self.selected
        if region is not None:
            self._review.do(lambda now: now.withdraw_region(region.kind, region.region_id))

    def use_automatic(self) -> None:
        """Take every drawn area of tumour back."""
        drawn = [region.region_id for region in self._regions() if region.kind == "tumour"]
        if drawn:
            self._review.do(lambda session: session.withdraw_region("tumour", *drawn))

    # What is shown.

    @property
    def selected(self) -> DrawnRegion | None:
        """What is chosen in the list."""
        return self._list.selected

    def _regions(self) -> tuple[DrawnRegion, ...]:
        session = self._review.session
        if session is None:
            return ()
        return drawn_regions(session.corrections, session.result.pixel_size_um)

    def _show_slide(self) -> None:
        self.give_up()
        self._show()

    def _show(self) -> None:
        session = self._review.session
        self._list.fill(self._regions())
        self._tumour.setText("" if session is None else tumour_text(session.called.regions))
        self._enable()

    def _enable(self) -> None:
        is_open = self._review.session is not None
        is_free = is_open and not self._tool.is_drawing
        for widget in (self._draw_tumour, self._edit_tumour, self._draw_exclusion):
            widget.setEnabled(is_free)
        self._automatic.setVisible(any(region.kind == "tumour" for region in self._regions()))
        self._keep.setVisible(self._edited is not None)
        self._give_up.setVisible(self._tool.is_drawing)
        for widget in (self._edit, self._remove):
            widget.setEnabled(is_free and self.selected is not None)

    def _may_draw(self) -> bool:
        """Better told before the drawing than after it."""
        session = self._review.session
        if session is None:
            return False
        if not session.reviewer:
            self._review.said.emit("Enter your name at the top first: who draws this?", "warning")
        elif session.read_only:
            self._review.said.emit(session.read_only, "warning")
        return bool(session.reviewer) and not session.read_only

    def _zoom_to_selected(self) -> None:
        region = self.selected
        if region is not None:
            self._zoom_to(region.area_um.bounds)

    def _zoom_to(self, bounds: tuple[float, float, float, float]) -> None:
        west, north, east, south = bounds
        height_px, width_px = self._review.viewer.canvas.size
        width_um = ROOM * max(east - west, (south - north) * width_px / height_px)
        self._review.go_to((west + east) / 2, (north + south) / 2, width_um)
