"""Do sopa's cells depend on its patches? The same function as macprox's, at several patch widths.

    python -m benchmarks.throughput.make_slide SLIDE.ome.tif --side 2048
    PYTHONPATH=src sopa/bin/python benchmarks/comparison/ask_sopa.py SLIDE.ome.tif

See `benchmarks/throughput/peer_sopa.py` for its interpreter. A cell counts as the same where one of
the other run overlaps it with an IoU above .9: outlines are traced anew in every patch.
"""

from __future__ import annotations

import json
import sys

import numpy as np
import shapely
import sopa
import sopa.segmentation
from spatialdata import SpatialData
from spatialdata.models import Image2DModel

from macprox.io.images import open_slide
from macprox.segment import SegmentationParameters, segment_nuclei
from macprox.segment.nuclei import describe
from macprox.slide import Slide

OVERLAP_PX = 160  # as macprox's halo on both sides
PATCHES_PX = (512, 1024, 2048)
SAME_IOU = 0.9


def cells_of(slide: Slide, patch_px: int) -> np.ndarray:
    """Outlines that sopa keeps."""
    statistics = describe(slide.read(0, slice(0, None), slice(0, None)), slide.pixel_size_um)
    parameters = SegmentationParameters(method="watershed")

    def label(image: np.ndarray) -> np.ndarray:
        return segment_nuclei(image[0], slide.pixel_size_um, parameters, statistics)

    image = Image2DModel.parse(slide.level(), dims=("c", "y", "x"), c_coords=slide.channels)
    data = SpatialData(images={"image": image})
    sopa.make_image_patches(data, patch_width=patch_px, patch_overlap=OVERLAP_PX)
    sopa.segmentation.custom_staining_based(
        data, label, channels=[slide.channels[0]], clip_limit=0, gaussian_sigma=0
    )
    (name,) = (name for name in data.shapes if "patch" not in name)
    return data.shapes[name].geometry.to_numpy()


def n_without_partner(cells: np.ndarray, others: np.ndarray) -> int:
    """Cells that no other one overlaps with an IoU above `SAME_IOU`."""
    mine, theirs = shapely.STRtree(others).query(cells, predicate="intersects")
    shared = shapely.area(shapely.intersection(cells[mine], others[theirs]))
    union = shapely.area(cells[mine]) + shapely.area(others[theirs]) - shared
    return len(cells) - len(np.unique(mine[shared > SAME_IOU * union]))


def main() -> None:
    slide = open_slide(sys.argv[1])
    found = {patch: cells_of(slide, patch) for patch in PATCHES_PX}
    whole = found[max(PATCHES_PX)]
    for patch, cells in found.items():
        line = {
            "sopa": sopa.__version__,
            "patch_px": patch,
            "n_cells": len(cells),
            "not in one patch": n_without_partner(cells, whole),
            "only in one patch": n_without_partner(whole, cells),
        }
        print(json.dumps(line))


if __name__ == "__main__":
    main()
