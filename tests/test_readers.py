"""Every slide format: the pixels, names and scale that were written, and what is refused."""

from __future__ import annotations

import json
import multiprocessing
import pickle
import struct
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

import slide_files as files
from macprox.errors import MacproxError, PixelSizeError, SlideError
from macprox.io.images import (
    find_slides,
    inspect_slide,
    open_slide,
    slide_id_of,
    unique_slide_ids,
)
from macprox.io.tiff_pages import Handle
from macprox.io.tiff_structure import require_whole_tiff


def everything(slide, level=0):
    return slide.level(level).compute()


# --- pixels ---------------------------------------------------------------------------------

TILED = {"tile": (64, 48)}
STRIPPED = {"rowsperstrip": 37}
STORAGE = {
    "tiled lzw": {**TILED, "compression": "lzw", "predictor": True},
    "tiled deflate": {**TILED, "compression": "zlib"},
    "tiled zstd": {**TILED, "compression": "zstd"},
    "tiled jpeg 2000": {**TILED, "compression": "jpeg2000"},
    "tiled, none": TILED,
    "strips lzw": {**STRIPPED, "compression": "lzw"},
    "strips deflate": {**STRIPPED, "compression": "zlib", "predictor": True},
    "strips, none": STRIPPED,
    "one strip, none": {"rowsperstrip": 150},
    "one strip, deflate": {"rowsperstrip": 150, "compression": "zlib"},
    "big-endian BigTIFF": {**TILED, "compression": "lzw", "bigtiff": True, "byteorder": ">"},
    "big-endian strips": {**STRIPPED, "byteorder": ">"},
}


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("storage", STORAGE)
def test_ome_tiff_gives_back_what_was_written(tmp_path, storage, dtype):
    options = dict(STORAGE[storage])
    if dtype == "float32" and "2000" in storage:
        pytest.skip("JPEG 2000 has no floats")
    image = files.pixels(dtype=dtype)
    path = tmp_path / "a.ome.tif"
    metadata = {"axes": "CYX"}
    with tifffile.TiffWriter(
        path,
        ome=True,
        bigtiff=options.pop("bigtiff", False),
        byteorder=options.pop("byteorder", "<"),
    ) as writer:
        writer.write(image, photometric="minisblack", metadata=metadata, **options)
    slide = open_slide(path, pixel_size_um=0.5)
    assert slide.dtype == np.dtype(dtype)
    assert slide.dtype.isnative
    np.testing.assert_array_equal(everything(slide), image)
    part = slide.read(2, slice(30, 101), slice(40, 70))  # narrow: the row-by-row path
    np.testing.assert_array_equal(part, image[2, 30:101, 40:70])


@pytest.mark.parametrize("planar", ["separate", "contig"])
@pytest.mark.parametrize("tile", [None, (64, 48)])
@pytest.mark.parametrize("compression", [None, "lzw"])
def test_channels_may_be_samples_of_one_page(tmp_path, planar, tile, compression):
    image = files.pixels(5)
    stored = image if planar == "separate" else np.moveaxis(image, 0, -1)
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path, stored, photometric="minisblack", planarconfig=planar, tile=tile,
        compression=compression, metadata=None,
    )  # fmt: skip
    assert files.first_page_counts(path)[0] == 1  # control: not one page a channel
    slide = open_slide(path, 0.5)
    np.testing.assert_array_equal(everything(slide), image)
    np.testing.assert_array_equal(slide.read(3, slice(9, 80), slice(5, 60)), image[3, 9:80, 5:60])


def test_lossy_jpeg_tiles_decode_as_tifffile_decodes_them(tmp_path):
    image = files.pixels(dtype="uint8")
    path = files.write_ome(tmp_path / "a.ome.tif", image, compression="jpeg", **TILED)
    np.testing.assert_array_equal(everything(open_slide(path)), tifffile.imread(path))


def test_tiles_left_out_as_empty_read_as_zero(tmp_path):
    image = files.pixels()
    image[:, 128:] = 0

    def tiles():
        for plane in image:
            for y in range(0, 150, 64):
                for x in range(0, 220, 48):
                    yield plane[y : y + 64, x : x + 48] if y < 128 else None

    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path, tiles(), shape=image.shape, dtype=image.dtype, photometric="minisblack",
        metadata=None, compression="zlib", **TILED,
    )  # fmt: skip
    assert 0 in files.first_page_counts(path)[1]  # control: they are left out
    np.testing.assert_array_equal(everything(open_slide(path, 0.5)), image)


def test_pyramid_in_subifds(tmp_path):
    image = files.pixels(shape=(400, 300))
    path = files.write_ome(tmp_path / "a.ome.tif", image, levels=3, compression="lzw", **TILED)
    slide = open_slide(path)
    assert slide.level_shapes == ((400, 300), (200, 150), (100, 75))
    for level in range(3):
        np.testing.assert_array_equal(everything(slide, level), files.reduced(image, 2**level))


def test_pyramid_in_separate_pages(tmp_path):
    image = files.pixels(shape=(400, 300))
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as writer:
        for factor in (1, 2, 4):
            small = files.reduced(image, factor)
            writer.write(small, photometric="minisblack", metadata=None, subfiletype=factor > 1)
        writer.write(np.zeros((3, 77, 90), "uint16"), photometric="minisblack", metadata=None)
    slide = open_slide(path, 0.5)
    assert slide.level_shapes == ((400, 300), (200, 150), (100, 75))
    np.testing.assert_array_equal(everything(slide, 2), files.reduced(image, 4))


def test_pyramid_as_separate_ome_images(tmp_path):
    image = files.pixels(shape=(400, 300))
    path = tmp_path / "a.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as writer:
        writer.write(np.zeros((100, 200, 3), "uint8"), photometric="rgb")  # the scanner's macro
        writer.write(
            image, photometric="minisblack",
            metadata={"axes": "CYX", "Channel": {"Name": files.NAMES}, "PhysicalSizeX": 0.25,
                      "PhysicalSizeY": 0.25},
        )  # fmt: skip
        writer.write(files.reduced(image), photometric="minisblack", metadata={"axes": "CYX"})
    slide = open_slide(path)
    assert slide.channels == files.NAMES
    assert slide.pixel_size_um == 0.25
    assert slide.level_shapes == ((400, 300), (200, 150))
    np.testing.assert_array_equal(everything(slide, 1), files.reduced(image))


def test_planes_behind_one_directory_as_in_imagej_beyond_4_gb(tmp_path):
    image = files.pixels(4)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, image, photometric="minisblack", truncate=True)
    assert files.first_page_counts(path)[0] == 1  # control: three planes have no directory
    slide = open_slide(path, 0.5)
    np.testing.assert_array_equal(everything(slide), image)
    np.testing.assert_array_equal(slide.read(3, slice(9, 80), slice(5, 60)), image[3, 9:80, 5:60])
    files.cut(path, path.stat().st_size - 100)
    with pytest.raises(SlideError, match=r"'a\.tif' is truncated: its 4 planes end at byte"):
        open_slide(path, 0.5)


