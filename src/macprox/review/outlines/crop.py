"""A small piece of the labels to draw on, and what was drawn as the log's event wants it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from scipy import ndimage as ndi

from macprox.errors import MacproxError
from macprox.image.tiles import Box
from macprox.io.drawn_pixels import runs_of
from macprox.io.images import reopen_slide
from macprox.io.label_edit import read_labels
from macprox.pipeline.labelling import Labeller
from macprox.pipeline.redrawing.stage import cells_mark
from macprox.pipeline.stages import Ledger
from macprox.pipeline.survey import load_survey
from macprox.results import SlideResult
from macprox.review.outlines.shapes import EIGHT
from macprox.segment.nuclei import halo_um, label_nuclei
from macprox.segment.objects import touches_frame

SIDE_PX = 1024
NO_IMAGE = "The slide's image cannot be read, so no nucleus was looked for in the new cells."


@dataclass(frozen=True)
class Crop:
    """Labels of a box at full resolution.

    Parameters
    ----------
    box : Box
        Where it lies on the slide, px.
    cells, nuclei : (y, x) int32
        Values are cell ids; 0 is background.
    slide_shape : (int, int)
        ``(y, x)`` of the slide, px.
    pixel_size_um : float
    min_area_um2 : float
        What is smaller is no cell.
    stained : callable
        The nuclei in the stain of the box, ``(y, x)`` int32, for new cells where no nucleus was
        known; None where the slide cannot be read. Called when it is needed.
    """

    box: Box
    cells: np.ndarray
    nuclei: np.ndarray
    slide_shape: tuple[int, int]
    pixel_size_um: float
    min_area_um2: float
    stained: Callable[[], np.ndarray | None] = lambda: None

    @property
    def min_area_px(self) -> float:
        return self.min_area_um2 / self.pixel_size_um**2

    def cut_off(self, cells: np.ndarray) -> np.ndarray:
        """``(n + 1,)`` bool by label: those that reach the frame, and may go on beyond it."""
        return touches_frame(cells, self.box, self.slide_shape)


@dataclass(frozen=True)
class CropEdit:
    """What a drawing changes; falsy where it changes nothing.

    Parameters
    ----------
    removed, added : tuple of dict
        As `macprox.edits.CellsRedrawn` takes them.
    remarks : tuple of str
        What of the drawing could not be taken, and why.
    """

    removed: tuple[dict[str, Any], ...]
    added: tuple[dict[str, Any], ...]
    remarks: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.removed or self.added)


def cut_crop(result: SlideResult, centre_um: tuple[float, float], side_px: int = SIDE_PX) -> Crop:
    """The labels around a place, for drawing.

    Parameters
    ----------
    result : SlideResult
    centre_um : (float, float)
        ``(x_um, y_um)``; beside the slide's rim the crop is moved inside.
    side_px : int

    Raises
    ------
    ResultError
        If the slide has no labels.
    MacproxError
        If its cells came without outlines, or drawings that were made before are not on the labels
        yet.
    """
    ledger = Ledger.open(result.folder)
    shape = ledger.manifest.get("source", {}).get("shape")
    if shape is None or "segmentation" not in ledger.manifest["stages"]:
        raise MacproxError(
            f"Slide {result.slide_id!r} has no outlines of cells to draw on: its cells came as a "
            "table, or its run was stopped before. Give the image to `macprox run`."
        )
    if cells_mark(result.folder, ledger) is None:
        raise MacproxError("The drawings before this one are still being written; wait for them.")
    box = _box_at(centre_um, side_px, (shape[0], shape[1]), result.pixel_size_um)
    labels = read_labels(result.folder.labels, box)
    return Crop(
        box, labels["cells"], labels["nuclei"], (shape[0], shape[1]), result.pixel_size_um,
        result.study.segmentation.min_nucleus_area_um2, partial(_stained, result, box),
    )  # fmt: skip


def crop_edit(before: Crop, after_cells: np.ndarray) -> CropEdit:
    """What was drawn on a crop.

    A cell with other pixels than before is removed and added anew, and so is a neighbour that lost
    some. Pieces of one number that do not touch are cells of their own. A cell's nucleus is what it
    holds of the nuclei that were known, else of the nuclear stain.

    Parameters
    ----------
    before : Crop
    after_cells : (y, x) int
        The same cells, drawn on; a new number is a new cell.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    if after_cells.shape != before.cells.shape:
        raise ValueError(f"expected labels {before.cells.shape}, found {after_cells.shape}")
    after, remarks = _inside_the_frame(before, after_cells.astype(np.int32))
    differs = before.cells != after
    changed = np.union1d(before.cells[differs], after[differs])
    removed, drawn, n_small = [], [], 0
    for number in changed[changed > 0].tolist():
        was = before.cells == number
        pieces = [*_pieces(after == number)]
        new = [piece for piece in pieces if not np.array_equal(piece, was)]
        if was.any() and len(new) == len(pieces):
            removed.append(_described(was, before.nuclei == number, before))
        large = [piece for piece in new if piece.sum() >= before.min_area_px]
        n_small += len(new) - len(large)
        drawn += large
    if n_small:
        what = "A piece was" if n_small == 1 else f"{n_small} pieces were"
        remarks.append(
            f"{what} left out: no cell is smaller than {before.min_area_um2:g} µm² "
            "(min_nucleus_area_um2 in study.toml)."
        )
    nuclei, said = _nuclei_of(drawn, before)
    added = [_described(*both, before) for both in zip(drawn, nuclei, strict=True)]
    return CropEdit(tuple(removed), tuple(added), (*remarks, *said))


