"""Segmentation of one tile, and of a whole image through its tiles."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from macprox.image.stain import StainStatistics, roughness
from macprox.image.tiles import Box, tile_grid
from macprox.segment import bodies, nuclei
from macprox.segment.cells import grow_cells
from macprox.segment.given import nuclei_of_cells
from macprox.segment.methods import nucleus_method
from macprox.segment.nuclei import label_nuclei
from macprox.segment.objects import anchors, keep_labels, too_wide, touches_frame
from macprox.segment.parameters import SegmentationParameters

if TYPE_CHECKING:
    import dask.array as da


# A wider object is a streak of haze or a fold, whatever found it. No halo holds objects of any
# extent, so that this bound is also what makes labels independent of the tiling.
MAX_NUCLEUS_DIAMETERS = 5.0


@dataclass(frozen=True)
class TileLabels:
    """Objects of one tile, on its outer box.

    Parameters
    ----------
    nuclei, cells : (y, x) int32
        Labels; a nucleus and its cell share theirs, bodies without a nucleus follow after.
    anchor_px : (n + 1,) int64
        Raster index on the slide of each label's first pixel (of the nucleus where there is one).
    cut : (n + 1,) bool
        Labels that reach the tile's frame inside the slide.
    clump : (n + 1,) bool
        Bodies cut from a marker area wider than one macrophage can be.
    streak_px : (k,) int64
        First pixels of what looked like nuclei and was left out for its width.
    """

    nuclei: np.ndarray
    cells: np.ndarray
    anchor_px: np.ndarray
    cut: np.ndarray
    clump: np.ndarray
    streak_px: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))

    def owned(self, outer: Box, core: Box, slide_width_px: int) -> np.ndarray:
        """(n + 1,) bool: the labels whose anchor lies in the core."""
        y, x = np.divmod(self.anchor_px, slide_width_px)
        return (self.anchor_px >= 0) & core.holds(y, x)

    def n_streaks(self, core: Box, slide_width_px: int) -> int:
        """How many of the streaks begin in a core."""
        return int(core.holds(*np.divmod(self.streak_px, slide_width_px)).sum())


def halo_um(parameters: SegmentationParameters, pixel_size_um: float) -> float:
    """How far a tile must look beyond its core for its objects not to depend on the tiling."""
    of_nuclei = nucleus_method(parameters.method).halo_um(parameters, pixel_size_um)
    # Whether an object beside the core's cells is too wide shows over that width.
    widest = (MAX_NUCLEUS_DIAMETERS + 1) * parameters.nucleus_diameter_um
    return _with_cells_um(max(of_nuclei, widest), parameters)


def given_halo_um(extent_um: float, parameters: SegmentationParameters) -> float:
    """The same for given nuclei or cells, the largest of which is so long.

    Once to see a core's objects whole, once more to see those whole that compete with them.
    """
    if parameters.cells_are_given:
        return max(2 * extent_um, extent_um + nuclei.halo_um(parameters))
    return _with_cells_um(2 * extent_um + 2 * parameters.expansion_um, parameters)


def _with_cells_um(of_nuclei: float, parameters: SegmentationParameters) -> float:
    halo = of_nuclei + parameters.nucleus_diameter_um
    if parameters.macrophages.channels:
        halo = max(halo, bodies.halo_um(parameters.macrophages, of_nuclei))
    return halo


def segment_tile(
    stain: np.ndarray,
    body_marker: np.ndarray | None,
    outer: Box,
    slide: tuple[tuple[int, int], float],
    statistics: StainStatistics,
    parameters: SegmentationParameters,
) -> TileLabels:
    """Nuclei and cells of one tile.

    Parameters
    ----------
    stain : (y, x) number
        Nuclear channel on the tile's outer box.
    body_marker : (y, x) int32, bool or None
        Levels of a macrophage marker, 0 where negative (`macprox.segment.bodies.marker_levels`).
    outer : Box
    slide : ((int, int), float)
        Shape ``(y, x)`` of the slide and its pixel size in micrometres.
    statistics : StainStatistics
    parameters : SegmentationParameters
    """
    method = nucleus_method(parameters.method)
    nucleus_labels = method.label(stain, outer, slide, statistics, parameters)
    streaks = _streaks(nucleus_labels, slide[1], parameters)
    streak_px = anchors(nucleus_labels, outer, slide[0][1])[streaks]
    nucleus_labels = _without(nucleus_labels, streaks)
    found = cells_around(nucleus_labels, body_marker, outer, slide, parameters)
    return replace(found, streak_px=streak_px)


def _streaks(
    nucleus_labels: np.ndarray, pixel_size_um: float, parameters: SegmentationParameters
) -> np.ndarray:
    widest_um = MAX_NUCLEUS_DIAMETERS * parameters.nucleus_diameter_um
    return too_wide(nucleus_labels, widest_um / pixel_size_um)


def _without(nucleus_labels: np.ndarray, streaks: np.ndarray) -> np.ndarray:
    return keep_labels(nucleus_labels, ~streaks) if streaks.any() else nucleus_labels


def cells_around(
    nucleus_labels: np.ndarray,
    body_marker: np.ndarray | None,
    outer: Box,
    slide: tuple[tuple[int, int], float],
    parameters: SegmentationParameters,
) -> TileLabels:
    """Cells of one tile around its nuclei ``(y, x)`` int32; else as `segment_tile`."""
    slide_shape, pixel_size_um = slide
    cell_labels = grow_cells(nucleus_labels, parameters.expansion_um, pixel_size_um)
    if body_marker is None:
        return named_by_anchors(nucleus_labels, cell_labels, outer, slide_shape)
    found = bodies.macrophage_bodies(
        nucleus_labels, cell_labels, body_marker, (outer, pixel_size_um), parameters.macrophages
    )
    return named_by_anchors(nucleus_labels, found.cells, outer, slide_shape, found.clump)


def given_cells(
    cell_labels: np.ndarray,
    stain: np.ndarray,
    outer: Box,
    slide: tuple[tuple[int, int], float],
    statistics: StainStatistics,
    parameters: SegmentationParameters,
) -> TileLabels:
    """Cells ``(y, x)`` int32 of one tile as they are, with their nuclei; else as `segment_tile`.

    No model is needed: the model-free method says where nuclear stain is.
    """
    stained = label_nuclei(stain, slide[1], statistics, parameters)
    min_area_px = parameters.min_nucleus_area_um2 / slide[1] ** 2
    nucleus_labels = nuclei_of_cells(cell_labels, stained, min_area_px)
    return named_by_anchors(nucleus_labels, cell_labels, outer, slide[0])


def named_by_anchors(
    nucleus_labels: np.ndarray,
    cell_labels: np.ndarray,
    outer: Box,
    slide_shape: tuple[int, int],
    clump: np.ndarray | None = None,
) -> TileLabels:
    """Nuclei and cells ``(y, x)`` int32 that share their labels, and where they begin."""
    anchor_px = anchors(cell_labels, outer, slide_shape[1])
    of_nucleus = anchors(nucleus_labels, outer, slide_shape[1])
    has_nucleus = np.flatnonzero(of_nucleus >= 0)
    anchor_px[has_nucleus] = of_nucleus[has_nucleus]
    return TileLabels(
        nuclei=nucleus_labels,
        cells=cell_labels,
        anchor_px=anchor_px,
        cut=touches_frame(cell_labels, outer, slide_shape),
        clump=np.zeros(len(anchor_px), bool) if clump is None else clump,
    )


def segment_nuclei(
    stain: np.ndarray | da.Array,
    pixel_size_um: float,
    parameters: SegmentationParameters | None = None,
    statistics: StainStatistics | None = None,
) -> Any:
    """Label the nuclei of an image.

    Parameters
    ----------
    stain : (y, x) numpy or dask array
        Nuclear channel.
    pixel_size_um : float
    parameters : SegmentationParameters, optional
    statistics : StainStatistics, optional
        Of the slide. Estimated from the image when absent; for a dask array that reads a
        lattice of its pixels at once.

    Returns
    -------
    (y, x) int64, of the same kind as ``stain``
        0 is background. numpy: labels 1..n in raster order of first pixels. dask: every label is
        its nucleus's anchor plus one (raster index of the first pixel on the whole image), so
        that blocks agree without talking to each other; the same objects, named differently.
    """
    parameters = parameters or SegmentationParameters()
    if isinstance(stain, np.ndarray):
        statistics = statistics or nuclei.describe(stain, pixel_size_um)
        whole = Box(0, stain.shape[0], 0, stain.shape[1])
        method = nucleus_method(parameters.method)
        slide = stain.shape, pixel_size_um
        labels = method.label(stain, whole, slide, statistics, parameters)
        streaks = _streaks(labels, pixel_size_um, parameters)
        return _without(labels, streaks).astype(np.int64)
    if statistics is None:
        statistics = _describe_lazily(stain, pixel_size_um)
    halo_px = int(np.ceil(halo_um(parameters, pixel_size_um) / pixel_size_um))
    return stain.map_overlap(
        _anchor_block,
        depth=halo_px,
        boundary="none",
        trim=False,
        dtype=np.int64,
        meta=np.empty((0, 0), np.int64),
        chunks=stain.chunks,
        frame=(stain.shape, stain.chunks, halo_px),
        pixel_size_um=pixel_size_um,
        statistics=statistics,
        parameters=parameters,
    )


def _describe_lazily(stain: da.Array, pixel_size_um: float) -> StainStatistics:
    """`nuclei.describe` on a lattice of the image."""
    import dask

    step = max(1, round((stain.size / 1e6) ** 0.5))
    options = {"depth": 8, "boundary": "none", "dtype": np.float32}
    smoothed = stain.map_overlap(nuclei.smooth, pixel_size_um=pixel_size_um, **options)
    rough = stain.map_overlap(roughness, **options)
    sample, grain = dask.compute(smoothed[::step, ::step], rough[::step, ::step])
    return StainStatistics.from_sample(sample).with_grain(sample, grain)


def _anchor_block(stain, frame, pixel_size_um, statistics, parameters, block_info=None):
    """One dask block, named by anchors and trimmed to its core."""
    shape, chunks, halo_px = frame
    row, column = block_info[0]["chunk-location"]
    y0, x0 = sum(chunks[0][:row]), sum(chunks[1][:column])
    core = Box(y0, y0 + chunks[0][row], x0, x0 + chunks[1][column])
    outer = Box(
        max(core.y0 - halo_px, 0),
        min(core.y1 + halo_px, shape[0]),
        max(core.x0 - halo_px, 0),
        min(core.x1 + halo_px, shape[1]),
    )
    method = nucleus_method(parameters.method)
    labels = method.label(stain, outer, (shape, pixel_size_um), statistics, parameters)
    labels = _without(labels, _streaks(labels, pixel_size_um, parameters))
    return (anchors(labels, outer, shape[1]) + 1)[labels[core.within(outer)]]


def segment_cells(
    nucleus_labels: np.ndarray,
    pixel_size_um: float,
    body_marker: np.ndarray | None = None,
    parameters: SegmentationParameters | None = None,
) -> np.ndarray:
    """Cells around given nuclei, in memory.

    Parameters
    ----------
    nucleus_labels : (y, x) int
    pixel_size_um : float
    body_marker : (y, x) bool or int, optional
        Pixels positive for a macrophage marker, or its levels there
        (`macprox.segment.bodies.marker_levels`), by which neighbours share out what they touch.

    Returns
    -------
    (y, x) int32
        Cells share their nucleus's label; bodies without a nucleus follow after.
    """
    parameters = parameters or SegmentationParameters()
    labels = np.asarray(nucleus_labels).astype(np.int32)
    cells = grow_cells(labels, parameters.expansion_um, pixel_size_um)
    if body_marker is None:
        return cells
    whole = Box(0, labels.shape[0], 0, labels.shape[1])
    return bodies.macrophage_bodies(
        labels, cells, body_marker, (whole, pixel_size_um), parameters.macrophages
    ).cells


def tiles_of(shape: tuple[int, int], core_px: int, pixel_size_um: float, parameters):
    """The tiles that segment a slide, with the halo that these parameters need."""
    return tile_grid(
        shape, core_px, int(np.ceil(halo_um(parameters, pixel_size_um) / pixel_size_um))
    )
