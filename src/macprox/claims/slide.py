"""What a claim may look at of one slide, and which phenotype plays which part."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd

from macprox.regions import Regions
from macprox.results import SlideResult
from macprox.spatial import ProximityParameters
from macprox.spatial.counted import is_counted, is_observed
from macprox.spatial.pattern import Group
from macprox.spatial.slide import classes_of
from macprox.study import Study

NO_TUMOUR_REGION = "no tumour region on the slide"
ADJACENT = "adjacent"  # what the sample sheet calls a slide of uninvolved tissue
STRATA = ("region", "compartment", "tissue_category")
_USUAL = {"regulatory": ("Treg",), "cytotoxic": ("CD8 T cell", "CD8+ T cell", "Cytotoxic T cell")}


@dataclass(frozen=True)
class Roles:
    """Which phenotype plays which part; empty where the study has none for it.

    Parameters
    ----------
    tumour : str
    classes : tuple of Group
        The macrophage classes, and all together where there are several.
    resident, recruited : str
        The two lineages.
    regulatory, cytotoxic : str
        T cells.
    marker : str
        Channel that is measured in tumour cells.
    """

    tumour: str
    classes: tuple[Group, ...] = ()
    resident: str = ""
    recruited: str = ""
    regulatory: str = ""
    cytotoxic: str = ""
    marker: str = ""

    @classmethod
    def of(cls, study: Study) -> Roles:
        """As the study's ``[cohort]`` says, else as `CohortParameters` documents."""
        cohort, lineages = study.cohort, (*study.proximity.macrophages, "", "")
        usual = {
            role: next((name for name in names if name in study.phenotypes), "")
            for role, names in _USUAL.items()
        }
        return cls(
            tumour=study.proximity.tumour,
            classes=tuple(classes_of(study.proximity)),
            resident=cohort.resident or lineages[0],
            recruited=cohort.recruited or lineages[1],
            regulatory=cohort.regulatory or usual["regulatory"],
            cytotoxic=cohort.cytotoxic or usual["cytotoxic"],
            marker=cohort.marker or "",
        )

    def lacking_classes(self) -> str:
        """What keeps a claim about macrophages from being asked; empty if there are some."""
        return "" if self.classes else "the study names no macrophages under [proximity]"

    def lacking(self, *roles: str) -> str:
        """What keeps a claim from being asked; empty if every one of the roles is played."""
        missing = [role for role in roles if not getattr(self, role)]
        if not missing:
            return ""
        keys = " and ".join(missing)
        return f"the study names no phenotype for {keys}; say it under [cohort] in study.toml"


@dataclass(frozen=True, eq=False)
class ClaimSlide:
    """One slide as the claims see it.

    Parameters
    ----------
    slide_id : str
    cells : DataFrame
        The cells that take part in statistics.
    statistics : DataFrame
    regions : Regions
    study : Study
    is_adjacent : bool
        A slide of uninvolved tissue of the same patient.
    """

    slide_id: str
    cells: pd.DataFrame = field(repr=False)
    statistics: pd.DataFrame = field(repr=False)
    regions: Regions = field(repr=False)
    study: Study = field(repr=False)
    is_adjacent: bool = False

    @classmethod
    def of(cls, result: SlideResult, study: Study, is_adjacent: bool = False) -> ClaimSlide:
        """A finished slide; its tables are read here."""
        cells = result.cells()
        cells = cells[is_observed(cells)]
        cells = cells[is_counted(cells, study.proximity)].reset_index(drop=True)
        statistics, regions = result.statistics(), result.regions()
        return cls(result.slide_id, cells, statistics, regions, study, is_adjacent)

    @cached_property
    def roles(self) -> Roles:
        return Roles.of(self.study)

    @property
    def proximity(self) -> ProximityParameters:
        return self.study.proximity

    @cached_property
    def strata(self) -> tuple[str, ...]:
        """Columns within which labels move: the study's, as far as this slide has them."""
        asked = dict.fromkeys((*self.proximity.strata, *STRATA))
        return tuple(name for name in asked if name in self.cells)

    def is_a(self, *phenotypes: str) -> np.ndarray:
        """(n,) bool: cells of one of these phenotypes."""
        return self.cells["phenotype"].isin(phenotypes).to_numpy(bool)

    @property
    def is_in_air(self) -> np.ndarray:
        """(n,) bool: cells in an airspace, where nothing is exchangeable with tissue."""
        if "compartment" not in self.cells:
            return np.zeros(len(self.cells), bool)
        return self.cells["compartment"].eq("airspace").to_numpy(bool)
