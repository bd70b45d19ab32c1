"""The walk of a pathologist, from opening the sample to the numbers that followed."""

from __future__ import annotations

import shutil

import pandas as pd
import pytest
import shapely

pytest.importorskip("napari", reason="needs the napari extra")
pytest.importorskip("pytestqt", reason="needs the test extra")

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QLineEdit

import macprox as mp
import small_runs
from macprox.spatial.slide import headline
from napari_macprox.histogram import GateHistogram
from plugin.pathologist import Pathologist

pytestmark = pytest.mark.usefixtures("screen")

NAME = "Dr. A. Example"


@pytest.fixture
def results(sample_results, tmp_path):
    """The demo's results, to be changed."""
    shutil.copytree(sample_results, tmp_path / "results")
    return tmp_path / "results"


def answer(result: mp.SlideResult) -> pd.DataFrame:
    rows = headline(result.statistics(), result.study.proximity)
    return rows.set_index(["source", "target"])[["value", "expected", "n_source", "n_target"]]


def test_open_gate_five_cells_tumour_sign_update(results, make_napari_viewer, qtbot):
    before = mp.open_result(results / "slides" / "P01_early")
    cells_before, answer_before = before.cells().set_index("cell_id"), answer(before)
    who = Pathologist(make_napari_viewer(show=True), qtbot)
    who.open(results)
    session = who.review.session
    assert session.slide_id == "P01_early"
    who.type(who.desk.findChild(QLineEdit), NAME)

    # A gate, dragged with the mouse and confirmed.
    gates = who.desk.turn_to("Gates")
    gates.choose("CD68")
    histogram = gates.findChild(GateHistogram)
    old_gate = histogram.gate
    with who.answered():
        who.drag_gate(histogram, old_gate * 1.5)
    with who.answered():
        who.press(gates, "Confirm")

    # Five cells, clicked on the image: two relabelled by key, one deleted, two artefacts.
    panel = who.desk.turn_to("Cells")
    cells = session.called.cells
    tumour = cells[(cells["phenotype"] == "Tumour") & (cells["solidity"] > 0.9)]
    five = tumour.iloc[10:60:10]
    to_macrophage = 1 + [*session.phenotypes].index("Mo-mac-like")
    decided = {}
    for number, cell in enumerate(five.itertuples()):
        who.review.go_to(cell.x_um, cell.y_um)
        who.look()
        who.click_image(cell.x_um, cell.y_um)
        assert who.review.selected == cell.cell_id
        with who.answered():
            if number < 2:
                who.key(getattr(Qt.Key, f"Key_{to_macrophage}"))
            elif number == 2:
                who.key(Qt.Key.Key_Delete)
            else:
                panel.mark("debris")
        decided[number] = cell.cell_id

    # The tumour, corner by corner, with the mouse.
    regions = who.desk.turn_to("Regions")
    who.viewer.reset_view()
    who.look()
    for box in regions.findChildren(QComboBox):
        box.setCurrentText("corner by corner")
    who.press(regions, "Draw tumour")
    corners = [(120, 120), (400, 120), (400, 380), (120, 380)]
    with who.answered():
        for corner in corners:
            who.click_image(*corner)
        who.click_image(*corners[-1], double=True)
    (drawn,) = session.corrections.drawn("tumour")
    assert session.called.regions.tumour_source == "reviewer"

    # Signed off; then the numbers, from the command line.
    sign_off = who.desk.turn_to("Sign-off")
    who.press(sign_off, "Sign off")
    assert session.corrections.signed_off.reviewer == NAME
    shown = session.answer.rows.set_index(["source", "target"])
    with small_runs.without_reports():
        ended = small_runs.macprox("update", results, "--quiet")
    assert ended.code == 0, ended.err

    after = mp.open_result(before.path)
    cells_after = after.cells().set_index("cell_id")
    relabelled = [decided[0], decided[1]]
    assert (cells_before.loc[relabelled, "phenotype"] == "Tumour").all()  # control
    assert (cells_after.loc[relabelled, "phenotype"] == "Mo-mac-like").all()
    assert (cells_after.loc[relabelled, "phenotype_source"] == "reviewer").all()
    assert decided[2] in cells_before.index
    assert decided[2] not in cells_after.index
    assert cells_after.loc[[decided[3], decided[4]], "excluded"].all()
    gate = after.gates().set_index("marker").loc["CD68"]
    assert gate["value"] == pytest.approx(old_gate * 1.5, rel=0.05)
    assert (gate["source"], gate["by"], gate["confirmed"]) == ("reviewer", NAME, True)
    square = shapely.Polygon(corners) & after.regions().tissue_window
    assert after.regions().tumour_source == "reviewer"
    assert shapely.hausdorff_distance(after.regions().tumour, square) < 5
    assert after.manifest["signed_off"]["by"] == NAME
    assert after.manifest["edits"][NAME] > 5
    changed = answer(after)
    assert not changed.equals(answer_before)
    for column in changed:  # the window had said so already
        assert changed[column].tolist() == pytest.approx(shown[column].tolist(), nan_ok=True)
    assert drawn.reviewer == NAME
