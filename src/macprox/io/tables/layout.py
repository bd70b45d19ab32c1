"""Where a table keeps what we need, and the unit that a column's name says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from macprox.celltable import MICROMETRES
from macprox.io.tables.text import plain

Unit = Literal["um", "mm", "px"]
_MILLIMETRES = {"mm", "millimetre", "millimetres", "millimeter", "millimeters"}


@dataclass(frozen=True)
class Layout:
    """Where a table keeps what we need.

    Attributes
    ----------
    tool : str
        For messages.
    x, y : tuple of str
        One column, or the two sides of a box whose middle counts; none where the tool is known
        and its positions were left out.
    unit : "um", "mm", "px" or None
        None: the table does not say.
    phenotype : tuple of str
    slide, roi, cell_id, tissue_category : str or None
    object_type : str or None
        QuPath's column that tells cells from annotations.
    n_inside : str or None
        QuPath's column that only what holds cells has a value in.
    has_derived_classes : bool
        Names may be classes of classes, ``"Tumor: CD68: PD-L1"``, as in QuPath.
    is_summary : bool
        Each row is an image or a core: the table holds no cells.
    slide_choices : tuple of str
        Several columns that may be the slide, where ``slide`` is None: one is to be named.
    is_one_slide : bool
        Without a column of slides the file is one slide, and none is looked for.
    to_corner : float
        Added to positions, in their unit: half a pixel where the tool counts from the centre
        of the first pixel and we from its corner.
    """

    tool: str
    x: tuple[str, ...]
    y: tuple[str, ...]
    unit: Unit | None
    phenotype: tuple[str, ...] = ()
    slide: str | None = None
    roi: str | None = None
    cell_id: str | None = None
    tissue_category: str | None = None
    object_type: str | None = None
    n_inside: str | None = None
    is_summary: bool = False
    slide_choices: tuple[str, ...] = ()
    has_derived_classes: bool = False
    is_one_slide: bool = False
    to_corner: float = 0.0

    @property
    def columns(self) -> list[str]:
        """Every column to read."""
        of_cells = (self.slide, self.roi, self.cell_id, self.tissue_category)
        single = (*of_cells, self.object_type, self.n_inside)
        return [*self.x, *self.y, *self.phenotype, *(name for name in single if name)]


def unit_in(name: str) -> Unit | None:
    """The unit that a column's name says.

    Examples
    --------
    >>> unit_in("Centroid X µm"), unit_in("CenterX_global_px"), unit_in("x")
    ('um', 'px', None)
    """
    words = set(plain(name).split())
    if words & set(MICROMETRES):
        return "um"
    if _MILLIMETRES & words:
        return "mm"
    if {"px", "pixel", "pixels"} & words:
        return "px"
    return None


def unit_of_both(x: str, y: str) -> Unit | None:
    """The unit in which two columns agree."""
    units = {unit_in(x), unit_in(y)}
    return units.pop() if len(units) == 1 else None
