"""What `macprox doctor` hears of this computer's own window."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from macprox.doctor.screen import screen

pytest.importorskip("napari", reason="needs the napari extra")


@pytest.mark.usefixtures("screen")
def test_where_a_window_opens_the_doctor_says_with_what(monkeypatch):
    probe = EntryPoint("napari", "napari_macprox.probe:main", "macprox.doctor")
    monkeypatch.setattr("macprox.doctor.screen.entry_points", lambda group: [probe])
    found = {finding.about: finding for finding in screen()}
    assert "napari" in found["window"].found
    assert found["window"].verdict == "ok"
    assert set(found["OpenGL"].facts) >= {"vendor", "renderer", "version"}
    assert found["OpenGL"].verdict != "problem"


def test_a_screen_that_is_not_there_ends_no_doctor(monkeypatch):
    probe = EntryPoint("napari", "napari_macprox.probe:main", "macprox.doctor")
    monkeypatch.setattr("macprox.doctor.screen.entry_points", lambda group: [probe])
    monkeypatch.setenv("DISPLAY", "nowhere:9")
    monkeypatch.setenv("QT_QPA_PLATFORM", "xcb")
    window = next(finding for finding in screen() if finding.about == "window")
    assert window.verdict == "problem"
    assert "nowhere" not in window.found
    assert window.remedy
