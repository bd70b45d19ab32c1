"""One slide through all stages: no matter how it is cut, stopped, resumed or corrected."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import shapely
import zarr

import macprox as mp
import small_runs
from macprox.batch import BatchError
from macprox.celltable import centroids_um, positive_column
from macprox.edits import CellDeleted, EditLog, GateMoved, PhenotypeSet, RegionDrawn
from macprox.errors import MacproxError, ResultError
from macprox.io.images import inspect_slide
from macprox.io.store import SlideFolder
from macprox.pipeline import RunOptions, Workers, finish_slide, segmentation
from macprox.pipeline.stages import fingerprint

TILE_PX = 512
HEIGHT_PX, WIDTH_PX = 540, 1060  # 2 x 3 tiles, the last of each row and column a rest
N_TILES = 6


@pytest.fixture(scope="module")
def slide(tmp_path_factory) -> Path:
    image = small_runs.tissue(WIDTH_PX)[:, :HEIGHT_PX]
    return small_runs.write_slide(tmp_path_factory.mktemp("slides") / "big.ome.tif", image)


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    return small_runs.write_study(tmp_path_factory.mktemp("study") / "study.toml")


@pytest.fixture(autouse=True, scope="module")
def figures_left_out():
    with small_runs.without_reports():
        yield


def run(
    slide: Path, study: Path, out: Path, tile_px: int = TILE_PX, workers: Workers | None = None
):
    options = RunOptions(tile_px=tile_px, workers=workers or Workers(1))
    return mp.run(slide, study, out, options=options)[0]


@pytest.fixture(scope="module")
def whole(slide, study, tmp_path_factory) -> mp.SlideResult:
    """The run that nothing disturbed."""
    return run(slide, study, tmp_path_factory.mktemp("whole"))


@pytest.fixture
def copy(whole, tmp_path) -> mp.SlideResult:
    """A result folder of one's own, to change."""
    shutil.copytree(whole.path.parents[1], tmp_path / "results")
    return mp.open_result(tmp_path / "results" / "slides" / "big")


def assert_same_results(result: mp.SlideResult, expected: mp.SlideResult) -> None:
    for table in ("cells", "gates", "statistics"):
        pd.testing.assert_frame_equal(
            getattr(result, table)(), getattr(expected, table)(), check_exact=True
        )
    for name in ("nuclei", "cells"):
        for level in (0, 1):
            np.testing.assert_array_equal(
                result.labels(name, level), np.asarray(expected.labels(name, level))
            )


def temporary_files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if ".tmp" in path.name]


# --- tiles and workers


def test_the_tiles_cut_through_cells(whole):
    labels = np.asarray(whole.labels("cells"))
    beside, across = labels[TILE_PX - 1], labels[TILE_PX]
    assert ((beside == across) & (beside > 0)).sum() > 50  # else the tests below prove nothing


@pytest.mark.parametrize(("tile_px", "n_workers"), [(2048, 1), (512, 2)])
def test_results_depend_neither_on_tiles_nor_on_workers(
    slide, study, whole, tmp_path, tile_px, n_workers
):
    assert_same_results(run(slide, study, tmp_path, tile_px, Workers(n_workers)), whole)


@pytest.mark.slow
def test_a_cluster_of_processes_finds_the_same(slide, study, whole, tmp_path):
    distributed = pytest.importorskip("distributed", reason="macprox[cluster] is not installed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address="127.0.0.1:0"
    ) as cluster:
        found = run(slide, study, tmp_path, workers=Workers(scheduler=cluster.scheduler_address))
    assert_same_results(found, whole)


def test_a_scheduler_that_does_not_answer_ends_the_run_before_it_begins(slide, study, tmp_path):
    pytest.importorskip("distributed", reason="macprox[cluster] is not installed")
    nobody = Workers(scheduler="nowhere")
    with pytest.raises(MacproxError, match="No dask scheduler answers at 'nowhere'"):
        run(slide, study, tmp_path / "out", workers=nobody)
    assert not (tmp_path / "out").exists()


def test_a_cluster_needs_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MacproxError, match=r"pip install macprox\[cluster\]"):
        Workers(scheduler="tcp://localhost:8786").check()


# --- interruption


class Stop(Exception):
    """Stands for whatever ends a run."""


