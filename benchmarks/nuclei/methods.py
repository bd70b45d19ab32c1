"""What is compared: ``(stain (y, x), pixel_size_um) -> labels``, each behind one name."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from importlib.resources import files
from pathlib import Path

import numpy as np
from benchmarks.nuclei import peers
from benchmarks.nuclei.scores import Method
from scipy import ndimage as ndi
from skimage.feature import peak_local_max
from skimage.filters import threshold_otsu
from skimage.segmentation import watershed

NUCLEUS_UM = 8.0


def textbook(stain: np.ndarray, pixel_size_um: float) -> np.ndarray:
    """Gaussian, global Otsu, watershed of the distance transform from its peaks."""
    smooth = ndi.gaussian_filter(stain.astype(float), 0.5 / pixel_size_um)
    mask = ndi.binary_fill_holes(smooth > threshold_otsu(smooth))
    depth = ndi.gaussian_filter(ndi.distance_transform_edt(mask), 0.4 / pixel_size_um)
    apart_px = max(1, round(NUCLEUS_UM / 4 / pixel_size_um))
    peaks = peak_local_max(depth, min_distance=apart_px, labels=mask.astype(int))
    markers = np.zeros(stain.shape, int)
    markers[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    return watershed(-depth, markers, mask=mask)


def macprox(method: str) -> Method:
    """A built-in of macprox, as its users call it."""
    from macprox.segment import SegmentationParameters, segment_nuclei

    parameters = SegmentationParameters(method=method)
    return lambda stain, pixel_size_um: segment_nuclei(stain, pixel_size_um, parameters)


def available(names: Collection[str] | None = None) -> tuple[dict[str, Method], dict[str, str]]:
    """The methods that run here, and why each of the others does not.

    ``names``: look for these only.
    """
    methods: dict[str, Method] = {"textbook": textbook, "watershed": macprox("watershed")}
    if _weights():
        methods["unet"] = macprox("unet")
    present = peers.present()
    methods |= present
    absent = peers.absent(present)
    if "unet" not in methods:
        absent["unet"] = "not in this version of macprox"
    if names is not None:
        absent = {name: absent.get(name, "unknown") for name in names if name not in methods}
        methods = {name: method for name, method in methods.items() if name in names}
    return methods, absent


def model_sha256(name: str) -> str | None:
    """Hash of the weights that a method of macprox runs; None where it has none."""
    if name != "unet":
        return None
    return hashlib.sha256(b"".join(path.read_bytes() for path in _weights())).hexdigest()


def _weights() -> list[Path]:
    return sorted(Path(str(files("macprox.segment"))).rglob("*.onnx"))
