"""labels.zarr: OME-Zarr 0.5 multiscale label images, written by region, one writer a chunk."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import zarr
from zarr.codecs import BloscCodec

CHUNK_PX = 512  # tiles are whole multiples of it, so that no two workers share a chunk
SMALLEST_LEVEL_PX = 512
NGFF_VERSION = "0.5"


def create_level(path: Path, shape: tuple[int, int], dtype: str, chunk_px: int = CHUNK_PX):
    """An empty ``(y, x)`` zarr array; what is there already is replaced."""
    return zarr.create_array(
        store=str(path),
        shape=shape,
        chunks=(min(chunk_px, max(shape[0], 1)), min(chunk_px, max(shape[1], 1))),
        dtype=dtype,
        compressors=[BloscCodec(cname="zstd", clevel=3, shuffle="shuffle")],
        dimension_names=("y", "x"),
        overwrite=True,
    )


def boxes(shape: tuple[int, int], side_px: int) -> Iterator[tuple[slice, slice]]:
    """Regions of whole chunks that cover an array, in raster order."""
    for y in range(0, shape[0], side_px):
        for x in range(0, shape[1], side_px):
            yield slice(y, min(y + side_px, shape[0])), slice(x, min(x + side_px, shape[1]))


def write_named_by_rank(
    anchors: Path, target: Path, ranked: np.ndarray, pixel_size_um: float
) -> int:
    """Turn a level of anchors into a label image with ids 1..n, and add its pyramid.

    Parameters
    ----------
    anchors : Path
        zarr array ``(y, x)``; 0 is background, anything else an anchor plus one.
    target : Path
        Group to write; replaced if it is there.
    ranked : (n,) uint64
        Anchors in rising order; the id of ``ranked[i]`` is ``i + 1``.
    pixel_size_um : float

    Returns
    -------
    int
        How many pixels carried an anchor that is not in ``ranked``; they become background.
    """
    source = zarr.open_array(str(anchors), mode="r")
    shutil.rmtree(target, ignore_errors=True)
    zarr.open_group(str(target), mode="w")
    shape = (source.shape[0], source.shape[1])
    level = create_level(target / "0", shape, "uint32")
    unknown = 0
    for box in boxes(shape, 4 * CHUNK_PX):
        pixels = np.asarray(source[box])
        named, place = np.unique(pixels, return_inverse=True)
        ids, missing = _ranks(named, ranked)
        place = place.reshape(pixels.shape)
        level[box] = ids[place]
        unknown += int(missing[place].sum())
    n_levels = 1 + _add_pyramid(target, level)
    group = zarr.open_group(str(target), mode="r+")
    group.attrs["ome"] = _multiscale(target.name, n_levels, pixel_size_um)
    return unknown


def _ranks(named: np.ndarray, ranked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ids of anchors (plus one), and which of them nobody measured."""
    if len(ranked) == 0:
        return np.zeros(len(named), np.uint32), named > 0
    wanted = named - np.uint64(1)  # wraps for background, which is never looked up
    rank = np.minimum(np.searchsorted(ranked, wanted), len(ranked) - 1)
    found = (named > 0) & (ranked[rank] == wanted)
    return np.where(found, rank + 1, 0).astype(np.uint32), (named > 0) & ~found


def _add_pyramid(target: Path, level) -> int:
    """Every second pixel, again and again; labels cannot be averaged."""
    added = 0
    while max(level.shape) > SMALLEST_LEVEL_PX:
        shape = (-(-level.shape[0] // 2), -(-level.shape[1] // 2))
        added += 1
        half = create_level(target / str(added), shape, "uint32")
        for y, x in boxes(shape, 2 * CHUNK_PX):
            half[y, x] = level[2 * y.start : 2 * y.stop : 2, 2 * x.start : 2 * x.stop : 2]
        level = half
    return added


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
