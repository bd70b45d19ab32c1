"""Counts that can be summed over images, and the scores made of them.

    from benchmarks.nuclei.scores import evaluate
    from benchmarks.nuclei.images import rows

    evaluate(my_method, rows("tune"))                  # one line: the whole part
    evaluate(my_method, rows("tune"), by="group")      # one line an acquisition

A method is any ``f(stain, pixel_size_um) -> labels``. True and found objects are matched as
StarDist's ``matching`` does (Schmidt et al. 2018; the Data Science Bowl's rule): an assignment that
first maximises the pairs of IoU at or above the level and then the sum of their IoU.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from benchmarks.nuclei.images import read
from scipy.optimize import linear_sum_assignment

LEVELS = (0.5, 0.6, 0.7, 0.8, 0.9)
N_RESAMPLES = 1000
SEED = 20261122

Method = Callable[[np.ndarray, float], np.ndarray]


def overlaps(truth: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Pixels shared by every true and found object.

    Parameters
    ----------
    truth, found : (y, x) int
        0 is background; other labels need not be consecutive.

    Returns
    -------
    (n_true + 1, n_found + 1) int64
        Row and column 0 are background.
    """
    true_index, n_true = _consecutive(truth)
    found_index, n_found = _consecutive(found)
    shape = n_true + 1, n_found + 1
    flat = true_index * shape[1] + found_index
    return np.bincount(flat, minlength=shape[0] * shape[1]).reshape(shape)


def _consecutive(labels: np.ndarray) -> tuple[np.ndarray, int]:
    flat = np.asarray(labels).ravel()
    present = np.unique(flat[flat > 0])
    return np.searchsorted(present, flat) + (flat > 0), len(present)


def counts(truth: np.ndarray, found: np.ndarray) -> dict[str, float]:
    """What one image adds to every score.

    ``merged``: true objects beyond the first of which one found object holds more than half;
    ``split``: found objects beyond the first of which one true object holds more than half;
    ``missed``: less than a tenth of a true object is found; ``spurious``: the reverse.
    ``aji``: Kumar et al. 2017 (each true object with the found one of highest IoU).
    """
    shared = overlaps(truth, found)
    inside = shared[1:, 1:].astype(float)
    true_px, found_px = shared.sum(1)[1:, None], shared.sum(0)[None, 1:]
    iou = inside / (true_px + found_px - inside)
    n_true, n_found = iou.shape
    row: dict[str, float] = {"images": 1, "true": n_true, "found": n_found}
    for level in LEVELS:
        pairs_iou = _matched_iou(iou, level)
        row[f"matched@{level}"] = len(pairs_iou)
        if level == LEVELS[0]:
            row["matched iou"] = pairs_iou.sum()
    covered = inside > true_px / 2
    row["merged"] = np.maximum(covered.sum(0) - 1, 0).sum()
    row["split"] = np.maximum((inside > found_px / 2).sum(1) - 1, 0).sum()
    row["missed"] = (inside.sum(1) < 0.1 * true_px[:, 0]).sum()
    row["spurious"] = (inside.sum(0) < 0.1 * found_px[0]).sum()
    row["seg"] = np.where(covered, iou, 0.0).sum()  # at most one found object covers over half
    row["aji shared"], row["aji union"] = _aji(inside, iou, true_px[:, 0], found_px[0])
    row["aji"] = row["aji shared"] / row["aji union"] if row["aji union"] else 1.0
    return row


def _matched_iou(iou: np.ndarray, level: float) -> np.ndarray:
    """IoU of the pairs of StarDist's assignment that reach the level."""
    good = iou >= level
    if not good.any():
        return np.empty(0)
    pairs = linear_sum_assignment(-good.astype(float) - iou / (2 * min(iou.shape)))
    return iou[pairs][good[pairs]]


def _aji(inside, iou, true_px, found_px) -> tuple[float, float]:
    """Shared and united pixels of the aggregated Jaccard index."""
    if not iou.size:
        return 0.0, float(true_px.sum() + found_px.sum())
    best = iou.argmax(1)
    hit = iou.max(1) > 0
    partner = best[hit]
    shared = inside[hit, partner]
    unused = np.ones(len(found_px), bool)
    unused[partner] = False
    united = (true_px[hit] + found_px[partner] - shared).sum()
    return shared.sum(), float(united + true_px[~hit].sum() + found_px[unused].sum())


