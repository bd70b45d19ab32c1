"""The methods that find nuclei: their names, and what each has to offer.

Two kinds. An *exact* method is local: a nucleus never depends on the tile it was found in, so its
tiles agree without talking to each other. A *learned* segmenter made elsewhere promises nothing of
the sort: its tiles' views are joined by overlap (`macprox.segment.seams`), and how far they
disagree is measured. A third way is no method at all: ``"labels"`` takes a label image.

Nothing heavy is imported before a method is asked for: a study needs the names only.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Protocol

from macprox.errors import StudyError

if TYPE_CHECKING:
    import numpy as np

    from macprox.image.stain import StainStatistics
    from macprox.image.tiles import Box
    from macprox.segment.learned import Segmenter
    from macprox.segment.parameters import SegmentationParameters

GIVEN = "labels"
EXACT = {
    "unet": "macprox.segment.unet:UNet",
    "watershed": "macprox.segment.methods:Watershed",
}
LEARNED = {
    "stardist": "macprox.segment.backends.stardist:StarDist",
    "cellpose": "macprox.segment.backends.cellpose:Cellpose",
    "instanseg": "macprox.segment.backends.instanseg:InstanSeg",
}
ENTRY_POINTS = "macprox.segmenters"


class NucleusMethod(Protocol):
    """An exact method: what it labels inside its halo is the same in every tile."""

    def halo_um(self, parameters: SegmentationParameters, pixel_size_um: float) -> float:
        """How far a tile must look beyond the nuclei that it keeps."""
        ...

    def label(
        self,
        stain: np.ndarray,
        outer: Box,
        slide: tuple[tuple[int, int], float],
        statistics: StainStatistics,
        parameters: SegmentationParameters,
    ) -> np.ndarray:
        """Label the nuclei of one tile.

        Parameters
        ----------
        stain : (y, x) number
            Nuclear channel on the tile's outer box.
        outer : Box
            Where that is on the slide.
        slide : ((int, int), float)
            Shape ``(y, x)`` of the slide and its pixel size in micrometres.
        statistics : StainStatistics
            Of the whole slide.
        parameters : SegmentationParameters

        Returns
        -------
        (y, x) int32
            Labels 1..n in raster order of first pixels; objects at the rim may be cut.
        """
        ...


class Watershed:
    """The model-free method, `macprox.segment.nuclei`."""

    def halo_um(self, parameters: SegmentationParameters, pixel_size_um: float) -> float:
        from macprox.segment import nuclei

        return nuclei.halo_um(parameters)

    def label(
        self,
        stain: np.ndarray,
        outer: Box,
        slide: tuple[tuple[int, int], float],
        statistics: StainStatistics,
        parameters: SegmentationParameters,
    ) -> np.ndarray:
        from macprox.segment.nuclei import label_nuclei

        return label_nuclei(stain, slide[1], statistics, parameters)


def installed_segmenters() -> dict[str, str]:
    """Segmenters that other packages offer: name and ``module:attribute``."""
    return {point.name: point.value for point in entry_points(group=ENTRY_POINTS)}


def check_name(name: str) -> None:
    """Refuse a method that does not exist.

    Raises
    ------
    StudyError
        With the nearest name, and all there are.
    """
    built_in = [*EXACT, *LEARNED, GIVEN]
    if name in built_in:
        return
    names = [*built_in, *installed_segmenters()]
    if name not in names:
        near = difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.5)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise StudyError(f"method must be one of {', '.join(names)}, found {name!r}.{hint}")


def is_learned(name: str) -> bool:
    """Whether a method may label an object differently in another tile."""
    return name not in EXACT and name != GIVEN


def nucleus_method(name: str) -> NucleusMethod:
    """An exact method by its name.

    Raises
    ------
    StudyError
        If there is no such method, or it works slide by slide and not tile by tile.
    """
    check_name(name)
    if name not in EXACT:
        raise StudyError(
            f"The method {name!r} labels a slide as a whole, not tile by tile; run it through "
            "`macprox run`, or take one of " + ", ".join(EXACT) + " here."
        )
    return _load(name, EXACT[name])()


def load_segmenter_factory(name: str) -> Callable[[SegmentationParameters], Segmenter]:
    """What makes the segmenter of a learned method.

    Raises
    ------
    StudyError
        If there is no such method, or its package cannot be imported.
    """
    check_name(name)
    return _load(name, LEARNED.get(name) or installed_segmenters()[name])


def _load(name: str, place: str):
    module, _, attribute = place.partition(":")
    try:
        return getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise StudyError(f"The method {name!r} ({place}) cannot be loaded: {error}.") from error
