"""A slide's layers in a real viewer: what is read, what follows a decision, what is drawn over."""

import numpy as np
import pandas as pd
import pytest
import shapely
from scipy.ndimage import binary_erosion

pytest.importorskip("napari", reason="needs the napari extra")
pytest.importorskip("pytestqt", reason="needs the test extra")

from dataclasses import replace
from functools import partial
from pathlib import Path

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QWidget

from macprox.report.overview import contrast_limits
from macprox.review.session import ReviewSession
from macprox.slide import Slide
from napari_macprox import conversion, marks
from napari_macprox.keys import Keys
from napari_macprox.layers import ReviewLayers
from napari_macprox.lazy import ClassView
from window_pictures import frame, n_coloured

pytestmark = pytest.mark.usefixtures("screen")


@pytest.fixture
def viewer(screen, make_napari_viewer):
    return make_napari_viewer(show=True)


@pytest.fixture
def session(result):
    return ReviewSession.open(result.path, "A. Reviewer")


@pytest.fixture
def layers(viewer, session):
    shown = ReviewLayers(viewer)
    shown.show(session)
    shown.finish()
    return shown


def names(viewer) -> list[str]:
    return [layer.name for layer in viewer.layers]


def with_cells(session, **columns):
    """The session as if its cells had been called otherwise."""
    called = session.called
    session.called = replace(called, cells=called.cells.assign(**columns))
    return session


def test_a_slide_is_stain_cells_and_outlines_with_a_scale_bar(layers, viewer):
    assert names(viewer) == ["DAPI", "panCK", "CD68", "cells", "tissue", "tumour border"]
    assert viewer.layers.selection.active is viewer.layers["DAPI"]
    assert viewer.canvas.overlays.scale_bar.visible
    assert {str(layer.units[0]) for layer in viewer.layers} == {"micrometer"}
    assert layers.lacking is None


def test_showing_again_leaves_no_layer_behind_and_somebody_else_s_alone(layers, viewer, session):
    viewer.add_points([[1, 2]], name="theirs")
    before = names(viewer)
    layers.show(session)
    layers.finish()
    assert sorted(names(viewer)) == sorted(before)
    layers.clear()
    assert names(viewer) == ["theirs"]


def test_contrast_is_that_of_the_overview_and_what_is_hidden_is_not_read(
    viewer, session, monkeypatch
):
    nuclei_only = conversion.stains(("DAPI",), session.study)
    monkeypatch.setattr(conversion, "stains", lambda *_: nuclei_only)
    asked = []
    read = Slide.read

    def spy(slide, channel, y, x, level=0):
        asked.append(slide.channels[channel])
        return read(slide, channel, y, x, level=level)

    monkeypatch.setattr(Slide, "read", spy)
    shown = ReviewLayers(viewer)
    shown.show(session)
    shown.finish()
    frame(viewer)
    overview = session.result.overview()
    for channel, plane in zip(overview.channels, overview.mean, strict=True):
        assert viewer.layers[channel].contrast_limits == pytest.approx(contrast_limits(plane))
    assert set(asked) == {"DAPI"}
    viewer.layers["CD68"].visible = True
    frame(viewer)
    assert set(asked) == {"DAPI", "CD68"}


class Endless:
    """Pixels of a slide of any size, and how many were asked for at once."""

    def __init__(self):
        self.asked = []

    def read(self, level, channel, y, x):
        self.asked.append((y.stop - y.start) * (x.stop - x.start))
        return np.zeros((y.stop - y.start, x.stop - x.start), np.uint16)


class EndlessLabels:
    """Labels of a slide of any size, in chunks as on the disk."""

    def __init__(self, side_px):
        self.shape, self.chunks, self.dtype = (side_px, side_px), (512, 512), np.dtype(np.uint32)
        self.asked = []

    def __getitem__(self, key):
        rows, columns = (range(*part.indices(n)) for part, n in zip(key, self.shape, strict=True))
        self.asked.append(len(rows) * len(columns))
        return np.ones((len(rows), len(columns)), np.uint32)


