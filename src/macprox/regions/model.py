"""`Regions`: the named areas of one slide, and which cell lies in which."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd
import shapely
from shapely import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from macprox.regions.contours import as_multipolygon

TUMOUR_SOURCES = ("auto", "file", "reviewer", "none")
OUTSIDE = 0  # lesion_id of a cell in no lesion
# Tissue this close to an airspace may be a septum, lined by normal epithelium on both faces,
# which is neither the tumour's epithelium nor its stroma: it stays "tissue".
SEPTUM_UM = 20.0

# By name of an area: the area, and which of some points lie in it.
Known = MutableMapping[str, tuple[MultiPolygon, np.ndarray]]


@dataclass(frozen=True)
class Regions:
    """Areas of a slide, in micrometres.

    Parameters
    ----------
    tissue_window : MultiPolygon
        The scanned footprint of the tissue, airspaces included, bare glass not.
    airspace : MultiPolygon
        The empty spaces inside it.
    tumour : MultiPolygon
        Empty where there is none, or none was found.
    exclusions : MultiPolygon
        Left out of everything, whatever the reason.
    tumour_source : {"auto", "file", "reviewer", "none"}
        Who says where the tumour is.
    margin_um : float
        Reach of the inner and the outer margin from the tumour border.
    flags : tuple of str
        What a reader must know: see `TumourProposal`.
    reason : str
        One sentence about the tumour region.
    exclusion_reasons : tuple of (str, MultiPolygon)
        The exclusions again, by reason; they may overlap.
    """

    tissue_window: MultiPolygon
    airspace: MultiPolygon = field(default_factory=MultiPolygon)
    tumour: MultiPolygon = field(default_factory=MultiPolygon)
    exclusions: MultiPolygon = field(default_factory=MultiPolygon)
    tumour_source: str = "none"
    margin_um: float = 100.0
    flags: tuple[str, ...] = ()
    reason: str = ""
    exclusion_reasons: tuple[tuple[str, MultiPolygon], ...] = ()

    def __post_init__(self) -> None:
        if self.tumour_source not in TUMOUR_SOURCES:
            raise ValueError(
                f"tumour_source must be one of {', '.join(TUMOUR_SOURCES)}, "
                f"found {self.tumour_source!r}."
            )
        for name in ("tissue_window", "airspace", "tumour", "exclusions"):
            object.__setattr__(self, name, as_multipolygon(getattr(self, name)))

    @property
    def has_tumour(self) -> bool:
        return not self.tumour.is_empty

    @cached_property
    def observed(self) -> MultiPolygon:
        """Where cells could have been observed: the window without the exclusions."""
        return as_multipolygon(self.tissue_window - self.exclusions)

    @cached_property
    def inner_margin(self) -> MultiPolygon:
        """Tumour within ``margin_um`` of its border."""
        return as_multipolygon(self.tumour - self.tumour.buffer(-self.margin_um))

    @cached_property
    def outer_margin(self) -> MultiPolygon:
        """Observed tissue outside the tumour, within ``margin_um`` of it."""
        return as_multipolygon((self.tumour.buffer(self.margin_um) - self.tumour) & self.observed)

    def lesions(self) -> dict[int, Polygon]:
        """Connected pieces of tumour, numbered from 1 in raster order of their first point."""
        return dict(enumerate(sorted(self.tumour.geoms, key=_first_point), start=1))

    def with_tumour(self, tumour: BaseGeometry, source: str, reason: str = "") -> Regions:
        """The same slide with its tumour drawn; what the detector flagged no longer holds."""
        drawn = as_multipolygon(tumour & self.tissue_window)
        flags = () if not drawn.is_empty else ("no_tumour_region",)
        return replace(self, tumour=drawn, tumour_source=source, reason=reason, flags=flags)

    def with_exclusion(self, area: BaseGeometry, reason: str) -> Regions:
        """The same slide with one more area left out."""
        area = as_multipolygon(area)
        return replace(
            self,
            exclusions=as_multipolygon(self.exclusions | area),
            exclusion_reasons=(*self.exclusion_reasons, (reason, area)),
        )

    def locate(self, xy: np.ndarray, known: Known | None = None) -> pd.DataFrame:
        """Which areas each point lies in.

        Parameters
        ----------
        xy : (n, 2) float
            Micrometres.
        known : mutable mapping, optional
            What a call with these very points found in areas that may be the same; it is brought
            up to date.

        Returns
        -------
        DataFrame
            ``in_window``, ``excluded``, ``in_tumour`` (bool); ``lesion_id`` (int32, 0 outside
            every lesion); ``compartment``: ``airspace`` in an airspace (of the tumour too),
            else ``epithelium`` inside the tumour, ``stroma`` where a tumour is known and the
            tissue is too far from any airspace to be an alveolar septum, else ``tissue``.
        """
        xy = np.asarray(xy, dtype=float).reshape(-1, 2)
        known = {} if known is None else known
        lesion_id = np.full(len(xy), OUTSIDE, dtype=np.int32)
        for number, lesion in self.lesions().items():
            lesion_id[_inside(lesion, xy)] = number
        return pd.DataFrame(
            {
                "in_window": _inside_again("window", self.tissue_window, xy, known),
                "excluded": _inside_again("excluded", self.exclusions, xy, known),
                "in_tumour": lesion_id != OUTSIDE,
                "lesion_id": lesion_id,
                "compartment": self._compartments(xy, lesion_id != OUTSIDE, known),
            }
        )

    def _compartments(self, xy: np.ndarray, in_tumour: np.ndarray, known: Known) -> np.ndarray:
        compartment = np.full(len(xy), "tissue", dtype=object)
        if self.has_tumour:
            septum = _inside_again("septum", self.airspace, xy, known, SEPTUM_UM)
            compartment[~septum] = "stroma"
        compartment[in_tumour] = "epithelium"
        compartment[_inside_again("airspace", self.airspace, xy, known)] = "airspace"
        return compartment


def _inside_again(
    name: str, area: MultiPolygon, xy: np.ndarray, known: Known, around_um: float = 0.0
) -> np.ndarray:
    """Points in an area or around it, as known if the area is still the very same."""
    if name not in known or known[name][0] is not area:
        reached = as_multipolygon(area.buffer(around_um)) if around_um else area
        known[name] = area, _inside(reached, xy)
    return known[name][1]


def _inside(area: BaseGeometry, xy: np.ndarray) -> np.ndarray:
    if area.is_empty:
        return np.zeros(len(xy), dtype=bool)
    shapely.prepare(area)  # an index of its edges: without it each point visits every corner
    x_min, y_min, x_max, y_max = area.bounds
    near = (xy[:, 0] >= x_min) & (xy[:, 0] <= x_max) & (xy[:, 1] >= y_min) & (xy[:, 1] <= y_max)
    inside = np.zeros(len(xy), dtype=bool)
    inside[near] = shapely.contains_xy(area, xy[near])
    return inside


def _first_point(piece: Polygon) -> tuple[float, float]:
    """Top-most, then left-most corner: ``(y, x)``."""
    return min((y, x) for x, y in piece.exterior.coords)