def count_images(method: Method, rows: pd.DataFrame) -> pd.DataFrame:
    """`counts` of every image, with the CPU time it took.

    Parameters
    ----------
    method : callable (stain (y, x) array, pixel_size_um) -> (y, x) int labels
        Called once before it is timed, so that what it compiles or loads is not counted.
    rows : DataFrame
        Lines of `images.rows`.

    Returns
    -------
    DataFrame
        ``rows`` with the columns of `counts`, ``cpu_s`` and ``megapixels``.
    """
    clock = getattr(method, "clock", time.process_time)  # a peer computes in a process of its own
    lines: list[dict[str, float]] = []
    for row in rows.itertuples():
        stain, truth = read(row.set, row.file)
        if not lines:
            method(stain, row.pixel_size_um)
        started = clock()
        found = method(stain, row.pixel_size_um)
        cpu_s = clock() - started
        lines.append(counts(truth, found) | {"cpu_s": cpu_s, "megapixels": stain.size / 1e6})
    return pd.concat([rows, pd.DataFrame(lines, index=rows.index)], axis=1)


def scores(sums: Mapping[str, np.ndarray | float]) -> dict[str, np.ndarray | float]:
    """Scores of summed counts, pooled over nuclei; arrays of sums give arrays of scores.

    ``AJI`` is the mean over images; ``AJI pooled`` sums pixels first, where one merged image weighs
    more than all others.
    """
    true, found = sums["true"], sums["found"]
    objects = np.maximum(true + found, 1)
    result = {f"F1@{at}": 2 * sums[f"matched@{at}"] / objects for at in LEVELS}
    for at in (0.5, 0.7):
        matched = sums[f"matched@{at}"]
        result[f"AP@{at}"] = matched / np.maximum(true + found - matched, 1)
    result["PQ"] = 2 * sums["matched iou"] / objects
    result["SEG"] = sums["seg"] / np.maximum(true, 1)
    result["AJI"] = sums["aji"] / sums["images"]
    result["AJI pooled"] = sums["aji shared"] / np.maximum(sums["aji union"], 1)
    for at in ("merged", "split", "missed", "spurious"):
        result[f"{at} %"] = 100 * sums[at] / np.maximum(true, 1)
    result["ms/Mpx"] = 1e3 * sums["cpu_s"] / sums["megapixels"]
    return result


def intervals(counted: pd.DataFrame) -> dict[str, tuple[float, float]]:
    """95 % intervals of `scores`: images resampled with replacement, seeded.

    A part of one image has no interval between images: its ends are its scores.
    """
    summed = _summable(counted)
    n = len(summed)
    rng = np.random.default_rng(SEED)
    drawn = rng.multinomial(n, np.full(n, 1 / n), size=N_RESAMPLES) @ summed.to_numpy()
    resampled = scores(dict(zip(summed, drawn.T, strict=True)))
    return {name: tuple(np.percentile(of, [2.5, 97.5])) for name, of in resampled.items()}


def pooled(counted: pd.DataFrame) -> dict[str, float]:
    """`scores` of all lines of `count_images` together."""
    return scores(_summable(counted).sum().to_dict())


def _summable(counted: pd.DataFrame) -> pd.DataFrame:
    return counted.loc[:, "images":"megapixels"].astype(float)


def evaluate(method: Method, rows: pd.DataFrame, by: str | None = None) -> pd.DataFrame:
    """Scores of a method, one line a value of the column ``by`` of ``rows`` (or one line).

    Columns are ``n images``, ``n nuclei`` and those of `scores`.
    """
    return tabulate(count_images(method, rows), by)


def tabulate(counted: pd.DataFrame, by: str | None = None) -> pd.DataFrame:
    """The table of `evaluate` from counts already made."""
    parts = counted.groupby(by) if by else [("all", counted)]
    lines = {
        name: {"n images": len(of), "n nuclei": int(of["true"].sum())} | pooled(of)
        for name, of in parts
    }
    return pd.DataFrame.from_dict(lines, orient="index")
