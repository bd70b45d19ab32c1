"""PySide6 on Python 3.11 loses references to None, True and False; the window outlives that."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("napari", reason="needs the napari extra")

from napari_macprox.lasting_constants import CONSTANTS, ENOUGH, spare_constants

pytestmark = pytest.mark.skipif(
    sys.version_info >= (3, 12), reason="None, True and False are immortal on this Python"
)

# As after a long day: a thousand references are left, and each piece of work loses four.
LATE_IN_THE_DAY = """
import ctypes, sys
from qtpy.QtCore import QCoreApplication, QObject, QTimer
from napari_macprox.background import begin
from napari_macprox.lasting_constants import spare_constants

if "spare" in sys.argv:
    spare_constants()
ctypes.c_ssize_t.from_address(id(True)).value -= sys.getrefcount(True) % (1 << 39) - 1000
application = QCoreApplication([])
asking, left = QObject(), 500

def work_on(_=None):
    global left
    left -= 1
    begin(asking, int, ended=work_on) if left else application.quit()

QTimer.singleShot(0, work_on)
application.exec()
print("at the end", sys.getrefcount(True))
"""


@pytest.mark.usefixtures("screen")
def test_a_day_of_work_in_threads_ends_well():
    ended = subprocess.run(
        [sys.executable, "-c", LATE_IN_THE_DAY, "spare"],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("at the end")


def test_constants_are_spared_once():
    for _ in range(2):
        spare_constants()
        assert all(ENOUGH // 2 < sys.getrefcount(each) < 2 * ENOUGH for each in CONSTANTS)
