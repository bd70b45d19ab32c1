"""What a user may set about regions; one place for every default."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from macprox.errors import StudyError
from macprox.slide import file_of_slide

FOUND, ABSENT = "auto", "none"  # the two words ``tumour`` may be; anything else is a file

POSITIVE = (
    *("smoothing_um", "min_area_um2", "margin_um"),
    *("min_density_per_mm2", "min_width_um", "min_width_in_tissue_um"),
)


@dataclass(frozen=True)
class RegionParameters:
    """Where the tumour is, and how wide its margin.

    Parameters
    ----------
    tumour : str
        ``"auto"``: found from the tumour-marker cells. ``"none"``: this tissue has no tumour.
        Otherwise a file of the region: GeoJSON, a mask or inForm's segmentation maps;
        ``{slide_id}`` in its name is replaced.
    tumour_class : str or None
        Which class or tissue category of that file is the tumour, where its name does not say so.
    exclusions : str or None
        File of regions to leave out (folds, necrosis), likewise. None: those of the tumour's
        GeoJSON whose class says so ("Ignore*", "Necrosis").
    exclude_artefacts : bool
        Leave out what is found out of focus, saturated, folded or under debris, too. By default
        it is flagged, and the headline is told with and without it.
    smoothing_um : float
        Standard deviation of the Gaussian that turns cells into a density. 20 um averages over
        about 40 cells of a solid nest; much less and single cells show, much more and a nest's
        border moves.
    min_area_um2 : float
        Smaller pieces are not tumour, smaller holes are not gaps. 5000 um2 is some 40 cells.
    margin_um : float
        The inner and the outer margin reach this far from the tumour border.
    min_density_per_mm2 : float
        Tumour-marker cells per mm2, smoothed. A solid nest has 3,000 (large cells) to 10,000;
        a septum lined by one pneumocyte each 12 to 20 um reaches 1,000 to 1,700.
    min_share_frac : float
        Share of tumour-marker cells among all cells, smoothed alike. Below half, because a
        nest also holds lymphocytes, macrophages and tumour cells whose marker was missed.
    min_width_um : float
        Marker cells, each reaching 12 um, must fill a disk this wide. It tells a nest from
        alveolar septa, which are bands of 25 to 40 um however dense. Tumour that grows along
        septa (lepidic) or in single files is not found: draw it.
    min_width_in_tissue_um : float
        The same where no air is near, so that nothing can be a septum.
    """

    tumour: str = FOUND
    tumour_class: str | None = None
    exclusions: str | None = None
    exclude_artefacts: bool = False
    smoothing_um: float = 20.0
    min_area_um2: float = 5000.0
    margin_um: float = 100.0
    min_density_per_mm2: float = 1500.0
    min_share_frac: float = 0.4
    min_width_um: float = 46.0
    min_width_in_tissue_um: float = 36.0

    def __post_init__(self) -> None:
        if not self.tumour:
            raise StudyError(
                "regions.tumour is empty; expected 'auto', 'none' or the name of a GeoJSON file."
            )
        if self.tumour_class is not None and self.tumour in (FOUND, ABSENT):
            raise StudyError(
                f"regions.tumour_class is a class of the file that regions.tumour names, found "
                f"tumour = {self.tumour!r}; give the file."
            )
        for name in POSITIVE:
            value = getattr(self, name)
            if not value > 0:
                raise StudyError(f"regions.{name} must be a positive number, found {value!r}.")
        if not 0 < self.min_share_frac <= 1:
            raise StudyError(
                "regions.min_share_frac must lie above 0 and up to 1, "
                f"found {self.min_share_frac!r}."
            )

    def tumour_file(self, slide_id: str) -> Path | None:
        """The drawn tumour of a slide; None where it is found or absent."""
        if self.tumour in (FOUND, ABSENT):
            return None
        return file_of_slide(self.tumour, slide_id)

    def exclusions_file(self, slide_id: str) -> Path | None:
        """The drawn exclusions of a slide, if any."""
        if self.exclusions is None:
            return None
        return file_of_slide(self.exclusions, slide_id)
