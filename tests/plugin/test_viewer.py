"""A real napari window, drawn on a real (virtual) screen."""

import numpy as np
import pytest
import zarr

pytest.importorskip("napari", reason="needs the napari extra")
pytest.importorskip("pytestqt", reason="needs the test extra")

from napari_macprox.desk import desk_in
from window_pictures import frame, n_coloured

pytestmark = pytest.mark.usefixtures("screen")


@pytest.fixture
def viewer(screen, make_napari_viewer):
    return make_napari_viewer(show=True)


@pytest.fixture
def drop(viewer, qtbot):
    """Drop a result on the window, and wait until all of it is there."""

    def dropped(result) -> None:
        review = desk_in(viewer).review
        with qtbot.waitSignal(review.answered, timeout=60_000):
            viewer.open(str(result.path), plugin="macprox")
        review.layers.finish()

    return dropped


def test_a_result_is_drawn_in_the_colours_of_the_report(viewer, result, drop):
    from macprox.phenotype.colours import phenotype_colours

    drop(result)
    assert [layer.name for layer in viewer.layers][-3:] == ["cells", "tissue", "tumour border"]
    for layer in viewer.layers:
        layer.visible = layer.name == "cells"
    viewer.layers["cells"].opacity = 1
    colours = phenotype_colours(["Tumour", "Macrophage"], "Tumour", ["Macrophage"])
    picture = frame(viewer)
    assert n_coloured(picture, "#000000") > 1000  # background between the cells
    assert n_coloured(picture, colours["Tumour"]) > 1000
    assert n_coloured(picture, colours["Macrophage"]) > 1000

    viewer.layers["cells"].visible = False
    assert n_coloured(frame(viewer), colours["Tumour"]) == 0  # control: it was the cells


def test_stain_and_tumour_border_are_drawn_over_each_other(viewer, result, drop):
    drop(result)
    viewer.layers["cells"].visible = False
    with_border = frame(viewer)
    viewer.layers["tumour border"].visible = False
    stain = frame(viewer)
    assert stain[..., 2].max() > 100  # nuclei are blue
    assert (with_border != stain).any(axis=-1).sum() > 200


def test_a_point_of_the_slide_is_in_one_place_in_every_layer(viewer, result, drop):
    drop(result)
    image, cells = viewer.layers["DAPI"], viewer.layers["cells"]
    corner_um = (0.0, 0.0)
    assert np.allclose(image.world_to_data(corner_um), [-0.5, -0.5])
    assert np.allclose(cells.world_to_data(corner_um), [-0.5, -0.5])
    assert np.allclose(viewer.layers["tumour border"].world_to_data(corner_um), [0, 0])
    assert np.allclose(image.extent.world, cells.extent.world)
    assert {str(unit) for layer in viewer.layers for unit in layer.units} == {"micrometer"}


def test_a_sample_opens_from_the_menu_s_contribution(viewer):
    viewer.open_sample("macprox", "lung_early")
    assert [layer.name for layer in viewer.layers][:3] == ["DAPI", "panCK", "CD68"]
    assert frame(viewer).max() > 200


def test_labels_without_a_pyramid_are_a_layer_too(viewer, moved, drop):
    group = zarr.open_group(str(moved.folder.labels / "cells"), mode="r+")
    ome = group.attrs["ome"]
    assert len(ome["multiscales"][0]["datasets"]) == 2  # control: this slide has a pyramid
    del ome["multiscales"][0]["datasets"][1:]
    group.attrs["ome"] = ome
    drop(moved)
    assert not viewer.layers["cells"].multiscale
    assert viewer.layers["cells"].data.shape == (640, 640)
