"""Pixels that nobody hopes for: a sensible answer, a flag or one clear sentence, never nonsense."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import pytest

import macprox as mp
import small_runs
from macprox.cli import SOME_FAILED
from small_runs import macprox

AUTO = (
    ("[markers.panCK]\ngate = 300", "[markers.panCK]"),
    ("[markers.CD68]\ngate = 300", "[markers.CD68]"),
)


@pytest.fixture(scope="module")
def tissue() -> np.ndarray:
    return small_runs.tissue(256)


@pytest.fixture
def study(tmp_path):
    return small_runs.write_study(tmp_path / "study.toml")


@pytest.fixture
def changed(tmp_path):
    return lambda *changes: small_runs.write_study(tmp_path / "changed.toml", *changes)


def analysed(tissue, study, tmp_path, figures=False, **planes) -> mp.SlideResult:
    """A slide with some channels replaced, from pixels to its numbers, or to its report."""
    image = tissue.copy()
    for name, plane in planes.items():
        image[small_runs.CHANNELS.index(name)] = plane
    path = small_runs.write_slide(tmp_path / "s.ome.tif", image)
    with nullcontext() if figures else small_runs.without_reports():
        ended = macprox("run", path, "-s", study, "-o", tmp_path / "out", "--quiet")
    assert ended.code == 0, ended.err
    result = mp.open_result(tmp_path / "out" / "slides" / "s")
    if figures:
        assert (result.path / "report.html").stat().st_size > 10_000
    return result


def flags(result: mp.SlideResult) -> set[str]:
    return {flag["flag"] for flag in result.manifest["quality"]}


def dark(shape=(256, 256)) -> np.ndarray:
    """Camera noise without a stain."""
    return np.random.default_rng(0).normal(200, 14, shape).astype(np.uint16)


def test_this_tissue_has_an_answer(tissue, study, tmp_path):
    """The control of everything below."""
    statistics = analysed(tissue, study, tmp_path).statistics()
    assert statistics.query("statistic == 'nearest_mean_um'")["value"].notna().any()


def test_a_slide_of_zeros(tissue, study, tmp_path):
    result = analysed(tissue, study, tmp_path, figures=True, DAPI=0, panCK=0, CD68=0)
    assert len(result.cells()) == 0
    assert {"no_tissue", "constant_channel"} <= flags(result)
    small_runs.assert_explained(result)


@pytest.mark.parametrize("level", [0, 65535])
def test_a_slide_without_nuclei(tissue, study, tmp_path, level):
    """Marker without nuclei is no tissue; what was seen there is counted nowhere."""
    result = analysed(tissue, study, tmp_path, figures=level == 0, DAPI=level)
    assert result.manifest["counts"]["cells_observed"] == 0
    assert {"no_tissue", "constant_channel"} <= flags(result)
    small_runs.assert_explained(result)


@pytest.mark.parametrize(
    ("plane", "changes"),
    [(0, AUTO), (700, ()), ("dark", ()), ("dark", AUTO)],
    ids=["zeros", "one value", "noise, gate given", "noise, automatic gate"],
)
def test_no_tumour_cells(tissue, changed, tmp_path, plane, changes):
    level = dark() if plane == "dark" else plane
    figures = plane == "dark" and not changes
    result = analysed(tissue, changed(*changes), tmp_path, figures, panCK=level)
    assert not result.cells()["panck_positive"].any()
    assert "Tumour" not in set(result.cells()["phenotype"])
    assert {"few_tumour_cells", "no_tumour_cells"} <= flags(result)
    assert result.regions().tumour.is_empty
    small_runs.assert_explained(result)
    reasons = result.statistics().query("statistic == 'nearest_mean_um'")["reason"]
    assert reasons.str.contains("no tumour region").all()


@pytest.mark.parametrize(
    ("plane", "changes"),
    [(0, AUTO), (700, ()), ("dark", ()), ("dark", AUTO)],
    ids=["zeros", "one value", "noise, gate given", "noise, automatic gate"],
)
def test_no_macrophages(tissue, changed, tmp_path, plane, changes):
    level = dark() if plane == "dark" else plane
    figures = plane == "dark" and not changes
    result = analysed(tissue, changed(*changes), tmp_path, figures, CD68=level)
    assert not result.cells()["cd68_positive"].any()
    assert (result.cells()["phenotype"] == "Tumour").sum() > 20
    small_runs.assert_explained(result)
    reasons = result.statistics().query("statistic == 'nearest_mean_um'")["reason"]
    assert reasons.str.contains("no cells of 'Macrophage'").all()
    assert result.cells()["nearest_macrophage_um"].isna().all()


# --- the whole image


def as_it_is(image, study, tmp_path) -> mp.SlideResult:
    """These channels and nothing else, from pixels to numbers."""
    path = small_runs.write_slide(tmp_path / "s.ome.tif", image)
    with small_runs.without_reports():
        ended = macprox("run", path, "-s", study, "-o", tmp_path / "out", "--quiet")
    assert ended.code == 0, ended.err
    return mp.open_result(tmp_path / "out" / "slides" / "s")


@pytest.mark.parametrize("changes", [(), AUTO], ids=["gates given", "automatic gates"])
def test_noise_has_no_cells(changed, tmp_path, changes):
    result = as_it_is(np.stack([dark()] * 3), changed(*changes), tmp_path)
    assert len(result.cells()) == 0
    assert "no_tissue" in flags(result)
    small_runs.assert_explained(result)


@pytest.mark.parametrize("level", [0, 255, 65535])
def test_one_level_everywhere_has_no_cells(changed, tmp_path, level):
    """Black, and saturated in 8 and 16 bits."""
    dtype = np.uint16 if level > 255 else np.uint8
    result = as_it_is(np.full((3, 128, 128), level, dtype), changed(*AUTO), tmp_path)
    assert len(result.cells()) == 0
    assert {"no_tissue", "constant_channel"} <= flags(result)
    small_runs.assert_explained(result)


def test_nuclei_that_are_all_saturated_are_told(tissue, study, tmp_path):
    image = np.minimum(tissue, 600)
    image[image == 600] = 65535
    result = as_it_is(image, study, tmp_path)
    assert "saturated_channel" in flags(result)
    assert len(result.cells()) > 50


@pytest.mark.parametrize("shape", [(1, 256), (256, 1)], ids=["row", "column"])
def test_an_image_one_pixel_wide_is_a_slide(tissue, study, tmp_path, shape):
    result = as_it_is(tissue[:, : shape[0], : shape[1]], study, tmp_path)
    assert result.labels("cells").shape == shape
    assert "small_tissue" in flags(result) or "no_tissue" in flags(result)
    assert np.isfinite(result.cells()[["x_um", "y_um"]].to_numpy()).all()


def cells_of(image, changed, tmp_path, name):
    return as_it_is(image, changed(*AUTO), tmp_path / name).cells()


def test_eight_bits_find_what_sixteen_find(tissue, changed, tmp_path):
    fine = cells_of(tissue, changed, tmp_path, "fine")
    coarse = cells_of((tissue // 8).clip(0, 255).astype(np.uint8), changed, tmp_path, "coarse")
    assert len(fine) > 100
    assert abs(len(coarse) - len(fine)) <= 3


def test_negative_values_are_values_like_others(tissue, changed, tmp_path):
    plain = cells_of(tissue.astype(np.float32), changed, tmp_path, "plain")
    for dtype in (np.float32, np.int16):
        below = cells_of((tissue.astype(np.float32) - 400).astype(dtype), changed, tmp_path,
                         np.dtype(dtype).name)  # fmt: skip
        columns = ["cell_id", "cell_area_um2", "phenotype"]
        assert below[columns].equals(plain[columns])


def test_pixels_without_a_number_are_counted_and_cost_nothing_elsewhere(tissue, study, tmp_path):
    image = tissue.astype(np.float32)
    whole = cells_of(image, lambda *_: study, tmp_path, "whole")
    image[:, 40:60, 40:60] = np.nan
    image[:, 100:103, 100:103] = np.inf
    image[0, 150, 150] = -np.inf
    result = as_it_is(image, study, tmp_path / "holes")
    cells = result.cells()
    assert not cells.filter(like="mean_").isin([np.inf, -np.inf]).any(axis=None)
    far = whole["x_um"] > 90
    assert len(whole[far]) == (cells["x_um"] > 90).sum() > 20
    (told,) = {f["message"] for f in result.manifest["quality"] if "DAPI holds" in f["message"]}
    assert told.startswith("Channel DAPI holds no number (NaN or infinity) in 0.63% of its pixels")
    # Nothing is seen in the hole itself.
    assert not np.asarray(result.labels("nuclei"))[45:55, 45:55].any()


@pytest.mark.parametrize("channel", small_runs.CHANNELS)
def test_a_channel_without_any_number_is_an_empty_channel(tissue, changed, tmp_path, channel):
    image = tissue.astype(np.float32)
    image[small_runs.CHANNELS.index(channel)] = np.nan
    result = as_it_is(image, changed(*AUTO), tmp_path)
    assert {"missing_pixels", "constant_channel"} <= flags(result)
    small_runs.assert_explained(result)


def test_one_giant_blob_is_no_crowd_of_cells(study, tmp_path):
    y, x = np.mgrid[:256, :256]
    blob = np.where((y - 128) ** 2 + (x - 128) ** 2 < 100**2, 3000, 0) + dark()
    result = as_it_is(np.stack([blob.astype(np.uint16), dark(), dark()]), study, tmp_path)
    assert len(result.cells()) <= 3
    assert {"small_tissue", "wide_objects"} <= flags(result)
    small_runs.assert_explained(result)


def test_a_giant_blob_of_marker_is_cut_and_flagged(tissue, study, tmp_path):
    y, x = np.mgrid[:400, :400]
    blob = np.where((y - 200) ** 2 + (x - 200) ** 2 < 150**2, 3000, 0)
    marker = (blob + dark((400, 400))).astype(np.uint16)
    corner = dark((400, 400))
    corner[:60, :256] = tissue[0, :60]
    result = as_it_is(np.stack([corner, dark((400, 400)), marker]), study, tmp_path)
    lone = result.cells().query("not has_nucleus")
    assert lone["clump"].all()
    assert len(lone) > 9
    assert lone["cell_area_um2"].max() < 60**2


def test_a_nucleus_channel_that_is_missing(tissue, changed, tmp_path):
    path = small_runs.write_slide(tmp_path / "s.ome.tif", tissue[:, :64, :64])
    study = changed(('nucleus = "DAPI"', 'nucleus = "Hoechst"'))
    ended = macprox("run", path, "-s", study, "-o", tmp_path / "out", "--quiet")
    assert ended.code == SOME_FAILED
    assert ended.err.count("\n") == 2
    assert (
        "[image] nucleus needs channel 'Hoechst', but slide 's' has DAPI, panCK, CD68" in ended.err
    )
