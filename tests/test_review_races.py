"""What happens at the same time as something else: no decision is lost, no number is old."""

from __future__ import annotations

import shutil
from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest

import macprox as mp
import small_runs
from macprox.edits import CellDeleted, EditLog
from macprox.errors import ResultError
from macprox.pipeline import run as stages
from macprox.pipeline.redrawing.stage import measurements_of
from macprox.review import recalculation
from macprox.review.outlines.crop import crop_edit, cut_crop
from macprox.review.outlines.shapes import remove
from macprox.review.recalculation import recalculate
from macprox.review.session import ReviewSession


@pytest.fixture
def session(small_copy) -> ReviewSession:
    return ReviewSession.open(small_copy.path, "A. Reviewer")


@pytest.fixture(autouse=True)
def figures_left_out():
    with small_runs.without_reports():
        yield


def redraw_one(session: ReviewSession) -> None:
    """Take a cell's outline away."""
    cell = session.called.cells.query("x_um > 60 and y_um > 60").iloc[0]
    crop = cut_crop(session.result, (cell["x_um"], cell["y_um"]), 128)
    session.redraw(crop_edit(crop, remove(crop.cells, [cell["cell_id"]])))


def test_a_decision_made_during_an_update_and_taken_back_is_in_no_table(session):
    cells = session.result.cells()
    first, second = cells["cell_id"].iloc[:2]
    session.delete([first])
    analyse = stages.analyse_slide

    def analyse_slowly(*given):
        session.delete([second])  # the reviewer goes on
        return analyse(*given)

    with patch.object(stages, "analyse_slide", analyse_slowly):
        session.update()
    assert not session.is_saved
    session.undo()
    assert session.is_saved
    assert set(cells["cell_id"]) - set(session.result.cells()["cell_id"]) == {first}


def test_an_outline_drawn_and_taken_back_during_a_recalculation_stays_as_it_was(session):
    n_cells = len(session.called.cells)
    session.move_gate("CD68", 310.0)
    snapshot = session.snapshot()
    redraw = recalculation.redraw_cells

    def redraw_late(*given):
        redraw_one(session)  # while the recalculation is on its way to the labels
        return redraw(*given)

    with patch.object(recalculation, "redraw_cells", redraw_late):
        found = recalculate(snapshot)
    assert len(measurements_of(session.result.folder)) == n_cells - 1  # control
    assert not session.install(found)
    session.undo()
    assert session.install(recalculate(session.snapshot()))
    assert len(session.called.cells) == n_cells
    assert len(measurements_of(session.result.folder)) == n_cells


def test_two_windows_on_one_slide_lose_nothing_of_each_other(session):
    other = ReviewSession.open(session.result.path, "B. Reviewer")
    first, second, third = session.called.cells["cell_id"].iloc[:3]
    session.set_phenotype([first], "Macrophage")
    other.set_phenotype([second], "Macrophage")
    session.set_phenotype([second], "Tumour")
    assert [e.after for e in session.corrections.phenotypes] == ["Macrophage", "Tumour"]
    session.undo()  # back to what the other reviewer said, not to nobody's word
    assert [e.after for e in session.corrections.phenotypes] == ["Macrophage", "Macrophage"]
    other.delete([third])
    assert len(other.corrections.phenotypes) == 2
    assert len(EditLog(session.result.folder.edits).read()) == 5


def test_a_line_that_another_window_writes_at_the_same_moment_is_seen(session):
    log = EditLog(session.result.folder.edits)
    append = EditLog.append

    def both(self, *events):
        written = append(self, *events)
        append(self, CellDeleted(slide_id="field", reviewer="B", x_um=1.0, y_um=2.0))
        return written

    with patch.object(EditLog, "append", both):
        session.confirm_gate("CD68")
    assert len(session.corrections.deleted) == 1
    assert len(log.read()) == 2


@pytest.mark.parametrize("name", ["cells", "gates", "regions", "statistics"])
def test_a_deleted_table_is_written_again_by_an_update(session, name):
    path = getattr(session.result.folder, name)
    before = path.read_bytes()
    path.unlink()
    assert not session.is_saved
    session.update()
    assert path.read_bytes() == before
    assert session.is_saved


@pytest.mark.parametrize("gone", ["measurements", "labels", "work", "tissue"])
def test_what_was_deleted_is_made_again_by_a_run_and_corrections_stay(session, gone):
    folder, source = session.result.folder, session.result.manifest["source"]
    cells = session.result.cells()
    session.delete(cells["cell_id"].iloc[:1])
    path = getattr(folder, gone)
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    study = folder.path.parents[1] / "study.toml"
    (result,) = mp.run([source["path"]], study, folder.path.parents[1])
    assert path.exists()
    again = result.cells()
    assert len(again) == len(cells) - 1
    np.testing.assert_array_equal(again[["x_um", "y_um"]], cells[["x_um", "y_um"]].iloc[1:])


@pytest.mark.parametrize("is_there", [True, False])
@pytest.mark.parametrize("name", ["measurements", "contacts"])
def test_a_table_that_cannot_be_read_is_named_and_corrections_are_kept(session, name, is_there):
    session.delete(session.called.cells["cell_id"].iloc[:1])
    path = getattr(session.result.folder, name)
    if name == "contacts" and not is_there:
        path.unlink()
        session.update()  # it is made from the labels
        assert len(pd.read_parquet(path))
        return
    path.write_bytes(b"PAR1") if is_there else path.unlink()
    says = "is damaged .* Delete this file and give" if is_there else "is missing; give"
    with pytest.raises(ResultError, match=rf"{path.name} {says} the slide to `macprox run` again"):
        session.update()
    assert len(EditLog(session.result.folder.edits).read()) == 1
