"""Simulated cohorts: exact geometry, truth that cells agree with, nulls that hold and mislead."""

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest

from macprox import spatial
from macprox.errors import StudyError
from macprox.regions import Regions, lesion_zone_areas, lesion_zone_of, place_by_lesion
from macprox.simulate import (
    Arm,
    CohortScene,
    scenario,
    simulate_cohort,
    true_difference,
    true_values,
)
from macprox.simulate.cohort_scene import MAX_MACROPHAGE_FRAC, SCENARIOS
from macprox.simulate.panel import AM, MO, TREG, TUMOUR
from macprox.spatial import zone_of

STRATA = ["region", "compartment"]
R_UM = 20.0


@cache
def cohort(name, n=40, seed=1, **changes):
    return simulate_cohort(scenario(name, n_patients=(n, n), **changes), seed)


def regions_of(made, slide_id):
    return Regions(
        tissue_window=made.window.shape.polygon(),
        airspace=made.airspace(slide_id),
        tumour=made.tumour(slide_id),
        tumour_source="file",
        margin_um=made.scene.margin_um,
    )


def xy(cells):
    return cells[["x_um", "y_um"]].to_numpy()


def g_and_excess(cells, strata=STRATA, phenotype=AM):
    """Raw share near a tumour cell and its excess, from and to the macrophages."""
    is_tumour = (cells["phenotype"] == TUMOUR).to_numpy()
    tumour, eligible = xy(cells[is_tumour]), cells[~is_tumour]
    moved = (eligible["phenotype"] == phenotype).to_numpy()
    labels = eligible[strata].agg(" ".join, axis=1) if strata else None
    found = []
    for direction, source, target in (
        ("from_moved", xy(eligible)[moved], tumour),
        ("to_moved", tumour, xy(eligible)[moved]),
    ):
        seen = (spatial.nearest_distance(source, target) <= R_UM).mean()
        expected = spatial.expected_g_relabelled(
            tumour, xy(eligible), moved, [R_UM], labels, direction
        )[0]
        found += [seen, seen - expected]
    return found


@cache
def measured(name, strata=tuple(STRATA), **changes):
    """``(n_patients, 4)``: raw and excess, from and to TRM, and the group of each."""
    made = cohort(name, **changes)
    rows = [g_and_excess(made.slide_cells(s), list(strata)) for s in made.slide_ids]
    table = pd.DataFrame(rows, columns=["g_from", "excess_from", "g_to", "excess_to"])
    return table.assign(group=made.samples["group"])


def z(values):
    return values.mean() / (values.std(ddof=1) / np.sqrt(len(values)))


# --- the same, and as other slides are --------------------------------------------------------


def test_a_seed_makes_one_cohort_and_more_patients_change_none_of_those_there_were():
    few, again = (simulate_cohort(scenario("null", n_patients=(2, 3)), 7) for _ in range(2))
    pd.testing.assert_frame_equal(few.cells, again.cells)
    more = simulate_cohort(scenario("null", n_patients=(4, 4), slides_per_patient=2), 7)
    for slide_id in few.slide_ids:
        pd.testing.assert_frame_equal(
            few.slide_cells(slide_id).reset_index(drop=True),
            more.slide_cells(slide_id).reset_index(drop=True),
        )
    other = simulate_cohort(scenario("null", n_patients=(2, 3)), 8)
    assert not other.cells["x_um"].equals(few.cells["x_um"])  # control


def test_samples_name_patients_and_groups_and_every_slide_has_its_cells():
    made = cohort("replacement", n=3, slides_per_patient=2)
    assert made.samples["group"].tolist() == ["early"] * 6 + ["late"] * 6
    assert made.samples["patient"].nunique() == 6
    assert made.cells["slide_id"].unique().tolist() == made.slide_ids
    assert sum(len(made.slide_cells(s)) for s in made.slide_ids) == len(made.cells)
    assert made.cells.groupby("slide_id")["cell_id"].max().sum() == len(made.cells)
    assert {AM, MO, TREG, TUMOUR, "Other"} == set(made.cells["phenotype"])