@pytest.fixture(scope="module")
def one_of_each(tmp_path_factory):
    folder = tmp_path_factory.mktemp("formats")
    image = files.pixels()
    slides = [
        files.write_ome(folder / "tiled.ome.tif", image, compression="lzw", **TILED),
        files.write_ome(folder / "strips.ome.tif", image, rowsperstrip=37),
        files.write_qptiff(folder / "a.qptiff", image),
        files.write_imagej(folder / "imagej.tif", image),
        files.write_folder(folder / "folder", image, compression="zlib"),
        files.write_ome_zarr(folder / "v4.ome.zarr", image, "0.4"),
        files.write_ome_zarr(folder / "v5.ome.zarr", image, "0.5"),
    ]
    opened = []
    for path in slides:
        given = None if inspect_slide(path).pixel_size_um else 0.5
        opened.append(open_slide(path, given))
    return image, opened


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_region_of_any_format_equals_numpy_slicing(one_of_each, data):
    image, slides = one_of_each
    slide = data.draw(st.sampled_from(slides), label="slide")
    channel = data.draw(st.sampled_from(slide.channels))
    edge = st.none() | st.integers(-250, 250)
    y, x = (slice(*data.draw(st.tuples(edge, edge))) for _ in "yx")
    np.testing.assert_array_equal(
        slide.read(channel, y, x), image[files.NAMES.index(channel), y, x]
    )


def test_names_scale_and_pixels_agree_between_formats(one_of_each):
    image, slides = one_of_each
    for slide in slides:
        assert sorted(slide.channels) == sorted(files.NAMES)
        assert slide.pixel_size_um == pytest.approx(0.5, rel=1e-6)
        order = [files.NAMES.index(name) for name in slide.channels]
        np.testing.assert_array_equal(everything(slide), image[order])


def _read_50_by_60(slide, region):
    channel, y, x = region
    return slide.read(channel, slice(y, y + 50), slice(x, x + 60))


def test_slide_travels_and_four_threads_read_the_same(one_of_each):
    image, slides = one_of_each
    regions = [(c, y, x) for c in range(3) for y in range(0, 150, 30) for x in range(0, 220, 44)]
    for slide in slides:
        there = pickle.loads(pickle.dumps(slide))  # noqa: S301 - our own bytes
        assert there == slide
        order = [files.NAMES.index(name) for name in slide.channels]
        with ThreadPoolExecutor(4) as pool:
            tiles = list(pool.map(_read_50_by_60, [there] * 3 * len(regions), regions * 3))
        for (c, y, x), tile in zip(regions * 3, tiles, strict=True):
            np.testing.assert_array_equal(tile, image[order[c], y : y + 50, x : x + 60])


def _sum_of_first_channel(slide):
    return int(slide.read(0, slice(None), slice(None)).sum())


def test_another_process_reads_what_this_one_opened(one_of_each):
    _, slides = one_of_each
    expected = [_sum_of_first_channel(slide) for slide in slides]
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        assert list(pool.map(_sum_of_first_channel, slides)) == expected


def test_a_file_replaced_meanwhile_is_read_anew(tmp_path):
    first, second = files.pixels(seed=1), files.pixels(seed=2)
    path = files.write_ome(tmp_path / "a.ome.tif", first, **TILED)
    slide = open_slide(path)
    np.testing.assert_array_equal(everything(slide), first)
    path.unlink()
    with pytest.raises(SlideError, match=r"'a\.ome\.tif' can no longer be read"):
        slide.read(0, slice(0, 5), slice(0, 5))
    files.write_ome(path, second, **TILED)
    np.testing.assert_array_equal(everything(slide), second)


def test_only_contiguous_regions(tmp_path):
    slide = open_slide(files.write_ome(tmp_path / "a.ome.tif", files.pixels()))
    with pytest.raises(ValueError, match="step 2"):
        slide.read(0, slice(0, 10, 2), slice(0, 10))


# --- names and scale ------------------------------------------------------------------------


def test_qptiff_names_pyramid_and_scale(tmp_path):
    image = files.pixels(shape=(400, 301))
    path = files.write_qptiff(
        tmp_path / "scan.qptiff", image, ("DAPI", "Opal 570", "Opal 690"), levels=3,
        biomarkers=("", "panCK", "CD68"),
    )  # fmt: skip
    info = inspect_slide(path)
    assert info.format == "QPTIFF"
    assert info.channels == ("DAPI", "panCK", "CD68")  # the dye where there is no biomarker
    assert info.level_shapes == ((400, 301), (200, 150), (100, 75))
    assert info.pixel_size_um == pytest.approx(0.5)
    assert info.problems == ()
    np.testing.assert_array_equal(everything(open_slide(path)), image)


def test_qptiff_without_image_types_takes_the_first_pages(tmp_path):
    path = tmp_path / "a.qptiff"
    image = files.pixels()
    xml = files.perkin_elmer_xml("", "x").replace("<ImageType></ImageType>", "")
    with tifffile.TiffWriter(path) as writer:
        for plane in image:
            writer.write(plane, metadata=None, software="PerkinElmer-QPI", description=xml)
    slide = open_slide(path, 0.5)
    assert slide.channels == ("x", "x (2)", "x (3)")
    np.testing.assert_array_equal(everything(slide), image)


@pytest.mark.parametrize(
    ("value", "unit"),
    [(0.325, "µm"), (0.325, "μm"), (325.0, "nm"), (0.000325, "mm"), (3.25e-5, "cm"), (3250, "Å")],
)
def test_ome_physical_size_in_any_unit(tmp_path, value, unit):
    path = files.write_ome(tmp_path / "a.ome.tif", files.pixels(), pixel_size_um=value, unit=unit)
    assert open_slide(path).pixel_size_um == pytest.approx(0.325, rel=1e-9)


@pytest.mark.parametrize("unit", ["pixel", "reference frame"])
def test_ome_size_that_is_no_length_is_no_size(tmp_path, unit):
    path = files.write_ome(tmp_path / "a.ome.tif", files.pixels(), pixel_size_um=1.0, unit=unit)
    assert inspect_slide(path).pixel_size_um is None
    with pytest.raises(PixelSizeError, match=rf"PhysicalSizeX is 1\.0 \({unit}\)"):
        open_slide(path)


@pytest.mark.parametrize(
    "attributes",
    ['PhysicalSizeX="0.5"', 'PhysicalSizeX="0" PhysicalSizeY="0"', 'PhysicalSizeX="wide"'],
)
def test_ome_half_a_size_is_no_size(tmp_path, attributes):
    image = files.pixels()
    path = files.write_ome_with_xml(
        tmp_path / "a.ome.tif", image, files.ome_xml(image, pixels_attributes=attributes)
    )
    with pytest.raises(PixelSizeError, match="which is not a length"):
        open_slide(path)


