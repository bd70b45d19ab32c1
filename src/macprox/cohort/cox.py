"""Does a patient's value go with how long they live? Cox regression, and what few events allow."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from macprox.cohort.arrangements import orders, share
from macprox.cohort.columns import TESTS, sentences, table_of
from macprox.cohort.design import design_of
from macprox.cohort.followed import Followed, followed
from macprox.cohort.patients import counted
from macprox.cohort.shift import TIE

LEAST_EVENTS = 10
PERMUTED = "Cox regression, permuted score"
LIKELIHOOD = "Cox regression, likelihood ratio"
WALD = "Cox regression, Wald"
PROPORTIONAL = "proportional hazards, Schoenfeld residuals against ranked time"
_FAR = 8.0  # a log hazard ratio a standard deviation that no finite likelihood peaks at


@dataclass(frozen=True)
class _Fit:
    log_hazard: float
    se: float
    likelihood_ratio: float
    residuals: np.ndarray  # Schoenfeld, of the value, one an event
    event_times: np.ndarray


def survival(
    patients: pd.DataFrame,
    value: str,
    *,
    time: str,
    event: str,
    covariates: Sequence[str] = (),
    seed: int = 0,
    level: float = 0.95,
) -> pd.DataFrame:
    """Ask whether a patient's value goes with the hazard of an event.

    Parameters
    ----------
    patients : DataFrame
        One row a patient, with a column ``patient``.
    value : str
        Numeric column; taken as it is, never cut into high and low.
    time : str
        Time to the event or to when the patient was last seen, in any unit.
    event : str
        0 or false: last seen without; 1 or true: had it. No other words, since "alive" and "dead"
        are as easily the wrong way round.
    covariates : sequence of str
    seed : int
        Of the permutations.
    level : float

    Returns
    -------
    DataFrame
        Four rows of `TESTS`; ``n_first`` counts patients without the event and ``n_second`` those
        with. The first three share ``effect``, the log hazard ratio per standard deviation of the
        value (Cox 1972, ties by Efron 1977), and its Wald interval; exp() gives hazard ratios. The
        row to read is `PERMUTED`. Of `PROPORTIONAL` the effect is a correlation: a small p says
        that the hazard ratio changes with time (Grambsch & Therneau 1994, with ranks). NaN with the
        reason below 10 events, where the value orders the events without exception, or where a
        covariate cannot be used.

    Raises
    ------
    CohortError
        If a column is missing, a patient has two rows, a time is negative, or ``event`` says
        anything else.

    Notes
    -----
    The permuted score is the slope of the partial likelihood at no effect, squared, over its
    curvature there. Values, or what covariates leave of them (Potter 2005, Stat. Med. 24), change
    places among patients: exact without covariates for any number of events if censoring has
    nothing to do with the value, and near to it otherwise, thanks to the division (Neuhaus 1993,
    Ann. Statist. 21). Likelihood ratio and Wald rely on many events.
    """
    found = followed(patients, value, time, event)
    n_events = int(found.event.sum())
    general: dict[str, Any] = {
        "statistic": value,
        "group": event,
        "contrast": "per standard deviation",
        "n_patients": len(found.value),
        "n_first": len(found.value) - n_events,
        "n_second": n_events,
    }
    reason = _refused(found, n_events)
    matrix = np.empty((len(found.value), 1))
    if not reason:
        design = design_of(found.rows, {value: _standard(found.value)}, covariates)
        matrix, reason = design.matrix[:, 1:], design.problem
    rows: list[dict[str, Any]] = [{}, {}, {}, {}]
    if not reason:
        rows, reason = _tested(found, matrix, seed, level)
    tests = (PERMUTED, LIKELIHOOD, WALD, PROPORTIONAL)
    told = sentences(reason, found.remark)
    return table_of(
        [
            general | {"test": test, "reason": told} | row
            for test, row in zip(tests, rows, strict=True)
        ],
        TESTS,
    )


def _refused(found: Followed, n_events: int) -> str:
    if n_events < LEAST_EVENTS:
        return (
            f"{counted(n_events, 'event')}: {LEAST_EVENTS} are the least for a hazard ratio; the "
            "points stand"
        )
    if np.ptp(found.value) == 0:
        return "every patient has the same value"
    return ""


def _tested(
    found: Followed, matrix: np.ndarray, seed: int, level: float
) -> tuple[list[dict[str, Any]], str]:
    nothing: list[dict[str, Any]] = [{}, {}, {}, {}]
    if _monotone(found):
        return nothing, "the value orders the events without exception: no finite hazard ratio"
    try:
        fit = _fit(found.time, found.event, matrix)
    except (np.linalg.LinAlgError, ValueError, RuntimeWarning, UserWarning) as error:
        return nothing, f"the model cannot be fitted ({str(error).rstrip('.') or 'no peak'})"
    if not (np.isfinite(fit.se) and fit.se > 0 and abs(fit.log_hazard) < _FAR and fit.se < _FAR):
        return nothing, "the likelihood has no peak: covariates order the events without exception"
    half = stats.norm.ppf((1 + level) / 2) * fit.se
    same = {
        "effect": fit.log_hazard,
        "ci_low": fit.log_hazard - half,
        "ci_high": fit.log_hazard + half,
    }
    return [
        same | _permuted(found, matrix, seed),
        same | {"p": stats.chi2.sf(max(fit.likelihood_ratio, 0.0), 1)},
        same | {"p": 2 * stats.norm.sf(abs(fit.log_hazard / fit.se))},
        _proportional(fit),
    ], ""


def _fit(time: np.ndarray, event: np.ndarray, matrix: np.ndarray) -> _Fit:
    from statsmodels.duration.hazard_regression import PHReg

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = PHReg(time, matrix, status=event, ties="efron")
        result = model.fit(disp=0)
        residuals = result.schoenfeld_residuals[:, 0]
        if matrix.shape[1] > 1:
            without = PHReg(time, matrix[:, 1:], status=event, ties="efron").fit(disp=0).llf
        else:
            without = model.loglike(np.zeros(1))
    had = np.isfinite(residuals) & (event == 1)
    return _Fit(
        float(result.params[0]),
        float(result.bse[0]),
        float(2 * (result.llf - without)),
        residuals[had],
        time[had],
    )


def _permuted(found: Followed, matrix: np.ndarray, seed: int) -> dict[str, Any]:
    value, covariates = matrix[:, 0], matrix[:, 1:]
    hazards = np.ones(len(value))
    if covariates.shape[1]:
        hazards = _hazards(found, covariates)
        beside = np.column_stack([np.ones(len(value)), covariates])
        value = value - beside @ np.linalg.lstsq(beside, value, rcond=None)[0]
    risk = risk_sets(found.time, found.event, hazards)
    score, information = _score(value[None], found.event, risk)
    dealt, exact = orders(len(value), seed)
    scores, informations = _score(value[dealt], found.event, risk)
    # Score squared over information, without dividing by one that may be 0.
    as_extreme = scores**2 * information >= score**2 * informations * (1 - TIE)
    return {
        "p": share(as_extreme, exact),
        "p_min": 1 / (len(dealt) + (not exact)),
        "n_arrangements": len(dealt),
        "exact": exact,
        "seed": seed,
    }


def _hazards(found: Followed, covariates: np.ndarray) -> np.ndarray:
    from statsmodels.duration.hazard_regression import PHReg

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = PHReg(found.time, covariates, status=found.event, ties="efron")
        return np.exp(covariates @ model.fit(disp=0).params)


def risk_sets(time: np.ndarray, event: np.ndarray, hazards: np.ndarray) -> np.ndarray:
    """The chance of each patient to be the one whom each event strikes: ``(n, n_events)``.

    ``hazards (n,)`` are relative. Of d events at one time, their patients are at risk of the l-th
    with the share 1 - l / d (Efron 1977).
    """
    columns = []
    for at in np.unique(time[event == 1]):
        tied = (time == at) & (event == 1)
        d = int(tied.sum())
        for struck in range(d):
            weight = hazards * (time >= at) * np.where(tied, 1 - struck / d, 1.0)
            columns.append(weight / weight.sum())
    return np.column_stack(columns)


def _score(
    values: np.ndarray, event: np.ndarray, risk: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Slope and curvature of the partial likelihood at no effect, for rows of values."""
    expected = values @ risk
    return values @ event - expected.sum(axis=1), ((values**2) @ risk - expected**2).sum(axis=1)


def _proportional(fit: _Fit) -> dict[str, Any]:
    if np.ptp(fit.event_times) == 0 or np.ptp(fit.residuals) == 0:
        return {"reason": "all events fall at one time"}
    correlation = stats.pearsonr(fit.residuals, stats.rankdata(fit.event_times))
    return {"effect": float(correlation.statistic), "p": float(correlation.pvalue)}


def _monotone(found: Followed) -> bool:
    """Whether each event struck the highest, or each the lowest, value still at risk."""
    highest = lowest = True
    for at in np.unique(found.time[found.event == 1]):
        at_risk, tied = found.time >= at, (found.time == at) & (found.event == 1)
        highest &= found.value[tied].min() >= found.value[at_risk & ~tied].max(initial=-np.inf)
        lowest &= found.value[tied].max() <= found.value[at_risk & ~tied].min(initial=np.inf)
    return bool(highest or lowest)


def _standard(values: np.ndarray) -> np.ndarray:
    return (values - values.mean()) / values.std(ddof=1)
