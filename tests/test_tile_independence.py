"""The same labels, names included, and the same table to the last bit, however a slide is cut."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import ndimage as ndi

import macprox as mp
import scenes
import small_runs
from macprox.image.stain import StainStatistics
from macprox.image.tiles import Box, Tile, tile_grid
from macprox.measure import cell_table, measure_tile
from macprox.pipeline import RunOptions, Workers
from macprox.segment import MacrophageParameters, SegmentationParameters
from macprox.segment.bodies import body_threshold, marker_levels
from macprox.segment.methods import EXACT
from macprox.segment.nuclei import describe
from macprox.segment.whole import segment_tile, tiles_of

WHOLE = 10**6  # pixels: one tile
PIXEL_SIZES_UM = (0.25, 0.325, 0.5, 0.65)
TILES_PX = (256, 512, 1024, 2048)
BODIES = MacrophageParameters(channels=("CD68",))


@dataclass(frozen=True)
class Sight:
    """One slide in memory: a nuclear stain and a macrophage marker, both corrected."""

    stain: np.ndarray
    marker: np.ndarray
    pixel_size_um: float

    @cached_property
    def statistics(self) -> StainStatistics:
        return describe(self.stain, self.pixel_size_um)

    @cached_property
    def threshold(self) -> float:
        return body_threshold(self.marker[::3, ::3])

    def segmented(self, method: str, tiles: list[Tile]) -> Segmented:
        """What these tiles make of the slide, as `macprox run` puts it together."""
        shape, px = self.stain.shape, self.pixel_size_um
        parameters = SegmentationParameters(method=method, macrophages=BODIES)
        canvas = np.zeros((2, *shape), np.int64)
        parts, n_cut = [], 0
        for tile in tiles:
            window = tile.outer.slices
            marker = marker_levels(self.marker[window], self.threshold, px)
            labels = segment_tile(
                self.stain[window], marker, tile.outer, (shape, px), self.statistics, parameters
            )
            owned = labels.owned(tile.outer, tile.core, shape[1])
            channels = [("DAPI", self.stain[window]), ("CD68", self.marker[window])]
            part = measure_tile(
                labels.nuclei, labels.cells, owned, (tile.outer, shape, px), channels
            )
            parts.append(part | {
                "anchor_px": labels.anchor_px[owned], "clump": labels.clump[owned],
            })  # fmt: skip
            n_cut += int(labels.cut[owned].sum())
            inside = tile.core.within(tile.outer)
            for layer, array in zip(canvas, (labels.nuclei, labels.cells), strict=True):
                layer[tile.core.slices] = (labels.anchor_px + 1)[array[inside]]
        return Segmented(canvas, cell_table(parts, "s", ["DAPI", "CD68"]), n_cut)

    def tiles(self, method: str, core_px: int) -> list[Tile]:
        if core_px == WHOLE:
            return tile_grid(self.stain.shape, WHOLE, 0)
        parameters = SegmentationParameters(method=method, macrophages=BODIES)
        return tiles_of(self.stain.shape, core_px, self.pixel_size_um, parameters)


@dataclass(frozen=True)
class Segmented:
    """Anchors plus one of nuclei and cells ``(2, y, x)``, the cell table, kept cut objects."""

    labels: np.ndarray
    table: pd.DataFrame
    n_cut: int

    def mismatches(self, other: Segmented) -> tuple[int, int]:
        """Pixels whose label differs; rows of either table without their like in the other."""
        both = pd.concat([self.table, other.table]).drop(columns="cell_id")
        return int((self.labels != other.labels).sum()), len(both.drop_duplicates(keep=False))


def crowded(shape: tuple[int, int], pixel_size_um: float, seed: int = 3) -> Sight:
    """Touching nuclei, macrophages with and without, marked debris wider than any of them."""
    zoom = pixel_size_um / scenes.PIXEL_SIZE_UM
    scene = scenes.crowd(int(max(shape) * zoom) + 2, seed)
    y, x = (np.arange(side) * zoom for side in shape)
    at = np.ix_(y.astype(int), x.astype(int))
    rng = np.random.default_rng(seed)
    debris = ndi.gaussian_filter(rng.normal(size=scene.truth.shape), 30) > 0.012
    bodies = ndi.binary_dilation(scene.truth % 9 == 1, iterations=9) | debris
    bodies &= ndi.gaussian_filter(rng.normal(size=scene.truth.shape), 3) > -0.2
    nuclei = (scene.truth > 0) & (scene.truth % 18 != 1) & ~debris
    stain, marker = (
        scenes.exposed(mask[at], seed + i, 0.5 / pixel_size_um).astype(np.float32)
        - np.float32(scenes.BACKGROUND)
        for i, mask in enumerate((nuclei, bodies))
    )
    return Sight(stain, marker, pixel_size_um)


@pytest.fixture(params=list(EXACT))
def method(request) -> str:
    if request.param == "unet":
        pytest.importorskip("onnxruntime")
    return request.param


def assert_independent(sight: Sight, method: str, tiles_px, n_cells: int) -> None:
    whole = sight.segmented(method, sight.tiles(method, WHOLE))
    assert len(whole.table) > n_cells
    assert not whole.table["has_nucleus"].all()
    for core_px in tiles_px:
        tiles = sight.tiles(method, core_px)
        assert len(tiles) > 1
        tiled = sight.segmented(method, tiles)
        assert tiled.mismatches(whole) == (0, 0), core_px
        pd.testing.assert_frame_equal(tiled.table, whole.table, check_exact=True)
        assert tiled.n_cut == 0


def test_tiles_of_256_agree_with_the_whole(method):
    assert_independent(crowded((420, 640), 0.5), method, (256,), n_cells=200)


def test_fine_pixels_too(method):
    assert_independent(crowded((300, 560), 0.325), method, (256,), n_cells=50)


def test_the_comparison_notices_a_halo_that_is_too_small():
    """The control of everything here."""
    sight = crowded((420, 640), 0.5)
    whole = sight.segmented("watershed", sight.tiles("watershed", WHOLE))
    narrow = sight.segmented("watershed", tile_grid(sight.stain.shape, 256, 8))
    pixels, rows = narrow.mismatches(whole)
    assert pixels > 100
    assert rows > 5
    assert narrow.n_cut > 0


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    seed=st.integers(0, 2**16),
    corner=st.tuples(st.integers(0, 200), st.integers(0, 200)),
    core_px=st.integers(24, 90),
)
def test_any_core_anywhere_sees_what_the_whole_sees(seed, corner, core_px):
    """Random crowded scenes, random tile origins: a core with its halo, against the whole."""
    sight = crowded((300, 310), 0.65, seed)
    parameters = SegmentationParameters(method="watershed", macrophages=BODIES)
    whole = sight.segmented("watershed", sight.tiles("watershed", WHOLE))
    core = Box(corner[0], corner[0] + core_px, corner[1], corner[1] + core_px)
    halo_px = tiles_of((9999, 9999), 64, 0.65, parameters)[0].outer.x1 - 64
    outer = Box(
        max(core.y0 - halo_px, 0),
        min(core.y1 + halo_px, 300),
        max(core.x0 - halo_px, 0),
        min(core.x1 + halo_px, 310),
    )
    seen = sight.segmented("watershed", [Tile(0, core, outer)])
    np.testing.assert_array_equal(
        seen.labels[:, *core.slices], whole.labels[:, *core.slices], err_msg=f"{core}"
    )
    mine = whole.table[whole.table["anchor_px"].isin(seen.table["anchor_px"])]
    pd.testing.assert_frame_equal(
        seen.table.drop(columns="cell_id"),
        mine.drop(columns="cell_id").reset_index(drop=True),
        check_exact=True,
    )


# --- the full matrix


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("pixel_size_um", PIXEL_SIZES_UM)
def test_every_tile_size_at_every_scale(method, pixel_size_um):
    assert_independent(crowded((900, 2304), pixel_size_um), method, TILES_PX, n_cells=600)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("image", ["mibi", "nuclei"])
def test_real_images(method, shared_data, image):
    sight = {"mibi": mibi, "nuclei": mosaic}[image](shared_data)
    assert_independent(sight, method, (256, 512), n_cells=300)


def mibi(shared_data: Path) -> Sight:
    """Ion counts of a breast tumour: histone and CD68."""
    folder = sorted((shared_data / "mibi_breast").glob("Point*"))[0]
    stain, marker = (
        tifffile.imread(folder / f"{name}.tif").astype(np.float32) for name in ("HH3", "CD68")
    )
    return Sight(stain, marker, 500 / 1024)


def mosaic(shared_data: Path) -> Sight:
    """Fluorescence nuclei of one microscope side by side, a pattern of marker over them."""
    folder = shared_data / "nuclei_dsb2018"
    pages = [
        page
        for path in sorted((folder / "images").iterdir())
        if (page := tifffile.imread(path)).shape[:2] == (256, 256)
    ][:16]
    pages = [(page if page.ndim == 2 else page[..., 0]).astype(np.float32) for page in pages]
    stain = np.block([pages[4 * row : 4 * row + 4] for row in range(4)])
    rng = np.random.default_rng(0)
    return Sight(stain, 9000 * ndi.gaussian_filter(rng.normal(size=stain.shape), 7), 0.58)


# --- files, workers and processes


@contextmanager
def cluster(processes: bool) -> Iterator[str]:
    distributed = pytest.importorskip("distributed", reason="macprox[cluster] is not installed")
    with distributed.LocalCluster(
        n_workers=2 if processes else 1,
        threads_per_worker=1 if processes else 2,
        processes=processes,
        dashboard_address=None,
    ) as started:
        yield started.scheduler_address


def run(slide: Path, study: Path, out: Path, tile_px: int, workers: Workers) -> mp.SlideResult:
    with small_runs.without_reports():
        return mp.run(slide, study, out, options=RunOptions(tile_px=tile_px, workers=workers))[0]


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("pixel_size_um", [0.5, 0.25])
def test_every_way_to_run_writes_the_same_files(method, tmp_path, pixel_size_um):
    image = small_runs.tissue(1060)
    slide = small_runs.write_slide(tmp_path / "s.ome.tif", image, pixel_size_um=pixel_size_um)
    study = small_runs.write_study(
        tmp_path / "study.toml",
        ("[segmentation.macrophages]", f'[segmentation]\nmethod = "{method}"\n'
         "[segmentation.macrophages]"),
    )  # fmt: skip
    whole = run(slide, study, tmp_path / "whole", 2048, Workers(1))
    assert len(whole.cells()) > 300
    assert whole.manifest["segmentation"]["n_cut"] == 0
    for tile_px, n_workers in ((512, 1), (512, 2), (1024, 1), (1024, 2), (2048, 2)):
        found = run(slide, study, tmp_path / f"{tile_px}_{n_workers}", tile_px, Workers(n_workers))
        assert_same_files(found, whole)
    for processes in (False, True):
        with cluster(processes) as address:
            workers = Workers(scheduler=address)
            found = run(slide, study, tmp_path / f"cluster_{processes}", 512, workers)
        assert_same_files(found, whole)


def assert_same_files(found: mp.SlideResult, expected: mp.SlideResult) -> None:
    for name in ("nuclei", "cells"):
        np.testing.assert_array_equal(
            np.asarray(found.labels(name)), np.asarray(expected.labels(name))
        )
    pd.testing.assert_frame_equal(found.cells(), expected.cells(), check_exact=True)
