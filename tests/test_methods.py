"""Which method a study names, and what a label image made elsewhere becomes."""

import json
import shutil
from importlib.metadata import EntryPoint
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
import tifffile
import zarr

import macprox as mp
import scenes
import small_runs
from macprox.errors import SlideError, StudyError
from macprox.image.stain import StainStatistics
from macprox.image.tiles import Box
from macprox.io.label_file import find_label_file, open_label_file
from macprox.pipeline.seam_check import MAX_WINDOWS, windows_on_seams
from macprox.report.seams import seam_sentences
from macprox.segment import SegmentationParameters, segment_nuclei
from macprox.segment.methods import check_name, installed_segmenters, is_learned, nucleus_method
from macprox.segment.nuclei import label_nuclei, smooth
from macprox.study import Study

PX = scenes.PIXEL_SIZE_UM
GIVEN = '[segmentation]\nmethod = "labels"\nlabels = "{file}"\n{more}\n[segmentation.macrophages]'


def labels_of(result: Path, name: str) -> np.ndarray:
    return np.asarray(zarr.open_array(str(result / "labels.zarr" / name / "0"), mode="r"))


def renumbered(labels: np.ndarray) -> np.ndarray:
    """The same objects under scattered numbers."""
    numbers = np.random.default_rng(0).permutation(60000)[: int(labels.max()) + 1] + 1
    return np.where(labels > 0, numbers[labels], 0).astype(np.uint16)


def test_the_model_free_method_is_behind_its_name():
    scene = scenes.crowd(192)
    statistics = StainStatistics.from_sample(smooth(scene.nuclear, PX))
    parameters = SegmentationParameters(method="watershed")
    method = nucleus_method("watershed")
    slide = scene.truth.shape, PX
    found = method.label(scene.nuclear, Box(0, 192, 0, 192), slide, statistics, parameters)
    np.testing.assert_array_equal(found, label_nuclei(scene.nuclear, PX, statistics, parameters))
    assert found.max() > 50
    assert method.halo_um(parameters, PX) > parameters.nucleus_diameter_um


def test_a_wrong_name_gets_the_nearest():
    with pytest.raises(StudyError, match=r"found 'star_dist'\. Did you mean 'stardist'"):
        SegmentationParameters(method="star_dist")
    with pytest.raises(StudyError, match="method must be one of unet, watershed, stardist, cellp"):
        SegmentationParameters(method="")


def test_a_slide_s_method_does_not_label_a_tile():
    with pytest.raises(StudyError, match="'labels' labels a slide as a whole"):
        nucleus_method("labels")
    with pytest.raises(StudyError, match="'cellpose' labels a slide as a whole"):
        segment_nuclei(np.zeros((9, 9)), PX, SegmentationParameters(method="cellpose"))


def test_another_package_s_segmenter_is_known_by_its_entry_point():
    point = EntryPoint("mesmer", "somewhere:Mesmer", "macprox.segmenters")
    with patch("macprox.segment.methods.entry_points", lambda group: [point]):
        assert installed_segmenters() == {"mesmer": "somewhere:Mesmer"}
        assert is_learned(SegmentationParameters(method="mesmer").method)
        with pytest.raises(StudyError, match="Did you mean 'mesmer'"):
            check_name("mesmar")
    with pytest.raises(StudyError, match="found 'mesmer'"):  # control: without the entry point
        check_name("mesmer")


def test_a_method_that_cannot_be_imported_is_told():
    with (
        patch.dict("macprox.segment.methods.EXACT", {"gone": "macprox.segment.nowhere:Gone"}),
        pytest.raises(StudyError, match=r"'gone' \(macprox.segment.nowhere:Gone\) cannot be load"),
    ):
        nucleus_method("gone")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"method": "labels"}, "labels = None and method = 'labels' do not go together"),
        ({"labels": "a.tif"}, "labels = 'a.tif' and method = 'unet' do not go together"),
        ({"cell_labels": "a.tif"}, "it needs labels, and labels_are = "),
        ({"label_page": 1}, "label_page is a page of the file that labels names; give labels"),
        ({"cell_label_page": 1}, "that cell_labels names; give cell_labels"),
        ({"method": "labels", "labels": "a", "label_page": -1}, "label_page counts from 0"),
        ({"model": "a.pt"}, "model is for learned methods; 'unet' has no model"),
        ({"method": "stardist", "model_pixel_size_um": 0.0}, "must be a positive number"),
    ],
)
def test_keys_that_do_not_fit_the_method_are_refused(fields, message):
    with pytest.raises(StudyError, match=message):
        SegmentationParameters(**fields)


