"""Squares of about 64 um, anchored at the slide's first pixel: what the full resolution shows.

A square lies in one core whatever the tiling, and nothing outside it is looked at, so that its
numbers are the same for every tile size.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numba as nb
import numpy as np

from macprox.image.tiles import Box
from macprox.slide import Slide

SQUARE_UM = 64.0  # 15 to 40 nuclei: enough to judge their edges, small enough to spare neighbours
LARGEST_PX, SMALLEST_PX = 512, 32  # a label chunk, of which every core is a whole multiple
FINE_UM = 1.0  # nuclear outlines in focus change on this scale
COARSE = 4  # nuclei differ from their surroundings on this many times it

FOCUS = ("mean", "fine", "coarse", "noise")


@dataclass(frozen=True)
class SquareGrid:
    """Where the squares lie: a power of two of pixels wide, the nearest to 64 um.

    Parameters
    ----------
    shape : (int, int)
        ``(y, x)`` of the slide in pixels.
    pixel_size_um : float
    """

    shape: tuple[int, int]
    pixel_size_um: float

    @classmethod
    def of(cls, slide: Slide) -> SquareGrid:
        return cls(slide.shape, slide.pixel_size_um)

    @property
    def side_px(self) -> int:
        power = round(math.log2(SQUARE_UM / self.pixel_size_um))
        return int(min(max(2.0**power, SMALLEST_PX), LARGEST_PX))

    @property
    def side_um(self) -> float:
        return self.side_px * self.pixel_size_um

    @property
    def fine_px(self) -> int:
        """Side of the averages whose differences tell focus; even, to tell the noise in them."""
        return max(2, self.side_px // 64)

    @property
    def squares_shape(self) -> tuple[int, int]:
        height, width = self.shape
        return -(-height // self.side_px), -(-width // self.side_px)

    @property
    def n_px(self) -> np.ndarray:
        """``(y, x)`` int: pixels of every square; fewer at the lower and right rim."""
        rows, columns = (
            np.minimum(side - self.side_px * np.arange(n), self.side_px)
            for side, n in zip(self.shape, self.squares_shape, strict=True)
        )
        return np.outer(rows, columns)

    def box(self, core: Box) -> Box:
        """The squares of a core."""
        n = self.side_px
        return Box(core.y0 // n, -(-core.y1 // n), core.x0 // n, -(-core.x1 // n))

    def squares_at(self, xy_um: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Row and column of the square that each point ``(n, 2)`` lies in."""
        at = np.floor(np.asarray(xy_um, float).reshape(-1, 2) / self.side_um).astype(np.int64)
        rows, columns = self.squares_shape
        return np.clip(at[:, 1], 0, rows - 1), np.clip(at[:, 0], 0, columns - 1)


@dataclass(frozen=True)
class Squares:
    """What was measured in every square of a slide or a tile; NaN in one that nobody looked at.

    Parameters
    ----------
    top, n_top : (c, y, x) float32
        By channel the brightest raw pixel, and how many pixels are exactly as bright.
    focus : (4, y, x) float32
        Of the nuclear stain, raw: its ``mean``, and mean squared second differences of averages
        over about 1 um: ``fine`` between neighbours, ``coarse`` four times as far apart, and
        ``noise``, what white noise alone gives in either. NaN in a square that the rim cuts.
    """

    top: np.ndarray
    n_top: np.ndarray
    focus: np.ndarray

    @classmethod
    def unseen(cls, n_channels: int, shape: tuple[int, int]) -> Squares:
        """Squares without a measurement."""
        leading = (n_channels, n_channels, len(FOCUS))
        return cls(*(np.full((n, *shape), np.nan, np.float32) for n in leading))

    @classmethod
    def of_slide(
        cls, grid: SquareGrid, n_channels: int, parts: Iterable[tuple[Box, Mapping]]
    ) -> Squares:
        """The squares of all tiles at their places, from each core's `arrays`."""
        squares = cls.unseen(n_channels, grid.squares_shape)
        for core, arrays in parts:
            for name, whole in squares.arrays().items():
                whole[(..., *grid.box(core).slices)] = arrays[name]
        return squares

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Squares:
        """What `arrays` gave."""
        return cls(*(arrays[f"square_{name}"] for name in ("top", "n_top", "focus")))

    def arrays(self) -> dict[str, np.ndarray]:
        """For a file."""
        return {"square_top": self.top, "square_n_top": self.n_top, "square_focus": self.focus}


