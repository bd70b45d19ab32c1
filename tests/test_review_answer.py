"""The answer in the window is the statistics table's, found again in a moment."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.spatial import cKDTree

import macprox as mp
import small_runs
from macprox import spatial
from macprox.pipeline.areas import Areas
from macprox.review import recalculation
from macprox.review.question.answer import CURVE_STEP_UM, answer, change_since, nearest_lines
from macprox.spatial.nulls.relabel import Relabelling
from macprox.spatial.nulls.relabel_variance import variance_of_g_to_moved
from macprox.spatial.search.grid import CellGrid
from review_slides import SIDE_UM, made_up, saved_calls, study

NUMBERS = ["value", "expected", "sd", "ci_low", "ci_high", "p", "ratio", "z"]
LABELS = ["source", "target", "r_um", "n_source", "n_target", "eligible", "null", "n_permutations"]


def assert_same_rows(found, headline):
    assert found[LABELS].astype(str).equals(headline[LABELS].astype(str))
    for name in NUMBERS:
        np.testing.assert_allclose(found[name], headline[name], rtol=1e-9, err_msg=name)


def test_an_unedited_slide_has_the_saved_headline(small_result):
    parameters = small_result.study.proximity
    found = answer(saved_calls(small_result), small_result.study)
    headline = spatial.headline(small_result.statistics(), parameters)
    assert len(headline) == 2
    assert headline["value"].notna().all()  # control: there is something to agree on
    assert headline["sd"].notna().all()
    assert_same_rows(found.rows, headline)


@pytest.mark.parametrize("null", ["relabel", "permute"])
def test_several_classes_have_the_headline_of_slide_statistics(null):
    called, asked = made_up(), study(("n_permutations", f'null = "{null}"\nn_permutations'))
    window = spatial.Window.from_rectangle(0, 0, SIDE_UM, SIDE_UM)
    table = spatial.slide_statistics(
        called.counted(asked), window, called.regions.tumour, asked.proximity
    )
    found = answer(called, asked)
    assert len(found.rows) == 6  # two classes and both together, there and back
    assert_same_rows(found.rows, spatial.headline(table, asked.proximity))
    assert list(found.curves) == ["TRM", "Mo-mac", "All macrophages"]


def test_a_curve_meets_the_headline_and_the_exact_band():
    called, asked = made_up(), study()
    found = answer(called, asked)
    curve = found.curves["TRM"]
    assert curve.r_um[0] == 0
    assert curve.r_um[-1] == asked.proximity.radii_um[-1]
    assert np.diff(curve.r_um) == pytest.approx(CURVE_STEP_UM)
    here = curve.r_um == asked.proximity.primary_radius_um
    row = found.rows.query("source == 'Tumour' and target == 'TRM'").iloc[0]
    assert curve.observed[here] == row["value"]
    assert curve.expected[here] == pytest.approx(row["expected"], rel=1e-9)
    assert (curve.n_tumour, curve.n_macrophages) == (row["n_source"], row["n_target"])
    # 95 of 100 arrangements lie within 1.96 exact standard deviations, as far as G is normal.
    cells = called.counted(asked)
    xy, kind = cells[["x_um", "y_um"]].to_numpy(), cells["phenotype"].to_numpy()
    eligible = kind != "Tumour"
    strata = (cells["region"] + cells["compartment"])[eligible]
    labels = Relabelling.of((kind == "TRM")[eligible], strata)
    grid = CellGrid.of(xy[eligible], 20.0)
    sd = np.sqrt(variance_of_g_to_moved(*grid.lists(xy[~eligible], curve.r_um[1:]), labels))
    middle = (curve.expected[1:] > 0.1) & (curve.expected[1:] < 0.9)
    assert middle.sum() > 5
    assert (curve.high - curve.low)[1:][middle] == pytest.approx(3.92 * sd[middle], rel=0.25)
    assert (curve.low <= curve.expected).all()
    assert (curve.expected <= curve.high).all()


def test_the_last_radius_is_on_the_curve_whatever_the_step():
    found = answer(made_up(300), study(("n_permutations", "radii_um = [20, 33]\nn_permutations")))
    assert found.curves["TRM"].r_um[-2:].tolist() == [32, 33]


def test_the_same_cells_give_the_same_answer():
    first, second = answer(made_up(), study()), answer(made_up(), study())
    pd.testing.assert_frame_equal(first.rows, second.rows)
    assert np.array_equal(first.curves["TRM"].high, second.curves["TRM"].high)
    assert change_since(first, second) == ""


def test_a_slide_without_tumour_region_says_why_there_is_no_answer():
    found = answer(made_up(has_tumour=False), study())
    assert found.rows["value"].isna().all()
    assert found.curves == {}
    assert found.sentence == (
        "No answer: no tumour region: automatic detection found none and none was drawn."
    )


def test_a_study_without_macrophages_a_class_without_cells_and_no_cells_say_why():
    none = answer(made_up(), study(('macrophages = ["TRM", "Mo-mac"]', "macrophages = []")))
    assert "names no macrophage phenotype" in none.sentence
    called = made_up()
    is_trm = called.cells["phenotype"] == "TRM"
    found = answer(replace(called, cells=called.cells[~is_trm]), study())
    assert found.rows.iloc[0]["reason"] == "no cells of 'TRM'"
    assert "TRM" not in found.curves
    assert "Mo-mac" in found.sentence  # the first class that has a number
    empty = answer(replace(called, cells=called.cells[:0]), study())
    assert empty.sentence == "No answer: no cells."


def test_a_study_that_asks_for_csr_is_told_what_it_lacks():
    found = answer(made_up(), study(("n_permutations", 'null = "csr"\nn_permutations')))
    assert found.rows["value"].notna().all()
    assert found.rows["expected"].isna().all()
    assert np.isnan(found.curves["TRM"].high[1:]).all()
    assert "What chance would give is not known" in found.sentence


def test_the_sentence_says_seen_expected_and_how_that_compares():
    found = answer(made_up(), study())
    row = found.rows.iloc[1]
    words = found.sentence.replace("\u00a0", " ")
    assert f"of {row['n_source']} tumour cells have a TRM macrophage within 20 µm." in words
    assert f"{100 * row['expected']:.1f} % would be expected" in words
    assert "in 95 of 100 random arrangements: the slide lies within that." in words


def test_a_change_is_told_in_numbers():
    called, asked = made_up(), study()
    before = answer(called, asked)
    cells = called.cells.copy()
    gone = cells["cell_id"][cells["phenotype"] == "TRM"].iloc[:30]
    cells.loc[cells["cell_id"].isin(gone), "phenotype"] = "Mo-mac"
    after = answer(replace(called, cells=cells), asked)
    n = before.rows.iloc[1]["n_target"]
    said = change_since(before, after).replace("\u00a0", " ")
    assert said.startswith("Observed ")
    assert said.endswith(f"TRM {n} → {n - 30}.")
    assert change_since(None, after) == ""
    nothing = answer(made_up(has_tumour=False), asked)
    assert change_since(before, nothing) == "There is no answer now."
    assert change_since(nothing, before) == "There is an answer now."
    assert change_since(nothing, nothing) == ""


def test_lines_lead_from_macrophages_to_their_nearest_tumour_cell():
    called, asked = made_up(), study()
    lines = nearest_lines(called, asked, "TRM")
    cells = called.cells
    of = {
        name: cells.loc[cells["phenotype"] == name, ["x_um", "y_um"]] for name in ("TRM", "Tumour")
    }
    assert np.array_equal(lines[:, 0], of["TRM"].to_numpy())
    length = np.hypot(*(lines[:, 1] - lines[:, 0]).T)
    assert length == pytest.approx(cKDTree(of["Tumour"]).query(of["TRM"])[0])
    assert len(nearest_lines(called, asked, "All macrophages")) > len(lines)


def test_lines_can_be_few_and_of_one_view():
    called, asked = made_up(), study()
    every = nearest_lines(called, asked, "TRM")
    few = nearest_lines(called, asked, "TRM", max_lines=10)
    assert len(few) <= 10 < len(every)
    seen = nearest_lines(called, asked, "TRM", view_um=(100, 100, 300, 250))
    assert 0 < len(seen) < len(every)
    assert (seen[:, 0] >= [100, 100]).all()
    assert (seen[:, 0] <= [300, 250]).all()


def test_there_are_no_lines_where_there_is_no_tumour_or_no_such_class():
    called, asked = made_up(), study()
    assert nearest_lines(made_up(has_tumour=False), asked, "TRM").shape == (0, 2, 2)
    assert nearest_lines(called, asked, "Treg").shape == (0, 2, 2)
    cells = called.cells.assign(phenotype="TRM")
    assert nearest_lines(replace(called, cells=cells), asked, "TRM").shape == (0, 2, 2)
    fields = called.cells.assign(roi_id=np.where(called.cells["x_um"] < 300, "a", "b"))
    lines = nearest_lines(replace(called, cells=fields), asked, "TRM")  # b has no tumour cell
    assert (lines[:, 0, 0] < 300).all()
    assert len(lines)


def test_excluded_cells_are_in_no_number():
    called, asked = made_up(), study()
    out = (called.cells["x_um"] > 400).to_numpy()
    without = answer(replace(called, cells=called.cells.assign(excluded=out)), asked)
    assert without.rows.equals(answer(replace(called, cells=called.cells[~out]), asked).rows)
    no_region = replace(
        called, areas=Areas(replace(called.regions, exclusions=called.regions.tumour))
    )
    assert answer(no_region, asked).rows["value"].notna().all()


def test_a_table_of_another_tool_has_its_saved_headline_without_a_tumour_region(tmp_path):
    made = made_up(400).cells
    table = tmp_path / "cells.csv"
    made[["x_um", "y_um", "phenotype", "region"]].to_csv(table, index=False)
    with small_runs.without_reports():
        ended = small_runs.macprox(
            "stats", table, "--source", "TRM", "--target", "Tumour", "--out", tmp_path / "results",
            "--x", "x_um", "--y", "y_um", "--phenotype", "phenotype",
        )  # fmt: skip
    assert ended.code == 0, ended.err
    result = mp.open_result(tmp_path / "results" / "slides" / "cells")
    called = recalculation.saved_calls(result)
    found = answer(called, result.study)
    assert_same_rows(found.rows, spatial.headline(result.statistics(), result.study.proximity))
    assert found.rows["value"].notna().all()
    assert len(nearest_lines(called, result.study, "TRM")) > 10
