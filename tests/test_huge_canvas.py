"""Slides larger than 2^16 pixels a side: anchors beyond 2^32, and nothing sized by them."""

from __future__ import annotations

import tracemalloc
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import zarr

import scenes
from macprox.image.tiles import Box, Tile
from macprox.io.labels import LabelImage, ranks
from macprox.measure import cell_table, measure_tile
from macprox.segment import MacrophageParameters, SegmentationParameters
from macprox.segment.bodies import marker_levels
from macprox.segment.methods import EXACT
from macprox.segment.nuclei import describe
from macprox.segment.whole import TileLabels, segment_tile, tiles_of
from macprox.slide import Slide

PX = scenes.PIXEL_SIZE_UM
CORE_PX = 512
STAINED_PX = 1024  # of the far corner there is tissue


@dataclass(frozen=True)
class FarCorner:
    """Tissue in the lower right corner of a canvas that no memory could hold."""

    shape: tuple[int, int]
    tissue: np.ndarray

    def read(self, level: int, channel: int, y: slice, x: slice) -> np.ndarray:
        top, left = (side - n for side, n in zip(self.shape, self.tissue.shape[1:], strict=True))
        window = np.full((y.stop - y.start, x.stop - x.start), int(scenes.BACKGROUND), np.uint16)
        inside = (
            slice(max(top - y.start, 0), self.shape[0] - y.start),
            slice(max(left - x.start, 0), self.shape[1] - x.start),
        )
        here = self.tissue[
            channel,
            max(y.start - top, 0) : max(y.stop - top, 0),
            max(x.start - left, 0) : max(x.stop - left, 0),
        ]
        window[inside][: here.shape[0], : here.shape[1]] = here
        return window


@dataclass(frozen=True)
class Found:
    tiles: list[Tile]
    labels: list[TileLabels]
    cells: pd.DataFrame


def found_in_corner(slide: Slide, method: str) -> Found:
    """What the four last tiles of a slide hold."""
    parameters = SegmentationParameters(
        method=method, macrophages=MacrophageParameters(channels=("CD68",))
    )
    statistics = describe(slide.source.tissue[0], PX)
    every = tiles_of(slide.shape, CORE_PX, PX, parameters)
    corner = [side - STAINED_PX for side in slide.shape]
    tiles = [t for t in every if t.core.y0 >= corner[0] and t.core.x0 >= corner[1]]
    labels, parts = [], []
    for tile in tiles:
        stain, marker = (slide.read(name, *tile.outer.slices) for name in ("DAPI", "CD68"))
        levels = marker_levels(marker - np.float32(scenes.BACKGROUND), 450.0, PX)
        found = segment_tile(stain, levels, tile.outer, (slide.shape, PX), statistics, parameters)
        owned = found.owned(tile.outer, tile.core, slide.shape[1])
        frame = (tile.outer, slide.shape, PX)
        part = measure_tile(found.nuclei, found.cells, owned, frame, [("CD68", marker)])
        parts.append(part | {"anchor_px": found.anchor_px[owned], "clump": found.clump[owned]})
        labels.append(found)
    return Found(tiles, labels, cell_table(parts, "far", ["CD68"]))


def canvas(side_px: int) -> Slide:
    scene = scenes.crowd(STAINED_PX)
    tissue = np.stack([scene.nuclear, scene.marker])
    shape = (side_px, side_px)
    return Slide(
        slide_id="far",
        path=Path("far"),
        format="virtual",
        channels=("DAPI", "CD68"),
        pixel_size_um=PX,
        level_shapes=(shape,),
        dtype=tissue.dtype,
        source=FarCorner(shape, tissue),
    )


@pytest.fixture(scope="module", params=list(EXACT))
def near(request) -> tuple[str, Found]:
    """The same tissue with nothing around it but one tile."""
    return request.param, found_in_corner(canvas(2 * STAINED_PX), request.param)


