"""A difference in units of the spread between patients, so that statistics compare."""

from __future__ import annotations

import numpy as np
from scipy import special


def hedges_g(first: np.ndarray, second: np.ndarray, level: float = 0.95) -> tuple[float, ...]:
    """Hedges' g of second minus first, with its interval.

    Parameters
    ----------
    first, second : (n,) float
        Values of the patients of each group.
    level : float

    Returns
    -------
    g, low, high : float
        The difference in means over the pooled standard deviation, times the correction for small
        samples J (Hedges 1981, equation 6). The interval inverts the noncentral t distribution
        (Steiger & Fouladi 1997) and is times J too; it takes equal variances for granted, which the
        test of `compare` does not. All NaN without two patients in each group, or without spread.
    """
    n_1, n_2 = len(first), len(second)
    if min(n_1, n_2) < 2:
        return np.nan, np.nan, np.nan
    df = n_1 + n_2 - 2
    pooled = np.sqrt(((n_1 - 1) * first.var(ddof=1) + (n_2 - 1) * second.var(ddof=1)) / df)
    return _standardised(second.mean() - first.mean(), pooled, df, n_1 * n_2 / (n_1 + n_2), level)


def paired_g(differences: np.ndarray, level: float = 0.95) -> tuple[float, ...]:
    """The mean difference over the differences' standard deviation, times J; as `hedges_g`."""
    n = len(differences)
    if n < 2:
        return np.nan, np.nan, np.nan
    return _standardised(differences.mean(), differences.std(ddof=1), n - 1, n, level)


def _standardised(
    difference: float, sd: float, df: int, n_effective: float, level: float
) -> tuple[float, ...]:
    if not sd > 1e-12 * abs(difference):
        return np.nan, np.nan, np.nan
    root = np.sqrt(n_effective)
    t = difference / sd * root
    tail = (1 - level) / 2
    # nctdtrinc is at home where t is positive; the distribution is its own mirror image.
    ends = special.nctdtrinc(df, np.array([1 - tail, tail]), abs(t)) / root
    low, high = ends if t >= 0 else -ends[::-1]
    correction = np.exp(special.gammaln(df / 2) - special.gammaln((df - 1) / 2)) / np.sqrt(df / 2)
    if df < 2:
        correction = np.nan  # J has no value for one degree of freedom
    return correction * difference / sd, correction * low, correction * high
