"""A process that is killed at any moment has lost no decision that it had acknowledged."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time

import pytest

from macprox.edits import EditLog, GateMoved, replay

CLICKS = """
import sys
from pathlib import Path
from macprox.edits import GateMoved
from macprox.io.store import SlideFolder
from macprox.review.journal import Journal

journal = Journal(SlideFolder(Path(sys.argv[1])))
for number in range(1, 100_000):
    moved = GateMoved(slide_id="a", reviewer="A", marker="CD68", before=None, after=float(number))
    journal.add("move", [moved])
    sys.stdout.write(f"{number}\\n")
    sys.stdout.flush()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL on this system")
def test_killed_after_any_click_nothing_is_lost(tmp_path):
    when = random.Random(5)
    for attempt in range(3):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        command = [sys.executable, "-c", CLICKS, folder]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as clicks:
            assert clicks.stdout is not None
            assert clicks.stdout.readline() == "1\n"  # it has begun
            time.sleep(when.uniform(0, 0.2))
            clicks.send_signal(signal.SIGKILL)
            acknowledged = [1, *map(int, clicks.stdout.read().split())]
        events = EditLog(folder / "edits.jsonl").read()
        assert len(events) >= len(acknowledged)
        assert [event.after for event in events] == [float(n + 1) for n in range(len(events))]


def test_a_line_torn_by_the_crash_costs_no_other(tmp_path):
    log = EditLog(tmp_path / "edits.jsonl")
    moved = GateMoved(slide_id="a", reviewer="A", marker="CD68", before=None, after=1.0)
    log.append(moved)
    whole = log.path.read_bytes()
    for kept in range(1, len(whole) - 1, 7):
        log.path.write_bytes(whole + whole[:kept])
        assert len(log.read()) == 1
        log.append(moved)
        assert replay(log.read()).gates["CD68", None].value == 1.0
