"""What a user may set about segmentation; one place for every default."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from macprox.errors import StudyError
from macprox.segment.methods import check_name


def _require_positive(parameters: object, *names: str) -> None:
    for name in names:
        value = getattr(parameters, name)
        if not value > 0:
            raise StudyError(f"{name} must be a positive number, found {value!r}.")


@dataclass(frozen=True)
class MacrophageParameters:
    """Marker-guided macrophage bodies.

    Parameters
    ----------
    channels : tuple of str
        Channels whose signal is macrophage body. Empty: cells are expanded nuclei only.
    pixel_threshold : "auto" or float
        A pixel above this (background-corrected units of the channel) is body. ``"auto"`` is
        estimated once a slide from its pixels, independent of the cells' gates.
    reach_um : float
        How far along marker-positive pixels a body may extend from its nucleus.
    min_area_um2 : float
        Smaller bodies without a nucleus are dropped.
    max_diameter_um : float
        Larger marker areas without a nucleus are split.
    """

    channels: tuple[str, ...] = ()
    pixel_threshold: Literal["auto"] | float = "auto"
    reach_um: float = 15.0
    min_area_um2: float = 30.0
    max_diameter_um: float = 60.0

    def __post_init__(self) -> None:
        _require_positive(self, "reach_um", "min_area_um2", "max_diameter_um")


@dataclass(frozen=True)
class SegmentationParameters:
    """From pixels to nuclei and cells.

    Parameters
    ----------
    method : str
        ``"watershed"``: the built-in model-free method (`macprox.segment.nuclei`).
    nucleus_diameter_um : float
        A typical nucleus; every length inside the method follows from it.
    min_nucleus_area_um2 : float
        Smaller objects are debris.
    expansion_um : float
        How far a cell extends beyond its nucleus where nothing else says so.
    macrophages : MacrophageParameters
    """

    method: str = "watershed"
    nucleus_diameter_um: float = 8.0
    min_nucleus_area_um2: float = 6.0
    expansion_um: float = 4.0
    macrophages: MacrophageParameters = MacrophageParameters()

    def __post_init__(self) -> None:
        check_name(self.method)
        _require_positive(self, "nucleus_diameter_um", "min_nucleus_area_um2", "expansion_um")
