"""Nucleus accuracy against human outlines, beside the textbook method, in one run.

    python benchmarks/nuclei_accuracy.py ../shared/data/nuclei_dsb2018 [--n 120]

Expects `images/`, `labels/` and `index.csv` (columns file, tissue_like). The set states no scale:
one pixel size a shape of image, so that its median nucleus is 8 um across. Prints F1 at IoU .5, .7
and .9, merges, splits and CPU milliseconds a megapixel for both methods, pooled over nuclei.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import tifffile
from scipy import ndimage as ndi
from scipy.optimize import linear_sum_assignment
from skimage.feature import peak_local_max
from skimage.filters import threshold_otsu
from skimage.segmentation import watershed

from macprox.segment import segment_nuclei

NUCLEUS_UM = 8.0
IOU = (0.5, 0.7, 0.9)


def textbook(stain: np.ndarray, pixel_size_um: float) -> np.ndarray:
    """Gaussian, global Otsu, watershed of the distance transform from its peaks."""
    smooth = ndi.gaussian_filter(stain.astype(float), 0.5 / pixel_size_um)
    mask = ndi.binary_fill_holes(smooth > threshold_otsu(smooth))
    depth = ndi.gaussian_filter(ndi.distance_transform_edt(mask), 0.4 / pixel_size_um)
    apart_px = max(1, round(NUCLEUS_UM / 4 / pixel_size_um))
    peaks = peak_local_max(depth, min_distance=apart_px, labels=mask.astype(int))
    markers = np.zeros(stain.shape, int)
    markers[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    return watershed(-depth, markers, mask=mask)


def overlaps(truth: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Pixels shared by every true (row) and found (column) object; row and column 0 are outside."""
    truth = np.unique(truth, return_inverse=True)[1].reshape(truth.shape)
    found = np.unique(found, return_inverse=True)[1].reshape(found.shape)
    shape = int(truth.max()) + 1, int(found.max()) + 1
    flat = np.ravel_multi_index((truth.ravel(), found.ravel()), shape)
    return np.bincount(flat, minlength=shape[0] * shape[1]).reshape(shape)


def score(truth: np.ndarray, found: np.ndarray) -> dict[str, int]:
    """Counts that can be summed over images."""
    shared = overlaps(truth, found)
    inside = shared[1:, 1:].astype(float)
    true_px, found_px = shared.sum(1)[1:, None], shared.sum(0)[None, 1:]
    iou = inside / np.maximum(true_px + found_px - inside, 1)
    counts = {"true": inside.shape[0], "found": inside.shape[1]}
    for level in IOU:
        pairs = linear_sum_assignment(-(iou >= level).astype(float) - iou / 1e3)
        counts[f"matched {level}"] = int((iou[pairs] >= level).sum())
    counts["merges"] = int(np.maximum((inside > true_px / 2).sum(0) - 1, 0).sum())
    counts["splits"] = int(np.maximum((inside > found_px / 2).sum(1) - 1, 0).sum())
    return counts


def pixel_sizes(folder: Path, files: list[str]) -> dict[str, float]:
    """Micrometres a pixel, one for all images of the same shape."""
    by_shape: dict[tuple[int, ...], list[str]] = defaultdict(list)
    for file in files:
        by_shape[tifffile.TiffFile(folder / "labels" / file).pages[0].shape].append(file)
    size_of = {}
    for alike in by_shape.values():
        areas = [
            np.bincount(tifffile.imread(folder / "labels" / f).ravel())[1:] for f in alike[:40]
        ]
        pooled = np.concatenate(areas)
        diameter_px = 2 * np.sqrt(np.median(pooled[pooled > 0]) / np.pi)
        size_of.update(dict.fromkeys(alike, NUCLEUS_UM / diameter_px))
    return size_of


def measure(
    folder: Path, files: list[str], size_of: dict[str, float], method: Callable
) -> dict[str, float]:
    """One row of the table."""
    sums: dict[str, int] = defaultdict(int)
    seconds, n_pixels = 0.0, 0
    for file in files:
        image = tifffile.imread(folder / "images" / file)
        stain = image if image.ndim == 2 else image[..., 0]
        started = time.process_time()
        found = method(stain, size_of[file])
        seconds += time.process_time() - started
        n_pixels += stain.size
        for name, count in score(tifffile.imread(folder / "labels" / file), found).items():
            sums[name] += count
    row = {f"F1@{at}": 2 * sums[f"matched {at}"] / (sums["true"] + sums["found"]) for at in IOU}
    row |= {f"{name} %": 100 * sums[name] / sums["true"] for name in ("merges", "splits")}
    return row | {"n": sums["true"], "ms/Mpx": 1e9 * seconds / n_pixels}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--n", type=int, default=120, help="images that are not tissue-like")
    arguments = parser.parse_args()
    index = pd.read_csv(arguments.folder / "index.csv")
    tissue = index.loc[index["tissue_like"], "file"].tolist()
    others = index.loc[~index["tissue_like"], "file"].sample(frac=1, random_state=0).tolist()
    size_of = pixel_sizes(arguments.folder, index["file"].tolist())
    segment_nuclei(np.zeros((64, 64)), 0.5)  # compiled before it is timed
    rows = {
        (name, method.__name__): measure(arguments.folder, files, size_of, method)
        for name, files in (("others", others[: arguments.n]), ("tissue-like", tissue))
        for method in (textbook, segment_nuclei)
    }
    print(pd.DataFrame(rows).T.round(3).to_string())


if __name__ == "__main__":
    main()
