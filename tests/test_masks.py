"""Masks of other programs: what is above 0 is inside; a damaged one is refused unread."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from macprox.errors import ResultError
from macprox.io.masks import read_mask


@pytest.fixture
def mask(tmp_path):
    path = tmp_path / "window.tif"
    tifffile.imwrite(path, np.pad(np.full((30, 40), 7, np.uint8), 5), compression="zlib")
    return path


def test_what_is_above_0_is_inside(mask):
    assert read_mask(mask).sum() == 1200


def test_a_mask_that_announces_more_than_it_can_hold_takes_no_memory(mask):
    with tifffile.TiffFile(mask, mode="r+") as tif:
        tif.pages.first.tags["ImageWidth"].overwrite(2**31)
    with pytest.raises(ResultError, match=r"window\.tif announces 85899345920 pixels in \d+ bytes"):
        read_mask(mask)


def test_a_mask_that_ends_early_is_refused(mask):
    mask.write_bytes(mask.read_bytes()[:-9])
    with pytest.raises(
        ResultError, match=r"window\.tif is not a TIFF that can be read: .*truncated"
    ):
        read_mask(mask)


def test_a_mask_that_asks_for_more_memory_than_there_is_is_refused(mask, monkeypatch):
    def ask(_):
        raise MemoryError

    monkeypatch.setattr(tifffile.TiffFile, "asarray", ask)
    with pytest.raises(ResultError, match=r"window\.tif asks for more memory than there is"):
        read_mask(mask)
