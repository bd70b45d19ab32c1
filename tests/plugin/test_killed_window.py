"""A window that is killed while somebody clicks: what it acknowledged is there, labels too."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest

pytest.importorskip("napari", reason="needs the napari extra")
pytest.importorskip("pytestqt", reason="needs the test extra")

import macprox as mp
from macprox.edits import CellsRedrawn, EditLog, GateMoved
from macprox.review.recalculation import recalculate
from macprox.review.session import ReviewSession
from review_windows import opened

pytestmark = [pytest.mark.usefixtures("screen"), pytest.mark.slow]

# Cuts are moved, every fourth time a cell is rubbed out; the window's own work goes on in between.
CLICKS = """
import sys
import time
import napari
from qtpy.QtWidgets import QApplication
from macprox.review.outlines.crop import crop_edit, cut_crop
from napari_macprox.desk import review_in

viewer = napari.Viewer()
review = review_in(viewer, sys.argv[1]).review
review.rename_reviewer("A. Reviewer")
review.said.connect(lambda text, level: sys.stderr.write(f"{level}: {text}\\n"))

def wait(is_over):
    while not is_over():
        QApplication.processEvents()
        time.sleep(0.01)

def rub_out(session):
    cells = session.called.cells
    before = cut_crop(session.result, (cells["x_um"].iloc[0], cells["y_um"].iloc[0]), 128)
    ids = before.cells.copy()
    ids[ids == cells["cell_id"].iloc[0]] = 0
    session.redraw(crop_edit(before, ids))

def acknowledge(what):
    sys.stdout.write(f"{what}\\n")
    sys.stdout.flush()

wait(lambda: review.session is not None and review.session.answer is not None)
wait(lambda: not review.is_busy)
for number in range(1, 10_000):
    if number % 4 == 0 and review.do(rub_out):
        acknowledge("rubbed out")
    elif review.do(lambda session: session.move_gate("CD68", 300.0 + number)):
        acknowledge(300 + number)
    until = time.monotonic() + 0.15 * (number % 5)  # now and then long enough for new numbers
    wait(lambda: time.monotonic() > until)
"""


def pixels(result: mp.SlideResult) -> dict[str, bytes]:
    files = [path for path in sorted(result.folder.labels.rglob("*")) if path.is_file()]
    return {str(path.relative_to(result.path)): path.read_bytes() for path in files}


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL on this system")
@pytest.mark.parametrize("attempt", [0, 1, 2])
def test_a_window_killed_while_it_is_used_has_lost_nothing(
    moved, make_napari_viewer, qtbot, tmp_path, attempt
):
    twin = shutil.copytree(moved.path.parents[1], tmp_path / "twin") / "slides" / moved.slide_id
    before = pixels(moved)
    acknowledged = clicked_until_killed(moved.path, random.Random(attempt).uniform(2.0, 4.0))
    events = EditLog(moved.folder.edits).read()
    gates = [event.after for event in events if isinstance(event, GateMoved)]
    redraws = [event for event in events if isinstance(event, CellsRedrawn)]
    told = [float(said) for said in acknowledged if said != "rubbed out"]
    assert gates[: len(told)] == told
    assert len(redraws) >= acknowledged.count("rubbed out") > 0
    assert len(events) - len(acknowledged) in (0, 1)  # one may be written and not yet told
    review = opened(qtbot, make_napari_viewer(), moved)
    assert [problem for problem in review.problems if problem[0] != "info"] == []
    assert not review.session.is_stale

    shutil.copy(moved.folder.edits, twin / "edits.jsonl")  # the same, and nobody was killed
    unhurt = ReviewSession.open(twin)
    found = recalculate(unhurt.snapshot())
    assert pixels(mp.open_result(twin)) == pixels(moved) != before
    assert review.session.called.cells.equals(found.called.cells)


def clicked_until_killed(path, seconds: float) -> list[str]:
    """What a window of its own acknowledged before it was killed."""
    command = [sys.executable, "-W", "ignore", "-c", CLICKS, path]
    settings = {"NAPARI_CONFIG": str(path.parents[2] / "napari.yaml")}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, **settings}
    ) as clicks:
        assert clicks.stdout is not None
        first = clicks.stdout.readline()
        assert first == "301\n"  # it has begun
        time.sleep(seconds)
        clicks.send_signal(signal.SIGKILL)
        return [first.strip(), *clicks.stdout.read().split("\n")[:-1]]
