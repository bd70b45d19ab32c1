"""Label images made elsewhere: opened beside their slide, seen once, read tile by tile."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from macprox.errors import SlideError
from macprox.image.tiles import Box, Tile, tile_grid
from macprox.io.arrays import read_arrays, write_arrays
from macprox.io.fingerprint import content_fingerprint
from macprox.io.label_file import (
    LabelFile,
    find_label_file,
    nuclei_beside_cells,
    open_label_file,
)
from macprox.pipeline.options import RunOptions
from macprox.segment.given import LabelledObjects
from macprox.segment.methods import GIVEN
from macprox.segment.paired import NucleiOfCells, overlap_rows
from macprox.segment.parameters import SegmentationParameters
from macprox.slide import Slide


@dataclass(frozen=True)
class GivenImages:
    """The label images of one slide.

    Parameters
    ----------
    objects : LabelFile
        The cells where they are given, else the nuclei.
    nuclei : LabelFile or None
        Of the cells, where they are given, too.
    """

    objects: LabelFile
    nuclei: LabelFile | None = None

    @property
    def fingerprint(self) -> str:
        files = (self.objects,) if self.nuclei is None else (self.objects, self.nuclei)
        return " ".join(dict.fromkeys(file.fingerprint for file in files))


@dataclass(frozen=True)
class GivenObjects:
    """Nuclei or cells that are labelled already.

    Parameters
    ----------
    images : GivenImages
    table : Path
        Its objects, as `look_at_labels` left them; and whose each nucleus is, where both are given.
    extent_um : float
        Of the largest.
    n_left_out : int
        Values too far apart to be one object.
    n_without_cell : int
        Given nuclei that lie in no given cell.
    """

    images: GivenImages
    table: Path
    extent_um: float
    n_left_out: int
    n_without_cell: int = 0

    def labels(self, outer: Box) -> tuple[np.ndarray, np.ndarray | None]:
        """Objects of a box ``(y, x)`` int32, numbered in raster order of first pixels on the slide.

        Returns
        -------
        (y, x) int32
            The cells where they are given, else the nuclei.
        (y, x) int32 or None
            The cells' nuclei under the cells' labels, where both are given.
        """
        known = read_arrays(self.table)
        objects = LabelledObjects(known["value"], known["first_px"], known["span"])
        pixels = self.images.objects.read(*outer.slices)
        labels = objects.name_in(pixels)
        if self.images.nuclei is None:
            return labels, None
        pairs = NucleiOfCells(known["nucleus"], known["cell"])
        inside = pairs.inside(self.images.nuclei.read(*outer.slices), pixels)
        return labels, np.where(inside, labels, 0).astype(np.int32)


def open_given(parameters: SegmentationParameters, slide: Slide) -> GivenImages | None:
    """The label images that the study gives for a slide; None with any other method.

    Raises
    ------
    SlideError
        If there is none, or its shape is not the slide's.
    """
    if parameters.method != GIVEN or parameters.labels is None:
        return None
    path, page = find_label_file(parameters.labels, slide.slide_id), parameters.label_page
    if parameters.cell_labels is not None:
        cells = find_label_file(parameters.cell_labels, slide.slide_id, "cell_labels")
        return GivenImages(
            _fitting(open_label_file(cells, "cells", parameters.cell_label_page), slide),
            _fitting(open_label_file(path, "nuclei", page), slide),
        )
    file = _fitting(open_label_file(path, parameters.labels_are, page), slide)
    if parameters.labels_are == "cells" and nuclei_beside_cells(path, page):
        return GivenImages(file, open_label_file(path, "nuclei"))
    return GivenImages(file)


def _fitting(file: LabelFile, slide: Slide) -> LabelFile:
    if file.shape != slide.shape:
        raise SlideError(
            f"The label image {str(file.path)!r} has {_size(file.shape)}, slide "
            f"{slide.slide_id!r} has {_size(slide.shape)}; expected the same. Give labels of the "
            "slide's full resolution."
        )
    return file


def segmentation_files(parameters: SegmentationParameters, slide: Slide) -> dict[str, str]:
    """Fingerprints of the files besides the slide that its labels come from.

    Raises
    ------
    SlideError
        As `open_given`, before a pixel is read.
    """
    files = {}
    labels = open_given(parameters, slide)
    if labels is not None:
        files["labels"] = labels.fingerprint
    if parameters.model is not None:
        model = Path(parameters.model)
        parts = sorted(model.rglob("*")) if model.is_dir() else [model]
        files["model"] = content_fingerprint(tuple(part for part in parts if part.is_file()))
    return files


def _size(shape: tuple[int, int]) -> str:
    return f"{shape[1]} x {shape[0]} px"


def look_at_labels(
    images: GivenImages, slide: Slide, core_px: int, place: Path, options: RunOptions
) -> GivenObjects:
    """See label images once, and leave a table of their objects in a folder.

    Raises
    ------
    SlideError
        If nothing in them could be a nucleus or a cell.
    """
    blocks = tile_grid(slide.shape, core_px, 0)
    seen = options.workers.map(_LookAt(images), blocks)
    objects = LabelledObjects.joined([part for part, _ in seen])
    kept = objects.small_enough(slide.pixel_size_um)
    pairs = NucleiOfCells.paired([rows for _, rows in seen if rows is not None])
    table = place / "objects.npz"
    known = {"value": kept.value, "first_px": kept.first_px, "span": kept.span}
    write_arrays(table, {**known, "nucleus": pairs.nucleus, "cell": pairs.cell})
    return GivenObjects(
        images,
        table,
        extent_um=float(kept.extent_px.max(initial=0)) * slide.pixel_size_um,
        n_left_out=len(objects) - len(kept),
        n_without_cell=pairs.n_without_cell,
    )


@dataclass(frozen=True)
class _LookAt:
    """The objects in one block, and what nuclei and cells share there."""

    images: GivenImages

    def __call__(self, block: Tile) -> tuple[LabelledObjects, np.ndarray | None]:
        images = self.images
        pixels = images.objects.read(*block.core.slices)
        width_px = images.objects.shape[1]
        objects = LabelledObjects.in_region(pixels, block.core, width_px)
        if images.nuclei is None:
            return objects, None
        return objects, overlap_rows(images.nuclei.read(*block.core.slices), pixels)
