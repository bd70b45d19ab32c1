"""Folders that went wrong, opened in a window: a sentence says what to do, and the window lives."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import pandas as pd
import pytest
import shapely

pytest.importorskip("napari", reason="needs the napari extra")
pytest.importorskip("pytestqt", reason="needs the test extra")

from qtpy.QtWidgets import QFileDialog, QTableWidget

import macprox as mp
import small_runs
from macprox.edits import EditLog
from napari_macprox.desk import PANELS
from plugin.pathologist import Pathologist

pytestmark = pytest.mark.usefixtures("screen")

BROKEN = "broken"
Break = Callable[[Path], object]


@pytest.fixture
def who(make_napari_viewer, qtbot, caplog):
    who = Pathologist(make_napari_viewer(show=True), qtbot)
    who.review.rename_reviewer("A. Reviewer")
    yield who
    assert "a bug in macprox" not in caplog.text


@pytest.fixture
def broken(moved) -> Callable[[Break], Path]:
    """The same slide once more, with something wrong."""

    def copy(break_it: Break) -> Path:
        folder = moved.path.parent / BROKEN
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(moved.path, folder)
        break_it(folder)
        return folder

    return copy


def half(name: str) -> Break:
    def cut(folder: Path) -> None:
        whole = (folder / name).read_bytes()
        (folder / name).write_bytes(whole[: len(whole) // 2])

    return cut


def without(name: str) -> Break:
    def remove(folder: Path) -> None:
        path = folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    return remove


def written(name: str, content: bytes) -> Break:
    return lambda folder: (folder / name).write_bytes(content)


def noted(change: Callable[[dict], object]) -> Break:
    def note(folder: Path) -> None:
        manifest = json.loads((folder / "manifest.json").read_text())
        change(manifest)
        (folder / "manifest.json").write_text(json.dumps(manifest))

    return note


IMAGE_GONE = noted(lambda m: m["source"].update(path="/nowhere/field.ome.tif"))

# What makes a slide one that cannot be shown, and what the window says then.
REFUSED: dict[str, tuple[Break, str]] = {
    "nothing but a manifest without stages": (
        noted(lambda m: (m.clear(), m.update(stages={}))),
        "Run the same `macprox run` command again",
    ),
    "a manifest cut short": (half("manifest.json"), "delete it to redo the slide"),
    "no pixel size": (noted(lambda m: m["source"].pop("pixel_size_um")), "has no pixel size"),
    "no cells": (without("cells.parquet"), "Run the same `macprox run` command again"),
    "half the cells": (half("cells.parquet"), "Delete this file and give the slide to"),
    "no gates": (without("gates.parquet"), "Run the same `macprox run` command again"),
    "no regions": (without("regions.geojson"), "Run the same `macprox run` command again"),
    "half the regions": (half("regions.geojson"), "Delete this file and give the slide to"),
    "half the quality": (half("quality.geojson"), "Delete this file and give the slide to"),
    "a damaged line in the log": (
        written("edits.jsonl", b'{"what"\n{"what"\n'),
        "line 1: expected one event of the reviewer's log",
    ),
    "a log that is no text": (written("edits.jsonl", b"\xff\xfe\x00\n\xff\n"), "Restore the file"),
}

# What can be looked at all the same, and what the window says.
SHOWN: dict[str, tuple[Break, str]] = {
    "the analysis is missing": (noted(lambda m: m["stages"].pop("analysis")), "half written"),
    "no statistics": (without("statistics.parquet"), "statistics.parquet is missing"),
    "no labels": (without("labels.zarr"), "outlines of nuclei and cells are missing"),
    "a level of the labels gone": (without("labels.zarr/cells/1"), "outlines of cells are damaged"),
    "half a file of the labels": (half("labels.zarr/cells/0/zarr.json"), "copy labels.zarr back"),
    "no image": (IMAGE_GONE, "say where it is now"),
    "no image and a damaged overview": (
        lambda folder: (IMAGE_GONE(folder), half("work/overview.zarr/zarr.json")(folder)),
        "say where it is now",
    ),
    "measurements gone": (without("work"), "measurements.parquet is missing; give the slide to"),
    "half the measurements": (half("work/measurements.parquet"), "Delete this file and give"),
    "a torn last line": (
        written("edits.jsonl", b'{"what": "gate", "slide_id": "fie'),
        "look at what you did last, and do it again",
    ),
    "another version": (
        noted(lambda m: m["versions"].update(macprox="0.0.1")),
        "made with macprox 0.0.1",
    ),
    "a failed run": (noted(lambda m: m.update(failure="disk full.")), "failed: disk full."),
}

SEEN_OFTEN = ("half a file of the labels", "measurements gone")


def test_a_slide_that_cannot_be_shown_is_explained_and_the_next_one_opens(who, moved, broken):
    for name, (break_it, says) in REFUSED.items():
        folder = broken(break_it)
        who.review.open_slide(folder)
        who.wait()
        assert says in who.read(), name
        assert "unexpected" not in who.read(), name
        who.desk.messages.clear()
    assert who.review.session is None
    listed = who.desk.panel("Slides").findChild(QTableWidget)
    assert [listed.item(i, 0).text() for i in range(2)] == [BROKEN, "field"]
    who.press(who.desk.panel("Slides"), "Next")
    who.wait()
    assert who.review.session.result.path == moved.path


@pytest.mark.parametrize(
    "name",
    [name if name in SEEN_OFTEN else pytest.param(name, marks=pytest.mark.slow) for name in SHOWN],
)
def test_what_is_left_of_a_slide_can_be_looked_at(who, broken, name):
    break_it, says = SHOWN[name]
    who.review.open_slide(broken(break_it))
    who.wait()
    assert says in who.read()
    session = who.review.session
    assert len(who.viewer.layers) > 0
    for panel in PANELS:
        who.desk.turn_to(panel)
    who.look()
    cell = session.called.cells.iloc[3]
    who.desk.panel("Cells").select_at(cell["x_um"], cell["y_um"])
    assert who.review.do(lambda now: now.set_phenotype([cell["cell_id"]], "Macrophage"))
    who.wait()
    assert len(EditLog(session.result.folder.edits).read()) == 1
    assert "unexpected" not in who.read()


def test_the_image_is_found_again_with_a_button(who, broken, monkeypatch, tmp_path):
    folder = broken(lambda _: None)
    image = Path(mp.open_result(folder).manifest["source"]["path"])
    (tmp_path / "elsewhere").mkdir()
    elsewhere = shutil.copy(image, tmp_path / "elsewhere")
    IMAGE_GONE(folder)
    who.review.open_slide(folder)
    who.wait()
    names = {layer.name for layer in who.viewer.layers}
    assert "CD68 (overview)" in names
    another = small_runs.write_slide(tmp_path / "b.ome.tif", small_runs.tissue(seed=4), levels=2)
    answers = iter([("", ""), (str(another), ""), (str(elsewhere), "")])
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: next(answers))
    who.press(who.desk.messages, "Find the image")  # and think better of it
    who.press(who.desk.messages, "Find the image")
    who.wait()
    assert "is not the image that the cells" in who.read()
    who.press(who.desk.messages, "Find the image")
    who.wait()
    assert "CD68" in {layer.name for layer in who.viewer.layers}
    assert "say where it is now" not in who.read()
    assert mp.open_result(folder).manifest["source"]["path"] == str(elsewhere)


def test_a_folder_that_cannot_be_written_is_told_and_nothing_is_decided(who, moved):
    # Not by mode bits: whoever tests as root may write everywhere.
    with patch("macprox.review.slides.notices.os.access", return_value=False):
        who.review.open_slide(moved.path)
        who.wait()
        assert "Copy the result folder to a place of yours" in who.read()
        cells = who.review.session.called.cells["cell_id"]
        assert not who.review.do(lambda session: session.delete(cells[:2]))
        who.desk.turn_to("Cells")
        who.press(who.desk.panel("Cells"), "Edit outlines")
        assert not moved.folder.edits.exists()
        assert len(who.review.session.called.cells) == len(cells)


def test_an_empty_folder_leaves_the_window_open_for_another(who, moved, tmp_path):
    (tmp_path / "empty").mkdir()
    who.review.open_results(tmp_path / "empty")
    assert "No results in" in who.read()
    who.review.open_results(moved.path.parents[1])
    who.wait()
    assert who.review.session is not None


def test_cells_of_another_tools_table_are_points_and_cannot_be_corrected(who, tmp_path):
    cells = pd.DataFrame({"x_um": range(10, 90, 10), "y_um": range(10, 90, 10)})
    cells.assign(kind=["T", "M"] * 4).to_csv(tmp_path / "cells.csv", index=False)
    with small_runs.without_reports():
        ended = small_runs.macprox(
            "stats", tmp_path / "cells.csv", "--source", "M", "--target", "T",
            "--out", tmp_path / "out", "--x", "x_um", "--y", "y_um", "--phenotype", "kind",
        )  # fmt: skip
    assert ended.code == 0, ended.err
    who.review.open_results(tmp_path / "out")
    who.wait()
    assert "came as a table of another tool" in who.read()
    assert "Find the image" not in who.read()
    for panel in PANELS:
        who.desk.turn_to(panel)
    who.desk.turn_to("Cells").select_at(30.0, 30.0)
    assert who.review.selected is not None
    assert not who.review.do(lambda session: session.delete([who.review.selected]))
    assert "run `macprox stats` again" in who.read()


@pytest.mark.parametrize("channel", ["panCK", pytest.param("DAPI", marks=pytest.mark.slow)])
def test_a_slide_without_tumour_and_one_without_cells(who, tmp_path, channel):
    pixels = small_runs.tissue()
    pixels[small_runs.CHANNELS.index(channel)] = 100
    slide = small_runs.write_slide(tmp_path / "field.ome.tif", pixels)
    with small_runs.without_reports():
        (result,) = mp.run([slide], small_runs.write_study(tmp_path / "s.toml"), tmp_path / "out")
    who.review.open_slide(result.path)
    who.wait()
    session = who.review.session
    assert session.called.regions.tumour.is_empty
    for panel in PANELS:
        who.desk.turn_to(panel)
        who.look()
    who.desk.turn_to("Cells").next_uncertain()
    who.desk.turn_to("Check").draw()
    assert who.review.do(lambda now: now.draw_region("tumour", shapely.box(40, 40, 160, 200)))
    who.wait()
    has_tissue = channel != "DAPI"
    assert session.called.regions.tumour.is_empty != has_tissue
    assert session.answer is not None
    who.review.undo()
    who.wait()
    assert session.called.regions.tumour.is_empty
    assert "unexpected" not in who.read()
