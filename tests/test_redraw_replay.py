"""Drawn cells through the pipeline: measured as tiles measure, taken back, killed, re-segmented."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import zarr

import macprox as mp
import scenes
import small_runs
from macprox.edits import CellsRedrawn, EditLog, RedrawWithdrawn
from macprox.errors import MacproxError, ResultError
from macprox.io import label_edit
from macprox.io.store import SlideFolder
from macprox.pipeline import RunOptions
from macprox.pipeline.marks import is_current
from macprox.pipeline.redrawing import sheets, stage
from macprox.pipeline.redrawing.stage import measurements_of, redraw_cells
from macprox.results import SlideResult
from macprox.review.outlines.crop import Crop, CropEdit, crop_edit, cut_crop
from macprox.review.outlines.shapes import add, merge, redraw, split

SIDE_PX = 560  # two levels of the pyramid
REVIEWER = {"slide_id": "field", "reviewer": "A. Reviewer", "time": "2026-11-22T10:00:00+00:00"}
CENTRE_UM = (140.0, 140.0)


@pytest.fixture(autouse=True, scope="module")
def figures_left_out():
    with small_runs.without_reports():
        yield


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> SlideResult:
    """A slide that nobody has drawn on: a blank channel, a body without nucleus, a gap."""
    folder = tmp_path_factory.mktemp("whole")
    tissue = small_runs.tissue(SIDE_PX)
    y, x = np.ogrid[:SIDE_PX, :SIDE_PX]
    from_body, from_gap = np.hypot(y - 330, x - 330), np.hypot(y - 380, x - 230)
    tissue[:, (from_body < 34) | (from_gap < 30)] = scenes.BACKGROUND
    tissue[2][from_body < 14] = 1500
    blank = small_runs.tissue(SIDE_PX, seed=8)[1] // 4 + 100
    image, names = np.concatenate([tissue, blank[None]]), (*small_runs.CHANNELS, "AF")
    slide = small_runs.write_slide(folder / "slides" / "field.ome.tif", image, names)
    text = small_runs.STUDY.replace('"DAPI"', '"DAPI"\nautofluorescence = "AF"')
    text = text.replace("[segmentation.", '[segmentation]\nmethod = "watershed"\n[segmentation.')
    study = small_runs.write_study(folder / "study.toml", text=text)
    return mp.run(slide, study, folder / "results")[0]


@pytest.fixture
def result(whole, tmp_path) -> SlideResult:
    """A result folder of one's own."""
    shutil.copytree(whole.path.parents[1], tmp_path / "results")
    return mp.open_result(tmp_path / "results" / "slides" / "field")


def crop_of(result: SlideResult, side_px: int = 300) -> Crop:
    return cut_crop(result, CENTRE_UM, side_px)


def draw(result: SlideResult, edit: CropEdit, redraw_id: str = "r1") -> None:
    assert edit, "test invalid: nothing was drawn"
    event = CellsRedrawn(**REVIEWER, redraw_id=redraw_id, removed=edit.removed, added=edit.added)
    EditLog(result.folder.edits).append(event)


def withdraw(result: SlideResult, redraw_id: str = "r1") -> None:
    EditLog(result.folder.edits).append(RedrawWithdrawn(**REVIEWER, redraw_id=redraw_id))


def update(result: SlideResult) -> small_runs.Ended:
    ended = small_runs.macprox("update", result.path.parents[1])
    assert ended.code == 0, ended.err
    return ended


def redrawn(result: SlideResult) -> str:
    return redraw_cells(result.study, result.folder)


def manifest(result: SlideResult) -> dict:
    return json.loads(result.folder.manifest.read_text(encoding="utf-8"))


def labels(folder: SlideFolder) -> dict[str, np.ndarray]:
    """Every level of both label images."""
    group = zarr.open_group(str(folder.labels), mode="r")
    images = ((name, group[name]) for name in ("nuclei", "cells"))
    return {f"{name}/{key}": np.asarray(image[key]) for name, image in images for key in image}


def assert_same_labels(found: SlideResult, expected: SlideResult | dict) -> None:
    expected = expected if isinstance(expected, dict) else labels(expected.folder)
    for name, image in labels(found.folder).items():
        np.testing.assert_array_equal(image, expected[name], name)


def assert_levels_agree(result: SlideResult) -> None:
    for name, image in labels(result.folder).items():
        image_name, level = name.split("/")
        step = 1 << int(level)
        full = labels(result.folder)[f"{image_name}/0"]
        np.testing.assert_array_equal(image, full[::step, ::step], name)


