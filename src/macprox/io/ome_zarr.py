"""OME-Zarr images: NGFF 0.4 (zarr 2) and 0.5 (zarr 3)."""

from __future__ import annotations

import os
import threading
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from macprox.errors import SlideError, reason_of
from macprox.io.image_description import (
    FoundPixelSize,
    ImageDescription,
    distinct_names,
    is_intensity,
    length_um,
)
from macprox.io.zarr_damage import UNREADABLE

_MARKERS = (".zgroup", ".zattrs", "zarr.json")
# SystemError: blosc, of a chunk whose header announces a negative size.
_DECODE_ERRORS = (RuntimeError, ValueError, OSError, EOFError, SystemError, zlib.error)


def is_zarr(path: Path) -> bool:
    """Whether a folder is a zarr group or array."""
    return path.is_dir() and any((path / name).is_file() for name in (*_MARKERS, ".zarray"))


@dataclass(frozen=True)
class ZarrSource:
    """Pixels of an OME-Zarr image; see `macprox.slide.PixelSource`.

    Parameters
    ----------
    store : str
        The folder of the image group.
    levels : tuple of str
        Path of each level's array inside it.
    axes : str
        One letter per dimension, with ``y`` and ``x``; what is not ``c``, ``y`` or ``x`` has
        length 1.
    names : tuple of str
        Channel names, for messages.
    dtype : numpy.dtype
    """

    store: str
    levels: tuple[str, ...]
    axes: str
    names: tuple[str, ...]
    dtype: np.dtype = field(repr=False)

    def read(self, level: int, channel: int, y: slice, x: slice) -> np.ndarray:
        """Pixels ``(y, x)``; chunks that are absent hold the array's fill value."""
        array = _open_array(self.store, self.levels[level])
        index = {"c": channel, "y": y, "x": x}
        try:
            region = array[tuple(index.get(axis, 0) for axis in self.axes)]
        except _DECODE_ERRORS as error:
            raise self._damage(array, level, channel, (y, x), error) from error
        region = np.asarray(region)
        if self.axes.index("y") > self.axes.index("x"):
            region = region.T
        return region.astype(self.dtype, copy=False)

    def _damage(
        self, array: Any, level: int, channel: int, region: tuple[slice, slice], error: Exception
    ) -> SlideError:
        at = [self.axes.index("y"), self.axes.index("x")]
        shape = [array.shape[i] for i in at]
        chunk = [(array.shards or array.chunks)[i] for i in at]
        where = "a chunk"
        for row, column in _chunks_in(region, shape, chunk):
            y0, x0 = row * chunk[0], column * chunk[1]
            inside = {"c": channel, "y": slice(y0, y0 + chunk[0]), "x": slice(x0, x0 + chunk[1])}
            try:
                array[tuple(inside.get(axis, 0) for axis in self.axes)]
            except _DECODE_ERRORS as inner:
                where = f"chunk row {row}, column {column} (pixels from y {y0}, x {x0})"
                error = inner
                break
        return SlideError(
            f"{os.path.basename(self.store)!r} is damaged or truncated: channel "
            f"{self.names[channel]!r}, {where} of level {level} does not decode "
            f"({reason_of(error)}). Copy or export it again."
        )