@pytest.mark.parametrize("unit", ["micron", "\\u00B5m", "um"])
def test_imagej_labels_and_unit(tmp_path, unit):
    image = files.pixels()
    path = files.write_imagej(tmp_path / "a.tif", image, unit=unit, pixel_size_um=0.25)
    slide = open_slide(path)
    assert slide.format == "ImageJ TIFF"
    assert slide.channels == files.NAMES
    assert slide.pixel_size_um == pytest.approx(0.25, rel=1e-6)
    np.testing.assert_array_equal(everything(slide), image)


def test_imagej_pixels_are_not_micrometres(tmp_path):
    path = files.write_imagej(tmp_path / "a.tif", files.pixels(), unit="pixel", names=None)
    assert inspect_slide(path).pixel_size_um is None
    assert open_slide(path, 0.5).channels == ("Channel 0", "Channel 1", "Channel 2")


@pytest.mark.parametrize(
    ("per_unit", "unit", "expected_um"),
    [
        (20000, "CENTIMETER", 0.5),
        (50800, "INCH", 0.5),
        (72, "INCH", None),  # a screen's
        (96, "INCH", None),
        (300, "INCH", None),  # a printer's
        (28.35, "CENTIMETER", None),  # 72 dpi again
        (20000, "NONE", None),
    ],
)
def test_tags_of_a_plain_tiff_are_believed_only_where_credible(
    tmp_path, per_unit, unit, expected_um
):
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path, files.pixels(), photometric="minisblack", metadata=None,
        resolution=(per_unit, per_unit), resolutionunit=unit,
    )  # fmt: skip
    found = inspect_slide(path).pixel_size_um
    assert found == (expected_um if expected_um is None else pytest.approx(expected_um, rel=1e-4))


def test_plain_pages_named_by_their_page_name_tag(tmp_path):
    path = tmp_path / "mibi.tif"
    with tifffile.TiffWriter(path) as writer:
        for plane, name in zip(files.pixels(), files.NAMES, strict=True):
            writer.write(
                plane, photometric="minisblack", metadata=None,
                extratags=[(285, "s", 0, name, True)],
            )  # fmt: skip
    assert open_slide(path, 0.5).channels == files.NAMES


def test_channel_names_are_stripped_filled_and_numbered(tmp_path):
    image = files.pixels(5)
    names = (" DAPI ", "", "CD8", "CD8", "CD8 (2)")
    slide = open_slide(files.write_ome(tmp_path / "a.ome.tif", image, names))
    assert slide.channels == ("DAPI", "Channel 1", "CD8", "CD8 (3)", "CD8 (2)")
    problems = inspect_slide(tmp_path / "a.ome.tif").problems
    assert problems == ("1 of 5 channels have no name in the file",)
    repeats = files.write_ome(tmp_path / "b.ome.tif", image[:2], ("CD8", "CD8"))
    assert inspect_slide(repeats).problems == ("channel names repeat; repeats are numbered",)


def test_missing_pixel_size_names_both_ways_to_give_it(tmp_path):
    path = files.write_ome(tmp_path / "a.ome.tif", files.pixels(), pixel_size_um=None)
    with pytest.raises(
        PixelSizeError, match=r"--pixel-size UM on the command line or pixel_size_um under \[image"
    ):
        open_slide(path)
    assert open_slide(path, pixel_size_um=0.5).pixel_size_um == 0.5  # control
    assert "no pixel size" in inspect_slide(path).problems[0]


def test_given_and_stated_pixel_size_must_agree(tmp_path):
    path = files.write_ome(tmp_path / "a.ome.tif", files.pixels(), pixel_size_um=0.5)
    assert open_slide(path, pixel_size_um=0.504).pixel_size_um == 0.5
    with pytest.raises(PixelSizeError, match=r"says 0\.5 um per pixel .* but 0\.51 was given"):
        open_slide(path, pixel_size_um=0.51)
    with pytest.raises(PixelSizeError, match="positive"):
        open_slide(
            files.write_ome(tmp_path / "b.ome.tif", files.pixels(), pixel_size_um=None), -1.0
        )


def test_oblong_pixels_are_refused(tmp_path):
    image = files.pixels()
    for y_um, is_square in ((0.504, True), (0.51, False)):
        sizes = f'PhysicalSizeX="0.5" PhysicalSizeY="{y_um}"'
        path = files.write_ome_with_xml(
            tmp_path / f"{y_um}.ome.tif", image, files.ome_xml(image, pixels_attributes=sizes)
        )
        if is_square:
            assert open_slide(path).pixel_size_um == pytest.approx(0.502, abs=1e-4)
        else:
            with pytest.raises(PixelSizeError, match=r"0\.5 um in x and 0\.51 um in y"):
                open_slide(path)
            assert "square pixels" in inspect_slide(path).problems[0]


def test_unusual_pixel_size_is_a_problem_and_opens(tmp_path):
    path = files.write_ome(tmp_path / "a.ome.tif", files.pixels(), pixel_size_um=5.0)
    assert open_slide(path).pixel_size_um == 5.0
    assert "unusual" in inspect_slide(path).problems[0]


# --- folders and zarr -----------------------------------------------------------------------


def test_folder_leaves_out_masks_and_other_files(tmp_path):
    image = files.pixels()
    folder = files.write_folder(tmp_path / "case 7", image)
    tifffile.imwrite(folder / "_mask_cell.tif", image[0])
    tifffile.imwrite(folder / "nuclei_mask.tif", image[0])
    tifffile.imwrite(folder / ".hidden.tif", image[0])
    (folder / "notes.txt").write_text("about")
    slide = open_slide(folder, 0.5)
    assert slide.channels == ("CD68", "DAPI", "panCK")  # in order of name
    assert slide.slide_id == "case_7"
    np.testing.assert_array_equal(slide.read("panCK", slice(None), slice(None)), image[1])


def test_folder_widens_mixed_types_without_loss(tmp_path):
    folder = tmp_path / "mixed"
    folder.mkdir()
    small, large = files.pixels(1, dtype="uint8")[0], files.pixels(1)[0] * 200
    tifffile.imwrite(folder / "a.tif", small)
    tifffile.imwrite(folder / "b.tif", large)
    slide = open_slide(folder, 0.5)
    assert slide.dtype == np.uint16
    np.testing.assert_array_equal(everything(slide), [small, large])


def test_folder_that_is_not_one_slide_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(SlideError, match="Folder 'empty' holds no TIFF files"):
        open_slide(tmp_path / "empty")
    folder = files.write_folder(tmp_path / "shapes", files.pixels())
    tifffile.imwrite(folder / "z.tif", np.zeros((10, 10), "uint16"))
    with pytest.raises(SlideError, match=r"'CD68\.tif' is 150 x 220 px .* 'z\.tif' is 10 x 10"):
        open_slide(folder, 0.5)
    folder = files.write_folder(tmp_path / "slides", files.pixels())
    files.write_ome(folder / "many.ome.tif", files.pixels())
    with pytest.raises(SlideError, match=r"'many\.ome\.tif' in folder 'slides' has 3 channels"):
        open_slide(folder, 0.5)