def counted(monkeypatch, stop_after: int | None = None) -> list[int]:
    """Which tiles are measured from now on; the one after ``stop_after`` ends the run."""
    seen: list[int] = []
    measure = segmentation.measure_tile

    def counting(*arguments):
        if len(seen) == stop_after:
            raise Stop
        seen.append(1)
        return measure(*arguments)

    monkeypatch.setattr(segmentation, "measure_tile", counting)
    return seen


def test_a_stopped_run_goes_on_where_it_was(slide, study, whole, tmp_path, monkeypatch):
    with monkeypatch.context() as stopping:
        counted(stopping, stop_after=4)
        with pytest.raises(BatchError, match="Stop"):
            run(slide, study, tmp_path)
    assert "segmentation" not in small_runs.stages(tmp_path / "slides" / "big")
    seen = counted(monkeypatch)
    assert_same_results(run(slide, study, tmp_path), whole)
    assert len(seen) == N_TILES - 4
    assert temporary_files(tmp_path) == []


def test_other_tiles_do_not_take_what_a_stopped_run_left(
    slide, study, whole, tmp_path, monkeypatch
):
    with monkeypatch.context() as stopping:
        counted(stopping, stop_after=2)
        with pytest.raises(BatchError, match="Stop"):
            run(slide, study, tmp_path, tile_px=512)
    assert_same_results(run(slide, study, tmp_path, tile_px=1024), whole)


def test_a_run_stopped_while_it_tidies_up_is_not_half_empty(
    slide, study, whole, tmp_path, monkeypatch
):
    """Tables of tiles without the tiles' label pixels would pass for finished work."""
    labels = tmp_path / "slides" / "big" / "labels.zarr" / "zarr.json"
    remove = shutil.rmtree

    def remove_and_stop(path, **options):
        remove(path, **options)
        if labels.exists():  # all is written; from here on it is tidied up
            raise Stop

    with monkeypatch.context() as stopping:
        stopping.setattr(shutil, "rmtree", remove_and_stop)
        with pytest.raises(BatchError, match="Stop"):
            run(slide, study, tmp_path)
    assert labels.exists()
    assert_same_results(run(slide, study, tmp_path), whole)


