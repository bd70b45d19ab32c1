"""Squares of about 64 um, anchored at the slide's first pixel: what the full resolution shows.

A square lies in one core whatever the tiling, and nothing outside it is looked at, so that its
numbers are the same for every tile size.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numba as nb
import numpy as np

from macprox.image.tiles import Box

SQUARE_UM = 64.0  # 15 to 40 nuclei: enough to judge their edges, small enough to spare neighbours
LARGEST_PX = 512  # a label chunk, of which every core is a whole multiple
BLOCKS = 4  # each side of a square is cut into so many blocks, for levels of about 16 um
FINE_UM = 1.0  # nuclear outlines in focus change on this scale
COARSE = 4  # and nuclei differ from their surroundings on this many times it

# What is kept of a square of one channel, and of the focus of the nuclear stain.
LEVELS = ("mean", "low", "top", "n_top")
FOCUS = ("fine", "coarse", "noise")


@dataclass(frozen=True)
class SquareGrid:
    """Where the squares lie: a power of two of pixels, the nearest to 64 um.

    Parameters
    ----------
    shape : (int, int)
        ``(y, x)`` of the slide in pixels.
    pixel_size_um : float
    """

    shape: tuple[int, int]
    pixel_size_um: float

    @property
    def side_px(self) -> int:
        power = round(math.log2(SQUARE_UM / self.pixel_size_um))
        return int(np.clip(2**power, 4 * BLOCKS, LARGEST_PX))

    @property
    def side_um(self) -> float:
        return self.side_px * self.pixel_size_um

    @property
    def fine_px(self) -> int:
        """Side of the averages whose differences tell focus; even, to tell noise inside them."""
        return max(2, 2 ** round(math.log2(FINE_UM / self.pixel_size_um)))

    def box(self, core: Box) -> Box:
        """The squares of a core."""
        n = self.side_px
        return Box(core.y0 // n, -(-core.y1 // n), core.x0 // n, -(-core.x1 // n))

    @property
    def squares_shape(self) -> tuple[int, int]:
        height, width = self.shape
        return -(-height // self.side_px), -(-width // self.side_px)

    def index_of(self, xy_um: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Row and column of the square that each point ``(n, 2)`` lies in."""
        at = np.floor(np.asarray(xy_um, float) / self.side_um).astype(np.int64)
        rows, columns = self.squares_shape
        return np.clip(at[:, 1], 0, rows - 1), np.clip(at[:, 0], 0, columns - 1)


@dataclass
class Squares:
    """Measures of every square of a box; NaN where nothing was measured.

    Parameters
    ----------
    levels : dict of str to dict of str to (y, x) float
        By channel: ``mean``; ``low``, the mean of the square's darker quarter, which is the
        matrix between cells; ``top``, its brightest pixel, and ``n_top``, how many are as bright.
    focus : dict of str to (y, x) float
        Of the nuclear stain, mean squares of second differences of averages of about 1 um:
        ``fine`` between neighbours, ``coarse`` four times as far apart, and ``noise``, what
        white noise alone would give in either.
    bright : (y, x) int
        How many channels are debris-bright in the same block of about 16 um, at most.
    """

    levels: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)
    focus: dict[str, np.ndarray] = field(default_factory=dict)
    bright: np.ndarray | None = None


@dataclass
class SquareMeter:
    """Looks at a tile's raw channels as they pass by; see `measure`.

    Parameters
    ----------
    grid : SquareGrid
    nucleus : str
        Judged for focus.
    debris_levels : mapping of str to float
        Raw level by channel above which a whole block is debris-bright.
    """

    grid: SquareGrid
    nucleus: str
    debris_levels: Mapping[str, float]
    _seen: dict[str, np.ndarray] = field(default_factory=dict)

    def measure(self, name: str, raw: np.ndarray) -> None:
        """Take in one channel of a tile's core."""
        side = self.grid.side_px
        mean, low, top, n_top, bright = square_levels(raw, side, self.debris_levels[name])
        for key, value in zip(LEVELS, (mean, low, top, n_top), strict=True):
            self._seen[f"square_{key} {name}"] = value
        total = self._seen.setdefault("square_bright", np.zeros(bright.shape, np.uint8))
        total += bright
        if name == self.nucleus:
            energies = square_focus(raw, side, self.grid.fine_px)
            self._seen |= {f"square_{key}": e for key, e in zip(FOCUS, energies, strict=True)}


@nb.njit(cache=True, nogil=True)
def square_levels(raw, side, debris_level):
    pass
