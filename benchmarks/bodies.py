"""Macrophage bodies of simulated slides against their truth, beside rings around the nuclei.

    python -m benchmarks.bodies [--seed 41 300] [--method unet]

Runs the three slides of each seed from pixels to labels (41 are the sample slides), and compares
the bodies with rings of 4 um around the same nuclei. Of macrophages with a nucleus in the plane:
mean IoU with the found cell that fits best, share above .5, median relative error of the area. Of
those without: how many are found (IoU above .5 with a cell without a nucleus), how many such cells
are false. Bodies cut by the slide's rim are left out.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pandas as pd
import tifffile

import macprox as mp
from macprox.segment import SegmentationParameters
from macprox.segment.cells import grow_cells
from macprox.simulate import write_cohort

MIN_AREA_UM2 = 30.0
RING_UM = SegmentationParameters().expansion_um


@dataclass(frozen=True)
class Truth:
    """Macrophages of one slide.

    Parameters
    ----------
    bodies : (y, x) int64
        Values are ``cell_id``.
    has_nucleus : (n + 1,) bool
        By ``cell_id``.
    px_um2 : float
    """

    bodies: np.ndarray
    has_nucleus: np.ndarray
    px_um2: float


def read_truth(folder: Path, slide_id: str, pixel_size_um: float) -> Truth:
    table = pd.read_csv(folder / "truth" / f"{slide_id}_truth.csv").set_index("cell_id")
    bodies = tifffile.imread(folder / "truth" / f"{slide_id}_macrophages.tif").astype(np.int64)
    has_nucleus = np.zeros(max(int(bodies.max()), int(table.index.max())) + 1, bool)
    has_nucleus[table.index] = table["has_nucleus"]
    return Truth(bodies, has_nucleus, pixel_size_um**2)


def touches_rim(labels: np.ndarray, n_labels: int) -> np.ndarray:
    """(n_labels,) bool"""
    touches = np.zeros(n_labels, bool)
    for side in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        touches[side] = True
    return touches


def scores(truth: Truth, nuclei: np.ndarray, cells: np.ndarray) -> dict[str, np.ndarray]:
    """What can be put together over slides.

    Parameters
    ----------
    truth : Truth
    nuclei, cells : (y, x) int64
        Labels found; a nucleus and its cell share theirs.

    Returns
    -------
    dict
        ``iou`` and ``area_error`` of macrophages with a nucleus, ``found`` of those without
        (bool), ``false`` of the found cells without a nucleus (bool).
    """
    n_true, n_found = len(truth.has_nucleus), int(cells.max()) + 1
    pairs = np.bincount(
        (truth.bodies * n_found + cells).ravel(), minlength=n_true * n_found
    ).reshape(n_true, n_found)
    true_px, found_px = pairs.sum(axis=1), pairs.sum(axis=0)
    iou = pairs / np.maximum(true_px[:, None] + found_px[None] - pairs, 1)
    iou[0], iou[:, 0] = 0, 0
    best = iou.argmax(axis=1)
    judged = (true_px * truth.px_um2 >= MIN_AREA_UM2) & ~touches_rim(truth.bodies, n_true)
    judged[0] = False
    with_nucleus = np.flatnonzero(judged & truth.has_nucleus)
    without = np.flatnonzero(judged & ~truth.has_nucleus)
    lone = (found_px > 0) & (np.bincount(nuclei.ravel(), minlength=n_found)[:n_found] == 0)
    lone &= ~touches_rim(cells, n_found)
    lone[0] = False
    matched = iou[~truth.has_nucleus].max(axis=0, initial=0) > 0.5
    fit = iou[np.arange(n_true), best]
    error = np.abs(found_px[best] - true_px) / np.maximum(true_px, 1)
    return {
        "iou": fit[with_nucleus],
        "area_error": error[with_nucleus],
        "found": (fit[without] > 0.5) & lone[best[without]],
        "false": ~matched[np.flatnonzero(lone)],
    }


def row(parts: list[dict[str, np.ndarray]]) -> dict[str, object]:
    """One line of the table."""
    pooled = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return {
        "n": len(pooled["iou"]),
        "mean IoU": round(float(pooled["iou"].mean()), 3),
        "IoU > .5": round(float((pooled["iou"] > 0.5).mean()), 3),
        "median area error": round(float(np.median(pooled["area_error"])), 3),
        "anucleate found": f"{pooled['found'].sum()} of {len(pooled['found'])}",
        "anucleate false": f"{pooled['false'].sum()} of {len(pooled['false'])}",
    }


def slides_of(seed: int, method: str, folder: Path) -> list[tuple[Truth, np.ndarray, np.ndarray]]:
    """Truth, nuclei and cells of the three slides of a seed."""
    paths = write_cohort(folder, seed=seed)
    text = (folder / "study.toml").read_text(encoding="utf-8")
    study = mp.Study.from_text(f'{text}\n[segmentation]\nmethod = "{method}"\n', folder=folder)
    with patch("macprox.report.write_slide_report", lambda *_: None):
        results = mp.run(paths, study, folder / "results")
    return [
        (
            read_truth(folder, result.slide_id, result.manifest["source"]["pixel_size_um"]),
            *(np.asarray(result.labels(name)).astype(np.int64) for name in ("nuclei", "cells")),
        )
        for result in results
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, nargs="+", default=[41, 300])
    parser.add_argument("--method", default=SegmentationParameters().method)
    arguments = parser.parse_args()
    table = {}
    for seed in arguments.seed:
        with tempfile.TemporaryDirectory() as folder:
            slides = slides_of(seed, arguments.method, Path(folder))
        rings, bodies = [], []
        for truth, nuclei, cells in slides:
            px_um = truth.px_um2**0.5
            ring = grow_cells(nuclei.astype(np.int32), RING_UM, px_um).astype(np.int64)
            rings.append(scores(truth, nuclei, ring))
            bodies.append(scores(truth, nuclei, cells))
        table[seed, f"rings of {RING_UM:g} um"] = row(rings)
        table[seed, "bodies"] = row(bodies)
    print(pd.DataFrame(table).T.to_string())


if __name__ == "__main__":
    main()
