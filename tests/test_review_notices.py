"""Every folder that can go wrong opens with a sentence that says what to do."""

import json
import shutil
from pathlib import Path
from unittest.mock import patch

import pandas as pd
import pytest

import small_runs
from macprox import batch
from macprox.edits import CellDeleted, EditLog, GateMoved, PhenotypeSet
from macprox.review.slides.notices import Notice, folder_notices, read_only_reason

WHO = {"slide_id": "field", "reviewer": "Dr. Ünal"}
MOVED = GateMoved(**WHO, marker="CD68", before=300, after=290)


def the_only(result) -> Notice:
    (notice,) = folder_notices(result.path)
    return notice


def note(result, **facts):
    path = result.folder.manifest
    path.write_text(json.dumps(json.loads(path.read_text()) | facts))


def source_of(result):
    return json.loads(result.folder.manifest.read_text())["source"]


@pytest.fixture
def own_image(small_copy, tmp_path) -> Path:
    """The slide's image in a place of its own, where the result knows it."""
    image = tmp_path / "slides" / "field.ome.tif"
    image.parent.mkdir()
    shutil.copy(source_of(small_copy)["path"], image)
    note(small_copy, source={**source_of(small_copy), "path": str(image)})
    return image


def test_nothing_is_said_of_a_whole_folder(small_result, small_copy, own_image):
    assert folder_notices(small_result.path) == []
    assert folder_notices(small_copy.path) == []


def test_no_folder_and_the_folder_above_are_told_apart(small_copy):
    results = small_copy.path.parents[1]
    (notice,) = folder_notices(results / "slides" / "nowhere")
    assert notice.level == "stop"
    assert "There is no folder" in notice.text
    (notice,) = folder_notices(results)
    assert f"open one, such as {small_copy.path}" in notice.text


@pytest.mark.parametrize("stages", [{}, {"survey": {"fingerprint": "x"}}])
def test_a_half_written_result_goes_on_with_the_same_command(small_copy, stages):
    note(small_copy, stages=stages)
    notice = the_only(small_copy)
    assert (notice.level, notice.about) == ("stop", "result")
    assert notice.text.startswith("This result is half written")
    assert "Run the same `macprox run` command again" in notice.text


def test_a_failed_run_says_why(small_copy):
    note(small_copy, failure="field.ome.tif is truncated.")
    notice = the_only(small_copy)
    assert notice.level == "stop"
    assert "field.ome.tif is truncated." in notice.text


@pytest.mark.parametrize("name", ["cells", "gates", "regions", "statistics"])
def test_a_missing_table_is_named(small_copy, name):
    path = getattr(small_copy.folder, name)
    path.unlink()
    notice = the_only(small_copy)
    assert notice.level == "stop"
    assert f"{path.name} is missing" in notice.text


