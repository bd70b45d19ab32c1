"""The front door for slides of any format: find them, look at them, open them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from macprox.errors import PixelSizeError, SlideError
from macprox.image.damage import Damage, without_damage
from macprox.io.channel_folder import describe_channel_folder
from macprox.io.fingerprint import content_fingerprint
from macprox.io.image_description import FoundPixelSize, ImageDescription, distinct_names
from macprox.io.ome_zarr import describe_ome_zarr, is_zarr, require_remote_zarr
from macprox.io.slide_names import slide_id_of, unique_slide_ids
from macprox.io.slide_search import find_slides
from macprox.io.tiff import describe_tiff
from macprox.printable import MAX_NAME_LENGTH, printable
from macprox.quality import PIXEL_SIZE_RANGE_UM
from macprox.slide import PIXEL_SIZE_TOLERANCE_FRAC, Slide, Url, location

__all__ = [
    "SlideInfo",
    "find_slides",
    "inspect_slide",
    "open_slide",
    "reopen_slide",
    "slide_id_of",
    "unique_slide_ids",
]

_HOW_TO_GIVE = "--pixel-size UM on the command line or pixel_size_um under [image] in study.toml"


@dataclass(frozen=True)
class SlideInfo:
    """What is in a slide file, without reading pixels.

    Parameters
    ----------
    path : Path or Url
    slide_id : str
    format : str
        ``"OME-TIFF"``, ``"inForm component TIFF"``, ``"QPTIFF"``, ``"ImageJ TIFF"``, ``"TIFF"``,
        ``"folder of TIFFs"``, ``"OME-Zarr 0.5"``.
    shape : (int, int)
        ``(y, x)`` at full resolution, px.
    level_shapes : tuple of (int, int)
    channels : tuple of str
    dtype : numpy.dtype
    pixel_size_um : float or None
        ``None`` where the file does not state one scale for x and y.
    pixel_size_source : str
        Where the scale was found, or why there is none.
    tile : (int, int)
        ``(y, x)`` of a compressed unit, px.
    compression : str
    n_bytes : int or None
        On disk; None on a web server.
    problems : tuple of str
        What a person should know before an analysis; empty is good.
    """

    path: Path | Url
    slide_id: str
    format: str
    shape: tuple[int, int]
    level_shapes: tuple[tuple[int, int], ...]
    channels: tuple[str, ...]
    dtype: np.dtype
    pixel_size_um: float | None
    pixel_size_source: str
    tile: tuple[int, int]
    compression: str
    n_bytes: int | None
    problems: tuple[str, ...]


def open_slide(
    path: str | os.PathLike[str] | Url,
    pixel_size_um: float | None = None,
    slide_id: str | None = None,
) -> Slide:
    """Open a slide; no pixel is read before it is asked for.

    Parameters
    ----------
    path : path
        OME-TIFF, inForm component TIFF, QPTIFF, ImageJ or plain TIFF, a folder of single-channel
        TIFFs, an OME-Zarr folder, or the address (http, https) of an OME-Zarr.
    pixel_size_um : float, optional
        Micrometres per pixel, only for a file that does not state it.
    slide_id : str, optional
        Default: from the file name, see `slide_id_of`.

    Raises
    ------
    SlideError
        If the file is missing, not an image of these kinds, truncated or damaged, a colour image,
        or not channels of one plane; if its server cannot be reached or has no OME-Zarr there.
    PixelSizeError
        If the pixel size is neither in the file nor given, if the two disagree by more than 1 %,
        or if x and y differ by more than 1 %.
    """
    description = _describe(location(path))
    return Slide(
        slide_id=slide_id if slide_id is not None else slide_id_of(_named(description.path)),
        path=description.path,
        format=description.format,
        channels=distinct_names(description.channels),
        pixel_size_um=_agreed_pixel_size_um(description, pixel_size_um),
        level_shapes=description.level_shapes,
        dtype=description.dtype,
        source=description.source,
        fingerprint=content_fingerprint(description.files),
    )


def reopen_slide(source: Mapping[str, Any], slide_id: str) -> Slide:
    """The slide that results were made from, by what their manifest says of it.

    What was damaged then is 0, as it was. Whether the file is still the same is for the caller to
    ask: compare ``fingerprint``.

    Raises
    ------
    SlideError, PixelSizeError
        As `open_slide`.
    """
    slide = open_slide(source["path"], source["pixel_size_um"], slide_id)
    return without_damage(slide, Damage.from_dict(source.get("damage")))


def inspect_slide(path: str | os.PathLike[str] | Url) -> SlideInfo:
    """What a slide holds; a missing or doubtful pixel size is a problem listed, not an error.

    Raises
    ------
    SlideError
        If it cannot be read at all.
    """
    description = _describe(location(path))
    size_um, problems = _inspected_pixel_size_um(description)
    return SlideInfo(
        path=description.path,
        slide_id=slide_id_of(_named(description.path)),
        format=description.format,
        shape=description.level_shapes[0],
        level_shapes=description.level_shapes,
        channels=distinct_names(description.channels),
        dtype=description.dtype,
        pixel_size_um=size_um,
        pixel_size_source=description.pixel_size.origin,
        tile=description.tile,
        compression=description.compression,
        n_bytes=_n_bytes(description.files),
        problems=problems + _name_problems(description) + description.problems,
    )


def _describe(path: Path | Url) -> ImageDescription:
    if isinstance(path, Url):
        require_remote_zarr(path)
        return describe_ome_zarr(path)
    path = path.expanduser()
    try:
        if is_zarr(path):
            return describe_ome_zarr(path)
        if path.is_dir():
            return describe_channel_folder(path)
        if path.is_file():
            return describe_tiff(path)
    except OSError as error:
        raise SlideError(
            f"{str(path)!r} cannot be read ({error.strerror or error}). Check that it is "
            f"accessible."
        ) from error
    raise SlideError(f"No slide at {str(path)!r}: there is no such file or folder.")


def _named(path: Path | Url) -> Path | Url:
    """The path with a name of its own: ``.`` and ``..`` have none."""
    return path if isinstance(path, Url) or (path.name and path.name != "..") else path.resolve()


def _isotropic_um(size: FoundPixelSize) -> float | None:
    """The one scale of x and y, or ``None`` where they differ."""
    if size.x_um is None or size.y_um is None:
        return None
    if abs(size.x_um - size.y_um) > PIXEL_SIZE_TOLERANCE_FRAC * min(size.x_um, size.y_um):
        return None
    return size.x_um if size.x_um == size.y_um else (size.x_um * size.y_um) ** 0.5


def _agreed_pixel_size_um(description: ImageDescription, given_um: float | None) -> float:
    name, size = description.path.name, description.pixel_size
    if size.x_um is None:
        if given_um is None:
            raise PixelSizeError(
                f"{name!r} does not say how large a pixel is ({size.origin}); give it with "
                f"{_HOW_TO_GIVE}."
            )
        return float(given_um)
    found_um = _isotropic_um(size)
    if found_um is None:
        raise PixelSizeError(_anisotropic(description))
    if given_um is not None and abs(given_um - found_um) > PIXEL_SIZE_TOLERANCE_FRAC * found_um:
        raise PixelSizeError(
            f"{name!r} says {found_um:.4g} um per pixel ({size.origin}), but {given_um:.4g} was "
            f"given. Leave it out, or correct the file."
        )
    return float(found_um)


def _anisotropic(description: ImageDescription) -> str:
    size = description.pixel_size
    return (
        f"{description.path.name!r} has pixels of {size.x_um:.4g} um in x and {size.y_um:.4g} um "
        f"in y ({size.origin}); expected square pixels, within 1 %. Resample the image, or "
        f"correct the file."
    )


def _inspected_pixel_size_um(
    description: ImageDescription,
) -> tuple[float | None, tuple[str, ...]]:
    size = description.pixel_size
    if size.x_um is None:
        return None, (f"no pixel size ({size.origin}); give it with {_HOW_TO_GIVE}",)
    found_um = _isotropic_um(size)
    if found_um is None:
        return None, (_anisotropic(description),)
    low, high = PIXEL_SIZE_RANGE_UM
    if not low <= found_um <= high:
        return found_um, (
            f"{found_um:.4g} um per pixel ({size.origin}) is unusual for tissue: expected {low:g} "
            f"to {high:g}",
        )
    return found_um, ()


def _name_problems(description: ImageDescription) -> tuple[str, ...]:
    names = description.channels
    unnamed = sum(not name.strip() for name in names)
    if unnamed:
        return (f"{unnamed} of {len(names)} channels have no name in the file",)
    if any(printable(joined) != joined for joined in (" ".join(name.split()) for name in names)):
        return (
            "channel names hold signs that cannot be printed, or more than "
            f"{MAX_NAME_LENGTH} letters; they are left out",
        )
    if len(set(names)) < len(names):
        return ("channel names repeat; repeats are numbered",)
    return ()


def _n_bytes(files: tuple[Path | Url, ...]) -> int | None:
    n_bytes = 0
    for file in files:
        if isinstance(file, Url):
            return None
        inside = file.rglob("*") if file.is_dir() else (file,)
        n_bytes += sum(path.stat().st_size for path in inside if path.is_file())
    return n_bytes
