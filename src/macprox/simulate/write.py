"""Simulated slides as files: a pyramidal OME-TIFF and the truth beside it."""

from __future__ import annotations

import json
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import shapely
import tifffile

from macprox.simulate.panel import CHANNELS
from macprox.simulate.parameters import SceneParameters
from macprox.simulate.render import final_labels, render_into
from macprox.simulate.scene import Scene
from macprox.simulate.truth import tumour_outline

TILE_PX = 256
PYRAMID_FACTOR = 4  # as scanners write; factor 2 would cost a quarter more bytes
_STRIP_PX = 1024
_BIGTIFF_BYTES = 2**31  # uncompressed; safely below what 32-bit offsets reach
_SMALL_PX = 1100 * 1100  # the committed samples count bytes; beyond, level 9 would cost more than
_LEVEL_SMALL, _LEVEL_LARGE = 9, 6  # the pixels did, for a tenth of the size
_COLOURS = dict(DAPI=0x3C5AFFFF, panCK=0x00D2D2FF, CD68=0xFF00FFFF, MARCO=0xFF2828FF,
                TREM2=0xFFE600FF, FOXP3=0xFF8C00FF, CD3=0x28E63CFF, AF=0x969696FF)  # fmt: skip


def write_slide(
    folder: str | Path,
    parameters: SceneParameters,
    progress: Callable[[float], Any] | None = None,
) -> Path:
    """One simulated slide and its truth, of any size: pixels pass through a scratch file.

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
        table, cell_id_of = render_into(scene, pixels, labels, progress=progress)
        levels = _pyramid(pixels, scratch)
        _write_ome_tiff(path, levels, parameters)
        _write_labels(truth, scene, labels, cell_id_of)
        del pixels, labels, levels  # before the scratch folder goes: Windows keeps open files
    table.to_csv(truth / f"{slide_id}_truth.csv", index=False)
    (truth / f"{slide_id}_tumour.geojson").write_text(_geojson(scene), encoding="utf-8")
    return path


def _scratch(folder: str, name: str, dtype: type, shape: tuple[int, ...]) -> np.ndarray:
    return np.memmap(Path(folder) / f"{name}.raw", dtype, "w+", shape=shape)


def _pyramid(pixels: np.ndarray, scratch: str) -> list[np.ndarray]:
    """Levels by area averages, down to about one tile."""
    levels = [pixels]
    k = PYRAMID_FACTOR
    while max(levels[-1].shape[1:]) > 2 * TILE_PX:
        above = levels[-1]
        shape = (above.shape[0], above.shape[1] // k, above.shape[2] // k)
        level = _scratch(scratch, f"level{len(levels)}", np.uint16, shape)
        for c in range(shape[0]):
            for y in range(0, shape[1], _STRIP_PX):
                rows = above[c, k * y : k * min(y + _STRIP_PX, shape[1]), : k * shape[2]]
                mean = rows.reshape(-1, k, shape[2], k).mean(axis=(1, 3), dtype=np.float32)
                level[c, y : y + _STRIP_PX] = np.rint(mean)
        levels.append(level)
    return levels


def _write_ome_tiff(path: Path, levels: list[np.ndarray], parameters: SceneParameters) -> None:
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
    small = levels[0][0].size <= _SMALL_PX
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
                _tiles(level),
                shape=level.shape,
                dtype=level.dtype,
                subifds=len(levels) - 1 if first else None,
                subfiletype=0 if first else 1,
                metadata=metadata if first else None,
                resolution=(1e4 / px_um / PYRAMID_FACTOR**number,) * 2,
                resolutionunit="CENTIMETER",
                **options,
            )
    partial.replace(path)


def _tiles(level: np.ndarray) -> Iterator[np.ndarray]:
    for plane in level:
        for y in range(0, plane.shape[0], TILE_PX):
            for x in range(0, plane.shape[1], TILE_PX):
                yield np.ascontiguousarray(plane[y : y + TILE_PX, x : x + TILE_PX])


def _signed(rgba: int) -> int:
    """OME stores RGBA as a signed 32-bit integer."""
    return rgba - 2**32 if rgba >= 2**31 else rgba


def _write_labels(truth: Path, scene: Scene, labels: np.ndarray, cell_id_of: np.ndarray) -> None:
    """Tiled, by strips, so that a large slide's labels are never in memory at once."""
    dtype = np.uint16 if cell_id_of.max(initial=0) < 2**16 else np.uint32
    for which, name in enumerate(("nuclei", "macrophages")):
        tifffile.imwrite(
            truth / f"{scene.parameters.slide_id}_{name}.tif",
            _label_tiles(scene, labels, cell_id_of, which, dtype),
            shape=labels.shape[1:],
            dtype=dtype,
            tile=(TILE_PX, TILE_PX),
            compression="adobe_deflate",
            compressionargs={"level": 9},
            photometric="minisblack",
            bigtiff=labels[0].nbytes > _BIGTIFF_BYTES,
            software="macprox simulate",
            metadata=None,
        )


def _label_tiles(scene, labels, cell_id_of, which, dtype) -> Iterator[np.ndarray]:
    for y in range(0, labels.shape[1], TILE_PX):
        strip = final_labels(scene, labels[:, y : y + TILE_PX], cell_id_of)[which].astype(dtype)
        for x in range(0, labels.shape[2], TILE_PX):
            yield np.ascontiguousarray(strip[:, x : x + TILE_PX])


def _geojson(scene: Scene) -> str:
    """The nests as QuPath reads them: one feature each, full-resolution pixels."""
    px_um = scene.parameters.pixel_size_um
    outline = shapely.transform(tumour_outline(scene), lambda xy: (xy / px_um).round(2))
    features = [
        {
            "type": "Feature",
            "geometry": shapely.geometry.mapping(part),
            "properties": {"objectType": "annotation", "classification": {"name": "Tumor"}},
        }
        for part in shapely.get_parts(outline)
    ]
    return json.dumps({"type": "FeatureCollection", "features": features}) + "\n"
