"""The cut follows the hand, decides when it is let go, and its picture is cheap."""

import math
import time

import numpy as np
import pytest

pytest.importorskip("napari", reason="needs the napari extra")
pytest.importorskip("pytestqt", reason="needs the test extra")

from qtpy.QtCore import QPoint, Qt
from qtpy.QtGui import QColor, QPalette

from macprox.phenotype.intensity_axis import Axis
from napari_macprox.histogram import KEY_PAUSE_MS, GateHistogram, stepped
from napari_macprox.histogram_picture import SIDE_PX, Picture, heights
from napari_macprox.palette import SMALLEST_PT, accent, faded, legible_font

pytestmark = pytest.mark.usefixtures("screen")

LEFT = Qt.MouseButton.LeftButton
AXIS = Axis(low=0.0, high=1000.0, knee=10.0)
GATE = 100.0


def two_peaks(n_bins: int = 72) -> np.ndarray:
    counts = np.zeros(n_bins, int)
    counts[5:12] = 900
    counts[50:58] = 30
    return counts


def picture(**changes) -> Picture:
    values = {"axis": AXIS, "slide": two_peaks(), "cohort": two_peaks()[::-1], "proposal": 60.0}
    return Picture(**(values | changes))


@pytest.fixture
def histogram(qtbot) -> GateHistogram:
    widget = GateHistogram()
    qtbot.addWidget(widget)
    widget.resize(400, 190)
    widget.show()
    qtbot.waitExposed(widget)
    widget.show_picture(picture(), GATE)
    widget.dragged_to, widget.released_at = [], []
    widget.dragged.connect(widget.dragged_to.append)
    widget.released.connect(widget.released_at.append)
    return widget


def x_of(widget: GateHistogram, value: float) -> int:
    return round(SIDE_PX + float(AXIS.to_position(value)) * (widget.width() - 2 * SIDE_PX))


def drag(qtbot, widget, start: int, *through: int) -> None:
    qtbot.mousePress(widget, LEFT, pos=QPoint(start, 90))
    for x in through:
        qtbot.mouseMove(widget, QPoint(x, 90))
    qtbot.mouseRelease(widget, LEFT, pos=QPoint(through[-1] if through else start, 90))


def test_dragging_the_line_tells_every_step_and_decides_once(qtbot, histogram):
    start, end = x_of(histogram, GATE), x_of(histogram, 400)
    qtbot.mousePress(histogram, LEFT, pos=QPoint(start, 90))
    for x in (start + 10, start + 30, end):
        qtbot.mouseMove(histogram, QPoint(x, 90))
    assert len(histogram.dragged_to) == 3
    assert np.all(np.diff(histogram.dragged_to) > 0)
    assert histogram.released_at == []  # control: nothing is decided under way
    assert histogram.is_held
    qtbot.mouseRelease(histogram, LEFT, pos=QPoint(end, 90))
    assert histogram.released_at == [pytest.approx(400, rel=0.03)]
    assert histogram.gate == histogram.released_at[0]
    assert not histogram.is_held


def test_a_line_taken_beside_its_middle_does_not_jump(qtbot, histogram):
    start = x_of(histogram, GATE) + 6
    drag(qtbot, histogram, start, start + 4, start)
    assert histogram.gate == pytest.approx(GATE, rel=0.02)


def test_a_click_decides_nothing(qtbot, histogram):
    drag(qtbot, histogram, x_of(histogram, 700))
    drag(qtbot, histogram, x_of(histogram, 700), x_of(histogram, 700) + 2)
    assert (histogram.dragged_to, histogram.released_at) == ([], [])
    assert histogram.gate == GATE


def test_a_drag_from_anywhere_brings_the_line_to_the_hand(qtbot, histogram):
    drag(qtbot, histogram, x_of(histogram, 700), x_of(histogram, 500))
    assert histogram.released_at == [pytest.approx(500, rel=0.03)]


def test_beyond_the_ends_the_line_stops_there(qtbot, histogram):
    drag(qtbot, histogram, x_of(histogram, GATE), 5000)
    assert histogram.gate == pytest.approx(AXIS.high)
    drag(qtbot, histogram, x_of(histogram, AXIS.high), -5000)
    assert histogram.gate == pytest.approx(AXIS.low, abs=1e-9)


def test_arrow_keys_are_fine_steps_and_one_decision(qtbot, histogram):
    for _ in range(4):
        qtbot.keyClick(histogram, Qt.Key.Key_Right)
    assert len(histogram.dragged_to) == 4
    assert histogram.gate == pytest.approx(stepped(AXIS, GATE, 4 / 400))
    assert GATE < histogram.gate < 1.1 * GATE
    assert histogram.released_at == []
    qtbot.waitUntil(lambda: histogram.released_at == [histogram.gate], timeout=4 * KEY_PAUSE_MS)
    before = histogram.gate
    qtbot.keyClick(histogram, Qt.Key.Key_Left, Qt.KeyboardModifier.ShiftModifier)
    assert histogram.gate == pytest.approx(stepped(AXIS, before, -1 / 40))
    histogram.flush()
    assert len(histogram.released_at) == 2


