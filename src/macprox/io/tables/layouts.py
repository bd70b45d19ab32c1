"""Whose table is it? One small function a tool, each looking for its columns."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

from macprox.errors import TableError
from macprox.io.tables.guesses import phenotype_column, position_columns, slide_column
from macprox.io.tables.mapping import ColumnMapping, listed
from macprox.io.tables.text import Header, plain

Unit = Literal["um", "px"]
_POSITIVE = re.compile(r"^(?P<marker>.+?)( opal \d+| \S*dapi\S*)? positive( classification)?$")
_BEFORE_MARKER = re.compile(r"^(phenotype|is|has|pos|positive|expr|call)[ ._-]+", re.IGNORECASE)
_AFTER_MARKER = re.compile(
    r"[ .(_-]*(?:Opal|Positiv)|[ .(_-]+pos(?![a-z])|(?<=\w)\+|[ ._-]+(?:call|status)$",
    re.IGNORECASE,
)


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
            f"--y, and --phenotype; it has {listed(header.columns)}."
        )
    given = {
        name: getattr(mapping, name)
        for name in ("slide", "roi", "cell_id", "tissue_category")
        if getattr(mapping, name)
    }
    layout = replace(layout, **given)
    if mapping.phenotype:
        layout = replace(layout, phenotype=mapping.phenotypes)
    if layout.slide is None:
        layout = replace(layout, slide=slide_column(header, layout.roi))
    if not layout.phenotype:
        layout = replace(layout, phenotype=(phenotype_column(header),))
    return layout


def _unit_of(name: str) -> Unit | None:
    words = plain(name).split()
    if {"um", "micron", "microns", "micrometre", "micrometres", "micrometer"} & set(words):
        return "um"
    if {"px", "pixel", "pixels"} & set(words):
        return "px"
    return None


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
    >>> positivity_marker("CD3..Opal.570..Positive"), positivity_marker("phenotype_cd8")
    ('CD3', 'cd8')
    """
    bare = _BEFORE_MARKER.sub("", column)
    return _AFTER_MARKER.split(bare)[0] or column


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


def _named_plainly(header: Header) -> Layout | None:
    """No tool's convention, but columns that can only be positions."""
    found = position_columns(header)
    if found is None:
        return None
    units = {_unit_of(name) for name in found}
    return Layout(
        tool="a table",
        x=(found[0],),
        y=(found[1],),
        unit=units.pop() if len(units) == 1 else None,
        tissue_category=header.find("tissue category"),
    )


RECOGNISERS = (_macprox, _inform, _qupath, _halo, _mcmicro, _named_plainly)
