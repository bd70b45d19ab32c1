"""Tiles whose labels depend on the tile: one label image from overlapping views, and a measure.

Each tile labels its outer box: its *view*. Where two views overlap they show the same tissue, and
objects that cover each other by more than half are one object seen twice. Of an object seen several
times the tile speaks whose core holds its centre of mass, and so does it for an object that no
other tile sees: what its core holds and its view does not show is not there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from macprox.image.tiles import Box, Tile

SAME_IOU = 0.5  # above, an object has at most one partner in another view
TWIN_IOU = 0.9  # above, two outlines are the same for every purpose here


@dataclass(frozen=True)
class View:
    """What seams need to know of one tile's labels.

    Parameters
    ----------
    area_px : (n + 1,) int64
        By label; entry 0 is unused.
    owned : (n + 1,) bool
        The centre of mass lies in the tile's core.
    crosses : (n + 1,) bool
        Lies partly in the core, partly beyond.
    """

    area_px: np.ndarray
    owned: np.ndarray
    crosses: np.ndarray

    @classmethod
    def of(cls, labels: np.ndarray, tile: Tile) -> View:
        """Describe the labels ``(y, x)`` int32 of a tile's outer box."""
        n = int(labels.max(initial=0))
        y, x = np.nonzero(labels)
        label = labels[y, x]
        area = np.bincount(label, minlength=n + 1)
        some = np.maximum(area, 1)
        # The pixel that holds the centre, in whole numbers: a centre on a border is not on both.
        cy, cx = (np.bincount(label, where, n + 1).astype(np.int64) // some for where in (y, x))
        core = tile.core
        in_core = np.bincount(labels[core.within(tile.outer)].ravel(), minlength=n + 1)
        owned = core.holds(cy + tile.outer.y0, cx + tile.outer.x0) & (area > 0)
        crosses = (in_core > 0) & (in_core < area)
        owned[0] = crosses[0] = False
        return cls(area, owned, crosses)


@dataclass(frozen=True)
class Twins:
    """Objects of two views that overlap, seen in the box that both cover.

    Parameters
    ----------
    first, second : (k,) int64
        Labels in either view.
    iou : (k,) float
    """

    first: np.ndarray
    second: np.ndarray
    iou: np.ndarray


def overlapping_objects(first: np.ndarray, second: np.ndarray) -> Twins:
    """Compare two labellings ``(y, x)`` int32 of the same box."""
    both = (first > 0) & (second > 0)
    n = int(second.max(initial=0)) + 1
    pairs, common = np.unique(first[both].astype(np.int64) * n + second[both], return_counts=True)
    a, b = np.divmod(pairs, n)
    union = np.bincount(first.ravel())[a] + np.bincount(second.ravel())[b] - common
    return Twins(a, b, common / union)


def neighbours(tile: Tile, tiles: Sequence[Tile]) -> list[tuple[Tile, Box]]:
    """Other tiles whose view overlaps this one's, in rising order, and the box that both cover."""
    found = []
    for other in tiles:
        shared = common_box(tile.outer, other.outer)
        if other.index != tile.index and shared is not None:
            found.append((other, shared))
    return found


def common_box(a: Box, b: Box) -> Box | None:
    """What two boxes share; None where they do not overlap."""
    y0, y1, x0, x1 = max(a.y0, b.y0), min(a.y1, b.y1), max(a.x0, b.x0), min(a.x1, b.x1)
    return Box(y0, y1, x0, x1) if y0 < y1 and x0 < x1 else None


@dataclass(frozen=True)
class SeamCounts:
    """How far the views of neighbouring tiles disagree.

    Parameters
    ----------
    objects : int
        On the whole slide.
    crossing : int
        Those that cross a seam, and so have been seen at least twice.
    without_twin : int
        Crossing objects that no other view shows with the same outline (IoU of .9).
    joined : int
        Objects that were put together from several views' objects.
    unmatched : int
        Crossing objects that no other view shows at all (IoU of .5).
    cut : int
        Objects that lost pixels to one of another view.
    """

    objects: int
    crossing: int
    without_twin: int
    joined: int
    unmatched: int
    cut: int = 0

    @property
    def disagreement_frac(self) -> float:
        """Share of crossing objects without a twin; NaN where none crosses."""
        return self.without_twin / self.crossing if self.crossing else float("nan")

    def to_dict(self) -> dict[str, int]:
        return asdict(self)


def join_views(
    views: Sequence[View], twins: Iterable[tuple[int, int, Twins]]
) -> tuple[list[np.ndarray], SeamCounts]:
    """Decide which object of which view stands for what.

    Parameters
    ----------
    views : sequence of View
        One a tile.
    twins : iterable of (int, int, Twins)
        For each two tiles that overlap their positions in ``views``, and what they share.

    Returns
    -------
    list of (n + 1,) uint32
        For each view the name on the slide of every label, 0 where another view speaks for it.
    SeamCounts
        Without ``cut``, which is known once the views are painted.
    """
    offset = np.cumsum([0] + [len(view.owned) for view in views])
    owned, crosses = (
        np.concatenate([getattr(view, name) for view in views]) for name in ("owned", "crosses")
    )
    links = [np.empty((3, 0))]
    for i, j, found in twins:
        links.append(np.stack([found.first + offset[i], found.second + offset[j], found.iou]))
    a, b, iou = np.concatenate(links, axis=1)
    a, b = a.astype(np.int64), b.astype(np.int64)
    best = np.zeros(len(owned))
    np.maximum.at(best, a, iou)
    np.maximum.at(best, b, iou)

    same = iou > SAME_IOU
    graph = coo_array((np.ones(same.sum()), (a[same], b[same])), shape=(len(owned),) * 2)
    _, group = connected_components(graph, directed=False)
    members = np.bincount(group)[group]
    speaks = _one_a_group(group, owned) & (owned | (members > 1))
    names = np.where(speaks, np.cumsum(speaks), 0).astype(np.uint32)
    crossing = speaks & crosses
    counts = SeamCounts(
        objects=int(speaks.sum()),
        crossing=int(crossing.sum()),
        without_twin=int((best[crossing] < TWIN_IOU).sum()),
        joined=int((speaks & (members > 1)).sum()),
        unmatched=int((members[crossing] == 1).sum()),
    )
    return np.split(names, offset[1:-1]), counts


def _one_a_group(group: np.ndarray, owned: np.ndarray) -> np.ndarray:
    """The first member of each group that its own tile owns; the first of all where none is."""
    order = np.lexsort((np.arange(len(group)), ~owned, group))
    first = np.ones(len(order), bool)
    first[1:] = group[order[1:]] != group[order[:-1]]
    chosen = np.zeros(len(group), bool)
    chosen[order[first]] = True
    return chosen


def paint_core(named: Sequence[tuple[Box, np.ndarray]], core: Box) -> np.ndarray:
    """The label image in one core.

    Parameters
    ----------
    named : sequence of (Box, (y, x) uint32)
        The core's own view first, then those of its neighbours in rising order: a box that lies
        in the core, and the names there.

    Returns
    -------
    (y, x) uint32
        Where objects of several views lie, the first view's; so a core never depends on which
        tile was painted before.
    """
    painted = np.zeros(core.shape, np.uint32)
    for box, names in named:
        target = painted[box.within(core)]
        np.copyto(target, names, where=target == 0)
    return painted
