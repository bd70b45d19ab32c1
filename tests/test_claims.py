"""C1 to C7 on slides whose truth is known: right sign, right size, and nothing where nothing is."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from shapely import MultiPolygon

import claim_cohorts
from claim_cohorts import AM, MO, STUDY, TREG, TUMOUR, answers_of, measures_of, slides_of
from macprox import cohort
from macprox.claims import CLAIMS, ClaimSlide, Roles, ask, patient_values
from macprox.claims.burden import DENSITY, LESION_AREA, LESIONS
from macprox.claims.lineage import AGAINST_ADJACENT, TUMOUR_TISSUE
from macprox.claims.lineage import SHARE as LINEAGE_SHARE
from macprox.claims.measures import measure, to_measures
from macprox.claims.named import Named
from macprox.claims.paired import Paired
from macprox.claims.periphery import RATIO, SHARE
from macprox.claims.regulatory import PREFERENCE
from macprox.claims.robustness import Material, sensitivity
from macprox.claims.slide import ADJACENT
from macprox.claims.terms import Terms, default_primary, named_primary
from macprox.cohort.columns import AGAINST_NOTHING, BETWEEN, MIXED, SURVIVAL
from macprox.cohort.parameters import CohortParameters
from macprox.errors import CohortError, StudyError
from macprox.regions import lesion_zone_areas
from macprox.simulate import true_values

ROLES = Roles.of(STUDY)


def found(answers, statistic, question=BETWEEN, **labels) -> pd.Series:
    """The one test of these labels."""
    tests = answers.tests
    rows = tests[(tests["statistic"] == statistic) & (tests["question"] == question)]
    for name, wanted in labels.items():
        rows = rows[rows[name] == wanted]
    assert len(rows) == 1, rows[["source", "target", "region", "r_um", "contrast"]]
    return rows.iloc[0]


def test_redistribution_is_found_with_its_sign_and_size():
    made, answers = claim_cohorts.simulated("redistribution"), answers_of("redistribution", "C2")
    told = found(answers, SHARE, source=AM)
    assert told["p"] <= 0.05
    assert told["ci_low"] > 0
    truth = _true_shares(made)
    assert told["ci_low"] < truth["late"] - truth["early"] < told["ci_high"]
    ratios = answers.values[answers.values["statistic"] == RATIO].merge(answers.patients)
    means = ratios[ratios["source"] == AM].groupby("group")["value"].mean()
    assert means["late"] - means["early"] > 2  # log2: fourfold
    assert found(answers, SHARE, source=MO)["p"] > 0.05  # control: the others did not move


def _true_shares(made) -> dict[str, float]:
    """Share at the periphery minus its share of the area, by the simulation's own densities."""
    truth = true_values(made).set_index("patient")["log2_periphery_core_trm"]
    shares: dict[str, list[float]] = {"early": [], "late": []}
    slides = {slide.slide_id: slide for slide in slides_of("redistribution")}
    for row in made.samples.to_dict("records"):
        zones = lesion_zone_areas(slides[row["slide_id"]].regions)
        core, around = zones["core_um2"].iloc[0], zones["periphery_um2"].iloc[0]
        cells = around * 2 ** truth[row["patient"]]
        shares[row["group"]].append(cells / (cells + core) - around / (around + core))
    return {group: float(np.mean(values)) for group, values in shares.items()}


def test_a_compartment_artefact_is_not_called_avoidance():
    answers = answers_of("compartment_artefact", "C1")
    raw = found(answers, "g", source=AM, target=TUMOUR, r_um=20.0)
    assert raw["p"] <= 0.05  # control: the groups do differ in the raw share
    excess = found(answers, "g_excess", source=AM, target=TUMOUR, r_um=20.0)
    assert abs(excess["effect"]) < 0.2 * abs(raw["effect"])
    primary = answers.primary()
    assert primary is not None
    assert (primary["source"], primary["target"]) == (TUMOUR, AM)
    assert primary["ci_low"] < 0 < primary["ci_high"]