def test_pan_and_zoom_never_load_a_full_resolution_plane(viewer):
    from napari.layers import Layer

    sides_px = [16_384 // 2**level for level in range(6)]
    pixels = Endless()
    slide = Slide(
        "endless", Path("endless"), "none", ("DAPI",), 0.5,
        tuple((side, side) for side in sides_px), np.dtype(np.uint16), pixels,
    )  # fmt: skip
    labels = [EndlessLabels(side) for side in sides_px]
    views = [ClassView(level, np.array([0, 1], np.uint8)) for level in labels]
    viewer.add_layer(Layer.create(*conversion.slide_layers(slide)[0]))
    viewer.add_labels(views, multiscale=True, scale=(0.5, 0.5))
    canvas_px = np.prod(viewer.canvas.size)
    for zoom in (0.08, 0.4, 1.0, 1.9, 2.1, 8.0):  # screen pixels a micrometre
        viewer.scene.camera.zoom = zoom
        for x_um in (2000.0, 3000.0, 5000.0):
            pixels.asked.clear()
            viewer.scene.camera.center = (0, 4000.0, x_um)
            frame(viewer)
            # A level has up to twice the screen's pixels a side; chunks and margins come on top.
            assert max(pixels.asked, default=0) < 16 * canvas_px < 16_384**2 / 20
    assert 0 < max(max(level.asked, default=0) for level in labels) < 16 * canvas_px


def test_a_new_class_is_seen_at_once_and_reads_no_label_again(layers, viewer, session):
    for layer in viewer.layers:
        layer.visible = layer.name == "cells"
    viewer.layers["cells"].opacity = 1
    tumour = layers.colours["Tumour"]
    assert n_coloured(frame(viewer), tumour) > 1000
    n_read = sum(view.plane.n_read_px for view in layers._cells)
    layers.recolour(with_cells(session, phenotype="Macrophage"))
    picture = frame(viewer)
    assert n_coloured(picture, tumour) == 0
    assert n_coloured(picture, layers.colours["Macrophage"]) > 1000
    assert sum(view.plane.n_read_px for view in layers._cells) == n_read


def test_a_deleted_cell_is_background(layers, session):
    cell = session.called.cells.iloc[10]
    view, plane = layers._cells[0], layers._cells[0].plane
    inside = np.asarray(plane.labels[:]) == cell.cell_id
    assert np.asarray(view)[inside].all()  # control
    kept = session.called.cells.query(f"cell_id != {cell.cell_id}")
    session.called = replace(session.called, cells=kept)
    layers.recolour(session)
    assert not np.asarray(view)[inside].any()


def test_the_cell_under_a_point_is_that_of_full_resolution(layers, session):
    cells = session.called.cells.query("has_nucleus and solidity > 0.95")
    found = [layers.cell_id_at(cell.x_um, cell.y_um) for cell in cells.itertuples()]
    assert np.mean(found == cells["cell_id"]) > 0.99
    assert layers.cell_id_at(-3, 10) == layers.cell_id_at(10, 1e6) == 0
    assert layers.cell_id_at(float("nan"), 10) == 0


def test_positive_cells_are_lit_and_put_out(layers, viewer, session):
    n_ids = int(session.called.cells["cell_id"].max()) + 1
    layers.light(np.ones(n_ids, bool), "#ff0000")
    lit = viewer.layers["positive cells"]
    ids = np.asarray(layers._cells[0].plane.labels[:])
    inside = binary_erosion(ids > 0, iterations=3)
    seen = np.asarray(lit.data[0]) > 0
    assert seen[
        (ids > 0) & ~binary_erosion(ids > 0, border_value=1)
    ].all()  # each cell's rim, and no background
    assert not seen[ids == 0].any()
    assert seen[inside].mean() < 0.5  # the stain is seen; touching cells have rims in between
    layers.light(np.zeros(n_ids, bool))
    assert viewer.layers["positive cells"] is lit  # one layer, however long a cut is dragged
    assert not np.asarray(lit.data[0]).any()
    layers.light(None)
    assert "positive cells" not in names(viewer)


def test_lines_and_bands_come_and_go(layers, viewer, session):
    layers.lines(np.array([[[0, 0], [10, 20]], [[5, 5], [5, 9]]], float))
    drawn = viewer.layers["nearest tumour cell"]
    assert drawn.data[0].tolist() == [[0, 0], [20, 10]]  # start and direction, (y, x)
    layers.lines(np.zeros((1, 2, 2)))
    assert len(drawn.data) == 1
    layers.lines(None)
    layers.bands(session.called.regions)
    assert set(np.unique(viewer.layers["margins of the tumour"].data)) == {0, 1, 2}
    layers.bands(None)
    assert names(viewer)[-1] == "tumour border"


def test_a_layer_removed_by_hand_is_no_disaster(layers, viewer, session):
    layers.lines(np.ones((1, 2, 2)))
    viewer.layers.remove("nearest tumour cell")
    viewer.layers.remove("cells")
    layers.lines(np.ones((2, 2, 2)))
    assert len(viewer.layers["nearest tumour cell"].data) == 2
    layers.recolour(session)
    layers.outline_cells(True)
    layers.clear()
    assert names(viewer) == []


def test_the_marked_cell_is_outlined_with_a_line_to_its_neighbour(layers, viewer, session):
    cell = session.called.cells.query("has_nucleus and solidity > 0.95").iloc[5]
    layers.mark_cell(int(cell.cell_id), (cell.x_um, cell.y_um), (3.0, 4.0))
    starts = viewer.layers["selected cell"].data[:, 0, ::-1]
    outline = shapely.Polygon(starts[:-1])
    assert outline.contains(shapely.Point(cell.x_um, cell.y_um))
    assert outline.area == pytest.approx(cell.cell_area_um2, rel=0.25)
    line = viewer.layers["selected cell"].data[-1]
    assert np.allclose(line.sum(axis=0)[::-1], (3.0, 4.0))
    layers.mark_cell(None)
    assert "selected cell" not in names(viewer)


def test_what_tells_a_call_is_hidden_from_a_blinded_reader(layers, viewer, session):
    layers.bands(session.called.regions)
    viewer.layers["tissue"].visible = False
    layers.blind(True)
    layers.light(np.ones(2, bool))  # made while blinded: hidden as well
    shown = {layer.name for layer in viewer.layers if layer.visible}
    assert shown == {"DAPI", "panCK", "CD68"}
    layers.blind(False)
    hidden = {layer.name for layer in viewer.layers if not layer.visible}
    assert hidden == {"tissue"}


def shown_names(viewer) -> set[str]:
    return {layer.name for layer in viewer.layers if layer.visible}


def test_a_gate_s_channel_is_seen_alone_and_afterwards_all_is_as_before(layers, viewer):
    viewer.layers["tissue"].visible = False
    before = shown_names(viewer)
    layers.focus("CD68")
    assert shown_names(viewer) == {"DAPI", "CD68", "tumour border"}
    viewer.layers["panCK"].visible = True
    layers.focus("CD68")  # every step of a drag says so
    assert "panCK" in shown_names(viewer)
    layers.focus("panCK")
    assert shown_names(viewer) == {"DAPI", "panCK", "tumour border"}
    layers.focus(None)
    assert shown_names(viewer) == before


def test_a_blinded_reader_stays_so_whatever_else_is_shown_or_hidden(layers, viewer):
    layers.focus("CD68")
    layers.blind(True)
    layers.focus(None)
    assert shown_names(viewer) == {"DAPI", "panCK", "CD68"}
    layers.blind(False)
    assert shown_names(viewer) == set(names(viewer))


def test_the_first_picture_is_what_is_visible_and_the_rest_comes_in_its_place(
    viewer, session, monkeypatch, qtbot
):
    nuclei_only = conversion.stains(("DAPI",), session.study)
    monkeypatch.setattr(conversion, "stains", lambda *_: nuclei_only)
    layers = ReviewLayers(viewer)
    layers.show(session)
    assert names(viewer) == ["DAPI", "cells"]
    layers.light(np.ones(9, bool))  # whatever comes first
    every = ["DAPI", "panCK", "CD68", "cells", "tissue", "tumour border", "positive cells"]
    qtbot.waitUntil(lambda: names(viewer) == every, timeout=5000)
    assert viewer.layers.selection.active is viewer.layers["DAPI"]
    layers.show(session)
    layers.clear()  # before the rest came
    qtbot.wait(200)
    assert names(viewer) == []


def test_keys_work_on_the_stain_that_is_active_and_on_what_comes_later(viewer, session, qtbot):
    pressed = []
    layers = ReviewLayers(viewer)
    panel = QWidget()
    qtbot.addWidget(panel)
    keys = Keys(viewer, panel, {name: partial(pressed.append, name) for name in ("U", "1")})
    keys.bind()
    layers.show(session)
    layers.finish()
    canvas = viewer.window._qt_viewer.canvas.native
    for layer in viewer.layers:
        viewer.layers.selection.active = layer
        qtbot.keyClick(canvas, Qt.Key.Key_U)
        qtbot.keyClick(canvas, Qt.Key.Key_1)
    assert pressed == ["U", "1"] * len(viewer.layers)


def test_a_border_that_moved_is_drawn_anew_and_one_that_did_not_is_left(layers, viewer, session):
    border = viewer.layers["tumour border"]
    layers.recolour(session)
    assert viewer.layers["tumour border"] is border
    regions = session.called.regions.with_tumour(shapely.box(10, 20, 200, 220), "reviewer")
    areas = replace(session.called.areas, regions=regions)
    session.called = replace(session.called, areas=areas)
    layers.recolour(session)
    starts = viewer.layers["tumour border"].data[:, 0]
    assert np.allclose([*starts.min(axis=0), *starts.max(axis=0)], [20, 10, 220, 200])


def test_the_queue_is_points_and_an_empty_one_is_none(layers, viewer):
    queue = pd.DataFrame({"cell_id": [4], "x_um": [30.0], "y_um": [7.0]})
    layers.queue(queue)
    assert viewer.layers["cells to look at"].data.tolist() == [[7.0, 30.0]]
    layers.queue(queue[:0])
    assert "cells to look at" not in names(viewer)


def test_bands_are_as_wide_as_the_margin():
    from macprox.regions import Regions

    tumour = shapely.box(400, 400, 800, 800)
    regions = Regions(shapely.box(0, 0, 1200, 1200), margin_um=100).with_tumour(tumour, "auto")
    bands, about, _ = marks.band_layer(regions)
    areas_um2 = np.bincount(bands.ravel()) * about["scale"][0] ** 2
    assert areas_um2[1] == pytest.approx(regions.inner_margin.area, rel=0.03)
    assert areas_um2[2] == pytest.approx(regions.outer_margin.area, rel=0.03)
    assert marks.band_layer(Regions(shapely.box(0, 0, 9, 9))) is None


def test_a_cell_cut_by_the_edge_is_outlined_and_one_that_is_not_there_is_not():
    labels = np.zeros((20, 30), np.uint32)
    labels[:4, :6] = 3
    outline = marks.cell_outline(labels, 3, 1.0, 1.0, 0.5)
    assert shapely.Polygon(outline[:, 0]).area == pytest.approx(24 * 0.25, rel=0.1)
    assert marks.cell_outline(labels, 8, 1.0, 1.0, 0.5).shape == (0, 2, 2)
