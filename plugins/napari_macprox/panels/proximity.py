"""How near macrophages and tumour cells are, and what chance gives."""

from __future__ import annotations

import numpy as np
from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtWidgets import QCheckBox, QComboBox, QGridLayout, QLabel, QWidget

from macprox.review.question.answer import BAND_TEXT, Answer, change_since, nearest_lines
from macprox.review.question.headline import Line, Side, class_noun, headline_sides, shares_title
from macprox.review.session import ReviewSession
from macprox.spatial.slide import ALL_MACROPHAGES
from napari_macprox.curve_chart import CurveChart
from napari_macprox.panels.furniture import column, heading, row, sentence, tip_text
from napari_macprox.review import Review

TITLES = ("Seen", "By chance", "p")
TITLE_TIPS = (
    "Share of the cells that have one of the others so near",
    "The same share if the macrophages were placed at random among the non-tumour cells",
    "How often chance alone would give at least this difference",
)
ALL_COLOUR = "#d1450b"
OLD = "⏳ Being recalculated: these numbers are from before your last change."
FAILED = (
    "⚠ These numbers are from before your last change: they could not be recalculated, the message "
    "above says why. Your decisions are saved. Open the slide again to try once more."
)
UNANSWERED = (
    "⚠ This could not be calculated: the message above says why. Your decisions are saved. Open "
    "the slide again to try once more."
)


