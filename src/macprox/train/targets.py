"""What the network learns from a label image."""

from __future__ import annotations

import numpy as np
from scipy import ndimage as ndi


def depth_target(labels: np.ndarray) -> np.ndarray:
    """How deep each pixel lies in its nucleus: 1 at the deepest, towards 0 at the outline.

    Parameters
    ----------
    labels : (y, x) int

    Returns
    -------
    (y, x) float32
        Distance to the outline over the nucleus's largest; 0 outside.
    """
    depth = np.zeros(labels.shape, np.float32)
    for label, box in enumerate(ndi.find_objects(labels), 1):
        if box is None:
            continue
        distance = ndi.distance_transform_edt(np.pad(labels[box] == label, 1))[1:-1, 1:-1]
        own = distance > 0
        depth[box][own] = (distance / distance.max())[own]
    return depth
