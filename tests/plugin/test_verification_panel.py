"""A random sample read without its calls; in a real viewer."""

import pytest

pytest.importorskip("napari", reason="needs the napari extra")
pytest.importorskip("pytestqt", reason="needs the test extra")

from qtpy.QtWidgets import QLabel, QTableWidget

from macprox.edits import EditLog
from macprox.review.verification.agreement import UNSURE
from macprox.review.verification.blind import Verification
from napari_macprox.panels.verification import VerificationPanel
from review_windows import let_run

pytestmark = pytest.mark.usefixtures("screen")


@pytest.fixture
def panel(review, qtbot):
    panel = VerificationPanel(review)
    qtbot.addWidget(panel)
    panel.show()
    panel._per_phenotype.setValue(5)
    return panel


def shown(review) -> set[str]:
    return {layer.name for layer in review.viewer.layers if layer.visible}


def words(panel) -> str:
    let_run()
    return " ".join(
        label.text() for label in panel._results.findChildren(QLabel) if not label.isHidden()
    )


def read_all(panel, answer) -> int:
    n = 0
    while panel.is_reading:
        panel.say(answer(panel._sample.calls[panel.cell.number]))
        n += 1
    return n


def test_a_reader_sees_the_stain_and_which_cell_and_nothing_else(panel, review):
    panel.draw()
    panel.start()
    assert shown(review) == {"DAPI", "panCK", "CD68", "selected cell"}
    centre = review.viewer.scene.camera.center[-2:]
    assert tuple(centre) == pytest.approx((panel.cell.y_um, panel.cell.x_um))
    panel.stop()
    assert {"cells", "tumour border"} <= shown(review)
    assert "selected cell" not in shown(review)


def test_results_come_only_when_all_is_read_and_two_readers_are_compared(panel, review):
    panel.draw()
    panel.start()
    panel.say(UNSURE)
    first = panel.cell
    panel.say("Other")
    panel.go_back()
    assert panel.cell == first
    panel.stop()
    assert words(panel) == ""
    assert "read 2" in panel._state.text()
    panel.start()
    read_all(panel, lambda call: call)
    assert "agreement beyond chance" in words(panel)
    table = panel._results.findChild(QTableWidget)
    assert table.horizontalHeaderItem(1).text() == "Right"
    review.rename_reviewer("B. Reviewer")
    assert words(panel) == ""
    panel.start()
    assert read_all(panel, lambda call: call) == len(panel._sample)
    assert "A. Reviewer and B. Reviewer" in words(panel)
    assert EditLog(review.session.result.folder.edits).read() == []
    assert len(Verification(review.session.result.folder).samples) == 1


def test_without_a_name_nobody_reads(panel, review):
    review.rename_reviewer("")
    panel.draw()
    assert any("Who are you?" in text for _, text in review.problems)
    assert panel._sample is None
    panel.start()
    assert not panel.is_reading
