"""How much tissue there is of each kind: the areas that cells are divided by.

Areas are counted on a lattice of points by the very rules that place cells, so that a density never
divides cells of one place by the area of another. Overlaying polygons would need buffers around
ragged outlines, which take many seconds, and would differ from those rules at their corners.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import shapely

from macprox.regions.lesions import lesion_shapes, nearest_lesion
from macprox.regions.model import OUTSIDE, Regions
from macprox.window import Window
from macprox.window.border import NO_ZONE, zone_of

CORE, PERIPHERY, BEYOND = "core", "periphery", ""

# At the coarsest step (slides from 25 mm2 on) a disk of 1 mm2 is known to 0.1 %, one of 0.01 mm2 to
# 2 %. Every lesion has its own, finer lattice: 30 disks of 40 to 400 um were known to 0.2 %.
SAMPLES, LESION_SAMPLES = 400_000, 8_000
FINEST_STEP_UM, COARSEST_STEP_UM = 0.5, 8.0


def area_by_place(regions: Regions) -> pd.DataFrame:
    """Observed area of every region and compartment of a slide.

    Tissue in region ``distant`` is the slide's adjacent tissue: farther from the tumour than the
    margin, on the same section, compared compartment by compartment, airspaces apart.

    Parameters
    ----------
    regions : Regions

    Returns
    -------
    DataFrame
        ``region, compartment, area_um2``, one row a combination that occurs, as `Regions.locate`
        and `macprox.window.border.zone_of` would place a cell there; region ``"none"`` without a
        tumour. The areas add up to ``regions.observed``. No row where nothing is observed.
    """
    observed = regions.observed
    if observed.is_empty:
        return pd.DataFrame({"region": [], "compartment": [], "area_um2": []}).astype(
            {"region": str, "compartment": str, "area_um2": float}
        )
    box = shapely.box(*observed.bounds)
    xy, _, _ = Window.from_polygon(observed).sample(_step_um(box.area, SAMPLES))
    located = regions.locate(xy)
    region = np.full(len(xy), NO_ZONE, dtype=object)
    if regions.has_tumour:
        distance_um, _ = nearest_lesion(xy, regions)
        # A lattice on round numbers meets borders on round numbers: such a point is outside.
        outside_um = np.maximum(distance_um, np.nextafter(0, 1))
        signed_um = np.where(located["in_tumour"].to_numpy(), -distance_um, outside_um)
        region = zone_of(signed_um, regions.margin_um)
    places = pd.DataFrame({"region": region, "compartment": located["compartment"].to_numpy()})
    share = places.value_counts(normalize=True, sort=False).rename("area_um2")
    return (share * observed.area).reset_index().astype({"region": str, "compartment": str})


def half_width_um(inradius_um: np.ndarray, margin_um: float) -> np.ndarray:
    """Reach of a lesion's periphery to both sides of its border: ``(n,)``.

    The margin, or half the inradius where that is less: a lesion of any size keeps a core, which
    is then at least as deep as its periphery is.
    """
    return np.minimum(margin_um, np.asarray(inradius_um, dtype=float) / 2)


def lesion_zone_areas(
    regions: Regions,
    shapes: pd.DataFrame | None = None,
    *,
    airspace: bool = True,
    reach_um: float | None = None,
) -> pd.DataFrame:
    """Observed area of each lesion's core and periphery.

    Parameters
    ----------
    regions : Regions
    shapes : DataFrame, optional
        `lesion_shapes` of the same regions, if known already.
    airspace : bool
        False leaves airspaces out; then leave out their cells (compartment ``airspace``), too.
    reach_um : float, optional
        The same reach of the periphery for every lesion, instead of `half_width_um`.

    Returns
    -------
    DataFrame
        One row a lesion: ``lesion_id``; ``half_width_um``, see `half_width_um`; ``core_um2``,
        deeper than that; ``inner_um2`` and ``outer_um2``, within it inside and outside the border;
        ``periphery_um2``, both. Outside, a place belongs to the lesion that it is nearest to.
        `lesion_zone_of` places cells alike.
    """
    shapes = lesion_shapes(regions) if shapes is None else shapes
    reaches_um = (
        half_width_um(shapes["inradius_um"].to_numpy(), regions.margin_um)
        if reach_um is None
        else np.full(len(shapes), float(reach_um))
    )
    areas = np.zeros((len(shapes), 3))
    if len(shapes) and not regions.observed.is_empty:
        window = Window.from_polygon(regions.observed)
        lesions = list(regions.lesions().values())
        boxes = shapely.bounds(lesions) + reaches_um[:, None] * [-1, -1, 1, 1]
        areas = _zone_areas(regions, window, boxes, reaches_um, airspace)
    return pd.DataFrame(
        {
            "lesion_id": shapes["lesion_id"].to_numpy(),
            "half_width_um": reaches_um,
            "core_um2": areas[:, 0],
            "inner_um2": areas[:, 1],
            "outer_um2": areas[:, 2],
            "periphery_um2": areas[:, 1] + areas[:, 2],
        }
    )


def lesion_zone_of(
    distance_um: np.ndarray, nearest_lesion_id: np.ndarray, zones: pd.DataFrame
) -> np.ndarray:
    """Zone of each cell in its nearest lesion, from its columns.

    Parameters
    ----------
    distance_um : (n,) float
        ``tumour_border_distance_um``.
    nearest_lesion_id : (n,) int
    zones : DataFrame
        ``lesion_id, half_width_um``: of `lesion_zone_areas`.

    Returns
    -------
    (n,) str
        ``"core"``, ``"periphery"`` (either side of the border; a cell exactly at the half width
        belongs to it) or ``""``.
    """
    reach_um = zones.set_index("lesion_id")["half_width_um"].reindex(nearest_lesion_id).to_numpy()
    distance_um = np.asarray(distance_um, dtype=float)
    zone = np.where(np.abs(distance_um) <= reach_um, PERIPHERY, BEYOND)
    return np.where(distance_um < -reach_um, CORE, zone).astype(object)


def _zone_areas(
    regions: Regions, window: Window, boxes: np.ndarray, reach_um: np.ndarray, airspace: bool
) -> np.ndarray:
    """``(n_lesions, 3)``: core, inner and outer periphery."""
    samples = [_lattice(window, box) for box in boxes]
    xy = np.concatenate([points for points, _, _ in samples])
    own = np.repeat(np.arange(len(boxes)) + 1, [len(points) for points, _, _ in samples])
    distance_um, nearest = nearest_lesion(xy, regions)
    located = regions.locate(xy)
    inside = located["lesion_id"].to_numpy() != OUTSIDE
    nearest = np.where(inside, located["lesion_id"].to_numpy(), nearest)
    counted = nearest == own
    if not airspace:
        counted &= located["compartment"].to_numpy() != "airspace"
    signed_um = np.where(inside, -distance_um, distance_um)
    areas = np.zeros((len(boxes), 3))
    for row, (_, dx, dy) in enumerate(samples):
        mine = counted & (own == row + 1)
        below = _below(signed_um[mine], [-reach_um[row], 0.0, reach_um[row]], np.sqrt(dx * dy))
        areas[row] = np.diff([0.0, *below]) * dx * dy
    return areas


def _lattice(window: Window, box: np.ndarray) -> tuple[np.ndarray, float, float]:
    x_min, y_min, x_max, y_max = box.tolist()
    step_um = _step_um((x_max - x_min) * (y_max - y_min), LESION_SAMPLES)
    return window.sample(step_um, (x_min, y_min, x_max, y_max))


def _below(distance_um: np.ndarray, edges_um: list[float], side_um: float) -> list[float]:
    """How many points lie below each edge; one that the edge cuts counts in proportion."""
    return [float(np.clip(0.5 + (edge - distance_um) / side_um, 0, 1).sum()) for edge in edges_um]


def _step_um(area_um2: float, n_samples: int) -> float:
    return float(np.clip(np.sqrt(area_um2 / n_samples), FINEST_STEP_UM, COARSEST_STEP_UM))
