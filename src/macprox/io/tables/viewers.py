"""Tables of the programs that come with scanners and viewers: inForm, QuPath, HALO, and our own."""

from __future__ import annotations

import re

from macprox.io.tables.layout import Layout, Unit, unit_of_both
from macprox.io.tables.text import Header, plain

_HALO_POSITIVE = re.compile(r"^(?P<marker>.+?)( opal \d+| \S*dapi\S*)? positive( classification)?$")
# What only QuPath's measurement tables have beside a class and an image.
_QUPATH_MARKS = ("object type", "object id", "roi", "parent", "num detections")


def macprox(header: Header) -> Layout | None:
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


def inform(header: Header) -> Layout | None:
    """Akoya inForm, phenoptr and phenoptrReports."""
    x, y = (
        header.find(*(f"cell {axis} position{unit}" for unit in ("", " microns", " um", " pixels")))
        for axis in "xy"
    )
    if x is None or y is None:
        return None
    sample, slide = header.find("sample name"), header.find("slide id")
    phenotype = header.find("phenotype")
    # phenoptrReports consolidates one phenotyping a marker: "Phenotype CD8", "Phenotype-CD8"
    several = tuple(c for c in header.columns if re.match(r"phenotype[ .-]\S", c, re.IGNORECASE))
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
    is_um = bool(words & {"microns", "micron", "um"}) or "square mm" in " ".join(
        plain(column) for column in header.columns
    )
    if is_px == is_um:
        return None
    return "px" if is_px else "um"


def qupath(header: Header) -> Layout | None:
    """QuPath's measurement tables, of version 0.1 (no image, "Class") to 0.6."""
    is_marked = any(header.find(name) for name in _QUPATH_MARKS)
    x = header.find("centroid x um", "centroid x px", *(["centroid x"] if is_marked else []))
    y = header.find("centroid y um", "centroid y px", *(["centroid y"] if is_marked else []))
    phenotype = header.find("classification", "class")
    n_inside = header.find("num detections")
    if n_inside and header.find("image") and not phenotype:
        return Layout("QuPath", (), (), None, is_summary=True)
    is_without = header.find("object type") and header.find("classification", "class")
    if not (x and y) and not (is_without and header.find("object id", "parent")):
        return None
    return Layout(
        tool="QuPath",
        x=(x,) if x and y else (),
        y=(y,) if x and y else (),
        unit=unit_of_both(x, y) if x and y else None,
        phenotype=(phenotype,) if phenotype else (),
        slide=header.find("image", "slide id"),
        roi=header.find("tma core", "roi id"),
        cell_id=header.find("cell id", "object id"),
        # before 0.4 the name of an object that nobody named was its type
        object_type=header.find("object type") or (header.find("name") if is_marked else None),
        # before 0.4 a named annotation does not say what it is, but how many cells it holds
        n_inside=n_inside,
        has_derived_classes=True,
        is_one_slide=True,  # its ROI is a kind of outline
    )


def halo(header: Header) -> Layout | None:
    """Indica HALO's object data: boxes, in pixels where their names do not say otherwise."""
    sides = [
        header.find(name, f"{name} um", f"{name} px") for name in ("xmin", "xmax", "ymin", "ymax")
    ]
    if not all(sides):
        return None
    x_min, x_max, y_min, y_max = (str(side) for side in sides)
    called = header.find("phenotype", "cell phenotype")
    markers = tuple(c for c in header.columns if _is_halo_marker(c))
    return Layout(
        tool="HALO",
        x=(x_min, x_max),
        y=(y_min, y_max),
        unit=unit_of_both(x_min, y_min) or "px",
        phenotype=(called,) if called and not markers else markers,
        slide=header.find("image location", "image file name", "image tag", "image file path"),
        roi=header.find("analysis region"),
        cell_id=header.find("object id"),
        tissue_category=header.find("classifier label"),
    )


def _is_halo_marker(column: str) -> bool:
    """Cell-level positivity; not a compartment's, not the nuclear stain's."""
    match = _HALO_POSITIVE.match(plain(column))
    return bool(match) and not re.search(r"nucle[iu]|dapi|hoechst", plain(column))
