"""A reviewer's log in a result folder: `macprox update` follows it, a new segmentation keeps it."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import shapely

import macprox as mp
import small_runs
from macprox.edits import (
    CellDeleted,
    CellEvent,
    CellMarked,
    Corrections,
    EditLog,
    GateConfirmed,
    GateMoved,
    PhenotypeSet,
    RegionDrawn,
    SignedOff,
    SignOffWithdrawn,
    replay,
)
from macprox.phenotype.gate_table import gate_of
from macprox.pipeline.calling import Caller, call_cells
from macprox.pipeline.redrawing.stage import measurements_of
from macprox.results import SlideResult

WHO = {"slide_id": "field", "reviewer": "Dr B", "time": "2026-11-22T10:00:00+00:00"}
FEWER_CELLS = ("[segmentation.", "[segmentation]\nmin_nucleus_area_um2 = 25\n[segmentation.")


@pytest.fixture(autouse=True, scope="module")
def figures_left_out():
    with small_runs.without_reports():
        yield


def update(result: SlideResult, *more: object) -> SlideResult:
    """Through the command, in a result read anew; nobody may read a pixel."""
    with small_runs.no_pixels():
        ended = small_runs.macprox("update", result.path.parents[1], "--quiet", *more)
    assert ended.code == 0, ended.err
    return mp.open_result(result.path)


def log_of(result: SlideResult) -> EditLog:
    return EditLog(result.folder.edits)


def place(cell: pd.Series) -> dict:
    return {"anchor_px": int(cell.anchor_px), "x_um": float(cell.x_um), "y_um": float(cell.y_um)}


def relabel(cell: pd.Series, after: str | None) -> PhenotypeSet:
    return PhenotypeSet(**WHO, **place(cell), before=str(cell.phenotype), after=after)


def reviewed(result: SlideResult) -> tuple[list, dict[str, pd.Series]]:
    """One event of each kind, and the cells that they are about."""
    macrophages = result.cells().query("phenotype == 'Macrophage' and x_um > 50")
    chosen = {
        name: macrophages.iloc[i] for i, name in enumerate(("relabelled", "deleted", "marked"))
    }
    pixel = result.pixel_size_um
    corner = shapely.box(0, 0, 40 / pixel, 40 / pixel)
    events = [
        GateMoved(**WHO, marker="CD68", before=300.0, after=350.0),
        GateConfirmed(**WHO, marker="CD68", value=350.0),
        relabel(chosen["relabelled"], "Tumour"),
        CellDeleted(**WHO, **place(chosen["deleted"])),
        CellMarked(**WHO, **place(chosen["marked"]), after="bubble"),
        RegionDrawn(
            **WHO, kind="exclusion", region_id="1", reason="fold",
            after=shapely.geometry.mapping(corner),
        ),
        SignedOff(**WHO, comment="two folds"),
    ]  # fmt: skip
    return events, chosen


def at(cells: pd.DataFrame, cell: pd.Series) -> pd.Series | None:
    near = cells[np.hypot(cells["x_um"] - cell.x_um, cells["y_um"] - cell.y_um) <= 2]
    return None if near.empty else near.iloc[0]


def assert_followed(result: SlideResult, chosen: dict[str, pd.Series]) -> None:
    cells = result.cells()
    relabelled = at(cells, chosen["relabelled"])
    assert (relabelled["phenotype"], relabelled["phenotype_source"]) == ("Tumour", "reviewer")
    assert at(cells, chosen["deleted"]) is None
    marked = at(cells, chosen["marked"])
    assert (marked["artefact"], bool(marked["excluded"])) == ("reviewer: bubble", True)
    corner = (cells["x_um"] < 40) & (cells["y_um"] < 40)
    assert corner.any()
    np.testing.assert_array_equal(cells["excluded"], corner | (cells.index == marked.name))
    gate = gate_of(result.gates(), "CD68")
    assert (gate["value"], gate["source"], gate["confirmed"]) == (350.0, "reviewer", True)
    n = int((~cells["excluded"] & cells["in_window"]).sum())
    assert result.manifest["counts"]["cells_observed"] == n


def test_update_follows_the_log_and_the_manifest_says_who(small_copy):
    events, chosen = reviewed(small_copy)
    log_of(small_copy).append(*events)
    before = small_copy.cells()
    result = update(small_copy)
    assert_followed(result, chosen)
    assert len(result.cells()) == len(before) - 1
    assert result.manifest["signed_off"] == {
        "by": "Dr B", "time": WHO["time"], "comment": "two folds", "changed_since": False,
    }  # fmt: skip
    assert result.manifest["edits"] == {"Dr B": 5}
    assert result.manifest["lost_edits"] == []


def test_a_marked_cell_is_in_no_statistic(small_copy):
    cells = small_copy.cells()
    chosen = cells.query("phenotype == 'Macrophage'").iloc[5]
    others = cells.query("phenotype == 'Macrophage' and cell_id != @chosen.cell_id")
    log_of(small_copy).append(CellMarked(**WHO, **place(chosen), after="bubble"))
    result = update(small_copy)
    row = result.statistics().query(
        "statistic == 'nearest_mean_um' and source == 'Macrophage' and roi_id == 'all'"
        " and region == 'all'"
    )
    assert set(row["n_source"]) == {len(others)}
    gone = result.cells().query("cell_id == @chosen.cell_id").iloc[0]
    assert np.isnan(gone["nearest_tumour_um"])  # an excluded cell has no neighbours
    log_of(small_copy).append(CellMarked(**WHO, **place(chosen), before="bubble", after=None))
    pd.testing.assert_frame_equal(update(result).cells(), cells)


def test_a_sign_off_and_an_undone_edit_compute_nothing_again(small_copy):
    log, cell = log_of(small_copy), small_copy.cells().iloc[7]
    done = small_runs.stages(small_copy.path)["analysis"]
    log.append(relabel(cell, "Tumour"), relabel(cell, None), SignedOff(**WHO))
    result = update(small_copy)
    assert small_runs.stages(result.path)["analysis"] == done
    assert result.manifest["signed_off"]["by"] == "Dr B"
    assert not result.manifest["signed_off"]["changed_since"]
    reported = small_runs.stages(result.path)["report"]
    assert small_runs.stages(update(result).path)["report"] == reported  # once is enough
    log.append(relabel(cell, "Tumour"))
    changed = update(result)
    assert small_runs.stages(changed.path)["analysis"] != done  # control
    assert changed.manifest["signed_off"]["changed_since"]
    log.append(SignOffWithdrawn(**WHO))
    withdrawn = update(changed)
    assert withdrawn.manifest["signed_off"] is None
    assert small_runs.stages(withdrawn.path)["report"] != reported


def test_edits_survive_another_segmentation_by_position_and_lost_ones_are_named(small_copy):
    before = small_copy.cells()
    events, chosen = reviewed(small_copy)
    lost = before[before["has_nucleus"]].nsmallest(1, "nucleus_area_um2").iloc[0]
    assert lost["nucleus_area_um2"] < 25  # control: the next run's smallest
    other = int(before.iloc[-1].anchor_px)  # as if each anchor named another cell now
    anew = [replace(e, anchor_px=other) if isinstance(e, CellEvent) else e for e in events]
    log_of(small_copy).append(*anew, relabel(lost, "Tumour"))
    written = small_copy.folder.edits.read_bytes()
    study = small_runs.write_study(small_copy.path / "other.toml", FEWER_CELLS)
    slide, out = small_copy.manifest["source"]["path"], small_copy.path.parents[1]
    ended = small_runs.macprox("run", slide, "--study", study, "--out", out, "--quiet")
    assert ended.code == 0, ended.err
    result = mp.open_result(small_copy.path)
    assert len(result.cells()) < len(before)
    assert_followed(result, chosen)
    assert result.manifest["lost_edits"] == [
        f"Relabelling of the cell at x {lost.x_um:.0f}, y {lost.y_um:.0f} µm as 'Tumour' "
        "(Dr B, 2026-11-22): no cell lies there any more."
    ]
    assert result.manifest["lost_edits"][0] in result.manifest["warnings"]
    assert result.manifest["signed_off"]["changed_since"]
    assert result.folder.edits.read_bytes() == written


def test_a_gate_among_a_parent_s_cells_reaches_phenotypes(small_copy):
    before = small_copy.cells()
    log_of(small_copy).append(
        GateMoved(**WHO, marker="panCK", parent="CD68", before=None, after=1e6)
    )
    result = update(small_copy)
    cells, gates = result.cells(), result.gates()
    both = before["panck_positive"] & before["cd68_positive"]
    assert both.any()  # control
    assert not (cells["panck_positive"] & cells["cd68_positive"]).any()
    np.testing.assert_array_equal(
        cells["phenotype"] == "Macrophage", (before["phenotype"] == "Macrophage") | both
    )
    assert gates["parent"].tolist() == ["", "CD68", ""]
    assert gate_of(gates, "panCK", "CD68")["percent_positive"] == 0


def test_a_caller_that_has_called_before_says_what_a_new_one_says(small_copy):
    study, source = small_copy.study, small_copy.manifest["source"]
    measured = measurements_of(small_copy.folder)
    caller = Caller(measured, study, small_copy.folder, source)
    events, chosen = reviewed(small_copy)
    square = shapely.geometry.mapping(shapely.box(9, 9, 300, 300))
    tumour = RegionDrawn(**WHO, kind="tumour", region_id="t", after=square)
    steps = [
        events[:2],
        events[2:5],
        events[5:],
        [GateMoved(**WHO, marker="panCK", before=300.0, after=400.0)],
        [tumour, GateMoved(**WHO, marker="CD68", parent="panCK", before=None, after=500.0)],
        [replace(tumour, after=None), replace(events[5], after=None)],
        [relabel(chosen["relabelled"], None)],
    ]
    log = log_of(small_copy)
    for step in steps:
        log.append(*step)
        factors = {"CD68": 1.1} if step is steps[3] else None
        kept = caller.call(replay(log.read()), factors)
        fresh = call_cells(measured, study, small_copy.folder, source, factors)
        pd.testing.assert_frame_equal(kept.cells, fresh.cells, check_exact=True)
        pd.testing.assert_frame_equal(kept.gates, fresh.gates, check_exact=True)
        assert kept.regions == fresh.regions
        assert kept.areas.messages == fresh.areas.messages


def test_what_a_caller_gave_away_can_be_changed(small_copy):
    study, source = small_copy.study, small_copy.manifest["source"]
    caller = Caller(measurements_of(small_copy.folder), study, small_copy.folder, source)
    first = caller.call(Corrections())
    expected = first.cells.copy(deep=True)
    first.cells.loc[:, "excluded"] = True
    first.gates["value"] = 0.0
    second = caller.call(Corrections())
    pd.testing.assert_frame_equal(second.cells, expected)
    assert (second.gates["value"] > 0).all()


def test_the_manifest_of_a_slide_nobody_reviewed_says_so(small_result):
    manifest = json.loads(small_result.folder.manifest.read_text(encoding="utf-8"))
    assert (manifest["signed_off"], manifest["edits"], manifest["lost_edits"]) == (None, {}, [])
