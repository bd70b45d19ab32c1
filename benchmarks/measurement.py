"""CPU cost of measuring six channels, beside scipy and scikit-image on the same labels.

    python benchmarks/measurement.py [--side 2048] [--repeats 3]

Dense synthetic tissue (4,000 cells/mm2 at 0.5 um/px); every method in turn, medians of CPU time.
Two comparisons: *plain means* of every cell, which all methods compute, checked equal to 1e-9; and
*as the pipeline measures*: nucleus, ring and cell, leaving out pixels within 1 um of another cell,
with shape and position. The others have no such exclusion: they are given the label images that it
leaves, and what making those costs is told apart.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy import ndimage as ndi
from skimage.measure import regionprops_table

from macprox.image.tiles import Box
from macprox.measure import CONTACT_UM, measure_tile
from macprox.measure.means import CountedPixels
from macprox.measure.runs import NUCLEUS, Runs
from macprox.segment import segment_cells

PIXEL_SIZE_UM = 0.5
CELL_APART_PX = 31.6  # 4,000 cells/mm2
N_CHANNELS = 6
EQUAL_TO = 1e-9


def tissue(side_px: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Nuclei and cells ``(y, x)`` int32, and channels ``(c, y, x)`` uint16."""
    rng = np.random.default_rng(0)
    n = int(side_px / CELL_APART_PX)
    centres = (np.indices((n, n)).reshape(2, -1).T + 0.5) * CELL_APART_PX
    centres += rng.uniform(-0.3, 0.3, centres.shape) * CELL_APART_PX
    nuclei = np.zeros((side_px, side_px), np.int32)
    yy, xx = np.mgrid[-12:13, -12:13]
    for label, (y, x) in enumerate(np.rint(centres).astype(int), start=1):
        high, wide = rng.uniform(7, 11, 2)
        disc = (yy / high) ** 2 + (xx / wide) ** 2 <= 1
        rows, columns = yy[disc] + y, xx[disc] + x
        inside = (rows >= 0) & (rows < side_px) & (columns >= 0) & (columns < side_px)
        nuclei[rows[inside], columns[inside]] = label
    nuclei = np.unique(nuclei, return_inverse=True)[1].reshape(nuclei.shape).astype(np.int32)
    channels = rng.integers(200, 9000, (N_CHANNELS, side_px, side_px), dtype=np.uint16)
    return nuclei, segment_cells(nuclei, PIXEL_SIZE_UM), channels


def by_scipy(labels: np.ndarray, channels: np.ndarray) -> np.ndarray:
    index = np.arange(1, int(labels.max()) + 1)
    return np.column_stack([ndi.mean(pixels, labels, index) for pixels in channels])


def by_skimage(labels: np.ndarray, channels: np.ndarray) -> np.ndarray:
    stacked = np.moveaxis(channels, 0, -1)
    table = regionprops_table(labels, stacked, properties=("label", "intensity_mean"))
    means = np.full((int(labels.max()), len(channels)), np.nan)
    means[table["label"] - 1] = np.column_stack(
        [table[f"intensity_mean-{c}"] for c in range(len(channels))]
    )
    return means


def by_macprox(labels: np.ndarray, channels: np.ndarray) -> np.ndarray:
    """Means over all of each label: nothing counts as contact."""
    owned = np.arange(int(labels.max()) + 1) > 0
    counted = CountedPixels.of(Runs.of(labels, labels, owned, 0), labels.shape[1])
    return np.column_stack([counted.means(pixels)[:, NUCLEUS] for pixels in channels])


def kept_labels(nuclei: np.ndarray, cells: np.ndarray) -> list[np.ndarray]:
    """Label images of what counts for nucleus, ring and cell, for methods without an exclusion."""
    reach = round(CONTACT_UM / PIXEL_SIZE_UM)
    side = 2 * reach + 1
    nobody = np.iinfo(np.int32).max
    lowest = ndi.minimum_filter(np.where(cells > 0, cells, nobody), side)
    clear = (ndi.maximum_filter(cells, side) == cells) & (lowest == cells)
    n = int(cells.max()) + 1
    images = []
    for labels in (nuclei, np.where(nuclei == 0, cells, 0), cells):
        crowded = np.bincount(labels[clear], minlength=n) == 0
        images.append(np.where(clear | crowded[labels], labels, 0))
    return images


def pipeline_by_others(method: Callable, images: list[np.ndarray], channels: np.ndarray):
    n = max(int(labels.max()) for labels in images)
    means = np.full((n, N_CHANNELS, len(images)), np.nan)
    for column, labels in enumerate(images):
        found = method(labels, channels)
        means[: len(found), :, column] = found
    return means


def pipeline_by_macprox(nuclei: np.ndarray, cells: np.ndarray, channels: np.ndarray) -> np.ndarray:
    owned = np.arange(int(cells.max()) + 1) > 0
    frame = Box(0, cells.shape[0], 0, cells.shape[1]), cells.shape, PIXEL_SIZE_UM
    named = [(f"c{c}", pixels) for c, pixels in enumerate(channels)]
    table = measure_tile(nuclei, cells, owned, frame, named)
    columns = [
        [table[f"mean_c{c}_{where}"] for where in ("nucleus", "ring", "cell")]
        for c in range(N_CHANNELS)
    ]
    return np.moveaxis(np.array(columns), -1, 0)


def interleaved(methods: dict[str, Callable], repeats: int) -> tuple[dict, dict]:
    """Median CPU seconds and the last result of each method, all in turn each time."""
    results = {name: method() for name, method in methods.items()}  # compiled before it is timed
    seconds: dict[str, list[float]] = {name: [] for name in methods}
    for _ in range(repeats):
        for name, method in methods.items():
            started = time.process_time()
            results[name] = method()
            seconds[name].append(time.process_time() - started)
    return {name: float(np.median(spent)) for name, spent in seconds.items()}, results


def compare(title: str, methods: dict[str, Callable], repeats: int, megapixels: float) -> None:
    seconds, results = interleaved(methods, repeats)
    means = {name: found for name, found in results.items() if isinstance(found, np.ndarray)}
    for name, found in means.items():
        np.testing.assert_allclose(found, means["macprox"], rtol=EQUAL_TO, err_msg=name)
    table = pd.DataFrame({"ms/Mpx": pd.Series(seconds) * 1e3 / megapixels})
    table["ratio"] = table["ms/Mpx"] / table.loc["macprox", "ms/Mpx"]
    print(f"{title}\n{table.round(2).to_string()}\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=2048, help="pixels")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    nuclei, cells, channels = tissue(arguments.side)
    megapixels = cells.size / 1e6
    print(f"{cells.max()} cells, {N_CHANNELS} channels, values equal to {EQUAL_TO:g}\n")
    compare(
        "Plain means of every cell",
        {
            "macprox": lambda: by_macprox(cells, channels),
            "scipy.ndimage.mean": lambda: by_scipy(cells, channels),
            "skimage regionprops_table": lambda: by_skimage(cells, channels),
        },
        arguments.repeats,
        megapixels,
    )
    images = kept_labels(nuclei, cells)
    compare(
        "As the pipeline measures: three compartments, contact left out",
        {
            "macprox": lambda: pipeline_by_macprox(nuclei, cells, channels),
            "scipy.ndimage.mean": lambda: pipeline_by_others(by_scipy, images, channels),
            "skimage regionprops_table": lambda: pipeline_by_others(by_skimage, images, channels),
            "(the exclusion, for the others)": lambda: len(kept_labels(nuclei, cells)),
        },
        arguments.repeats,
        megapixels,
    )


if __name__ == "__main__":
    main()