def test_a_damaged_manifest_study_and_cell_table_are_told(small_copy):
    whole = small_copy.folder.cells.read_bytes()
    small_copy.folder.cells.write_bytes(whole[: len(whole) // 2])
    assert "damaged" in the_only(small_copy).text
    small_copy.folder.cells.write_bytes(whole)
    study = small_copy.path.parents[1] / "study.toml"
    text = study.read_text()
    study.write_text("[imag]\n")
    notice = the_only(small_copy)
    assert notice.level == "stop"
    assert "imag" in notice.text
    study.write_text(text)
    small_copy.folder.manifest.write_text('{"stages": ')
    assert "not valid JSON" in the_only(small_copy).text


def test_a_slide_that_was_moved_is_asked_for(small_copy, own_image):
    own_image.rename(own_image.with_name("elsewhere.ome.tif"))
    notice = the_only(small_copy)
    assert (notice.level, notice.about) == ("warning", "image")
    assert str(own_image) in notice.text
    assert "say where it is now" in notice.text


def test_an_image_that_changed_or_broke_is_told(small_copy, own_image):
    small_runs.write_slide(own_image, small_runs.tissue(seed=4))
    notice = the_only(small_copy)
    assert (notice.level, notice.about) == ("warning", "image")
    assert "has changed since its cells were found" in notice.text
    own_image.write_bytes(b"no image")
    assert "cannot be opened" in the_only(small_copy).text


def test_outlines_that_are_gone_leave_points(small_copy):
    shutil.rmtree(small_copy.folder.labels / "cells")
    notice = the_only(small_copy)
    assert (notice.level, notice.about) == ("warning", "labels")
    assert "outlines of cells are missing" in notice.text


def test_a_torn_last_line_is_told_until_it_is_written_over(small_copy):
    log = EditLog(small_copy.folder.edits)
    log.append(MOVED)
    with small_runs.without_reports():
        batch.update(small_copy.path.parents[1])
    assert folder_notices(small_copy.path) == []
    with log.path.open("ab") as file:
        file.write(b'{"what": "gate", "slide_id": "fie')
    assert log.is_torn
    notice = the_only(small_copy)
    assert (notice.level, notice.about) == ("warning", "log")
    assert "do it again" in notice.text
    log.append(MOVED)
    assert not log.is_torn
    assert [n.about for n in folder_notices(small_copy.path)] in ([], ["statistics"])


def test_a_last_line_without_its_end_is_no_torn_one(small_copy):
    log = EditLog(small_copy.folder.edits)
    assert not log.is_torn
    log.append(MOVED)
    log.path.write_bytes(log.path.read_bytes().rstrip(b"\n"))
    assert not log.is_torn
    assert "log" not in [notice.about for notice in folder_notices(small_copy.path)]


def test_a_damaged_line_stops_and_is_numbered(small_copy):
    log = EditLog(small_copy.folder.edits)
    log.append(MOVED, MOVED)
    first, second, end = log.path.read_text().split("\n")
    log.path.write_text("\n".join([first[:30], second, end]))
    worst = folder_notices(small_copy.path)[0]
    assert (worst.level, worst.about) == ("stop", "log")
    assert "line 1" in worst.text
    assert "Restore the file from a copy" in worst.text


def test_a_log_that_cannot_be_read_stops(small_copy):
    small_copy.folder.edits.mkdir()
    worst = folder_notices(small_copy.path)[0]
    assert (worst.level, worst.about) == ("stop", "log")


def test_results_of_another_version_can_be_looked_at(small_copy):
    note(small_copy, versions={"macprox": "0.0.1"})
    notice = the_only(small_copy)
    assert (notice.level, notice.about) == ("warning", "version")
    assert "made with macprox 0.0.1" in notice.text
    cells = small_copy.cells().drop(columns="in_window")
    cells.to_parquet(small_copy.folder.cells)
    worst = folder_notices(small_copy.path)[0]
    assert (worst.level, worst.about) == ("stop", "version")
    assert "lacks in_window" in worst.text
    assert "macprox update" in worst.text


def test_a_read_only_folder_is_told_and_where_to_go(small_copy):
    assert read_only_reason(small_copy.folder) == ""
    # Not by mode bits: whoever tests as root may write everywhere.
    with patch("macprox.review.slides.notices.os.access", return_value=False):
        notice = the_only(small_copy)
    assert (notice.level, notice.about) == ("warning", "rights")
    assert "Copy the result folder to a place of yours" in notice.text


def test_a_folder_that_is_gone_is_to_be_brought_back(small_copy):
    shutil.rmtree(small_copy.path)
    assert "Bring it back" in read_only_reason(small_copy.folder)


def test_decisions_newer_than_the_statistics_are_told_until_the_update(small_copy):
    EditLog(small_copy.folder.edits).append(MOVED)
    notice = the_only(small_copy)
    assert (notice.level, notice.about) == ("info", "statistics")
    assert "older than the corrections" in notice.text
    with small_runs.without_reports():
        batch.update(small_copy.path.parents[1])
    assert folder_notices(small_copy.path) == []


def test_a_study_newer_than_the_statistics_is_told(small_copy):
    study = small_copy.path.parents[1] / "study.toml"
    study.write_text(study.read_text().replace("margin_um = 100.0", "margin_um = 90.0"))
    notice = the_only(small_copy)
    assert (notice.level, notice.about) == ("info", "statistics")
    assert "older than study.toml" in notice.text


def test_every_lost_decision_is_told(small_copy):
    EditLog(small_copy.folder.edits).append(
        CellDeleted(**WHO, x_um=5000.0, y_um=5000.0),
        PhenotypeSet(**WHO, x_um=6000.0, y_um=10.0, before="Other", after="Macrophage"),
    )
    with small_runs.without_reports():
        batch.update(small_copy.path.parents[1])
    notices = folder_notices(small_copy.path)
    assert [notice.about for notice in notices] == ["edits", "edits"]
    assert "Macrophage" in " ".join(notice.text for notice in notices)
    assert all("Look at the place" in notice.text for notice in notices)


def test_cells_of_another_tools_table_are_told(tmp_path):
    cells = pd.DataFrame(
        {"x_um": [10.0, 20, 30, 40], "y_um": [10.0, 20, 30, 40], "kind": ["T", "M", "T", "M"]}
    )
    table = tmp_path / "cells.csv"
    cells.to_csv(table, index=False)
    out = tmp_path / "results"
    with small_runs.without_reports():
        ended = small_runs.macprox(
            "stats", table, "--source", "M", "--target", "T", "--out", out,
            "--x", "x_um", "--y", "y_um", "--phenotype", "kind",
        )  # fmt: skip
    assert ended.code == 0, ended.err
    (slide,) = (out / "slides").iterdir()
    (notice,) = folder_notices(slide)
    assert (notice.level, notice.about) == ("info", "image")
    assert "table of another tool" in notice.text


def test_the_worst_comes_first(small_copy):
    note(small_copy, failure="no disk", source={**source_of(small_copy), "path": "/nowhere.tif"})
    assert [notice.level for notice in folder_notices(small_copy.path)] == ["stop", "warning"]