@pytest.mark.parametrize("alveoli", [False, True])
def test_columns_are_what_the_regions_say(alveoli):
    made = cohort("null", n=2, alveoli=alveoli, side_um=700.0)
    for slide_id in made.slide_ids:
        regions = regions_of(made, slide_id)
        cells = made.slide_cells(slide_id)
        located = regions.locate(xy(cells))
        placed = place_by_lesion(xy(cells), regions, located["lesion_id"].to_numpy())
        distance_um = placed["tumour_border_distance_um"].to_numpy()
        np.testing.assert_allclose(cells["tumour_border_distance_um"], distance_um, atol=1e-9)
        np.testing.assert_allclose(cells["relative_depth"], placed["relative_depth"], atol=0.01)
        assert cells["region"].tolist() == zone_of(distance_um, 100.0).tolist()
        for name in ("lesion_id", "compartment", "in_window", "excluded"):
            assert cells[name].tolist() == located[name].tolist(), name
    found = set(made.cells["compartment"])
    assert found == {"epithelium", "stroma"} | ({"tissue", "airspace"} if alveoli else set())


# --- truth ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["redistribution", "replacement", "compartment_artefact"])
@pytest.mark.parametrize(
    ("phenotype", "estimand"), [(AM, "tumour_near_trm"), (MO, "tumour_near_mdm")]
)
def test_tumour_cells_have_macrophages_nearby_as_often_as_the_truth_says(name, phenotype, estimand):
    made = cohort(name)
    seen = []
    for slide_id in made.slide_ids:
        cells = made.slide_cells(slide_id)
        tumour, macrophages = (xy(cells[cells["phenotype"] == p]) for p in (TUMOUR, phenotype))
        seen.append((spatial.nearest_distance(tumour, macrophages) <= R_UM).mean())
    truth = true_values(made)
    for group in ("early", "late"):
        of_group = (truth["group"] == group).to_numpy()
        away = np.array(seen)[of_group] - truth.loc[of_group, estimand]
        assert abs(z(away)) < 3.3
        assert truth.loc[of_group, estimand].mean() > 0.03  # control: there are some


def test_periphery_and_core_are_as_dense_as_the_truth_says():
    made = cohort("redistribution")
    truth = true_values(made).set_index("patient")
    counts, areas = {}, {}
    for slide_id, _, group in made.samples.itertuples(index=False):
        cells, regions = made.slide_cells(slide_id), regions_of(made, slide_id)
        zones = lesion_zone_areas(regions)
        zone = lesion_zone_of(cells["tumour_border_distance_um"], cells["nearest_lesion_id"], zones)
        is_trm = (cells["phenotype"] == AM).to_numpy()
        for name in ("core", "periphery"):
            key = group, name
            counts[key] = counts.get(key, 0) + (is_trm & (zone == name)).sum()
            areas[key] = areas.get(key, 0) + zones[f"{name}_um2"].sum()
    for group in ("early", "late"):
        core, periphery = (counts[group, n] / areas[group, n] for n in ("core", "periphery"))
        expected = truth.loc[truth["group"] == group, "log2_periphery_core_trm"].mean()
        se = np.sqrt(sum(1 / counts[group, n] for n in ("core", "periphery"))) / np.log(2)
        assert abs(np.log2(periphery / core) - expected) < 3 * se + 0.2
    early, late = (truth[truth["group"] == g]["log2_periphery_core_trm"] for g in ("early", "late"))
    assert early.max() < 0 < late.min()  # control: the sign turns


def test_trm_give_way_by_the_amount_that_is_said():
    difference = true_difference(scenario("replacement")).set_index("estimand")
    share = difference.loc["trm_share"]
    assert share["difference"] == pytest.approx(0.25 - 0.6, abs=4 * share["se"])
    made = cohort("replacement")
    n = made.cells.merge(made.samples, on="slide_id").value_counts(["group", "phenotype"])
    shares = {g: n[g, AM] / (n[g, AM] + n[g, MO]) for g in ("early", "late")}
    assert shares["late"] - shares["early"] == pytest.approx(-0.35, abs=0.04)


