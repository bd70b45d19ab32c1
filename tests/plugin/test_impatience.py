"""Somebody who does not wait: slides, decisions and windows that follow each other too fast."""

from __future__ import annotations

import shutil

import pytest

pytest.importorskip("napari", reason="needs the napari extra")
pytest.importorskip("pytestqt", reason="needs the test extra")

from qtpy.QtWidgets import QApplication

from napari_macprox.desk import desk_in
from plugin.pathologist import Pathologist

pytestmark = pytest.mark.usefixtures("screen")


@pytest.fixture
def slides(moved):
    """Three slides side by side."""
    for name in ("a", "b"):
        shutil.copytree(moved.path, moved.path.parent / name)
    return moved.path.parent


@pytest.fixture
def who(make_napari_viewer, qtbot) -> Pathologist:
    who = Pathologist(make_napari_viewer(show=True), qtbot)
    who.review.rename_reviewer("A. Reviewer")
    return who


def test_of_slides_asked_for_in_a_row_the_last_is_shown(who, slides):
    shown = []
    who.review.opened.connect(lambda: shown.append(who.review.session.slide_id))
    for name in ("a", "b", "field", "a", "b"):
        who.review.open_slide(slides / name)
    who.wait()
    assert shown == ["b"]
    assert not who.review.session.is_stale
    who.review.open_slide(slides / "a")
    for _ in range(2):  # two further, however far the window has come
        who.review.step_slide(1)
    who.wait()
    assert who.review.session.slide_id == "field"
    assert shown[-1] == "field"


@pytest.mark.slow
def test_a_slide_opened_while_another_fails_to_recalculate_has_its_answer(who, slides):
    who.review.open_slide(slides / "a")
    who.wait()
    session = who.review.session
    (slides / "a" / "manifest.json").unlink()  # the recalculation will find nothing to begin with
    cells = session.called.cells["cell_id"]
    assert who.review.do(lambda now: now.delete(cells[:3]))
    who.review.open_slide(slides / "b")
    who.wait()
    assert who.review.session.slide_id == "b"
    assert who.review.session.answer is not None


@pytest.mark.parametrize(
    "what",
    ["recalculation", *(pytest.param(w, marks=pytest.mark.slow) for w in ("opening", "update"))],
)
def test_a_window_closed_in_the_middle_leaves_nothing_behind(who, slides, what, caplog):
    review = who.review
    review.open_slide(slides / "a")
    if what != "opening":
        who.wait()
        cells = review.session.called.cells["cell_id"]
        review.do(lambda session: session.delete(cells[:2]))
        review.update_slide() if what == "update" else review._recalculate()
    assert review.is_busy
    thread_ends = []
    who.viewer.close()
    who.qtbot.waitUntil(lambda: _no_thread_runs(thread_ends), timeout=60_000)
    assert caplog.text == ""  # and no exception in Qt's loop, which fails a test by itself


def _no_thread_runs(seen: list) -> bool:
    from napari.qt.threading import WorkerBase

    QApplication.processEvents()
    seen.append(len(WorkerBase._worker_set))
    return seen[-1] == 0


def test_a_review_that_was_closed_can_be_opened_again_in_the_same_window(who, slides):
    who.review.open_slide(slides / "a")
    who.desk.turn_to("Cells")
    who.wait()
    who.review.layers.finish()
    layers = [layer.name for layer in who.viewer.layers]
    somebody_else_s = who.viewer.add_points([(0.0, 0.0)], name="mine")
    who.viewer.window.remove_dock_widget("all")
    who.qtbot.wait(50)
    who.look()
    who.click_image(100, 100)  # nobody listens any more
    who.desk = desk_in(who.viewer)
    who.review = who.desk.review
    who.review.open_slide(slides / "b")
    who.wait()
    assert who.review.session.answer is not None
    who.review.layers.finish()
    names = [layer.name for layer in who.viewer.layers if layer is not somebody_else_s]
    assert sorted(names) == sorted(layers)  # none is left from before
    assert somebody_else_s in who.viewer.layers


@pytest.mark.slow
def test_a_folder_deleted_under_the_window_is_told_and_not_made_again(who, slides):
    review, desk = who.review, who.desk
    review.open_slide(slides / "a")
    who.wait()
    cells = review.session.called.cells["cell_id"]
    shutil.rmtree(slides.parent)
    for name in ("Gates", "Cells", "Regions", "Proximity", "Check", "Sign-off", "Slides"):
        desk.turn_to(name)
        who.look()
    assert not review.do(lambda session: session.delete(cells[:3]))
    assert "Bring it back" in who.read()
    for act in (review.undo, review.update_slide, desk.panel("Check").draw):
        act()
        who.wait()
    review.step_slide(1)
    assert "No results in" in who.read()
    assert not slides.exists()
    assert review.session.slide_id == "a"
