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
OPEN_UM = 12.0  # an airspace's middle is at least this far from any nucleus of its wall
MIN_AIRSPACE_UM2 = 2_000.0
DARK_PERCENTILE = 25.0  # an airspace is darker than this share of the tissue around nuclei


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
    # Distances instead of structuring elements: a closing by 100 um in two passes. The rim is
    # mirrored, so that an airspace at the edge of a field is not taken for glass.
    bridge_px = BRIDGE_UM / pixel_size_um
    room = int(np.ceil(bridge_px)) + 1
    padded = np.pad(nuclei, room, mode="symmetric")
    near = ndi.distance_transform_edt(~padded) <= bridge_px
    closed = ndi.distance_transform_edt(near) > bridge_px - REACH_UM / pixel_size_um
    footprint = ndi.binary_fill_holes(closed[room:-room, room:-room])
    large = _without_small(footprint, MIN_TISSUE_UM2 / pixel_size_um**2)
    return large if large.any() else footprint


def _airspace(
    nuclei: np.ndarray, footprint: np.ndarray, brightness: np.ndarray, pixel_size_um: float
) -> np.ndarray:
    walls = ndi.binary_closing(
        np.pad(nuclei, 4, mode="symmetric"), iterations=max(1, round(6.0 / pixel_size_um))
    )[4:-4, 4:-4]
    walls = _without_small(walls, LONELY_UM2 / pixel_size_um**2)
    if not walls.any():
        return np.zeros_like(footprint)
    from_wall_um = ndi.distance_transform_edt(~walls) * pixel_size_um
    smooth = ndi.gaussian_filter(brightness, 4.0 / pixel_size_um)
    tissue = smooth[footprint & (from_wall_um <= OPEN_UM)]
    dark = smooth < np.percentile(tissue, DARK_PERCENTILE)
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
