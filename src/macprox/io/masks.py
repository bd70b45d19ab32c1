"""Masks that another program drew: one-page TIFF or PNG, anything above 0 is inside."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from tifffile import TiffFile

from macprox.errors import ResultError
from macprox.io import safe_xml
from macprox.io.tifffile_log import UNREADABLE, tifffile_kept_quiet

MASK_SUFFIXES = (".tif", ".tiff")


def is_mask_name(path: Path) -> bool:
    """Whether a file is read as a mask rather than as GeoJSON."""
    return path.suffix.lower() in MASK_SUFFIXES


def read_mask(path: Path) -> np.ndarray:
    """A mask ``(y, x)`` bool.

    Raises
    ------
    ResultError
        If the file is not one plane, or holds nothing above 0.
    """
    try:
        with tifffile_kept_quiet(), TiffFile(path) as tif:
            safe_xml.refuse_declarations(tif.pages.first.description, path.name, "description")
            pixels = tif.asarray()
    except OSError as error:
        raise ResultError(f"Cannot read the mask {path}: {error.strerror or error}.") from error
    except UNREADABLE as error:
        raise ResultError(f"The mask {path} is not a TIFF that can be read: {error}.") from error
    if pixels.ndim != 2:
        raise ResultError(f"{path} has shape {pixels.shape}; a mask is one plane (y, x).")
    mask = pixels > 0
    if not mask.any():
        raise ResultError(f"{path} is 0 everywhere; pixels inside the window must be above 0.")
    return mask
