"""What napari indexes is what the slide holds."""

import numpy as np
import pytest

import macprox as mp
import slide_files
from macprox.errors import PanelError
from napari_macprox.lazy import ClassView, CoarsePlane, LabelPlane, SlidePlane
from napari_macprox.marks import cell_outline

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


def test_a_new_table_of_classes_reads_no_labels_again():
    labels = np.arange(36, dtype=np.uint32).reshape(6, 6)
    view = ClassView(labels, np.ones(40, np.uint8))
    assert view[1:5, :].all()
    view.recolour(np.full(40, 7, np.uint8))
    assert (view[1:5, :] == 7).all()
    assert view.plane.n_read_px == 24
    view[0:6, :]
    assert view.plane.n_read_px == 24 + 36  # control: another part of the slide is read


def test_labels_that_changed_on_disk_are_read_again_once_they_are_forgotten():
    labels = np.ones((4, 4), np.uint32)
    view = ClassView(labels, np.array([0, 1, 2], np.uint8))
    view[:, :]
    labels[:] = 2
    assert (view[:, :] == 1).all()  # control: the ids in view are remembered
    view.plane.forget()
    assert (view[:, :] == 2).all()


def test_views_of_the_same_cells_share_what_was_read():
    plane = LabelPlane(np.ones((4, 4), np.uint32))
    phenotypes = ClassView(plane, np.array([0, 3], np.uint8))
    lit = ClassView(plane, np.array([0, 1], np.uint8))
    assert (phenotypes[:, :] == 3).all()
    assert (lit[:, :] == 1).all()
    assert plane.n_read_px == 16


def test_only_a_few_places_are_remembered():
    plane = LabelPlane(np.ones((64, 64), np.uint32))
    for start in range(0, 60, 4):
        plane.rims((slice(start, start + 4), slice(None)), 1)
    assert len(plane._kept) == len(plane._rims) == LabelPlane.N_KEPT


def test_outlines_keep_touching_cells_of_one_class_apart():
    labels = np.zeros((6, 9), np.uint32)
    labels[1:5, 1:5], labels[1:5, 5:8] = 1, 2
    view = ClassView(labels, np.array([0, 4, 4], np.uint8), rim_px=1)
    assert view[:, :].tolist() == [
        [0, 0, 0, 0, 0, 0, 0, 0, 0],
        [0, 4, 4, 4, 4, 4, 4, 4, 0],
        [0, 4, 0, 0, 4, 4, 0, 4, 0],
        [0, 4, 0, 0, 4, 4, 0, 4, 0],
        [0, 4, 4, 4, 4, 4, 4, 4, 0],
        [0, 0, 0, 0, 0, 0, 0, 0, 0],
    ]
    assert view[2, 2] == 4  # one pixel alone is not drawn, it is asked about
    view.rim_px = 0
    assert (view[:, :] > 0).sum() == 28


def test_a_rim_is_as_wide_as_asked_for():
    labels = np.zeros((12, 12), np.uint32)
    labels[1:11, 1:11] = 1
    view = ClassView(labels, np.array([0, 1], np.uint8), rim_px=2)
    assert (view[:, :] > 0).sum() == 10**2 - 6**2
    view.rim_px = 1
    assert (view[:, :] > 0).sum() == 10**2 - 8**2


def test_the_array_that_somebody_keeps_follows_the_classes():
    labels = np.array([[0, 1], [2, 2]], np.uint32)
    view = ClassView(labels, np.array([0, 5, 6], np.uint8))
    kept = np.asarray(view)
    view.recolour(np.array([0, 7, 8], np.uint8))
    assert kept.tolist() == [[0, 7], [8, 8]]
    labels[0, 0] = 1
    view.plane.forget()
    view.fill_again()
    assert kept.tolist() == [[7, 7], [8, 8]]


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_a_coarse_plane_indexes_like_the_array_it_stands_for(key):
    coarse = np.random.default_rng(0).integers(0, 99, (24, 32)).astype(np.float32) + 0.4
    plane = CoarsePlane(coarse, (96, 128), 4.0, np.uint16)
    whole = np.repeat(np.repeat(np.rint(coarse).astype(np.uint16), 4, axis=0), 4, axis=1)
    assert np.array_equal(plane[key], whole[key])
    assert (np.asarray(plane).shape, plane.dtype, plane.size) == ((96, 128), np.uint16, 96 * 128)


def test_what_is_lost_while_it_is_looked_at_is_empty_and_told_once(monkeypatch):
    said = []
    monkeypatch.setattr("napari.utils.notifications.show_warning", said.append)

    class Damaged:
        shape, store_path = (8, 8), "labels.zarr/cells/0"

        def __getitem__(self, key):
            raise RuntimeError("Zstd decompression error")

    plane = LabelPlane(Damaged())
    for _ in range(3):
        plane.forget()
        assert not plane.ids((slice(0, 4), slice(0, 4))).any()
    assert plane.at(3, 3) == 0
    assert len(cell_outline(plane, 5, 2.0, 2.0, 0.5)) == 0
    assert len(said) == 1
    assert "labels.zarr/cells/0 cannot be read and stays empty" in said[0]
