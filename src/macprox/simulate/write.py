"""Simulated slides as files: a pyramidal OME-TIFF and the truth beside it."""

from __future__ import annotations

import json
import math
import tempfile
import uuid
from collections.abc import Callable, Iterator
from itertools import chain, product
from pathlib import Path
from typing import Any

import numpy as np
import shapely
import tifffile
import zarr

from macprox.simulate.panel import CHANNELS
from macprox.simulate.parameters import SceneParameters
from macprox.simulate.render import BLOCK_PX, render_into
from macprox.simulate.scene import Scene
from macprox.simulate.truth import label_tables

TILE_PX = 256
PYRAMID_FACTOR = 4  # as scanners write; factor 2 would cost a quarter more bytes
# Scratch is compressed, or a slide of 32k would take 25 GB of it; written by blocks of `BLOCK_PX`,
# read by rows of tiles.
_SCRATCH_CHUNK = (1, TILE_PX, 4 * TILE_PX)
_BUFFER_BYTES = 2**24  # tifffile would gather 500 MB of tiles before it compresses the first
_BIGTIFF_BYTES = 2**31  # uncompressed; safely below what 32-bit offsets reach
_SMALL_PX = 1100 * 1100  # the committed samples count bytes; beyond, level 9 would cost more than
_LEVEL_SMALL, _LEVEL_LARGE = 9, 6  # the pixels did, for a tenth of the size
_COLOURS = dict(DAPI=0x3C5AFFFF, panCK=0x00D2D2FF, CD68=0xFF00FFFF, MARCO=0xFF2828FF,
                TREM2=0xFFE600FF, FOXP3=0xFF8C00FF, CD3=0x28E63CFF, AF=0x969696FF)  # fmt: skip


def write_slide(
    folder: str | Path,
    parameters: SceneParameters,
    progress: Callable[[float], Any] | None = None,
    block_px: int = BLOCK_PX,
) -> Path:
    """One simulated slide and its truth, of any size: pixels pass through scratch files.

    Memory grows by a few hundred bytes a cell, and not with the pixels.

    Writes ``slides/<id>.ome.tif`` and, under ``truth/``, ``<id>_truth.csv``,
    ``<id>_nuclei.tif``, ``<id>_macrophages.tif`` (labels, values are ``cell_id``) and
    ``<id>_tumour.geojson`` (full-resolution pixels).

    Parameters
    ----------
    folder : path
        Made where absent.
    parameters : SceneParameters
    progress : callable, optional
        Told the finished fraction.
    block_px : int
        Rendered so many pixels at a time; the files do not depend on it.

    Returns
    -------
    Path
        Of the slide.
    """
    folder = Path(folder)
    slides, truth = folder / "slides", folder / "truth"
    slides.mkdir(parents=True, exist_ok=True)
    truth.mkdir(exist_ok=True)
    slide_id = parameters.slide_id
    path = slides / f"{slide_id}.ome.tif"
    scene = Scene(parameters)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".scratch-") as scratch:
        pixels = _scratch(scratch, "pixels", np.uint16, (len(CHANNELS), *parameters.size_px))
        labels = _scratch(scratch, "labels", np.uint32, (2, *parameters.size_px))
        table, cell_id_of = render_into(scene, pixels, labels, block_px, progress)
        table.to_csv(truth / f"{slide_id}_truth.csv", index=False)
        del table  # its hundred bytes a cell
        _write_labels(truth, slide_id, labels, label_tables(scene, cell_id_of))
        _write_ome_tiff(path, _pyramid(pixels, scratch), parameters)
    _write_geojson(truth / f"{slide_id}_tumour.geojson", scene)
    return path


def _scratch(folder: str, name: str, dtype: type, shape: tuple[int, ...]) -> zarr.Array:
    # Not a memory map: its pages count as this process's memory until the system wants them back.
    return zarr.create_array(
        store=str(Path(folder) / name), shape=shape, chunks=_SCRATCH_CHUNK, dtype=dtype
    )


