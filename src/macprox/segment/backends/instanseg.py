"""InstanSeg: embeddings and seeds (Goldsborough et al., 2024), as a TorchScript file.

The file holds the network and what follows it, so that torch alone runs it.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from macprox.segment.backends.weights import find_weights, import_package, loading
from macprox.segment.parameters import SegmentationParameters

MODEL = "fluorescence_nuclei_and_cells"
FILE = "instanseg.pt"
MODEL_PIXEL_UM = 0.5  # of MODEL, where a file does not say
HALO_DIAMETERS = 6  # seeds gather pixels up to 32 px away, which the network sees 50 px around


class InstanSeg:
    """A TorchScript file of InstanSeg.

    Parameters
    ----------
    parameters : SegmentationParameters
        ``model`` is an ``instanseg.pt`` or the folder that holds it.
    """

    percentiles = (0.1, 99.9)  # what its own normalisation takes

    def __init__(self, parameters: SegmentationParameters):
        found = find_weights(parameters, _stored(), _is_model, f"an {FILE} or its folder")
        file = found / FILE if found.is_dir() else found
        self._torch = import_package("torch", "instanseg")
        device = "cuda" if self._torch.cuda.is_available() else "cpu"
        with loading(file, "instanseg"):
            self._model = self._torch.jit.load(str(file), map_location=device).eval()
        said_um = float(getattr(self._model, "pixel_size", 0) or 0)
        usual_um = said_um if said_um > 0 else MODEL_PIXEL_UM  # may be 0 or not a number
        self.pixel_size_um = parameters.model_pixel_size_um or usual_um
        self.halo_um = HALO_DIAMETERS * parameters.nucleus_diameter_um
        self._device = device

    def label(self, image: np.ndarray) -> np.ndarray:
        # A copy: the network clips what it is given in place.
        pixels = self._torch.from_numpy(image.copy())[None, None].to(self._device)
        nuclei_only = self._torch.tensor([1, 0])
        with self._torch.no_grad():
            labels = self._model(pixels, target_segmentation=nuclei_only)
        return labels[0, 0].cpu().numpy().astype(np.int32)


def _is_model(path: Path) -> bool:
    return (path / FILE).is_file() if path.is_dir() else path.is_file()


def _stored() -> list[Path]:
    """Where InstanSeg keeps what it has downloaded, newest version first; else the place for it."""
    given = os.environ.get("INSTANSEG_BIOIMAGEIO_PATH")
    package = find_spec("instanseg")
    if given:
        store = Path(given)
    elif package is not None and package.origin is not None:
        store = Path(package.origin).parent / "bioimageio_models"
    else:
        store = Path.home() / ".instanseg"
    return [*sorted((store / MODEL).glob("*"), reverse=True), store / MODEL]