def test_folder_channels_have_one_scale(tmp_path):
    def scale(um):
        return {"resolution": (1e4 / um, 1e4 / um), "resolutionunit": "CENTIMETER"}

    image = files.pixels()
    folder = files.write_folder(tmp_path / "a", image, **scale(0.5))
    tifffile.imwrite(folder / "CD3.tif", image[0], metadata=None)  # says nothing: no objection
    assert open_slide(folder).pixel_size_um == pytest.approx(0.5)
    tifffile.imwrite(folder / "CD4.tif", image[0], metadata=None, **scale(0.6))
    with pytest.raises(PixelSizeError, match=r"'CD4\.tif' says 0\.6 um per pixel, .* says 0\.5"):
        open_slide(folder)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_ome_zarr_of_both_versions(tmp_path, version):
    image = files.pixels(shape=(300, 200))
    path = files.write_ome_zarr(tmp_path / "a.ome.zarr", image, version, levels=3)
    info = inspect_slide(path)
    assert info.format == f"OME-Zarr {version}"
    assert info.channels == files.NAMES
    assert info.pixel_size_um == 0.5
    assert info.level_shapes == ((300, 200), (150, 100), (75, 50))
    assert info.tile == (64, 64)
    assert info.problems == ()
    slide = open_slide(path)
    assert slide.slide_id == "a"
    np.testing.assert_array_equal(everything(slide, 1), files.reduced(image))


def test_ome_zarr_scale_composes_and_needs_a_unit(tmp_path):
    path = files.write_ome_zarr(tmp_path / "a.zarr", files.pixels(), scale=250, unit="nanometer")
    twice = [{"type": "scale", "scale": [1, 2, 2]}]
    files.edit_zarr_attributes(
        path, lambda ome: ome["multiscales"][0].update(coordinateTransformations=twice)
    )
    assert open_slide(path).pixel_size_um == 0.5
    no_unit = files.write_ome_zarr(tmp_path / "b.zarr", files.pixels(), unit=None)
    with pytest.raises(PixelSizeError, match=r"scale 0\.5 without a unit"):
        open_slide(no_unit)
    no_scale = files.write_ome_zarr(tmp_path / "c.zarr", files.pixels(), scale=None)
    with pytest.raises(PixelSizeError, match="the OME-Zarr has no scale"):
        open_slide(no_scale)


def test_ome_zarr_with_single_time_and_focus_axes_in_a_bioformats_layout(tmp_path):
    import zarr

    image = files.pixels()
    zarr.open_group(str(tmp_path / "a.zarr"), mode="w", zarr_format=2).attrs.update(
        {"bioformats2raw.layout": 3}
    )
    for series in "01":
        path = files.write_ome_zarr(tmp_path / "a.zarr" / series, image, "0.4")
        group = zarr.open_group(str(path), mode="r+")
        del group["0"]
        group.create_array("0", shape=(1, 3, 1, 150, 220), chunks=(1, 1, 1, 64, 64), dtype="u2")
        group["0"][0, :, 0] = image

        def five_axes(ome):
            c, y, x = ome["multiscales"][0]["axes"]
            ome["multiscales"][0]["axes"] = [
                {"name": "t", "type": "time"}, c, {"name": "z", "type": "space"}, y, x,
            ]  # fmt: skip
            scale = {"type": "scale", "scale": [1, 1, 1, 0.5, 0.5]}
            ome["multiscales"][0]["datasets"][0]["coordinateTransformations"] = [scale]

        files.edit_zarr_attributes(path, five_axes)
    slide = open_slide(tmp_path / "a.zarr")
    np.testing.assert_array_equal(everything(slide), image)
    assert inspect_slide(tmp_path / "a.zarr").problems == (
        "only the first of its 2 images is read",
    )


def test_absent_zarr_chunks_are_reported(tmp_path):
    path = files.write_ome_zarr(tmp_path / "a.zarr", files.pixels())
    (path / "0" / "c" / "1" / "2" / "3").unlink()
    assert inspect_slide(path).problems[0].startswith("1 of 36 chunks are absent and read as 0")


def test_what_is_no_ome_zarr_image_is_refused(tmp_path):
    import zarr

    zarr.open_group(str(tmp_path / "bare.zarr"), mode="w")
    with pytest.raises(SlideError, match=r"'bare\.zarr' is zarr, not an OME-Zarr image"):
        open_slide(tmp_path / "bare.zarr")

    def broken(name, change, **options):
        path = files.write_ome_zarr(tmp_path / name, files.pixels(), **options)
        files.edit_zarr_attributes(path, change)
        return path

    labels = broken("labels.zarr", lambda ome: ome.update({"image-label": {}}))
    with pytest.raises(SlideError, match="is a label image"):
        open_slide(labels)
    old = broken("old.zarr", lambda ome: ome["multiscales"][0].pop("axes"), version="0.4")
    with pytest.raises(SlideError, match=r"OME-Zarr 0\.4, whose axes are not described"):
        open_slide(old)
    lost = broken("lost.zarr", lambda ome: ome["multiscales"][0].pop("datasets"))
    with pytest.raises(SlideError, match=r"damaged OME-Zarr metadata \('datasets'\)"):
        open_slide(lost)
    depth = broken("z.zarr", lambda ome: ome["multiscales"][0]["axes"][0].update(name="z"))
    with pytest.raises(SlideError, match="axes zyx of 3 x 150 x 220; expected channels"):
        open_slide(depth)
    bits = files.write_ome_zarr(tmp_path / "bits.zarr", files.pixels(dtype="bool"))
    with pytest.raises(SlideError, match="pixels of type bool"):
        open_slide(bits)
    (tmp_path / "junk.zarr").mkdir()
    (tmp_path / "junk.zarr" / "zarr.json").write_text("{")
    with pytest.raises(SlideError, match="not a readable zarr group"):
        open_slide(tmp_path / "junk.zarr")


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_damaged_zarr_chunk_is_named(tmp_path, version):
    path = files.write_ome_zarr(tmp_path / "a.zarr", files.pixels(), version)
    slide = open_slide(path)
    chunk = path / "0" / ("c/1/2/3" if version == "0.5" else "1.2.3")
    files.cut(chunk, 0.5)
    with pytest.raises(SlideError, match=r"channel 'panCK', chunk row 2, column 3 \(pixels from y"):
        slide.read("panCK", slice(None), slice(None))
    assert slide.read("panCK", slice(0, 100), slice(0, 100)).shape == (100, 100)  # control
    for file in sorted(path.rglob("*"), reverse=True):
        file.unlink() if file.is_file() else file.rmdir()
    with pytest.raises(SlideError, match=r"'a\.zarr' can no longer be read: level '0' is gone"):
        slide.read("panCK", slice(0, 5), slice(0, 5))


