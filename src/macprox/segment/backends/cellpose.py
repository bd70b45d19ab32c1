"""Cellpose: gradient flows (Stringer, Wang, Michaelos & Pachitariu, Nature Methods 2021).

Versions 2 and 3 (a U-Net) and 4 (Cellpose-SAM) are called alike, but for the channels.
"""

from __future__ import annotations

import os
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from macprox.segment.backends.weights import find_weights, import_package, loading, refuse_pickles
from macprox.segment.parameters import SegmentationParameters

# Diameters in px that the pretrained models expect; a file of one's own says its own up to 3.
NUCLEI_PX, CELLS_PX = 17.0, 30.0
NUCLEI_WEIGHTS = ("nucleitorch_0",)
SAM_WEIGHTS = ("cpsam_v2", "cpsam")
HALO_DIAMETERS = 6  # flows are followed inside an object; the network sees some 100 px


class Cellpose:
    """A Cellpose weights file, or the pretrained one: ``nuclei`` up to version 3, then SAM.

    Parameters
    ----------
    parameters : SegmentationParameters
        ``model`` is a weights file as Cellpose saves it.
    """

    percentiles = (1.0, 99.0)  # what its own normalisation takes

    def __init__(self, parameters: SegmentationParameters):
        models = import_package("cellpose.models", "cellpose")
        self._has_channels = int(version("cellpose").split(".")[0]) < 4
        usual = NUCLEI_WEIGHTS if self._has_channels else SAM_WEIGHTS
        stored = [_store() / name for name in usual]
        weights = find_weights(parameters, stored, Path.is_file, "a Cellpose weights file")
        torch = import_package("torch", "cellpose")
        options: dict[str, Any] = {"gpu": torch.cuda.is_available()}
        if self._has_channels:
            options["diam_mean"] = NUCLEI_PX if weights.name in NUCLEI_WEIGHTS else CELLS_PX
        with loading(weights, "cellpose"):
            refuse_pickles(torch, weights)
            self._model = models.CellposeModel(pretrained_model=str(weights), **options)
        self._diameter_px = float(getattr(self._model, "diam_mean", CELLS_PX))
        wanted_um = parameters.nucleus_diameter_um / self._diameter_px
        self.pixel_size_um = parameters.model_pixel_size_um or wanted_um
        self.halo_um = HALO_DIAMETERS * parameters.nucleus_diameter_um

    def label(self, image: np.ndarray) -> np.ndarray:
        options = {"channels": [0, 0]} if self._has_channels else {}
        labels, *_ = self._model.eval(image, normalize=False, diameter=self._diameter_px, **options)
        return labels


def _store() -> Path:
    given = os.environ.get("CELLPOSE_LOCAL_MODELS_PATH")
    return Path(given) if given else Path.home() / ".cellpose" / "models"
