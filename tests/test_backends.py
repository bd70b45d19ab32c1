"""Learned segmenters made elsewhere: what they are shown, and what they say where weights miss."""

import json
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
import zarr
from scipy import ndimage as ndi

import scenes
import small_runs
from macprox.errors import StudyError
from macprox.image.tiles import Box
from macprox.segment import SegmentationParameters
from macprox.segment.learned import Brightness, label_view, segmenter
from macprox.segment.model_grid import ModelGrid

PX = scenes.PIXEL_SIZE_UM


class Threshold:
    """A segmenter as another package may offer it: connected pixels above a level."""

    pixel_size_um = 0.5
    halo_um = 60.0  # touching nuclei are one object here
    percentiles = (5.0, 99.0)

    def __init__(self, parameters: SegmentationParameters):
        self.level = 0.5

    def label(self, image: np.ndarray) -> np.ndarray:
        return ndi.label(image > self.level)[0]


class Fickle(Threshold):
    """Its threshold depends on what is in view, as with brightness by tile."""

    def label(self, image: np.ndarray) -> np.ndarray:
        return ndi.label(image > (0.3 if image.shape[1] < 400 else 0.7))[0]


class Float(Threshold):
    def label(self, image: np.ndarray) -> np.ndarray:
        return np.zeros((3, 3))


@pytest.fixture
def offered():
    """The segmenters of this file as entry points."""
    points = [
        EntryPoint(cls.__name__.lower(), f"{__name__}:{cls.__name__}", "macprox.segmenters")
        for cls in (Threshold, Fickle, Float)
    ]
    with (
        patch("macprox.segment.methods.entry_points", lambda group: points),
        patch("macprox.segment.methods.import_module", lambda name: sys.modules[__name__]),
    ):
        yield


# --- what a segmenter is shown -------------------------------------------------------------------


def test_the_model_s_pixels_are_those_of_the_whole_slide_in_every_tile():
    stain = scenes.crowd(200).nuclear.astype(np.float32)
    for step in (0.65, 1.7):
        grid = ModelGrid(step)
        whole = grid.sample(stain, Box(0, 200, 0, 200))
        outer = Box(31, 170, 47, 181)
        part, box = grid.sample(stain[outer.slices], outer), grid.box(outer)
        inner = Box(box.y0 + 8, box.y1 - 8, box.x0 + 8, box.x1 - 8)
        assert part.shape == box.shape
        np.testing.assert_allclose(part[inner.within(box)], whole[inner.slices], rtol=1e-5)


def test_resampling_there_and_back_keeps_outlines():
    truth = scenes.crowd(200).truth
    box = Box(0, 200, 0, 200)
    for step in (0.5, 1.6):
        grid = ModelGrid(step)
        rows = ((np.arange(grid.box(box).y1) + 0.5) * step).astype(int)
        rows = np.minimum(rows, 199)
        back = grid.to_slide(truth[np.ix_(rows, rows)], box)
        assert back.shape == truth.shape
        assert np.mean(back == truth) > 0.94


def test_a_scale_that_is_nearly_right_is_kept():
    assert ModelGrid.between(0.5, 0.53).step == 1
    assert ModelGrid.between(0.25, 0.5).step == 2


def test_brightness_is_by_percentiles_of_the_slide():
    sample = np.linspace(0, 100, 1001)
    brightness = Brightness.of_slide(sample, Threshold(SegmentationParameters()))
    assert (brightness.dark, brightness.bright) == pytest.approx((5, 99))
    np.testing.assert_allclose(brightness.shown(np.array([5.0, 99.0])), [0, 1])


