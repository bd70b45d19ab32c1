"""OME-Zarr images: NGFF 0.4 (zarr 2) and 0.5 (zarr 3)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
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
from macprox.io.inside import require_inside
from macprox.io.slide_names import is_tiff
from macprox.io.web import MAX_METADATA_BYTES, fetch
from macprox.io.zarr_chunks import ZarrSource, store_at
from macprox.io.zarr_damage import UNREADABLE
from macprox.io.zarr_group import GROUP_MARKS, is_zarr_group
from macprox.slide import Url


def is_zarr(path: Path) -> bool:
    """Whether a folder is a zarr group or array."""
    return is_zarr_group(path) or (path / ".zarray").is_file()


def require_remote_zarr(url: Url) -> None:
    """Refuse an address under which no zarr group lies.

    Raises
    ------
    SlideError
        Also if the server cannot be reached.
    """
    if any(fetch(url / name, MAX_METADATA_BYTES) is not None for name in ("zarr.json", ".zgroup")):
        return
    if is_tiff(url):
        raise SlideError(
            f"{str(url)!r} is a TIFF; from a web server only OME-Zarr is read. Copy it here first."
        )
    raise SlideError(
        f"No OME-Zarr at {str(url)!r}: the server has neither zarr.json nor .zgroup there (HTTP "
        f"404). Give the address of the folder that holds them."
    )


def describe_ome_zarr(path: Path | Url, labels: bool = False) -> ImageDescription:
    """What an OME-Zarr holds, in a folder or on a web server.

    The layout of bioformats2raw (images in groups ``0``, ``1``, ...) is opened at its first.

    Parameters
    ----------
    path : Path or Url
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
            return _first_of(path)
        if labels:
            attributes.pop("image-label", None)
        multiscale = _multiscale(attributes, path)
        arrays = [
            zarr.open_array(store_at(path), path=name, mode="r")
            for name in _level_names(multiscale, path)
        ]
        return _description(path, multiscale, attributes, arrays, group_format)
    except SlideError:
        raise
    except UNREADABLE as error:
        raise SlideError(
            f"{path.name!r} has incomplete or damaged OME-Zarr metadata ({reason_of(error)}). "
            f"Copy or export it again."
        ) from error


def _first_of(path: Path | Url) -> ImageDescription:
    """The first image of a store in the layout of bioformats2raw."""
    inner = describe_ome_zarr(path / "0")
    if isinstance(path, Url):
        return replace(inner, path=path)  # how many there are, no server says
    n_images = sum(1 for p in path.iterdir() if p.name.isdigit() and is_zarr(p))
    more = (f"only the first of its {n_images} images is read",) if n_images > 1 else ()
    return replace(inner, path=path, files=(path,), problems=inner.problems + more)


def _level_names(multiscale: Mapping[str, Any], path: Path | Url) -> tuple[str, ...]:
    names = (str(dataset["path"]) for dataset in multiscale["datasets"])
    return tuple(require_inside(name, path.name) for name in names)


def listed_labels(path: Path) -> list[str]:
    """Names of the label images that a group lists; none where it is not such a group.

    Raises
    ------
    SlideError
        If a name leads out of the group.
    """
    import zarr

    if not is_zarr(path):
        return []
    try:
        listed = _attributes(path, zarr)[0].get("labels") or []
    except SlideError:
        return []
    return [require_inside(str(name), path.name) for name in listed]


def _attributes(path: Path | Url, zarr: Any) -> tuple[dict[str, Any], int]:
    """The OME attributes of a group, from under ``ome`` where NGFF 0.5 keeps them."""
    try:
        group = zarr.open_group(store_at(path), mode="r")
        attributes = dict(group.attrs)
        return dict(attributes.get("ome", attributes)), group.metadata.zarr_format
    except SlideError:  # a server that does not answer
        raise
    except UNREADABLE as error:
        raise SlideError(
            f"{path.name!r} is not a readable zarr group ({reason_of(error)}). "
            f"Expected an OME-Zarr image."
        ) from error


def _multiscale(attributes: Mapping[str, Any], path: Path | Url) -> Mapping[str, Any]:
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
    path: Path | Url,
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
    levels = _level_names(multiscale, path)
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
        files=_documents(path, levels) if isinstance(path, Url) else (path,),
        problems=() if isinstance(path, Url) else _absent_chunks(path / levels[0], full),
    )


def _documents(url: Url, levels: tuple[str, ...]) -> tuple[Url, ...]:
    """The metadata documents of a store, of either version; some are not there."""
    of_levels = (f"{level}/{name}" for level in levels for name in ("zarr.json", ".zarray"))
    return tuple(url / name for name in (*GROUP_MARKS, *of_levels))


def _require_channels_of_one_plane(path: Path | Url, axes: str, full: Any) -> None:
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
