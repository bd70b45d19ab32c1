"""Sums of many weights that do not depend on the order of the terms.

Every term is rounded to a fixed-point number of 71 bits, split over two int64 that add like
integers. So a sum has the same bits for any number of threads, any tiling of the slide and any
other radii that were asked for; floating-point sums keep that promise only for one order.
"""

from __future__ import annotations

import numba
import numpy as np

WHOLE_BITS = 31  # of the largest term: room for 2^32 of them
PART_BITS = 40  # behind the point: room for 2^23 terms between two calls of `carried`
_PART = 2.0**PART_BITS


def scale_for(largest: float) -> float:
    """The power of two by which to multiply terms of at most ``largest`` before adding them."""
    return 2.0 ** (WHOLE_BITS - int(np.frexp(largest)[1])) if largest > 0 else 1.0


@numba.njit(nogil=True, cache=True, inline="always")
def add(sums, k, term, sign):
    """Add ``sign`` times a scaled term, not negative, to row k of ``sums (n, 2)`` int64."""
    whole = int(term)
    sums[k, 0] += sign * whole
    sums[k, 1] += sign * int((term - whole) * _PART + 0.5)


def carried(sums: np.ndarray) -> np.ndarray:
    """The same sums, with the parts behind the point below one again."""
    whole, part = sums[:, 0], sums[:, 1]
    return np.stack([whole + (part >> PART_BITS), part & ((1 << PART_BITS) - 1)], axis=1)


def to_float(sums: np.ndarray, scale: float, cumulative: bool = False) -> np.ndarray:
    """What ``sums (n, 2)`` stand for, or their exact running totals, rounded once: ``(n,)``."""
    total = (sums[:, 0].astype(object) << PART_BITS) + sums[:, 1].astype(object)
    if cumulative:
        total = np.cumsum(total)
    return np.array([int(t) / 2**PART_BITS for t in total], dtype=float) / scale
