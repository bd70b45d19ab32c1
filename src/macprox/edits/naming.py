"""Which events speak of the same cell."""

from __future__ import annotations

from math import floor, hypot

# A cell found by position may have moved by rounding or by a neighbouring pixel, not further:
# two nuclei are at least 4 um apart, so within 2 um there is one candidate.
SAME_CELL_UM = 2.0


class CellNames:
    """Numbers the cells that a log speaks of: the same cell has the same number.

    The place decides, as it does when events are applied to a table: after another segmentation
    a cell has another anchor, and an event about it must still undo the one before. The anchor
    decides where both events have one and it is the same within 2 um.
    """

    def __init__(self) -> None:
        self._places: list[tuple[float, float]] = []
        self._by_anchor: dict[int, int] = {}
        self._in_square: dict[tuple[int, int], list[int]] = {}

    def number(self, anchor_px: int | None, x_um: float, y_um: float) -> int:
        """The cell's number; a new one where nobody has spoken of it yet."""
        found = self.find(anchor_px, x_um, y_um)
        if found is None:
            found = len(self._places)
            self._places.append((x_um, y_um))
            self._in_square.setdefault(_square(x_um, y_um), []).append(found)
        if anchor_px is not None:
            self._by_anchor[anchor_px] = found
        return found

    def find(self, anchor_px: int | None, x_um: float, y_um: float) -> int | None:
        """The cell's number, None where nobody has spoken of it."""
        same = None if anchor_px is None else self._by_anchor.get(anchor_px)
        if same is not None and self._distance_um(same, x_um, y_um) <= SAME_CELL_UM:
            return same
        column, row = _square(x_um, y_um)
        near = [
            (self._distance_um(number, x_um, y_um), number)
            for i in (column - 1, column, column + 1)
            for j in (row - 1, row, row + 1)
            for number in self._in_square.get((i, j), ())
        ]
        distance_um, number = min(near, default=(float("inf"), -1))
        return number if distance_um <= SAME_CELL_UM else None

    def _distance_um(self, number: int, x_um: float, y_um: float) -> float:
        x, y = self._places[number]
        return hypot(x - x_um, y - y_um)


def _square(x_um: float, y_um: float) -> tuple[int, int]:
    """A cell's namesakes lie in its own square of 2 um or in one beside it."""
    return floor(x_um / SAME_CELL_UM), floor(y_um / SAME_CELL_UM)
