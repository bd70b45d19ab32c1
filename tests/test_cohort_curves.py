"""Curves of patients: one p for all distances, an envelope that agrees with it, honest gaps."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from macprox import cohort
from macprox.cohort.curves import welch_t
from macprox.errors import CohortError

X = np.arange(0.0, 100.0, 10.0)


def curves(values, n_first, x=X):
    """Long table of one curve a patient; the first are early."""
    n = len(values)
    return pd.DataFrame(
        {
            "patient": np.repeat([f"P{number:02d}" for number in range(n)], len(x)),
            "stage": np.repeat(["early"] * n_first + ["late"] * (n - n_first), len(x)),
            "x": np.tile(x, n),
            "value": np.asarray(values, dtype=float).ravel(),
        }
    )


def wandering(n, seed=0):
    draw = np.random.default_rng(seed)
    return draw.normal(size=(n, 1)) + 0.4 * draw.normal(size=(n, len(X))).cumsum(axis=1)


def kind(table, name):
    return table[table["kind"] == name].reset_index(drop=True)


def test_at_each_x_the_statistic_is_welchs_t():
    values = wandering(9)
    second = np.arange(9) >= 4
    oracle = stats.ttest_ind(values[second], values[~second], equal_var=False).statistic
    np.testing.assert_allclose(welch_t(values, second[None])[0], oracle, atol=1e-8)


def test_one_x_is_the_plain_comparison():
    draw = np.random.default_rng(4)
    values = draw.normal(size=(9, 1))
    found = kind(cohort.compare_curves(curves(values, 4, X[:1]), "stage"), "difference")
    patients = pd.DataFrame(
        {"patient": range(9), "stage": ["early"] * 4 + ["late"] * 5, "value": values[:, 0]}
    )
    plain = cohort.compare(patients, "value", "stage").iloc[0]
    assert found.loc[0, "value"] == pytest.approx(plain["effect"])
    # Two-sided ranks against |t|: the same order where t is symmetric, near it elsewhere.
    assert found.loc[0, "p"] == pytest.approx(plain["p"], abs=0.05)


@pytest.mark.parametrize("shift", [0.0, 4.0])
def test_the_difference_leaves_the_envelope_when_p_is_small(shift):
    values = wandering(12, seed=1)
    values[6:, 4:7] += shift
    found = kind(cohort.compare_curves(curves(values, 6), "stage"), "difference")
    leaves = (found["value"] < found["envelope_low"] - 1e-9) | (
        found["value"] > found["envelope_high"] + 1e-9
    )
    assert found["p"].nunique() == 1
    assert leaves.any() == (found.loc[0, "p"] <= 0.05) == (shift > 0)
    if shift:
        assert set(found.loc[leaves, "x"]) <= {40.0, 50.0, 60.0}


def test_means_are_plain_and_bands_hold_them():
    values = wandering(10, seed=2)
    table = cohort.compare_curves(curves(values, 6), "stage")
    group = kind(table, "group")
    early = group[group["group"] == "early"]
    assert early["value"].to_numpy() == pytest.approx(values[:6].mean(axis=0))
    assert (early["ci_low"] < early["value"]).all()
    assert (early["ci_high"] > early["value"]).all()
    assert len(kind(table, "patient")) == values.size
    assert list(table.columns) == list(cohort.CURVES)


def test_at_a_single_x_the_band_is_students_interval():
    values = wandering(7)[:, :1]
    group = kind(cohort.compare_curves(curves(values, 3, X[:1]), "stage"), "group")
    oracle = stats.ttest_1samp(values[3:, 0], 0.0).confidence_interval()
    assert group.loc[1, "ci_high"] - group.loc[1, "value"] == pytest.approx(
        oracle.high - values[3:, 0].mean(), rel=0.1
    )


def test_order_of_rows_and_unit_are_no_matter_and_swapping_turns_the_difference():
    table = curves(wandering(11, seed=3), 5)
    one = cohort.compare_curves(table, "stage")
    again = cohort.compare_curves(
        table.assign(value=100 * table["value"]).sample(frac=1, random_state=0), "stage"
    )
    swapped = cohort.compare_curves(table, "stage", groups=["late", "early"])
    for name in ("value", "envelope_low", "ci_high"):
        np.testing.assert_allclose(again[name], 100 * one[name], rtol=1e-6)
    one, swapped = kind(one, "difference"), kind(swapped, "difference")
    np.testing.assert_allclose(swapped["value"], -one["value"])
    np.testing.assert_allclose(swapped["envelope_low"], -one["envelope_high"], rtol=1e-6)
    assert swapped.loc[0, "p"] == pytest.approx(one.loc[0, "p"])


def test_an_x_with_two_curves_takes_no_part_and_other_gaps_travel():
    values = wandering(10, seed=5)
    values[:3, 0] = np.nan  # of five early curves two are left
    values[7, 5] = np.nan
    table = cohort.compare_curves(curves(values, 5), "stage")
    found = kind(table, "difference")
    assert np.isnan(found.loc[0, "envelope_low"])
    assert found.loc[1:, "envelope_low"].notna().all()
    assert "1 of 10 x left out: fewer than 3 curves in a group" in found.loc[0, "reason"]
    assert "1 patient with gaps" in found.loc[0, "reason"]
    assert found.loc[5, "n_patients"] == 9
    group = kind(table, "group")
    assert "2 patients in 'early'" in group.loc[0, "reason"]
    assert np.isnan(group.loc[0, "ci_low"])
    without = curves(values, 5)
    rest = cohort.compare_curves(without[without["x"] > 0], "stage")
    assert kind(rest, "difference").loc[0, "p"] == found.loc[0, "p"]


def test_two_patients_have_a_mean_and_no_p():
    found = cohort.compare_curves(curves(wandering(6), 2), "stage")
    difference = kind(found, "difference")
    assert difference["p"].isna().all()
    assert difference["value"].notna().all()
    assert difference["reason"].str.contains("2 patients in 'early'").all()


def test_curves_that_never_overlap_are_a_reason():
    values = wandering(6)
    values[:3, 5:] = np.nan
    values[3:, :5] = np.nan
    found = kind(cohort.compare_curves(curves(values, 3), "stage"), "difference")
    assert found["reason"].str.contains("at no x have both groups 3 curves").all()
    assert found[["p", "value"]].isna().all(axis=None)


def test_equal_curves_differ_by_nothing():
    found = cohort.compare_curves(curves(np.ones((8, len(X))), 4), "stage")
    assert kind(found, "difference").loc[0, ["p", "value"]].tolist() == [1.0, 0.0]
    assert (kind(found, "group")["ci_low"] == 1.0).all()


def test_three_groups_are_three_differences():
    table = curves(wandering(12), 4)
    table["stage"] = np.repeat(["5", "15", "30"], 4 * len(X))
    found = kind(cohort.compare_curves(table, "stage"), "difference")
    assert list(found["contrast"].unique()) == ["15 - 5", "30 - 5", "30 - 15"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: pd.concat([t, t.iloc[:1]]), "has two values at x 0"),
        (lambda t: t.assign(stage=np.tile(["early", "late"], len(t) // 2)), "two groups"),
        (lambda t: t.drop(columns="x"), "no column 'x'"),
    ],
)
def test_curves_that_are_not_one_a_patient_are_refused(change, message):
    with pytest.raises(CohortError, match=message):
        cohort.compare_curves(change(curves(wandering(6), 3)), "stage")


@pytest.mark.slow
def test_nothing_is_found_five_times_in_a_hundred():
    found = []
    for seed in range(200):
        table = curves(wandering(12, seed=seed), 6)
        found.append(kind(cohort.compare_curves(table, "stage"), "difference").loc[0, "p"])
    assert np.mean(np.array(found) <= 0.05) == pytest.approx(0.05, abs=0.04)