def free_ids(crop: Crop) -> np.ndarray:
    """Cells that the crop shows whole."""
    cut = crop.cut_off(crop.cells)
    return np.setdiff1d(np.unique(crop.cells), np.flatnonzero(cut))[1:]


def touching(crop: Crop) -> tuple[int, int]:
    """Two whole cells side by side."""
    left, right = crop.cells[:, :-1].ravel(), crop.cells[:, 1:].ravel()
    pairs = np.column_stack([left, right])[(left != right) & np.isin(left, free_ids(crop))]
    pairs = pairs[np.isin(pairs[:, 1], free_ids(crop))]
    return int(pairs[0, 0]), int(pairs[0, 1])


def bare(crop: Crop, radius_px: int = 7) -> np.ndarray:
    """A disc of background, as far from cells as there is."""
    from scipy import ndimage as ndi

    depth = ndi.distance_transform_edt(crop.cells == 0)
    depth[:30], depth[-30:], depth[:, :30], depth[:, -30:] = 0, 0, 0, 0
    y, x = np.unravel_index(depth.argmax(), depth.shape)
    assert depth.max() > radius_px + 1, "test invalid: no room"
    rows, columns = np.ogrid[: depth.shape[0], : depth.shape[1]]
    return (rows - y) ** 2 + (columns - x) ** 2 <= radius_px**2


def across(crop: Crop, cell_id: int) -> list[tuple[float, float]]:
    y, x = np.nonzero(crop.cells == cell_id)
    return [(y.min() - 3, x.mean()), (y.max() + 3, x.mean())]


# --- measured as tiles measure


def test_cells_drawn_as_they_were_are_measured_as_they_were(result, whole):
    crop = crop_of(result)
    outlines = crop_edit(crop, np.where(np.isin(crop.cells, free_ids(crop)), 0, crop.cells)).removed
    assert len(outlines) > 60
    assert sum(not cell["nucleus"] for cell in outlines) > 0
    before = measurements_of(result.folder)
    draw(result, CropEdit(outlines, outlines))
    update(result)
    after = measurements_of(result.folder)
    assert after["cell_id"].is_unique
    assert (after["cell_id"] > len(before)).sum() == len(outlines)
    unlike = ["cell_id", "clump"]  # who draws a body says that it is one
    pd.testing.assert_frame_equal(
        after.sort_values("anchor_px", ignore_index=True).drop(columns=unlike),
        before.drop(columns=unlike),
        check_exact=True,
    )
    unnamed = [np.asarray(one.labels("cells")) > 0 for one in (result, whole)]
    np.testing.assert_array_equal(*unnamed)
    assert_levels_agree(result)
    for of in ("value", "expected"):
        np.testing.assert_allclose(result.statistics()[of], whole.statistics()[of], rtol=1e-12)


def test_merge_split_and_add_change_the_numbers_as_drawn(result, whole):
    before, crop = measurements_of(result.folder), crop_of(result)
    one, other = touching(crop)
    third = int(next(i for i in free_ids(crop)[::-1] if i not in (one, other)))
    draw(result, crop_edit(crop, merge(crop.cells, [one, other])), "merge")
    draw(result, crop_edit(crop, split(crop.cells, third, across(crop, third))), "split")
    new = crop_edit(crop, add(crop.cells, bare(crop)))
    draw(result, new, "add")
    assert not is_current(result.study, result.folder)
    update(result)
    assert is_current(result.study, result.folder)
    n, cells = len(before), result.cells().set_index("cell_id")
    assert sorted(set(cells.index) - set(before["cell_id"])) == [n + 1, n + 2, n + 3, n + 4]
    assert not cells.index.isin([one, other, third]).any()
    assert manifest(result)["counts"]["cells"] == n + 1
    area = before.set_index("cell_id")["cell_area_um2"]
    assert cells["cell_area_um2"][n + 1] >= area[one] + area[other]
    np.testing.assert_allclose(cells["cell_area_um2"][[n + 2, n + 3]].sum(), area[third])
    assert (cells["x_um"][n + 4], cells["y_um"][n + 4]) == pytest.approx(
        (new.added[0]["x_um"], new.added[0]["y_um"])
    )
    shown = np.asarray(result.labels("cells"))
    assert set(np.unique(shown)[1:]) == set(cells.index)
    assert_levels_agree(result)
    contacts = pd.read_parquet(result.folder.contacts)
    assert contacts.to_numpy()[:, :2].max() > n
    assert not contacts.eq(one).to_numpy()[:, :2].any()
    facts = manifest(result)["redrawn"]
    assert (facts["drawings"], facts["added"], facts["removed"]) == (3, 4, 3)
    assert len(whole.cells()) == n


