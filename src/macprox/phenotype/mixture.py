"""One marker's intensities as a mixture of one to four Gaussians on the scale that fits best.

Intensities are near-Gaussian around zero (noise) and near-lognormal far from it (biology), so the
scale is ``arcsinh(value / cofactor)``. The cofactor is chosen together with the number of
components, by likelihood on the *original* scale: a cofactor so small that it tears noise around
zero into two humps pays for it through the Jacobian. Everything works on a histogram, so a
million cells cost what a thousand do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

N_BINS = 200
MAX_VALUES = 50_000  # evenly spaced order statistics beyond this; the histogram is the same
# From nearly linear to nearly logarithmic, relative to the 99.5 % quantile of the magnitude.
COFACTORS_FRAC = (3.0, 1 / 2, 1 / 8, 1 / 30)
# Where the starting components are cut, as quantiles: rare, balanced and majority populations.
STARTS = {
    1: ((),),
    2: ((0.25,), (0.5,), (0.8,), (0.95,), (0.99,)),
    3: ((0.2, 0.5), (0.3, 0.7), (0.5, 0.9), (0.6, 0.97), (0.8, 0.99)),
    4: ((0.2, 0.5, 0.8), (0.4, 0.7, 0.9), (0.5, 0.9, 0.97), (0.6, 0.95, 0.99)),
}
MIN_SD_FRAC = 0.01  # of the range: no component narrower than two bins
MAX_ITERATIONS = 200
TOLERANCE = 1e-5  # mean log-likelihood


@dataclass(frozen=True)
class Mixture:
    """Gaussian components on the scale ``arcsinh(value / cofactor)``, ordered by mean.

    Parameters
    ----------
    cofactor : float
        In the unit of the values.
    weight, mean, sd : (k,) float
    low, high : float
        Range of the transformed values.
    """

    cofactor: float
    weight: np.ndarray
    mean: np.ndarray
    sd: np.ndarray
    low: float
    high: float

    def density(self, t: np.ndarray) -> np.ndarray:
        """Weighted density ``(len(t), k)`` of each component at transformed values."""
        z = (t[:, None] - self.mean) / self.sd
        return np.exp(-0.5 * z**2) * self.weight / (self.sd * np.sqrt(2 * np.pi))

    def to_values(self, t: float) -> float:
        """Back to the unit of the values."""
        return float(self.cofactor * np.sinh(t))


def fit_mixture(ordered: np.ndarray, min_cofactor: float = 0.0) -> Mixture:
    """The mixture with the smallest BIC over cofactors, one to four components and starts.

    Parameters
    ----------
    ordered : (n,) float
        Sorted, finite, not all equal.
    min_cofactor : float
        The scale stays linear below this.
    """
    n = len(ordered)
    thinned = ordered[np.linspace(0, n - 1, min(n, MAX_VALUES)).round().astype(int)]
    scale = np.quantile(np.abs(thinned), 0.995)
    best, best_bic = None, np.inf
    for cofactor in sorted({max(frac * scale, min_cofactor) for frac in COFACTORS_FRAC}):
        transformed = np.arcsinh(thinned / cofactor)
        log_jacobian = -0.5 * np.mean(np.log(thinned**2 + cofactor**2))
        for k in STARTS:
            mean_ll, weight, mean, sd = _fit_histogram(transformed, k)
            bic = -2 * n * (mean_ll + log_jacobian) + (3 * k - 1) * np.log(n)
            if bic < best_bic:
                order = np.argsort(mean)
                low, high = transformed[0], transformed[-1]
                best_bic = bic
                best = Mixture(cofactor, weight[order], mean[order], sd[order], low, high)
    if best is None:
        raise ValueError("Expected finite values that are not all equal.")
    return best


def _fit_histogram(t: np.ndarray, k: int) -> tuple[float, np.ndarray, np.ndarray, np.ndarray]:
    """Expectation-maximisation from every start at once; the best start's parameters."""
    counts, edges = np.histogram(t, N_BINS)
    filled = counts > 0
    x = 0.5 * (edges[1:] + edges[:-1])[filled]
    w = counts[filled] / len(t)
    cuts = np.array(STARTS[k]).reshape(len(STARTS[k]), k - 1)
    at = x[np.minimum(np.searchsorted(np.cumsum(w), cuts), len(x) - 1)]
    label = (x[None, :, None] > at[:, None, :]).sum(axis=2)
    share = (label[:, :, None] == np.arange(k)).astype(float)  # (start, bin, component)
    min_var = ((edges[-1] - edges[0]) * MIN_SD_FRAC) ** 2
    previous = np.full(len(cuts), -np.inf)
    for _ in range(MAX_ITERATIONS):
        weighted = share * w[:, None]
        mass = weighted.sum(axis=1) + 1e-12
        mean = np.einsum("sbk,b->sk", weighted, x) / mass
        second = np.einsum("sbk,b->sk", weighted, x**2) / mass
        sd = np.sqrt(np.maximum(second - mean**2, 0) + min_var)
        weight = mass / mass.sum(axis=1, keepdims=True)
        z = (x[:, None] - mean[:, None, :]) / sd[:, None, :]
        density = np.exp(-0.5 * z**2) * (weight / sd)[:, None, :] + 1e-300
        total = density.sum(axis=2)
        likelihood = np.log(total) @ w
        if np.all(likelihood - previous < TOLERANCE):
            break
        previous = likelihood
        share = density / total[:, :, None]
    best = int(np.argmax(likelihood))
    return likelihood[best] - 0.5 * np.log(2 * np.pi), weight[best], mean[best], sd[best]
