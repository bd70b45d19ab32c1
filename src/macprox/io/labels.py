"""labels.zarr: OME-Zarr 0.5 multiscale label images, written by region, one writer a chunk."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import zarr
from zarr.codecs import ZstdCodec

CHUNK_PX = 512  # tiles are whole multiples of it, so that no two workers share a chunk
SMALLEST_LEVEL_PX = 512
NGFF_VERSION = "0.5"


# Without a shuffle: equal labels lie in runs, which byte planes break up. Smaller and four times
# as fast as zstd behind a shuffle.
_CODEC = ZstdCodec(level=1)


def create_level(path: Path, shape: tuple[int, int]):
    """An empty ``(y, x)`` uint32 array; what is there already is replaced."""
    return zarr.create_array(
        store=str(path),
        shape=shape,
        chunks=tuple(min(CHUNK_PX, max(side, 1)) for side in shape),
        dtype="uint32",
        compressors=[_CODEC],
        dimension_names=("y", "x"),
        overwrite=True,
    )


def boxes(shape: tuple[int, int], side_px: int) -> Iterator[tuple[slice, slice]]:
    """Regions of whole chunks that cover an array, in raster order."""
    for y in range(0, shape[0], side_px):
        for x in range(0, shape[1], side_px):
            yield slice(y, min(y + side_px, shape[0])), slice(x, min(x + side_px, shape[1]))


def ranks(anchor_px: np.ndarray, ranked: np.ndarray) -> np.ndarray:
    """Ids of objects on the slide: 1 + the rank of their anchors.

    Parameters
    ----------
    anchor_px : (n,) int64
        Negative for background.
    ranked : (m,) uint64
        Rising; the id of ``ranked[i]`` is ``i + 1``.

    Returns
    -------
    (n,) uint32
        0 for background, and for an anchor that is not in ``ranked``.
    """
    if len(ranked) == 0:
        return np.zeros(len(anchor_px), np.uint32)
    wanted = anchor_px.astype(np.uint64)  # wraps where negative; never found then
    rank = np.minimum(np.searchsorted(ranked, wanted), len(ranked) - 1)
    return np.where(ranked[rank] == wanted, rank + 1, 0).astype(np.uint32)


class LabelImage:
    """A multiscale label image being written: every chunk once, by whoever has its tile.

    Parameters
    ----------
    path : Path
        Group to write.
    shape : (int, int)
        ``(y, x)`` at full resolution, px.
    tile_px : int
        Side of the tiles that will be written; a whole number of chunks.
    """

    def __init__(self, path: Path, shape: tuple[int, int], tile_px: int):
        self._path = path
        self._shapes = [shape]
        while max(self._shapes[-1]) > SMALLEST_LEVEL_PX:
            height, width = self._shapes[-1]
            self._shapes.append((-(-height // 2), -(-width // 2)))
        # Levels on which a tile is still whole chunks; coarser ones are made from the last.
        whole = 1
        while tile_px % (CHUNK_PX << whole) == 0:
            whole += 1
        self._n_from_tiles = min(whole, len(self._shapes))

    def create(self) -> None:
        """Empty levels; what is there already is replaced."""
        shutil.rmtree(self._path, ignore_errors=True)
        zarr.open_group(str(self._path), mode="w")
        for level, shape in enumerate(self._shapes):
            create_level(self._path / str(level), shape)

    def write_tile(self, y: int, x: int, ids: np.ndarray) -> None:
        """Write a tile's ``(y, x)`` ids whose first pixel is at ``(y, x)``.

        Pyramids of labels hold every second pixel again and again: ids cannot be averaged.
        """
        for level in range(self._n_from_tiles):
            part = ids[:: 1 << level, :: 1 << level]
            if not part.any():
                return  # chunks that are not there read as background
            top, left = y >> level, x >> level
            self._level(level)[top : top + part.shape[0], left : left + part.shape[1]] = part

    def finish(self, pixel_size_um: float) -> None:
        """The coarser levels and the metadata, once every tile is written."""
        for number in range(self._n_from_tiles, len(self._shapes)):
            finer, level = self._level(number - 1), self._level(number)
            for y, x in boxes(self._shapes[number], 2 * CHUNK_PX):
                level[y, x] = finer[2 * y.start : 2 * y.stop, 2 * x.start : 2 * x.stop][::2, ::2]
        group = zarr.open_group(str(self._path), mode="r+")
        group.attrs["ome"] = _multiscale(self._path.name, len(self._shapes), pixel_size_um)

    def _level(self, level: int):
        return zarr.open_array(str(self._path / str(level)), mode="r+")


def _multiscale(name: str, n_levels: int, pixel_size_um: float) -> dict:
    return {
        "version": NGFF_VERSION,
        "multiscales": [
            {
                "name": name,
                "axes": [
                    {"name": axis, "type": "space", "unit": "micrometer"} for axis in ("y", "x")
                ],
                "datasets": [
                    {
                        "path": str(level),
                        "coordinateTransformations": [
                            {"type": "scale", "scale": [pixel_size_um * 2**level] * 2}
                        ],
                    }
                    for level in range(n_levels)
                ],
            }
        ],
        "image-label": {"version": NGFF_VERSION},
    }


def write_label_index(folder: Path, names: tuple[str, ...]) -> None:
    """The group that lists the label images, as OME-Zarr wants it."""
    group = zarr.open_group(str(folder), mode="a")
    group.attrs["ome"] = {"version": NGFF_VERSION, "labels": list(names)}
