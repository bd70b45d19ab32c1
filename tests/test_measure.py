import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage as ndi
from scipy.spatial import ConvexHull
from skimage.measure import regionprops

import scenes
from macprox.celltable import COMPARTMENTS
from macprox.image.tiles import Box
from macprox.measure import GEOMETRY_COLUMNS, cell_table, measure_tile
from macprox.segment import segment_cells

PX = 0.5


def clear_of_others(cells: np.ndarray) -> np.ndarray:
    """Pixels without another cell within 1 um (2 px), by going through the cells."""
    clear = np.zeros(cells.shape, bool)
    for label in range(1, cells.max() + 1):
        others = ndi.binary_dilation((cells > 0) & (cells != label), np.ones((5, 5), bool))
        clear |= (cells == label) & ~others
    return clear


def measured(nuclei, cells, channels, outer=None, shape=None, px=PX):
    outer = outer or Box(0, nuclei.shape[0], 0, nuclei.shape[1])
    owned = np.arange(cells.max() + 1) > 0
    return measure_tile(nuclei, cells, owned, (outer, shape or nuclei.shape, px), channels)


def hull_solidity(region) -> float:
    corners = [region.coords + offset for offset in ([0, 0], [0, 1], [1, 0], [1, 1])]
    return region.area / ConvexHull(np.concatenate(corners)).volume


def test_geometry_agrees_with_independent_measurements():
    scene = scenes.crowd(256)
    cells = segment_cells(scene.truth, PX)
    table = measured(scene.truth, cells, [("CD68", scene.marker)])
    nuclei = regionprops(scene.truth)
    whole = regionprops(cells)
    assert len(nuclei) > 80

    def close(column, expected, rtol=1e-9):
        np.testing.assert_allclose(table[column], expected, rtol=rtol)

    close("x_um", [(r.centroid[1] + 0.5) * PX for r in nuclei])
    close("y_um", [(r.centroid[0] + 0.5) * PX for r in nuclei])
    close("nucleus_area_um2", [r.area * PX**2 for r in nuclei])
    close("cell_area_um2", [r.area * PX**2 for r in whole])
    close("solidity", [hull_solidity(r) for r in nuclei])
    assert np.abs(table["eccentricity"] - [r.eccentricity for r in nuclei]).max() < 0.05


def test_means_leave_out_pixels_beside_another_cell():
    scene = scenes.crowd(256)
    cells = segment_cells(scene.truth, PX)
    table = measured(scene.truth, cells, [("CD68", scene.marker)])
    clear = clear_of_others(cells)
    ring = np.where(scene.truth == 0, cells, 0)
    for where, labels in (("nucleus", scene.truth), ("ring", ring), ("cell", cells)):
        for label in range(1, cells.max() + 1):
            inside = labels == label
            counted = inside & clear if (inside & clear).any() else inside
            expected = scene.marker[counted].mean() if counted.any() else np.nan
            found = table[f"mean_cd68_{where}"][label - 1]
            np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_light_of_a_neighbour_does_not_make_a_cell_positive():
    cells = np.zeros((30, 40), np.int32)
    cells[5:25, 5:20], cells[5:25, 20:35] = 1, 2
    light = ndi.gaussian_filter(100.0 * (cells == 2), 1.0)
    dark = measured(np.zeros_like(cells), cells, [("m", light)])["mean_m_cell"][0]
    assert light[cells == 1].mean() > 10 * dark  # control: with every pixel it would


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_solidity_is_exact_for_any_shape(seed):
    rng = np.random.default_rng(seed)
    labels = (rng.random((9, 11)) < 0.4).astype(np.int32)
    labels[4, 5] = 1
    (region,) = regionprops(labels)
    solidity = measured(labels, labels, [])["solidity"]
    assert solidity[0] == pytest.approx(hull_solidity(region), rel=1e-12)


def test_a_circle_is_round_and_a_bar_is_not():
    circle = scenes.discs([(20, 20)], 10, (41, 41))
    bar = np.zeros((41, 41), np.int32)
    bar[19:21, 5:35] = 1
    assert measured(circle, circle, [])["eccentricity"][0] < 0.05
    assert measured(bar, bar, [])["eccentricity"][0] > 0.99


