"""Who lies nearest to a gate that matters comes first; who cannot change, or was judged, never."""

from dataclasses import replace

import numpy as np
import pytest

from macprox.review.cells.queue import QUEUE_COLUMNS, review_queue
from review_slides import made_up, saved_calls, study


def with_values(called, cell_id, **values):
    cells = called.cells.copy()
    for column, value in values.items():
        cells.loc[cells["cell_id"] == cell_id, column] = value
    for marker, compartment, gate in called.gates[["marker", "compartment", "value"]].to_numpy():
        slug = marker.lower()
        cells[f"{slug}_positive"] = cells[f"mean_{slug}_{compartment}"] > gate
    return replace(called, cells=cells)


def first_id(called, phenotype):
    return int(called.cells.loc[called.cells["phenotype"] == phenotype, "cell_id"].iloc[0])


def test_the_cell_at_its_gate_is_first_and_says_which():
    called = made_up()
    mac = first_id(called, "Mo-mac")
    called = with_values(called, mac, mean_marco_cell=99.9)
    queue = review_queue(called, study())
    assert tuple(queue.columns) == QUEUE_COLUMNS
    first = queue.iloc[0]
    assert (first["cell_id"], first["phenotype"], first["marker"]) == (mac, "Mo-mac", "MARCO")
    assert first["distance"] < 0.01
    assert queue["distance"].is_monotonic_increasing
    cell = called.cells.set_index("cell_id").loc[mac]
    assert (first["x_um"], first["y_um"]) == (cell["x_um"], cell["y_um"])


def test_a_cell_whose_name_would_stay_is_not_uncertain():
    called = made_up()
    tumour = first_id(called, "Tumour")  # MARCO stands in no rule for panCK+ CD68- cells
    called = with_values(called, tumour, mean_marco_cell=100.1)
    of_tumour = review_queue(called, study(), n=10**6).query("phenotype == 'Tumour'")
    assert tumour in of_tumour["cell_id"].to_numpy()
    assert "MARCO" not in of_tumour["marker"].to_numpy()
    # Control: the same intensity beside the same gate in a macrophage puts it in front.
    mac = first_id(called, "TRM")
    queue = review_queue(with_values(called, mac, mean_marco_cell=100.1), study(), n=100)
    assert queue["cell_id"].iloc[0] == mac


def test_distances_are_in_the_markers_own_spread():
    called = made_up()
    before = review_queue(called, study())
    scaled = called.cells.assign(mean_marco_cell=called.cells["mean_marco_cell"] * 50)
    gates = called.gates.copy()
    gates.loc[gates["marker"] == "MARCO", "value"] *= 50
    after = review_queue(replace(called, cells=scaled, gates=gates), study())
    assert before["cell_id"].tolist() == after["cell_id"].tolist()
    assert before["distance"].to_numpy() == pytest.approx(after["distance"].to_numpy())


def test_judged_and_excluded_cells_leave_the_queue():
    called = made_up()
    first, second, third = review_queue(called, study())["cell_id"].iloc[:3]
    ids = called.cells["cell_id"]
    cells = called.cells.assign(
        phenotype_source=np.where(ids == first, "reviewer", "auto"), excluded=ids == second
    )
    assert review_queue(replace(called, cells=cells), study())["cell_id"].iloc[0] == third


def test_the_queue_ends_where_it_is_asked_to():
    called = made_up()
    assert len(review_queue(called, study(), n=7)) == 7
    every = review_queue(called, study(), n=10**6)
    assert 7 < len(every) <= len(called.cells)
    assert every["cell_id"].is_unique


@pytest.mark.parametrize("what", ["no cells", "no gate", "no values", "one value"])
def test_where_nothing_can_be_uncertain_the_queue_is_empty(what):
    called = made_up(60)
    columns = ["mean_panck_ring", "mean_cd68_cell", "mean_marco_cell"]
    cells, gates = called.cells, called.gates
    if what == "no cells":
        cells = cells[:0]
    elif what == "no gate":
        gates = gates.assign(value=np.nan)
    else:
        cells = cells.assign(**dict.fromkeys(columns, np.nan if what == "no values" else 5.0))
    queue = review_queue(replace(called, cells=cells, gates=gates), study())
    assert len(queue) == 0
    assert tuple(queue.columns) == QUEUE_COLUMNS


def test_given_phenotypes_hang_on_no_gate():
    asked = study(
        ('"panCK+ CD68-"', '"given"'),
        ('"CD68+ MARCO+ panCK-"', '"given"'),
        ('"CD68+ MARCO- panCK-"', '"given"'),
    )
    assert len(review_queue(made_up(60), asked)) == 0


def test_a_finished_slide_has_a_queue_near_its_gates(small_result):
    queue = review_queue(saved_calls(small_result), small_result.study, n=20)
    assert len(queue) == 20
    cells = small_result.cells().set_index("cell_id")
    first = queue.iloc[0]
    column = {"panCK": "mean_panck_ring", "CD68": "mean_cd68_cell"}[first["marker"]]
    off = (cells[column] - 300).abs()
    assert off[first["cell_id"]] < off.quantile(0.05)
