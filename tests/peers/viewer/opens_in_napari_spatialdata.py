"""napari-spatialdata opens the store, shows the cells, and colours them as the report does.

In an environment of its own (.ci/run): it needs PyQt, which is no part of macprox. So its name is
none that pytest looks for elsewhere.
"""

import time
import warnings

import numpy as np
import pytest

import macprox as mp

pytestmark = pytest.mark.filterwarnings("default")  # their own, about each other


def wait_until(what, is_so, seconds=60.0):
    """Let Qt work until something holds."""
    from qtpy.QtWidgets import QApplication

    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, f"{what} did not happen within {seconds:g} s"
        QApplication.processEvents()
        time.sleep(0.02)


@pytest.fixture(scope="module")
def shown(small_result, tmp_path_factory):
    """Their window on the exported store."""
    import spatialdata
    from napari_spatialdata import Interactive

    (path,) = mp.export(small_result, "spatialdata", tmp_path_factory.mktemp("out"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = spatialdata.read_zarr(path)
        window = Interactive(data, headless=True)
        yield window
        window._sdata_widget.worker_thread.wait()
        window._viewer.close()


@pytest.fixture(scope="module")
def layer(shown):
    """The cells, which a thread of theirs loads."""
    shown.add_element("cells", "um", view_element_system=True)
    wait_until("a layer of cells", lambda: shown.get_layer("cells") is not None)
    return shown.get_layer("cells")


def test_cells_are_a_layer_with_the_labels_of_the_slide(layer, small_result):
    own = small_result.labels("cells").compute()
    finest = layer.data[0] if layer.multiscale else layer.data
    np.testing.assert_array_equal(np.asarray(finest).squeeze(), own)
    assert own.max() > 500
    corner = np.asarray(layer.data_to_world([0, 0]))[-2:]
    step = np.asarray(layer.data_to_world([2, 4]))[-2:] - corner
    np.testing.assert_allclose(step, np.array([2, 4]) * small_result.pixel_size_um)


def test_cells_are_coloured_by_phenotype_as_in_the_report(shown, layer, small_result):
    shown._viewer.layers.selection.active = layer
    (view,) = (
        dock for name, dock in shown._viewer.window.dock_widgets.items() if name.startswith("View")
    )
    view.obs_widget._onAction(["phenotype"])
    wait_until("the colouring", lambda: "phenotype" in getattr(layer, "features", {}))
    cells = small_result.cells()
    colours = small_result.study.colours(cells["phenotype"].unique())
    of_cell = layer.colormap.color_dict
    for cell_id, phenotype in zip(cells["cell_id"], cells["phenotype"], strict=True):
        wanted = [int(colours[phenotype][i : i + 2], 16) for i in (1, 3, 5)]
        assert np.round(of_cell[cell_id][:3] * 255).tolist() == wanted
    assert len({colours[name] for name in cells["phenotype"]}) > 2  # control

    shown._viewer.reset_view()
    picture = shown._viewer.screenshot(canvas_only=True, flash=False)[..., :3]
    for phenotype in ("Tumour", "Macrophage"):
        wanted = np.array([int(colours[phenotype][i : i + 2], 16) for i in (1, 3, 5)])
        near = np.abs(picture.astype(int) - wanted).max(axis=-1) < 90  # layers are translucent
        assert near.mean() > 0.005, phenotype
