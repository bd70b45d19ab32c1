"""Covariates, repeated slides and slopes: against statsmodels, and under no difference."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from macprox import cohort
from macprox.cohort.random_intercept import fit_random_intercept
from macprox.errors import CohortError


def patients(n=8, seed=0, **more):
    """Twice n patients, early and late, who differ in age as well."""
    draw = np.random.default_rng(seed)
    late = np.repeat([False, True], n)
    age = 60 + 8 * draw.normal(size=2 * n) + 4 * late
    return pd.DataFrame(
        {
            "patient": [f"P{number:02d}" for number in range(2 * n)],
            "stage": np.where(late, "late", "early"),
            "age": age,
            "sex": np.tile(["f", "m"], n),
            "share": 0.1 * age + draw.normal(size=2 * n),
        }
        | more
    )


def slides(n=8, each=3, seed=0, between=1.0, effect=0.0):
    """Rows of slides of twice n patients."""
    draw = np.random.default_rng(seed)
    patient = np.repeat(np.arange(2 * n), each)
    late = patient >= n
    value = between * draw.normal(size=2 * n)[patient] + draw.normal(size=len(patient))
    return pd.DataFrame(
        {
            "patient": patient,
            "stage": np.where(late, "late", "early"),
            "share": value + effect * late,
            "area": draw.normal(size=len(patient)),
        }
    )


# --- adjusted -----------------------------------------------------------------------------------


def test_the_adjusted_effect_and_its_error_are_those_of_least_squares():
    import statsmodels.formula.api as smf

    from macprox.cohort.design import design_of
    from macprox.cohort.freedman_lane import arranged_residuals

    table = patients()
    row = cohort.adjusted(table, "share", "stage", ["age", "sex"]).iloc[0]
    oracle = smf.ols("share ~ stage + age + sex", table).fit(cov_type="HC2")
    assert row["effect"] == pytest.approx(oracle.params["stage[T.late]"])
    late = (table["stage"] == "late").to_numpy()
    design = design_of(table, {"stage": late.astype(float)}, ["age", "sex"])
    arranged, spread = arranged_residuals(table["share"].to_numpy(), design.matrix, 0)
    assert arranged.se * spread == pytest.approx(oracle.bse["stage[T.late]"])
    assert row["ci_low"] < row["effect"] < row["ci_high"]


def test_without_covariates_the_adjusted_test_is_the_plain_one():
    table = patients(n=4)
    plain = cohort.compare(table, "share", "stage").iloc[0]
    row = cohort.adjusted(table, "share", "stage", []).iloc[0]
    for name in ("effect", "p", "ci_low", "ci_high"):
        assert row[name] == pytest.approx(plain[name], rel=1e-6)


def test_age_that_explains_the_difference_leaves_none():
    table = patients(n=20, seed=4)
    table["age"] += 10 * (table["stage"] == "late")
    table["share"] += 1.0 * (table["stage"] == "late")
    assert cohort.compare(table, "share", "stage").iloc[0]["p"] < 0.1  # control: it shows
    row = cohort.adjusted(table, "share", "stage", ["age"]).iloc[0]
    assert row["p"] > 0.2
    assert row["ci_low"] < 0 < row["ci_high"]


def test_the_adjusted_effect_keeps_its_unit_and_its_sign():
    table = patients()
    one = cohort.adjusted(table, "share", "stage", ["age"]).iloc[0]
    other = cohort.adjusted(
        table.assign(share=10 * table["share"] + 3, age=table["age"] * 365).sample(
            frac=1, random_state=0
        ),
        "share",
        "stage",
        ["age"],
        groups=["late", "early"],
    ).iloc[0]
    assert other["effect"] == pytest.approx(-10 * one["effect"])
    assert other["p"] == pytest.approx(one["p"])
    assert other["ci_low"] == pytest.approx(-10 * one["ci_high"], rel=1e-6)


COVARIATES = [
    ({"pack_years": [np.nan, *range(15)]}, "'pack_years' is missing in 1 of 16 rows"),
    ({"pack_years": 3.0}, "the same in all rows"),
    ({"pack_years": np.arange(16.0)}, "does not overlap between the groups"),
    ({"pack_years": np.repeat(["x", "y", "z"], [8, 4, 4])}, "follows from the group"),
]


@pytest.mark.parametrize(("column", "reason"), COVARIATES)
def test_a_covariate_that_cannot_be_used_is_a_reason(column, reason):
    table = patients(**column)
    row = cohort.adjusted(table, "share", "stage", ["pack_years"]).iloc[0]
    assert reason in row["reason"]
    assert np.isnan(row["p"])
    assert row["mean_first"] == pytest.approx(table["share"][:8].mean())  # what can be said stands
    rows = pd.concat([table, table.assign(share=table["share"] + 1)])
    model = cohort.mixed_model(rows, "share", "stage", covariates=["pack_years"]).iloc[0]
    assert model["reason"].startswith("covariate")
    assert np.isnan(model["p"])


def test_a_covariate_that_another_says_is_a_reason():
    table = patients().assign(months=lambda t: t["age"] * 12)
    row = cohort.adjusted(table, "share", "stage", ["age", "months"]).iloc[0]
    assert "'months' follows from" in row["reason"]


def test_a_patient_who_alone_decides_a_covariate_is_named():
    table = patients(centre=["a"] * 7 + ["c"] + ["a"] * 8)
    row = cohort.adjusted(table, "share", "stage", ["centre"]).iloc[0]
    assert "patient 'P07' alone" in row["reason"]


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (patients(n=2), "2 patients in 'early'"),
        (patients(share=1.0), "every patient has the same value"),
        (
            patients(
                n=3,
                a=[1, 2, 4, 2, 1, 3],
                b=[3, 1, 2, 1, 2, 2],
                c=[1, 3, 1, 3, 1, 2],
                d=[5, 1, 2, 3, 4, 1],
            ),
            "too few for a model",
        ),
    ],
)
def test_too_little_for_an_adjusted_test_is_a_reason(table, reason):
    covariates = [name for name in "abcd" if name in table]
    row = cohort.adjusted(table, "share", "stage", covariates).iloc[0]
    assert reason in row["reason"]


def test_a_model_of_three_groups_is_refused():
    table = patients(stage=np.tile(["a", "b", "c", "a"], 4))
    with pytest.raises(CohortError, match="compares two groups, found 3 groups"):
        cohort.adjusted(table, "share", "stage", [])


# --- mixed model --------------------------------------------------------------------------------


@pytest.mark.parametrize("each", [2, 5])
def test_the_mixed_model_is_statsmodels_mixedlm(each):
    import statsmodels.formula.api as smf

    table = slides(each=each, seed=1, effect=1.0).iloc[:-1]  # not balanced
    row = cohort.mixed_model(table, "share", "stage", covariates=["area"]).iloc[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        oracle = smf.mixedlm("share ~ stage + area", table, groups="patient").fit(reml=True)
    assert row["effect"] == pytest.approx(oracle.params["stage[T.late]"], rel=1e-4)
    half = stats.t.ppf(0.975, 14) * oracle.bse["stage[T.late]"]  # 16 patients, 2 of their terms
    assert row["ci_high"] - row["effect"] == pytest.approx(half, rel=1e-3)


def test_balanced_slides_give_students_t_of_patients_means():
    table = slides(seed=2, between=2.0)
    means = table.groupby(["stage", "patient"])["share"].mean()
    oracle = stats.ttest_ind(means["late"], means["early"])
    row = cohort.mixed_model(table, "share", "stage").iloc[0]
    assert row["p"] == pytest.approx(oracle.pvalue, rel=1e-5)
    assert (row["n_patients"], row["n_first"]) == (16, 8)
    assert row["mean_first"] == pytest.approx(means["early"].mean())


def test_patients_who_do_not_differ_are_a_remark_and_no_failure():
    table = slides(seed=3, between=0.0)
    centred = table["share"] - table.groupby("patient")["share"].transform("mean")
    row = cohort.mixed_model(table.assign(share=centred), "share", "stage").iloc[0]
    assert row["reason"] == "patients differ no more than slides do"
    assert row["p"] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (slides(each=1), "no patient has two rows"),
        (slides(n=2), "2 patients in 'early'"),
        (
            slides().assign(share=np.repeat(np.arange(16.0), 3)),
            "rows of each patient have the same",
        ),
        (slides().assign(share=1.0), "rows of each patient have the same"),
    ],
)
def test_what_needs_no_mixed_model_gets_none(table, reason):
    row = cohort.mixed_model(table, "share", "stage").iloc[0]
    assert reason in row["reason"]
    assert np.isnan(row["p"])


def test_rows_left_out_of_a_model_are_counted():
    table = slides()
    table.loc[0, "share"] = np.nan
    table.loc[[1, 2], "stage"] = ""
    told = cohort.mixed_model(table, "share", "stage").iloc[0]["reason"]
    assert "1 row without a value left out; 2 rows without 'stage' left out" in told


def test_a_row_without_patient_is_refused():
    with pytest.raises(CohortError, match="no column 'mouse'"):
        cohort.mixed_model(slides(), "share", "stage", patient="mouse")


def test_degrees_of_freedom_are_those_of_patients():
    draw = np.random.default_rng(0)
    patient = np.repeat(np.arange(16), 3)
    z, terms = (patient >= 8).astype(float), np.ones(48)
    matrix = np.column_stack([terms, z])
    false_t = false_z = 0
    for _ in range(800):
        y = draw.normal(size=16)[patient] + draw.normal(size=48)
        fit = fit_random_intercept(y, matrix, patient)
        t = abs(fit.estimates[1] / fit.se[1])
        false_t += 2 * stats.t.sf(t, fit.df[1]) <= 0.05
        false_z += 2 * stats.norm.sf(t) <= 0.05
    assert false_t / 800 == pytest.approx(0.05, abs=0.023)
    assert false_z / 800 > 0.06  # control: a z test is too liberal


# --- association --------------------------------------------------------------------------------


def test_spearman_and_its_p_are_scipys():
    draw = np.random.default_rng(1)
    table = pd.DataFrame({"patient": range(6), "x": draw.normal(size=6), "y": draw.normal(size=6)})
    table.loc[3, "y"] = table.loc[2, "y"]
    oracle = stats.permutation_test(
        (table["x"],),
        lambda x: stats.spearmanr(x, table["y"]).statistic,
        permutation_type="pairings",
        n_resamples=np.inf,
    )
    as_far = np.abs(oracle.null_distribution) >= abs(oracle.statistic) - 1e-12
    row = cohort.associate(table, "x", "y").iloc[0]
    assert (row["effect"], row["p"]) == pytest.approx((oracle.statistic, as_far.mean()))
    assert (row["n_arrangements"], row["p_min"]) == (720, 2 / 720)


def test_a_perfect_order_of_four_is_counted_by_hand():
    table = pd.DataFrame({"patient": list("abcd"), "x": [1, 2, 3, 4], "y": [2, 3, 5, 9]})
    row = cohort.associate(table, "x", "y").iloc[0]
    assert (row["effect"], row["p"]) == (1.0, pytest.approx(2 / 24))
    assert np.isnan(row["ci_low"])


@pytest.mark.parametrize(
    ("x", "y", "reason"),
    [
        ([1, 2], [2, 3], "2 patients with both values"),
        ([1, 1, 1], [2, 3, 4], "the same x"),
        ([1, 2, 3], [2, 2, 2], "the same y"),
        ([1, 2, np.nan], [2, 3, 4], "1 patient without both values left out"),
    ],
)
def test_an_association_that_cannot_be_told_says_why(x, y, reason):
    table = pd.DataFrame({"patient": range(len(x)), "x": x, "y": y})
    row = cohort.associate(table, "x", "y").iloc[0]
    assert reason in row["reason"]
    assert np.isnan(row["p"])


def test_slopes_within_and_between_patients_are_told_apart():
    draw = np.random.default_rng(5)
    patient = np.repeat(np.arange(10), 6)
    trait = 5 * draw.normal(size=10)[patient]
    x = trait + draw.normal(size=60)
    y = 2 * trait - 1.0 * (x - trait) + 0.1 * draw.normal(size=60)
    table = pd.DataFrame({"patient": patient, "x": x, "y": y})
    assert stats.linregress(x, y).slope > 1.5  # control: one slope for both is wrong within
    within, between = cohort.associate_within(table, "x", "y").itertuples()
    assert within.effect == pytest.approx(-1.0, abs=0.1)
    assert within.ci_low < -1.0 < within.ci_high
    assert between.effect == pytest.approx(2.0, abs=0.4)
    # The within slope is that of differences from patients' means, with their degrees of freedom.
    d = table.groupby("patient")[["x", "y"]].transform(lambda v: v - v.mean())
    slope = (d["x"] @ d["y"]) / (d["x"] @ d["x"])
    se = np.sqrt(((d["y"] - slope * d["x"]) ** 2).sum() / 49 / (d["x"] @ d["x"]))
    assert within.effect == pytest.approx(slope)
    assert within.ci_high - within.effect == pytest.approx(stats.t.ppf(0.975, 49) * se, rel=1e-4)


@pytest.mark.parametrize(
    ("x", "reasons"),
    [
        (np.repeat([1.0, 2.0, 4.0], 2), ("does not vary within", "")),
        (np.tile([1.0, 2.0], 3), ("", "patients do not differ in x")),
    ],
)
def test_a_slope_without_a_spread_of_x_is_a_reason(x, reasons):
    table = pd.DataFrame({"patient": np.repeat([0, 1, 2], 2), "x": x, "y": [1, 3, 2, 5, 4, 4.5]})
    found = cohort.associate_within(table, "x", "y")
    for row, reason in zip(found.itertuples(), reasons, strict=True):
        assert reason in row.reason
        assert np.isnan(row.p) == bool(reason)


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (
            pd.DataFrame({"patient": [0, 0, 1, 1], "x": [1, 2, 3, 4], "y": [1, 2, 3, 5]}),
            "2 patients",
        ),
        (
            pd.DataFrame({"patient": [0, 0, 1, 2], "x": [1, 2, 3, 4], "y": [1, 1, 1, 1]}),
            "same value",
        ),
        (pd.DataFrame({"patient": [0], "x": [np.nan], "y": [1.0]}), "0 patients"),
    ],
)
def test_lesions_that_cannot_tell_a_slope_say_why(table, reason):
    found = cohort.associate_within(table, "x", "y")
    assert found["reason"].str.contains(reason).all()
    assert found["p"].isna().all()
