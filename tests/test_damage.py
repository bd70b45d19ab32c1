"""Places of a slide that do not decode: refused by name, or left out where a run allows it."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
import zarr

import macprox as mp
import slide_files
import small_runs
from macprox.cli import SOME_FAILED
from macprox.errors import DamageError, SlideError
from macprox.image.damage import (
    Damage,
    damage_of,
    damaged_pieces,
    n_damaged_px,
    stretches,
    without_damage,
)
from macprox.image.tiles import Box
from macprox.io.arrays import read_arrays
from macprox.io.images import open_slide, reopen_slide
from macprox.io.label_file import open_label_file
from macprox.pipeline.damage import REACH_UM
from small_runs import macprox

TILE_PX = 128
# One inside the tissue, one at its rim.
BROKEN = (Box(128, 256, 384, 512), Box(512, 640, 512, 640))
PLACES = (
    "'field.ome.tif', channel 'CD68', tile row 1, column 3 (pixels y 128-255, x 384-511)",
    "'field.ome.tif', channel 'CD68', tile row 4, column 4 (pixels y 512-639, x 512-639)",
)
CHECKED = ["cells.parquet", "statistics.parquet", "gates.parquet"]


def break_tiles(path: Path, page: int, tiles: tuple[int, ...], level: int = 0) -> dict[int, bytes]:
    """Overwrite compressed tiles with what no codec takes; the bytes that were there, by offset."""
    with tifffile.TiffFile(path) as tif:
        whole = tif.series[0].levels[level].pages[page]
        places = [(whole.dataoffsets[t], whole.databytecounts[t]) for t in tiles]
    before = {}
    with path.open("r+b") as file:
        for offset, n_bytes in places:
            file.seek(offset)
            before[offset] = file.read(n_bytes)
            file.seek(offset)
            file.write(b"\xff" * n_bytes)
    return before


def mend(path: Path, before: dict[int, bytes]) -> None:
    with path.open("r+b") as file:
        for offset, data in before.items():
            file.seek(offset)
            file.write(data)


@pytest.fixture(scope="module")
def tissue() -> np.ndarray:
    return small_runs.tissue()


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    return small_runs.write_study(tmp_path_factory.mktemp("study") / "study.toml")


def write(path: Path, image: np.ndarray, compression: str = "lzw", **options) -> Path:
    tiled = {"tile": (TILE_PX, TILE_PX), "compression": compression}
    return small_runs.write_slide(path, image, **tiled, **options)


def broken_slide(path: Path, image: np.ndarray, compression: str = "lzw") -> Path:
    """Two tiles of the third channel are broken."""
    write(path, image, compression)
    break_tiles(path, 2, (8, 24))
    return path


def run(path: Path, study: Path, out: Path, *options: object):
    with small_runs.without_reports():
        return macprox("run", path, "-s", study, "-o", out, "--quiet", *options)


@pytest.fixture(scope="module")
def slide(tissue, tmp_path_factory) -> Path:
    return broken_slide(tmp_path_factory.mktemp("broken") / "field.ome.tif", tissue)


@pytest.fixture(scope="module")
def out(slide, study, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("allowed") / "out"
    ended = run(slide, study, out, "--allow-damaged")
    assert ended.code == 0, ended.err
    return out


@pytest.fixture(scope="module")
def result(out) -> mp.SlideResult:
    return mp.open_result(out / "slides" / "field")


def near_damage(cells: pd.DataFrame, boxes=BROKEN, margin_um: float = 0.0) -> np.ndarray:
    """Cells in the boxes or nearer to them than this, along the axes."""
    x, y = cells["x_um"].to_numpy(), cells["y_um"].to_numpy()
    corners = [np.array([box.y0, box.y1, box.x0, box.x1]) / 2 for box in boxes]
    return np.any(
        [
            (y > y0 - margin_um)
            & (y < y1 + margin_um)
            & (x > x0 - margin_um)
            & (x < x1 + margin_um)
            for y0, y1, x0, x1 in corners
        ],
        axis=0,
    )


# --- refused


def test_without_the_option_the_first_place_is_named_and_the_option_told(slide, study, tmp_path):
    ended = run(slide, study, tmp_path / "out")
    assert ended.code == SOME_FAILED
    assert "'field.ome.tif' is damaged: channel 'CD68', tile row 1, column 3" in ended.err
    assert ended.err.rstrip().endswith("run with --allow-damaged, which leaves such places out.")


def test_a_damage_error_says_the_place_and_survives_a_process(slide):
    with pytest.raises(DamageError, match="does not decode") as told:
        open_slide(slide).read("CD68", slice(0, 640), slice(0, 640))
    again = copy.copy(told.value)  # as pickle does it
    assert (again.place, str(again)) == (PLACES[0], str(told.value))


def test_a_slide_of_which_nothing_decodes_is_refused(tissue, study, tmp_path):
    path = write(tmp_path / "gone.ome.tif", tissue[:, :200, :200])
    break_tiles(path, 0, (0, 1, 2, 3))
    ended = run(path, study, tmp_path / "out", "--allow-damaged")
    assert ended.code == SOME_FAILED
    assert "No part of 'gone.ome.tif' decodes in all channels" in ended.err


def test_a_truncated_tiff_stays_refused(tissue, study, tmp_path):
    path = write(tmp_path / "cut.ome.tif", tissue[:, :200, :200])
    slide_files.cut(path, 0.7)
    ended = run(path, study, tmp_path / "out", "--allow-damaged")
    assert ended.code == SOME_FAILED
    assert "'cut.ome.tif' is truncated" in ended.err


def test_a_label_image_is_whole_or_refused(tmp_path):
    path = tmp_path / "labels.tif"
    tifffile.imwrite(path, np.ones((256, 256), np.uint16), tile=(128, 128), compression="lzw")
    break_tiles(path, 0, (1,))
    with pytest.raises(SlideError, match=r"'labels\.tif' is damaged") as told:
        open_label_file(path, "nuclei").read(slice(0, 256), slice(0, 256))
    assert not isinstance(told.value, DamageError)


# --- left out


def test_damaged_places_are_an_exclusion_in_every_output(result):
    regions = result.regions()
    ((reason, area),) = regions.exclusion_reasons
    assert reason == "damaged"
    grown_um = [(64 + 2 * REACH_UM) ** 2, (64 + REACH_UM) ** 2]  # the second touches the rim
    assert area.area == pytest.approx(sum(grown_um))
    assert not regions.observed.intersects(area.buffer(-1e-6))
    assert result.window().area_um2 == pytest.approx(regions.observed.area)
    cells = result.cells()
    near = near_damage(cells, margin_um=REACH_UM - 1e-6)
    assert near.sum() > 20
    assert cells.loc[near, "excluded"].all()
    assert not cells.loc[~near_damage(cells, margin_um=REACH_UM + 1e-6), "excluded"].any()
    assert cells.loc[near, "nearest_tumour_um"].isna().all()


def test_nothing_is_segmented_where_one_channel_is_damaged(result):
    labels = np.asarray(result.labels("cells"))
    for box in BROKEN:
        y, x = box.slices
        assert not labels[y.start + 8 : y.stop - 8, x.start + 8 : x.stop - 8].any()
    assert labels[:128].any(axis=0).mean() > 0.8  # control: cells are everywhere else


def test_the_manifest_says_where_what_and_how_much(result):
    manifest = result.manifest
    damage = manifest["source"]["damage"]
    assert damage["boxes_px"] == [[box.y0, box.y1, box.x0, box.x1] for box in BROKEN]
    assert damage["places"] == list(PLACES)
    assert damage["n_pieces"] == 2
    lost_um2 = result.regions().exclusions.intersection(result.regions().tissue_window).area
    assert manifest["damaged"]["area_mm2"] == pytest.approx(lost_um2 / 1e6)
    (flag,) = (flag for flag in manifest["quality"] if flag["flag"] == "damaged")
    assert flag["level"] == "warning"
    assert flag["value"] == manifest["damaged"]["tissue_frac"] > 0.1
    assert flag["message"].startswith(f"Damaged: {lost_um2 / 1e6:.3g} mm² (")
    assert all(place in flag["message"] for place in PLACES)


def test_the_report_shows_the_damage(result, tmp_path):
    from macprox.report import write_slide_report

    write_slide_report(result, tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "do not decode in all channels" in text
    assert "tile row 1, column 3" in text


def test_what_stands_in_a_damaged_place_is_in_no_number(slide, result, tissue, study, tmp_path):
    other = tissue.copy()
    for box in BROKEN:
        other[(slice(None), *box.slices)] = 4000 - other[(slice(None), *box.slices)]
    assert not np.array_equal(other, tissue)
    path = broken_slide(tmp_path / "field.ome.tif", other)
    assert run(path, study, tmp_path / "out", "--allow-damaged").code == 0
    for name in CHECKED:
        same = tmp_path / "out" / "slides" / "field" / name
        assert same.read_bytes() == (result.path / name).read_bytes()


def test_cells_far_from_the_damage_are_those_of_the_whole_slide(result, tissue, study, tmp_path):
    """Thresholds of the slide come from fewer pixels: nearly every cell is the same to a pixel."""
    path = write(tmp_path / "field.ome.tif", tissue)
    assert run(path, study, tmp_path / "out").code == 0
    whole = mp.open_result(tmp_path / "out" / "slides" / "field").cells()
    far = [cells[~near_damage(cells, margin_um=40)] for cells in (whole, result.cells())]
    assert len(far[0]) == len(far[1]) > 150
    both = far[0].merge(far[1], on="anchor_px", suffixes=("", "_again"))
    assert len(both) > 0.99 * len(far[0])
    marks = ["dapi_positive", "panck_positive", "cd68_positive"]
    for column in [mark for mark in marks if mark in whole]:
        assert (both[column] == both[f"{column}_again"]).all()


@pytest.mark.parametrize("options", [("--tile", 512, "--workers", 1), ("--tile", 256)])
def test_tiles_and_workers_change_nothing(result, slide, study, tmp_path, options):
    assert run(slide, study, tmp_path / "out", "--allow-damaged", *options).code == 0
    again = mp.open_result(tmp_path / "out" / "slides" / "field")
    assert np.array_equal(np.asarray(again.labels("cells")), np.asarray(result.labels("cells")))
    for name in CHECKED:
        assert (again.path / name).read_bytes() == (result.path / name).read_bytes()


def test_a_sound_slide_is_the_same_with_the_option(tissue, study, tmp_path):
    path = write(tmp_path / "field.ome.tif", tissue[:, :256, :256])
    assert run(path, study, tmp_path / "out", "--allow-damaged").code == 0
    folder = tmp_path / "out" / "slides" / "field"
    manifest = mp.open_result(folder).manifest
    assert manifest["damaged"] is None
    assert not any(flag["flag"].startswith("damaged") for flag in manifest["quality"])
    before = small_runs.stages(folder)
    assert run(path, study, tmp_path / "out").code == 0
    assert small_runs.stages(folder) == before


def test_a_broken_chunk_of_ome_zarr_is_left_out(tissue, study, tmp_path):
    path = slide_files.write_ome_zarr(
        tmp_path / "field.ome.zarr", tissue[:, :384, :384], names=small_runs.CHANNELS, chunk=128
    )
    (path / "0" / "c" / "1" / "0" / "2").write_bytes(b"no chunk")
    ended = run(path, study, tmp_path / "out")
    assert "channel 'panCK', chunk row 0, column 2" in ended.err
    assert "--allow-damaged" in ended.err
    assert run(path, study, tmp_path / "out", "--allow-damaged").code == 0
    result = mp.open_result(tmp_path / "out" / "slides" / "field")
    assert result.manifest["source"]["damage"]["boxes_px"] == [[0, 128, 256, 384]]
    assert result.manifest["counts"]["cells_observed"] > 50


# --- again


def test_without_the_option_results_with_damage_are_refused_and_kept(out, slide, study):
    folder = out / "slides" / "field"
    before = {name: (folder / name).read_bytes() for name in CHECKED}
    stages = small_runs.stages(folder)
    ended = run(slide, study, out)
    assert ended.code == SOME_FAILED
    assert "--allow-damaged" in ended.err
    assert {name: (folder / name).read_bytes() for name in CHECKED} == before
    assert small_runs.stages(folder) == stages
    assert run(slide, study, out, "--allow-damaged").code == 0
    assert small_runs.stages(folder) == stages


def test_update_and_review_take_such_results_as_current(out, result, study):
    from macprox.io.store import SlideFolder
    from macprox.pipeline.marks import is_current

    assert is_current(mp.Study.from_toml(study), SlideFolder(result.path))
    stages = small_runs.stages(result.path)
    with small_runs.without_reports(), small_runs.no_pixels():
        assert macprox("update", out, "--quiet").code == 0
    assert small_runs.stages(result.path) == stages
    slide = reopen_slide(result.manifest["source"], "field")
    pixels = slide.read("DAPI", slice(0, 640), slice(0, 640))
    assert not pixels[BROKEN[0].slices].any()
    assert pixels[:128].any()


def test_a_file_that_was_mended_in_its_place_is_read_again(tissue, study, tmp_path):
    path = write(tmp_path / "field.ome.tif", tissue[:, :256, :256])
    before = break_tiles(path, 1, (3,))
    broken = open_slide(path)
    assert run(path, study, tmp_path / "out", "--allow-damaged").code == 0
    folder = tmp_path / "out" / "slides" / "field"
    lost = mp.open_result(folder).manifest["counts"]["cells_observed"]
    mend(path, before)
    # Small files are hashed whole; of a large one the digest may miss two tiles.
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["source"]["fingerprint"] == broken.fingerprint
    manifest["source"]["fingerprint"] = open_slide(path).fingerprint
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    assert run(path, study, tmp_path / "out", "--allow-damaged").code == 0
    again = mp.open_result(folder).manifest
    assert again["damaged"] is None
    assert again["counts"]["cells_observed"] > lost


def test_a_place_that_broke_since_it_was_looked_at_is_looked_for_again(tissue, study, tmp_path):
    path = write(tmp_path / "field.ome.tif", tissue[:, :256, :256])
    assert run(path, study, tmp_path / "out", "--allow-damaged").code == 0
    folder = tmp_path / "out" / "slides" / "field"
    break_tiles(path, 1, (3,))
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    manifest["source"]["fingerprint"] = open_slide(path).fingerprint
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    ended = run(path, study, tmp_path / "out", "--allow-damaged")
    assert ended.code == SOME_FAILED
    assert "It did decode when damage was looked for; run again" in ended.err
    assert run(path, study, tmp_path / "out", "--allow-damaged").code == 0


# --- the pieces


def look(slide: mp.Slide) -> Damage:
    return damage_of(
        piece for part in stretches(slide) for piece in damaged_pieces(part, slide.source)
    )


@pytest.mark.parametrize("compression", ["lzw", "deflate", "zstd"])
def test_every_broken_tile_is_found_and_no_other(tissue, tmp_path, compression):
    path = broken_slide(tmp_path / "field.ome.tif", tissue, compression)
    found = look(open_slide(path))
    assert (found.boxes, found.places, found.unused_levels) == (BROKEN, PLACES, ())
    assert n_damaged_px(found) == 2 * TILE_PX**2


def test_a_broken_strip_costs_its_rows(tmp_path):
    path = tmp_path / "strips.ome.tif"
    slide_files.write_ome(path, slide_files.pixels(), rowsperstrip=16, compression="zlib")
    break_tiles(path, 1, (2, 3))
    found = look(open_slide(path))
    assert found.boxes == (Box(32, 48, 0, 220), Box(48, 64, 0, 220))


def test_a_broken_chunk_in_a_shard_costs_no_other(tmp_path):
    path = slide_files.write_ome_zarr(
        tmp_path / "a.ome.zarr", slide_files.pixels()[:1], names=("A",)
    )
    image = slide_files.pixels()[:1, :128, :128]
    group = zarr.open_group(str(path), mode="r+")
    del group["0"]
    array = group.create_array(
        "0", shape=image.shape, shards=(1, 128, 128), chunks=(1, 64, 64), dtype=image.dtype
    )
    array[...] = image
    (file,) = (p for p in (path / "0" / "c").rglob("*") if p.is_file())
    data = bytearray(file.read_bytes())
    data[0:8] = b"\xff" * 8  # the first chunk lies first
    file.write_bytes(bytes(data))
    assert look(open_slide(path)).boxes == (Box(0, 64, 0, 64),)


def test_a_damaged_level_is_not_used_and_costs_no_tissue(tissue, study, tmp_path):
    path = write(tmp_path / "field.ome.tif", tissue[:, :512, :512], levels=3)
    break_tiles(path, 0, (0,), level=1)
    slide = open_slide(path)
    found = look(slide)
    assert (found.boxes, found.unused_levels, found.n_pieces) == ((), (1,), 1)
    sound = without_damage(slide, found)
    assert sound.level_shapes == (slide.level_shapes[0], slide.level_shapes[2])
    whole = slice(0, 128), slice(0, 128)
    assert np.array_equal(sound.read(0, *whole, level=1), slide.read(0, *whole, level=2))
    assert run(path, study, tmp_path / "out", "--allow-damaged").code == 0
    manifest = mp.open_result(tmp_path / "out" / "slides" / "field").manifest
    assert manifest["damaged"] is None
    assert "damaged_pyramid" in {flag["flag"] for flag in manifest["quality"]}
    stages = small_runs.stages(tmp_path / "out" / "slides" / "field")
    ended = run(path, study, tmp_path / "out")
    assert "of pyramid level 1 does not decode" in ended.err
    assert run(path, study, tmp_path / "out", "--allow-damaged").code == 0
    assert small_runs.stages(tmp_path / "out" / "slides" / "field") == stages


def test_a_large_slide_is_sampled_beside_its_damage(tissue, study, tmp_path, monkeypatch):
    monkeypatch.setattr("macprox.image.survey.WHOLE_PX", 1000)
    monkeypatch.setattr("macprox.image.survey.PICTURE_SIDE_PX", 200)
    path = write(tmp_path / "field.ome.tif", tissue, levels=3)
    break_tiles(path, 2, (8, 24))
    assert run(path, study, tmp_path / "out", "--allow-damaged").code == 0
    folder = mp.open_result(tmp_path / "out" / "slides" / "field").folder
    sample = read_arrays(folder.sample)
    assert len(sample["2"]) > 1000
    assert all(pixels.min() > 0 for pixels in sample.values())
    overview = mp.open_result(folder.path).overview()
    assert (overview.mean > 0).all()  # out of the pyramid, which is whole


def test_sound_pixels_are_read_around_holes_and_the_holes_never():
    image = slide_files.pixels()
    touched = np.zeros(image.shape[1:], int)

    class Watched:
        def read(self, level, channel, y, x):
            touched[y, x] += 1
            return image[channel, y, x]

        def piece_shape(self, level, channel):
            return image.shape[1:]

    holes = (Box(10, 30, 20, 50), Box(30, 60, 40, 90), Box(100, 150, 200, 220))
    bare = mp.Slide.from_array(image, slide_files.NAMES, 0.5)
    damage = Damage(holes, (), 3, ("here",))
    slide = without_damage(mp.Slide(**{**vars(bare), "source": Watched()}), damage)
    pixels = slide.read(1, slice(None), slice(None))
    expected, whole = image[1].copy(), np.ones(image.shape[1:], bool)
    for hole in holes:
        expected[hole.slices], whole[hole.slices] = 0, False
    assert np.array_equal(pixels, expected)
    assert np.array_equal(touched, whole)
    assert np.array_equal(slide.read(1, slice(25, 35), slice(35, 60)), expected[25:35, 35:60])
    assert Damage.from_dict(json.loads(json.dumps(damage.to_dict()))) == damage


def test_each_piece_is_tried_once(tmp_path):
    path = write(tmp_path / "field.ome.tif", slide_files.pixels(shape=(300, 500)))
    slide = open_slide(path)
    seen = np.zeros((3, 300, 500), int)
    for part in stretches(slide):
        for box in part.pieces():
            seen[(part.channel, *box.slices)] += 1
    assert (seen == 1).all()
