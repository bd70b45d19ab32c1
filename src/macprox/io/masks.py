"""Masks that another program drew: one plane, anything above 0 is inside; or a coloured picture."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from tifffile import TiffFile

from macprox.errors import ResultError, reason_of
from macprox.io import safe_xml
from macprox.io.plausible import could_hold
from macprox.io.tiff_structure import require_whole_tiff
from macprox.io.tifffile_log import UNREADABLE, tifffile_kept_quiet

COLOURED = (3, 4)  # samples a pixel: RGB, RGBA
MASK_SUFFIXES = (".tif", ".tiff")


def is_mask_name(path: Path) -> bool:
    """Whether a file is read as a mask rather than as GeoJSON."""
    return path.suffix.lower() in MASK_SUFFIXES


def read_mask(path: Path) -> np.ndarray:
    """A mask ``(y, x)`` bool.

    Of a coloured picture, as inForm exports its regions, the inside is what is drawn: opaque by
    more than half of its most opaque pixel where the picture has an alpha channel that varies,
    else brighter than half of its brightest. Half, because its edges are smoothed.

    Raises
    ------
    ResultError
        If the file is not one plane, or holds nothing above 0.
    """
    try:
        require_whole_tiff(path)
        with tifffile_kept_quiet(), TiffFile(path) as tif:
            safe_xml.refuse_declarations(tif.pages.first.description, path.name, "description")
            _require_plausible(tif, path)
            pixels = tif.asarray()
    except ResultError:
        raise
    except MemoryError as error:  # its size is plausible; a tile's is not
        raise ResultError(
            f"The mask {path} asks for more memory than there is; export it again, in tiles."
        ) from error
    except OSError as error:
        raise ResultError(f"Cannot read the mask {path}: {error.strerror or error}.") from error
    except UNREADABLE as error:
        raise ResultError(
            f"The mask {path} is not a TIFF that can be read: {reason_of(error)}."
        ) from error
    if pixels.ndim == 3 and pixels.shape[-1] in COLOURED:
        mask = _painted(pixels)
    elif pixels.ndim == 2:
        mask = pixels > 0
    else:
        raise ResultError(
            f"{path} has shape {pixels.shape}; a mask is one plane (y, x), or a picture in colour."
        )
    if not mask.any():
        raise ResultError(f"{path} is 0 everywhere; pixels inside must be above 0.")
    return mask


def _painted(pixels: np.ndarray) -> np.ndarray:
    has_alpha = pixels.shape[-1] == 4 and np.ptp(pixels[..., 3]) > 0
    depth = pixels[..., 3] if has_alpha else pixels[..., :3].max(axis=-1)
    return depth > depth.max() / 2


def _require_plausible(tif: TiffFile, path: Path) -> None:
    n_pixels, n_bytes = math.prod(tif.series[0].shape), path.stat().st_size
    if not could_hold(n_bytes, n_pixels):
        raise ResultError(
            f"The mask {path} announces {n_pixels} pixels in {n_bytes} bytes: it is damaged. "
            "Export it again."
        )
