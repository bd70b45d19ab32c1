"""A label image that another program made: found, opened, read by region."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import numpy as np

from macprox.errors import ColourError, DamageError, SlideError
from macprox.io.fingerprint import content_fingerprint
from macprox.io.image_description import ImageDescription, distinct_names
from macprox.io.inform_maps import (
    CYTOPLASM,
    MEMBRANE,
    NUCLEUS,
    InformCells,
    InformMaps,
    maps_in,
)
from macprox.io.ome_zarr import describe_ome_zarr, is_zarr, listed_labels
from macprox.io.slide_names import is_tiff, slide_id_of
from macprox.io.tiff import describe_tiff
from macprox.slide import PixelSource, file_of_slide


@dataclass(frozen=True)
class LabelFile:
    """Objects as pixel values; nothing is read before it is asked for.

    Parameters
    ----------
    path : Path
    shape : (int, int)
        ``(y, x)`` in pixels.
    source : PixelSource
    fingerprint : str
        Changes when the content does.
    page : int
        Which of the file's pages, from 0.
    """

    path: Path
    shape: tuple[int, int]
    source: PixelSource = field(repr=False)
    fingerprint: str = field(repr=False, default="")
    page: int = 0

    def read(self, y: slice, x: slice) -> np.ndarray:
        """Integers ``(y, x)`` of a region.

        Raises
        ------
        SlideError
            If it cannot be read, or a file of floats holds a value that is no whole number.
        """
        try:
            pixels = self.source.read(0, self.page, y, x)
        except DamageError as error:  # of a slide a place can be left out, of its labels none
            raise SlideError(str(error)) from error
        return pixels if pixels.dtype.kind in "iu" else _whole(pixels, self.path)


def _whole(pixels: np.ndarray, path: Path) -> np.ndarray:
    is_whole = np.isfinite(pixels) & (np.floor(pixels) == pixels)
    if not is_whole.all():
        found = pixels[~is_whole].flat[0]
        raise SlideError(
            f"{str(path)!r} holds the value {found:g}; in a label image every value is a whole "
            "number, an object's. Intensities or probabilities are none: export the labels."
        )
    return pixels.astype(np.int64)


def find_label_file(pattern: str, slide_id: str, key: str = "labels") -> Path:
    """The label image of a slide.

    Parameters
    ----------
    pattern : str
        A file, with ``{slide_id}`` where the slide's id stands in its name, or a folder of files
        that are called like their slides.
    slide_id : str
    key : str
        Of the study, for the message.

    Raises
    ------
    SlideError
        If there is none, or several in a folder.
    """
    path = file_of_slide(pattern, slide_id)
    if not path.is_dir() or is_zarr(path):
        if not path.exists():
            raise SlideError(
                f"No label image at {str(path)!r} for slide {slide_id!r}; correct {key} under "
                "[segmentation]."
            )
        return path
    found = [
        file
        for file in sorted(path.iterdir())
        if (is_tiff(file) or is_zarr(file)) and slide_id_of(file) == slide_id
    ]
    if len(found) != 1:
        what = ", ".join(file.name for file in found) or "none"
        raise SlideError(
            f"Expected one label image in {str(path)!r} called like the slide, {slide_id}.tif or "
            f"{slide_id}.zarr; found {what}."
        )
    return found[0]


def open_label_file(path: Path, name: str, page: int | None = None) -> LabelFile:
    """Open a label image.

    Parameters
    ----------
    path : Path
        TIFF, OME-TIFF, or OME-Zarr: the label image's own group, or a group that lists some.
        inForm's ``*_binary_seg_maps.tif`` is known by its pages.
    name : "nuclei" or "cells"
        Which is wanted of several.
    page : int, optional
        Which page, or channel, from 0; needed where there are several and the file does not say.

    Raises
    ------
    SlideError
        If it cannot be read, is a picture in colour, or it is not clear which page is meant.
    """
    if path.is_dir() and not is_zarr(path):
        raise SlideError(
            f"{str(path)!r} is a folder without an OME-Zarr in it; give one label image."
        )
    maps = None if page is not None or is_zarr(path) else maps_in(path)
    description = _describe_zarr(path, name) if is_zarr(path) else _describe_tiff(path)
    if maps is not None and name == "cells":
        return _opened(description, 0, _cells_of(maps, description))
    if maps is not None:
        page = _page_of(maps, NUCLEUS, path)
    return _opened(description, _chosen(description, page))


def nuclei_beside_cells(path: Path, page: int | None = None) -> bool:
    """Whether a file of cells shows their nuclei, too, and says so."""
    maps = None if page is not None or is_zarr(path) else maps_in(path)
    return maps is not None and NUCLEUS in maps.compartments


def _opened(
    description: ImageDescription, page: int, source: PixelSource | None = None
) -> LabelFile:
    files = cast(tuple[Path, ...], description.files)  # no label image is read from a server
    return LabelFile(
        path=cast(Path, description.path),
        shape=description.level_shapes[0],
        source=source or description.source,
        fingerprint=f"{content_fingerprint(files)}-{_changed_ns(files)}",
        page=page,
    )


def _describe_tiff(path: Path) -> ImageDescription:
    try:
        return describe_tiff(path)
    except ColourError as error:
        raise SlideError(
            f"{str(path)!r} is a picture in colour; a label image has one plane of whole numbers, "
            "one value an object. Export the labels themselves, not their picture."
        ) from error


def _chosen(description: ImageDescription, page: int | None) -> int:
    """The page that is meant."""
    names = distinct_names(description.channels)
    shown = ", ".join(f"{number} ({name!r})" for number, name in enumerate(names[:8]))
    shown += ", ..." if len(names) > 8 else ""
    if page is None and len(names) > 1:
        raise SlideError(
            f"{str(description.path)!r} has {len(names)} pages: {shown}. A label image is one of "
            'them; say which under [segmentation], such as label_page = 0 (of "cell_labels": '
            "cell_label_page)."
        )
    if page is not None and page >= len(names):
        raise SlideError(
            f"{str(description.path)!r} has no page {page}; it has {shown}. Correct label_page or "
            "cell_label_page under [segmentation]."
        )
    return page or 0


def _page_of(maps: InformMaps, compartment: str, path: Path) -> int:
    if compartment not in maps.compartments:
        raise SlideError(
            f"{str(path)!r} has no page {compartment!r}, only "
            f"{', '.join(maps.compartments) or 'tissue categories'}. Export the segmentation maps "
            "from inForm again, with every compartment."
        )
    return maps.compartments[compartment]


def _cells_of(maps: InformMaps, description: ImageDescription) -> InformCells:
    for needed in (NUCLEUS, CYTOPLASM):
        _page_of(maps, needed, cast(Path, description.path))
    known = {
        name: page
        for name, page in maps.compartments.items()
        if name in (NUCLEUS, CYTOPLASM, MEMBRANE)
    }
    return InformCells(description.source, description.level_shapes[0], known)


def _changed_ns(files: tuple[Path, ...]) -> int:
    """When anything in them was last written.

    Labels are corrected object by object, and a digest of samples would miss that in a file that
    is not compressed; the price is that a copy counts as changed.
    """
    inside = (path for file in files for path in (file, *file.rglob("*")))
    return max(path.stat().st_mtime_ns for path in inside)


def _describe_zarr(path: Path, name: str) -> ImageDescription:
    for group in (path / "labels", path):
        listed = listed_labels(group)
        if listed:
            chosen = name if name in listed else listed[0]
            if len(listed) > 1 and name not in listed:
                raise SlideError(
                    f"{str(group)!r} lists the label images {', '.join(listed)}; give the folder "
                    f"of one, such as {str(group / chosen)!r}."
                )
            return describe_ome_zarr(group / chosen, labels=True)
    return describe_ome_zarr(path, labels=True)