def test_an_entry_point_labels_an_image(offered):
    scene = scenes.crowd(160)
    parameters = SegmentationParameters(method="threshold")
    stain = scene.nuclear.astype(np.float32)
    brightness = Brightness.of_slide(stain.ravel(), segmenter(parameters))
    box = Box(0, 160, 0, 160)
    labels = label_view(stain, box, PX, brightness, parameters)
    assert labels.dtype == np.int32
    assert np.unique(labels).tolist() == list(range(labels.max() + 1))
    assert labels.max() > 30
    finer = label_view(stain, box, 0.25, brightness, parameters)  # as if half as large
    assert finer.shape == stain.shape
    assert not label_view(stain, box, PX, Brightness(1.0, 1.0), parameters).any()


def test_a_segmenter_that_breaks_its_promise_is_told(offered):
    parameters = SegmentationParameters(method="float")
    with pytest.raises(StudyError, match=r"'float' returned float64 of shape \(3, 3\) for an im"):
        label_view(np.ones((8, 8)), Box(0, 8, 0, 8), PX, Brightness(0, 1), parameters)


# --- through the pipeline ------------------------------------------------------------------------


def run(tmp_path: Path, method: str) -> tuple[dict, np.ndarray, small_runs.Ended]:
    slide = small_runs.write_slide(tmp_path / "a.ome.tif")
    chosen = f'[segmentation]\nmethod = "{method}"\n[segmentation.macrophages]'
    study = small_runs.write_study(tmp_path / "s.toml", ("[segmentation.macrophages]", chosen))
    with small_runs.without_reports():
        ended = small_runs.macprox(
            "run", slide, "--study", study, "--out", tmp_path / "out", "--tile", 512, "-q",
            "--check-seams",
        )  # fmt: skip
    result = tmp_path / "out" / "slides" / "a"
    manifest = json.loads((result / "manifest.json").read_text(encoding="utf-8"))
    return manifest, np.asarray(zarr.open_array(str(result / "labels.zarr/nuclei/0"))), ended


def test_a_segmenter_that_is_local_has_no_seams(offered, tmp_path):
    manifest, nuclei, ended = run(tmp_path, "threshold")
    assert ended.code == 0, ended.err
    views, check = manifest["segmentation"]["views"], manifest["seam_check"]
    assert views["crossing"] > 3
    assert (views["without_twin"], views["unmatched"], views["cut"]) == (0, 0, 0)
    assert not check["exact"]
    assert check["nuclei"] > 50
    assert check["nuclei_differ"] == 0
    assert len(np.unique(nuclei)) - 1 == views["objects"]
    assert "0 of them (0.0%) have an outline that depends on the tile" in " ".join(
        ended.out.split()
    )


def test_a_segmenter_that_looks_around_is_measured_and_does_not_fail_the_run(offered, tmp_path):
    manifest, nuclei, ended = run(tmp_path, "fickle")
    assert ended.code == 0, ended.err
    assert manifest["segmentation"]["views"]["without_twin"] > 0
    assert manifest["seam_check"]["nuclei_differ"] > 0
    assert nuclei.max() > 50


# --- packages and weights ------------------------------------------------------------------------

LEARNED = ("stardist", "cellpose", "instanseg")


