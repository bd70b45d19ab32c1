"""Label images of one tile as runs: what a worker leaves until the slide's names are known.

A cell of 600 pixels is about 30 runs of equal label. Writing and reading them costs a tenth of
what a compressed array of the same labels does.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numba as nb
import numpy as np

from macprox.io.arrays import read_arrays, write_arrays


def write_label_runs(path: Path, images: Mapping[str, np.ndarray]) -> None:
    """Write label images ``(y, x)`` int32 of one shape, by name."""
    arrays = {}
    for name, labels in images.items():
        arrays[f"{name}_label"], arrays[f"{name}_length"] = _runs(np.ascontiguousarray(labels))
    write_arrays(path, arrays)


def read_label_runs(
    path: Path, names: Mapping[str, np.ndarray], shape: tuple[int, int]
) -> dict[str, np.ndarray]:
    """Read what `write_label_runs` wrote, renamed.

    Parameters
    ----------
    path : Path
    names : dict of str to (n + 1,) array
        By image: the new name of every label.
    shape : (int, int)
        ``(y, x)``, px.

    Returns
    -------
    dict of str to (y, x) array
        Of the type of the new names.
    """
    arrays = read_arrays(path)
    return {
        image: np.repeat(new[arrays[f"{image}_label"]], arrays[f"{image}_length"]).reshape(shape)
        for image, new in names.items()
    }


@nb.njit(cache=True, nogil=True)
def _runs(labels):
    """Label and length of each run ``(n,)`` int32, in raster order; runs end with their row."""
    height, width = labels.shape
    n_runs = 0
    for y in range(height):
        for x in range(width):
            n_runs += x == 0 or labels[y, x] != labels[y, x - 1]
    label = np.empty(n_runs, np.int32)
    length = np.empty(n_runs, np.int32)
    run = -1
    for y in range(height):
        for x in range(width):
            if x == 0 or labels[y, x] != labels[y, x - 1]:
                run += 1
                label[run] = labels[y, x]
                length[run] = 0
            length[run] += 1
    return label, length
