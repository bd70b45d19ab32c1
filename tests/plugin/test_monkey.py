"""Somebody who presses whatever there is, in any order: nothing breaks, nothing is lost."""

from __future__ import annotations

import logging
import random
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import shapely

pytest.importorskip("napari", reason="needs the napari extra")
pytest.importorskip("pytestqt", reason="needs the test extra")

from qtpy.QtWidgets import QApplication

import macprox as mp
import small_runs
from macprox.edits import EditLog, replay
from napari_macprox.desk import PANELS
from napari_macprox.panels import cells as cells_panel
from napari_macprox.panels.outline_editor import OutlineEditor
from plugin.pathologist import Pathologist

pytestmark = pytest.mark.usefixtures("screen")

SIDE_UM = 320.0


class Monkey:
    """Random actions of a user; each is one method."""

    def __init__(self, who: Pathologist, seed: int) -> None:
        self.who, self.desk, self.review = who, who.desk, who.review
        self.rng = random.Random(seed)
        self.actions = [getattr(self, name) for name in dir(Monkey) if name.startswith("do_")]

    def act(self) -> str:
        action = self.rng.choice(self.actions)
        action()
        for _ in range(self.rng.choice((1, 1, 3))):  # a hand is slower than the window
            QApplication.processEvents()
        return action.__name__

    def _spot(self) -> tuple[float, float]:
        return self.rng.uniform(5, SIDE_UM - 5), self.rng.uniform(5, SIDE_UM - 5)

    def _area(self) -> shapely.Polygon:
        x, y = self._spot()
        half = self.rng.uniform(10, 60)
        return shapely.box(max(x - half, 0), max(y - half, 0), x + half, y + half)

    def do_turn(self) -> None:
        self.desk.turn_to(self.rng.choice([*PANELS]))

    def do_select(self) -> None:
        self.desk.panel("Cells").select_at(*self._spot())

    def do_group(self) -> None:
        self.desk.panel("Cells").choose_inside(self._area())

    def do_relabel(self) -> None:
        session = self.review.session
        self.desk.panel("Cells").relabel(self.rng.choice([None, *session.study.phenotypes]))

    def do_mark(self) -> None:
        self.desk.panel("Cells").mark(self.rng.choice(["debris", "other", None]))

    def do_delete(self) -> None:
        ids = self.desk.panel("Cells").chosen
        self.review.do(lambda session: session.delete(ids[:5]))

    def do_next_uncertain(self) -> None:
        self.desk.panel("Cells").next_uncertain()

    def do_let_go(self) -> None:
        self.desk.panel("Cells").let_go()

    def do_gate(self) -> None:
        panel = self.desk.panel("Gates")
        panel.choose(self.rng.choice(["CD68", "panCK"]))
        panel._histogram.released.emit(self.rng.uniform(150, 600))

    def do_confirm(self) -> None:
        self._press("Gates", "_confirm")

    def do_reset_gate(self) -> None:
        self._press("Gates", "_back")

    def do_draw_region(self) -> None:
        kind = self.rng.choice(["tumour", "exclusion"])
        self.desk.panel("Regions")._save(kind, self._area(), "fold" if kind != "tumour" else "")

    def do_edit_tumour(self) -> None:
        self.desk.panel("Regions").edit_tumour()
        if self.rng.random() < 0.5:
            self.desk.panel("Regions").keep()
        else:
            self.desk.panel("Regions").give_up()

    def do_automatic(self) -> None:
        self.desk.panel("Regions").use_automatic()

    def do_redraw(self) -> None:
        (editor,) = self.desk.panel("Cells").findChildren(OutlineEditor)
        self.review.go_to(*self._spot())
        editor.begin()
        if not editor.is_editing:
            return
        editor.remove()
        for _ in range(6):
            editor.click(*reversed(self._spot()))
        editor.save() if self.rng.random() < 0.8 else editor.discard()

    def do_undo(self) -> None:
        self.review.undo()

    def do_redo(self) -> None:
        self.review.redo()

    def do_sign(self) -> None:
        self._press("Sign-off", "_sign")

    def do_withdraw(self) -> None:
        self._press("Sign-off", "_withdraw")

    def do_lines(self) -> None:
        self._press("Proximity", "_lines")

    def do_sample(self) -> None:
        panel = self.desk.turn_to("Check")
        panel.draw()
        panel.start()
        panel.say("Tumour")
        panel.stop()

    def do_wait(self) -> None:
        self.who.wait()

    def _press(self, panel: str, name: str) -> None:
        button = getattr(self.desk.panel(panel), name)
        if button.isEnabled():
            button.click()


def pixels(folder: Path) -> dict[str, bytes]:
    """Every file of the labels."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize(
    ("seed", "n_actions"),
    [(1, 15), *(pytest.param(seed, 150, marks=pytest.mark.slow) for seed in (1, 2, 3))],
)
def test_whatever_is_pressed_can_be_written_and_taken_back(
    moved, make_napari_viewer, qtbot, caplog, monkeypatch, seed, n_actions
):
    monkeypatch.setattr(cells_panel, "confirmed", lambda *_: True)
    before, labels = moved.cells(), pixels(moved.folder.labels)
    who = Pathologist(make_napari_viewer(show=True), qtbot)
    who.review.rename_reviewer("M. Onkey")
    who.review.open_slide(moved.path)
    who.wait()
    monkey = Monkey(who, seed)
    done = [monkey.act() for _ in range(n_actions)]
    who.wait()
    session = who.review.session
    assert len({*done}) > min(n_actions // 2, 12)  # control
    assert len(EditLog(moved.folder.edits).read()) > n_actions // 6  # control
    assert replay(EditLog(moved.folder.edits).read()) == session.corrections
    assert not session.is_stale
    assert_written(who, session)
    while session.undo_text:
        who.review.undo()
    who.wait()
    assert_written(who, session)
    pd.testing.assert_frame_equal(mp.open_result(moved.path).cells(), before)
    assert pixels(moved.folder.labels) == labels
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


def assert_written(who: Pathologist, session) -> None:
    """An update writes what the window shows."""
    shown = session.called.cells
    with small_runs.without_reports():
        ended = small_runs.macprox("update", session.result.path.parents[1], "--quiet")
    assert ended.code == 0, ended.err
    written = mp.open_result(session.result.path).cells()
    assert session.is_saved
    np.testing.assert_array_equal(written["cell_id"], shown["cell_id"])
    pd.testing.assert_frame_equal(written[[*shown.columns]], shown)
