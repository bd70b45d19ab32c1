"""The measurements of one tile, and the table of a slide's."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from macprox.celltable import COMPARTMENTS, mean_column, slugs
from macprox.image.tiles import Box
from macprox.measure.means import CountedPixels
from macprox.measure.runs import Runs
from macprox.measure.shape import geometry

# Within the optical resolution and the outline's own error, a pixel beside another cell holds
# both cells' light. Leaving it out took tumour keratin from 12 % of the samples' macrophages that
# passed the gate to 1 %, more than any correction of means afterwards.
CONTACT_UM = 1.0

# Columns besides the channel means; `measure_tile` produces all but the first and the last.
GEOMETRY_COLUMNS = (
    "anchor_px",
    "x_um",
    "y_um",
    "nucleus_area_um2",
    "cell_area_um2",
    "eccentricity",
    "solidity",
    "has_nucleus",
    "edge",
    "clump",
)


def measure_tile(
    nuclei: np.ndarray,
    cells: np.ndarray,
    owned: np.ndarray,
    frame: tuple[Box, tuple[int, int], float],
    channels: Iterable[tuple[str, np.ndarray]],
) -> dict[str, np.ndarray]:
    """Measure the cells that a tile owns, each seen whole.

    Parameters
    ----------
    nuclei, cells : (y, x) int32
        Labels on the tile's outer box; a nucleus lies in its cell, and they share theirs.
    owned : (n + 1,) bool
        Indexed by label: which cells to measure.
    frame : (Box, (int, int), float)
        The outer box, the slide's shape ``(y, x)`` and its pixel size in micrometres.
    channels : iterable of (name, (y, x) number)
        One channel at a time, so that one plane is in memory.

    Returns
    -------
    dict of (n_owned,) arrays
        `GEOMETRY_COLUMNS` without ``anchor_px`` and ``clump``, in label order, then the mean of
        every channel in every compartment, float64 (exact for whole numbers of 8 and 16 bits).
        Pixels within 1 um of another cell count for neither, unless the compartment has no others;
        a compartment without a pixel is NaN. Shape describes the nucleus where there is one, the
        body where there is none; solidity is the area over that of the convex hull of the pixels'
        corners.
    """
    runs = Runs.of(nuclei, cells, owned, round(CONTACT_UM / frame[2]))
    table = geometry(runs, frame)
    counted = CountedPixels.of(runs, cells.shape[1])
    for name, pixels in channels:
        means = counted.means(pixels)
        for column, compartment in enumerate(COMPARTMENTS):
            table[mean_column(name, compartment)] = means[:, column]
    return table


def cell_table(parts: list[dict[str, np.ndarray]], slide_id: str, channels) -> pd.DataFrame:
    """Put the tiles' measurements together: one row a cell, in raster order of anchors.

    Parameters
    ----------
    parts : list of dict
        From `measure_tile`, each with ``anchor_px`` and ``clump`` added.
    slide_id : str
    channels : iterable of str

    Returns
    -------
    pandas.DataFrame
        ``cell_id`` is the rank of the anchor, 1..n: the value on the label images.
    """
    means = [mean_column(name, where) for name in slugs(channels) for where in COMPARTMENTS]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in GEOMETRY_COLUMNS}
    for name in means:
        columns[name] = np.concatenate([part[name] for part in parts]).astype(np.float32)
    table = pd.DataFrame(columns)
    table["anchor_px"] = table["anchor_px"].astype(np.uint64)
    table = table.sort_values("anchor_px", ignore_index=True)
    table.insert(0, "slide_id", slide_id)
    table.insert(1, "roi_id", "1")
    table.insert(2, "cell_id", np.arange(1, len(table) + 1, dtype=np.int64))
    return table