def test_arms_that_differ_in_name_alone_have_no_difference():
    difference = true_difference(scenario("null")).set_index("estimand")
    assert (difference[["difference", "se"]] == 0).all(axis=None)
    assert difference.loc["trm_excess", "early"] == 0
    artefact = true_difference(scenario("compartment_artefact")).set_index("estimand")
    assert artefact.loc["trm_excess", "difference"] == 0
    assert artefact.loc["tumour_near_trm", "difference"] > 0.1  # control: raw values differ
    turned = true_difference(scenario("redistribution")).set_index("estimand")
    assert np.isnan(turned.loc["trm_excess", "difference"])


# --- what nulls make of it ----------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", ["null", "compartment_artefact", "replacement"])
@pytest.mark.parametrize("direction", ["excess_from", "excess_to"])
def test_the_stratified_excess_is_zero_where_nothing_is_to_be_found(name, direction):
    table = measured(name)
    for group in ("early", "late"):
        assert abs(z(table.loc[table["group"] == group, direction])) < 3.3


@pytest.mark.parametrize("direction", ["from", "to"])
def test_the_artefact_misleads_raw_shares_and_the_unstratified_null(direction):
    raw, blind = measured("compartment_artefact"), measured("compartment_artefact", ())
    early, late = (raw["group"] == g for g in ("early", "late"))
    assert raw.loc[late, f"g_{direction}"].mean() > raw.loc[early, f"g_{direction}"].mean() + 0.1
    assert z(blind.loc[early, f"excess_{direction}"]) < -5  # "avoidance"
    assert z(blind.loc[late, f"excess_{direction}"]) > 5  # "attraction"


@pytest.mark.slow
def test_a_pull_is_the_excess_that_it_says():
    pulls = {"early": 0.5, "late": 1.0}
    arms = tuple(replace(a, trm_pull=pulls[a.name]) for a in SCENARIOS["null"].arms)
    changes = {"arms": arms, "pull_sd": 0.0, "lineage_sd": 0.0}
    made, table = cohort("null", **changes), measured("null", **changes)
    said = []
    for slide_id, _, group in made.samples.itertuples(index=False):
        cells = made.slide_cells(slide_id)
        is_tumour = (cells["phenotype"] == TUMOUR).to_numpy()
        others = cells[~is_tumour]
        near = spatial.nearest_distance(xy(others), xy(cells[is_tumour])) <= R_UM
        p = pd.Series(near, others.index).groupby([others[name] for name in STRATA])
        p = p.transform("mean")[others["phenotype"] == AM]
        said.append((pulls[group] * p * (1 - p)).mean())
    for group in pulls:
        of_group = table["group"] == group
        assert abs(z((table["excess_from"] - said)[of_group])) < 3.3
    assert z(table.loc[of_group, "excess_from"]) > 5  # control: it is found
    assert true_values(made)["tumour_near_trm"].isna().all()


def test_slides_of_one_patient_are_alike():
    # one-way random effects: variance between patients over all variance, of the TRM's share
    made = cohort("null", n=20, slides_per_patient=4)
    cells = made.cells.merge(made.samples, on="slide_id")
    n = cells.groupby(["patient", "slide_id"])["phenotype"].value_counts().unstack(fill_value=0)
    share = (n[AM] / (n[AM] + n[MO])).groupby("patient")
    within, between = share.var(ddof=1).mean(), share.mean().var(ddof=1)
    icc = (between - within / 4) / (between + within * 3 / 4)
    assert 0.2 < icc < 0.9


# --- refusals -----------------------------------------------------------------------------------


def test_impossible_cohorts_are_refused():
    with pytest.raises(StudyError, match="Unknown scenario 'nil'; known are null,"):
        scenario("nil")
    most = MAX_MACROPHAGE_FRAC
    with pytest.raises(StudyError, match=r"macrophages are 0\.6 of the non-tumour cells"):
        Arm("a", (most,) * 4, (0.15,) * 4)
    with pytest.raises(StudyError, match="A pull lies between -1 and 1, found 2 and 0"):
        Arm("a", (0.1,) * 4, (0.1,) * 4, trm_pull=2)
    arm = Arm("a", (0.1,) * 4, (0.1,) * 4)
    with pytest.raises(StudyError, match="Two arms need two names"):
        CohortScene((arm, arm))
    with pytest.raises(StudyError, match="needs a patient in each arm"):
        scenario("null", n_patients=(0, 3))
    with pytest.raises(StudyError, match="has no room for a lesion"):
        scenario("null", side_um=300.0)