# --- damage and refusals --------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.02, 0.1, 0.4, 0.9, 0.999])
@pytest.mark.parametrize("bigtiff", [False, True])
@pytest.mark.parametrize("levels", [1, 2])
def test_a_file_cut_anywhere_is_called_truncated(tmp_path, share, bigtiff, levels):
    path = files.write_ome(
        tmp_path / "a.ome.tif", files.pixels(), levels=levels, bigtiff=bigtiff,
        compression="zlib", **TILED,
    )  # fmt: skip
    require_whole_tiff(path)  # control
    files.cut(path, share)
    with pytest.raises(SlideError, match=r"'a\.ome\.tif' is truncated: .* ends at byte \d+"):
        open_slide(path)


@pytest.mark.parametrize("n_bytes", range(1, 9))
def test_a_file_cut_in_its_header_is_refused(tmp_path, n_bytes):
    path = files.write_ome(tmp_path / "a.ome.tif", files.pixels())
    files.cut(path, n_bytes)
    with pytest.raises(SlideError, match=r"is not a TIFF file|is truncated"):
        open_slide(path)


def test_a_cut_qptiff_and_imagej_file_are_called_truncated(tmp_path):
    for path in (
        files.write_qptiff(tmp_path / "a.qptiff", files.pixels()),
        files.write_imagej(tmp_path / "a.tif", files.pixels()),
    ):
        files.cut(path, 0.7)
        with pytest.raises(SlideError, match="is truncated"):
            open_slide(path)


def test_imagej_header_that_announces_more_than_the_file_has(tmp_path):
    path = tmp_path / "a.tif"
    text = "ImageJ=1.54f\nimages=9\nchannels=9\nhyperstack=true\n"
    tifffile.imwrite(path, files.pixels(1)[0], metadata=None, description=text)
    with pytest.raises(SlideError, match="ImageJ's header announces 9 planes"):
        open_slide(path)


def test_cut_while_open_names_channel_and_tile(tmp_path):
    for name, options, tile in (
        ("tiles", {"compression": "zlib", **TILED}, "tile row 2, column 4"),
        ("strips", {"compression": "zlib", "rowsperstrip": 37}, "strip 4"),
    ):
        path = files.write_ome(tmp_path / f"{name}.ome.tif", files.pixels(), **options)
        slide = open_slide(path)
        with tifffile.TiffFile(path) as tif:
            end = tif.pages[2].aspage().dataoffsets[-1]
        files.cut(path, end + 10)
        slide.read("DAPI", slice(0, 60), slice(0, 60))  # control: the rest still reads
        with pytest.raises(
            SlideError, match=rf"'{name}\.ome\.tif' is truncated: channel 'CD68', {tile} \(pixels y"
        ):
            slide.read("CD68", slice(None), slice(None))


def test_a_damaged_tile_names_file_channel_and_place(tmp_path):
    path = files.write_ome(tmp_path / "a.ome.tif", files.pixels(), compression="zlib", **TILED)
    with tifffile.TiffFile(path) as tif:
        page = tif.pages[1].aspage()
        offset, n_bytes = page.dataoffsets[7], page.databytecounts[7]
    data = bytearray(path.read_bytes())
    data[offset : offset + n_bytes] = bytes(n_bytes)
    path.write_bytes(data)
    slide = open_slide(path)
    slide.read("panCK", slice(0, 64), slice(0, 220))  # control: the row of tiles above
    with pytest.raises(
        SlideError,
        match=r"'a\.ome\.tif' is damaged: channel 'panCK', tile row 1, column 2 "
        r"\(pixels y 64-127, x 96-143\) does not decode",
    ):
        slide.read("panCK", slice(0, 100), slice(0, 220))


def test_uncompressed_strips_shorter_than_their_pixels(tmp_path):
    path = files.write_ome(tmp_path / "a.ome.tif", files.pixels(), rowsperstrip=37)
    slide = open_slide(path)
    with tifffile.TiffFile(path) as tif:
        tag = tif.pages.first.tags["StripByteCounts"]
        where, kind = tag.valueoffset, {3: "<H", 4: "<I", 16: "<Q"}[int(tag.dtype)]
    data = bytearray(path.read_bytes())
    struct.pack_into(kind, data, where, 100)
    path.write_bytes(data)
    with pytest.raises(SlideError, match=r"strip 0 .* holds only 100 bytes, fewer than its pixels"):
        slide.read("DAPI", slice(0, 10), slice(0, 220))


def overwrite_tag(path, name, value):
    with tifffile.TiffFile(path, mode="r+b") as tif:
        tif.pages.first.tags[name].overwrite(value)


def test_more_tiles_announced_than_there(tmp_path):
    path = tmp_path / "a.tif"
    image = files.pixels(1)[0]
    tifffile.imwrite(path, image, photometric="minisblack", metadata=None, **TILED)
    open_slide(path, 0.5).read(0, slice(None), slice(None))  # control
    overwrite_tag(path, "ImageLength", 15_000)
    slide = open_slide(path, 0.5)
    with pytest.raises(SlideError, match=r"'a\.tif' .*1175 tiles announced, 15 there"):
        slide.read(0, slice(0, 10), slice(0, 10))
    overwrite_tag(path, "TileWidth", 65_520)
    overwrite_tag(path, "TileLength", 65_520)
    slide = open_slide(path, 0.5)
    with pytest.raises(SlideError, match="tiles of 65520 x 65520 px"):
        slide.read(0, slice(0, 10), slice(0, 10))


def test_random_damage_never_shows_a_traceback(tmp_path):
    rng = np.random.default_rng(5)
    image = files.pixels(2, (70, 90))
    names = files.NAMES[:2]
    sound = [
        files.write_ome(tmp_path / "a.ome.tif", image, names, 2, compression="lzw", tile=(32, 32)),
        files.write_ome(tmp_path / "b.ome.tif", image, names, bigtiff=True, compression="zlib"),
        files.write_qptiff(tmp_path / "c.qptiff", image, names),
        files.write_imagej(tmp_path / "d.tif", image, names),
    ]
    outcomes = {"read": 0, "refused": 0}
    for path in sound * 60:
        data = bytearray(path.read_bytes())
        for place in rng.integers(0, rng.choice([300, 700, len(data)]), 3):
            data[place] = rng.integers(0, 256)
        damaged = tmp_path / f"damaged_{path.name}"
        damaged.write_bytes(data)
        try:
            info = inspect_slide(damaged)
            slide = open_slide(damaged, None if info.pixel_size_um else 0.5)
            slide.read(slide.channels[-1], slice(0, 70), slice(0, 90))
            outcomes["read"] += 1
        except MacproxError:
            outcomes["refused"] += 1
    assert min(outcomes.values()) > 20  # control: the damage is neither mortal nor invisible


