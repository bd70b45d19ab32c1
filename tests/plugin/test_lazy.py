"""What napari indexes is what the slide holds."""

import numpy as np
import pytest

import macprox as mp
import slide_files
from macprox.errors import PanelError
from napari_macprox.lazy import ClassView, SlidePlane

KEYS = [
    (slice(None), slice(None)),
    (slice(5, 40), slice(30, None)),
    (slice(None, None, 3), slice(1, 60, 7)),
    (slice(-10, None), slice(None, -50)),
    (slice(90, 500), slice(0, 0)),
    (7, slice(2, 9)),
    (slice(3, 8), -1),
    (4, 5),
    (np.int64(4), np.int64(5)),
    slice(2, 6),
    (..., slice(1, 4), slice(2, 5)),
    ...,
]


@pytest.fixture(scope="module")
def image():
    return np.random.default_rng(1).integers(0, 60_000, (3, 96, 128)).astype(np.uint16)


@pytest.fixture(scope="module")
def slide(image, tmp_path_factory):
    path = tmp_path_factory.mktemp("lazy") / "a.ome.tif"
    return mp.open_slide(slide_files.write_ome(path, image, levels=2, tile=(32, 32)))


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_a_plane_indexes_like_the_array_it_stands_for(slide, image, key):
    plane = SlidePlane(slide, slide.channels[1], level=0)
    expected = image[1][key]
    assert np.array_equal(plane[key], expected)
    assert np.shape(plane[key]) == np.shape(expected)


def test_a_plane_is_an_array_in_every_way_napari_asks(slide, image):
    plane = SlidePlane(slide, slide.channels[2], level=1)
    assert (plane.shape, plane.ndim, plane.size) == ((48, 64), 2, 48 * 64)
    assert plane.dtype == np.uint16
    assert np.asarray(plane).shape == (48, 64)
    assert np.asarray(plane, dtype=float).dtype == float


def test_a_plane_reads_only_what_is_asked_for(slide):
    asked = []

    class Spy:
        def read(self, level, channel, y, x):
            asked.append((level, channel, y, x))
            return np.zeros((y.stop - y.start, x.stop - x.start), np.uint16)

    object.__setattr__(slide, "source", Spy())
    SlidePlane(slide, slide.channels[0], level=1)[10:20, 5:9]
    assert asked == [(1, 0, slice(10, 20), slice(5, 9))]


def test_what_cannot_be_indexed_says_so(slide):
    with pytest.raises(PanelError, match="no channel 'CD999'"):
        SlidePlane(slide, "CD999", level=0)
    plane = SlidePlane(slide, slide.channels[0], level=0)
    with pytest.raises(IndexError, match="runs forward, found step -1"):
        plane[::-1, :]
    with pytest.raises(IndexError):
        plane[500, 0]


def test_a_class_view_shows_the_class_of_each_id():
    labels = np.array([[0, 1, 2], [3, 3, 9]], np.uint32)
    view = ClassView(labels, np.array([0, 5, 6, 7], np.uint8))
    assert np.array_equal(view[:, :], [[0, 5, 6], [7, 7, 0]])  # nobody knows cell 9: background
    assert np.array_equal(np.asarray(view), view[:, :])
    assert view[1, 1] == 7
    assert (view.dtype, view.shape, view.ndim, view.size) == (np.uint8, (2, 3), 2, 6)
