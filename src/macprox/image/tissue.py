"""Where the tissue is: the scanned footprint with its airspaces, found on the overview."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage as ndi
from skimage.morphology import remove_small_objects

BRIDGE_UM = 100.0  # gaps between nuclei narrower than twice this are tissue or airspace, not glass
MIN_TISSUE_UM2 = 10_000.0  # smaller pieces are debris, unless nothing else is there
REACH_UM = 15.0  # tissue extends this far beyond its outermost nuclei

LONELY_UM2 = 1_500.0  # smaller clumps of nuclei lie *in* an airspace: alveolar macrophages
SEPTUM_GAP_UM = 10.0  # nuclei of a septum lie within twice this of the next
OPEN_UM = 12.0  # an airspace's middle is at least this far from any nucleus of its wall
MIN_AIRSPACE_UM2 = 2_000.0
DARK_PERCENTILE = 25.0  # an airspace is darker than this share of its walls


@dataclass(frozen=True)
class TissueMasks:
    """Masks on the overview's grid.

    Parameters
    ----------
    footprint : (y, x) bool
        Tissue with its airspaces; not bare glass.
    airspace : (y, x) bool
        Empty spaces inside it.
    """

    footprint: np.ndarray
    airspace: np.ndarray


def find_tissue(
    nuclear: np.ndarray, brightness: np.ndarray, nucleus_level: float, pixel_size_um: float
) -> TissueMasks:
    """Tissue is what lies around and between nuclei.

    Parameters
    ----------
    nuclear : (y, x) float
        Nuclear stain on the overview.
    brightness : (y, x) float
        Signal of all channels together, whatever its unit: airspaces are dark in all of them.
    nucleus_level : float
        The nuclear stain above which a pixel holds a nucleus.
    pixel_size_um : float
        Of the overview.
    """
    nuclei = nuclear > nucleus_level
    footprint = _footprint(nuclei, pixel_size_um)
    return TissueMasks(footprint, _airspace(nuclei, footprint, brightness, pixel_size_um))


def _footprint(nuclei: np.ndarray, pixel_size_um: float) -> np.ndarray:
    if not nuclei.any():
        return np.zeros_like(nuclei)
    closed = _closed(nuclei, BRIDGE_UM / pixel_size_um, REACH_UM / pixel_size_um)
    footprint = ndi.binary_fill_holes(closed)
    large = _without_small(footprint, MIN_TISSUE_UM2 / pixel_size_um**2)
    return large if large.any() else footprint


def _closed(mask: np.ndarray, reach_px: float, margin_px: float = 0.0) -> np.ndarray:
    """Gaps narrower than twice the reach closed, the rest grown by a margin.

    Distances instead of structuring elements: the cost does not grow with the reach. The rim is
    mirrored, so that an airspace at the edge of a field is not taken for glass.
    """
    room = int(np.ceil(reach_px)) + 1
    padded = np.pad(mask, room, mode="symmetric")
    near = ndi.distance_transform_edt(~padded) <= reach_px
    return (ndi.distance_transform_edt(near) > reach_px - margin_px)[room:-room, room:-room]


def _airspace(
    nuclei: np.ndarray, footprint: np.ndarray, brightness: np.ndarray, pixel_size_um: float
) -> np.ndarray:
    if not nuclei.any():
        return np.zeros_like(footprint)
    walls = _closed(nuclei, SEPTUM_GAP_UM / pixel_size_um) | nuclei
    walls = _without_small(walls, LONELY_UM2 / pixel_size_um**2)
    if not walls.any():
        return np.zeros_like(footprint)
    from_wall_um = ndi.distance_transform_edt(~walls) * pixel_size_um
    smooth = ndi.gaussian_filter(brightness, 4.0 / pixel_size_um)
    dark = smooth < np.percentile(smooth[walls], DARK_PERCENTILE)
    middle = footprint & dark & (from_wall_um > OPEN_UM)
    middle = _without_small(middle, MIN_AIRSPACE_UM2 / 4 / pixel_size_um**2)
    # From its middle, an airspace reaches back to within a nucleus of its wall.
    from_middle_um = ndi.distance_transform_edt(~middle) * pixel_size_um
    space = footprint & (from_middle_um <= OPEN_UM) & (from_wall_um > OPEN_UM / 2)
    return _without_small(space, MIN_AIRSPACE_UM2 / pixel_size_um**2)


def _without_small(mask: np.ndarray, min_area_px: float) -> np.ndarray:
    if not mask.any() or min_area_px < 2:
        return mask
    return remove_small_objects(mask, max_size=int(min_area_px) - 1)
