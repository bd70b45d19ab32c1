"""Draw the pictures of docs/review.md: the review window on the demo's results, step by step.

    macprox demo && python docs/review_pictures.py macprox-demo

Needs a screen; ``xvfb-run -s "-screen 0 1600x1000x24"`` is one. Works on a copy of the results.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import napari
import shapely
from PIL import Image
from qtpy.QtCore import QSettings
from qtpy.QtWidgets import QApplication, QCheckBox, QWidget

from napari_macprox.desk import Desk, desk_in

PICTURES = Path(__file__).parent / "images" / "review"
WINDOW_PX = (1400, 880)
PATIENCE_S = 120
CLOSE_UP_UM = 130.0


def main(results: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        QSettings.setPath(QSettings.Format.IniFormat, QSettings.Scope.UserScope, scratch)
        copy = Path(scratch) / "results"
        shutil.copytree(results, copy)
        viewer = napari.Viewer(title="macprox")
        viewer.window.resize(*WINDOW_PX)
        desk = desk_in(viewer)
        _until(desk.review.answered, lambda: desk.review.open_results(copy))
        _wait_until_idle(desk)
        desk.review.rename_reviewer("Dr. A. Example")
        for draw in (slides, gates, cells, regions, proximity, check, sign_off):
            draw(desk)
            _save(viewer, draw.__name__)
        viewer.close()


def slides(desk: Desk) -> None:
    desk.turn_to("Slides")


def gates(desk: Desk) -> None:
    desk.turn_to("Gates").choose("CD68")


def cells(desk: Desk) -> None:
    desk.turn_to("Cells")
    all_cells = desk.review.session.called.cells
    cell = all_cells[all_cells["phenotype"] == "AM/TRM-like"].iloc[7]
    desk.review.go_to(cell["x_um"], cell["y_um"], CLOSE_UP_UM)
    desk.review.select(int(cell["cell_id"]))


def regions(desk: Desk) -> None:
    desk.turn_to("Regions")
    desk.review.select(None)
    drawn = shapely.Point(330, 120).buffer(45)
    _decide(desk, lambda session: session.draw_region("exclusion", drawn, "fold"))
    desk.review.viewer.reset_view()


def proximity(desk: Desk) -> None:
    _tick(desk.turn_to("Proximity"), True)
    _wait_until_idle(desk)


def check(desk: Desk) -> None:
    _tick(desk.panel("Proximity"), False)
    panel = desk.turn_to("Check")
    panel.draw()
    panel.start()
    _wait_until_idle(desk)


def sign_off(desk: Desk) -> None:
    desk.turn_to("Sign-off")
    desk.review.viewer.reset_view()


def _tick(panel: QWidget, on: bool) -> None:
    for box in panel.findChildren(QCheckBox):
        box.setChecked(on)


def _decide(desk: Desk, action: Callable) -> None:
    _until(desk.review.answered, lambda: desk.review.do(action))


def _until(signal, begin: Callable[[], object]) -> None:
    came: list[bool] = []
    signal.connect(lambda: came.append(True))
    begin()
    started = time.monotonic()
    while not came and time.monotonic() - started < PATIENCE_S:
        QApplication.processEvents()
        time.sleep(0.01)


def _wait_until_idle(desk: Desk) -> None:
    started = time.monotonic()
    while desk.review.is_busy and time.monotonic() - started < PATIENCE_S:
        QApplication.processEvents()
        time.sleep(0.01)


def _save(viewer: napari.Viewer, name: str) -> None:
    for _ in range(5):  # a pyramid changes its level while it is drawn
        QApplication.processEvents()
        viewer.screenshot(canvas_only=True, flash=False)
        time.sleep(0.1)
    PICTURES.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(viewer.screenshot(canvas_only=False, flash=False)).convert("RGB")
    picture.quantize(200, kmeans=4).save(PICTURES / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