def test_where_a_tile_lies_does_not_matter():
    scene = scenes.crowd(128)
    cells = segment_cells(scene.truth, PX)
    here = measured(scene.truth, cells, [("m", scene.marker)])
    there = measured(
        scene.truth, cells, [("m", scene.marker)], Box(512, 640, 1024, 1152), (2000, 2000)
    )
    for column in ("mean_m_cell", "eccentricity", "solidity", "cell_area_um2"):
        np.testing.assert_array_equal(here[column], there[column])
    np.testing.assert_allclose(there["y_um"] - here["y_um"], 512 * PX)
    np.testing.assert_allclose(there["x_um"] - here["x_um"], 1024 * PX)
    assert here["edge"].any()
    assert not there["edge"].any()


def test_a_body_without_a_nucleus_is_placed_and_measured_by_its_body():
    nuclei = np.zeros((8, 8), np.int32)
    cells = np.zeros_like(nuclei)
    cells[2:4, 2:6] = 1
    table = measured(nuclei, cells, [("m", np.full((8, 8), 7.0))])
    assert table["has_nucleus"].tolist() == [False]
    assert (table["x_um"][0], table["y_um"][0]) == (2.0, 1.5)
    assert np.isnan(table["mean_m_nucleus"][0])
    assert table["mean_m_ring"][0] == table["mean_m_cell"][0] == 7


def test_only_owned_cells_are_measured():
    labels = scenes.discs([(5, 5), (5, 20), (20, 5)], 3, (30, 30))
    owned = np.array([False, True, False, True])
    table = measure_tile(labels, labels, owned, (Box(0, 30, 0, 30), (30, 30), PX), [])
    assert len(table["x_um"]) == 2


def test_cell_ids_are_ranks_of_anchors_whatever_the_order_of_tiles():
    def part(anchor_px):
        n = len(anchor_px)
        columns = {name: np.arange(n, dtype=float) for name in GEOMETRY_COLUMNS}
        columns |= {f"mean_m_{where}": np.arange(n, dtype=float) for where in COMPARTMENTS}
        return columns | {"anchor_px": np.array(anchor_px)}

    first, second = part([90, 5]), part([40])
    table = cell_table([first, second], "a", ["m"])
    assert table["cell_id"].tolist() == [1, 2, 3]
    assert table["anchor_px"].tolist() == [5, 40, 90]
    assert table.equals(cell_table([second, first], "a", ["m"]))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32", "float32", "float64"])
def test_means_agree_with_scipy_for_any_type_of_pixel(dtype):
    scene = scenes.crowd(128)
    cells = segment_cells(scene.truth, PX)
    pixels = np.random.default_rng(7).integers(0, 250, cells.shape).astype(dtype)
    clear = clear_of_others(cells)
    assert all((cells[clear] == label).any() for label in range(1, cells.max() + 1))
    expected = ndi.mean(pixels, np.where(clear, cells, 0), np.arange(1, cells.max() + 1))
    found = measured(scene.truth, cells, [("m", pixels)])["mean_m_cell"]
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_measured_means_do_not_depend_on_the_tile_even_in_their_last_bit():
    scene = scenes.crowd(256)
    cells = segment_cells(scene.truth, PX)
    light = np.random.default_rng(8).random(cells.shape)  # floats, whose sums could round apart
    whole = measured(scene.truth, cells, [("m", light)])
    box = Box(60, 220, 40, 200)
    tile = box.slices
    outside = np.ones(cells.shape, bool)
    outside[64:216, 44:196] = False
    kept = np.ones(cells.max() + 1, bool)
    kept[cells[outside]] = False
    assert kept.sum() > 20
    part = measure_tile(
        np.ascontiguousarray(scene.truth[tile]), cells[tile], kept, (box, cells.shape, PX),
        [("m", light[tile])],
    )  # fmt: skip
    for column, values in part.items():
        np.testing.assert_array_equal(values, whole[column][kept[1:]], err_msg=column)
