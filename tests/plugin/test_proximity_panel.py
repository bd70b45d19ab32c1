"""The proximity panel shows the session's answer, says when it is old, and draws what is asked."""

import numpy as np
import pytest

pytest.importorskip("napari", reason="needs the napari extra")
pytest.importorskip("pytestqt", reason="needs the test extra")

from qtpy.QtGui import QColor
from qtpy.QtWidgets import QAbstractButton, QComboBox, QLabel

from macprox.errors import MacproxError
from macprox.phenotype.colours import phenotype_colours
from macprox.report.numbers import percent_text
from macprox.review.question.answer import Curve, nearest_lines
from napari_macprox import review as review_module
from napari_macprox.curve_chart import CurveChart, distance_ticks, share_range, share_ticks
from napari_macprox.panels.proximity import ProximityPanel
from review_bench import BenchReview, button, on_bench

pytestmark = pytest.mark.usefixtures("screen")


@pytest.fixture
def panel(qtbot, moved) -> ProximityPanel:
    return on_bench(qtbot, ProximityPanel, moved, (380, 800))


def texts(panel) -> list[str]:
    return [label.text() for label in panel.findChildren(QLabel) if label.isVisible()]


def test_the_answer_is_shown_in_words_and_numbers(panel):
    answer = panel.review.session.answer
    assert answer.sentence in texts(panel)
    for _, row in answer.rows.iterrows():
        assert percent_text(row["value"]) in texts(panel)
        assert percent_text(row["expected"]) in texts(panel)
    assert not [text for text in texts(panel) if "Since you opened" in text]


def test_after_a_decision_the_numbers_are_old_until_they_are_new(qtbot, panel):
    before = panel.review.session.answer.sentence
    with qtbot.waitSignal(panel.review.answered):
        panel.review.do(lambda session: session.move_gate("CD68", 700.0))
        assert [text for text in texts(panel) if "Being recalculated" in text]
        assert before in texts(panel)  # never a blank
    assert not [text for text in texts(panel) if "Being recalculated" in text]
    assert panel.review.session.answer.sentence in texts(panel)
    (change,) = (text for text in texts(panel) if text.startswith("Since you opened"))
    assert "→" in change
    with qtbot.waitSignal(panel.review.answered):
        panel.review.undo()
    assert not [text for text in texts(panel) if text.startswith("Since you opened")]


def test_a_failed_recalculation_is_no_running_one(qtbot, panel, monkeypatch):
    def fail(_):
        raise MacproxError("The disk is full.")

    before = panel.review.session.answer.sentence
    monkeypatch.setattr(review_module, "recalculate", fail)
    with qtbot.waitSignal(panel.review.unanswered):
        panel.review.do(lambda session: session.move_gate("CD68", 700.0))
        assert [text for text in texts(panel) if "Being recalculated" in text]
    assert "The disk is full." in panel.review.sentences
    assert not [text for text in texts(panel) if "⏳" in text]
    assert [text for text in texts(panel) if "could not be recalculated" in text]
    assert before in texts(panel)
    panel.review.session.answer = None  # as of a slide that was only just opened
    panel._show_answer()
    assert [text for text in texts(panel) if "Being calculated" in text]
    panel.review._recalculate()
    assert [text for text in texts(panel) if "could not be calculated" in text]
    assert not [text for text in texts(panel) if "⏳" in text]
    monkeypatch.undo()
    panel.review._recalculate()
    assert not [text for text in texts(panel) if "could not be" in text]


def test_lines_of_the_chosen_class_and_bands_are_asked_of_the_layers(qtbot, panel):
    session, layers = panel.review.session, panel.review.layers
    assert layers.last("lines") is None
    assert layers.last("bands") is None
    button(panel, "Lines").click()
    name = panel.findChild(QComboBox).currentData()
    expected = nearest_lines(session.called, session.study, name)
    assert len(expected) > 10
    assert np.array_equal(layers.last("lines"), expected)
    button(panel, "Bands").click()
    assert layers.last("bands") is session.called.regions
    button(panel, "Lines").click()
    button(panel, "Bands").click()
    assert layers.last("lines") is None
    assert layers.last("bands") is None