THEN_HANG = """
import sys, time
from macprox import cli
from macprox.pipeline import segmentation
measure, seen = segmentation.measure_tile, []
def then_hang(*arguments):
    seen.append(1)
    return measure(*arguments) if len(seen) < 3 else time.sleep(600)
segmentation.measure_tile = then_hang
cli.main()
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no kill -9 on this system")
def test_a_killed_run_goes_on_with_the_same_command(slide, study, whole, tmp_path):
    arguments = ["run", slide, "-s", study, "-o", tmp_path, "--tile", "512", "--workers", "1"]
    running = subprocess.Popen(
        [sys.executable, "-c", THEN_HANG, *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    work = tmp_path / "slides" / "big" / "work"
    deadline = time.monotonic() + 120
    while len(list(work.glob("tiles-*/[0-9].npz"))) < 2 and time.monotonic() < deadline:
        assert running.poll() is None, "it ended before it could be killed"
        time.sleep(0.01)
    running.kill()
    running.wait()
    assert "segmentation" not in small_runs.stages(tmp_path / "slides" / "big")
    ended = small_runs.macprox(*arguments, "--quiet")
    assert ended.code == 0, ended.err
    assert_same_results(mp.open_result(tmp_path / "slides" / "big"), whole)
    assert temporary_files(tmp_path) == []


def test_what_a_killed_process_was_writing_is_removed(copy, slide, study):
    left = copy.path / ".cells.parquet.4711.tmp.parquet"
    left.write_text("half")
    store = copy.path / ".cells.zarr.4711-0a.tmp.zarr"
    store.mkdir()
    (store / "zarr.json").write_text("half")
    (copy.path / ".kept").write_text("somebody else's")
    run(slide, study, copy.path.parents[1])
    assert not left.exists()
    assert not store.exists()
    assert (copy.path / ".kept").exists()


# --- what is redone


def test_the_same_command_again_does_nothing(copy, slide, study):
    before = small_runs.stages(copy.path)
    with small_runs.no_pixels():
        run(slide, study, copy.path.parents[1])
    assert small_runs.stages(copy.path) == before


def changed(study: Path, tmp_path: Path, *changes: tuple[str, str]) -> Path:
    return small_runs.write_study(
        tmp_path / "changed.toml", *changes, text=study.read_text(encoding="utf-8")
    )


def redone(before: dict, after: dict) -> set[str]:
    return {name for name in after if before[name]["fingerprint"] != after[name]["fingerprint"]}


def test_a_changed_gate_reads_no_pixel(copy, slide, study, tmp_path):
    other = changed(study, tmp_path, ("[markers.CD68]\ngate = 300", "[markers.CD68]\ngate = 2000"))
    before, n_before = small_runs.stages(copy.path), len(copy.cells())
    with small_runs.no_pixels():
        result = run(slide, other, copy.path.parents[1])
    assert redone(before, small_runs.stages(copy.path)) == {"analysis", "report"}
    assert len(result.cells()) == n_before
    assert result.cells()["cd68_positive"].sum() < copy.cells()["cd68_positive"].sum() or (
        result.cells()["cd68_positive"].sum() == 0
    )


def test_a_changed_segmentation_is_done_again(copy, slide, study, tmp_path):
    other = changed(
        study, tmp_path, ("[segmentation.", "[segmentation]\nexpansion_um = 2\n[segmentation.")
    )
    before = small_runs.stages(copy.path)
    area = copy.cells()["cell_area_um2"].mean()
    result = run(slide, other, copy.path.parents[1])
    assert redone(before, small_runs.stages(copy.path)) == {
        "segmentation", "contacts", "analysis", "report"
    }  # fmt: skip
    assert result.cells()["cell_area_um2"].mean() < 0.9 * area


def test_a_changed_slide_is_done_again_from_its_first_pixel(study, tmp_path):
    image = small_runs.tissue(640)
    small_runs.write_slide(tmp_path / "s.ome.tif", image[:, :200, :200])
    first = run(tmp_path / "s.ome.tif", study, tmp_path / "out")
    before, n_before = small_runs.stages(first.path), len(first.cells())
    small_runs.write_slide(tmp_path / "s.ome.tif", image[:, :300, :300])
    result = run(tmp_path / "s.ome.tif", study, tmp_path / "out")
    assert redone(before, small_runs.stages(first.path)) == set(before)
    assert result.labels().shape == (300, 300)
    assert result.overview().mean.shape[1] * result.overview().pixel_size_um == pytest.approx(
        150, abs=4
    )
    assert len(result.cells()) > n_before


def test_a_moved_slide_is_the_same_slide(copy, slide, study, tmp_path):
    moved = shutil.copy(slide, tmp_path / "big.ome.tif")
    before = small_runs.stages(copy.path)
    with small_runs.no_pixels():
        result = run(moved, study, copy.path.parents[1])
    assert small_runs.stages(copy.path) == before
    assert result.manifest["source"]["path"] == str(moved)


def test_a_namesake_does_not_take_the_place_of_another_slide(copy, study, tmp_path):
    namesake = small_runs.write_slide(tmp_path / "big.ome.tif", small_runs.tissue(200))
    with pytest.raises(BatchError, match=r"holds the results of another slide, .*big\.ome\.tif"):
        run(namesake, study, copy.path.parents[1])
    assert small_runs.stages(copy.path)["segmentation"]


def test_a_folder_that_holds_its_own_results_is_searched_without_them(study, tmp_path):
    small_runs.write_slide(tmp_path / "s.ome.tif", small_runs.tissue(150))
    for _ in range(2):
        results = mp.run(tmp_path, study, tmp_path / "results")
        assert [result.slide_id for result in results] == ["s"]


# --- what is written


def test_nothing_temporary_is_left(whole):
    assert temporary_files(whole.path.parents[1]) == []
    assert not list((whole.path / "work").glob("tiles-*"))
    assert not list((whole.path / "work").glob("tiles-*"))


def test_the_manifest_says_what_was_done_with_what(whole, slide):
    manifest = json.loads((whole.path / "manifest.json").read_text(encoding="utf-8"))
    stages = {"survey", "segmentation", "contacts", "analysis", "report"}
    assert set(manifest["stages"]) == stages
    for stage in manifest["stages"].values():
        assert len(stage["fingerprint"]) == 32
        assert stage["seconds"] >= 0
        assert stage["finished"].endswith("+00:00")
    assert manifest["versions"]["macprox"] == mp.__version__
    assert manifest["versions"]["numpy"] == np.__version__
    assert manifest["seed"] == 0
    source = manifest["source"]
    assert source["fingerprint"] == mp.open_slide(slide).fingerprint
    assert (source["shape"], source["channels"]) == (
        [HEIGHT_PX, WIDTH_PX], list(small_runs.CHANNELS),
    )  # fmt: skip
    assert manifest["counts"]["cells"] == len(whole.cells())
    assert sum(manifest["counts"]["by_phenotype"].values()) == manifest["counts"]["cells_observed"]
    assert manifest["segmentation"]["unmeasured_px"] == 0
    assert manifest["warnings"] == []


def test_the_study_beside_the_slides_is_the_effective_one(whole, study):
    assert whole.study == mp.Study.from_toml(study)
    text = (whole.path.parents[1] / "study.toml").read_text(encoding="utf-8")
    assert "nucleus_diameter_um" in text  # a default, written out


def test_labels_are_ome_zarr(whole):
    root = zarr.open_group(str(whole.path / "labels.zarr"), mode="r")
    assert root.attrs["ome"] == {"version": "0.5", "labels": ["nuclei", "cells"]}
    for name in ("nuclei", "cells"):
        ome = root[name].attrs["ome"]
        assert ome["version"] == "0.5"
        assert "image-label" in ome
        (image,) = ome["multiscales"]
        assert [axis["name"] for axis in image["axes"]] == ["y", "x"]
        assert {axis["unit"] for axis in image["axes"]} == {"micrometer"}
        assert [d["path"] for d in image["datasets"]] == ["0", "1", "2"]
        full = np.asarray(root[name]["0"])
        for level, dataset in enumerate(image["datasets"]):
            (scale,) = dataset["coordinateTransformations"]
            assert scale == {"type": "scale", "scale": [0.5 * 2**level] * 2}
            pixels = root[name][dataset["path"]]
            assert pixels.metadata.dimension_names == ("y", "x")
            np.testing.assert_array_equal(np.asarray(pixels), full[:: 2**level, :: 2**level])


def test_ids_on_the_image_are_those_of_the_table(whole):
    cells = whole.cells()
    on_cells, on_nuclei = (np.unique(np.asarray(whole.labels(n))) for n in ("cells", "nuclei"))
    np.testing.assert_array_equal(on_cells[on_cells > 0], cells["cell_id"])
    np.testing.assert_array_equal(
        on_nuclei[on_nuclei > 0], cells.loc[cells["has_nucleus"], "cell_id"]
    )
    row, column = np.nonzero(np.asarray(whole.labels("nuclei")) == 7)
    seventh = cells.set_index("cell_id").loc[7]
    assert seventh["x_um"] == pytest.approx((column.mean() + 0.5) * 0.5)
    assert seventh["y_um"] == pytest.approx((row.mean() + 0.5) * 0.5)
    assert seventh["nucleus_area_um2"] == pytest.approx(len(row) * 0.25)


def test_ids_count_in_the_order_of_anchors(whole):
    cells = whole.cells()
    anchors = cells["anchor_px"].to_numpy()
    assert anchors.dtype == np.uint64
    assert (np.diff(anchors.astype(np.int64)) > 0).all()
    assert cells["cell_id"].tolist() == list(range(1, len(cells) + 1))
    nuclei = np.asarray(whole.labels("nuclei")).ravel()
    first = np.unique(nuclei, return_index=True)
    expected = cells.loc[cells["has_nucleus"]].set_index("cell_id")["anchor_px"]
    assert dict(zip(*(side[1:].tolist() for side in first), strict=True)) == expected.to_dict()


def test_a_failed_write_leaves_what_was_there(whole, copy, slide, study, tmp_path, monkeypatch):
    """The disk fills up while the cells are written: the old table stays, nothing half-done."""
    other = changed(study, tmp_path, ("[markers.CD68]\ngate = 300", "[markers.CD68]\ngate = 400"))
    before = (copy.path / "cells.parquet").read_bytes()

    def full(table, path, **_):
        Path(path).write_text("ha")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as filling:
        filling.setattr(pd.DataFrame, "to_parquet", full)
        with pytest.raises(BatchError, match=r"gates.parquet: No space left on device"):
            run(slide, other, copy.path.parents[1])
    assert (copy.path / "cells.parquet").read_bytes() == before
    assert temporary_files(copy.path) == []
    assert "analysis" not in small_runs.stages(copy.path)
    assert "No space left" in json.loads((copy.path / "manifest.json").read_text())["failure"]
    assert_same_results(run(slide, study, copy.path.parents[1]), whole)
    assert "failure" not in json.loads((copy.path / "manifest.json").read_text())


# --- the reviewer's events


def update(result: mp.SlideResult, study: Path | None = None) -> mp.SlideResult:
    with small_runs.no_pixels():
        return mp.update(result.path.parents[1], study)[0]


def said(slide_id="big") -> dict:
    return {"slide_id": slide_id, "reviewer": "Dr B"}


def square(x0: float, y0: float, x1: float, y1: float) -> dict:
    return shapely.geometry.mapping(shapely.box(x0, y0, x1, y1))


def n_source(result: mp.SlideResult, source: str, target: str) -> int:
    rows = result.statistics().query(
        "statistic == 'nearest_mean_um' and source == @source and target == @target"
        " and roi_id == 'all' and region == 'all'"
    )
    return int(rows["n_source"].iloc[0])


def test_a_moved_gate_is_replayed(copy, whole):
    value = float(whole.gates().set_index("marker").loc["CD68", "value"])
    moved = GateMoved(**said(), marker="CD68", before=value, after=2 * value)
    EditLog(copy.path / "edits.jsonl").append(moved)
    result = update(copy)
    gate = result.gates().set_index("marker").loc["CD68"]
    assert (gate["source"], gate["value"], gate["by"]) == ("reviewer", 2 * value, "Dr B")
    positive = positive_column("CD68")
    assert 0 < result.cells()[positive].sum() < whole.cells()[positive].sum()
    assert n_source(result, "Macrophage", "Tumour") < n_source(whole, "Macrophage", "Tumour")


def test_cells_named_and_deleted_by_hand_are_replayed(copy, whole):
    cells = whole.cells().set_index("cell_id")
    macrophages = cells[cells["phenotype"] == "Macrophage"]
    renamed, deleted = macrophages.iloc[0], macrophages.iloc[1]
    log = EditLog(copy.path / "edits.jsonl")

    def place(cell):
        return {"anchor_px": int(cell["anchor_px"]), "x_um": cell["x_um"], "y_um": cell["y_um"]}

    log.append(PhenotypeSet(**said(), **place(renamed), before="Macrophage", after="Other"))
    log.append(CellDeleted(**said(), **place(deleted)))
    result = update(copy)
    after = result.cells().set_index("cell_id")
    assert after.loc[renamed.name, ["phenotype", "phenotype_source"]].tolist() == [
        "Other", "reviewer",
    ]  # fmt: skip
    assert deleted.name not in after.index
    assert len(after) == len(cells) - 1
    before = n_source(whole, "Macrophage", "Tumour")
    assert n_source(result, "Macrophage", "Tumour") == before - 2
    assert (log.path).read_text().count("\n") == 2  # replayed, never rewritten


def test_an_edit_whose_cell_is_gone_is_said(copy):
    lost = CellDeleted(**said(), anchor_px=1, x_um=-50.0, y_um=-50.0)
    EditLog(copy.path / "edits.jsonl").append(lost)
    manifest = update(copy).manifest
    (warning,) = manifest["warnings"]
    assert warning.startswith("Deletion of the cell at x -50, y -50 µm (Dr B, ")
    assert manifest["lost_edits"] == [warning]


def test_a_drawn_exclusion_leaves_its_cells_out(copy, whole):
    drawn = RegionDrawn(
        **said(),
        kind="exclusion",
        region_id="fold",
        after=square(0, 0, 300, HEIGHT_PX),
        reason="fold",
    )
    EditLog(copy.path / "edits.jsonl").append(drawn)
    result = update(copy)
    cells = result.cells()
    inside = centroids_um(cells)[:, 0] < 150
    np.testing.assert_array_equal(cells["excluded"], inside)
    assert result.manifest["counts"]["cells_observed"] == int((~inside).sum())
    seen = cells[~inside]
    assert n_source(result, "Tumour", "Macrophage") == int((seen["phenotype"] == "Tumour").sum())
    assert result.window().area_um2 == pytest.approx(
        whole.window().area_um2 - 150 * HEIGHT_PX / 2, rel=1e-6
    )


def test_a_drawn_tumour_goes_before_the_automatic_one(copy, whole):
    drawn = RegionDrawn(
        **said(), kind="tumour", region_id="t1", after=square(100, 0, 400, HEIGHT_PX), reason=""
    )
    log = EditLog(copy.path / "edits.jsonl")
    log.append(drawn)
    result = update(copy)
    assert result.regions().tumour_source == "reviewer"
    assert result.regions().tumour.area == pytest.approx(150 * HEIGHT_PX / 2)
    tumour_cells = result.cells().query("phenotype == 'Tumour'")
    assert tumour_cells["x_um"].between(50, 200).all()
    assert len(tumour_cells) < (whole.cells()["phenotype"] == "Tumour").sum()
    withdrawn = RegionDrawn(**said(), kind="tumour", region_id="t1", after=None)
    log.append(withdrawn)
    assert_same_results(update(copy), whole)


def test_update_without_anything_new_does_nothing(copy):
    before = small_runs.stages(copy.path)
    assert small_runs.stages(update(copy).path) == before


def test_update_takes_another_study_but_not_another_segmentation(copy, study, tmp_path):
    other = changed(study, tmp_path, ("[phenotypes]", "[regions]\nmargin_um = 50\n[phenotypes]"))
    result = update(copy, other)
    assert result.study.regions.margin_um == 50
    before = (copy.path.parents[1] / "study.toml").read_text()
    other = changed(
        other, tmp_path, ("[segmentation.", "[segmentation]\nexpansion_um = 2\n[segmentation.")
    )
    with pytest.raises(ResultError, match="Use `macprox run` with the slides"):
        update(copy, other)
    assert (copy.path.parents[1] / "study.toml").read_text() == before


def test_update_does_not_pass_old_cells_for_those_of_a_new_segmentation(copy, study, tmp_path):
    """A run with new parameters failed; its study.toml is there, the slide's cells are old."""
    other = changed(
        study, tmp_path, ("[segmentation.", "[segmentation]\nexpansion_um = 2\n[segmentation.")
    )
    shutil.copy(other, copy.path.parents[1] / "study.toml")
    with pytest.raises(BatchError, match=r"made with another \[image\] or \[segmentation\]"):
        update(copy)


