"""inForm's ``*_binary_seg_maps.tif``: tissue categories, nuclei, cytoplasm and membrane by page."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from tifffile import TiffFile

from macprox.errors import SlideError, reason_of
from macprox.image.kernels import nearest_label
from macprox.io import safe_xml
from macprox.io.tiff_levels import whole_page
from macprox.io.tiff_structure import require_whole_tiff
from macprox.io.tifffile_log import UNREADABLE, tifffile_kept_quiet
from macprox.slide import PixelSource

NUCLEUS, CYTOPLASM, MEMBRANE = "Nucleus", "Cytoplasm", "Membrane"
_TISSUE, _COMPARTMENT = "TissueClassMap", "SegmentationImage"
# Of 6,072 cells' membrane pixels beside no other compartment, 1.4 % lie further from their cell.
MEMBRANE_PX = 4


@dataclass(frozen=True)
class InformMaps:
    """Which page shows what.

    Parameters
    ----------
    compartments : dict of str to int
        Page of ``"Nucleus"``, ``"Cytoplasm"``, ``"Membrane"``; those that the file has.
    tissue_page : int or None
    categories : tuple of str
        Tissue category of each value on that page, from 0.
    """

    compartments: dict[str, int]
    tissue_page: int | None
    categories: tuple[str, ...]


def maps_in(path: Path) -> InformMaps | None:
    """What the pages of a TIFF say; None where they are not inForm's maps.

    Raises
    ------
    SlideError
        If the file is no TIFF, or a page's description is damaged.
    """
    try:
        require_whole_tiff(path)
    except OSError as error:
        raise SlideError(f"Cannot read the mask {path}: {error.strerror or error}.") from error
    try:
        with tifffile_kept_quiet(), TiffFile(path) as tif:
            if not _is_map(tif.pages.first.description):
                return None
            texts = [whole_page(page).description for page in tif.pages]
    except UNREADABLE as error:
        raise SlideError(
            f"{path.name!r} cannot be read as TIFF ({reason_of(error)}). Export it again."
        ) from error
    compartments: dict[str, int] = {}
    tissue_page: int | None = None
    categories: tuple[str, ...] = ()
    for number, text in enumerate(texts):
        if not _is_map(text):
            continue
        root = safe_xml.parse(text, path.name, "inForm page XML")
        if safe_xml.local_name(root) == _TISSUE:
            tissue_page = number
            categories = tuple(
                (entry.findtext("Name") or "").strip() for entry in root.iter("Entry")
            )
        else:
            compartments[(root.findtext("CompartmentType") or "").strip()] = number
    return InformMaps(compartments, tissue_page, categories)


def _is_map(description: str) -> bool:
    return any(f"<{name}>" in description[:1024] for name in (_TISSUE, _COMPARTMENT))


@dataclass(frozen=True)
class InformCells:
    """Whole cells put together from the pages; see `macprox.slide.PixelSource`.

    A cell is its nucleus and its cytoplasm, which carry its id, and the membrane next to them,
    which carries none: each membrane pixel goes to the nearest cell within `MEMBRANE_PX`. inForm
    itself counts the pixels of two touching cells' membranes to both.

    Parameters
    ----------
    pages : PixelSource
    shape : (int, int)
    compartments : dict of str to int
    """

    pages: PixelSource = field(repr=False)
    shape: tuple[int, int]
    compartments: dict[str, int]

    def read(self, level: int, channel: int, y: slice, x: slice) -> np.ndarray:
        """Ids ``(y, x)`` int32."""
        inner, outer = _widened((y, x), self.shape, MEMBRANE_PX)
        of = {
            name: self.pages.read(level, page, *outer).astype(np.int32)
            for name, page in self.compartments.items()
        }
        ids = np.where(of[NUCLEUS] > 0, of[NUCLEUS], of[CYTOPLASM])
        if MEMBRANE in of:
            nearest = nearest_label(np.ascontiguousarray(ids), MEMBRANE_PX)
            ids = np.where((ids == 0) & (of[MEMBRANE] > 0), nearest, ids)
        return ids[inner]

    def piece_shape(self, level: int, channel: int) -> tuple[int, int]:
        return self.pages.piece_shape(level, channel)


def _widened(
    box: tuple[slice, slice], shape: tuple[int, int], by_px: int
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """A box inside a wider one, and the wider one."""
    inner, outer = [], []
    for side, length in zip(box, shape, strict=True):
        start, stop, _ = side.indices(length)
        first = max(start - by_px, 0)
        outer.append(slice(first, min(stop + by_px, length)))
        inner.append(slice(start - first, stop - first))
    return (inner[0], inner[1]), (outer[0], outer[1])
