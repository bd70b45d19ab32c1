"""StarDist: star-convex polygons (Schmidt, Weigert, Broaddus & Myers, MICCAI 2018)."""

from __future__ import annotations

from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import numpy as np

from macprox.segment.backends.weights import find_weights, import_package, loading
from macprox.segment.parameters import SegmentationParameters

MODEL = "2D_versatile_fluo"
MODEL_PIXEL_UM = 0.5  # of MODEL; it was trained on nuclei of 8 um that are some 16 px wide
HALO_DIAMETERS = 6  # a receptive field of 96 px at three poolings, and the nucleus itself


class StarDist:
    """A StarDist model folder, or the pretrained one for fluorescence.

    Parameters
    ----------
    parameters : SegmentationParameters
        ``model`` is a folder with ``config.json`` and ``weights_best.h5``.
    """

    percentiles = (1.0, 99.8)  # what its models are trained on

    def __init__(self, parameters: SegmentationParameters):
        folder = find_weights(
            parameters,
            _stored(),
            _is_model,
            "a StarDist model folder (config.json, thresholds.json and weights_best.h5)",
        )
        models = import_package("stardist.models", "stardist")
        self.pixel_size_um = parameters.model_pixel_size_um or MODEL_PIXEL_UM
        self.halo_um = HALO_DIAMETERS * parameters.nucleus_diameter_um
        # It tells about weights and thresholds on stdout.
        with loading(folder, "stardist"), redirect_stdout(StringIO()):
            self._model = models.StarDist2D(None, name=folder.name, basedir=str(folder.parent))

    def label(self, image: np.ndarray) -> np.ndarray:
        labels, _ = self._model.predict_instances(
            image, axes="YX", show_tile_progress=False, verbose=False
        )
        return labels


def _is_model(folder: Path) -> bool:
    return (folder / "config.json").is_file() and any(
        list(folder.glob(pattern)) for pattern in ("*.h5", "*.hdf5")
    )


def _stored() -> list[Path]:
    """Where Keras keeps what StarDist downloads; the layout changed with Keras 3.6."""
    store = Path.home() / ".keras" / "models" / "StarDist2D" / MODEL
    return [
        store / MODEL,
        store / f"{MODEL}_extracted" / MODEL,
        store / f"{MODEL}_extracted",
        store,
    ]