@dataclass
class SquareMeter:
    """Takes in the raw channels of one tile as they pass by, each once, in any order.

    Parameters
    ----------
    grid : SquareGrid
    core : Box
        What the tile answers for.
    channels : sequence of str
    nucleus : str
        The channel that is judged for focus.
    """

    grid: SquareGrid
    core: Box
    channels: Sequence[str]
    nucleus: str
    squares: Squares = field(init=False)

    def __post_init__(self) -> None:
        box = self.grid.box(self.core)
        shape = (box.y1 - box.y0, box.x1 - box.x0)
        self.squares = Squares.unseen(len(self.channels), shape)

    def along(
        self, channels: Iterable[tuple[str, np.ndarray]], outer: Box
    ) -> Iterator[tuple[str, np.ndarray]]:
        """The same names and raw pixels, each channel measured on its way."""
        for name, raw in channels:
            self.measure(name, raw, outer)
            yield name, raw

    def measure(self, name: str, raw: np.ndarray, outer: Box) -> None:
        """One channel ``(y, x)``, of any number type, on a box around the core."""
        # Whole rows: on a view of the core the kernels could not use vector registers.
        raw, side_px = np.ascontiguousarray(raw, _plain(raw.dtype)), self.grid.side_px
        rows, columns = self.core.within(outer)
        frame = (rows.start, rows.stop, columns.start, columns.stop)
        channel = list(self.channels).index(name)
        lowest = raw.dtype.type(-np.inf if raw.dtype.kind == "f" else 0)
        tops = square_tops(raw, frame, side_px, lowest)
        self.squares.top[channel], self.squares.n_top[channel] = tops
        if name == self.nucleus:
            self.squares.focus[:] = square_focus(raw, frame, side_px, self.grid.fine_px)


def _plain(dtype: np.dtype) -> type:
    """A type that holds such pixels exactly: two compiled versions serve what slides hold."""
    if dtype.kind == "u" and dtype.itemsize <= 2:
        return np.uint16
    return np.float32 if dtype.kind == "f" and dtype.itemsize <= 4 else np.float64


@nb.njit(cache=True, nogil=True)
def square_tops(raw, frame, side_px, lowest):
    """``(2, y, x)``: the brightest pixel of every square, and how many are as bright.

    Parameters
    ----------
    raw : (y, x) number, contiguous
    frame : (int, int, int, int)
        First and last row, first and last column of the part that counts.
    side_px : int
    lowest : number of the type of ``raw``
        No pixel is below it. NaN is no light.
    """
    y_first, y_last, x_first, x_last = frame
    rows, columns = -(-(y_last - y_first) // side_px), -(-(x_last - x_first) // side_px)
    tops = np.empty((2, rows, columns), np.float32)
    highest = np.empty(side_px, raw.dtype)  # by column: side by side in one register
    for row in range(rows):
        y0 = y_first + row * side_px
        y1 = min(y0 + side_px, y_last)
        for column in range(columns):
            x0 = x_first + column * side_px
            x1 = min(x0 + side_px, x_last)
            highest[:] = lowest
            for y in range(y0, y1):
                line = raw[y, x0:x1]
                for x in range(line.size):
                    if line[x] > highest[x]:
                        highest[x] = line[x]
            top, n_top = highest[: x1 - x0].max(), 0
            for x in range(x1 - x0):
                if highest[x] == top:  # most columns need no second look
                    for y in range(y0, y1):
                        n_top += raw[y, x0 + x] == top
            tops[0, row, column], tops[1, row, column] = top, n_top
    return tops


@nb.njit(cache=True, nogil=True)
def square_focus(raw, frame, side_px, fine_px):
    """``(4, y, x)``: FOCUS of every whole square; NaN where the rim cuts one. See `Squares`."""
    y_first, y_last, x_first, x_last = frame
    height, width = y_last - y_first, x_last - x_first
    energies = np.full((4, -(-height // side_px), -(-width // side_px)), np.nan, np.float32)
    n = side_px // fine_px
    averages, checks = np.empty((n, n)), np.empty((n, n))
    for row in range(height // side_px):
        for column in range(width // side_px):
            corner = (y_first + row * side_px, x_first + column * side_px)
            _averages(raw, corner, fine_px, averages, checks)
            energies[0, row, column] = averages.mean()
            energies[1, row, column] = _second_difference(averages, 1)
            energies[2, row, column] = _second_difference(averages, COARSE)
            # A second difference adds the noise of an average 1 + 4 + 1 times; a checkerboard of
            # the same pixels has that noise, and nothing of what any lens can show.
            energies[3, row, column] = 6.0 * np.mean(checks * checks)
    return energies


@nb.njit(cache=True, nogil=True)
def _averages(raw, corner, fine_px, averages, checks):
    """Averages of ``fine_px`` squared pixels, and the same with the signs of a checkerboard."""
    n = averages.shape[0]
    averages[:] = 0.0
    checks[:] = 0.0
    share = 1.0 / (fine_px * fine_px)
    for y in range(n * fine_px):
        line = raw[corner[0] + y, corner[1] : corner[1] + n * fine_px]
        total, check = averages[y // fine_px], checks[y // fine_px]
        sign = share if y % 2 == 0 else -share
        for j in range(n):
            for x in range(j * fine_px, (j + 1) * fine_px, 2):
                first, second = np.float64(line[x]), np.float64(line[x + 1])
                total[j] += (first + second) * share
                check[j] += (first - second) * sign


@nb.njit(cache=True, nogil=True)
def _second_difference(values, step):
    """Mean square of ``v[-step] - 2 v[0] + v[step]`` along rows and columns.

    Around the same averages for every step: those that have room for the largest.
    """
    n = values.shape[0]
    squares = np.zeros(n)  # by column: sums in a fixed order that still fill a vector register
    for y in range(COARSE, n - COARSE):
        above, here, below = values[y - step], values[y], values[y + step]
        for x in range(COARSE, n - COARSE):
            across = here[x - step] - 2 * here[x] + here[x + step]
            down = above[x] - 2 * here[x] + below[x]
            squares[x] += across * across + down * down
    return squares.sum() / (2 * (n - 2 * COARSE) ** 2)
