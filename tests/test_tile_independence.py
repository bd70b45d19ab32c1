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
from macprox.segment.whole import halo_um, segment_tile, tiles_of

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
    # Controls: bodies of their own, and bodies that grew far beyond their nuclei.
    assert (~whole.table["has_nucleus"]).sum() > 5
    assert (whole.table["cell_area_um2"] > 300).sum() > 2
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


@pytest.mark.parametrize("shape", [(1, 613), (613, 1), (3, 700), (251, 613)])
def test_slivers_and_prime_sides_too(method, shape):
    sight = crowded(shape, 0.65)
    whole = sight.segmented(method, sight.tiles(method, WHOLE))
    assert (len(whole.table) > 100) == (min(shape) > 100)
    for core_px in (101, 256):
        tiled = sight.segmented(method, sight.tiles(method, core_px))
        assert tiled.mismatches(whole) == (0, 0), core_px


def test_the_comparison_notices_a_halo_that_is_too_small():
    """The control of everything here."""
    sight = crowded((420, 640), 0.5)
    whole = sight.segmented("watershed", sight.tiles("watershed", WHOLE))
    narrow = sight.segmented("watershed", tile_grid(sight.stain.shape, 256, 8))
    pixels, rows = narrow.mismatches(whole)
    assert pixels > 100
    assert rows > 5
    assert narrow.n_cut > 0


CORES = {
    "seed": st.integers(0, 2**16),
    "corner": st.tuples(st.integers(0, 400), st.integers(0, 400)),
    "core_px": st.integers(24, 90),
}
SOME = settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))


@SOME
@given(**CORES)
def test_any_core_anywhere_sees_what_the_whole_sees(method, seed, corner, core_px):
    """Random crowded scenes, random tile origins: a core with its halo, against the whole."""
    assert_core_sees_the_same(crowded((480, 470), 0.65, seed), method, corner, core_px)


def assert_core_sees_the_same(sight: Sight, method: str, corner, core_px: int) -> None:
    height, width = sight.stain.shape
    y0, x0 = min(corner[0], height - core_px), min(corner[1], width - core_px)
    core = Box(y0, y0 + core_px, x0, x0 + core_px)
    parameters = SegmentationParameters(method=method, macrophages=BODIES)
    halo_px = int(np.ceil(halo_um(parameters, sight.pixel_size_um) / sight.pixel_size_um))
    outer = Box(
        max(core.y0 - halo_px, 0),
        min(core.y1 + halo_px, height),
        max(core.x0 - halo_px, 0),
        min(core.x1 + halo_px, width),
    )
    assert np.prod(outer.shape) < sight.stain.size  # control: the core's tile is not the whole
    whole = sight.segmented(method, sight.tiles(method, WHOLE))
    seen = sight.segmented(method, [Tile(0, core, outer)])
    np.testing.assert_array_equal(
        seen.labels[:, *core.slices], whole.labels[:, *core.slices], err_msg=f"{core}"
    )
    y, x = np.divmod(whole.table["anchor_px"].to_numpy(np.int64), width)
    mine = whole.table[core.holds(y, x)]
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
@pytest.mark.parametrize("image", ["mibi", "nuclei", "tissue"])
def test_real_images(method, shared_data, image):
    sight = {"mibi": mibi, "nuclei": mosaic, "tissue": tissue}[image](shared_data)
    assert_independent(sight, method, (256, 512, 347), n_cells=300)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_streaks_of_haze_are_no_nuclei(shared_data, monkeypatch):
    """The control: with objects of any width, a field of haze depends on where it is cut."""
    sight = tissue(shared_data)
    monkeypatch.setattr("macprox.segment.whole.MAX_NUCLEUS_DIAMETERS", 100.0)
    uncut = sight.segmented("watershed", sight.tiles("watershed", WHOLE))
    tiled = sight.segmented("watershed", tile_grid(sight.stain.shape, 256, 162))
    assert tiled.mismatches(uncut)[0] > 100


def mibi(shared_data: Path) -> Sight:
    """Ion counts of a breast tumour: histone and CD68."""
    folder = sorted((shared_data / "mibi_breast").glob("Point*"))[0]
    stain, marker = (
        tifffile.imread(folder / f"{name}.tif").astype(np.float32) for name in ("HH3", "CD68")
    )
    return Sight(stain, marker, 500 / 1024)


def mosaic(shared_data: Path) -> Sight:
    """The fields of one size with most nuclei, side by side; their borders lie on no seam."""
    folder = shared_data / "nuclei_dsb2018"
    fields = pd.read_csv(folder / "index.csv").query("h == 256 and w == 256")
    fields = fields.sort_values("n_nuclei", ascending=False, kind="stable")["file"]
    pages = [grey(folder / "images" / name) for name in fields[:16]]
    stain = np.block([pages[4 * row : 4 * row + 4] for row in range(4)])[100:, 60:]
    return Sight(stain, patches(stain.shape), 0.58)


def tissue(shared_data: Path) -> Sight:
    """The largest field of tissue: crowded, hazy, of 603 rows."""
    folder = shared_data / "nuclei_dsb2018"
    fields = pd.read_csv(folder / "index.csv").query("tissue_like")
    name = fields.sort_values("n_nuclei", ascending=False, kind="stable")["file"].iloc[0]
    stain = grey(folder / "images" / name)
    return Sight(stain, patches(stain.shape), 0.5)


def grey(path: Path) -> np.ndarray:
    page = tifffile.imread(path).astype(np.float32)
    return page if page.ndim == 2 else page[..., 0]


def patches(shape: tuple[int, ...]) -> np.ndarray:
    """Marker without regard to nuclei: around some, beside others, and where there are none."""
    rng = np.random.default_rng(0)
    pattern = ndi.gaussian_filter(rng.normal(size=shape), 12)
    return scenes.exposed(pattern > 0.8 * pattern.std(), 1).astype(np.float32)


# --- files, workers and processes


@contextmanager
def cluster(processes: bool) -> Iterator[str]:
    distributed = pytest.importorskip("distributed", reason="macprox[cluster] is not installed")
    with distributed.LocalCluster(
        n_workers=2 if processes else 1,
        threads_per_worker=1 if processes else 2,
        processes=processes,
        dashboard_address="127.0.0.1:0",
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
