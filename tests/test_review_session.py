"""One slide under review, without a window: decisions, what they change at once, what follows."""

from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import pytest
import shapely

import macprox as mp
import small_runs
from macprox.edits import EditLog
from macprox.errors import MacproxError, ResultError
from macprox.review.outlines.crop import crop_edit, cut_crop
from macprox.review.recalculation import recalculate
from macprox.review.session import ReviewSession
from macprox.spatial.slide import headline


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> mp.SlideResult:
    folder = tmp_path_factory.mktemp("review")
    slide = small_runs.write_slide(folder / "slides" / "field.ome.tif", levels=2)
    study = small_runs.write_study(folder / "study.toml")
    with small_runs.without_reports():
        (result,) = mp.run([slide], study, folder / "results")
    return result


@pytest.fixture
def session(finished, tmp_path) -> ReviewSession:
    shutil.copytree(finished.path.parents[1], tmp_path / "results")
    return ReviewSession.open(tmp_path / "results" / "slides" / "field", "A. Reviewer")


def recalculated(session: ReviewSession) -> ReviewSession:
    assert session.install(recalculate(session.snapshot()))
    return session


def phenotype(session: ReviewSession, cell_id: int) -> str:
    cells = session.called.cells.set_index("cell_id")
    return str(cells["phenotype"][cell_id])


def logged(session: ReviewSession) -> list:
    return EditLog(session.result.folder.edits).read()


def a_tumour_cell(session: ReviewSession) -> int:
    cells = session.called.cells
    return int(cells.loc[cells["phenotype"] == "Tumour", "cell_id"].iloc[5])


def test_nothing_decided_is_what_the_run_wrote(session):
    written = session.result.cells()
    recalculated(session)
    now = session.called.cells
    pd.testing.assert_series_equal(now["phenotype"], written["phenotype"], check_dtype=False)
    assert logged(session) == []
    assert not session.result.folder.edits.exists()


def test_what_the_window_shows_is_what_an_update_writes(session):
    cells = session.called.cells
    macrophages = cells.loc[cells["phenotype"] == "Macrophage", "cell_id"].tolist()
    session.move_gate("CD68", 500.0)
    session.set_phenotype([a_tumour_cell(session)], "Macrophage")
    session.delete(macrophages[:2])
    session.mark_artefact(macrophages[2:4], "debris")
    session.draw_region("tumour", shapely.box(10, 10, 120, 300))
    session.draw_region("exclusion", shapely.box(200, 0, 320, 60), "fold")
    recalculated(session)
    with small_runs.without_reports():
        session.update()
    written = session.result.cells()
    shown = session.called.cells
    assert shown["cell_id"].tolist() == written["cell_id"].tolist()
    for column in ("phenotype", "phenotype_source", "region", "excluded", "artefact"):
        assert shown[column].astype(str).tolist() == written[column].astype(str).tolist(), column
    found = headline(session.result.statistics(), session.study.proximity)
    rows = session.answer.rows
    assert len(rows) == len(found) > 0
    for column in ("source", "target", "value", "expected", "n_source", "n_target"):
        assert rows[column].tolist() == pytest.approx(found[column].tolist(), nan_ok=True), column


def test_a_relabelled_cell_shows_at_once_and_follows_undo(session):
    recalculated(session)
    cell_id = a_tumour_cell(session)
    session.set_phenotype([cell_id], "Macrophage")
    assert phenotype(session, cell_id) == "Macrophage"  # before any recalculation
    assert session.is_stale
    assert recalculated(session).undo_text == "relabel as Macrophage: 1 cell"
    assert phenotype(session, cell_id) == "Macrophage"
    assert session.undo() == "relabel as Macrophage: 1 cell"
    assert phenotype(recalculated(session), cell_id) == "Tumour"
    assert session.redo() == "relabel as Macrophage: 1 cell"
    assert phenotype(recalculated(session), cell_id) == "Macrophage"
    assert len(logged(session)) == 3  # taking back is an event like any other


def test_a_cell_is_given_back_to_the_rules(session):
    cell_id = a_tumour_cell(session)
    session.set_phenotype([cell_id], "Macrophage")
    session.set_phenotype([cell_id], None)
    assert phenotype(recalculated(session), cell_id) == "Tumour"


def test_deleted_cells_are_gone_and_marked_ones_are_left_out(session):
    first, second = session.called.cells["cell_id"].iloc[[10, 20]].tolist()
    session.delete([first])
    session.mark_artefact([second], "debris")
    for _ in ("at once", "and after the recalculation"):
        cells = session.called.cells.set_index("cell_id")
        assert first not in cells.index
        assert cells["excluded"][second]
        recalculated(session)
    session.mark_artefact([second], None)
    assert not recalculated(session).called.cells.set_index("cell_id")["excluded"][second]


def test_a_decision_about_cells_that_are_gone_is_none(session):
    cell_id = a_tumour_cell(session)
    session.delete([cell_id])
    version = session.version
    session.set_phenotype([cell_id, 10**9], "Macrophage")
    assert session.version == version


def test_a_name_given_by_hand_survives_a_new_outline(session):
    recalculated(session)
    cells = session.called.cells
    cell = cells[(cells["phenotype"] == "Tumour") & (cells["solidity"] > 0.9)].iloc[12]
    session.set_phenotype([cell["cell_id"]], "Macrophage")
    crop = cut_crop(session.result, (cell["x_um"], cell["y_um"]), 200)
    after = crop.cells.copy()
    row = int(cell["y_um"] / 0.5) - crop.box.y0
    after[: row - 3][after[: row - 3] == cell["cell_id"]] = 0  # its upper part is cut off
    session.redraw(crop_edit(crop, after))
    ids = set(cells["cell_id"])
    now = recalculated(session).called.cells
    (drawn,) = now[~now["cell_id"].isin(ids)].itertuples()
    assert (drawn.phenotype, drawn.phenotype_source) == ("Macrophage", "reviewer")
    assert drawn.cell_area_um2 < cell["cell_area_um2"]
    session.undo()
    assert phenotype(recalculated(session), cell["cell_id"]) == "Macrophage"
    session.undo()
    assert phenotype(recalculated(session), cell["cell_id"]) == "Tumour"


