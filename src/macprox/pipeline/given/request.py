"""What somebody asks of given cells, and the study that the answer is the result of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from macprox.celltable import AMBIGUOUS, OTHER, slug
from macprox.errors import StudyError
from macprox.printable import name_problem
from macprox.regions.parameters import RegionParameters
from macprox.spatial.parameters import ProximityParameters
from macprox.study import GIVEN, CohortParameters, ImageParameters, Study

STRATUM_COLUMNS = ("region", "compartment", "tissue_category")
SLIDE_ID = "{slide_id}"  # in the name of a file: one for each slide


@dataclass(frozen=True)
class TableRequest:
    """What to compute from given cells.

    Parameters
    ----------
    source, target : str or tuple of str, str
        Each a phenotype of the tables, several joined by "or", or marker logic over their
        positivity ("CD14+ (CD4+ or CD8+)"); ``"Name = ..."`` gives it a name. The null moves the
        source's label among all cells that are not targets. Several sources are the macrophage
        classes of a study: compared with the target and with each other.
    radii_um : tuple of float
    seed : int
    window_file : Path or None
        The observed area: GeoJSON in full-resolution pixels, or a mask TIFF of the same pixels
        (micrometres where no pixel size is given); ``{slide_id}`` in its name is replaced.
        Without it only distances, counts and relabelling are given; a hull never takes its place.
    samples : Path or None
        Which slide belongs to which patient.
    tumour_file : Path or None
        The tumour region, likewise. Without it what needs a border is NaN.
    also : tuple of str
        Further classes of cells to name, likewise; they are nobody's source or target.
    """

    source: str | tuple[str, ...]
    target: str
    radii_um: tuple[float, ...] = ProximityParameters.radii_um
    seed: int = 0
    window_file: Path | None = None
    samples: Path | None = None
    tumour_file: Path | None = None
    also: tuple[str, ...] = ()

    @property
    def sources(self) -> tuple[str, ...]:
        return (self.source,) if isinstance(self.source, str) else tuple(self.source)

    def study(
        self,
        sources: Sequence[str],
        target: str,
        phenotypes: Sequence[str],
        strata: Sequence[str] = (),
        samples: str | None = None,
    ) -> Study:
        """The study that these statistics are the result of; classes by their names.

        Raises
        ------
        StudyError
            If names cannot stand side by side.
        """
        # Nobody asked for the tables' other names: one that cannot stand in a study, or beside
        # another ("B cell", "B_cell"), stays in the cell table alone.
        names = dict.fromkeys([*sources, target])
        taken = set(map(slug, names))
        for name in phenotypes:
            if (
                name not in (OTHER, AMBIGUOUS)
                and slug(name) not in taken
                and not name_problem(name)
            ):
                names[name] = None
                taken.add(slug(name))
        primary = ProximityParameters.primary_radius_um
        tumour = RegionParameters().tumour
        if self.tumour_file is not None:
            tumour = str(self.tumour_file.absolute())
        try:
            return Study(
                image=ImageParameters(nucleus="(cells from a table)"),
                regions=RegionParameters(tumour=tumour),
                phenotypes=dict.fromkeys(names, GIVEN),
                proximity=ProximityParameters(
                    macrophages=tuple(sources),
                    tumour=target,
                    radii_um=self.radii_um,
                    primary_radius_um=primary if primary in self.radii_um else self.radii_um[0],
                    strata=tuple(strata),
                    seed=self.seed,
                ),
                cohort=CohortParameters(samples=samples),
            )
        except StudyError as error:
            raise StudyError(str(error).replace("\n", " ")) from None


def file_of(pattern: Path | None, slide_id: str) -> Path | None:
    """The file of one slide."""
    return None if pattern is None else Path(str(pattern).replace(SLIDE_ID, slide_id))
