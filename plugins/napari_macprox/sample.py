"""The sample slides in napari's File > Open Sample."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import macprox as mp
from macprox.batch import INDEX_FILE
from macprox.sample_data import sample_folder
from napari_macprox.conversion import LayerData, slide_layers
from napari_macprox.reader import NO_LAYER, open_viewer

# Where an installation without a checkout simulates its samples, once.
MADE = Path(tempfile.gettempdir()) / "macprox-samples"


def early_slide() -> list[LayerData]:
    return _layers("P01_early")


def late_slide() -> list[LayerData]:
    return _layers("P02_late")


def reviewed_result() -> list[Any]:
    """The sample slides' results, opened for review in the window that asks."""
    from napari_macprox.desk import desk_in

    review = desk_in(open_viewer()).review
    text = "Analysing the sample slides: about a minute, and only once…"
    review.in_background(sample_results, done=review.open_results, text=text)
    return NO_LAYER


def sample_results() -> Path:
    """The folder of the sample slides' results; made where it is not there, or of another age."""
    results = MADE / f"results-{mp.__version__}"
    if not (results / INDEX_FILE).exists():
        samples = sample_folder(MADE)
        mp.run([samples / "slides"], samples / "study.toml", results)
    return results


def _layers(slide_id: str) -> list[LayerData]:
    return slide_layers(mp.open_slide(sample_folder(MADE) / "slides" / f"{slide_id}.ome.tif"))