def test_keys_that_lead_back_to_where_it_stood_decide_nothing(qtbot, histogram):
    qtbot.keyClick(histogram, Qt.Key.Key_Right)
    histogram.show_picture(picture(), GATE)
    histogram.flush()
    assert histogram.released_at == []


def test_a_double_click_asks_for_the_proposal_and_moves_nothing_itself(qtbot, histogram):
    with qtbot.waitSignal(histogram.reset):
        place = QPoint(x_of(histogram, 700), 90)
        qtbot.mouseClick(histogram, LEFT, pos=place)
        qtbot.mouseDClick(histogram, LEFT, pos=place)
    assert (histogram.gate, histogram.released_at) == (GATE, [])


def test_without_a_gate_a_drag_makes_one_and_keys_do_nothing(qtbot, histogram):
    histogram.show_picture(picture(), float("nan"))
    assert histogram.gate is None
    qtbot.keyClick(histogram, Qt.Key.Key_Right)
    assert histogram.dragged_to == []
    drag(qtbot, histogram, x_of(histogram, 50), x_of(histogram, 60))
    assert histogram.released_at == [pytest.approx(60, rel=0.05)]


def test_positive_cells_are_drawn_in_the_accent_in_every_theme(qtbot, histogram):
    for back, ink in (("#23242b", "#f0f1f2"), ("#ebe7e6", "#1e1e21")):
        palette = QPalette()
        palette.setColor(QPalette.ColorRole.Window, QColor(back))
        palette.setColor(QPalette.ColorRole.WindowText, QColor(ink))
        histogram.setPalette(palette)
        image = histogram.grab().toImage()
        ratio = image.width() / histogram.width()
        bottom = round((histogram.height() - 40) * ratio)

        def colour(value, image=image, ratio=ratio, bottom=bottom):
            return image.pixelColor(round(x_of(histogram, value) * ratio), bottom).name()

        n_bins = len(two_peaks())
        negative, positive = (float(AXIS.to_value((b + 0.5) / n_bins)) for b in (8, 54))
        assert negative < GATE < positive  # control
        assert colour(positive) == accent(palette).name()
        assert colour(negative) == faded(palette, 0.38).name()
        assert colour(float(AXIS.to_value(30.5 / n_bins))) == back
        assert image.pixelColor(2, image.height() - 2).name() == back


def test_a_sentence_stands_where_there_is_nothing_to_cut(qtbot, histogram):
    histogram.say("This slide has no gates.")
    blank = histogram.grab().toImage()
    drag(qtbot, histogram, 100, 200)
    qtbot.keyClick(histogram, Qt.Key.Key_Right)
    assert (histogram.dragged_to, histogram.gate) == ([], GATE)
    histogram.show_picture(picture(), GATE)
    assert histogram.grab().toImage() != blank  # control


def test_letters_are_never_below_ten_points(histogram):
    font = histogram.font()
    font.setPointSizeF(6)
    histogram.setFont(font)
    assert legible_font(histogram).pointSizeF() == SMALLEST_PT
    font.setPointSizeF(14)
    histogram.setFont(font)
    assert legible_font(histogram).pointSizeF() == 14


def test_a_picture_takes_less_than_five_milliseconds(histogram):
    from qtpy.QtGui import QPixmap

    target = QPixmap(histogram.size() * 2)
    target.setDevicePixelRatio(2)
    histogram.render(target)
    started = time.process_time()
    for _ in range(20):
        histogram.render(target)
    assert (time.process_time() - started) / 20 < 0.005


def test_rare_positives_are_shown_by_cutting_the_peak_off():
    slide = np.array([1000, 500, 0, 10])
    rare = heights(Picture(AXIS, slide), float(AXIS.to_value(0.5)))
    assert rare.is_cut_off
    assert rare.slide[3] == pytest.approx(1 / 6)
    assert rare.slide[0] == 1
    whole = heights(Picture(AXIS, slide), None)
    assert not whole.is_cut_off
    assert np.allclose(whole.slide, slide / 1000)


def test_the_cohort_is_drawn_as_shares():
    slide = np.array([1, 3])
    drawn = heights(Picture(AXIS, slide, cohort=1000 * slide), None)
    assert np.allclose(drawn.cohort, drawn.slide)
    nothing = heights(Picture(AXIS, np.zeros(4, int), cohort=np.zeros(4, int)), 5.0)
    assert not nothing.slide.any()
    assert math.isfinite(nothing.cohort.max())
