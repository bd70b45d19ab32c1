"""Which paths the plugin takes, and what it says about the others."""

import numpy as np
import pytest

import slide_files
from macprox.errors import MacproxError, PixelSizeError, ResultError
from napari_macprox import sample
from napari_macprox.reader import get_reader, read_slide

IMAGE = np.random.default_rng(4).integers(0, 999, (3, 64, 64)).astype(np.uint16)
NAMES = ("DAPI", "panCK", "CD68")


def names(layers) -> list[str]:
    return [about["name"] for _, about, _ in layers]


def read(path) -> list:
    reader = get_reader(str(path))
    assert reader is not None
    return reader(str(path))


def test_slides_of_every_kind_open(tmp_path):
    tiff = slide_files.write_ome(tmp_path / "a.ome.tif", IMAGE, NAMES)
    qptiff = slide_files.write_qptiff(tmp_path / "b.qptiff", IMAGE, NAMES)
    zarr = slide_files.write_ome_zarr(tmp_path / "c.zarr", IMAGE, names=NAMES)
    assert names(read(tiff)) == names(read(qptiff)) == names(read(zarr)) == list(NAMES)


def test_an_address_is_a_slide_s():
    assert get_reader("https://host.org/a.ome.zarr") is read_slide
    with pytest.raises(MacproxError, match="is not the address of a slide"):
        get_reader("https://host.org/a.ome.zarr?token=1")


def test_a_result_folder_opens_by_its_slide_or_by_its_root_where_there_is_one(result):
    assert "cells" in names(read(result.path))
    assert names(read(result.path.parents[1])) == names(read(result.path))


def test_several_results_are_not_opened_at_once(moved):
    other = moved.path.parent / "second"
    other.mkdir()
    (other / "manifest.json").write_text("{}")
    with pytest.raises(ResultError, match=r"results of 2 slides; open one .* field, second"):
        read(moved.path.parents[1])


def test_what_is_neither_slide_nor_result_is_left_to_others(tmp_path):
    (tmp_path / "notes.txt").write_text("")
    assert get_reader(str(tmp_path)) is None
    assert get_reader(str(tmp_path / "notes.txt")) is None
    assert get_reader(["a.tif", "b.tif"]) is None


def test_a_slide_without_a_pixel_size_says_what_to_do(tmp_path):
    path = slide_files.write_ome(tmp_path / "a.ome.tif", IMAGE, NAMES, pixel_size_um=None)
    with pytest.raises(PixelSizeError, match="large a pixel is"):
        read(path)


def test_a_damaged_slide_is_one_sentence(tmp_path):
    path = slide_files.write_ome(tmp_path / "a.ome.tif", IMAGE, NAMES)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(MacproxError, match=r"a\.ome\.tif"):
        read(path)


@pytest.mark.parametrize("make", [sample.early_slide, sample.late_slide])
def test_samples_open(make):
    assert names(make())[:3] == ["DAPI", "panCK", "CD68"]


def test_the_manifest_names_what_exists():
    npe2 = pytest.importorskip("npe2", reason="needs the napari extra")
    manifest = npe2.PluginManifest.from_distribution("macprox")
    manifest.validate_imports()
    assert manifest.contributions.readers[0].accepts_directories
    assert len(manifest.contributions.sample_data) == 3
    assert [widget.display_name for widget in manifest.contributions.widgets] == ["Review"]


@pytest.fixture
def viewer(screen, make_napari_viewer):
    return make_napari_viewer()


def test_a_scale_that_the_file_does_not_state_is_asked_for(viewer, tmp_path, monkeypatch):
    path = slide_files.write_ome(tmp_path / "a.ome.tif", IMAGE, NAMES, pixel_size_um=None)
    asked = []

    def answered(_, title, question, *limits):
        asked.append(question)
        return 0.325, True

    monkeypatch.setattr("qtpy.QtWidgets.QInputDialog.getDouble", answered)
    viewer.open(str(path), plugin="macprox")
    assert [layer.name for layer in viewer.layers] == list(NAMES)
    assert viewer.layers["DAPI"].scale.tolist() == [0.325, 0.325]
    assert viewer.canvas.overlays.scale_bar.visible
    assert len(asked) == 1
    assert "How many µm is one pixel wide?" in asked[0]


@pytest.mark.parametrize("answer", [(0.5, False), (0.0, True)])
def test_without_a_scale_nothing_is_shown_and_it_says_why(viewer, tmp_path, monkeypatch, answer):
    path = slide_files.write_ome(tmp_path / "a.ome.tif", IMAGE, NAMES, pixel_size_um=None)
    said = []
    monkeypatch.setattr("qtpy.QtWidgets.QInputDialog.getDouble", lambda *_: answer)
    monkeypatch.setattr("napari.utils.notifications.show_error", said.append)
    viewer.open(str(path), plugin="macprox")
    assert len(viewer.layers) == 0
    assert "large a pixel is" in said[0]


def test_a_damaged_slide_is_a_sentence_in_the_window(viewer, tmp_path, monkeypatch):
    path = slide_files.write_ome(tmp_path / "a.ome.tif", IMAGE, NAMES)
    path.write_bytes(path.read_bytes()[:2000])
    said = []
    monkeypatch.setattr("napari.utils.notifications.show_error", said.append)
    viewer.open(str(path), plugin="macprox")
    assert len(viewer.layers) == 0
    assert "a.ome.tif" in said[0]


def test_a_result_dropped_on_a_window_opens_its_review(viewer, moved, qtbot):
    from napari_macprox.desk import desk_in

    with qtbot.waitSignal(desk_in(viewer).review.answered, timeout=60_000):
        viewer.open(str(moved.path.parents[1]), plugin="macprox")
    assert desk_in(viewer).review.session.slide_id == moved.slide_id
    assert "cells" in viewer.layers
