"""How well two populations mix, as a number that is 1 where both lie at random."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from macprox.spatial.graphs.graph import finite_points
from macprox.spatial.search.neighbours import count_within
from macprox.window import Window

NO_PAIR = "no two source cells are within the radius: nothing to compare with"


@dataclass(frozen=True)
class MixingScore:
    """A score and the counts behind it."""

    value: float
    n_source_target: int  # pairs within the radius
    n_source_source: int  # pairs, each once
    reason: str = ""  # why the value is NaN


def mixing_score(
    source_xy: ArrayLike, target_xy: ArrayLike, radius_um: float, window: Window | None = None
) -> MixingScore:
    """Source-target pairs over source-source pairs, per pair that there could be.

    Parameters
    ----------
    source_xy : (n_source, 2) float
        The reference population, in micrometres.
    target_xy : (n_target, 2) float
    radius_um : float
    window : Window, optional
        Cells outside are left out. Nothing else depends on it: both kinds of pairs lose the same
        share at its edge.

    Returns
    -------
    MixingScore
        ``value`` = (N_st / n_target) / (N_ss / ((n_source - 1) / 2)), N counting pairs within the
        radius, those of two sources once: 1 if both lie at random or labels were dealt at random,
        below 1 if sources keep to themselves, above 1 if they seek targets. NaN with a reason
        without targets, or where no two sources are within the radius.

    Raises
    ------
    ValueError
        If a coordinate is not finite, or the radius is not positive.

    Notes
    -----
    The normalised mixing score of SPIAT (Feng et al. 2023, Nat Commun 14:2697), whose versions
    differ by a factor of 2; this is the one that is 1 at random. Expected counts are in that
    proportion exactly; a quotient of counts is on average above it by about the squared
    coefficient of variation of N_ss.

    Examples
    --------
    >>> mixing_score([[0, 0], [0, 1], [0, 2]], [[1, 0], [1, 1]], radius_um=1)
    MixingScore(value=0.5, n_source_target=2, n_source_source=2, reason='')
    """
    source, target = finite_points(source_xy), finite_points(target_xy)
    if window is not None:
        source, target = source[window.contains(source)], target[window.contains(target)]
    n_st = int(count_within(source, target, [radius_um]).sum())
    n_ss = int(count_within(source, source, [radius_um], exclude_self=True).sum()) // 2
    return score_of(
        np.array([n_st]), np.array([n_ss]), np.array([len(source)]), np.array([len(target)])
    )


def score_of(
    n_st: np.ndarray, n_ss: np.ndarray, n_source: np.ndarray, n_target: np.ndarray
) -> MixingScore:
    """The score over several fields ``(n_fields,)``, each beside what it would be at random.

    Sum of N_st over the sum of N_ss n_target / ((n_source - 1) / 2): fields of different density
    do not pass for mixing.
    """
    pairs = int(n_st.sum()), int(n_ss.sum())
    if n_target.sum() == 0:
        return MixingScore(np.nan, *pairs, reason="no target cells")
    if pairs[1] == 0:
        return MixingScore(np.nan, *pairs, reason=NO_PAIR)
    at_random = (n_ss * n_target / np.maximum((n_source - 1) / 2, 0.5)).sum()
    if at_random == 0:
        return MixingScore(np.nan, *pairs, reason="no field holds both")
    return MixingScore(float(n_st.sum() / at_random), *pairs)