def test_files_of_the_segmentation_are_relative_to_the_study(tmp_path):
    text = '[image]\nnucleus = "DAPI"\n[segmentation]\nmethod = "{}"\n{} = "here/a"\n'
    for method, key in (("labels", "labels"), ("stardist", "model")):
        study = Study.from_text(text.format(method, key), folder=tmp_path)
        assert getattr(study.segmentation, key) == str(tmp_path / "here" / "a")
    both = text.format("labels", "labels") + 'cell_labels = "here/b"\n'
    study = Study.from_text(both, folder=tmp_path)
    assert study.segmentation.cell_labels == str(tmp_path / "here" / "b")


# --- label images --------------------------------------------------------------------------------


def test_a_label_image_is_found_by_pattern_or_in_a_folder(tmp_path):
    labels = np.zeros((40, 50), np.uint16)
    labels[3:9, 4:9] = 5
    tifffile.imwrite(tmp_path / "s1.tif", labels)
    tifffile.imwrite(tmp_path / "s2_nuclei.tif", labels)
    assert find_label_file(str(tmp_path), "s1") == tmp_path / "s1.tif"
    pattern = str(tmp_path / "{slide_id}_nuclei.tif")
    assert find_label_file(pattern, "s2") == tmp_path / "s2_nuclei.tif"
    file = open_label_file(tmp_path / "s1.tif", "nuclei")
    assert file.shape == (40, 50)
    assert np.unique(file.read(slice(0, 40), slice(0, 6))).tolist() == [0, 5]
    with pytest.raises(SlideError, match=r"No label image at .*s3_nuclei.tif' for slide 's3'"):
        find_label_file(pattern, "s3")
    with pytest.raises(SlideError, match=r"called like the slide, s4\.tif or s4\.zarr; found none"):
        find_label_file(str(tmp_path), "s4")


def read_all(file) -> np.ndarray:
    return file.read(slice(0, file.shape[0]), slice(0, file.shape[1]))


def test_floats_are_labels_where_they_are_whole_numbers(tmp_path):
    labels = np.zeros((32, 32), np.float32)
    labels[3:9, 4:9] = 7
    tifffile.imwrite(tmp_path / "f.tif", labels)
    pixels = read_all(open_label_file(tmp_path / "f.tif", "nuclei"))
    assert pixels.dtype.kind == "i"
    np.testing.assert_array_equal(pixels, labels)
    for odd in (0.5, np.nan, np.inf):
        labels[0, 0] = odd
        tifffile.imwrite(tmp_path / "f.tif", labels)
        with pytest.raises(SlideError, match=rf"holds the value {odd:g}; in a label image every"):
            read_all(open_label_file(tmp_path / "f.tif", "nuclei"))


def test_of_several_pages_one_is_chosen_by_number(tmp_path):
    pages = np.zeros((2, 32, 32), np.uint16)
    pages[1, 4:9, 4:9] = 3
    tifffile.imwrite(tmp_path / "c.tif", pages, photometric="minisblack")
    with pytest.raises(SlideError, match=r"2 pages: 0 \('Channel 0'\), 1 .*label_page = 0"):
        open_label_file(tmp_path / "c.tif", "nuclei")
    with pytest.raises(SlideError, match=r"has no page 2; it has 0 \('Channel 0'\), 1"):
        open_label_file(tmp_path / "c.tif", "nuclei", page=2)
    for page in (0, 1):
        file = open_label_file(tmp_path / "c.tif", "nuclei", page=page)
        np.testing.assert_array_equal(read_all(file), pages[page])


