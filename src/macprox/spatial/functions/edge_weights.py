"""What a pair stands for: the edge corrections that weigh pairs.

Weights are at most 100, as in spatstat: a pair across the whole window would count for millions.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from macprox.spatial.functions.pair_counts import Block, Pairs
from macprox.window import Window
from macprox.window.arcs import arc_weights
from macprox.window.set_covariance import translation_weights

WEIGHTS = ("translate", "none", "isotropic")
MAX_WEIGHT = 100.0

Weigher = Callable[[Block], np.ndarray | None]


def weigher(correction: str, pairs: Pairs, window: Window) -> Weigher:
    """The weight ``(n,)`` of every pair of a block, under one of ``WEIGHTS``; None is 1 each."""
    if correction == "translate":
        covariance = window.set_covariance(float(np.sqrt(pairs.limit_um2)) * (1 + 1e-12))
        table, (step_x, step_y) = covariance.table, covariance.step_um
        return lambda block: translation_weights(
            block.dx, block.dy, table, step_x, step_y, MAX_WEIGHT
        )
    if correction == "isotropic":
        edge_um = window.distance_to_edge(pairs.source.xy)
        segments = window.oriented_segments
        return lambda block: arc_weights(
            block.source, block.dx, block.dy, pairs.source.xy, edge_um, segments, MAX_WEIGHT
        )
    return lambda block: None