@pytest.mark.parametrize("method", LEARNED)
def test_a_missing_package_or_missing_weights_take_one_sentence(method, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CELLPOSE_LOCAL_MODELS_PATH", str(tmp_path))
    monkeypatch.setenv("INSTANSEG_BIOIMAGEIO_PATH", str(tmp_path))
    with pytest.raises(
        StudyError,
        match=rf"'{method}' (has no weights here, and macprox downloads none: name|needs the pack)",
    ) as caught:
        segmenter(SegmentationParameters(method=method))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("method", LEARNED)
def test_a_package_that_is_not_installed_is_named_with_its_extra(method, tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "weights_best.h5").touch()
    (tmp_path / "instanseg.pt").touch()

    def absent(name: str):
        raise ModuleNotFoundError(f"No module named '{name}'")

    model = str(tmp_path / "weights_best.h5") if method == "cellpose" else str(tmp_path)
    with (
        patch("macprox.segment.backends.weights.import_module", absent),
        pytest.raises(StudyError, match=rf"needs the package .*pip install macprox\[{method}\]"),
    ):
        segmenter(SegmentationParameters(method=method, model=model))


@pytest.mark.parametrize(
    ("method", "expected"),
    [("stardist", "a StarDist model folder"), ("instanseg", "an instanseg.pt or its folder")],
)
def test_weights_that_are_not_where_the_study_says_are_told(method, expected, tmp_path):
    parameters = SegmentationParameters(method=method, model=str(tmp_path / "nothing"))
    with pytest.raises(StudyError, match=f"model names '.*nothing', which is not {expected}"):
        segmenter(parameters)


def test_missing_weights_stop_a_run_before_a_pixel_is_read(tmp_path):
    slide = small_runs.write_slide(tmp_path / "a.ome.tif", names=("DAPI", "panCK", "CD68"))
    chosen = '[segmentation]\nmethod = "stardist"\nmodel = "gone"\n[segmentation.macrophages]'
    study = small_runs.write_study(tmp_path / "s.toml", ("[segmentation.macrophages]", chosen))
    with small_runs.no_pixels():
        ended = small_runs.macprox("run", slide, "--study", study, "--out", tmp_path / "o", "-q")
    assert ended.code == 2
    assert "gone', which is not a StarDist model folder" in ended.err


# --- the real packages, where they are installed --------------------------------------------------


def labels_of(parameters: SegmentationParameters, side_px: int = 128) -> np.ndarray:
    stain = scenes.crowd(side_px).nuclear.astype(np.float32)
    brightness = Brightness.of_slide(stain.ravel(), segmenter(parameters))
    return label_view(stain, Box(0, side_px, 0, side_px), PX, brightness, parameters)


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
def test_a_torchscript_file_runs_as_instanseg(tmp_path):
    torch = pytest.importorskip("torch")

    class Tiny(torch.nn.Module):
        """Called as InstanSeg's files are; every pixel above a half is object 1."""

        def __init__(self):
            super().__init__()
            self.pixel_size = 0.5

        def forward(self, x: torch.Tensor, target_segmentation: torch.Tensor) -> torch.Tensor:
            torch.clamp_max_(x, 3)
            return (x > 0.5).float()[:, : int(target_segmentation.sum())]

    torch.jit.script(Tiny()).save(str(tmp_path / "instanseg.pt"))
    labels = labels_of(SegmentationParameters(method="instanseg", model=str(tmp_path)))
    assert labels.max() == 1
    assert 0.1 < labels.mean() < 0.9
    (tmp_path / "instanseg.pt").write_bytes(b"not a model")
    with pytest.raises(StudyError, match=r"instanseg.pt' does not load as weights of 'instanseg'"):
        segmenter(SegmentationParameters(method="instanseg", model=str(tmp_path), expansion_um=3))


def test_a_stardist_folder_is_loaded(tmp_path):
    models = pytest.importorskip("stardist.models")
    config = models.Config2D(n_rays=8, grid=(2, 2), unet_n_depth=1, unet_n_filter_base=4)
    net = models.StarDist2D(config, name="tiny", basedir=str(tmp_path))
    net.keras_model.save_weights(str(tmp_path / "tiny" / "weights_best.weights.h5"))
    parameters = SegmentationParameters(method="stardist", model=str(tmp_path / "tiny"))
    assert labels_of(parameters).shape == (128, 128)


def test_a_cellpose_file_is_loaded(tmp_path):
    pytest.importorskip("cellpose")
    nets = pytest.importorskip("cellpose.resnet_torch")  # up to version 3: of a size for a test
    net = nets.CPnet([2, 32, 64, 128, 256], 3, sz=3, max_pool=True, diam_mean=17.0)
    net.save_model(str(tmp_path / "own"))
    parameters = SegmentationParameters(method="cellpose", model=str(tmp_path / "own"))
    assert segmenter(parameters).pixel_size_um == pytest.approx(8 / 17)
    assert labels_of(parameters).shape == (128, 128)
