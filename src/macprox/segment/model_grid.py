"""The pixels that a model was trained on, laid over a slide once, from its outer corner.

Every tile samples the same grid, so that neighbouring tiles show a model the same pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from macprox.image.tiles import Box
from macprox.segment.network_grid import NetworkGrid

# Models are trained on nuclei that differ by more than this; a nearly right scale is kept, since
# interpolation costs sharpness.
SAME_SCALE_FRAC = 0.1


@dataclass(frozen=True)
class ModelGrid:
    """A model's pixels on a slide's.

    Parameters
    ----------
    step : float
        Side of a model's pixel, in pixels of the slide.
    """

    step: float

    @classmethod
    def between(cls, slide_pixel_um: float, model_pixel_um: float) -> ModelGrid:
        step = model_pixel_um / slide_pixel_um
        return cls(1.0 if abs(step - 1) <= SAME_SCALE_FRAC else step)

    def box(self, outer: Box) -> Box:
        """The model's pixels that a box of the slide touches."""
        y0, x0 = (int(np.floor(low / self.step)) for low in (outer.y0, outer.x0))
        y1, x1 = (int(np.ceil(high / self.step)) for high in (outer.y1, outer.x1))
        return Box(y0, y1, x0, x1)

    def sample(self, pixels: np.ndarray, outer: Box) -> np.ndarray:
        """Pixels of a box of the slide as the model's pixels, as the built-in network samples.

        Parameters
        ----------
        pixels : (y, x) float32
        outer : Box
            Where they are on the slide.

        Returns
        -------
        (y, x) float32
            Of the shape of ``box(outer)``.
        """
        return NetworkGrid(self.step).resample(
            np.ascontiguousarray(pixels, np.float32), outer, self.box(outer)
        )

    def to_slide(self, labels: np.ndarray, outer: Box) -> np.ndarray:
        """Labels of ``box(outer)`` on the pixels of ``outer``: each takes that of its centre."""
        if self.step == 1:
            return labels
        grid = self.box(outer)
        rows = ((np.arange(outer.y0, outer.y1) + 0.5) / self.step).astype(int) - grid.y0
        columns = ((np.arange(outer.x0, outer.x1) + 0.5) / self.step).astype(int) - grid.x0
        return labels[np.ix_(rows, columns)]
