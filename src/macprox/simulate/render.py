"""A whole scene into arrays, in memory or on disk, one block at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import shapely
import zarr

from macprox.simulate.panel import CHANNELS
from macprox.simulate.parameters import SceneParameters
from macprox.simulate.scene import Scene
from macprox.simulate.truth import Tally, label_tables, truth_table
from macprox.slide import Slide

BLOCK_PX = 1024  # about 100 MB while it is rendered


@dataclass(frozen=True)
class SimulatedSlide:
    """A slide in memory with everything that is true of it.

    Parameters
    ----------
    slide : Slide
    truth : DataFrame
        One row a cell (`macprox.simulate.truth.truth_table`).
    nuclei, macrophages : (y, x) uint32
        True outlines; the values are ``cell_id``. ``macrophages`` holds whole bodies.
    tumour : shapely.MultiPolygon
        The true nests, in micrometres.
    """

    slide: Slide
    truth: pd.DataFrame
    nuclei: np.ndarray
    macrophages: np.ndarray
    tumour: shapely.MultiPolygon


def simulate_slide(parameters: SceneParameters, block_px: int = BLOCK_PX) -> SimulatedSlide:
    """Tissue with known truth, in memory.

    Parameters
    ----------
    parameters : SceneParameters
        For example ``cohort.scene("early", "a", seed=1, size_px=(1024, 1024))``.
    block_px : int
        Rendered so many pixels at a time; the result does not depend on it.

    Returns
    -------
    SimulatedSlide
    """
    scene = Scene(parameters)
    pixels = np.empty((len(CHANNELS), *parameters.size_px), np.uint16)
    labels = np.empty((2, *parameters.size_px), np.uint32)
    table, cell_id_of = render_into(scene, pixels, labels, block_px)
    nuclei_of, macrophages_of = label_tables(scene, cell_id_of)
    return SimulatedSlide(
        Slide.from_array(pixels, CHANNELS, parameters.pixel_size_um, parameters.slide_id),
        table,
        nuclei_of[labels[0]],
        macrophages_of[labels[1]],
        scene.tumour,
    )


def render_into(
    scene: Scene,
    pixels: np.ndarray | zarr.Array,
    labels: np.ndarray | zarr.Array,
    block_px: int = BLOCK_PX,
    progress: Callable[[float], Any] | None = None,
) -> tuple[pd.DataFrame, np.ndarray]:
    """Fill ``pixels`` (c, y, x) and ``labels`` (2, y, x: nuclei, cells); give the truth.

    ``progress`` is told the finished fraction after every block.
    """
    nuclei_tally, bodies_tally = Tally(len(scene.cells)), Tally(len(scene.cells))
    blocks = list(_blocks(scene.parameters.size_px, block_px))
    for done, (y0, x0, shape) in enumerate(blocks, 1):
        seen, nuclei, bodies = scene.block(y0, x0, shape)
        here = (slice(y0, y0 + shape[0]), slice(x0, x0 + shape[1]))
        pixels[:, *here] = seen
        labels[0, *here] = nuclei
        labels[1, *here] = bodies
        nuclei_tally.add(nuclei, y0, x0)
        bodies_tally.add(bodies, y0, x0)
        if progress is not None:
            progress(done / len(blocks))
    return truth_table(scene, nuclei_tally, bodies_tally)


def _blocks(size_px: tuple[int, int], block_px: int) -> Iterator[tuple[int, int, tuple[int, int]]]:
    for y0 in range(0, size_px[0], block_px):
        for x0 in range(0, size_px[1], block_px):
            yield y0, x0, (min(block_px, size_px[0] - y0), min(block_px, size_px[1] - x0))