def overwrite(path, page, tag, value):
    """One tag of a sound TIFF changed in place."""
    with tifffile.TiffFile(path, mode="r+") as tif:
        tif.pages[page].aspage().tags[tag].overwrite(value)


def test_a_directory_that_is_listed_twice_is_no_endless_slide(tmp_path):
    path = files.write_folder(tmp_path / "a", files.pixels(1), ("DAPI",)) / "DAPI.tif"
    assert len(inspect_slide(path).channels) == 1  # control
    data = bytearray(path.read_bytes())
    (start,) = struct.unpack_from("<I", data, 4)
    (n_tags,) = struct.unpack_from("<H", data, start)
    struct.pack_into("<I", data, start + 2 + 12 * n_tags, start)  # the next page is itself
    path.write_bytes(data)
    with pytest.raises(SlideError, match=r"page 1 is listed twice.*in a circle"):
        inspect_slide(path)


def test_more_channels_than_a_slide_can_have_are_damage(tmp_path):
    path = tmp_path / "a.tif"
    image = np.moveaxis(files.pixels(), 0, -1)
    tifffile.imwrite(path, image, photometric="minisblack", planarconfig="contig", metadata=None)
    assert len(inspect_slide(path).channels) == 3  # control
    overwrite(path, 0, "SamplesPerPixel", 60_000)
    with pytest.raises(SlideError, match="announces 60000 channels, more than the 10000"):
        inspect_slide(path)


def test_a_page_of_another_shape_than_its_level_is_damage(tmp_path):
    path = files.write_ome(tmp_path / "a.ome.tif", files.pixels(), tile=(64, 64))
    overwrite(path, 1, "ImageLength", 100)
    slide = open_slide(path)
    assert slide.read("DAPI", slice(0, 9), slice(0, 9)).shape == (9, 9)  # control
    with pytest.raises(SlideError, match="page of channel 'panCK' at level 0 has 1 x 100 x 220 px"):
        slide.read("panCK", slice(0, 9), slice(0, 9))


def test_a_shape_of_no_whole_pixels_is_damage(tmp_path):
    path = files.write_ome(tmp_path / "a.ome.tif", files.pixels(1), ("DAPI",))
    with tifffile.TiffFile(path) as tif:
        at = tif.pages[0].tags["ImageWidth"].offset
    data = bytearray(path.read_bytes())
    struct.pack_into("<HIf", data, at + 2, 11, 1, 220.0)  # a float
    path.write_bytes(data)
    with pytest.raises(SlideError, match=r"'a\.ome\.tif'"):
        inspect_slide(path)


def test_a_byte_count_beyond_the_file_takes_no_memory(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"12345678")
    handle = Handle(str(path))
    assert handle.read(4, 2**62) == b"5678"
    assert handle.read(2**62, 2**62) == b""
    assert handle.read(-4, 8) == b""


def test_a_tile_of_more_pixels_than_its_bytes_can_hold_is_not_decoded(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((150, 220), "uint16"), compression="zlib", metadata=None)
    open_slide(path, 0.5).read(0, slice(0, 9), slice(0, 9))  # control
    for tag in ("ImageLength", "RowsPerStrip"):
        overwrite(path, 0, tag, 2**22)
    slide = open_slide(path, 0.5)
    with pytest.raises(SlideError, match=r"has \d+ bytes, too few for 1845493760 of pixels"):
        slide.read(0, slice(0, 9), slice(0, 9))


def test_a_name_that_no_file_can_have_takes_no_time():
    assert slide_id_of(Path("a" + "[" * 60_000 + "b")) == "a"


def test_ome_xml_of_more_pixels_than_the_file_can_hold_takes_no_memory(tmp_path):
    xml = files.ome_xml(files.pixels()).replace('SizeY="150"', f'SizeY="{2**30}"')
    path = files.write_ome_with_xml(tmp_path / "a.tif", files.pixels(), xml)
    with pytest.raises(SlideError, match="announces 708669603840 pixels, more than the file can"):
        open_slide(path)


def test_ome_xml_of_more_planes_than_any_slide_takes_no_memory(tmp_path):
    image = files.pixels()
    sound = files.ome_xml(image)
    for before, after in (
        ('PlaneCount="3"', 'PlaneCount="99999999999"'),
        ('SizeT="1"', 'SizeT="2000000"'),
    ):
        assert before in sound  # control
        path = files.write_ome_with_xml(tmp_path / "a.tif", image, sound.replace(before, after))
        with pytest.raises(SlideError, match="announces more than 1000000 planes"):
            open_slide(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content["attributes"].update(ome=[1, 2]),
        lambda content: content.update({"\x1b[31m": "x" * 5000}),
        lambda content: content["attributes"]["ome"]["multiscales"][0]["datasets"][0].update(
            path=5
        ),
    ],
)
def test_zarr_metadata_of_other_types_are_one_short_sentence(tmp_path, change):
    path = files.write_ome_zarr(tmp_path / "a.zarr", files.pixels())
    content = json.loads((path / "zarr.json").read_text())
    change(content)
    (path / "zarr.json").write_text(json.dumps(content))
    with pytest.raises(SlideError, match=r"'a\.zarr'") as told:
        open_slide(path)
    assert str(told.value).isprintable()
    assert len(str(told.value)) < 600


def test_slow_or_doubtful_storage_is_a_problem_listed(tmp_path):
    path = tmp_path / "a.tif"
    wide = np.zeros((4200, 4100), np.uint8)
    tifffile.imwrite(path, wide, compression="zlib", rowsperstrip=4200)
    assert "compressed in pieces of 4200 x 4100 px" in " ".join(inspect_slide(path).problems)
    colours = np.zeros((3, 256), np.uint16)
    tifffile.imwrite(path, wide[:64, :64], photometric="palette", colormap=colours)
    assert "indices into a colour table" in " ".join(inspect_slide(path).problems)


def test_files_that_are_no_tiff(tmp_path):
    (tmp_path / "zero.tif").touch()
    with pytest.raises(SlideError, match=r"'zero\.tif' is empty \(0 bytes\)"):
        open_slide(tmp_path / "zero.tif")
    (tmp_path / "text.tif").write_text("x,y\n1,2\n")
    with pytest.raises(SlideError, match=r"'text\.tif' is not a TIFF file"):
        inspect_slide(tmp_path / "text.tif")
    with pytest.raises(SlideError, match="there is no such file or folder"):
        open_slide(tmp_path / "nowhere.tif")
    (tmp_path / "hollow.tif").write_bytes(b"II*\0\x08\0\0\0" + b"\0" * 20)
    with pytest.raises(SlideError, match=r"'hollow\.tif' holds no image"):
        open_slide(tmp_path / "hollow.tif")


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    path = files.write_ome(tmp_path / "a.ome.tif", files.pixels())

    def denied(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)
    with pytest.raises(SlideError, match=r"cannot be read \(Permission denied\)"):
        open_slide(path)


