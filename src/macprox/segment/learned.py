"""Learned segmenters made elsewhere: one small interface, and what they are shown.

A segmenter sees one image at the scale that it was trained at, with a brightness that means the
same everywhere on the slide, and gives labels back. That is all it has to know.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from threading import Lock
from typing import Protocol

import numpy as np

from macprox.errors import StudyError
from macprox.image.tiles import Box
from macprox.segment.methods import is_learned, load_segmenter_factory
from macprox.segment.model_grid import ModelGrid
from macprox.segment.objects import drop_small
from macprox.segment.parameters import SegmentationParameters

USUAL_PERCENTILES = (1.0, 99.8)


class Segmenter(Protocol):
    """What an entry point of the group ``macprox.segmenters`` gives when it is called.

    The entry point is called with the `SegmentationParameters` of the study, once a process, and
    raises `macprox.errors.StudyError` where weights are missing. It may also have
    ``percentiles``, the two of the slide's tissue that the model expects at 0 and 1.
    """

    pixel_size_um: float
    """The scale that the model was trained at."""

    halo_um: float
    """How far beyond an object's outline the model should see; no less than one nucleus."""

    def label(self, image: np.ndarray) -> np.ndarray:
        """Label the nuclei of an image.

        Parameters
        ----------
        image : (y, x) float32
            0 and 1 are the slide's percentiles; not clipped.

        Returns
        -------
        (y, x) integer
            0 is background.
        """
        ...


@dataclass(frozen=True)
class Brightness:
    """Two levels of the corrected stain that a model is shown as 0 and 1; of the whole slide."""

    dark: float
    bright: float

    @classmethod
    def of_slide(cls, sample: np.ndarray, segmenter: Segmenter) -> Brightness:
        """From a sample ``(n,)`` of the stain in tissue."""
        at = getattr(segmenter, "percentiles", USUAL_PERCENTILES)
        dark, bright = np.percentile(sample, at) if sample.size else (0.0, 0.0)
        return cls(float(dark), float(bright))

    def shown(self, stain: np.ndarray) -> np.ndarray:
        scale = np.float32(1 / (self.bright - self.dark))
        return (stain.astype(np.float32) - np.float32(self.dark)) * scale


_loading, _labelling = Lock(), Lock()


def segmenter(parameters: SegmentationParameters) -> Segmenter:
    """The study's segmenter, loaded once a process.

    Raises
    ------
    StudyError
        If its package or its weights are missing.
    """
    with _loading:
        return _loaded(parameters)


def check_method(parameters: SegmentationParameters) -> None:
    """Refuse a learned method that cannot run here, before a pixel is read.

    Raises
    ------
    StudyError
        If its package or its weights are missing.
    """
    if is_learned(parameters.method):
        segmenter(parameters)


@lru_cache(maxsize=1)
def _loaded(parameters: SegmentationParameters) -> Segmenter:
    return load_segmenter_factory(parameters.method)(parameters)


def label_view(
    stain: np.ndarray,
    outer: Box,
    pixel_size_um: float,
    brightness: Brightness,
    parameters: SegmentationParameters,
) -> np.ndarray:
    """Label the nuclei of one tile's outer box by the study's segmenter.

    Parameters
    ----------
    stain : (y, x) number
        Corrected nuclear channel.
    outer : Box
    pixel_size_um : float
    brightness : Brightness
    parameters : SegmentationParameters

    Returns
    -------
    (y, x) int32
        Labels 1..n; objects at the rim may be cut.

    Raises
    ------
    StudyError
        If the segmenter does not keep to its interface.
    """
    if not brightness.bright > brightness.dark:
        return np.zeros(stain.shape, np.int32)
    model = segmenter(parameters)
    grid = ModelGrid.between(pixel_size_um, model.pixel_size_um)
    image = grid.sample(brightness.shown(stain), outer)
    with _labelling:  # frameworks bring threads of their own, and memory for each call
        found = np.asarray(model.label(image))
    if found.shape != image.shape or found.dtype.kind not in "iu":
        raise StudyError(
            f"The method {parameters.method!r} returned {found.dtype} of shape {found.shape} for "
            f"an image of shape {image.shape}; expected integer labels of the same shape."
        )
    found = grid.to_slide(found, outer)
    numbers, place = np.unique(found, return_inverse=True)
    first = np.searchsorted(numbers, 1)  # what is not above 0 is background
    labels = np.maximum(place.reshape(found.shape) - first + 1, 0).astype(np.int32)
    return drop_small(labels, parameters.min_nucleus_area_um2 / pixel_size_um**2)
