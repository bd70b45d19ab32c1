"""Qt's bindings give back no reference that they did not take, or they end a window one day."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

pytest.importorskip("napari", reason="needs the napari extra")

# PySide6 6.12.0 lost four references to True with each piece of work in a thread. Where they are
# counted (before Python 3.12), the process ends when none is left: after some 4,000.
WORK = """
import json, sys
from qtpy.QtCore import QObject, QTimer
from qtpy.QtWidgets import QApplication, QDoubleSpinBox, QLabel, QVBoxLayout, QWidget
from napari_macprox.background import begin

def counts():
    return [sys.getrefcount(each) for each in (None, True, False)]

def a_widget():
    widget = QWidget()
    layout = QVBoxLayout(widget)
    layout.addWidget(QDoubleSpinBox())
    layout.addWidget(QLabel("text"))
    widget.deleteLater()
    application.processEvents()

def work_on(_=None):
    global left
    left -= 1
    if left:
        begin(asking, int, ended=work_on)
    else:
        application.quit()

application = QApplication([])
asking, left = QObject(), 50
a_widget()
before = counts()
for _ in range(50):
    a_widget()
QTimer.singleShot(0, work_on)
application.exec()
print(json.dumps([after - earlier for after, earlier in zip(counts(), before)]))
"""


@pytest.mark.usefixtures("screen")
@pytest.mark.skipif(sys.version_info >= (3, 12), reason="None, True and False are immortal here")
def test_no_reference_is_given_back_twice():
    ended = subprocess.run([sys.executable, "-c", WORK], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
    none, true, false = json.loads(ended.stdout)
    assert min(none, true, false) > -50  # less than one a widget and piece of work
