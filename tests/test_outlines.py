"""Polygons of labels are their pixels: by area, by centroid, by what lies inside."""

import numpy as np
import pytest
import shapely
from scipy import ndimage as ndi

from macprox.image.outlines import label_polygons


def pixels_of(polygon, shape) -> np.ndarray:
    y, x = np.indices(shape) + 0.5
    return shapely.contains_xy(polygon, x, y)


def test_a_pixel_is_a_square_from_corner_to_corner():
    labels = np.zeros((4, 5), np.uint32)
    labels[1, 2] = 7
    ids, polygons = label_polygons(labels, origin_px=(100, 200))
    assert ids.tolist() == [7]
    assert polygons[0].equals(shapely.box(202, 101, 203, 102))
    assert len(polygons[0].exterior.coords) == 5


def test_nothing_has_no_outline():
    ids, polygons = label_polygons(np.zeros((3, 3), int))
    assert len(ids) == len(polygons) == 0


def test_corners_on_a_line_are_left_out():
    _, (polygon,) = label_polygons(np.ones((30, 40), int))
    assert polygon.equals(shapely.box(0, 0, 40, 30))
    assert len(polygon.exterior.coords) == 5


def test_holes_and_pieces_are_kept():
    labels = np.zeros((9, 12), int)
    labels[1:8, 1:8] = 3
    labels[3:5, 3:5] = 0
    labels[5, 5] = 9  # a hole with another label in it, that touches the first at a corner
    labels[2, 10] = 3
    ids, polygons = label_polygons(labels)
    assert ids.tolist() == [3, 9]
    assert polygons[0].geom_type == "MultiPolygon"
    assert polygons[0].area == 49 - 4 - 1 + 1
    np.testing.assert_array_equal(pixels_of(polygons[0], labels.shape), labels == 3)


@pytest.mark.parametrize("seed", range(6))
def test_any_labels_come_back_pixel_by_pixel(seed):
    """Noise: pieces, holes, corners that touch; and the polygons are valid all the same."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3 + seed, (23, 31))
    ids, polygons = label_polygons(labels)
    assert shapely.is_valid(polygons).all()
    assert ids.tolist() == np.unique(labels[labels > 0]).tolist()
    back = np.zeros(labels.shape, int)
    for label, polygon in zip(ids, polygons, strict=True):
        back[pixels_of(polygon, labels.shape)] = label
        assert polygon.area == (labels == label).sum()
        centre = ndi.center_of_mass(labels == label)
        assert (polygon.centroid.y, polygon.centroid.x) == pytest.approx(np.add(centre, 0.5))
    np.testing.assert_array_equal(back, labels)