def test_a_picture_of_labels_is_refused(tmp_path):
    tifffile.imwrite(tmp_path / "c.tif", np.zeros((32, 32, 3), np.uint8), photometric="rgb")
    with pytest.raises(SlideError, match="is a picture in colour; a label image has one plane"):
        open_label_file(tmp_path / "c.tif", "nuclei")


def test_a_folder_is_no_label_image(tmp_path):
    with pytest.raises(SlideError, match="is a folder without an OME-Zarr in it"):
        open_label_file(tmp_path, "nuclei")


def test_a_group_of_several_label_images_needs_a_choice(tmp_path):
    group = zarr.open_group(str(tmp_path / "l.zarr"), mode="w")
    group.attrs["ome"] = {"version": "0.5", "labels": ["left", "right"]}
    with pytest.raises(SlideError, match="lists the label images left, right; give the folder"):
        open_label_file(tmp_path / "l.zarr", "nuclei")


@pytest.fixture(scope="module")
def slide(tmp_path_factory) -> Path:
    return small_runs.write_slide(tmp_path_factory.mktemp("slides") / "a.ome.tif")


def run(slide: Path, folder: Path, *changes: tuple[str, str], seams: bool = True) -> Path:
    study = small_runs.write_study(folder / "study.toml", *changes)
    more = ["--check-seams"] if seams else []
    with small_runs.without_reports():
        ended = small_runs.macprox(
            "run", slide, "--study", study, "--out", folder / "out", "--tile", 512, "-q", *more
        )
    assert ended.code == 0, ended.err
    return folder / "out" / "slides" / "a"


def given(file: Path, more: str = "") -> tuple[str, str]:
    return "[segmentation.macrophages]", GIVEN.format(file=file, more=more)


@pytest.fixture(scope="module")
def own(slide, tmp_path_factory) -> Path:
    return run(slide, tmp_path_factory.mktemp("own"))


def manifest_of(result: Path) -> dict:
    return json.loads((result / "manifest.json").read_text(encoding="utf-8"))


def test_nuclei_that_come_back_as_a_file_give_the_same_cells(slide, own, tmp_path):
    nuclei = labels_of(own, "nuclei")
    tifffile.imwrite(tmp_path / "a.tif", renumbered(nuclei), tile=(128, 128), compression="zlib")
    result = run(slide, tmp_path, given(tmp_path / "a.tif"))
    for name in ("nuclei", "cells"):
        np.testing.assert_array_equal(labels_of(result, name), labels_of(own, name))
    check = manifest_of(result)["seam_check"]
    assert check["nuclei"] > 100
    assert check["nuclei_differ"] == check["cells_differ"] == 0
    before, after = (mp.open_result(path).cells() for path in (own, result))
    assert before.equals(after)


def test_given_cells_are_kept_as_they_are(slide, own, tmp_path):
    """From macprox's own labels.zarr, of which the cells are taken."""
    result = run(slide, tmp_path, given(own / "labels.zarr", 'labels_are = "cells"'))
    found, cells = labels_of(result, "cells"), labels_of(own, "cells")
    np.testing.assert_array_equal(found > 0, cells > 0)
    pairs = np.unique(np.column_stack([found.ravel(), cells.ravel()]), axis=0)
    assert len(pairs) == cells.max() + 1
    table = mp.open_result(result).cells()
    assert 0.9 < table["has_nucleus"].mean() <= 1
    assert manifest_of(result)["seam_check"]["cells_differ"] == 0