def test_replacement_is_found_with_its_size():
    told = found(answers_of("replacement", "C3"), LINEAGE_SHARE, region=TUMOUR_TISSUE)
    assert told["p"] <= 0.05
    assert told["ci_low"] < -0.35 < told["ci_high"]  # 60 % early, 25 % late


def test_nothing_is_found_where_groups_are_alike():
    tests = answers_of("null").tests
    between = tests[(tests["question"] == BETWEEN) & tests["p"].notna()]
    assert len(between) > 30
    assert (between["p_adjusted"] <= 0.05).mean() < 0.05


def test_a_value_is_that_of_its_slides():
    slide = slides_of("null")[0]
    rows = to_measures(CLAIMS[0].of_slide(slide))
    g = rows[(rows["statistic"] == "g") & (rows["source"] == TUMOUR) & (rows["target"] == AM)]
    near = slide.cells.loc[slide.is_a(TUMOUR), "nearest_am_trm_like_um"] <= 20
    assert g.loc[g["r_um"] == 20, "value"].item() == pytest.approx(near.mean())
    assert g.loc[g["r_um"] == 20, "weight"].item() == near.size


def test_densities_and_lesions_are_those_of_the_slide():
    slide = slides_of("null")[0]
    rows = to_measures(CLAIMS[5].of_slide(slide)).set_index(["statistic", "source"])["value"]
    mm2 = slide.regions.observed.area / 1e6
    assert rows[DENSITY, AM] == pytest.approx(slide.is_a(AM).sum() / mm2)
    assert rows[LESIONS, ""] == 1
    assert rows[LESION_AREA, ""] == pytest.approx(slide.regions.tumour.area / 1e6)


@pytest.mark.parametrize("planted", [0.0, 1.5])
def test_a_marker_that_follows_the_border_does_not_pass_for_one_that_follows_macrophages(planted):
    rng = np.random.default_rng(2)
    depth = rng.uniform(0, 100, 800)
    near = rng.random(800) < 0.1 + 0.8 * (depth > 60)  # macrophages sit deep
    level = np.floor(depth / 20) + planted * near + rng.normal(0, 0.2, 800)
    cells = pd.DataFrame(
        {
            "phenotype": TUMOUR,
            "tumour_border_distance_um": -depth,
            "nearest_am_trm_like_um": np.where(near, 10.0, 60.0),
            "mean_panck_cell": level,
        }
    )
    slide = replace_slide(slides_of("null")[0], cells=cells)
    rows = to_measures(CLAIMS[4].of_slide(slide))
    told = rows.loc[rows["statistic"] == "marker_difference", "value"].item()
    unit = 1.4826 * np.median(np.abs(level - np.median(level)))
    naive = (level[near].mean() - level[~near].mean()) / unit
    assert naive - planted / unit > 0.5  # control: depth alone makes a difference
    assert told == pytest.approx(planted / unit, abs=0.05)


def test_without_a_tumour_region_what_needs_one_has_the_reason():
    slide = slides_of("null")[0]
    bare = replace_slide(slide, regions=replace(slide.regions, tumour=MultiPolygon()))
    rows = to_measures(row for claim in CLAIMS for row in claim.of_slide(bare))
    needs = rows[rows["claim"].isin(["C2", "C7"])]
    assert len(needs) == 4  # three classes, and the lesions
    assert needs["value"].isna().all()
    assert set(needs["reason"]) == {"no tumour region on the slide"}
    assert rows.loc[rows["claim"] == "C1", "value"].notna().any()  # control: others stand


def test_a_slide_of_adjacent_tissue_speaks_for_adjacent_tissue_alone():
    tumour = slides_of("replacement")[0]
    adjacent = replace_slide(slides_of("replacement")[-1], slide_id="next", is_adjacent=True)
    rows = to_measures(row for claim in CLAIMS for row in claim.of_slide(adjacent))
    assert set(zip(rows["statistic"], rows["region"], strict=True)) == {(LINEAGE_SHARE, ADJACENT)}
    slides = pd.DataFrame({"slide_id": [tumour.slide_id, "next"], "patient": "P"})
    measures = pd.concat([measures_of((tumour,)), rows], ignore_index=True)
    rows = patient_values(measures, slides, ROLES).itertuples()
    values = {(row.statistic, row.region): row.value for row in rows}
    difference = values[AGAINST_ADJACENT, f"{TUMOUR_TISSUE} minus {ADJACENT}"]
    assert difference == pytest.approx(
        values[LINEAGE_SHARE, TUMOUR_TISSUE] - values[LINEAGE_SHARE, ADJACENT]
    )


