"""The linear mixed model with one random intercept a patient, by restricted maximum likelihood.

With one random effect, REML has a single unknown that no formula gives: the ratio of the variance
between patients to that within. It is searched on its whole range, with 0 in it, so that the fit
cannot fail to converge; the test compares it with statsmodels' MixedLM, whose search does, at 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import optimize

_GRID = np.concatenate([[0.0], np.geomspace(1e-4, 1 - 1e-6, 40)])


@dataclass(frozen=True, eq=False)
class RandomIntercept:
    """A fitted model.

    Attributes
    ----------
    estimates, se : (n_terms,) float
    df : (n_terms,) int
        Degrees of freedom of each term's t.
    between, within : float
        Variances between patients and of the rows of one patient.
    """

    estimates: np.ndarray
    se: np.ndarray
    df: np.ndarray
    between: float
    within: float


def fit_random_intercept(y: np.ndarray, matrix: np.ndarray, patient: np.ndarray) -> RandomIntercept:
    """Fit y = matrix @ estimates + an intercept of the patient + noise.

    Parameters
    ----------
    y : (n,) float
    matrix : (n, n_terms) float
        Of full rank, the intercept among its columns.
    patient : (n,) int
        Numbers 0 to n_patients - 1.

    Returns
    -------
    RandomIntercept
        Estimates by generalised least squares at the REML variances (Pinheiro & Bates 2000, section
        2.2). Degrees of freedom by containment (ibid., section 2.4.2): a term that is constant
        within every patient has n_patients less the number of such terms, the others n - n_patients
        less theirs.
    """
    sums = _Sums(y, matrix, patient)
    profile = [sums.deviance(rho) for rho in _GRID]
    best = int(np.argmin(profile))
    rho = float(_GRID[best])
    ends = _GRID[max(best - 1, 0)], _GRID[min(best + 1, len(_GRID) - 1)]
    found = optimize.minimize_scalar(
        sums.deviance, bounds=ends, method="bounded", options={"xatol": 1e-9}
    )
    if found.fun < profile[best] - 1e-10:
        rho = float(found.x)
    estimates, unscaled, residual = sums.solve(rho)
    within = residual / (len(y) - matrix.shape[1])
    return RandomIntercept(
        estimates=estimates,
        se=np.sqrt(within * np.diag(unscaled)),
        df=_containment(matrix, patient),
        between=within * rho / (1 - rho),
        within=within,
    )


class _Sums:
    """Cross products, once; the likelihood at any ratio is made of them."""

    def __init__(self, y: np.ndarray, matrix: np.ndarray, patient: np.ndarray) -> None:
        both = np.column_stack([matrix, y])
        self.n, self.size = len(y), np.bincount(patient)
        self.cross = both.T @ both
        self.per_patient = np.zeros((len(self.size), both.shape[1]))
        np.add.at(self.per_patient, patient, both)

    def weighted(self, rho: float) -> tuple[np.ndarray, np.ndarray]:
        """[X y]' V^-1 [X y], and 1 + n_i * ratio; rho = ratio / (1 + ratio)."""
        ratio = rho / (1 - rho)
        inflation = 1 + self.size * ratio
        shrunk = self.per_patient.T @ (self.per_patient * (ratio / inflation)[:, None])
        return self.cross - shrunk, inflation

    def solve(self, rho: float) -> tuple[np.ndarray, np.ndarray, float]:
        """Estimates, their covariance over the variance within, the residual sum of squares."""
        products, _ = self.weighted(rho)
        inverse = np.linalg.inv(products[:-1, :-1])
        estimates = inverse @ products[:-1, -1]
        return estimates, inverse, float(products[-1, -1] - products[:-1, -1] @ estimates)

    def deviance(self, rho: float) -> float:
        """-2 log restricted likelihood, less its constants."""
        products, inflation = self.weighted(rho)
        _, _, residual = self.solve(rho)
        df = self.n - len(products) + 1
        logdet = np.linalg.slogdet(products[:-1, :-1])[1]
        return float(df * np.log(max(residual, 1e-300)) + np.log(inflation).sum() + logdet)


def _containment(matrix: np.ndarray, patient: np.ndarray) -> np.ndarray:
    n, n_patients = len(patient), int(patient.max()) + 1
    means = np.zeros((n_patients, matrix.shape[1]))
    np.add.at(means, patient, matrix)
    means /= np.bincount(patient)[:, None]
    of_patient = np.abs(matrix - means[patient]).max(axis=0) <= 1e-9 * np.abs(matrix).max(axis=0)
    inner = n - n_patients - int((~of_patient).sum())
    return np.where(of_patient, n_patients - int(of_patient.sum()), inner)
