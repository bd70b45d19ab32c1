"""A slide's cells as a marked point pattern: places, phenotypes, fields, strata, window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from macprox.celltable import centroids_um
from macprox.errors import TableError, WindowError
from macprox.spatial.annotated import cells_of
from macprox.spatial.table import ALL
from macprox.window import Window

UM2_PER_MM2 = 1e6
Windows = Window | Mapping[str, Window] | None
Population = str | Sequence[str]


@dataclass(frozen=True)
class Group:
    """Phenotypes that are compared as one, under a name."""

    name: str
    phenotypes: tuple[str, ...]

    @classmethod
    def of(cls, population: Population) -> Group:
        if isinstance(population, str):
            return cls(population, (population,))
        return cls(" or ".join(population), tuple(population))


@dataclass(frozen=True, eq=False)
class Pattern:
    """Cells inside the window. Neighbours and permutations never cross ``roi``."""

    slide_id: str
    xy: np.ndarray = field(repr=False)  # (n, 2) um
    phenotype: np.ndarray = field(repr=False)  # (n,) str
    roi: np.ndarray = field(repr=False)  # (n,) str
    stratum: np.ndarray = field(repr=False)  # (n,) int; never spans two roi
    window: Windows = field(repr=False)
    roi_id: str = ALL
    cell_id: np.ndarray | None = field(default=None, repr=False)  # (n,) of the labels, if any

    @property
    def roi_ids(self) -> list[str]:
        return sorted(set(self.roi.tolist()))

    def of_roi(self, roi_id: str) -> Pattern:
        """One field alone."""
        inside = self.roi == roi_id
        # One window for several fields: nobody says which part of it is this field's.
        window = self.window.get(roi_id) if isinstance(self.window, Mapping) else None
        return Pattern(
            slide_id=self.slide_id,
            xy=self.xy[inside],
            phenotype=self.phenotype[inside],
            roi=self.roi[inside],
            stratum=self.stratum[inside],
            window=window,
            roi_id=roi_id,
            cell_id=None if self.cell_id is None else self.cell_id[inside],
        )

    def is_a(self, phenotypes: Sequence[str]) -> np.ndarray:
        """Which cells have one of these phenotypes: ``(n,)`` bool."""
        codes, names = self._coded
        return np.isin(names, list(phenotypes))[codes]

    @cached_property
    def _coded(self) -> tuple[np.ndarray, np.ndarray]:
        """Each cell's number of its phenotype, and the phenotypes."""
        codes, names = pd.factorize(self.phenotype)
        return codes, np.asarray(names, dtype=object)

    @property
    def no_window_reason(self) -> str:
        """Why there is no window; empty if there is one."""
        if self.window is not None:
            return ""
        if self.roi_id != ALL:
            return "no window for this roi: give one window for each"
        return "no window was given"

    @property
    def area_um2(self) -> float:
        """Area of the window; NaN without one."""
        if self.window is None:
            return np.nan
        if isinstance(self.window, Mapping):
            return sum(window.area_um2 for window in self.window.values())
        return self.window.area_um2

    def per_mm2(self, n: int) -> float:
        """Density of ``n`` cells in the window."""
        return n / self.area_um2 * UM2_PER_MM2

    def edge_um(self, cells: np.ndarray) -> np.ndarray:
        """Distance to the window's edge of the cells in a mask ``(n,)`` bool."""
        if isinstance(self.window, Mapping):
            distance = np.full(len(self.xy), np.nan)
            for roi_id in self.roi_ids:
                inside = cells & (self.roi == roi_id)
                distance[inside] = self.window[roi_id].distance_to_edge(self.xy[inside])
            return distance[cells]
        if self.window is None:
            raise WindowError("A distance to the window's edge needs a window; none was given.")
        return self.window.distance_to_edge(self.xy[cells])


def pattern_of(cells: Any, window: Windows = None, strata: Sequence[str] = ()) -> Pattern:
    """The cells of one slide that lie in the window.

    Parameters
    ----------
    cells : DataFrame, AnnData or SpatialData
        Columns ``x_um, y_um, phenotype``, and ``slide_id, roi_id`` where there are several
        fields; see `cells_of`.
    window : Window, mapping of roi_id to Window, or None
        Cells outside are left out. With several fields and one window, values that need a
        field's own area are not given for the single fields.
    strata : names of columns

    Raises
    ------
    TableError
        For a missing column, a coordinate that is not finite, or several slides.
    WindowError
        If no cell lies inside, or a field has no window.
    """
    table = cells_of(cells)
    _check(table, strata)
    roi = _text(table["roi_id"]) if "roi_id" in table else np.full(len(table), "")
    inside = _inside(centroids_um(table), roi, window)
    table, roi = table[inside], roi[inside]
    keys = [roi, *(_text(table[column]) for column in strata)]
    stratum = np.zeros(len(table), dtype=np.int64)
    for key in keys:  # a MultiIndex would take ten times as long over the same numbers
        codes, names = pd.factorize(key)
        stratum = pd.factorize(stratum * len(names) + codes)[0]
    slide = _text(table["slide_id"]) if "slide_id" in table else np.empty(0)
    return Pattern(
        slide_id=str(slide[0]) if len(slide) else "",
        xy=centroids_um(table),
        phenotype=_text(table["phenotype"]),
        roi=roi,
        stratum=stratum.astype(np.int64),
        window=window,
        cell_id=table["cell_id"].to_numpy() if "cell_id" in table else None,
    )


def empty_pattern(window: Windows) -> Pattern:
    """A window without cells."""
    nothing = np.empty(0, dtype=object)
    return Pattern("", np.empty((0, 2)), nothing, nothing, np.empty(0, dtype=np.int64), window)


def _check(table: pd.DataFrame, strata: Sequence[str]) -> None:
    missing = [name for name in ("x_um", "y_um", "phenotype", *strata) if name not in table]
    if missing:
        raise TableError(
            f"The cell table lacks {', '.join(missing)}; found "
            f"{', '.join(map(str, table.columns))}. Strata are set by [proximity] strata."
        )
    finite = np.isfinite(centroids_um(table)).all(axis=1)
    if not finite.all():
        raise TableError(
            f"{(~finite).sum()} cells have no finite x_um and y_um (first in row "
            f"{int(np.flatnonzero(~finite)[0])}); drop them first."
        )
    if "slide_id" in table and table["slide_id"].nunique() > 1:
        raise TableError(
            f"The table holds {table['slide_id'].nunique()} slides; proximity is computed for one "
            'slide at a time: for slide_id, cells in table.groupby("slide_id").'
        )


def _text(column: pd.Series) -> np.ndarray:
    """As str; a missing value is a value of its own, the empty string."""
    codes, names = pd.factorize(column)  # -1 where missing
    return np.array([*map(str, names), ""], dtype=object)[codes]


def _inside(xy: np.ndarray, roi: np.ndarray, window: Windows) -> np.ndarray:
    if window is None or len(xy) == 0:
        return np.ones(len(xy), dtype=bool)
    if isinstance(window, Mapping):
        inside = np.zeros(len(xy), dtype=bool)
        for roi_id in sorted(set(roi.tolist())):
            if roi_id not in window:
                raise WindowError(
                    f"No window for roi {roi_id!r}; found {', '.join(map(repr, window))}."
                )
            here = roi == roi_id
            inside[here] = window[roi_id].contains(xy[here])
    else:
        inside = window.contains(xy)
    if not inside.any():
        raise WindowError(
            f"None of {len(xy)} cells lies inside the window; are both in micrometres with the "
            "same origin?"
        )
    return inside
