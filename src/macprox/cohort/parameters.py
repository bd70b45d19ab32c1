"""What a user may set about the comparison of patients; one place for every default."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from macprox.errors import StudyError

ROLES = ("resident", "recruited", "regulatory", "cytotoxic")


@dataclass(frozen=True)
class CohortParameters:
    """Who is compared with whom, and which phenotype plays which part in the claims.

    Parameters
    ----------
    samples : str or None
        CSV file, one row a slide: slide_id, patient, group and any covariates.
    patient, group : str
        Its columns. Groups are compared; patients are what is counted.
    groups : tuple of str
        The groups in the order of the comparison: later minus earlier. Empty: all, in their
        natural order.
    tissue : str
        Its column that calls slides of uninvolved tissue ``adjacent``, where there is one.
    covariates : tuple of str
        Columns that the comparison is adjusted for, beside the plain one.
    time, event : str or None
        Columns of the survival time and of whether the event was seen (1) or not (0).
    resident, recruited : str or None
        The two macrophage lineages; by default the first and the second of
        ``[proximity] macrophages``.
    regulatory, cytotoxic : str or None
        Phenotypes of regulatory and cytotoxic T cells; by default the ones called "Treg" and
        "CD8 T cell", where there are any.
    marker : str or None
        Channel whose level in tumour cells is compared near and far from resident macrophages.
    seed : int
        Of permutations and bootstrap samples.
    """

    samples: str | None = None
    patient: str = "patient"
    group: str = "group"
    groups: tuple[str, ...] = ()
    tissue: str = "tissue"
    covariates: tuple[str, ...] = ()
    time: str | None = None
    event: str | None = None
    resident: str | None = None
    recruited: str | None = None
    regulatory: str | None = None
    cytotoxic: str | None = None
    marker: str | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("groups", "covariates"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if len(set(self.groups)) != len(self.groups) or len(self.groups) == 1:
            raise StudyError(
                f"groups must name at least two different groups, or none, found "
                f"{list(self.groups)}."
            )
        if (self.time is None) != (self.event is None):
            raise StudyError(
                "time and event belong together: name the column of the survival time and the one "
                "that says whether the event was seen."
            )
        if isinstance(self.seed, bool) or self.seed < 0:
            raise StudyError(f"seed must be a whole number of 0 or more, found {self.seed!r}.")

    def roles(self) -> Iterator[tuple[str, str]]:
        """The parts that the study gives out itself, and the phenotypes that play them."""
        for role in ROLES:
            if (phenotype := getattr(self, role)) is not None:
                yield role, phenotype
