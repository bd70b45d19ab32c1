"""From measures to patients, the sample sheet, families of tests, and the size of a study."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from macprox import cohort
from macprox.cohort.columns import table_of
from macprox.cohort.comparison import two_samples
from macprox.cohort.multiplicity import holm
from macprox.cohort.sample_size import power_of
from macprox.errors import CohortError

SLIDES = pd.DataFrame({"slide_id": ["a", "b", "c"], "patient": ["P1", "P1", "P2"]})


def measures(*rows):
    """Rows of slide, lesion, value, weight and perhaps a reason."""
    rows = [
        {
            "claim": "C1",
            "statistic": "fraction_within",
            "source": "Tumour",
            "target": "AM/TRM-like",
            "region": "",
            "compartment": "",
            "r_um": 20.0,
            "slide_id": slide,
            "lesion_id": lesion,
            "value": value,
            "weight": weight,
            "reason": reason[0] if reason else "",
        }
        for slide, lesion, value, weight, *reason in rows
    ]
    return pd.DataFrame(rows, columns=list(cohort.MEASURES))


def values(*rows, slides=SLIDES):
    return cohort.aggregate(measures(*rows), slides).set_index("patient")


# --- aggregate ----------------------------------------------------------------------------------


def test_a_patients_value_is_weighted_by_cells_with_the_plain_mean_beside_it():
    found = values(("a", 0, 0.1, 100), ("b", 0, 0.4, 300), ("c", 0, 0.9, 50))
    assert found.loc["P1", "value"] == pytest.approx((0.1 * 100 + 0.4 * 300) / 400)
    assert found.loc["P1", "value_unweighted"] == pytest.approx(0.25)
    assert found.loc["P1", ["n_slides", "n_lesions", "weight"]].tolist() == [2, 0, 400]
    assert found.loc["P2", "value"] == 0.9


def test_lesions_are_averaged_to_their_slide_first():
    found = values(("a", 1, 0.0, 10), ("a", 2, 1.0, 30), ("b", 0, 0.25, 40))
    assert found.loc["P1", "value"] == pytest.approx(0.5)
    assert found.loc["P1", "value_unweighted"] == pytest.approx((0.75 + 0.25) / 2)
    assert found.loc["P1", ["n_slides", "n_lesions"]].tolist() == [2, 2]


def test_the_value_of_the_whole_slide_stands_before_its_lesions():
    found = values(("a", 0, 0.3, 40), ("a", 1, 0.0, 10), ("a", 2, 1.0, 30))
    assert found.loc["P1", ["value", "n_lesions"]].tolist() == [0.3, 0]


def test_a_value_without_weight_never_counts():
    found = values(("a", 0, 0.1, 0), ("b", 0, 0.4, 7), ("c", 0, 0.9, np.nan))
    assert found.loc["P1", ["value", "n_slides"]].tolist() == [0.4, 1]
    assert np.isnan(found.loc["P2", "value"])
    assert found.loc["P2", "reason"] == "no source cells"


def test_reasons_remain_where_no_value_does():
    found = values(("a", 0, np.nan, 5, "no tumour"), ("b", 0, np.nan, 5, "no window"))
    assert found.loc["P1", "reason"] == "no tumour; no window"
    assert found.loc["P1", "n_slides"] == 0


def test_what_differs_in_any_key_is_apart():
    table = pd.concat([measures(("a", 0, 0.1, 1)), measures(("a", 0, 0.2, 1)).assign(r_um=50.0)])
    found = cohort.aggregate(table, SLIDES)
    assert found["value"].tolist() == [0.1, 0.2]
    assert list(found.columns) == list(cohort.VALUES)


def test_a_slide_of_nobody_takes_no_part():
    assert list(values(("z", 0, 0.1, 5), ("c", 0, 0.2, 5)).index) == ["P2"]


@pytest.mark.parametrize(
    ("rows", "slides", "message"),
    [
        ([("a", 0, 0.1, 5), ("a", 0, 0.2, 5)], SLIDES, "Slide 'a' has 'fraction_within'.*twice"),
        ([("a", 0, 0.1, 5)], pd.concat([SLIDES, SLIDES]), "Slide 'a' stands in two rows"),
        ([("a", 0, 0.1, 5)], SLIDES.drop(columns="patient"), "no column 'patient'"),
    ],
)
def test_measures_that_cannot_be_aggregated_are_refused(rows, slides, message):
    with pytest.raises(CohortError, match=message):
        cohort.aggregate(measures(*rows), slides)


# --- the sample sheet ---------------------------------------------------------------------------

SHEET = pd.DataFrame(
    {
        "slide_id": ["a", "b", "c", "d", "e"],
        "patient": ["1", "1", "2", "3", ""],
        "stage": ["early", "late", "early", "late", "late"],
        "age": ["61", "61", "70", "", "50"],
        "day": ["5", "5", "15", "15", "5"],
    }
)


def test_a_sheet_is_checked_against_the_slides_that_were_run():
    sheet = cohort.patients_of(SHEET, ["a", "b", "c", "e", "x"], group="stage", covariates=["age"])
    assert sheet.slides["slide_id"].tolist() == ["a", "b", "c"]
    assert sheet.slides["age"].tolist() == [61.0, 61.0, 70.0]
    assert sheet.slides["patient"].tolist() == ["1", "1", "2"]  # names stay text
    assert sheet.problems == (
        "1 slide in the sample sheet and not run: d.",
        "1 slide run and not in the sample sheet, left out: x.",
        "1 slide without a patient in the sample sheet, left out: e.",
        "Slides of patient '1' have stage early and late; the patient is left out of comparisons "
        "of groups.",
        "Group 'early' of stage has one patient; 3 are the least for a test.",
    )
    patients = sheet.patients()
    assert patients["stage"].tolist() == ["", "early"]
    assert patients["n_slides"].tolist() == [2, 1]
    assert patients["age"].tolist() == [61.0, 70.0]


def test_a_covariate_on_which_slides_disagree_is_empty():
    sheet = cohort.patients_of(SHEET.assign(age=range(5)), "abcd", covariates=["age"])
    assert np.isnan(sheet.patients()["age"][0])
    assert "have age 0 and 1; the patient is left out of models with it" in sheet.problems[1]


def test_one_slide_that_says_it_speaks_for_its_patient():
    sheet = cohort.patients_of(
        SHEET.assign(stage=["early", "", "late", "late", ""]), "ab", group="stage"
    )
    assert sheet.slides["stage"].tolist() == ["early", "early"]


def test_another_column_may_hold_the_patients():
    sheet = cohort.patients_of(SHEET.rename(columns={"patient": "mouse"}), "abc", patient="mouse")
    assert sheet.patients()["patient"].tolist() == ["1", "2"]


def test_many_slides_are_told_by_their_first():
    many = [f"s{number}" for number in range(9)]
    sheet = cohort.patients_of(SHEET, ["a", "b", "c", "d", "e", *many])
    assert sheet.problems[0].endswith("s0, s1, s2, s3, s4 and 4 more.")


@pytest.mark.parametrize(
    ("sheet", "options", "message"),
    [
        (SHEET.drop(columns="patient"), {}, "sample sheet has no column 'patient'"),
        (SHEET, {"group": "stages"}, "Did you mean 'stage'"),
        (SHEET, {"covariates": ["smoking"]}, "no column 'smoking'"),
        (pd.concat([SHEET, SHEET]), {}, "lists slide 'a' twice"),
        (SHEET.assign(patient=""), {}, "None of the 2 slides"),
        (SHEET.assign(slide_id=list("vwxyz")), {}, "which lists v, w, x, y, z"),
    ],
)
def test_a_sheet_that_says_nothing_of_the_slides_is_refused(sheet, options, message):
    with pytest.raises(CohortError, match=message):
        cohort.patients_of(sheet, ["a", "b"], **options)


# --- families -----------------------------------------------------------------------------------


def test_benjamini_and_hochberg_within_each_family():
    tests = pd.DataFrame({"claim": ["C1", "C1", "C2", "C1"], "p": [0.01, 0.03, 0.04, np.nan]})
    found = cohort.adjust(tests)["p_adjusted"].tolist()
    assert found[:3] == pytest.approx([0.02, 0.03, 0.04])
    assert np.isnan(found[3])
    assert cohort.adjust(tests, ())["p_adjusted"].tolist()[:3] == pytest.approx([0.03, 0.04, 0.04])
    assert "p_adjusted" not in tests


def test_holm_is_statsmodels_holm():
    from statsmodels.stats.multitest import multipletests

    p = [0.01, 0.2, 0.03, 0.04, 0.6]
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1])
    assert np.isnan(holm([0.1, np.nan])[1])


def test_no_tests_are_no_families():
    assert cohort.adjust(pd.DataFrame({"claim": [], "p": []})).empty


def test_a_row_says_nothing_of_columns_that_are_not_there():
    with pytest.raises(ValueError, match="holds colour"):
        table_of([{"colour": 1}], cohort.TESTS)


# --- the size of a study ------------------------------------------------------------------------


def pilot(n=8, seed=0):
    draw = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "patient": range(2 * n),
            "stage": ["early"] * n + ["late"] * n,
            "share": draw.normal(size=2 * n) + np.repeat([0, 1], n),
        }
    )


def test_numbers_an_arm_are_the_textbooks():
    found = cohort.power(pilot(), "share", "stage")
    plain = found[found["spread"] == "pooled"].iloc[1:]
    # Cohen (1988), table 2.4.1: d 0.5, 0.8, 1.2 at 80 % and 5 %; 1.5 by G*Power.
    assert plain["n_per_arm"].tolist() == [64, 26, 12, 9]
    assert (plain["power"] >= 0.8).all()


def test_power_is_statsmodels_power():
    from statsmodels.stats.power import TTestIndPower

    for size, n_1, n_2 in ((0.5, 10, 20), (1.5, 6, 5), (0.1, 30, 30)):
        oracle = TTestIndPower().power(size, n_1, 0.05, ratio=n_2 / n_1)
        assert power_of(size, (n_1, n_2), 0.05) == pytest.approx(oracle, abs=1e-6)


def test_a_small_pilot_is_not_believed():
    found = cohort.power(pilot(), "share", "stage", effect=0.8)
    plain, cautious = found.to_dict("records")
    assert cautious["sd"] == pytest.approx(plain["sd"] * np.sqrt(14 / stats.chi2.ppf(0.2, 14)))
    assert cautious["n_per_arm"] > plain["n_per_arm"]
    assert cautious["smallest_here"] > plain["smallest_here"]
    # What is smallest to be found here is found here with the target power.
    size = plain["smallest_here"] / plain["sd"]
    assert power_of(size, (8, 8), 0.05) == pytest.approx(0.8)


def test_three_against_three_have_no_power_at_five_per_cent():
    assert power_of(9.0, (3, 3), 0.05) == 0.0
    assert power_of(9.0, (4, 4), 0.05) > 0.99
    found = cohort.power(pilot(3), "share", "stage", effect=100.0)
    assert found["power_here"].tolist() == [0, 0]
    assert found["smallest_here"].isna().all()
    assert (found["n_per_arm"] >= 4).all()


def test_the_permutation_test_has_the_power_that_is_promised():
    draw = np.random.default_rng(1)
    found = [
        two_samples(draw.normal(size=6), draw.normal(1.5, 1, size=6), ("a", "b"), 0, 0.95)["p"]
        for _ in range(400)
    ]
    assert np.mean(np.array(found) <= 0.05) == pytest.approx(power_of(1.5, (6, 6), 0.05), abs=0.08)


def test_nothing_to_find_needs_no_number():
    assert cohort.power(pilot(), "share", "stage", effect=0.0)["n_per_arm"].isna().all()


@pytest.mark.parametrize(
    ("table", "reason"),
    [(pilot(2), "2 patients in 'early'"), (pilot().assign(share=1.0), "have the same value")],
)
def test_a_pilot_without_spread_is_a_reason(table, reason):
    found = cohort.power(table, "share", "stage")
    assert reason in found.loc[0, "reason"]
    assert np.isnan(found.loc[0, "n_per_arm"])


def test_an_alpha_that_is_no_share_is_refused():
    with pytest.raises(CohortError, match="alpha must be a share"):
        cohort.power(pilot(), "share", "stage", alpha=5)
