"""A folder of single-channel TIFFs, each named after its marker: one slide."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np

from macprox.errors import PixelSizeError, SlideError
from macprox.io.image_description import FoundPixelSize, ImageDescription, distinct_names
from macprox.io.slide_names import is_label_name, is_tiff, stem
from macprox.io.tiff import describe_tiff
from macprox.io.tiff_tiles import TiffSource
from macprox.slide import PIXEL_SIZE_TOLERANCE_FRAC


def channel_files(folder: Path) -> list[Path]:
    """The folder's TIFFs in order of name, without hidden files, masks and label images."""
    return sorted(
        (p for p in folder.iterdir() if p.is_file() and is_tiff(p) and not is_label_name(p)),
        key=lambda path: (path.name.casefold(), path.name),
    )


def describe_channel_folder(folder: Path) -> ImageDescription:
    """What a folder of single-channel TIFFs holds: a channel is called like its file.

    Files whose name begins with ``_`` or ``.``, or says mask, truth or labels, are left out.
    Types may differ between channels; pixels are widened to the common one.

    Raises
    ------
    SlideError
        If there is no TIFF, a file holds several channels, or shapes differ.
    PixelSizeError
        If files state pixel sizes that differ by more than 1 %.
    """
    files = channel_files(folder)
    if not files:
        raise SlideError(
            f"Folder {folder.name!r} holds no TIFF files. Expected one TIFF per channel, named "
            f"after its marker, or an OME-Zarr."
        )
    images = [describe_tiff(file) for file in files]
    _require_one_image(images, folder)
    pyramids = {image.level_shapes for image in images}
    shapes = images[0].level_shapes if len(pyramids) == 1 else images[0].level_shapes[:1]
    channels = tuple(stem(file) for file in files)
    dtype = np.result_type(*(image.dtype for image in images))
    sources = [cast(TiffSource, image.source) for image in images]
    planes = tuple(
        tuple(source.planes[level][0] for source in sources) for level in range(len(shapes))
    )
    return ImageDescription(
        path=folder,
        format="folder of TIFFs",
        channels=channels,
        level_shapes=shapes,
        dtype=dtype,
        source=TiffSource(planes, distinct_names(channels), dtype),
        pixel_size=_common_pixel_size(images, folder),
        tile=images[0].tile,
        compression=images[0].compression,
        files=tuple(files),
        problems=tuple(f"{i.path.name}: {problem}" for i in images for problem in i.problems),
    )


def _require_one_image(images: Sequence[ImageDescription], folder: Path) -> None:
    first = images[0]
    for image in images:
        if len(image.channels) > 1:
            raise SlideError(
                f"{image.path.name!r} in folder {folder.name!r} has {len(image.channels)} "
                f"channels; expected one per file. Open it as a slide of its own."
            )
        if image.level_shapes[0] != first.level_shapes[0]:
            raise SlideError(
                f"Folder {folder.name!r}: {first.path.name!r} is "
                f"{_by(first.level_shapes[0])} px (y x x), {image.path.name!r} is "
                f"{_by(image.level_shapes[0])}; channels of one slide have the same shape. "
                f"Move what does not belong, or begin its name with '_'."
            )


def _by(shape: tuple[int, int]) -> str:
    return f"{shape[0]} x {shape[1]}"


def _common_pixel_size(images: Sequence[ImageDescription], folder: Path) -> FoundPixelSize:
    stated = [image for image in images if image.pixel_size.x_um is not None]
    if not stated:
        return images[0].pixel_size
    first = stated[0]
    for image in stated:
        ours, theirs = first.pixel_size.x_um or 0.0, image.pixel_size.x_um or 0.0
        if abs(theirs - ours) > PIXEL_SIZE_TOLERANCE_FRAC * ours:
            raise PixelSizeError(
                f"Folder {folder.name!r}: {first.path.name!r} says {ours:.4g} um per pixel, "
                f"{image.path.name!r} says {theirs:.4g}; channels of one slide have one scale. "
                f"Correct the files."
            )
    return first.pixel_size