def test_labels_that_changed_are_segmented_again(slide, own, tmp_path):
    """One nucleus goes, and a value comes that is spread over the slide: left out, and told."""
    nuclei = renumbered(labels_of(own, "nuclei"))
    tifffile.imwrite(tmp_path / "a.tif", nuclei)
    result = run(slide, tmp_path, given(tmp_path / "a.tif"), seams=False)
    first, n_nuclei = manifest_of(result), mp.open_result(result).cells()["has_nucleus"].sum()
    run(slide, tmp_path, given(tmp_path / "a.tif"), seams=False)
    assert manifest_of(result)["stages"] == first["stages"]  # control: nothing to do
    changed = np.where(nuclei == np.unique(nuclei)[1], 0, nuclei)
    changed[0, 0] = changed[-1, -1] = 65535
    tifffile.imwrite(tmp_path / "a.tif", changed)
    run(slide, tmp_path, given(tmp_path / "a.tif"), seams=False)
    assert mp.open_result(result).cells()["has_nucleus"].sum() == n_nuclei - 1
    told = [w for w in manifest_of(result)["warnings"] if "values of the label image" in w]
    assert len(told) == 1
    assert told[0].startswith("1 values")


def test_a_label_image_of_another_shape_is_refused_before_a_pixel_is_read(slide, tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.ones((320, 300), np.uint16))
    study = small_runs.write_study(tmp_path / "s.toml", given(tmp_path / "a.tif"))
    with small_runs.no_pixels():
        ended = small_runs.macprox("run", slide, "--study", study, "--out", tmp_path / "o", "-q")
    assert ended.code == 1
    assert "has 300 x 320 px, slide 'a' has 640 x 640 px; expected the same" in ended.err


# --- the seam check ------------------------------------------------------------------------------


def test_the_seam_check_finds_what_was_changed_on_disk(slide, own, tmp_path):
    sound = manifest_of(own)["seam_check"]
    assert sound["windows"] >= 2
    assert sound["nuclei"] > 100
    assert (sound["nuclei_differ"], sound["cells_differ"]) == (0, 0)
    shutil.copytree(own.parents[1], tmp_path / "out")
    result = tmp_path / "out" / "slides" / "a"
    nuclei = zarr.open_array(str(result / "labels.zarr" / "nuclei" / "0"), mode="r+")
    y = np.flatnonzero(np.asarray(nuclei[:, 512]))[0]
    nuclei[y, 512] = 0
    arguments = ["run", slide, "--study", small_runs.write_study(tmp_path / "study.toml")]
    arguments += ["--out", tmp_path / "out", "--check-seams"]
    with small_runs.without_reports():
        ended = small_runs.macprox(*arguments, "-q")
        as_json = small_runs.macprox(*arguments, "--json")
    assert ended.code == as_json.code == 1
    assert "1 differ to the pixel" in " ".join(ended.out.split())
    (answer,) = json.loads(as_json.out)
    assert answer["seam_check"]["nuclei_differ"] == 1


def test_windows_lie_across_seams_where_cells_are():
    centres = np.array([[100.0, 1000.0], [900.0, 1020.0], [500.0, 500.0]])
    boxes = windows_on_seams(centres, (1100, 1300), 1024, seed=0)
    # around (0, 1024) and (1024, 1024); none for the cell that is far from every seam
    assert boxes == [Box(0, 256, 768, 1280), Box(768, 1100, 768, 1280)]
    many = np.random.default_rng(0).uniform(0, 20_000, (5000, 2))
    drawn = windows_on_seams(many, (20_000, 20_000), 1024, seed=1)
    assert len(drawn) == MAX_WINDOWS
    assert drawn == windows_on_seams(many, (20_000, 20_000), 1024, seed=1)
    assert drawn != windows_on_seams(many, (20_000, 20_000), 1024, seed=2)
    assert windows_on_seams(many, (20_000, 20_000), 20_480, seed=1) == []


def test_what_seams_are_said_to_be():
    check = {"windows": 0, "exact": True, "nuclei_differ": 0, "cells_differ": 0}
    assert seam_sentences({"seam_check": check}) == [
        "No cell lies near a seam between tiles; there was nothing to check."
    ]
    assert seam_sentences({}) == []
    views = {"crossing": 0, "objects": 3, "without_twin": 0}
    assert seam_sentences({"segmentation": {"views": views}}) == [
        "No nucleus lies across a seam between tiles."
    ]