@pytest.mark.parametrize("photometric", ["rgb", "ycbcr"])
def test_colour_images_are_refused(tmp_path, photometric):
    colour = np.zeros((64, 64, 3), np.uint8)
    compression = "jpeg" if photometric == "ycbcr" else None
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, colour, photometric=photometric, compression=compression)
    with pytest.raises(SlideError, match=r"colour .RGB, brightfield. image, not multiplex"):
        open_slide(path)
    xml = files.perkin_elmer_xml("FullResolution")
    tifffile.imwrite(
        path, colour, photometric="rgb", metadata=None, description=xml, software="PerkinElmer-QPI"
    )
    with pytest.raises(SlideError, match="not multiplex fluorescence"):
        open_slide(path)


def test_16_bit_separate_planes_called_rgb_are_channels(tmp_path):
    image = files.pixels()
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, image, photometric="rgb", planarconfig="separate")
    np.testing.assert_array_equal(everything(open_slide(path, 0.5)), image)
    assert any("called RGB" in problem for problem in inspect_slide(path).problems)
    tifffile.imwrite(path, image.astype("uint8"), photometric="rgb", planarconfig="separate")
    with pytest.raises(SlideError, match="not multiplex fluorescence"):  # control
        open_slide(path, 0.5)


def test_inverted_and_bilevel_and_volume_images_are_refused(tmp_path):
    image = files.pixels()
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, image[0], photometric="miniswhite")
    with pytest.raises(SlideError, match="MinIsWhite"):
        open_slide(path)
    tifffile.imwrite(path, image[0] > 100, photometric="minisblack")
    with pytest.raises(SlideError, match="pixels of type bool"):
        open_slide(path)
    tifffile.imwrite(path, image, imagej=True, metadata={"axes": "ZYX"})
    with pytest.raises(SlideError, match="axes ZYX of 3 x 150 x 220; expected channels of one"):
        open_slide(path)
    tifffile.imwrite(path, image[:, None], ome=True, metadata={"axes": "CZYX"})
    np.testing.assert_array_equal(everything(open_slide(path, 0.5)), image)  # control: one z


def test_inform_pages_of_different_shape_are_refused(tmp_path):
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as writer:
        for n in (64, 32):
            xml = files.perkin_elmer_xml("FullResolution", "DAPI", component=True)
            writer.write(
                np.zeros((n, n), "float32"), metadata=None, description=xml,
                software="PerkinElmer-QPI",
            )  # fmt: skip
    with pytest.raises(SlideError, match="full-resolution pages differ in shape"):
        open_slide(path)


def test_ome_xml_that_is_damaged_or_unsafe(tmp_path):
    image = files.pixels()
    path = tmp_path / "a.ome.tif"
    sound = files.ome_xml(image)
    files.write_ome_with_xml(path, image, sound)
    np.testing.assert_array_equal(everything(open_slide(path, 0.5)), image)  # control
    bomb = '<!DOCTYPE OME [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>'
    for xml, message in (
        (sound[:-40], r"'a\.ome\.tif': its OME-XML is damaged \(.*channel names and pixel size"),
        (files.ome_xml(image, head=bomb), "declares a document type or entities"),
        (sound.replace('SizeX="220"', ""), "no valid SizeX and SizeY"),
        ('<OME><BinaryOnly MetadataFile="b.ome.tif" UUID="x"/></OME>', r"is in 'b\.ome\.tif'"),
        ("<OME></OME>", "describes no image"),
        (sound.replace('SizeC="3"', 'SizeC="5"').replace('Count="3"', 'Count="5"'), "announces 5"),
        (sound.replace("</OME>", "</OME >"), "does not fit the pages"),
    ):
        files.write_ome_with_xml(path, image, xml)
        with pytest.raises(SlideError, match=message):
            open_slide(path)
    qptiff = tmp_path / "a.qptiff"
    tifffile.imwrite(
        qptiff, image[0], metadata=None, software="PerkinElmer-QPI",
        description="<PerkinElmer-QPI-ImageDescription><Name>DAPI",
    )  # fmt: skip
    with pytest.raises(SlideError, match="PerkinElmer page XML is damaged"):
        open_slide(qptiff)


def test_ome_tiff_in_several_files(tmp_path):
    image = files.pixels(2)
    data = "".join(
        f'<TiffData FirstC="{c}" IFD="0" PlaneCount="1"><UUID FileName="{name}">urn:uuid:{name}'
        "</UUID></TiffData>"
        for c, name in enumerate(("a.ome.tif", "b.ome.tif"))
    )
    xml = files.ome_xml(image).replace('<TiffData IFD="0" PlaneCount="2"/>', data)
    xml = xml.replace("<OME ", '<OME UUID="urn:uuid:a.ome.tif" ')
    for plane, name in zip(image, ("a.ome.tif", "b.ome.tif"), strict=True):
        files.write_ome_with_xml(tmp_path / name, plane, xml)
    slide = open_slide(tmp_path / "a.ome.tif", 0.5)
    np.testing.assert_array_equal(everything(slide), image)
    (tmp_path / "b.ome.tif").unlink()
    with pytest.raises(SlideError, match=r"1 of them are not there .* side by side"):
        open_slide(tmp_path / "a.ome.tif", 0.5)


def test_second_image_of_the_same_size_is_mentioned(tmp_path):
    path = tmp_path / "a.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as writer:
        for name in ("left", "right"):
            writer.write(
                files.pixels(), photometric="minisblack", metadata={"axes": "CYX", "Name": name}
            )
    assert "only the first of its images is read, not 'right'" in inspect_slide(path).problems


def test_nothing_but_the_error_reaches_the_console(tmp_path):
    path = files.write_ome(tmp_path / "a.ome.tif", files.pixels(), **TILED)
    files.cut(path, 0.9)
    program = (
        "import sys, tifffile\nfrom macprox.errors import SlideError\n"
        "from macprox.io.images import open_slide\n"
        "try:\n open_slide(sys.argv[1])\nexcept SlideError: print('refused')\n"
        "if len(sys.argv) > 2: tifffile.TiffFile(sys.argv[1]).close()\n"
    )
    command = [sys.executable, "-W", "error", "-c", program, str(path)]
    talk = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (talk.stdout, talk.stderr) == ("refused\n", "")
    control = subprocess.run([*command, "x"], capture_output=True, text=True, check=True)
    assert "TiffTag" in control.stderr


# --- ids, fingerprints, search --------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.ome.tif", "a"),
        ("a.OME.TIFF", "a"),
        ("a.b.qptiff", "a.b"),
        ("scan.ome.zarr", "scan"),
        ("Set4_1-6plex_[16142,55840].tif", "Set4_1-6plex_16142_55840"),
        ("FIHC4__0929309_HP.tif", "FIHC4__0929309_HP"),
        ("Fälle №7.tif", "Fälle_No7"),
        ("..tif", "slide"),
        ("../../etc/passwd.tif", "passwd"),
        ("a..b.tif", "a.b"),
        ("???.tif", "slide"),
        ("con.tif", "con_"),
    ],
)
def test_slide_ids_are_safe_folder_names(name, expected):
    assert slide_id_of(Path(name)) == expected