class ProximityPanel(QWidget):
    """The open slide's answer to the question of the study."""

    def __init__(self, review: Review) -> None:
        super().__init__()
        self._review = review
        self._at_opening: Answer | None = None
        self._fields: list[QLabel] = []
        self._asked = 0
        self._build()
        review.opened.connect(self._show_slide)
        review.log_changed.connect(self._show_age)
        review.answered.connect(self._show_answer)
        review.unanswered.connect(self._show_failure)
        self._class.currentIndexChanged.connect(lambda _: self._show_class())
        self._lines.toggled.connect(lambda _: self._draw_lines())
        self._bands.toggled.connect(lambda _: self._draw_bands())
        self._show_slide()

    def _build(self) -> None:
        layout = column(self)
        self._age = sentence(OLD)
        self._sentence = sentence()
        self._change = sentence()
        self._table = QGridLayout()
        self._table.setHorizontalSpacing(12)
        self._table.setVerticalSpacing(4)
        self._table.setColumnStretch(0, 1)
        self._class = QComboBox()
        self._class.setToolTip("The cells whose nearness is drawn, as curve and as lines")
        self._chart = CurveChart()
        self._chart.setToolTip(
            "Line: what was seen on this slide. Grey band: 95 of 100 random arrangements lie in "
            "it.\nAbove the band: nearer to the tumour than by chance. Below: further away.\n"
            "Dotted: the distance of the numbers above."
        )
        self._lines = QCheckBox("Lines to the nearest tumour cell")
        self._lines.setToolTip("From every macrophage of the chosen class, on the image")
        self._bands = QCheckBox("Bands around the tumour border")
        layout.addWidget(self._age)
        layout.addWidget(heading("This slide"))
        layout.addWidget(self._sentence)
        layout.addWidget(self._change)
        layout.addLayout(self._table)
        which = row(QLabel("Show"), self._class)
        which.setStretch(1, 1)
        layout.addLayout(which)
        layout.addWidget(self._chart)
        layout.addWidget(self._lines)
        layout.addWidget(self._bands)
        layout.addStretch(1)

    def _show_slide(self) -> None:
        self._at_opening = None
        session = self._review.session
        if session is not None:
            margin = session.study.regions.margin_um
            self._bands.setToolTip(
                f"{margin:g} µm inwards and {margin:g} µm outwards from the border, on the image"
            )
        for box in (self._lines, self._bands):
            with QSignalBlocker(box):
                box.setChecked(False)
        self._show_answer()

    def _show_age(self) -> None:
        session = self._review.session
        is_old = session is not None and session.answer is not None and session.is_stale
        self._age.setText(OLD)
        self._age.setVisible(is_old)
        self._chart.show_age(is_old)

    def _show_failure(self) -> None:
        """Until the next decision is calculated, or the slide opened again."""
        self._age.setText(FAILED)
        session = self._review.session
        if session is not None and session.answer is None:
            self._sentence.setText(UNANSWERED)

    def _show_answer(self) -> None:
        session = self._review.session
        self._show_age()
        if session is None or session.answer is None:
            self._sentence.setText("Open a slide." if session is None else "⏳ Being calculated…")
            self._change.setVisible(False)
            self._fill_table([])
            self._class.clear()
            self._chart.say("")
            self._enable(False)
            return
        answer = session.answer
        if self._at_opening is None:
            self._at_opening = answer
        self._sentence.setText(answer.sentence)
        change = change_since(self._at_opening, answer)
        self._change.setText(f"Since you opened the slide: {change}")
        self._change.setVisible(bool(change))
        self._fill_table(headline_sides(answer, session.study))
        self._fill_classes(session, answer)
        self._enable(not session.called.regions.tumour.is_empty)
        self._draw_lines()
        self._draw_bands()

    def _enable(self, has_tumour: bool) -> None:
        for widget in (self._class, self._lines, self._bands):
            widget.setEnabled(has_tumour)

    def _fill_table(self, sides: list[Side]) -> None:
        for label in self._fields:
            self._table.removeWidget(label)
            label.deleteLater()
        self._fields.clear()
        if sides:
            for place, (title, tip) in enumerate(zip(TITLES, TITLE_TIPS, strict=True), start=1):
                self._put(_number(title, tip), 0, place)
        at = 1
        for side in sides:
            self._put(heading(side.title), at, 0, 1 + len(TITLES))
            at += 1
            for line in side.lines:
                self._fill_row(line, at)
                at += 1

    def _fill_row(self, line: Line, at: int) -> None:
        name = sentence(line.name)
        name.setToolTip(tip_text(line.words))
        name.setContentsMargins(8, 0, 0, 0)
        self._put(name, at, 0)
        for place, value in enumerate((line.seen, line.by_chance, line.p), start=1):
            self._put(_number(value.text, value.reason or line.words), at, place)

    def _put(self, label: QLabel, at: int, place: int, n_columns: int = 1) -> None:
        self._table.addWidget(label, at, place, 1, n_columns)
        self._fields.append(label)

    def _fill_classes(self, session: ReviewSession, answer: Answer) -> None:
        names = list(answer.curves)
        if names != [self._class.itemData(i) for i in range(self._class.count())]:
            chosen = self._class.currentData()
            with QSignalBlocker(self._class):
                self._class.clear()
                for name in names:
                    self._class.addItem(class_noun(name, session.study), name)
                self._class.setCurrentIndex(max(self._class.findData(chosen), 0) if names else -1)
        self._show_curve()

    def _show_class(self) -> None:
        self._show_curve()
        self._draw_lines()

    def _show_curve(self) -> None:
        session, name = self._review.session, self._class.currentData()
        curves = session.answer.curves if session is not None and session.answer else {}
        if session is None or name not in curves:
            self._chart.say("No curve: there is nothing to compare on this slide.")
            return
        study = session.study
        colours = study.colours()
        curve = curves[name]
        has_band = bool(np.isfinite(curve.low).any())
        self._chart.show_curve(
            curve,
            ALL_COLOUR if name == ALL_MACROPHAGES else colours.get(name, ALL_COLOUR),
            shares_title(name, study),
            BAND_TEXT if has_band else "",
            study.proximity.primary_radius_um,
        )

    def _draw_lines(self) -> None:
        """Found beside the window: a million cells have many neighbours."""
        session, name = self._review.session, self._class.currentData()
        self._asked += 1
        if session is None or name is None or not self._lines.isChecked():
            self._review.layers.lines(None)
            return
        asked = self._asked

        def draw(segments: np.ndarray) -> None:
            if asked == self._asked:  # nothing else was asked for meanwhile
                self._review.layers.lines(segments)

        self._review.in_background(
            nearest_lines, session.called, session.study, name,
            done=draw, text="Drawing lines…",
        )  # fmt: skip

    def _draw_bands(self) -> None:
        session = self._review.session
        shown = session is not None and self._bands.isChecked()
        self._review.layers.bands(session.called.regions if session is not None and shown else None)


def _number(text: str, tip: str) -> QLabel:
    label = QLabel(text)
    label.setToolTip(tip_text(tip))
    label.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
    return label