def _chunks_in(
    region: tuple[slice, slice], shape: list[int], chunk: list[int]
) -> Iterator[tuple[int, int]]:
    (y0, y1, _), (x0, x1, _) = (
        part.indices(size) for part, size in zip(region, shape, strict=True)
    )
    for row in range(y0 // chunk[0], -(-y1 // chunk[0])):
        for column in range(x0 // chunk[1], -(-x1 // chunk[1])):
            yield row, column


_opening = threading.Lock()


def _open_array(store: str, level: str) -> Any:
    """An open zarr array; its metadata are read once per process, and again when rewritten."""
    metadata = (Path(store, level, name) for name in ("zarr.json", ".zarray"))
    stamp = next((file.stat().st_mtime_ns for file in metadata if file.is_file()), None)
    if stamp is None:
        raise SlideError(
            f"{os.path.basename(store)!r} can no longer be read: level {level!r} is gone from "
            f"{store}. Was it moved, or a drive disconnected?"
        )
    return _cached_array(os.getpid(), stamp, store, level)


@lru_cache(maxsize=64)
def _cached_array(pid: int, stamp: int, store: str, level: str) -> Any:
    import zarr

    with _opening:
        return zarr.open_array(store, path=level, mode="r")


def describe_ome_zarr(path: Path, labels: bool = False) -> ImageDescription:
    """What an OME-Zarr folder holds.

    The layout of bioformats2raw (images in groups ``0``, ``1``, ...) is opened at its first.

    Parameters
    ----------
    path : Path
    labels : bool
        Whether a label image is wanted, which is no slide.

    Raises
    ------
    SlideError
        Not an OME-Zarr image (a plate, labels, a bare array), unreadable metadata, several focal
        planes or time points, levels missing.
    """
    import zarr

    try:
        attributes, group_format = _attributes(path, zarr)
        if "bioformats2raw.layout" in attributes and "multiscales" not in attributes:
            n_images = sum(1 for p in path.iterdir() if p.name.isdigit() and is_zarr(p))
            inner = describe_ome_zarr(path / "0")
            more = (f"only the first of its {n_images} images is read",) if n_images > 1 else ()
            return _renamed(inner, path, more)
        if labels:
            attributes.pop("image-label", None)
        multiscale = _multiscale(attributes, path)
        arrays = [
            zarr.open_array(str(path), path=dataset["path"], mode="r")
            for dataset in multiscale["datasets"]
        ]
        return _description(path, multiscale, attributes, arrays, group_format)
    except SlideError:
        raise
    except UNREADABLE as error:
        raise SlideError(
            f"{path.name!r} has incomplete or damaged OME-Zarr metadata ({reason_of(error)}). "
            f"Copy or export it again."
        ) from error


def listed_labels(path: Path) -> list[str]:
    """Names of the label images that a group lists; none where it is not such a group."""
    import zarr

    if not is_zarr(path):
        return []
    try:
        return [str(name) for name in _attributes(path, zarr)[0].get("labels") or []]
    except SlideError:
        return []


def _attributes(path: Path, zarr: Any) -> tuple[dict[str, Any], int]:
    """The OME attributes of a group, from under ``ome`` where NGFF 0.5 keeps them."""
    try:
        group = zarr.open_group(str(path), mode="r")
        attributes = dict(group.attrs)
        return dict(attributes.get("ome", attributes)), group.metadata.zarr_format
    except UNREADABLE as error:
        raise SlideError(
            f"{path.name!r} is not a readable zarr group ({reason_of(error)}). "
            f"Expected an OME-Zarr image."
        ) from error


def _multiscale(attributes: Mapping[str, Any], path: Path) -> Mapping[str, Any]:
    kind = next((k for k in ("plate", "well", "image-label") if k in attributes), None)
    multiscales = attributes.get("multiscales")
    if kind or not multiscales:
        what = {"plate": "a plate", "well": "a well", "image-label": "a label image", None: "zarr"}
        raise SlideError(
            f"{path.name!r} is {what[kind]}, not an OME-Zarr image (it has no image under "
            f"'multiscales'). Give the folder of one image."
        )
    axes = multiscales[0].get("axes")
    if not axes or not all(isinstance(axis, Mapping) for axis in axes):
        version = multiscales[0].get("version", "without a version")
        raise SlideError(
            f"{path.name!r} is OME-Zarr {version}, whose axes are not described; expected 0.4 or "
            f"0.5. Convert it again with a current writer."
        )
    return multiscales[0]


def _description(
    path: Path,
    multiscale: Mapping[str, Any],
    attributes: Mapping[str, Any],
    arrays: list[Any],
    group_format: int,
) -> ImageDescription:
    axes = "".join(axis["name"].lower()[:1] for axis in multiscale["axes"])
    full = arrays[0]
    _require_channels_of_one_plane(path, axes, full)
    at_y, at_x = axes.index("y"), axes.index("x")
    n_channels = full.shape[axes.index("c")] if "c" in axes else 1
    described = (attributes.get("omero") or {}).get("channels") or []
    labels = tuple(str(channel.get("label") or "") for channel in described)
    channels = (labels + ("",) * n_channels)[:n_channels]
    dtype = np.dtype(full.dtype).newbyteorder("=")
    version = attributes.get("version") or multiscale.get("version")
    levels = tuple(dataset["path"] for dataset in multiscale["datasets"])
    chunk = full.shards or full.chunks
    return ImageDescription(
        path=path,
        format=f"OME-Zarr {version or ('0.4' if group_format == 2 else '0.5')}",
        channels=channels,
        level_shapes=tuple((int(a.shape[at_y]), int(a.shape[at_x])) for a in arrays),
        dtype=dtype,
        source=ZarrSource(str(path), levels, axes, distinct_names(channels), dtype),
        pixel_size=_pixel_size(multiscale, (at_y, at_x)),
        tile=(int(chunk[at_y]), int(chunk[at_x])),
        compression=_compression(full),
        files=(path,),
        problems=_absent_chunks(path / levels[0], full),
    )


def _require_channels_of_one_plane(path: Path, axes: str, full: Any) -> None:
    others = [
        (axis, n) for axis, n in zip(axes, full.shape, strict=True) if axis not in "cyx" and n > 1
    ]
    if others or axes.count("y") != 1 or axes.count("x") != 1 or axes.count("c") > 1:
        raise SlideError(
            f"{path.name!r} has axes {axes} of {' x '.join(map(str, full.shape))}; expected "
            f"channels of one plane (cyx). Project or select one focal plane and time point."
        )
    if not is_intensity(np.dtype(full.dtype)):
        raise SlideError(
            f"{path.name!r} holds pixels of type {full.dtype}; expected integers or floats. "
            f"Export it as 8- or 16-bit greyscale channels."
        )


def _pixel_size(multiscale: Mapping[str, Any], at: tuple[int, int]) -> FoundPixelSize:
    scale = np.ones(len(multiscale["axes"]))
    n_scales = 0
    for part in (multiscale, multiscale["datasets"][0]):
        for transform in part.get("coordinateTransformations") or []:
            if transform.get("type") == "scale":
                scale = scale * np.asarray(transform["scale"], float)
                n_scales += 1
    if not n_scales:
        return FoundPixelSize.absent("the OME-Zarr has no scale")
    sizes_um = []
    for position in at:
        unit = multiscale["axes"][position].get("unit")
        size_um = length_um(float(scale[position]), unit or "")
        if size_um is None:
            axis = multiscale["axes"][position]["name"]
            return FoundPixelSize.absent(
                f"the OME-Zarr's axis {axis} has scale {scale[position]:.4g} "
                f"{'in ' + repr(unit) if unit else 'without a unit'}, which is not a length"
            )
        sizes_um.append(size_um)
    return FoundPixelSize(sizes_um[1], sizes_um[0], "OME-Zarr scale")


def _compression(array: Any) -> str:
    names = [type(codec).__name__ for codec in array.compressors]
    return ", ".join(name.removesuffix("Codec").lower() for name in names) or "none"


def _absent_chunks(folder: Path, array: Any) -> tuple[str, ...]:
    """Writers leave out chunks that are all fill value; an interrupted copy leaves out others."""
    chunk = array.shards or array.chunks
    expected = int(np.prod([-(-n // c) for n, c in zip(array.shape, chunk, strict=True)]))
    found = sum(
        not name.startswith(".") and name != "zarr.json"
        for _, _, names in os.walk(folder)
        for name in names
    )
    if found >= expected:
        return ()
    return (
        f"{expected - found} of {expected} chunks are absent and read as "
        f"{array.fill_value}: empty when written, or lost in copying",
    )


def _renamed(inner: ImageDescription, path: Path, problems: tuple[str, ...]) -> ImageDescription:
    return replace(inner, path=path, files=(path,), problems=inner.problems + problems)
