"""Survival: against statsmodels, by hand, and where there are too few events."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from macprox import cohort
from macprox.cohort.cox import risk_sets
from macprox.errors import CohortError


def followed(n=40, seed=1, slope=0.7, **more):
    draw = np.random.default_rng(seed)
    value = draw.normal(size=n)
    return pd.DataFrame(
        {
            "patient": np.arange(n),
            "share": value,
            "age": draw.normal(60, 10, size=n),
            "months": np.ceil(10 * draw.exponential(np.exp(-slope * value))),
            "died": (draw.random(n) < 0.7).astype(int),
        }
        | more
    )


def survival(table, **options):
    return cohort.survival(table, "share", time="months", event="died", **options)


@pytest.mark.parametrize("covariates", [(), ("age",)])
def test_hazard_ratio_and_likelihood_are_statsmodels(covariates):
    from statsmodels.duration.hazard_regression import PHReg

    table = followed()
    standard = (table["share"] - table["share"].mean()) / table["share"].std()
    exog = np.column_stack([standard, *(table[name] for name in covariates)])
    oracle = PHReg(table["months"], exog, status=table["died"], ties="efron").fit(disp=0)
    rows = survival(table, covariates=covariates)
    assert rows.loc[0, "effect"] == pytest.approx(oracle.params[0], rel=1e-4)
    assert rows.loc[2, "p"] == pytest.approx(oracle.pvalues[0], rel=1e-3)
    assert rows.loc[0, ["n_patients", "n_first", "n_second"]].tolist() == [40, 13, 27]
    assert rows.loc[0, "p"] == pytest.approx(rows.loc[1, "p"], abs=0.02)  # they agree here


def test_the_score_is_the_slope_of_efrons_likelihood():
    from statsmodels.duration.hazard_regression import PHReg

    table = followed()
    value, time, event = (table[c].to_numpy(float) for c in ("share", "months", "died"))
    assert len(np.unique(time[event == 1])) < event.sum()  # control: there are ties
    risk = risk_sets(time, event, np.ones(len(value)))
    model = PHReg(time, value[:, None], status=event, ties="efron")
    assert value @ (event - risk.sum(axis=1)) == pytest.approx(model.score(np.zeros(1))[0])


def test_an_effect_without_unit_does_not_depend_on_the_unit():
    table = followed()
    one, other = survival(table), survival(table.assign(share=3 - 100 * table["share"]))
    assert other.loc[0, "effect"] == pytest.approx(-one.loc[0, "effect"])
    assert other["p"].to_numpy() == pytest.approx(one["p"].to_numpy())


def test_hazards_that_cross_are_noticed():
    draw = np.random.default_rng(2)
    value = np.tile([-1.0, 1.0], 60) + 0.1 * draw.normal(size=120)
    early, late = draw.uniform(0, 5, size=120), draw.uniform(5, 10, size=120)
    months = np.where(
        np.where(value > 0, draw.random(120) < 0.9, draw.random(120) < 0.1), early, late
    )
    months = np.where((value > 0) & (months > 5), months + 5, months)
    table = followed(n=120, share=value, months=months, died=1)
    assert survival(table).loc[3, "p"] < 0.01
    assert survival(followed(n=120, seed=3)).loc[3, "p"] > 0.05  # control: proportional


@pytest.mark.parametrize(
    ("table", "covariates", "reason"),
    [
        (followed(n=12), (), "events: 10 are the least"),
        (followed(share=1.0), (), "every patient has the same value"),
        (followed(share=np.arange(40.0), months=np.arange(40.0, 0, -1)), (), "orders the events"),
        (followed(share=np.arange(40.0), months=np.arange(1.0, 41.0)), (), "orders the events"),
        (followed(age=50.0), ("age",), "'age' is the same in all rows"),
        (followed().assign(age=lambda t: 100 * t["share"]), ("age",), "'age' follows from"),
        (followed(months=np.nan), (), "0 events"),
    ],
)
def test_survival_that_cannot_be_modelled_says_why(table, covariates, reason):
    rows = survival(table, covariates=covariates)
    assert rows["reason"].str.contains(reason).all()
    assert rows[["effect", "p", "ci_low"]].isna().all(axis=None)


def test_covariates_that_order_the_events_are_a_reason():
    time = np.arange(1.0, 41.0)
    table = followed(months=time, age=-(time**2), died=1)
    assert survival(table, covariates=("age",))["reason"].str.contains("fitted|no peak").all()


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ({"died": "dead"}, "holds 'dead'; expected 1 or true"),
        ({"died": 2}, "holds '2'"),
        ({"months": -3.0}, "holds -3; expected times from 0"),
    ],
)
def test_events_and_times_that_mean_nothing_are_refused(column, message):
    with pytest.raises(CohortError, match=message):
        survival(followed(**column))


def test_true_and_false_are_one_and_nought():
    table = followed()
    said = table.assign(died=np.where(table["died"] == 1, "True", "false"))
    pd.testing.assert_frame_equal(survival(said), survival(table))


def test_patients_without_follow_up_are_counted():
    table = followed()
    table.loc[0, "months"] = np.nan
    assert survival(table).loc[0, "reason"] == "1 patient without value, time or event left out"


def test_nothing_is_found_five_times_in_a_hundred():
    draw = np.random.default_rng(0)
    from macprox.cohort.cox import _permuted
    from macprox.cohort.followed import Followed

    found = 0
    for _ in range(100):
        value, time = draw.lognormal(size=14), draw.exponential(size=14)
        event = (draw.random(14) < 0.75).astype(float)
        given = Followed(pd.DataFrame(), value, time, event, "")
        found += _permuted(given, value[:, None], 0)["p"] <= 0.05
    assert found / 100 < 0.09


# --- Kaplan-Meier -------------------------------------------------------------------------------


def test_kaplan_meier_is_computed_by_hand():
    table = pd.DataFrame(
        {
            "patient": list("abcdef"),
            "share": [1, 2, 3, 7, 8, 9],
            "months": [1, 2, 3, 2, 2, 5],
            "died": [1, 0, 1, 1, 1, 0],
        }
    )
    curve = cohort.kaplan_meier(table, "share", "months", "died")
    low = curve[curve["group"] == "at or below the median"]
    assert low["survival"].tolist() == pytest.approx([1, 2 / 3, 2 / 3, 0])
    assert low["n_at_risk"].tolist() == [3, 3, 2, 1]
    assert low["n_censored"].tolist() == [0, 0, 1, 0]
    high = curve[curve["group"] == "above the median"]
    assert high["survival"].tolist() == pytest.approx([1, 1 / 3, 1 / 3])


def test_kaplan_meier_is_statsmodels():
    from statsmodels.duration.survfunc import SurvfuncRight

    table = followed()
    above = table[table["share"] > table["share"].median()]
    oracle = SurvfuncRight(above["months"], above["died"])
    curve = cohort.kaplan_meier(table, "share", "months", "died")
    curve = curve[(curve["group"] == "above the median") & (curve["n_events"] > 0)]
    assert curve["survival"].to_numpy() == pytest.approx(oracle.surv_prob)
    inside = curve["survival"] > 0
    s, se = curve["survival"][inside].to_numpy(), oracle.surv_prob_se[inside]
    half = stats.norm.ppf(0.975) * se / (s * np.abs(np.log(s)))
    assert curve["ci_low"][inside].to_numpy() == pytest.approx(s ** np.exp(half))


def test_nobody_followed_is_an_empty_curve():
    assert cohort.kaplan_meier(followed(months=np.nan), "share", "months", "died").empty
