"""Whose table is it? One small function a tool, each looking for its columns."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields, replace
from typing import Literal

from macprox.errors import TableError, shortened
from macprox.io.tables.text import Header, plain

Unit = Literal["um", "px"]
# Columns in which tools without a convention keep the phenotype.
_PHENOTYPE_NAMES = (
    *("phenotype", "cell type", "celltype", "cell class", "classification", "class"),
    *("detailed cell type", "broad cell type", "cluster"),
)
_POSITIVE = re.compile(r"^(?P<marker>.+?)( opal \d+| \S*dapi\S*)? positive( classification)?$")


@dataclass(frozen=True)
class ColumnMapping:
    """Which column holds what, where a table does not say it in a known way.

    Parameters
    ----------
    x, y : str, optional
        Centroids. The unit is read from the name ("x_um", "Centroid X px"); where the name
        says none, a pixel size must be given: 1 means that they are micrometres already.
    phenotype : str or tuple of str, optional
        One column of names, or several of positivity (``"CD8+"``/``"CD8-"``, or 1/0), whose
        positive ones are joined: ``"CD3+ CD8+"``.
    slide, roi, cell_id, tissue_category : str, optional
    """

    x: str | None = None
    y: str | None = None
    phenotype: str | tuple[str, ...] | None = None
    slide: str | None = None
    roi: str | None = None
    cell_id: str | None = None
    tissue_category: str | None = None


@dataclass(frozen=True)
class Layout:
    """Where a table keeps what we need.

    Attributes
    ----------
    tool : str
        For messages.
    x, y : tuple of str
        One column, or the two sides of a box whose middle counts.
    unit : "um", "px" or None
        None: the table does not say.
    phenotype : tuple of str
    slide, roi, cell_id, tissue_category : str or None
    object_type : str or None
        QuPath's column that tells cells from annotations.
    to_corner : float
        Added to positions, in their unit: half a pixel where the tool counts from the centre
        of the first pixel and we from its corner.
    """

    tool: str
    x: tuple[str, ...]
    y: tuple[str, ...]
    unit: Unit | None
    phenotype: tuple[str, ...] = ()
    slide: str | None = None
    roi: str | None = None
    cell_id: str | None = None
    tissue_category: str | None = None
    object_type: str | None = None
    to_corner: float = 0.0

    @property
    def columns(self) -> list[str]:
        """Every column to read."""
        single = (self.slide, self.roi, self.cell_id, self.tissue_category, self.object_type)
        return [*self.x, *self.y, *self.phenotype, *(name for name in single if name)]


def layout_of(header: Header, mapping: ColumnMapping | None) -> Layout:
    """The layout a table is recognised by, with what the mapping says instead.

    Raises
    ------
    TableError
        If neither the table nor the mapping says where positions and phenotypes are.
    """
    mapping = mapping or ColumnMapping()
    _require_present(header, mapping)
    layout = next((found for recognise in RECOGNISERS if (found := recognise(header))), None)
    if mapping.x or mapping.y:
        if not (mapping.x and mapping.y):
            raise TableError("Give both --x and --y; one of them alone is not a position.")
        units = {_unit_of(mapping.x), _unit_of(mapping.y)}
        unit = units.pop() if len(units) == 1 else None
        base = layout or Layout("a table", (), (), None)
        layout = replace(base, x=(mapping.x,), y=(mapping.y,), unit=unit, to_corner=0.0)
    if layout is None:
        raise TableError(
            f"{header.path}: no table of a known tool. Say where the positions are with --x and "
            f"--y, and --phenotype; it has {_listed(header.columns)}."
        )
    given = {
        name: getattr(mapping, name)
        for name in ("slide", "roi", "cell_id", "tissue_category")
        if getattr(mapping, name)
    }
    layout = replace(layout, **given)
    if mapping.phenotype:
        names = mapping.phenotype
        layout = replace(layout, phenotype=(names,) if isinstance(names, str) else tuple(names))
    if not layout.phenotype:
        layout = replace(layout, phenotype=(_guessed_phenotype(header),))
    return layout


def _require_present(header: Header, mapping: ColumnMapping) -> None:
    asked: list[str] = []
    for item in fields(mapping):
        value = getattr(mapping, item.name)
        asked.extend((value,) if isinstance(value, str) else value or ())
    missing = [name for name in asked if name not in header.columns]
    if missing:
        raise TableError(
            f"{header.path} has no column {', '.join(map(repr, missing))}; it has "
            f"{_listed(header.columns)}."
        )


def _guessed_phenotype(header: Header) -> str:
    candidates = [name for name in header.columns if plain(name) in _PHENOTYPE_NAMES]
    if len(candidates) == 1:
        return candidates[0]
    found = f"{_listed(candidates)} could be it" if candidates else "no column looks like it"
    raise TableError(
        f"{header.path}: which column is the phenotype? {found}. Name it with --phenotype; it has "
        f"{_listed(header.columns)}."
    )


def _unit_of(name: str) -> Unit | None:
    words = plain(name).split()
    if {"um", "micron", "microns", "micrometre", "micrometres", "micrometer"} & set(words):
        return "um"
    if {"px", "pixel", "pixels"} & set(words):
        return "px"
    return None


def _listed(columns) -> str:
    shown = [shortened(repr(name), 32) for name in columns[:12]]
    return ", ".join(shown) + (f" and {len(columns) - 12} more" if len(columns) > 12 else "")


def _macprox(header: Header) -> Layout | None:
    """Our own names, where not every column of ours is there."""
    if not {"x_um", "y_um"} <= set(header.columns):
        return None
    ours = ("slide_id", "roi_id", "cell_id", "tissue_category", "phenotype")
    slide, roi, cell_id, category, phenotype = (
        name if name in header.columns else None for name in ours
    )
    return Layout(
        tool="macprox",
        x=("x_um",),
        y=("y_um",),
        unit="um",
        phenotype=(phenotype,) if phenotype else (),
        slide=slide,
        roi=roi,
        cell_id=cell_id,
        tissue_category=category,
    )


def _inform(header: Header) -> Layout | None:
    x, y = header.find("cell x position"), header.find("cell y position")
    if x is None or y is None:
        return None
    sample, slide = header.find("sample name"), header.find("slide id")
    phenotype = header.find("phenotype")
    # phenoptrReports consolidates one phenotyping a marker: "Phenotype CD8", "Phenotype-CD8"
    several = tuple(c for c in header.columns if re.match(r"phenotype[ -]\S", c, re.IGNORECASE))
    return Layout(
        tool="inForm",
        x=(x,),
        y=(y,),
        unit=_inform_unit(header),
        phenotype=(phenotype,) if phenotype else several,
        slide=slide or sample,
        roi=sample,
        cell_id=header.find("cell id"),
        tissue_category=header.find("tissue category"),
    )


def _inform_unit(header: Header) -> Unit | None:
    """inForm writes all lengths of a table in one unit and names it beside areas only."""
    words = {word for column in header.columns for word in plain(column).split()}
    is_px = bool(words & {"pixels", "megapixel"})
    is_um = bool(words & {"microns", "micron"}) or "square mm" in " ".join(
        plain(column) for column in header.columns
    )
    if is_px == is_um:
        return None
    return "px" if is_px else "um"


def _qupath(header: Header) -> Layout | None:
    for unit in ("um", "px"):
        x, y = header.find(f"centroid x {unit}"), header.find(f"centroid y {unit}")
        if x and y:
            phenotype = header.find("classification", "class")
            return Layout(
                tool="QuPath",
                x=(x,),
                y=(y,),
                unit="um" if unit == "um" else "px",
                phenotype=(phenotype,) if phenotype else (),
                slide=header.find("image"),
                roi=header.find("tma core"),
                cell_id=header.find("object id"),
                object_type=header.find("object type"),
            )
    return None


def _halo(header: Header) -> Layout | None:
    sides = [header.find(name) for name in ("xmin", "xmax", "ymin", "ymax")]
    if not all(sides):
        return None
    x_min, x_max, y_min, y_max = (str(side) for side in sides)
    return Layout(
        tool="HALO",
        x=(x_min, x_max),
        y=(y_min, y_max),
        unit="px",
        phenotype=tuple(c for c in header.columns if _is_halo_marker(c)),
        slide=header.find("image location", "image file name", "image tag"),
        roi=header.find("analysis region"),
        cell_id=header.find("object id"),
        tissue_category=header.find("classifier label"),
    )


def _is_halo_marker(column: str) -> bool:
    """Cell-level positivity; not a compartment's, not the nuclear stain's."""
    match = _POSITIVE.match(plain(column))
    return bool(match) and not re.search(r"nucle[iu]|dapi|hoechst", plain(column))


def positivity_marker(column: str) -> str:
    """The marker of a positivity column, spelled as in the column.

    Examples
    --------
    >>> positivity_marker("CD3..Opal.570..Positive"), positivity_marker("CD8 Positive")
    ('CD3', 'CD8')
    """
    return re.split(r"[ .(_-]*(?:Opal|Positive)", column, flags=re.IGNORECASE)[0] or column


def _mcmicro(header: Header) -> Layout | None:
    x = header.find("x centroid", "x position", "centroid x", "x")
    y = header.find("y centroid", "y position", "centroid y", "y")
    cell_id = header.find("cellid", "cell id")
    if not (x and y and cell_id) or plain(x) == "x":
        return None
    is_histocat = header.find("imageid") is not None and "position" in x
    return Layout(
        tool="histoCAT" if is_histocat else "MCMICRO",
        x=(x,),
        y=(y,),
        unit="px",
        # scikit-image calls the first pixel's centre 0 (MCMICRO), Matlab calls it 1 (histoCAT)
        to_corner=-0.5 if is_histocat else 0.5,
        slide=header.find("imageid", "image id", "sampleid", "sample id"),
        cell_id=cell_id,
    )


RECOGNISERS = (_macprox, _inform, _qupath, _halo, _mcmicro)
