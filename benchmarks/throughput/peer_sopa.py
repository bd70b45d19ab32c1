"""What sopa costs with macprox's own nucleus segmentation ("watershed") as its callable.

    python -m venv sopa && sopa/bin/pip install sopa==2.2.11
    PYTHONPATH=src sopa/bin/python benchmarks/throughput/peer_sopa.py SLIDE.ome.tif SCRATCH

sopa's pins contradict ours, so it has an interpreter of its own. Same pixels, same function, same
slide-wide statistics; sopa's smoothing and contrast enhancement are switched off, which only helps
it. Counted is what `python -m benchmarks.throughput` counts: segmentation, the mean of every
channel in every cell, and the result on disk. Prints one line of JSON, CPU seconds by step.
"""

from __future__ import annotations

import json
import resource
import shutil
import sys
import time
from pathlib import Path

import numpy as np
import sopa
import sopa.segmentation
from spatialdata import SpatialData
from spatialdata.models import Image2DModel

from macprox.io.images import open_slide
from macprox.segment import SegmentationParameters, segment_nuclei
from macprox.segment.nuclei import describe

PATCH_PX = 2048
OVERLAP_PX = 160  # as macprox's halo on both sides


def main() -> None:
    path, scratch = map(Path, sys.argv[1:])
    seconds = {"imports": time.process_time()}

    def done(step: str) -> None:
        seconds[step] = time.process_time() - sum(seconds.values())

    slide = open_slide(path)
    corner = slide.read(0, slice(0, PATCH_PX), slice(0, PATCH_PX))
    statistics = describe(corner, slide.pixel_size_um)
    parameters = SegmentationParameters(method="watershed")
    segment_nuclei(corner[:256, :256], slide.pixel_size_um, parameters, statistics)
    done("statistics and warm-up, not counted")

    def label(image: np.ndarray) -> np.ndarray:
        return segment_nuclei(image[0], slide.pixel_size_um, parameters, statistics)

    image = Image2DModel.parse(slide.level(), dims=("c", "y", "x"), c_coords=slide.channels)
    data = SpatialData(images={"image": image})
    sopa.make_image_patches(data, patch_width=PATCH_PX, patch_overlap=OVERLAP_PX)
    done("patches")
    sopa.segmentation.custom_staining_based(
        data, label, channels=[slide.channels[0]], clip_limit=0, gaussian_sigma=0
    )
    done("segment")
    sopa.aggregate(data, aggregate_genes=False, aggregate_channels=True)
    done("aggregate")
    shutil.rmtree(scratch, ignore_errors=True)
    data.write(scratch)
    done("write")
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    n_cells = len(data.tables["table"])
    rounded = {step: round(s, 2) for step, s in seconds.items()}
    print(json.dumps({"sopa": sopa.__version__, "n_cells": n_cells, "peak_mb": peak_mb, **rounded}))


if __name__ == "__main__":
    main()
