"""Tumour and exclusions drawn, edited, taken back; in a real viewer."""

import numpy as np
import pytest
import shapely

pytest.importorskip("napari", reason="needs the napari extra")
pytest.importorskip("pytestqt", reason="needs the test extra")

from macprox.edits import EditLog
from napari_macprox.panels.regions import BY_CORNERS, RegionsPanel
from review_windows import let_run, settled

pytestmark = pytest.mark.usefixtures("screen")

SQUARE = np.array([[50, 60], [50, 160], [150, 160], [150, 60]], float)  # (y_um, x_um)


@pytest.fixture
def panel(review, qtbot):
    panel = RegionsPanel(review)
    qtbot.addWidget(panel)
    panel.show()
    return panel


def drawn(review, corners):
    review.viewer.layers[-1].add_polygons(corners)
    let_run()


def test_a_drawn_tumour_overrides_the_automatic_one_until_it_is_taken_back(panel, review, qtbot):
    automatic = review.session.called.regions.tumour
    assert "automatically" in panel._tumour.text()
    panel.draw_tumour()
    settled(qtbot, review, lambda: drawn(review, SQUARE))
    tumour = review.session.called.regions.tumour
    assert tumour.symmetric_difference(shapely.box(60, 50, 160, 150)).area < 1
    assert panel._list.topLevelItem(0).text(0) == "Tumour"
    assert panel._list.topLevelItem(0).text(1) == "0.010"
    assert panel._list.topLevelItem(0).text(2) == "A. Reviewer"
    assert "As drawn here" in panel._tumour.text()
    settled(qtbot, review, panel.use_automatic)
    assert review.session.called.regions.tumour.equals(automatic)
    assert panel._list.topLevelItemCount() == 0


def test_editing_starts_from_the_present_border_and_keeps_what_was_moved(panel, review, qtbot):
    automatic = review.session.called.regions.tumour
    panel.edit_tumour()
    layer = review.viewer.layers[-1]
    assert layer.mode == "direct"
    outer, _ = panel._tool.polygons()
    assert shapely.union_all(outer).area == pytest.approx(automatic.area, rel=0.05)
    layer.data = [SQUARE]
    settled(qtbot, review, panel.keep)
    assert review.session.called.regions.tumour.area == pytest.approx(100 * 100, rel=0.01)
    assert not panel._tool.is_drawing


def test_an_exclusion_has_a_reason_and_can_be_removed(panel, review, qtbot):
    panel._reason.setCurrentText("other")
    panel.draw_exclusion()
    assert any("in a few words" in text for _, text in review.problems)
    panel._words.setText("ink")
    panel._how.setCurrentText(BY_CORNERS)
    panel.draw_exclusion()
    assert review.viewer.layers[-1].mode == "add_polygon"
    settled(qtbot, review, lambda: drawn(review, SQUARE))
    regions = review.session.called.regions
    assert [reason for reason, _ in regions.exclusion_reasons] == ["ink"]
    panel._list.topLevelItem(0).setSelected(True)
    panel._zoom_to_selected()
    assert np.allclose(review.viewer.scene.camera.center[-2:], (100, 110))
    settled(qtbot, review, panel.remove_selected)
    assert review.session.called.regions.exclusions.is_empty


def test_a_speck_is_refused_and_a_crossing_line_repaired(panel, review, qtbot):
    panel.draw_exclusion()
    drawn(review, SQUARE[:1] + np.array([[0, 0], [0, 4], [4, 4]], float))
    assert any("less than a cell" in text for _, text in review.problems)
    assert EditLog(review.session.result.folder.edits).read() == []
    panel.draw_exclusion()
    bow_tie = np.array([[50, 60], [150, 160], [50, 160], [150, 60]], float)
    settled(qtbot, review, lambda: drawn(review, bow_tie))
    assert review.session.called.regions.exclusions.area == pytest.approx(5000, rel=0.01)


def test_nobody_draws_without_a_name(panel, review):
    review.rename_reviewer("")
    n = len(review.viewer.layers)
    panel.draw_tumour()
    assert len(review.viewer.layers) == n
    assert any("Enter your name" in text for _, text in review.problems)
