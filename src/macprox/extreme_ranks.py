"""How extreme each of many curves is: one order for whole curves, whatever they are curves of."""

from __future__ import annotations

import numpy as np


def extreme_rank_length_p(curves: np.ndarray) -> np.ndarray:
    """Share of curves that are as extreme as each, itself among them.

    Parameters
    ----------
    curves : (n_curves, n_x) float

    Returns
    -------
    (n_curves,) float
        At each x a curve's rank is the smaller of those from below and from above, ties sharing
        theirs; the ranks of a curve are sorted, and the curve whose list comes first in the
        dictionary is the most extreme: extreme rank length (Myllymaki, Mrkvicka, Grabarnik, Seijo &
        Hahn 2017, JRSS-B 79, section 4).

    Examples
    --------
    >>> extreme_rank_length_p(np.array([[0.0, 9.0], [1.0, 0.0], [2.0, 1.0], [3.0, 2.0]]))
    array([0.25, 0.75, 1.  , 0.75])
    """
    from scipy.stats import rankdata

    n = len(curves)
    below = rankdata(curves, axis=0)
    ranks = np.sort(np.minimum(below, n + 1 - below), axis=1)
    order = np.lexsort(ranks.T[::-1]) if ranks.shape[1] else np.arange(n)
    ranks = ranks[order]
    new = np.concatenate([[True], (ranks[1:] != ranks[:-1]).any(axis=1)])
    last = np.append(np.flatnonzero(new)[1:], n)  # of every run of curves that tie
    share = np.empty(n)
    share[order] = last[np.cumsum(new) - 1] / n
    return share
