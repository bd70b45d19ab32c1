"""A card says of a cell what the tables say, in words."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from macprox.errors import TableError
from macprox.phenotype.gate_table import apply_gates
from macprox.review.cells.card import cell_at, cell_card
from macprox.review.gates.per_cell import cuts_of, values_of
from review_slides import made_up, saved_calls, study


def with_gate_among(called, marker, parent, value):
    """The same slide with one more gate, among the positive cells of a parent."""
    row = called.gates[called.gates["marker"] == marker].assign(parent=parent, value=value)
    gates = pd.concat([called.gates, row], ignore_index=True)
    return replace(called, gates=gates, cells=apply_gates(called.cells, gates))


def id_of(called, phenotype):
    return int(called.cells.loc[called.cells["phenotype"] == phenotype, "cell_id"].iloc[0])


def test_a_card_of_a_finished_slide_agrees_with_its_tables(small_result):
    called, cells = saved_calls(small_result), small_result.cells()
    of = cells[cells["phenotype"] == "Macrophage"].iloc[0]
    card = cell_card(called, small_result.study, of["cell_id"])
    assert (card.phenotype, card.source) == ("Macrophage", "auto")
    assert (card.x_um, card.y_um) == (of["x_um"], of["y_um"])
    assert card.nearest_tumour_um == pytest.approx(of["nearest_tumour_um"])
    assert card.border_um == of["tumour_border_distance_um"]
    assert card.why.startswith("Macrophage: panCK- CD68+")
    assert "only this rule matches" in card.why
    by_name = {reading.marker: reading for reading in card.readings}
    assert list(by_name) == list(small_result.study.markers)
    assert by_name["CD68"].value == of["mean_cd68_cell"]
    assert by_name["CD68"].gate == 300
    assert by_name["CD68"].positive
    assert not by_name["panCK"].positive
    assert by_name["CD68"].percentile == pytest.approx(
        100 * (cells["mean_cd68_cell"] < of["mean_cd68_cell"]).mean()
    )


def test_a_tumour_cell_is_not_its_own_nearest():
    called, asked = made_up(), study()
    card = cell_card(called, asked, id_of(called, "Tumour"))
    assert card.nearest_tumour_um > 0
    assert card.nearest_tumour_id != card.cell_id
    other = called.cells.set_index("cell_id").loc[card.nearest_tumour_id]
    assert card.nearest_tumour_xy_um == (other["x_um"], other["y_um"])
    assert np.hypot(card.x_um - other["x_um"], card.y_um - other["y_um"]) == pytest.approx(
        card.nearest_tumour_um
    )


def test_a_tumour_cell_that_does_not_count_is_nobodys_nearest():
    called, asked = made_up(), study()
    first = cell_card(called, asked, id_of(called, "TRM"))
    out = called.cells["cell_id"] == first.nearest_tumour_id
    second = cell_card(
        replace(called, cells=called.cells.assign(excluded=out)), asked, first.cell_id
    )
    assert second.nearest_tumour_um > first.nearest_tumour_um
    field = called.cells.assign(roi_id=called.cells["cell_id"].astype(str))  # all alone
    alone = cell_card(replace(called, cells=field), asked, first.cell_id)
    assert (alone.nearest_tumour_id, alone.nearest_tumour_xy_um) == (0, None)
    assert np.isnan(alone.nearest_tumour_um)


def test_the_gate_of_a_card_is_the_parents_where_there_is_one():
    called = with_gate_among(made_up(), "MARCO", "CD68", 555.0)
    trm, tumour = (cell_card(called, study(), id_of(called, k)) for k in ("TRM", "Tumour"))
    gate = {r.marker: r.gate for r in trm.readings}
    assert gate == {"panCK": 300, "CD68": 300, "MARCO": 555}
    assert {r.marker: r.gate for r in tumour.readings}["MARCO"] == 100


def test_cuts_are_where_the_gate_table_calls():
    called = with_gate_among(made_up(), "MARCO", "CD68", 555.0)
    called = with_gate_among(called, "MARCO", "panCK", 20.0)
    for marker in ("panCK", "CD68", "MARCO"):
        above = values_of(called.cells, called.gates, marker) > cuts_of(
            called.cells, called.gates, marker
        )
        assert np.array_equal(above, called.cells[f"{marker.lower()}_positive"])
    assert set(cuts_of(called.cells, called.gates, "MARCO")) == {20.0, 100.0, 555.0}
    assert np.isnan(cuts_of(called.cells, called.gates, "FOXP3")).all()
    assert values_of(called.cells, called.gates, "FOXP3") is None


def test_a_cell_named_by_hand_says_so_and_what_the_rules_say():
    called = made_up()
    is_first = called.cells["cell_id"] == id_of(called, "TRM")
    cells = called.cells.assign(
        phenotype=called.cells["phenotype"].where(~is_first, "Tumour"),
        phenotype_source=np.where(is_first, "reviewer", "auto"),
    )
    card = cell_card(replace(called, cells=cells), study(), int(cells["cell_id"][is_first].iloc[0]))
    assert (card.phenotype, card.source) == ("Tumour", "reviewer")
    assert card.why.startswith("Named by a reviewer. By the rules it would be TRM: ")


def test_what_to_be_careful_about_is_said_in_words():
    called = made_up(50)
    cells = called.cells.assign(
        artefact="fold; reviewer: debris", has_nucleus=False, in_window=False, excluded=True,
        af_suspect=True, edge=True, clump=True,
    )  # fmt: skip
    card = cell_card(replace(called, cells=cells), study(), 1)
    assert card.flags == (
        "fold",
        "reviewer: debris",
        "no nucleus in this plane",
        "outside the tissue",
        "bright in the autofluorescence channel",
        "cut by the edge of the image",
        "part of a clump",
        "left out of every number",
    )
    assert not card.has_nucleus
    assert cell_card(called, study(), 1).flags == ()


def test_cells_of_another_tools_table_have_a_card_too():
    called = made_up()
    kept = ["cell_id", "x_um", "y_um", "phenotype", "in_window", "excluded"]
    asked = study(
        ('"panCK+ CD68-"', '"given"'),
        ('"CD68+ MARCO+ panCK-"', '"given"'),
        ('"CD68+ MARCO- panCK-"', '"given"'),
    )
    bare = replace(called, cells=called.cells[kept], gates=called.gates[:0])
    card = cell_card(bare, asked, id_of(called, "TRM"))
    assert card.source == "given"
    assert card.why == "The table that the cells came from says so."
    assert card.readings == ()
    assert card.nearest_tumour_um > 0


def test_a_cell_that_is_gone_is_told():
    with pytest.raises(TableError, match="Cell 999999 is not on this slide any more"):
        cell_card(made_up(50), study(), 999_999)


def test_a_cell_is_found_by_its_centroid_where_labels_cannot_say():
    cells = pd.DataFrame({"cell_id": [7, 9], "x_um": [0.0, 20.0], "y_um": [0.0, 0.0]})
    assert cell_at(cells, 3, 0) == 7
    assert cell_at(cells, 11, 0) == 9
    assert cell_at(cells, 31, 0) == 0
    assert cell_at(cells, 31, 0, within_um=12) == 9
    assert cell_at(cells[:0], 0, 0) == 0


def test_where_a_cell_is_is_said_in_words():
    called, asked = made_up(), study()
    card = cell_card(called, asked, id_of(called, "TRM"))
    inside = replace(card, nearest_tumour_um=12.34, border_um=-30.0, compartment="epithelium")
    text = "Nearest tumour cell: 12.3 µm away. 30 µm inside the tumour border, in epithelium."
    assert replace(inside, flags=()).place_text == text
    assert replace(inside, flags=("clump", "edge")).place_text == f"{text}\n⚠ clump\n⚠ edge"
    nowhere = replace(card, nearest_tumour_um=float("nan"), border_um=float("nan"), flags=())
    assert nowhere.place_text == "There is no tumour cell on this slide."