def _pyramid(pixels: zarr.Array, scratch: str) -> list[zarr.Array]:
    """Levels by area averages, down to about one tile."""
    levels = [pixels]
    k = PYRAMID_FACTOR
    while max(levels[-1].shape[1:]) > 2 * TILE_PX:
        above = levels[-1]
        shape = (above.shape[0], above.shape[1] // k, above.shape[2] // k)
        level = _scratch(scratch, f"level{len(levels)}", np.uint16, shape)
        for c, (y, x) in product(range(shape[0]), _chunks(shape)):
            fine = np.asarray(above[c, y.start * k : y.stop * k, x.start * k : x.stop * k])
            fine = fine.reshape(y.stop - y.start, k, x.stop - x.start, k)
            level[c, y, x] = np.rint(fine.mean(axis=(1, 3), dtype=np.float32))
        levels.append(level)
    return levels


def _chunks(shape: tuple[int, ...]) -> Iterator[tuple[slice, slice]]:
    """Of one plane, in raster order."""
    _, height, width = _SCRATCH_CHUNK
    for y in range(0, shape[1], height):
        for x in range(0, shape[2], width):
            yield slice(y, min(y + height, shape[1])), slice(x, min(x + width, shape[2]))


def _write_ome_tiff(path: Path, levels: list[zarr.Array], parameters: SceneParameters) -> None:
    px_um = parameters.pixel_size_um
    metadata = {
        "axes": "CYX",
        "PhysicalSizeX": px_um,
        "PhysicalSizeXUnit": "µm",
        "PhysicalSizeY": px_um,
        "PhysicalSizeYUnit": "µm",
        "Channel": {"Name": list(CHANNELS), "Color": [_signed(_COLOURS[c]) for c in CHANNELS]},
        # The same scene gives the same file: tifffile would draw a fresh one.
        "UUID": str(uuid.uuid5(uuid.NAMESPACE_OID, repr(parameters))),
    }
    small = math.prod(parameters.size_px) <= _SMALL_PX
    options: dict[str, Any] = dict(
        tile=(TILE_PX, TILE_PX),
        compression="adobe_deflate",
        compressionargs={"level": _LEVEL_SMALL if small else _LEVEL_LARGE},
        predictor=True,
        photometric="minisblack",
        software="macprox simulate",
    )
    partial = path.with_name(path.name + ".part")
    big = levels[0].nbytes > _BIGTIFF_BYTES
    with tifffile.TiffWriter(partial, bigtiff=big, ome=True) as tiff:
        for number, level in enumerate(levels):
            first = number == 0
            tiff.write(
                chain.from_iterable(_tiles(level, c) for c in range(level.shape[0])),
                shape=level.shape,
                dtype=level.dtype,
                subifds=len(levels) - 1 if first else None,
                subfiletype=0 if first else 1,
                metadata=metadata if first else None,
                resolution=(1e4 / px_um / PYRAMID_FACTOR**number,) * 2,
                resolutionunit="CENTIMETER",
                buffersize=_BUFFER_BYTES,
                **options,
            )
    partial.replace(path)


def _tiles(array: zarr.Array, plane: int) -> Iterator[np.ndarray]:
    """The TIFF tiles of one plane in their order."""
    for here in _chunks(array.shape):
        seen = np.asarray(array[plane, *here])
        for x in range(0, seen.shape[1], TILE_PX):
            yield np.ascontiguousarray(seen[:, x : x + TILE_PX])


def _signed(rgba: int) -> int:
    """OME stores RGBA as a signed 32-bit integer."""
    return rgba - 2**32 if rgba >= 2**31 else rgba


def _write_labels(truth: Path, slide_id: str, labels: zarr.Array, tables: np.ndarray) -> None:
    """Scene labels as ``cell_id``, looked up tile by tile."""
    dtype = np.uint16 if tables.max(initial=0) < 2**16 else np.uint32
    for which, name in enumerate(("nuclei", "macrophages")):
        table = tables[which].astype(dtype)
        tifffile.imwrite(
            truth / f"{slide_id}_{name}.tif",
            (table[tile] for tile in _tiles(labels, which)),
            shape=labels.shape[1:],
            dtype=dtype,
            tile=(TILE_PX, TILE_PX),
            compression="adobe_deflate",
            compressionargs={"level": 9},
            photometric="minisblack",
            bigtiff=labels.nbytes // 2 > _BIGTIFF_BYTES,
            software="macprox simulate",
            buffersize=_BUFFER_BYTES,
            metadata=None,
        )


def _write_geojson(path: Path, scene: Scene) -> None:
    """The nests as QuPath reads them: one feature each, full-resolution pixels."""
    px_um = scene.parameters.pixel_size_um
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write('{"type": "FeatureCollection", "features": [')
        for number, part in enumerate(shapely.get_parts(scene.tumour)):
            outline = shapely.transform(part, lambda xy: (xy / px_um).round(2))
            feature = {
                "type": "Feature",
                "geometry": shapely.geometry.mapping(outline),
                "properties": {"objectType": "annotation", "classification": {"name": "Tumor"}},
            }
            file.write((", " if number else "") + json.dumps(feature))
        file.write("]}\n")
