"""A slide is laid out field by field: no map of the whole of it is ever in memory."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

FIELD_UM = 1024.0  # up to one and a half, all is one field


@dataclass(frozen=True)
class Field:
    """One rectangle of the slide, the same whatever is done block by block later.

    Parameters
    ----------
    number : int
        In raster order.
    y0, x0, y1, x1 : float
        In micrometres; fields share edges and together are the slide.
    extent_um : (float, float)
        Height and width of the slide.
    """

    number: int
    y0: float
    x0: float
    y1: float
    x1: float
    extent_um: tuple[float, float]

    @property
    def box_um(self) -> tuple[float, float, float, float]:
        """``(y0, x0, y1, x1)``"""
        return self.y0, self.x0, self.y1, self.x1

    def padded(self, outer_um: float, inner_um: float = 0.0) -> tuple[float, float, float, float]:
        """The box, wider by ``outer_um`` at edges of the slide and by ``inner_um`` at others."""
        height_um, width_um = self.extent_um
        return (
            self.y0 - (outer_um if self.y0 == 0 else inner_um),
            self.x0 - (outer_um if self.x0 == 0 else inner_um),
            self.y1 + (outer_um if self.y1 == height_um else inner_um),
            self.x1 + (outer_um if self.x1 == width_um else inner_um),
        )


def fields(extent_um: tuple[float, float]) -> list[Field]:
    """The fields of a slide, in raster order; the last of a row or column takes what is left."""
    rows, columns = (_edges(side_um) for side_um in extent_um)
    boxes = [(y0, x0, y1, x1) for y0, y1 in pairwise(rows) for x0, x1 in pairwise(columns)]
    return [Field(number, *box, extent_um) for number, box in enumerate(boxes)]


def _edges(side_um: float) -> list[float]:
    return [k * FIELD_UM for k in range(max(1, round(side_um / FIELD_UM)))] + [side_um]
