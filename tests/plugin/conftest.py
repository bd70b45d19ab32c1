"""One finished slide for every test of the plugin, and a window only where there can be one."""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import sys

import pytest

import macprox as mp
import small_runs

# A Qt without a screen, or without one of its libraries, ends the interpreter: asked elsewhere.
PROBE = """
from qtpy.QtGui import QGuiApplication
print(QGuiApplication([]).platformName())
"""


@pytest.fixture(scope="session")
def result(tmp_path_factory) -> mp.SlideResult:
    """Pixels, cells, a tumour border: a small slide that went through the pipeline."""
    folder = tmp_path_factory.mktemp("plugin")
    slide = small_runs.write_slide(folder / "slides" / "field.ome.tif", levels=2)
    study = small_runs.write_study(folder / "study.toml")
    (finished,) = mp.run([slide], study, folder / "results")
    return finished


@pytest.fixture
def moved(result, tmp_path) -> mp.SlideResult:
    """The same result in a folder of its own, for tests that break something."""
    shutil.copytree(result.path.parents[1], tmp_path / "results")
    return mp.open_result(tmp_path / "results" / "slides" / result.slide_id)


@pytest.fixture
def review(screen, make_napari_viewer, qtbot, moved):
    """The same slide under review in a real viewer."""
    from review_windows import opened

    return opened(qtbot, make_napari_viewer(show=True), moved)


@pytest.fixture(autouse=True)
def _nothing_remembered(tmp_path) -> None:
    """Reviewers' names of a test are neither found nor left in the settings of who runs it."""
    try:
        from qtpy.QtCore import QSettings
    except ImportError:
        return
    QSettings.setPath(QSettings.Format.IniFormat, QSettings.Scope.UserScope, str(tmp_path))


@pytest.fixture(autouse=True)
def _garbage_is_collected():
    """Reviews that a test leaves behind have no event loop any more to collect it in."""
    yield
    gc.enable()


@pytest.fixture(scope="session")
def screen() -> None:
    """Skip where no window can be opened; fail where one is promised (CI)."""
    reason = _why_no_window()
    if reason and os.environ.get("CI"):
        pytest.fail(f"CI must show windows: {reason}")
    if reason:
        pytest.skip(reason)


def _why_no_window() -> str:
    if sys.platform.startswith("linux") and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    ):
        return "no display, and no Xvfb to make one (Debian: xvfb xauth)"
    asked = subprocess.run(
        [sys.executable, "-c", PROBE], capture_output=True, text=True, timeout=60
    )
    if asked.returncode:
        return f"Qt opens no window: {' '.join(asked.stderr.split())[:300] or 'no reason given'}"
    if asked.stdout.strip() == "offscreen":
        return "Qt runs offscreen, where napari has no OpenGL; unset QT_QPA_PLATFORM"
    return ""