def _inside_the_frame(before: Crop, after: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Cells that the frame cuts as they were: nobody knows the rest of them."""
    after, remarks = after.copy(), []
    cut = before.cut_off(before.cells)
    spoilt = _touched(cut, before.cells, after)
    if spoilt.any():
        after[spoilt] = before.cells[spoilt]
        remarks.append(
            "A cell that reaches beyond the frame stays as it was; move the frame to change it."
        )
    beyond = before.cut_off(after)
    beyond[: len(cut)][cut[: len(beyond)]] = False
    spoilt = _touched(beyond, before.cells, after)
    if spoilt.any():
        after[spoilt] = before.cells[spoilt]
        remarks.append(
            "A cell drawn up to the frame was left out, as nobody knows whether it goes on; move "
            "the frame so that all of it lies inside."
        )
    return after, remarks


def _touched(which: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Pixels that some labels gained or lost."""
    named = np.flatnonzero(which)
    return (before != after) & (np.isin(before, named) | np.isin(after, named))


def _pieces(mask: np.ndarray) -> Iterator[np.ndarray]:
    pieces, n_pieces = ndi.label(mask, EIGHT)
    for number in range(1, n_pieces + 1):
        yield pieces == number


def _nuclei_of(drawn: list[np.ndarray], before: Crop) -> tuple[list[np.ndarray], list[str]]:
    """The nucleus of each drawn cell, empty where it has none."""
    known, background = before.nuclei > 0, before.cells == 0
    area_px = np.bincount(before.nuclei.ravel())
    stained, is_asked = None, False
    nuclei = []
    for cell in drawn:
        nucleus = known & cell
        whole_px = area_px[np.unique(before.nuclei[nucleus])].sum()
        # Less than the least nucleus is the rim of a neighbour's, unless it is all there was.
        nucleus &= nucleus.sum() >= min(before.min_area_px, whole_px)
        # Where cells lay, segmentation has looked for nuclei already.
        if not nucleus.any() and (background & cell).sum() >= before.min_area_px:
            stained, is_asked = stained if is_asked else before.stained(), True
            if stained is not None:
                nucleus = (stained > 0) & cell
                nucleus &= nucleus.sum() >= before.min_area_px
        nuclei.append(nucleus)
    unread = is_asked and stained is None
    return nuclei, [NO_IMAGE] if unread else []


def _described(cell: np.ndarray, nucleus: np.ndarray, crop: Crop) -> dict[str, Any]:
    """A cell as the log has it."""
    y, x = np.nonzero(nucleus if nucleus.any() else cell)
    return {
        "anchor_px": int((y[0] + crop.box.y0) * crop.slide_shape[1] + x[0] + crop.box.x0),
        "x_um": float((x.mean() + crop.box.x0 + 0.5) * crop.pixel_size_um),
        "y_um": float((y.mean() + crop.box.y0 + 0.5) * crop.pixel_size_um),
        "cell": runs_of(cell, crop.box),
        "nucleus": runs_of(nucleus, crop.box),
    }


def _box_at(
    centre_um: tuple[float, float], side_px: int, shape: tuple[int, int], pixel_size_um: float
) -> Box:
    sides = [min(side_px, size) for size in shape]
    middle = [round(um / pixel_size_um) for um in (centre_um[1], centre_um[0])]
    y0, x0 = (
        min(max(at - side // 2, 0), size - side)
        for at, side, size in zip(middle, sides, shape, strict=True)
    )
    return Box(y0, y0 + sides[0], x0, x0 + sides[1])


def _stained(result: SlideResult, box: Box) -> np.ndarray | None:
    """Nuclei in the stain by the method without a model, as given cells have theirs."""
    source, study = result.manifest["source"], result.study
    try:
        slide = reopen_slide(source, result.slide_id)
        if slide.fingerprint != source["fingerprint"]:
            return None
        labeller = Labeller.of(slide, study, load_survey(result.folder, slide.channels))
    except MacproxError:
        return None
    size_um = slide.pixel_size_um
    margin_px = int(np.ceil(halo_um(study.segmentation) / size_um))
    height, width = slide.shape
    outer = Box(
        max(box.y0 - margin_px, 0), min(box.y1 + margin_px, height),
        max(box.x0 - margin_px, 0), min(box.x1 + margin_px, width),
    )  # fmt: skip
    stain = labeller.pixels(outer).channel(study.image.nucleus)
    found = label_nuclei(stain, size_um, labeller.nuclear, study.segmentation)
    return found[box.within(outer)]
