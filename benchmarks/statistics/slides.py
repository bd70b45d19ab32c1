"""Synthetic slides: 4,000 cells a square millimetre, five phenotypes, even or in nests."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from macprox.spatial import Window

PER_MM2 = 4000.0
PHENOTYPES = np.array(["Macrophage", "Tumour", "Stroma", "T cell", "Other"], dtype=object)
SHARES = (0.10, 0.40, 0.30, 0.15, 0.05)
CELLS_A_NEST = 1500
NEST_UM = {0: 200.0, 1: 120.0}  # spread of macrophages and tumour cells about a nest
MASK_UM = 5.0


@dataclass(frozen=True, eq=False)
class BenchmarkSlide:
    """Cells of one slide; made by `of`."""

    xy: np.ndarray = field(repr=False)  # (n, 2) um
    code: np.ndarray = field(repr=False)  # (n,) row of `PHENOTYPES`
    side_um: float

    @classmethod
    def of(cls, n_cells: int, kind: str, seed: int = 0) -> BenchmarkSlide:
        """``kind``: "even" (complete spatial randomness) or "nests"."""
        rng = np.random.default_rng(seed)
        side = 1000 * np.sqrt(n_cells / PER_MM2)
        code = rng.choice(len(SHARES), n_cells, p=SHARES)
        xy = rng.uniform(0, side, (n_cells, 2))
        if kind == "nests":
            nests = rng.uniform(0, side, (max(4, n_cells // CELLS_A_NEST), 2))
            for phenotype, spread in NEST_UM.items():
                of_kind = np.flatnonzero(code == phenotype)
                centre = nests[rng.integers(len(nests), size=len(of_kind))]
                xy[of_kind] = (centre + rng.normal(0, spread, centre.shape)) % side
        return cls(xy, code, float(side))

    @property
    def macrophages(self) -> np.ndarray:
        return self.xy[self.code == 0]

    @property
    def tumour(self) -> np.ndarray:
        return self.xy[self.code == 1]

    @property
    def phenotype(self) -> np.ndarray:
        return PHENOTYPES[self.code]

    @property
    def side_px(self) -> int:
        """Side of the mask."""
        return int(np.ceil(self.side_um / MASK_UM))

    def new_window(self) -> Window:
        """A mask of 5 um pixels that holds every cell; nothing about it is known yet."""
        return Window.from_mask(np.ones((self.side_px, self.side_px), dtype=bool), MASK_UM)