def test_a_slide_never_segmented_cannot_be_finished(study, tmp_path):
    with pytest.raises(ResultError, match="'new' has no cells"):
        finish_slide(mp.Study.from_toml(study), SlideFolder(tmp_path / "new"))


# --- the list of slides


def test_the_index_lists_slides_of_earlier_runs(copy, study, tmp_path):
    other = small_runs.write_slide(tmp_path / "small.ome.tif", small_runs.tissue(200))
    run(other, study, copy.path.parents[1])
    index = (copy.path.parents[1] / "index.html").read_text(encoding="utf-8")
    assert "slides/big/report.html" in index
    assert "slides/small/report.html" in index


def test_the_index_does_not_mix_numbers_of_two_studies(copy, study, tmp_path):
    strict = changed(study, tmp_path, ("[markers.CD68]\ngate = 300", "[markers.CD68]\ngate = 900"))
    other = small_runs.write_slide(tmp_path / "small.ome.tif", small_runs.tissue(200))
    run(other, strict, copy.path.parents[1])
    index = (copy.path.parents[1] / "index.html").read_text(encoding="utf-8")
    assert "slides/big/report.html" not in index
    assert "another study" in index
    mp.update(copy.path.parents[1])
    index = (copy.path.parents[1] / "index.html").read_text(encoding="utf-8")
    assert "slides/big/report.html" in index


def test_what_inspection_doubts_stands_among_the_warnings(study, tmp_path):
    image = small_runs.tissue(200)
    path = small_runs.write_slide(tmp_path / "odd.ome.tif", image, pixel_size_um=2.5)
    problems = inspect_slide(path).problems
    assert "unusual for tissue" in problems[0]
    assert tuple(run(path, study, tmp_path / "out").manifest["warnings"]) == problems


def test_a_missing_scale_that_was_given_is_no_problem_any_more(study, tmp_path):
    path = small_runs.write_slide(
        tmp_path / "bare.ome.tif", small_runs.tissue(200), pixel_size_um=None
    )
    assert mp.run(path, study, tmp_path / "out", pixel_size_um=0.5)[0].manifest["warnings"] == []


def test_fingerprints_tell_values_apart():
    assert fingerprint("a", {"x": 1}) == fingerprint("a", {"x": 1})
    assert len({fingerprint("a", 1), fingerprint("a", 2), fingerprint("a1"), fingerprint()}) == 4