def test_another_slide_starts_without_lines(panel, moved):
    button(panel, "Lines").click()
    panel.review.show(moved)
    assert not button(panel, "Lines").isChecked()
    assert panel.review.layers.last("lines") is None


def test_without_an_answer_the_reason_stands_there(qtbot, panel):
    with qtbot.waitSignal(panel.review.answered):
        panel.review.do(lambda session: session.move_gate("CD68", 1e9))
    assert panel.review.session.answer.sentence in texts(panel)
    qtbot.waitUntil(lambda: "–" in texts(panel))
    panel.grab()  # a chart without a curve


def test_before_a_slide_is_open_the_panel_says_so(qtbot):
    panel = ProximityPanel(BenchReview())
    qtbot.addWidget(panel)
    panel.show()
    assert "Open a slide." in texts(panel)
    assert not any(b.isEnabled() for b in panel.findChildren(QAbstractButton))


def test_every_control_says_what_it_does(panel):
    for widget in (*panel.findChildren(QAbstractButton), *panel.findChildren(QComboBox)):
        assert widget.toolTip()


def curve(n: int = 51, **changes) -> Curve:
    r_um = np.linspace(0, 100, n)
    shares = {"observed": r_um / 125, "expected": r_um / 250, "low": r_um / 300, "high": r_um / 200}
    return Curve(**({"r_um": r_um, "n_tumour": 9, "n_macrophages": 9} | shares | changes))


def test_the_line_lies_where_its_shares_are(qtbot):
    chart = CurveChart()
    qtbot.addWidget(chart)
    chart.resize(400, 300)
    red = QColor("#ff0000")
    chart.show_curve(curve(), red.name(), "Share of cells", "95 of 100", 20.0)
    image = chart.grab().toImage().scaled(400, 300)
    found = [
        (x, y)
        for x in range(60, 380)
        for y in range(75, 260)
        if image.pixelColor(x, y).red() > 200 and image.pixelColor(x, y).blue() < 80
    ]
    xs, ys = np.array(found).T
    slope, _ = np.polyfit(xs, ys, 1)
    assert slope < 0
    residual = ys - np.polyval(np.polyfit(xs, ys, 1), xs)
    assert np.abs(residual).max() < 3  # a straight line is drawn straight


def test_a_curve_without_a_band_is_drawn_without_one(qtbot):
    chart = CurveChart()
    qtbot.addWidget(chart)
    chart.resize(400, 300)
    nothing = np.full(51, np.nan)
    bare = curve(expected=nothing, low=nothing, high=nothing)
    chart.show_curve(bare, "#d1450b", "Share of cells", "", 20.0)
    without = chart.grab().toImage()
    chart.show_curve(curve(), "#d1450b", "Share of cells", "95 of 100", 20.0)
    assert chart.grab().toImage() != without
    assert share_range(bare) == 0.8


def test_scales_are_round():
    assert share_ticks(0.2) == [0.0, 0.05, 0.1, 0.15, 0.2]
    assert share_range(curve(observed=np.full(51, 0.83))) == 1.0
    assert share_range(curve(observed=np.zeros(51), high=np.full(51, 0.03),
                             expected=np.zeros(51))) == 0.05  # fmt: skip
    assert distance_ticks(100) == [0, 20, 40, 60, 80, 100]
    assert distance_ticks(30) == [0, 10, 20, 30]


def test_colours_are_those_of_the_report_and_seen_on_black(qtbot, panel):
    study = panel.review.session.study
    colours = phenotype_colours([*study.phenotypes], "Tumour", study.proximity.macrophages)
    chart = panel.findChild(CurveChart)
    assert chart._colour.name() == QColor(colours["Macrophage"]).name()
    chart._colour = QColor("#1f1f3f")
    palette = chart.palette()
    palette.setColor(palette.ColorRole.Window, QColor("#000000"))
    chart.setPalette(palette)
    assert chart._line_colour().lightness() > 90
