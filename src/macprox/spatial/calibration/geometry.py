"""What of a slide a calibration keeps: window, positions, strata, sizes of the classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from macprox.errors import TableError
from macprox.spatial.nulls.relabel import Relabelling
from macprox.spatial.nulls.surroundings import ONE_LABEL, Surroundings
from macprox.spatial.pairs import surroundings_of
from macprox.spatial.parameters import ProximityParameters
from macprox.spatial.pattern import Windows, pattern_of
from macprox.spatial.slide import classes_of, question_of
from macprox.window import Window

SEVERAL_FIELDS = "several fields: a shift or CSR is simulated in one window, calibrate each field"


@dataclass(frozen=True, eq=False)
class Geometry:
    """Sources, targets and the cells around them."""

    source: str
    target: str
    radius_um: float
    surroundings: Surroundings = field(repr=False)
    labels: Relabelling = field(repr=False)  # of the eligible cells
    window: Window | None = field(repr=False)
    no_window_reason: str

    @property
    def n_source(self) -> int:
        return int(self.labels.m.sum())

    @property
    def n_target(self) -> int:
        return len(self.surroundings.fixed_xy)

    @property
    def n_strata(self) -> int:
        return len(self.labels.n)

    @property
    def nothing_to_deal(self) -> str:
        """Why relabelling has nothing to test; empty if it has."""
        return ONE_LABEL if self.labels.is_degenerate else ""

    @cached_property
    def is_near(self) -> np.ndarray:
        """Eligible cells with a target within the radius: ``(n_eligible,)`` bool."""
        k = self.surroundings.radii_um.tolist().index(self.radius_um)
        return self.surroundings.counts[:, k] > 0


def geometry_of(cells: Any, window: Windows, parameters: ProximityParameters) -> Geometry:
    """The position null of all macrophages together.

    Raises
    ------
    TableError
        If the table has no macrophages or no tumour cells.
    """
    classes = classes_of(parameters)
    if not classes:
        raise TableError(
            "A calibration needs macrophages: name their phenotypes under [proximity] macrophages."
        )
    pattern = pattern_of(cells, window, parameters.strata)
    question = question_of(classes[-1], parameters)
    source = pattern.is_a(question.source.phenotypes)
    target = pattern.is_a(question.target.phenotypes)
    for group, found in ((question.source, source), (question.target, target)):
        if not found.any():
            raise TableError(
                f"A calibration needs cells of {group.name!r}, and the slide has none; found "
                f"{', '.join(sorted(set(pattern.phenotype.tolist())))}."
            )
    several = len(pattern.roi_ids) > 1
    here = pattern.window
    if isinstance(here, Mapping):
        here = here[pattern.roi_ids[0]]
    return Geometry(
        source=question.source.name,
        target=question.target.name,
        radius_um=parameters.primary_radius_um,
        surroundings=surroundings_of(pattern, question),
        labels=Relabelling.of(source[~target], pattern.stratum[~target]),
        window=None if several else here,
        no_window_reason=SEVERAL_FIELDS if several else pattern.no_window_reason,
    )
