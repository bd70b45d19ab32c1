"""What tiles share is decoded once: the plan of reads, the cache, and both inside a reader."""

import threading
import time
from collections import Counter

import numpy as np
import pytest

import slide_files
from macprox.errors import SlideError
from macprox.image.tiles import in_bands, tile_grid
from macprox.io import tiff_pages
from macprox.io.decoded import DecodedTiles, ReadPlan
from macprox.io.images import open_slide
from macprox.io.labels import LabelImage, ranks
from macprox.pipeline import Workers
from macprox.pipeline.tiles import reading_together

CODEC_PX = 64
NAMES = ("DAPI", "CD68")


class Counted:
    """A decoder that counts."""

    def __init__(self, value=1, fails=False):
        self.n, self.value, self.fails = 0, value, fails

    def __call__(self):
        self.n += 1
        if self.fails:
            raise ValueError("damaged")
        return np.full(1000, self.value, np.uint8)


def test_a_tile_is_decoded_once_and_leaves_with_its_last_read():
    kept, decode = DecodedTiles(10_000), Counted()
    for _ in range(3):
        kept.get("a", 3, decode)
    assert decode.n == 1
    kept.get("a", 3, decode)
    assert decode.n == 2


def test_what_is_read_once_is_not_kept():
    kept, decode = DecodedTiles(10_000), Counted()
    kept.get("a", 1, decode)
    kept.get("a", 1, decode)
    assert decode.n == 2


def test_beyond_the_bytes_the_least_recently_read_goes():
    kept, a, others = DecodedTiles(3_500), Counted(), Counted()
    kept.get("a", 99, a)
    for name in "bcd":
        kept.get(name, 99, others)
        kept.get("a", 99, a)
    assert (a.n, others.n) == (1, 3)
    kept.get("b", 99, others)  # the oldest of four
    assert others.n == 4
    for name in "efg":
        kept.get(name, 99, others)
    kept.get("a", 99, a)
    assert a.n == 2


def test_two_threads_never_decode_the_same_tile():
    kept, begun, go_on = DecodedTiles(10_000), threading.Event(), threading.Event()
    n = Counter()

    def slow():
        n["decoded"] += 1
        begun.set()
        go_on.wait(10)
        return np.ones(10)

    found = []
    threads = [
        threading.Thread(target=lambda: found.append(kept.get("a", 2, slow))) for _ in range(2)
    ]
    threads[0].start()
    begun.wait(10)
    threads[1].start()
    go_on.set()
    for thread in threads:
        thread.join(10)
    assert n["decoded"] == 1
    assert found[0] is found[1]


def test_damage_reaches_every_reader_and_is_not_kept():
    kept, decode = DecodedTiles(10_000), Counted(fails=True)
    for _ in range(2):
        with pytest.raises(ValueError, match="damaged"):
            kept.get("a", 5, decode)
    decode.fails = False
    assert kept.get("a", 5, decode)[0] == 1


def test_a_plan_counts_the_boxes_that_touch_a_tile():
    tiles = tile_grid((100, 100), 50, 10)
    plan = ReadPlan.of(0, [tile.outer.slices for tile in tiles])
    for y, x, n in ((0, 0, 1), (0, 45, 2), (45, 0, 2), (45, 45, 4), (60, 60, 1), (50, 90, 2)):
        touched = sum(tile.outer.holds(np.array([y]), np.array([x]))[0] for tile in tiles)
        assert plan.n_reads((y, y + 1), (x, x + 1)) == touched == n


def test_bands_hold_every_tile_once():
    tiles = tile_grid((300, 500), 100, 10)
    banded = in_bands(tiles, 2)
    assert sorted(tile.index for tile in banded) == list(range(15))
    assert [tile.index for tile in banded[:6]] == [0, 1, 5, 6, 10, 11]


@pytest.fixture
def decoded(monkeypatch):
    """How often each compressed tile of each page was decoded."""
    n, lock, segment = Counter(), threading.Lock(), tiff_pages.Page._segment

    def counted(page, index, *where):
        with lock:
            n[id(page), index] += 1
        return segment(page, index, *where)

    monkeypatch.setattr(tiff_pages.Page, "_segment", counted)
    return n


@pytest.fixture
def slide(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 999, (2, 600, 500)).astype(np.uint16)
    options = {"tile": (CODEC_PX, CODEC_PX), "compression": "lzw", "predictor": True}
    return open_slide(slide_files.write_ome(tmp_path / "a.ome.tif", pixels, NAMES, **options))


@pytest.mark.parametrize("n_workers", [1, 2])
def test_every_compressed_tile_of_a_slide_is_decoded_once(slide, decoded, n_workers):
    tiles = tile_grid(slide.shape, 128, 20)

    def read(tile, source=slide):
        return [source.read(name, *tile.outer.slices) for name in NAMES]

    plain = [read(tile) for tile in tiles]
    n_codec_tiles = 2 * 10 * 8
    assert sum(decoded.values()) > 1.9 * n_codec_tiles  # control: halos touch the neighbours
    decoded.clear()
    told, ordered = reading_together(slide, tiles)
    shared = Workers(n_workers).map(lambda tile: read(tile, told), ordered)
    assert sum(decoded.values()) == n_codec_tiles
    assert set(decoded.values()) == {1}
    for tile, planes in zip(ordered, shared, strict=True):
        np.testing.assert_array_equal(planes, plain[tile.index])


def test_reading_without_a_plan_still_works_on_a_planned_slide(slide):
    told = slide.expecting([(slice(0, 64), slice(0, 64))])
    np.testing.assert_array_equal(
        told.read(0, slice(30, 300), slice(40, 90)), slide.read(0, slice(30, 300), slice(40, 90))
    )


def test_the_first_error_ends_the_work():
    begun = []

    def fail(tile):
        begun.append(tile.index)
        if tile.index:
            time.sleep(0.01)
        else:
            raise SlideError("tile is damaged")

    with pytest.raises(SlideError, match="damaged"):
        Workers(1).map(fail, tile_grid((1000, 1000), 10, 0))
    assert len(begun) < 1000


@pytest.mark.parametrize("tile_px", [512, 1536, 2048])
def test_a_label_image_and_its_pyramid_are_every_second_pixel(tmp_path, tile_px):
    import zarr

    ids = np.random.default_rng(3).integers(0, 2**32, (1100, 2700), np.uint32)
    image = LabelImage(tmp_path / "cells", ids.shape, tile_px)
    image.create()
    for tile in tile_grid(ids.shape, tile_px, 0):
        image.write_tile(tile.core.y0, tile.core.x0, ids[tile.core.slices])
    image.finish(0.5)
    group = zarr.open_group(str(tmp_path / "cells"), mode="r")
    scales = group.attrs["ome"]["multiscales"][0]["datasets"]
    assert [one["path"] for one in scales] == ["0", "1", "2", "3"]
    for level in range(4):
        step = 2**level
        np.testing.assert_array_equal(group[str(level)][:], ids[::step, ::step])


def test_ids_are_ranks_of_anchors():
    anchors = np.array([-1, 7, 2**40, 3, 5])
    assert ranks(anchors, np.array([3, 7, 2**40], np.uint64)).tolist() == [0, 2, 3, 1, 0]
    assert ranks(anchors, np.array([], np.uint64)).tolist() == [0] * 5
