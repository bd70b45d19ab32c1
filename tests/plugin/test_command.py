"""`macprox review`, from the command line to a window."""

from __future__ import annotations

import pytest

import small_runs
from napari_macprox import command


def test_a_folder_without_results_is_refused_before_a_window_opens(tmp_path):
    ended = small_runs.macprox("review", tmp_path)
    assert ended.code == 2
    assert "No results in" in ended.err


def test_without_a_screen_it_says_where_to_go(result, monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    ended = small_runs.macprox("review", result.path.parents[1])
    assert ended.code == 2
    assert "There is no screen here" in ended.err


def test_without_the_plugin_it_says_what_to_install(result, monkeypatch):
    monkeypatch.setattr("macprox.cli.review.entry_points", lambda group: [])
    ended = small_runs.macprox("review", result.path.parents[1])
    assert ended.code == 2
    assert 'pip install "macprox[napari]"' in ended.err


def test_a_plugin_whose_napari_is_gone_is_like_none(result, monkeypatch):
    class Broken:
        def load(self):
            raise ImportError("napari")

    monkeypatch.setattr("macprox.cli.review.entry_points", lambda group: [Broken()])
    assert "needs napari" in small_runs.macprox("review", result.path).err


@pytest.mark.usefixtures("screen")
def test_the_command_opens_the_review_of_the_folder(result, monkeypatch, make_napari_viewer):
    pytest.importorskip("napari", reason="needs the napari extra")
    opened = []
    viewer = make_napari_viewer()
    monkeypatch.setattr("napari.Viewer", lambda title: viewer)
    monkeypatch.setattr("napari.run", lambda: opened.append(command))
    monkeypatch.setattr("napari_macprox.desk.review_in", lambda *given: opened.append(given))
    ended = small_runs.macprox("review", result.path.parents[1])
    assert ended.code == 0, ended.err
    assert opened == [(viewer, result.path.parents[1]), command]
