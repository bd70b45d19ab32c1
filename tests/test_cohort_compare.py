"""Groups of patients: against scipy, by hand, and under changes that must not count."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from macprox import cohort
from macprox.cohort.arrangements import deals, n_deals
from macprox.cohort.comparison import two_samples
from macprox.cohort.several import welch_f
from macprox.errors import CohortError


def patients(first, second, **more):
    """Patients of early and late with a value each."""
    n = len(first) + len(second)
    return pd.DataFrame(
        {
            "patient": [f"P{number:02d}" for number in range(n)],
            "stage": ["early"] * len(first) + ["late"] * len(second),
            "share": [*first, *second],
        }
        | more
    )


def compared(first, second, **options):
    return cohort.compare(patients(first, second), "share", "stage", **options).iloc[0]


def welch(first, second, axis=-1):
    return stats.ttest_ind(second, first, equal_var=False, axis=axis).statistic


# --- p ------------------------------------------------------------------------------------------


def test_three_against_three_is_counted_by_hand():
    row = compared([1.0, 2.0, 3.0], [5.0, 6.0, 7.0])
    assert row["p"] == row["p_min"] == 0.1  # of 20 arrangements two are as far apart
    assert (row["n_arrangements"], row["exact"]) == (20, True)
    assert row["effect"] == 4.0
    assert (row["mean_first"], row["mean_second"], row["contrast"]) == (2.0, 6.0, "late - early")


@pytest.mark.parametrize(("n_1", "n_2"), [(3, 4), (5, 3), (6, 6)])
def test_p_is_scipys_permutation_test_of_welchs_t(n_1, n_2):
    draw = np.random.default_rng(n_1)
    first, second = draw.normal(size=n_1), draw.normal(1, 3, size=n_2)
    oracle = stats.permutation_test((first, second), welch, n_resamples=np.inf, vectorized=True)
    as_far = np.abs(oracle.null_distribution) >= abs(oracle.statistic) * (1 - 1e-9)
    row = compared(first, second)
    assert row["n_arrangements"] == len(oracle.null_distribution)
    assert row["p"] == pytest.approx(as_far.mean())


def test_drawn_arrangements_agree_with_all_of_them():
    draw = np.random.default_rng(3)
    first, second = draw.normal(size=11), draw.normal(0.8, 1, size=10)
    row = compared(first, second)
    assert (row["n_arrangements"], row["exact"], row["p_min"]) == (9_999, False, 1e-4)
    asymptotic = stats.ttest_ind(first, second, equal_var=False).pvalue
    assert row["p"] == pytest.approx(asymptotic, abs=0.02)


def test_groups_of_unequal_size_do_not_change_places():
    assert compared([1.0, 2.0, 3.0], [5.0, 6.0, 7.0, 8.0])["p_min"] == 1 / 35


def test_a_tied_arrangement_counts_as_far():
    first, second = [0.1, 0.2, 0.3], [0.2, 0.3, 0.4]  # sums that rounding tells apart
    values, as_far = np.array(first + second), 0
    observed = abs(welch(np.array(first), np.array(second)))
    for chosen in combinations(range(6), 3):
        inside = np.isin(np.arange(6), chosen)
        as_far += abs(welch(values[inside], values[~inside])) >= observed - 1e-9
    assert compared(first, second)["p"] == as_far / 20


# --- interval -----------------------------------------------------------------------------------


def test_the_interval_holds_every_difference_that_the_test_does_not_reject():
    draw = np.random.default_rng(5)
    first, second = draw.normal(size=6), draw.normal(1, 2, size=5)
    row = compared(first, second)
    width = row["ci_high"] - row["ci_low"]

    def p_after(shift):
        return compared(first, second - shift)["p"]

    assert p_after(row["ci_low"] + 1e-4 * width) > 0.05
    assert p_after(row["ci_high"] - 1e-4 * width) > 0.05
    assert p_after(row["ci_low"] - 1e-4 * width) <= 0.05
    assert p_after(row["ci_high"] + 1e-4 * width) <= 0.05


def test_with_many_patients_the_interval_is_near_welchs():
    draw = np.random.default_rng(6)
    first, second = draw.normal(size=60), draw.normal(1, 2, size=50)
    row = compared(first, second)
    oracle = stats.ttest_ind(second, first, equal_var=False).confidence_interval()
    assert row["ci_low"] == pytest.approx(oracle.low, abs=0.05)
    assert row["ci_high"] == pytest.approx(oracle.high, abs=0.05)


def test_three_against_three_gets_welchs_interval_and_says_so():
    first, second = np.array([1.0, 2.0, 3.5]), np.array([2.0, 4.0, 9.0])
    row = compared(first, second)
    oracle = stats.ttest_ind(second, first, equal_var=False).confidence_interval()
    assert (row["ci_low"], row["ci_high"]) == pytest.approx((oracle.low, oracle.high))
    assert "p cannot be below 0.1" in row["reason"]
    assert compared(first, second, level=0.8)["reason"] == ""  # control: 0.1 is reached


# --- invariances --------------------------------------------------------------------------------

VALUES = st.lists(st.integers(-50, 50), min_size=3, max_size=5)
SIZES = ("n_patients", "p", "p_min", "n_arrangements")


@settings(max_examples=40, deadline=None)
@given(VALUES, VALUES, st.sampled_from([1e-3, 0.5, 1e3]), st.integers(-9, 9), st.randoms())
def test_unit_origin_and_order_of_rows_are_no_matter(first, second, scale, shift, random):
    table = patients(first, second)
    row = cohort.compare(table, "share", "stage").iloc[0]
    order = list(table.index)
    random.shuffle(order)
    moved = table.assign(share=scale * (table["share"] + shift)).loc[order]
    again = cohort.compare(moved, "share", "stage").iloc[0]
    for name in SIZES:
        assert again[name] == pytest.approx(row[name], nan_ok=True)
    for name in ("effect", "ci_low", "ci_high"):
        assert again[name] == pytest.approx(scale * row[name], rel=1e-5, abs=1e-7, nan_ok=True)
    assert again["effect_size"] == pytest.approx(row["effect_size"], abs=1e-9, nan_ok=True)


@settings(max_examples=20, deadline=None)
@given(VALUES, st.lists(st.integers(-50, 50), min_size=3, max_size=5))
def test_swapping_the_groups_turns_the_effect_round(first, second):
    one, other = compared(first, second), compared(first, second, groups=["late", "early"])
    assert other["contrast"] == "early - late"
    for name in SIZES:
        assert other[name] == pytest.approx(one[name], nan_ok=True)
    assert other["effect"] == pytest.approx(-one["effect"])
    assert other["ci_low"] == pytest.approx(-one["ci_high"], rel=1e-5, abs=1e-7, nan_ok=True)
    assert other["effect_size_low"] == pytest.approx(-one["effect_size_high"], nan_ok=True)


def test_swapping_and_shuffling_are_no_matter_to_a_draw_either():
    draw = np.random.default_rng(8)
    table = patients(draw.normal(size=12), draw.normal(size=11))
    one = cohort.compare(table, "share", "stage").iloc[0]
    shuffled = cohort.compare(table.sample(frac=1, random_state=1), "share", "stage").iloc[0]
    swapped = cohort.compare(table, "share", "stage", groups=("late", "early")).iloc[0]
    assert not one["exact"]
    assert one["p"] == shuffled["p"] == swapped["p"]
    assert one["ci_low"] == pytest.approx(-swapped["ci_high"])


def test_equal_sized_groups_swap_in_a_draw():
    draw = np.random.default_rng(9)
    table = patients(draw.normal(size=12), draw.normal(size=12))
    one = cohort.compare(table, "share", "stage").iloc[0]
    swapped = cohort.compare(table, "share", "stage", groups=("late", "early")).iloc[0]
    assert one["p"] == swapped["p"]


# --- effect size --------------------------------------------------------------------------------


def test_hedges_g_is_the_hand_computed_one():
    first, second = np.array([1.0, 2.0, 3.0]), np.array([3.0, 4.0, 5.0])
    # Pooled sd 1, df 4: J = gamma(2) / (sqrt(2) gamma(1.5)) = 0.7979.
    assert compared(first, second)["effect_size"] == pytest.approx(2 * 0.797885, rel=1e-5)


def test_the_interval_of_g_holds_the_effects_under_which_t_is_no_surprise():
    draw = np.random.default_rng(2)
    first, second = draw.normal(size=8), draw.normal(1, 1, size=6)
    row = compared(first, second)
    t = stats.ttest_ind(second, first).statistic
    root, correction = np.sqrt(48 / 14), row["effect_size"] / (t / np.sqrt(48 / 14))
    for end, tail in (("effect_size_low", 0.975), ("effect_size_high", 0.025)):
        at = stats.nct.cdf(t, 12, row[end] / correction * root)
        assert at == pytest.approx(tail, abs=1e-6)


# --- what cannot be computed --------------------------------------------------------------------


def test_two_patients_in_a_group_have_an_effect_and_no_p():
    row = compared([1.0, 2.0, 3.0], [5.0, 7.0])
    assert row["effect"] == 4.0
    assert row[["p", "p_min", "ci_low", "effect_size_low"]].isna().all()
    assert row["reason"] == "2 patients in 'late': 3 are the least for a test; the points stand"


def test_one_patient_in_a_group_has_an_effect():
    row = compared([1.0, 2.0, 3.0], [5.0])
    assert (row["effect"], row["n_second"]) == (3.0, 1)
    assert np.isnan(row["sd_second"])
    assert row["reason"].startswith("1 patient in 'late'")


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        ([2.0] * 3, [2.0] * 4, "same value"),
        ([np.nan] * 3, [np.nan] * 3, "0 patients in 'early'"),
        ([1.0, 2.0, 3.0], [], "nothing to compare with"),
        ([1.0] * 3, [2.0] * 3, "no interval"),
    ],
)
def test_a_reason_stands_where_a_number_cannot(first, second, reason):
    row = compared(first, second)
    assert reason in row["reason"]
    assert np.isnan(row["ci_low"])


def test_groups_without_spread_still_have_a_p():
    assert compared([1.0] * 3, [2.0] * 3)["p"] == 0.1


def test_patients_without_value_or_group_are_counted():
    table = patients([1.0, 2.0, 3.0, np.nan], [4.0, 5.0, 7.0])
    table.loc[6, "stage"] = ""
    row = cohort.compare(table, "share", "stage").iloc[0]
    assert row["n_patients"] == 5
    assert "1 patient without a value left out; 1 patient without 'stage' left out" in row["reason"]


def test_nobody_in_any_group_is_a_row_with_a_reason():
    table = patients([1.0, 2.0], []).assign(stage="")
    assert cohort.compare(table, "share", "stage").iloc[0]["reason"] == "no patient has a 'stage'"


def test_a_small_group_that_spreads_widely_is_a_remark():
    wide, narrow = [0.0, 9.0, -8.0, 30.0], list(np.linspace(0.0, 1.0, 12))
    p = stats.ttest_ind(wide, narrow, equal_var=False).pvalue
    assert f"Welch's t gives p = {p:.2g}" in compared(wide, narrow)["reason"]
    assert compared(list(np.linspace(0.0, 0.5, 4)), narrow)["reason"] == ""  # control


# --- mistakes -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "value", "group", "message"),
    [
        (lambda t: t.drop(columns="patient"), "share", "stage", "no column 'patient'.*unit"),
        (lambda t: t.assign(patient="P1"), "share", "stage", "'P1' has 6 rows.*aggregate"),
        (lambda t: t.assign(patient=""), "share", "stage", "Row 1 has no patient"),
        (lambda t: t, "shares", "stage", "Did you mean 'share'"),
        (lambda t: t, "share", "Stag", "Did you mean 'stage'"),
        (lambda t: t, "share", "zzz", "Found patient, stage, share"),
        (lambda t: t.assign(share="high"), "share", "stage", "holds 'high'; expected numbers"),
        (lambda t: t.assign(stage=range(6)), "share", "stage", "looks like a covariate"),
    ],
)
def test_a_table_that_cannot_be_compared_is_refused(change, value, group, message):
    table = change(patients([1.0, 2.0, 3.0], [4.0, 5.0, 6.0]))
    with pytest.raises(CohortError, match=message):
        cohort.compare(table, value, group)


@pytest.mark.parametrize(
    ("groups", "message"),
    [(["early", "lat"], "No patient is in group 'lat'"), (["late", "late"], "twice")],
)
def test_groups_that_are_nobodys_are_refused(groups, message):
    with pytest.raises(CohortError, match=message):
        compared([1.0, 2.0, 3.0], [4.0, 5.0, 6.0], groups=groups)


# --- several groups -----------------------------------------------------------------------------


def of_days(values):
    days = np.repeat([5, 15, 30], [len(v) for v in values])
    flat = np.concatenate(values)
    return pd.DataFrame({"patient": np.arange(len(flat)), "day": days, "share": flat})


def test_numbers_are_groups_in_the_order_of_numbers():
    draw = np.random.default_rng(1)
    tests = cohort.compare(of_days(draw.normal(size=(3, 4))), "share", "day")
    assert list(tests["contrast"]) == ["any of 5, 15, 30", "15 - 5", "30 - 5", "30 - 15"]
    pairs = tests.iloc[1:]
    assert (pairs["p_adjusted"] >= pairs["p"]).all()
    assert np.isnan(tests.loc[0, "effect"])


def test_the_omnibus_p_counts_deals_by_their_welch_f():
    from statsmodels.stats.oneway import anova_oneway

    draw = np.random.default_rng(4)
    values = [draw.normal(size=3), draw.normal(1, 1, size=3), draw.normal(size=3)]
    dealt, exact = deals((3, 3, 3))
    assert (len(dealt), exact, n_deals((3, 3, 3))) == (1680, True, 1680)
    assert len(np.unique(dealt, axis=0)) == 1680
    flat = np.concatenate(values)
    standard = (flat - flat.mean()) / flat.std()
    f = welch_f(standard, dealt, (3, 3, 3))
    for place in (0, 7, 1000):
        parts = [flat[dealt[place] == number] for number in range(3)]
        oracle = anova_oneway(parts, use_var="unequal", welch_correction=True).statistic
        assert f[place] == pytest.approx(oracle)
    row = cohort.compare(of_days(values), "share", "day").iloc[0]
    assert row["p"] == pytest.approx((f >= f[0] * (1 - 1e-9)).mean())
    assert row["p_min"] == 6 / 1680  # three groups of one size change places


def test_a_small_group_takes_no_part_in_the_omnibus():
    draw = np.random.default_rng(4)
    tests = cohort.compare(
        of_days([draw.normal(size=4), draw.normal(size=4), draw.normal(size=2)]), "share", "day"
    )
    assert tests.loc[0, "n_patients"] == 8
    assert "2 patients in '30'" in tests.loc[0, "reason"]
    assert tests["p"].notna().tolist() == [True, True, False, False]


# --- pairs --------------------------------------------------------------------------------------


def paired(before, after, **options):
    table = pd.DataFrame({"patient": np.arange(len(before)), "adjacent": before, "margin": after})
    return cohort.compare_paired(table, "adjacent", "margin", **options).iloc[0]


def test_three_pairs_are_counted_by_hand():
    row = paired([0.0, 0.0, 0.0], [1.0, 2.0, 3.0])
    assert row["p"] == row["p_min"] == 0.25  # all up, all down, of 8
    assert (row["effect"], row["contrast"]) == (2.0, "margin - adjacent")
    assert "Student's" in row["reason"]


def test_paired_p_is_scipys_sign_test():
    draw = np.random.default_rng(2)
    before, after = draw.normal(size=9), draw.normal(0.5, 1, size=9)
    oracle = stats.permutation_test(
        (after - before,), np.mean, permutation_type="samples", n_resamples=np.inf
    )
    as_far = np.abs(oracle.null_distribution) >= abs(oracle.statistic) - 1e-12
    row = paired(before, after)
    assert row["p"] == pytest.approx(as_far.mean())


def test_the_paired_interval_inverts_the_paired_test():
    draw = np.random.default_rng(2)
    before, after = draw.normal(size=9), draw.normal(0.5, 1, size=9)
    row = paired(before, after)
    step = 1e-5 * (row["ci_high"] - row["ci_low"])
    assert paired(before, after - row["ci_low"] + step)["p"] <= 0.05
    assert paired(before, after - row["ci_low"] - step)["p"] > 0.05
    assert paired(before, after - row["ci_high"] - step)["p"] <= 0.05


def test_swapping_the_columns_turns_the_paired_effect_round():
    draw = np.random.default_rng(12)
    before, after = draw.normal(size=20), draw.normal(size=20)
    one, other = paired(before, after), paired(after, before)
    assert not one["exact"]
    assert (one["p"], one["ci_low"]) == pytest.approx((other["p"], -other["ci_high"]))


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ([1.0, 2.0], [2.0, 3.0], "2 patients with both values"),
        ([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], "no patient differs"),
        ([1.0, 2.0, 3.0], [2.0, 3.0, 4.0], "same difference"),
        ([np.nan] * 3, [1.0] * 3, "3 patients without both values left out"),
    ],
)
def test_pairs_that_cannot_be_tested_say_why(before, after, reason):
    row = paired(before, after)
    assert reason in row["reason"]
    assert np.isnan(row["ci_low"])


# --- promises -----------------------------------------------------------------------------------


@pytest.mark.parametrize("spread", [1.0, 4.0])
def test_nothing_is_found_five_times_in_a_hundred(spread):
    draw = np.random.default_rng(11)
    found = [
        two_samples(draw.normal(size=4), spread * draw.normal(size=6), ("a", "b"), 0, 0.95)
        for _ in range(600)
    ]
    rate = np.mean([row["p"] <= 0.05 for row in found])
    held = np.mean([row["ci_low"] <= 0 <= row["ci_high"] for row in found])
    assert rate < 0.08
    assert held == pytest.approx(1 - rate, abs=0.01)
    assert np.mean([row["p"] <= 0.5 for row in found]) == pytest.approx(0.5, abs=0.07)
