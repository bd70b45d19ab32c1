"""What a user says about a table's columns, and the sentence where it does not fit."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from macprox.errors import TableError, shortened
from macprox.io.tables.text import Header

if TYPE_CHECKING:
    from macprox.io.tables.gates import Gate

FACTS = ("patient", "group")


@dataclass(frozen=True)
class ColumnMapping:
    """Which column holds what, where a table does not say it in a known way.

    Parameters
    ----------
    x, y : str, optional
        Centroids. The unit is read from the name ("x_um", "Centroid X px"); where the name
        says none, a pixel size must be given: 1 means that they are micrometres already.
    phenotype : str or tuple of str, optional
        One column of names, or several of positivity (``"CD8+"``/``"CD8-"``, 1/0, TRUE/FALSE,
        pos/neg), whose positive ones are joined: ``"CD3+ CD8+"``.
    slide, roi, cell_id, tissue_category : str, optional
    patient, group : str, optional
        Facts of a slide, the same in each of its rows.
    samples : tuple of str
        Further facts of a slide, kept under their own names: covariates, survival.
    gates : tuple of Gate
        Where markers become positive (`gate_of_text`, `read_gates`); without a column of
        phenotypes cells are called by the markers above their gates.
    table : str, optional
        Which table of a file that holds several (SpatialData).
    """

    x: str | None = None
    y: str | None = None
    phenotype: str | tuple[str, ...] | None = None
    slide: str | None = None
    roi: str | None = None
    cell_id: str | None = None
    tissue_category: str | None = None
    patient: str | None = None
    group: str | None = None
    samples: tuple[str, ...] = ()
    gates: tuple[Gate, ...] = ()
    table: str | None = None

    @property
    def phenotypes(self) -> tuple[str, ...]:
        """The columns of the phenotype, however many."""
        given = self.phenotype or ()
        return (given,) if isinstance(given, str) else tuple(given)

    @property
    def of_cells(self) -> tuple[str, ...]:
        """Columns that say something of single cells, or where their slides end."""
        single = (self.x, self.y, self.slide, self.roi, self.cell_id, self.tissue_category)
        return (*(name for name in single if name), *self.phenotypes)

    @property
    def of_slides(self) -> tuple[str, ...]:
        """Columns with facts of a slide, each once."""
        named = (self.patient, self.group, *self.samples)
        return tuple(dict.fromkeys(name for name in named if name))


def require_present(
    header: Header, mapping: ColumnMapping, elsewhere: Sequence[str] = ()
) -> tuple[str, ...]:
    """The fact columns that this table has.

    Parameters
    ----------
    header : Header
    mapping : ColumnMapping
    elsewhere : sequence of str
        Columns of the sample sheet: facts may stand there instead.

    Raises
    ------
    TableError
        Naming each column that is asked for and not there, with the nearest name.
    """
    missing = [name for name in mapping.of_cells if name not in header.columns]
    known = {*header.columns, *elsewhere}
    missing += [name for name in mapping.of_slides if name not in known]
    if missing:
        nearest = dict.fromkeys(near for name in missing if (near := _nearest(name, known)))
        hint = f" Did you mean {' or '.join(map(repr, nearest))}?" if nearest else ""
        raise TableError(
            f"{header.path} has no column {', '.join(map(repr, missing))}; it has "
            f"{listed(header.columns)}.{hint}"
        )
    facts = tuple(name for name in mapping.of_slides if name in header.columns)
    asked = {*mapping.of_cells, *facts}
    if twice := [name for name in asked if header.columns.count(name) > 1]:
        raise TableError(
            f"{header.path} has two columns called {twice[0]!r}; rename one, so that it is clear "
            "which is meant."
        )
    return facts


def _nearest(name: str, known: set[str]) -> str | None:
    folded = {column.casefold(): column for column in sorted(known)}
    near = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.6)
    return folded[near[0]] if near else None


def listed(columns: Sequence[str]) -> str:
    """The columns of a table for a sentence: the first dozen, and how many more."""
    shown = [shortened(repr(name), 32) for name in columns[:12]]
    return ", ".join(shown) + (f" and {len(columns) - 12} more" if len(columns) > 12 else "")
