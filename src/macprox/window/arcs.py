"""How much of a circle about a point lies in a window: the isotropic correction.

Ripley 1977; Baddeley, Rubak & Turner 2015, section 7.4.2. Exact for any polygon. Going round a
circle anticlockwise, it leaves the window where the edge (window on its left) comes into the disc
and enters where the edge goes out; so the angle inside is the sum of the angles of the first minus
that of the second, up to a full turn, and nothing needs to be sorted.
"""

from __future__ import annotations

import numba
import numpy as np

TURN = 2 * np.pi
# An angle this close to nothing or to a full turn is decided by looking at the circle.
DOUBT = 1e-9


def arc_weights(
    centre: np.ndarray,
    dx: np.ndarray,
    dy: np.ndarray,
    centres_xy: np.ndarray,
    edge_um: np.ndarray,
    segments: np.ndarray,
    max_weight: float,
) -> np.ndarray:
    """Circumference / length inside the window, of the circle about a point through another.

    Parameters
    ----------
    centre : (n,) int
        Row of ``centres_xy``; equal ones side by side.
    dx, dy : (n,) float
        The other point, in the window, minus the centre.
    centres_xy : (n_centres, 2) float
    edge_um : (n_centres,) float
        Distance to the window's edge.
    segments : (n_segments, 4) float
        ``Window.oriented_segments``.
    max_weight : float
        No weight is larger.

    Returns
    -------
    (n,) float
    """
    if len(centre) == 0:
        return np.empty(0)
    reach = float(np.sqrt((dx * dx + dy * dy).max()))
    seen = centres_xy[centre[0] : centre[-1] + 1] if centre[0] <= centre[-1] else centres_xy
    low, high = seen.min(axis=0) - reach, seen.max(axis=0) + reach
    x, y = segments[:, [0, 2]], segments[:, [1, 3]]
    near = (x.max(axis=1) >= low[0]) & (x.min(axis=1) <= high[0])
    near &= (y.max(axis=1) >= low[1]) & (y.min(axis=1) <= high[1])
    close = np.ascontiguousarray(segments[near])
    return _weights(centre, dx, dy, centres_xy, edge_um, close, segments, reach, max_weight)


@numba.njit(nogil=True, cache=True)
def _weights(centre, dx, dy, centres_xy, edge_um, close, segments, reach, max_weight):
    out = np.ones(len(centre))
    about = np.empty((len(close), 4))
    n_about, last = 0, -1
    for p in range(len(centre)):
        i = centre[p]
        d2 = dx[p] * dx[p] + dy[p] * dy[p]
        if np.sqrt(d2) <= edge_um[i]:
            continue
        x, y = centres_xy[i]
        if i != last:
            n_about, last = _gather(x, y, close, reach * reach, about), i
        angle, n_crossings = _angle_inside(d2, about[:n_about])
        if n_crossings == 0:
            continue  # a hole, or the other piece, inside the disc: the circle is in the window
        if angle < DOUBT or angle > TURN - DOUBT:
            # All or nothing but a touch: what is opposite the other point says which.
            angle = TURN if _inside(x - dx[p], y - dy[p], segments) else 0.0
        out[p] = TURN / angle if angle * max_weight > TURN else max_weight
    return out


@numba.njit(nogil=True, cache=True)
def _gather(x, y, segments, reach2, about):
    """Copy the segments that come within reach, seen from ``(x, y)``; how many."""
    n = 0
    for k in range(len(segments)):
        ax, ay = segments[k, 0] - x, segments[k, 1] - y
        bx, by = segments[k, 2] - x, segments[k, 3] - y
        vx, vy = bx - ax, by - ay
        length2 = vx * vx + vy * vy
        t = min(max(-(ax * vx + ay * vy) / length2, 0.0), 1.0) if length2 > 0.0 else 0.0
        px, py = ax + t * vx, ay + t * vy
        if px * px + py * py <= reach2:
            about[n, 0], about[n, 1], about[n, 2], about[n, 3] = ax, ay, bx, by
            n += 1
    return n


@numba.njit(nogil=True, cache=True)
def _angle_inside(d2, segments):
    """Angle of the circle about the origin that is in the window, in [0, TURN), and crossings."""
    total, n = 0.0, 0
    for k in range(len(segments)):
        ax, ay, bx, by = segments[k]
        a2, b2 = ax * ax + ay * ay, bx * bx + by * by
        # By the ends, which neighbouring sides share: what comes into the disc leaves it again.
        starts_in, ends_in = a2 < d2, b2 < d2
        if starts_in and ends_in:
            continue
        vx, vy = bx - ax, by - ay
        length2, along = vx * vx + vy * vy, ax * vx + ay * vy
        root2 = along * along - length2 * (a2 - d2)
        if not (starts_in or ends_in) and not (root2 > 0.0 and -length2 < along < 0.0):
            continue
        root = np.sqrt(max(root2, 0.0))
        if not starts_in:
            t = (-along - root) / length2
            total += np.arctan2(ay + t * vy, ax + t * vx)
            n += 1
        if not ends_in:
            t = (-along + root) / length2
            total -= np.arctan2(ay + t * vy, ax + t * vx)
            n += 1
    return total % TURN, n


@numba.njit(nogil=True, cache=True)
def _inside(x, y, segments):
    inside = False
    for k in range(len(segments)):
        ax, ay, bx, by = segments[k]
        if (ay > y) != (by > y) and x < ax + (y - ay) / (by - ay) * (bx - ax):
            inside = not inside
    return inside