@pytest.mark.parametrize("side_px", [2**17])
def test_the_far_corner_is_like_any_other(near, side_px):
    method, expected = near
    slide = canvas(side_px)
    tracemalloc.start()
    found = found_in_corner(slide, method)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 300e6  # an array sized by anchors would take 34 GB and more
    assert len(found.cells) > 500
    moved_px = side_px - 2 * STAINED_PX
    y, x = np.divmod(found.cells["anchor_px"].to_numpy(np.int64), side_px)
    assert found.cells["anchor_px"].dtype == np.uint64
    assert (y.min(), x.min()) >= (side_px - STAINED_PX, side_px - STAINED_PX)
    there = np.divmod(expected.cells["anchor_px"].to_numpy(np.int64), 2 * STAINED_PX)
    np.testing.assert_array_equal(y - moved_px, there[0])
    np.testing.assert_array_equal(x - moved_px, there[1])
    moved = ["anchor_px", "x_um", "y_um"]
    pd.testing.assert_frame_equal(
        found.cells.drop(columns=moved), expected.cells.drop(columns=moved), check_exact=True
    )
    for name in ("x_um", "y_um"):
        np.testing.assert_allclose(
            found.cells[name] - moved_px * PX, expected.cells[name], atol=1e-9
        )


def test_anchors_of_the_largest_canvas_pass_32_bits(near):
    """The control: what clips at 32 bits would be seen here."""
    assert near[1].cells["anchor_px"].max() < 2**32
    found = found_in_corner(canvas(2**17), "watershed")
    assert found.cells["anchor_px"].min() > 2**33


def test_a_canvas_of_65535_a_side_ends_in_a_part_of_a_tile():
    """One pixel short of whole tiles: the last are 511 pixels high and wide."""
    slide = canvas(2**16 - 1)
    found = found_in_corner(slide, "watershed")
    last = found.tiles[-1].core
    assert (last.y1, last.x1) == (65535, 65535)
    assert last.shape == (511, 511)
    assert len(found.cells) > 100
    assert found.cells["anchor_px"].is_unique


def test_labels_are_written_where_they_belong(tmp_path):
    slide = canvas(2**17)
    found = found_in_corner(slide, "watershed")
    ranked = found.cells["anchor_px"].to_numpy(np.uint64)
    image = LabelImage(tmp_path / "cells", slide.shape, CORE_PX)
    image.create()
    for tile, labels in zip(found.tiles, found.labels, strict=True):
        ids = ranks(labels.anchor_px, ranked)
        core = tile.core
        image.write_tile(core.y0, core.x0, ids[labels.cells[core.within(tile.outer)]])
    written = zarr.open_array(str(tmp_path / "cells" / "0"), mode="r")
    assert written.shape == slide.shape
    corner = slice(2**17 - STAINED_PX, 2**17)
    ids, areas = np.unique(written[corner, corner], return_counts=True)
    np.testing.assert_array_equal(ids[1:], found.cells["cell_id"])
    # Cells that reach out of the four tiles are written in part.
    whole = (found.cells[["x_um", "y_um"]] > (2**17 - STAINED_PX) * PX + 20).all(axis=1).to_numpy()
    assert whole.sum() > 500
    np.testing.assert_array_equal(areas[1:][whole] * PX**2, found.cells["cell_area_um2"][whole])


def test_ranks_of_anchors_beyond_32_bits():
    anchors = np.array([-1, 7, 2**32 + 7, 2**34, 2**34 + 1], np.int64)
    ranked = np.array([7, 2**32 + 7, 2**34], np.uint64)
    assert ranks(anchors, ranked).tolist() == [0, 1, 2, 3, 0]


def test_a_box_at_the_far_corner_holds_its_own_pixels_only():
    box = Box(2**17 - 10, 2**17, 2**17 - 10, 2**17)
    y = np.array([2**17 - 11, 2**17 - 10, 2**17 - 1])
    assert box.holds(y, np.full(3, 2**17 - 1)).tolist() == [False, True, True]