def replace_slide(slide: ClaimSlide, **changes) -> ClaimSlide:
    return replace(slide, **changes)


def test_the_preference_is_resident_minus_recruited_whatever_the_order_of_rows():
    values = answers_of("null").values
    near = values[(values["claim"] == "C4") & (values["statistic"] == "g_excess")]
    wide = near.pivot(index="patient", columns="target", values="value")
    preference = values[values["statistic"] == PREFERENCE].set_index("patient")["value"]
    expected = wide[AM] - wide[MO]
    assert preference.dropna().to_dict() == pytest.approx(
        expected[preference.dropna().index].to_dict()
    )
    turned = values.iloc[::-1]
    again = CLAIMS[3].derive(turned[turned["claim"] == "C4"], ROLES).set_index("patient")["value"]
    assert again.to_dict() == pytest.approx(preference.to_dict(), nan_ok=True)


def test_a_difference_needs_both_sides():
    rows = to_measures([measure("C3", "a", 1.0), measure("C3", "b", 0.4)])
    values = cohort.aggregate(
        rows.assign(slide_id=["s1", "s1"], weight=1.0),
        pd.DataFrame({"slide_id": ["s1"], "patient": ["P1"]}),
    )
    paired = Paired("d", {"statistic": "a"}, {"statistic": "b"}, {})
    assert paired.of(values)["value"].tolist() == pytest.approx([0.6])
    assert paired.of(values[values["statistic"] == "a"]).empty


def test_what_the_study_does_not_name_is_not_asked_and_says_why():
    bare = Roles.of(replace(STUDY, phenotypes={TUMOUR: "given", AM: "given", MO: "given"}))
    said = {claim.id: claim.lacking(bare) for claim in CLAIMS}
    assert "regulatory" in said["C4"]
    assert "[cohort]" in said["C4"]
    assert said["C7"]
    assert not said["C1"]
    assert "marker" in CLAIMS[4].lacking(replace(ROLES, marker=""))


def test_roles_are_the_studys_or_the_usual_ones():
    assert (ROLES.resident, ROLES.recruited, ROLES.regulatory) == (AM, MO, TREG)
    turned = replace(STUDY, cohort=CohortParameters(resident=MO, recruited=AM))
    assert (Roles.of(turned).resident, Roles.of(turned).recruited) == (MO, AM)
    with pytest.raises(StudyError, match=r"cohort\.regulatory names 'T reg'.*did you mean 'Treg'"):
        replace(STUDY, cohort=CohortParameters(regulatory="T reg"))


def test_without_groups_patients_are_tested_against_nothing():
    measures = measures_of(slides_of("null"), ("C1",))
    samples = claim_cohorts.simulated("null").samples
    terms = Terms(ROLES, default_primary(ROLES, 20.0))
    answers = ask(measures, patient_values(measures, samples, ROLES), samples, terms)
    primary = answers.primary()
    assert primary is not None
    assert primary["question"] == AGAINST_NOTHING
    assert primary["n_first"] == 12
    assert np.isnan(primary["n_second"])
    assert not (answers.tests["question"] == BETWEEN).any()
    assert set(answers.curves["kind"]) == {"patient", "group"}
    again = sensitivity(answers, Material(measures, samples, pd.DataFrame()), samples, terms)
    assert set(again["contrast"]) == {primary["contrast"]}  # what the page looks them up by
    as_run = again[again["kind"] == "as run"].iloc[0]
    assert (as_run["effect"], as_run["p"]) == (primary["effect"], primary["p"])


def test_the_answer_is_of_no_family_and_all_others_are():
    tests = answers_of("null").tests
    primary = tests[tests["primary"]]
    assert len(primary) == 1
    assert np.isnan(primary["p_adjusted"].item())
    others = tests[~tests["primary"] & tests["p"].notna()]
    assert others["p_adjusted"].notna().all()
    assert (others["p_adjusted"] >= others["p"] - 1e-12).all()


