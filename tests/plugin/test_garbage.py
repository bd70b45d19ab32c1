"""Garbage is looked for in the window's thread, and in no other."""

import gc
import threading

import pytest

pytest.importorskip("napari", reason="needs the napari extra")
pytest.importorskip("pytestqt", reason="needs the test extra")

from qtpy.QtCore import QCoreApplication, QEvent, QObject

from napari_macprox.garbage import GarbageCollector

pytestmark = pytest.mark.usefixtures("screen")


def test_no_other_thread_collects_while_a_window_is_under_review(qtbot, monkeypatch):
    monkeypatch.setattr("napari_macprox.garbage._at_work", set())  # of other tests' windows
    seen, held = [], []

    def note(phase, info):
        seen.append(threading.get_ident())

    window = QObject()
    collector = GarbageCollector(window)
    gc.callbacks.append(note)
    try:
        thread = threading.Thread(target=lambda: held.extend([] for _ in range(100_000)))
        thread.start()
        thread.join()
        assert seen == []
        assert gc.get_count()[0] > gc.get_threshold()[0]  # control: there was reason enough
        collector.collect()
        assert set(seen) == {threading.get_ident()}
    finally:
        gc.callbacks.remove(note)
    window.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    assert gc.isenabled()