def test_withdrawn_drawings_leave_no_trace(result, whole):
    crop = crop_of(result)
    draw(result, crop_edit(crop, merge(crop.cells, touching(crop))), "a")
    draw(result, crop_edit(crop, add(crop.cells, bare(crop))), "b")
    update(result)
    assert len(result.cells()) == len(whole.cells())
    withdraw(result, "a")
    withdraw(result, "b")
    assert not is_current(result.study, result.folder)
    update(result)
    assert_same_labels(result, whole)
    for table in ("cells", "gates", "statistics"):
        pd.testing.assert_frame_equal(
            getattr(result, table)(), getattr(whole, table)(), check_exact=True
        )
    assert not result.folder.drawings.exists()
    assert not result.folder.redrawn.exists()
    assert not {"redrawn", "lost_redraws"} & set(manifest(result))
    assert "redrawn" not in manifest(result)["stages"]


def test_slides_without_drawings_pay_nothing(result, whole):
    before = small_runs.stages(result.path)
    with small_runs.no_pixels():
        update(result)
    assert small_runs.stages(result.path) == before
    assert redrawn(result) == before["segmentation"]["fingerprint"]


def test_what_is_drawn_is_drawn_once(result, monkeypatch):
    crop = crop_of(result)
    draw(result, crop_edit(crop, merge(crop.cells, touching(crop))))
    update(result)
    before = small_runs.stages(result.path)
    monkeypatch.setattr(sheets, "paint", None)  # painting anything would fail
    with small_runs.no_pixels():
        update(result)
    assert small_runs.stages(result.path) == before


def test_only_what_is_new_is_read(result):
    crop = crop_of(result)
    draw(result, crop_edit(crop, merge(crop.cells, touching(crop))), "a")
    redrawn(result)
    first = (result.folder.drawings / "000000.npz").stat().st_mtime_ns
    draw(
        result,
        crop_edit(crop_of(result), add(crop.cells * 0 + crop_of(result).cells, bare(crop))),
        "b",
    )
    redrawn(result)
    assert (result.folder.drawings / "000000.npz").stat().st_mtime_ns == first
    assert len(list(result.folder.drawings.iterdir())) == 2


# --- drawings on drawings


def test_a_drawing_of_a_drawn_cell_and_the_one_below_withdrawn(result, whole):
    crop = crop_of(result)
    draw(result, crop_edit(crop, merge(crop.cells, touching(crop))), "lower")
    redrawn(result)
    n = len(whole.cells())
    above = crop_of(result)
    assert (above.cells == n + 1).any()
    grown = above.cells == n + 1
    grown |= np.roll(grown, 2, axis=0) & (above.cells == 0)
    draw(result, crop_edit(above, redraw(above.cells, n + 1, grown)), "upper")
    redrawn(result)
    assert {n + 1, *touching(crop)}.isdisjoint(measurements_of(result.folder)["cell_id"])
    withdraw(result, "lower")
    redrawn(result)
    withdraw(result, "upper")
    redrawn(result)
    assert_same_labels(result, whole)


def test_numbers_are_never_given_twice(result):
    crop, n = crop_of(result), len(measurements_of(result.folder))
    edit = crop_edit(crop, add(crop.cells, bare(crop)))
    for redraw_id in ("a", "b"):
        draw(result, edit, redraw_id)
        redrawn(result)
        withdraw(result, redraw_id)
    draw(result, edit, "a")  # done again
    redrawn(result)
    assert measurements_of(result.folder)["cell_id"].iloc[-1] == n + 3
    assert len(measurements_of(result.folder)) == n + 1


