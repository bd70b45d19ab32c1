"""Per-cell columns of the cell table: nearest cells, counts, distance to the border, zone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from shapely.geometry.base import BaseGeometry

from macprox.celltable import centroids_um, count_column, nearest_column, slugs
from macprox.spatial.annotated import cells_of
from macprox.spatial.pattern import pattern_of
from macprox.spatial.search.neighbours import checked_radii, count_in_groups, nearest_in_groups
from macprox.window.border import signed_distance, zone_of


def annotate(
    cells: Any,
    phenotypes: Sequence[str],
    radii_um: Sequence[float],
    tumour_region: BaseGeometry | None,
    margin_um: float,
) -> pd.DataFrame:
    """The cells with everything `annotate_regions` and `annotate_neighbours` say of them."""
    return annotate_neighbours(
        annotate_regions(cells, tumour_region, margin_um), phenotypes, radii_um
    )


def annotate_regions(
    cells: Any, tumour_region: BaseGeometry | None, margin_um: float
) -> pd.DataFrame:
    """The cells with ``tumour_border_distance_um`` (inside negative) and ``region``.

    Parameters
    ----------
    cells : DataFrame, AnnData or SpatialData
        ``x_um, y_um``; see `cells_of`.
    tumour_region : Polygon, MultiPolygon or None
        Micrometres. None or empty: the distance is NaN and the region ``"none"``.
    margin_um : float

    Returns
    -------
    DataFrame
        A copy of the table with two columns more; `into_obs` puts them into an AnnData.
    """
    table = cells_of(cells)
    distance = np.full(len(table), np.nan)
    if tumour_region is not None and not tumour_region.is_empty:
        distance = signed_distance(centroids_um(table), tumour_region)
    return table.assign(
        tumour_border_distance_um=distance, region=zone_of(distance, margin_um).astype(str)
    )


def annotate_neighbours(
    cells: Any, phenotypes: Sequence[str], radii_um: Sequence[float]
) -> pd.DataFrame:
    """The cells with the nearest distance to, and counts of, each phenotype.

    Parameters
    ----------
    cells : DataFrame, AnnData or SpatialData
        One slide: ``x_um, y_um, phenotype``; neighbours never cross a ``roi_id``.
    phenotypes : sequence of str
        A cell is no neighbour of itself; its own phenotype counts other cells.
    radii_um : sequence of float

    Returns
    -------
    DataFrame
        A copy of the table with ``nearest_<phenotype>_um`` (NaN where there is none) and
        ``n_<phenotype>_<r>um``.

    Raises
    ------
    TableError
        If two phenotypes would share a column.
    """
    slugs(phenotypes)
    table = cells_of(cells)
    pattern = pattern_of(table)
    radii = checked_radii(radii_um)
    columns: dict[str, np.ndarray] = {}
    for phenotype in phenotypes:
        of_kind = pattern.is_a([phenotype])
        others = _nearest_other(pattern.xy, pattern.roi, of_kind)
        columns[nearest_column(phenotype)] = others
        counts = count_in_groups(
            pattern.xy, pattern.xy[of_kind], pattern.roi, pattern.roi[of_kind], radii
        )
        counts[of_kind] -= 1  # itself
        for radius, within in zip(radii.tolist(), counts.T, strict=True):
            columns[count_column(phenotype, radius)] = within.astype(np.int32)
    return table.assign(**columns)


def _nearest_other(xy: np.ndarray, roi: np.ndarray, of_kind: np.ndarray) -> np.ndarray:
    from scipy.spatial import cKDTree

    distance = np.full(len(xy), np.nan)
    apart = ~of_kind
    distance[apart] = nearest_in_groups(xy[apart], xy[of_kind], roi[apart], roi[of_kind])
    for roi_id in set(roi[of_kind].tolist()):
        rows = np.flatnonzero(of_kind & (roi == roi_id))
        if len(rows) > 1:
            # The second of the two nearest: the first is the cell, or a cell at the same place.
            distance[rows] = cKDTree(xy[rows]).query(xy[rows], k=2, workers=-1)[0][:, 1]
    return distance
