"""Envelopes: a curve beside curves simulated under a null, and one p value for all radii.

*Pointwise* bands hold 95 % of simulated values at one radius; a curve leaves them somewhere far
more often than 5 %. *Global* envelopes are left anywhere by 5 % of curves under the null:

- ``"rank"``: extreme rank length (Myllymaki, Mrkvicka, Grabarnik, Seijo & Hahn 2017, section 4;
  curves are ordered by their sorted pointwise two-sided ranks, lexicographically);
- ``"mad"``: the largest deviation from the mean curve in units of the standard deviation at that
  radius (ibid., section 3.2, studentised).

Both order the observed curve among the simulated ones by a rule that treats all alike, so that
p = (b + 1) / (B + 1) is exact for any B.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from macprox.extreme_ranks import extreme_rank_length_p
from macprox.spatial.nulls.simulated import Null, stream
from macprox.window import as_points

METHODS = ("rank", "mad")
LEVEL = 0.95
UNDEFINED = "{} of {} radii are not defined in every simulation"
Summary = Callable[..., np.ndarray]


@dataclass(frozen=True, eq=False)
class Envelope:
    """An observed curve and its null, radius by radius."""

    r_um: np.ndarray
    value: np.ndarray = field(repr=False)
    expected: np.ndarray = field(repr=False)  # mean of simulations
    sd: np.ndarray = field(repr=False)
    low: np.ndarray = field(repr=False)  # pointwise
    high: np.ndarray = field(repr=False)
    global_low: np.ndarray = field(repr=False)
    global_high: np.ndarray = field(repr=False)
    p: float
    method: str
    level: float
    n_simulations: int
    reason: str = ""

    @classmethod
    def nothing(cls, r_um: np.ndarray, reason: str) -> Envelope:
        """NaN at every radius, and why."""
        nan = np.full(len(r_um), np.nan)
        return cls(r_um, nan, nan, nan, nan, nan, nan, nan, np.nan, "", np.nan, 0, reason)

    def to_frame(self) -> pd.DataFrame:
        """One row a radius; the global p stands in each."""
        columns = ("r_um", "value", "expected", "sd", "low", "high", "global_low", "global_high")
        table = pd.DataFrame({name: getattr(self, name) for name in columns})
        return table.assign(
            p_global=self.p,
            method=self.method,
            level=self.level,
            n_simulations=self.n_simulations,
            reason=self.reason,
        )


def envelope(
    summary: Summary,
    source_xy: ArrayLike,
    target_xy: ArrayLike,
    r_um: ArrayLike,
    null: Null,
    *,
    n_simulations: int = 999,
    seed: int = 0,
    method: str = "rank",
    level: float = LEVEL,
    workers: int = 2,
) -> Envelope:
    """Any summary function of two populations under any null.

    Parameters
    ----------
    summary : callable
        ``summary(source_xy, target_xy)`` to ``(n_r,)`` values at ``r_um``. Under `RandomShift` it
        is called with ``window=`` too: the part of the window where both could be seen.
    source_xy : (n_source, 2) float
    target_xy : (n_target, 2) float
    r_um : (n_r,) float
        The p value is that of the whole range: choose it before looking.
    null : Null
        `Relabel`, `Csr`, `InhomogeneousPoisson`, `ToroidalShift` or `RandomShift`.
    n_simulations : int
        B. Extreme rank lengths tie less the more there are; 999 or more for a p to report.
    seed : int
        Simulation b is a function of the seed and b alone.
    method : "rank" or "mad"
        Of the global envelope.
    level : float
        Of the bands.
    workers : int
        Threads; changes no number.

    Raises
    ------
    ValueError
        For an unknown method, a level that is no share, too few simulations for the level, or a
        summary that does not give one value a radius.
    """
    r = np.atleast_1d(np.asarray(r_um, dtype=float))
    _check(method, level, n_simulations)
    source, target = as_points(np.asarray(source_xy)), as_points(np.asarray(target_xy))

    def simulated(number: int) -> tuple[np.ndarray, float]:
        drawn = null.draw(source, target, stream(seed, number))
        where = {} if drawn.window is None else {"window": drawn.window}
        return _values(summary(drawn.source_xy, drawn.target_xy, **where), r), drawn.weight

    observed = _values(summary(source, target), r)
    with ThreadPoolExecutor(workers) as pool:
        curves, weights = zip(*pool.map(simulated, range(1, n_simulations + 1)), strict=True)
    return from_curves(
        r, np.vstack([observed, *curves]), np.array([1.0, *weights]), method=method, level=level
    )


def from_curves(
    r_um: np.ndarray,
    curves: np.ndarray,
    weights: np.ndarray | None = None,
    *,
    method: str = "rank",
    level: float = LEVEL,
) -> Envelope:
    """`envelope` from curves that are there already.

    Parameters
    ----------
    r_um : (n_r,) float
    curves : (B + 1, n_r) float
        The observed one first.
    weights : (B + 1,) float, optional
        Inverse variances; deviations from the mean curve are scaled by their roots.
    method, level
        As in `envelope`.

    Returns
    -------
    Envelope
        A radius at which some curve is NaN takes no part, and is NaN.
    """
    _check(method, level, len(curves) - 1)
    known = np.isfinite(curves).all(axis=0)
    centre = curves[:, known].mean(axis=0)
    away = curves[:, known] - centre
    if weights is not None:
        away = away * np.sqrt(weights / weights[0])[:, None]
    away[np.abs(away) <= 1e-12 * np.abs(centre)] = 0.0  # the same curve summed in another order
    p, low, high = (_by_rank if method == "rank" else _by_deviation)(away, level)
    tail = (1 - level) / 2
    expected, sd, below, above, global_low, global_high = np.full((6, len(r_um)), np.nan)
    expected[known], sd[known] = centre, away[1:].std(axis=0)
    below[known], above[known] = centre + np.quantile(away[1:], [tail, 1 - tail], axis=0)
    global_low[known], global_high[known] = centre + low, centre + high
    left_out = int((~known).sum())
    return Envelope(
        r_um=r_um,
        value=curves[0],
        expected=expected,
        sd=sd,
        low=below,
        high=above,
        global_low=global_low,
        global_high=global_high,
        p=p if known.any() else np.nan,
        method=method,
        level=level,
        n_simulations=len(curves) - 1,
        reason=UNDEFINED.format(left_out, len(r_um)) if left_out else "",
    )


def _by_rank(away: np.ndarray, level: float) -> tuple[float, np.ndarray, np.ndarray]:
    share = extreme_rank_length_p(away)
    kept = away[share > 1 - level + 1e-12]
    return float(share[0]), kept.min(axis=0), kept.max(axis=0)


def _by_deviation(away: np.ndarray, level: float) -> tuple[float, np.ndarray, np.ndarray]:
    sd = away.std(axis=0)
    scaled = np.divide(away, sd, out=np.zeros_like(away), where=sd > 0)
    farthest = np.abs(scaled).max(axis=1, initial=0.0)
    close = 1e-9 * max(1.0, farthest[0])
    p = float((farthest >= farthest[0] - close).mean())
    n_outside = int((1 - level) * len(away) + 1e-9)
    critical = np.sort(farthest)[len(away) - 1 - n_outside]
    return p, -critical * sd, critical * sd


def _values(values: np.ndarray, r: np.ndarray) -> np.ndarray:
    values = np.asarray(values, dtype=float)
    if values.shape != r.shape:
        raise ValueError(
            f"A summary must give one value for each of {len(r)} radii, found shape {values.shape}."
        )
    return values


def _check(method: str, level: float, n_simulations: int) -> None:
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, found {method!r}.")
    if not 0 < level < 1:
        raise ValueError(f"level must be a share between 0 and 1, found {level!r}.")
    if (1 - level) * (n_simulations + 1) < 1 - 1e-9:
        raise ValueError(
            f"{n_simulations} simulations cannot give a {level:.0%} envelope; ask for at least "
            f"{int(np.ceil(1 / (1 - level) - 1e-9)) - 1}."
        )
