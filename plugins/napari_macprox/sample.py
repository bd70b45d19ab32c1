"""The sample slides in napari's File > Open Sample."""

from __future__ import annotations

import tempfile
from pathlib import Path

import macprox as mp
from macprox.sample_data import sample_folder
from napari_macprox.conversion import LayerData, slide_layers

# Where an installation without a checkout simulates its samples, once.
MADE = Path(tempfile.gettempdir()) / "macprox-samples"


def early_slide() -> list[LayerData]:
    return _layers("P01_early")


def late_slide() -> list[LayerData]:
    return _layers("P02_late")


def _layers(slide_id: str) -> list[LayerData]:
    return slide_layers(mp.open_slide(sample_folder(MADE) / "slides" / f"{slide_id}.ome.tif"))
