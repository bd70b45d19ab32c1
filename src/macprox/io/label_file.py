"""A label image that another program made: found, opened, read by region."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import numpy as np

from macprox.errors import DamageError, SlideError
from macprox.io.fingerprint import content_fingerprint
from macprox.io.image_description import ImageDescription
from macprox.io.ome_zarr import describe_ome_zarr, is_zarr, listed_labels
from macprox.io.slide_names import is_tiff, slide_id_of
from macprox.io.tiff import describe_tiff
from macprox.slide import PixelSource


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
    """

    path: Path
    shape: tuple[int, int]
    source: PixelSource = field(repr=False)
    fingerprint: str = field(repr=False, default="")

    def read(self, y: slice, x: slice) -> np.ndarray:
        """Integers ``(y, x)`` of a region, in the file's dtype."""
        try:
            return self.source.read(0, 0, y, x)
        except DamageError as error:  # of a slide a place can be left out, of its labels none
            raise SlideError(str(error)) from error


def find_label_file(pattern: str, slide_id: str) -> Path:
    """The label image of a slide.

    Parameters
    ----------
    pattern : str
        A file, with ``{slide_id}`` where the slide's id stands in its name, or a folder of files
        that are called like their slides.

    Raises
    ------
    SlideError
        If there is none, or several in a folder.
    """
    path = Path(pattern.replace("{slide_id}", slide_id))
    if not path.is_dir() or is_zarr(path):
        if not path.exists():
            raise SlideError(
                f"No label image at {str(path)!r} for slide {slide_id!r}; correct labels under "
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


def open_label_file(path: Path, name: str) -> LabelFile:
    """Open a label image.

    Parameters
    ----------
    path : Path
        TIFF, OME-TIFF, or OME-Zarr: the label image's own group, or a group that lists some.
    name : str
        Which of several listed ones is wanted.

    Raises
    ------
    SlideError
        If it cannot be read, or holds anything but one plane of integers.
    """
    if path.is_dir() and not is_zarr(path):
        raise SlideError(
            f"{str(path)!r} is a folder without an OME-Zarr in it; give one label image."
        )
    description = _describe_zarr(path, name) if is_zarr(path) else describe_tiff(path)
    if len(description.channels) != 1 or description.dtype.kind not in "iu":
        raise SlideError(
            f"{str(path)!r} holds {len(description.channels)} channels of {description.dtype}; a "
            "label image is one plane of integers, one value an object."
        )
    files = cast(tuple[Path, ...], description.files)  # no label image is read from a server
    return LabelFile(
        path=cast(Path, description.path),
        shape=description.level_shapes[0],
        source=description.source,
        fingerprint=f"{content_fingerprint(files)}-{_changed_ns(files)}",
    )


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