def test_an_effect_against_nothing_is_the_mean():
    answers = answers_of("null")
    told = found(
        answers, "g_excess", AGAINST_NOTHING, source=TUMOUR, target=AM, r_um=20.0,
        contrast="early - 0",
    )  # fmt: skip
    values = answers.patients
    early = values.loc[values["group"] == "early", "primary_value"]
    assert told["effect"] == pytest.approx(early.mean())
    assert told["mean_first"] == pytest.approx(early.mean())


def test_survival_and_models_are_asked_of_the_primary_value():
    made = claim_cohorts.simulated("null")
    rng = np.random.default_rng(3)
    facts = made.samples.assign(
        age=rng.normal(60, 8, len(made.samples)),
        days=rng.exponential(900, len(made.samples)),
        died=np.arange(len(made.samples)) % 8 < 7,
    )
    measures = measures_of(slides_of("null"), ("C1",))
    terms = Terms(
        ROLES, default_primary(ROLES, 20.0), group="group", groups=("early", "late"),
        covariates=("age",), time="days", event="died",
    )  # fmt: skip
    answers = ask(measures, patient_values(measures, facts, ROLES), facts, terms)
    asked = answers.tests[answers.tests["question"].isin([MIXED, SURVIVAL])]
    assert set(asked["statistic"]) == {"g_excess"}
    survival = asked[asked["question"] == SURVIVAL]
    assert set(zip(survival["source"], survival["target"], strict=True)) >= {
        (TUMOUR, AM), (AM, TUMOUR), (TUMOUR, MO),
    }  # fmt: skip
    assert survival["p"].notna().any()


def test_a_statistic_by_its_name():
    slides = slides_of("null")[:2]
    named = Named("nearest_mean_um", of="excess")
    rows = to_measures(row for slide in slides for row in named.of_slide(slide))
    assert set(rows["statistic"]) == {"nearest_mean_um_excess"}
    first = slides[0].statistics
    row = first[
        (first["statistic"] == "nearest_mean_um") & (first["source"] == TUMOUR)
        & (first["target"] == AM) & first["eligible"].str.startswith("all non-")
    ].iloc[0]  # fmt: skip
    got = rows[(rows["source"] == TUMOUR) & (rows["target"] == AM)]["value"].iloc[0]
    assert got == pytest.approx(row["value"] - row["expected"])


@pytest.mark.parametrize(
    ("named", "primary"),
    [
        (Named("nearest_mean_um"), (AM, TUMOUR)),
        (Named("nearest_mean_um", source=TUMOUR), (TUMOUR, AM)),
        (Named("density_per_mm2"), (AM, "tissue window")),
        (Named("density_per_mm2", source=TREG), (TREG, "tissue window")),
        (Named("k"), (AM, TUMOUR)),
    ],
)
def test_the_answer_of_a_named_statistic_is_about_the_studys_first_pair(named, primary):
    slides, samples = slides_of("null")[:2], claim_cohorts.simulated("null").samples
    measures = to_measures(row for slide in slides for row in named.of_slide(slide))
    values = patient_values(measures, samples, ROLES)
    key = named_primary(named, values, default_primary(ROLES, 20.0))
    assert (key["source"], key["target"]) == primary


def test_what_no_slide_has_is_said_with_the_nearest_name():
    table = slides_of("null")[0].statistics
    assert "Did you mean 'nearest_mean_um'" in str(Named("nearest_um").unknown_in(table))
    unknown = str(Named("g", r_um=7.0).unknown_in(table))
    assert f"{TUMOUR} to {AM}" in unknown
    assert "at 20, 50 um" in unknown
    with pytest.raises(CohortError, match="one of value, excess, ratio"):
        Named("g", of="sum")


def test_a_row_with_an_unknown_column_is_a_mistake_of_ours():
    with pytest.raises(TypeError, match="no column radius"):
        measure("C1", "g", 0.1, radius=20)