def test_a_gate_is_moved_confirmed_and_given_back(session):
    def row():
        gates = recalculated(session).called.gates
        return gates.set_index("marker").loc["CD68"]

    assert (row()["value"], row()["source"]) == (300.0, "study")
    session.move_gate("CD68", 410.0)
    assert (row()["value"], row()["source"], row()["confirmed"]) == (410.0, "reviewer", False)
    session.confirm_gate("CD68")
    assert (row()["value"], row()["confirmed"], row()["by"]) == (410.0, True, "A. Reviewer")
    session.reset_gate("CD68")
    assert (row()["value"], row()["source"]) == (300.0, "study")
    assert [event.what for event in logged(session)] == ["gate", "confirm_gate", "gate"]


def test_a_gate_among_another_marker_s_cells_changes_those_alone(session):
    recalculated(session)
    before = session.called.cells.set_index("cell_id")
    keratin = before["panck_positive"].astype(bool)
    session.move_gate("CD68", 1e9, parent="panCK")
    after = recalculated(session).called.cells.set_index("cell_id")
    assert before["cd68_positive"][keratin].any()  # control
    assert not after["cd68_positive"][keratin].any()
    assert (after["cd68_positive"] == before["cd68_positive"])[~keratin].all()


def test_a_drawn_tumour_replaces_the_automatic_one_until_it_is_withdrawn(session):
    recalculated(session)
    automatic = session.called.regions.tumour.area
    square = shapely.box(10, 10, 60, 60)
    name = session.draw_region("tumour", square)
    assert recalculated(session).called.regions.tumour.area == pytest.approx(2500, rel=0.01)
    session.draw_region("tumour", shapely.box(10, 10, 60, 110), region_id=name)
    assert recalculated(session).called.regions.tumour.area == pytest.approx(5000, rel=0.01)
    session.undo()
    assert recalculated(session).called.regions.tumour.area == pytest.approx(2500, rel=0.01)
    session.withdraw_region("tumour", name)
    assert recalculated(session).called.regions.tumour.area == pytest.approx(automatic)


def test_several_drawn_areas_go_and_come_back_as_one_decision(session):
    boxes = [shapely.box(10, y, 60, y + 50) for y in (10, 110, 210)]
    first, *others = [session.draw_region("tumour", box) for box in boxes]
    session.withdraw_region("tumour", first, *others)
    assert not session.corrections.regions
    assert session.undo() == "remove 3 areas of tumour"
    assert len(session.corrections.regions) == 3
    session.draw_region("tumour", shapely.box(10, 10, 60, 260), "", first, others)
    assert list(session.corrections.regions) == [("tumour", first)]
    session.undo()
    assert len(session.corrections.regions) == 3


def test_a_sign_off_holds_until_something_changes(session):
    session.sign_off(" looks right ")
    assert session.corrections.signed_off.comment == "looks right"
    assert not session.corrections.changed_since_sign_off
    session.move_gate("CD68", 310.0)
    assert session.corrections.changed_since_sign_off
    session.withdraw_sign_off()
    assert session.corrections.signed_off is None
    with pytest.raises(MacproxError, match="not signed off"):
        session.withdraw_sign_off()


def test_signing_off_computes_nothing_again(session):
    assert session.is_saved
    session.sign_off()
    assert session.is_saved
    session.move_gate("CD68", 310.0)
    assert not session.is_saved


def test_an_old_recalculation_is_not_taken_for_a_new_one(session):
    found = recalculate(session.snapshot())
    session.move_gate("CD68", 310.0)
    assert not session.install(found)
    assert session.is_stale
    assert session.answer is None


@pytest.mark.parametrize(
    ("decide", "says"),
    [
        (lambda s: s.move_gate("CD99", 1.0), "gates no 'CD99'; it gates panCK, CD68"),
        (lambda s: s.move_gate("CD68", 1.0, "CD99"), "gates no 'CD99'"),
        (lambda s: s.move_gate("CD68", 1.0, "CD68"), "among its own positive cells"),
        (lambda s: s.move_gate("CD68", np.nan), "must be a number, found nan"),
        (lambda s: s.set_phenotype([1], "Treg"), "knows no phenotype 'Treg'; it has Tumour"),
        (lambda s: s.withdraw_region("tumour", "x"), "no drawn tumour 'x'"),
    ],
)
def test_what_cannot_be_is_one_sentence_and_no_event(session, decide, says):
    with pytest.raises(MacproxError, match=says):
        decide(session)
    assert logged(session) == []


def test_a_decision_needs_a_name(session):
    session.reviewer = ""
    with pytest.raises(MacproxError, match="Who are you"):
        session.sign_off()
    assert logged(session) == []


def test_a_gate_that_is_nowhere_cannot_be_confirmed(session):
    session.called.gates.loc[session.called.gates["marker"] == "CD68", "value"] = np.nan
    with pytest.raises(MacproxError, match="CD68 has no gate to confirm"):
        session.confirm_gate("CD68")


def test_a_folder_that_is_no_result_is_refused(tmp_path):
    with pytest.raises(ResultError, match="is not the result of a slide"):
        ReviewSession.open(tmp_path)