def test_the_order_of_work_does_not_matter(result, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(result.path.parents[1], other)
    together = mp.open_result(other / "slides" / "field")
    crop = crop_of(result)
    one, two = touching(crop)
    draw(result, crop_edit(crop, merge(crop.cells, [one, two])), "a")
    redrawn(result)
    crop = crop_of(result)
    draw(result, crop_edit(crop, add(crop.cells, bare(crop))), "b")
    redrawn(result)
    shutil.copy(result.folder.edits, together.folder.edits)
    redrawn(together)
    assert_same_labels(together, result)
    pd.testing.assert_frame_equal(
        measurements_of(together.folder), measurements_of(result.folder), check_exact=True
    )


# --- killed on the way


class Killed(BaseException):
    """Stands for a process that ends between two writes."""


def killed_at(step: int, monkeypatch) -> Callable[[], int]:
    """Every write counts; the one of that number does not happen. How many there were."""
    count = [0]

    def counting(write):
        def wrapped(*arguments, **keywords):
            if count[0] == step:
                raise Killed
            count[0] += 1
            return write(*arguments, **keywords)

        return wrapped

    for module, name in (
        (label_edit, "_paint_chunk"), (sheets, "write_arrays"), (stage, "write_parquet"),
        (Path, "unlink"), (stage.Ledger, "note"), (stage.shutil, "rmtree"),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, counting(getattr(module, name)))
    return lambda: count[0]


def log_of(result: SlideResult, what: str) -> None:
    """Two drawings done, one or both of them then withdrawn."""
    crop = crop_of(result)
    draw(result, crop_edit(crop, merge(crop.cells, touching(crop))), "a")
    redrawn(result)
    crop = crop_of(result)
    draw(result, crop_edit(crop, add(crop.cells, bare(crop))), "b")
    redrawn(result)
    for redraw_id in {"the lower off": "a", "all off": "ab"}[what]:
        withdraw(result, redraw_id)


@pytest.mark.parametrize(
    ("what", "stride"),
    [
        ("the lower off", 4),
        pytest.param("the lower off", 1, marks=pytest.mark.slow),
        pytest.param("all off", 1, marks=pytest.mark.slow),
    ],
)
def test_a_kill_between_any_two_writes_heals(result, tmp_path, what, stride):
    log_of(result, what)
    kept = tmp_path / "kept"
    shutil.copytree(result.path, kept)
    redrawn(result)
    expected, table = labels(result.folder), measurements_of(result.folder)
    step, was_killed = 0, True
    while was_killed:
        shutil.rmtree(result.path)
        shutil.copytree(kept, result.path)
        with pytest.MonkeyPatch.context() as patching:
            n_writes = killed_at(step, patching)
            try:
                redrawn(result)
                was_killed = False
            except Killed:
                step += stride
        redrawn(result)
        assert_same_labels(result, expected)
        pd.testing.assert_frame_equal(measurements_of(result.folder), table, check_exact=True)
    assert 10 < n_writes() <= step


# --- another segmentation


def rerun(result: SlideResult, whole: SlideResult, *changes: tuple[str, str]) -> SlideResult:
    folder = result.path.parents[1]
    text = (whole.path.parents[1] / "study.toml").read_text(encoding="utf-8")
    study = small_runs.write_study(folder.parent / "study.toml", *changes, text=text)
    slide = whole.path.parents[2] / "slides" / "field.ome.tif"
    return mp.run(slide, study, folder)[0]


def test_drawings_survive_another_segmentation_or_are_told_lost(result, whole):
    crop = crop_of(result)
    merged = crop_edit(crop, merge(crop.cells, touching(crop)))
    draw(result, merged, "merge")
    draw(result, crop_edit(crop, add(crop.cells, bare(crop, 5))), "add")
    update(result)
    assert len(result.cells()) == len(whole.cells())
    again = rerun(result, whole, ("expansion_um = 4.0", "expansion_um = 14.0"))
    cells, n = again.cells(), len(pd.read_parquet(again.folder.measurements))
    assert len(cells) == n - 1
    drawn = cells[cells["cell_id"] == n + 1].squeeze()
    runs = np.array(merged.added[0]["cell"]).reshape(-1, 3)
    assert drawn["cell_area_um2"] == pytest.approx((runs[:, 2] - runs[:, 1]).sum() * 0.25)
    (lost,) = manifest(again)["lost_redraws"]
    assert lost.startswith("Drawing of the cell at x ")
    assert lost.endswith("µm (A. Reviewer, 2026-11-22): another cell lies there now.")
    assert manifest(again)["warnings"].count(lost) == 1
    assert_levels_agree(again)


@pytest.mark.slow
def test_a_survey_that_was_stopped_does_not_leave_drawn_labels_for_segmented_ones(
    result, whole, monkeypatch
):
    crop = crop_of(result)
    draw(result, crop_edit(crop, merge(crop.cells, touching(crop))))
    update(result)

    def stop(*_):
        raise MacproxError("stopped")

    with monkeypatch.context() as patching:
        patching.setattr("macprox.pipeline.run.survey_slide", stop)
        with pytest.raises(mp.batch.BatchError, match="stopped"):
            rerun(result, whole, ('autofluorescence = "AF"', ""))
    again = rerun(result, whole)
    withdraw(again)
    update(again)
    assert_same_labels(again, whole)


def test_seams_are_checked_on_the_labels_without_drawings(result, whole, monkeypatch):
    crop = crop_of(result)
    draw(result, crop_edit(crop, merge(crop.cells, touching(crop))))
    update(result)
    expected, seen = labels(result.folder), {}

    def look(slide, study, folder, *_):
        seen.update(labels(folder))
        raise MacproxError("seen")

    with monkeypatch.context() as patching:
        patching.setattr("macprox.pipeline.run.check_seams", look)
        options = RunOptions(check_seams=True)
        slide = whole.path.parents[2] / "slides" / "field.ome.tif"
        with pytest.raises(mp.batch.BatchError, match="seen"):
            mp.run(slide, result.study, result.path.parents[1], options=options)
    assert_same_labels(whole, seen)
    update(result)
    assert_same_labels(result, expected)


# --- without pixels


def test_without_the_image_drawn_cells_wait(result, whole, tmp_path):
    crop = crop_of(result)
    slide = Path(manifest(result)["source"]["path"])
    draw(result, crop_edit(crop, merge(crop.cells, touching(crop))))
    away = slide.with_name("moved")
    slide.rename(away)
    try:
        update(result)
        (warning,) = [text for text in manifest(result)["warnings"] if "drawn cell" in text]
        assert warning.startswith("1 drawn cell is in no number yet: the slide's pixels cannot be")
        assert "Put the image back and run `macprox update`" in warning
        n = len(whole.cells())
        assert (np.asarray(result.labels("cells")) == n + 1).any()
        assert len(result.cells()) == n - 2
        assert is_current(result.study, result.folder)
        crop = crop_of(result)  # one may go on drawing, on what waits, too
        y, x = np.nonzero(crop.cells == n + 1)
        line = [(y.min() - 3, x.mean()), (y.max() + 3, x.mean())]
        draw(result, crop_edit(crop, split(crop.cells, n + 1, line)), "cut")
        redrawn(result)
        (warning,) = stage.waiting_warnings(manifest(result))
        assert warning.startswith("2 drawn cells are in no number yet")
    finally:
        away.rename(slide)
    update(result)
    cells = result.cells()["cell_id"]
    assert n + 1 not in set(cells)
    assert {n + 2, n + 3} <= set(cells)
    assert not [text for text in manifest(result)["warnings"] if "drawn cell" in text]


def test_a_file_that_is_another_slide_measures_nothing(result):
    crop = crop_of(result)
    draw(result, crop_edit(crop, add(crop.cells, bare(crop))))
    facts = manifest(result)
    facts["source"]["fingerprint"] = "other"
    result.folder.manifest.write_text(json.dumps(facts), encoding="utf-8")
    redrawn(result)
    assert "is not the slide that was analysed" in manifest(result)["redrawn"]["why"]
    crop = crop_of(mp.open_result(result.path))
    new = crop_edit(crop, add(crop.cells, bare(crop, 5)))
    assert "no nucleus was looked for" in new.remarks[0]


def test_a_new_cell_on_a_stained_nucleus_has_it(result):
    crop = crop_of(result)
    a_cell = int(np.intersect1d(free_ids(crop), crop.nuclei)[20])
    mask = crop.cells == a_cell
    blind = replace(
        crop, cells=np.where(mask, 0, crop.cells), nuclei=np.where(mask, 0, crop.nuclei)
    )
    (new,) = crop_edit(blind, np.where(mask, 10**6, blind.cells)).added
    (was,) = crop_edit(crop, np.where(mask, 0, crop.cells)).removed
    assert new["nucleus"] == was["nucleus"] != []


# --- what cannot be drawn on


def test_labels_that_are_not_finished_are_not_drawn_on(result):
    facts = manifest(result)
    del facts["stages"]["segmentation"]
    result.folder.manifest.write_text(json.dumps(facts), encoding="utf-8")
    with pytest.raises(ResultError, match="are not finished, and no cell can be drawn"):
        redrawn(result)
    with pytest.raises(MacproxError, match="no outlines of cells to draw on"):
        crop_of(result)


def test_a_crop_waits_for_the_drawings_before_it(result):
    crop = crop_of(result)
    draw(result, crop_edit(crop, add(crop.cells, bare(crop))))
    with pytest.raises(MacproxError, match="still being written"):
        crop_of(result)
    redrawn(result)
    assert (crop_of(result).cells != crop.cells).any()


def test_a_crop_lies_inside_the_slide(result):
    corner = cut_crop(result, (0.0, 279.0), 200)
    assert (corner.box.x0, corner.box.y1) == (0, SIDE_PX)
    assert corner.cells.shape == (200, 200)
    assert cut_crop(result, (0.0, 0.0), 5000).cells.shape == (SIDE_PX, SIDE_PX)