@given(st.text(min_size=1, max_size=300))
def test_no_name_escapes_its_folder(name):
    safe = slide_id_of(Path("x") / name.replace("/", "|").replace("\0", "|"))
    assert Path("results", safe).parent == Path("results")
    assert safe not in {"", ".", ".."}
    assert not safe.startswith(".")
    assert len(safe.encode()) < 200
    assert "/" not in safe
    assert "\\" not in safe


def test_namesakes_get_their_folder_then_a_number():
    paths = [Path("a/1.tif"), Path("b/1.tif"), Path("b/1.qptiff"), Path("c/2.tif"), Path("B/1.btf")]
    ids = unique_slide_ids(paths)
    assert ids == ["a_1", "b_1", "b_1_2", "2", "B_1_3"]
    assert len({name.casefold() for name in ids}) == len(ids)


def test_fingerprint_follows_content_not_place(tmp_path):
    image = files.pixels()
    path = files.write_ome(tmp_path / "a.ome.tif", image)
    first = open_slide(path).fingerprint
    (tmp_path / "copy").mkdir()
    copy = tmp_path / "copy" / "a.ome.tif"
    copy.write_bytes(path.read_bytes())
    assert open_slide(copy).fingerprint == first
    data = bytearray(path.read_bytes())
    data[-5000] ^= 1
    path.write_bytes(data)
    assert open_slide(path).fingerprint != first

    store = files.write_ome_zarr(tmp_path / "a.zarr", image)
    first = open_slide(store).fingerprint
    files.write_ome_zarr(store / "labels" / "nuclei", image, names=None)
    assert open_slide(store).fingerprint == first  # labels beside the pixels change no pixel
    files.write_ome_zarr(store, image // 2)
    assert open_slide(store).fingerprint != first


def test_find_slides_takes_slides_and_leaves_labels(tmp_path):
    image = files.pixels()
    early = files.write_ome(tmp_path / "early.ome.tif", image)
    late = files.write_ome(tmp_path / "late [1].ome.tif", image)
    for name in ("early_truth_nuclei", "early_labels", "late_mask", "x_binary_seg_maps", "_old"):
        tifffile.imwrite(tmp_path / f"{name}.tif", image[0])
    batch = tmp_path / "batch"
    batch.mkdir()
    one = files.write_folder(batch / "one", image)
    two = files.write_ome_zarr(batch / "two.ome.zarr", image)
    results = batch / "results" / "slides" / "early"
    results.mkdir(parents=True)
    labels = files.write_ome_zarr(results / "labels.zarr", image)
    files.edit_zarr_attributes(labels, lambda ome: ome.update({"image-label": {}}))
    truth = files.write_folder(tmp_path / "truth", image, ("early_nuclei", "late_nuclei", "c"))
    assert find_slides([tmp_path]) == sorted([early, late, one, two])
    assert find_slides([truth]) == [truth]  # named explicitly, it is taken
    assert find_slides(tmp_path / "*.ome.tif") == sorted([early, late])
    assert find_slides([late, str(late), one]) == sorted([late, one])
    assert find_slides([two, early]) == sorted([early, two])


def test_masked_is_not_a_mask(tmp_path):
    for name in ("masked_tissue", "a_masked"):
        tifffile.imwrite(tmp_path / f"{name}.tif", np.zeros((2, 9, 9), "uint16"))
    tifffile.imwrite(tmp_path / "a_mask_cell.tif", np.zeros((9, 9), "uint16"))
    assert [path.stem for path in find_slides(tmp_path)] == ["a_masked", "masked_tissue"]


def test_find_slides_tells_a_folder_of_channels_from_a_folder_of_slides(tmp_path):
    channels = files.write_folder(tmp_path / "channels", files.pixels())
    assert find_slides(channels) == [channels]
    (channels / "CD3.tif").write_bytes(b"damaged")
    assert find_slides(channels) == [channels]  # the damage is told when it is opened
    with pytest.raises(SlideError, match=r"'CD3\.tif' is not a TIFF"):
        open_slide(channels)
    tifffile.imwrite(channels / "other.tif", np.zeros((9, 9), "uint16"))
    assert len(find_slides(channels)) == 5  # different shapes: different slides
    alone = tmp_path / "alone"
    alone.mkdir()
    tifffile.imwrite(alone / "x.tif", np.zeros((9, 9), "uint16"))
    assert find_slides(alone) == [alone / "x.tif"]


def test_find_slides_says_what_it_looked_for(tmp_path):
    with pytest.raises(SlideError, match=r"No slides found in .* Expected TIFF files"):
        find_slides([tmp_path])
    with pytest.raises(SlideError, match="there is no such file or folder"):
        find_slides([tmp_path / "nowhere"])
    (tmp_path / "a.czi").write_text("x")
    with pytest.raises(SlideError, match=r"'a\.czi' is not a slide that can be read"):
        find_slides([tmp_path / "a.czi"])
    with pytest.raises(SlideError, match="No slides found in no path"):
        find_slides([])


# --- real files -----------------------------------------------------------------------------


def test_real_breast_crops_open_only_with_a_pixel_size(shared_data):
    for path in find_slides(shared_data / "breast_mif"):
        with pytest.raises(PixelSizeError, match="--pixel-size UM"):
            open_slide(path)
        slide = open_slide(path, 0.5)
        assert slide.channels == ("DAPI", "PDL1", "GZMB", "PD1", "CK-EPCAM", "CD8a", "FOXP3")
        np.testing.assert_array_equal(everything(slide), tifffile.imread(path))


def test_real_inform_component_tiff(shared_data):
    (path,) = find_slides(shared_data / "inform_component_fihc4")
    slide = open_slide(path)
    assert slide.format == "inForm component TIFF"
    assert slide.channels == ("Alexa 594", "Cy3", "Cy5", "DAPI", "FITC")
    assert slide.pixel_size_um == pytest.approx(0.497, abs=5e-4)
    assert slide.level_shapes == ((260, 348),)
    np.testing.assert_array_equal(everything(slide), tifffile.imread(path, series=0))


def test_real_mibi_folders(shared_data):
    folders = find_slides(shared_data / "mibi_breast")
    assert len(folders) == 11
    for folder in folders:
        slide = open_slide(folder, 0.488)
        assert len(slide.channels) == 13
        for name in ("HH3", "CD68"):
            np.testing.assert_array_equal(
                slide.read(name, slice(None), slice(None)), tifffile.imread(folder / f"{name}.tif")
            )
    (granuloma,) = find_slides(shared_data / "mibi_granuloma")
    info = inspect_slide(granuloma)
    assert len(info.channels) == 12
    assert info.pixel_size_um is None  # 72 dots per inch is no microscope
