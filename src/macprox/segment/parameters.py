"""What a user may set about segmentation; one place for every default."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from macprox.errors import StudyError
from macprox.segment.methods import GIVEN, check_name, is_learned


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
        Larger marker areas without a nucleus are split and flagged "clump".
    """

    channels: tuple[str, ...] = ()
    pixel_threshold: Literal["auto"] | float = "auto"
    reach_um: float = 15.0
    min_area_um2: float = 30.0
    max_diameter_um: float = 60.0

    def __post_init__(self) -> None:
        _require_positive(self, "reach_um", "min_area_um2", "max_diameter_um")
        if self.pixel_threshold != "auto":
            _require_positive(self, "pixel_threshold")


@dataclass(frozen=True)
class SegmentationParameters:
    """From pixels to nuclei and cells.

    Parameters
    ----------
    method : str
        ``"unet"``: the built-in network (`macprox.segment.unet`). ``"watershed"``: the built-in
        method without a model (`macprox.segment.nuclei`). Others: `macprox.segment.methods`.
    labels : str or None
        With the method ``"labels"``: the label image, a TIFF or OME-Zarr file of the slide's
        shape. ``{slide_id}`` in its name is replaced; a folder is searched for the slide's id.
    labels_are : "nuclei" or "cells"
        What the label image shows. Cells are kept as they are; nothing is grown.
    cell_labels : str or None
        A second label image, of cells, where ``labels`` shows their nuclei; named likewise.
    label_page, cell_label_page : int or None
        Which page (or channel) of each file, from 0, where it has several.
    model : str or None
        With a learned method: the file or folder of its weights. Not given, they must be in the
        method's own store; nothing is ever downloaded.
    model_pixel_size_um : float or None
        With a learned method: the scale that the model was trained at, where it is not the usual.
    nucleus_diameter_um : float
        A typical nucleus; every length inside the method follows from it.
    min_nucleus_area_um2 : float
        Smaller objects are debris.
    expansion_um : float
        How far a cell extends beyond its nucleus where nothing else says so.
    macrophages : MacrophageParameters
    """

    method: str = "unet"
    labels: str | None = None
    labels_are: Literal["nuclei", "cells"] = "nuclei"
    cell_labels: str | None = None
    label_page: int | None = None
    cell_label_page: int | None = None
    model: str | None = None
    model_pixel_size_um: float | None = None
    nucleus_diameter_um: float = 8.0
    min_nucleus_area_um2: float = 6.0
    expansion_um: float = 4.0
    macrophages: MacrophageParameters = MacrophageParameters()

    def __post_init__(self) -> None:
        check_name(self.method)
        if (self.labels is not None) != (self.method == GIVEN):
            raise StudyError(
                f"labels = {self.labels!r} and method = {self.method!r} do not go together: the "
                f"method {GIVEN!r} needs labels, the name of a label image, and no other takes it."
            )
        self._check_given()
        for name in ("model", "model_pixel_size_um"):
            if getattr(self, name) is not None and not is_learned(self.method):
                raise StudyError(f"{name} is for learned methods; {self.method!r} has no model.")
        if self.model_pixel_size_um is not None:
            _require_positive(self, "model_pixel_size_um")
        _require_positive(self, "nucleus_diameter_um", "min_nucleus_area_um2", "expansion_um")

    @property
    def cells_are_given(self) -> bool:
        """Whether a label image shows the cells, so that nothing is grown."""
        return self.labels_are == "cells" or self.cell_labels is not None

    def _check_given(self) -> None:
        if self.cell_labels is not None and (self.labels is None or self.labels_are == "cells"):
            raise StudyError(
                "cell_labels is the label image of cells beside one of nuclei: it needs labels, "
                'and labels_are = "nuclei".'
            )
        for page, file in (("label_page", "labels"), ("cell_label_page", "cell_labels")):
            number = getattr(self, page)
            if number is not None and getattr(self, file) is None:
                raise StudyError(f"{page} is a page of the file that {file} names; give {file}.")
            if number is not None and number < 0:
                raise StudyError(f"{page} counts from 0, found {number}.")
