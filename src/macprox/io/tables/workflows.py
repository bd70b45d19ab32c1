"""Tables of open workflows, imagers of transcripts, and of nobody in particular."""

from __future__ import annotations

import re

from macprox.io.tables.guesses import position_columns
from macprox.io.tables.layout import Layout, unit_of_both
from macprox.io.tables.text import Header, plain

# Where scikit-image and CellProfiler call the first pixel's centre 0; its corner is ours.
FROM_CENTRE_OF_FIRST = 0.5
_CENTRE = re.compile(r"(?:(?P<object>\w+?)_)?(?P<kind>AreaShape|Location)_Center_(?P<axis>[XY])")
_OBJECT_NAMES = ("nuclei", "nucleus", "cells", "cell")  # of several, the first counts
_METADATA = ("slide", "sample", "image", "case", "specimen")


def mcmicro(header: Header) -> Layout | None:
    """mcquant's tables and scimap's; histoCAT's are alike but count pixels as Matlab does."""
    x = header.find("x centroid", "x position", "centroid x", "x")
    y = header.find("y centroid", "y position", "centroid y", "y")
    cell_id = header.find("cellid", "cell id")
    is_measured = header.find("majoraxislength") and header.find("eccentricity")
    if not (x and y and (cell_id or is_measured)) or plain(x) == "x":
        return None
    if header.find("transcript counts"):
        return None
    is_histocat = bool(header.find("imageid") and cell_id and "position" in x)
    return Layout(
        tool="histoCAT" if is_histocat else "MCMICRO",
        x=(x,),
        y=(y,),
        unit="px",
        # Matlab (histoCAT) calls the first pixel's centre 1
        to_corner=-0.5 if is_histocat else FROM_CENTRE_OF_FIRST,
        slide=header.find("imageid", "image id", "sampleid", "sample id"),
        cell_id=cell_id,
    )


def cellprofiler(header: Header) -> Layout | None:
    """ExportToSpreadsheet: one file an object, or objects merged under a prefix each."""
    image, number = header.find("imagenumber"), header.find("objectnumber", "number object number")
    x, y = _cellprofiler_centre(header)
    if not (image and x and y):
        return None
    files = tuple(c for c in header.columns if plain(c).startswith("filename "))
    named = _metadata_slides(header)
    is_asked = len(named) > 1
    found = named or files[:1]
    return Layout(
        tool="CellProfiler",
        x=(x,),
        y=(y,),
        unit="px",
        to_corner=FROM_CENTRE_OF_FIRST,
        phenotype=tuple(c for c in header.columns if re.search(r"(?:^|_)Classify_", c)),
        slide=None if is_asked else found[0] if found else image,
        slide_choices=named if is_asked else (),
        roi=image if found else None,
        cell_id=number,
    )


def _metadata_slides(header: Header) -> tuple[str, ...]:
    """Columns of metadata that say the slide; where there are several words for it, the nearest."""
    for name in _METADATA:
        spelled = {f"metadata {name}{end}" for end in ("", " id", "id", " name")}
        if found := tuple(c for c in header.columns if plain(c) in spelled):
            return found
    return ()


def _cellprofiler_centre(header: Header) -> tuple[str | None, str | None]:
    """The columns of the centre, of nuclei before cells before anything else."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for column in header.columns:
        if match := _CENTRE.fullmatch(column):
            key = (match["object"] or "").lower(), match["kind"]
            found.setdefault(key, {})[match["axis"]] = column
    whole = {key: axes for key, axes in found.items() if len(axes) == 2}
    names = [name for name in ("", *_OBJECT_NAMES) if any(key[0] == name for key in whole)]
    others = sorted({key[0] for key in whole})
    if not names and len(others) != 1:
        return None, None
    name = (names or others)[0]
    axes = whole.get((name, "AreaShape")) or whole[name, "Location"]
    return axes["X"], axes["Y"]


def regionprops(header: Header) -> Layout | None:
    """scikit-image's tables, as steinbock and ark write them: centroid-0 is the row, that is y."""
    y, x = header.find("centroid 0"), header.find("centroid 1")
    if not (x and y) or header.find("centroid 2"):
        return None
    is_steinbock = header.find("object", "image num channels") is not None
    source, image = header.find("source file", "image source file"), header.find("image")
    cluster = header.find("cell meta cluster")
    return Layout(
        tool="steinbock" if is_steinbock else "scikit-image",
        x=(x,),
        y=(y,),
        unit="px",
        to_corner=FROM_CENTRE_OF_FIRST,
        phenotype=(cluster,) if cluster else (),  # ark's, beside wider and narrower ones
        # an acquisition of a slide that is known is a field of it
        slide=source or image,
        roi=image if source else None,
        cell_id=header.find("object", "label", "cell id", "cellid"),
    )


def xenium(header: Header) -> Layout | None:
    """10x Xenium's cells: micrometres, by its documentation."""
    x, y = header.find("x centroid"), header.find("y centroid")
    if not (x and y and header.find("transcript counts")):
        return None
    return Layout("Xenium", (x,), (y,), "um", cell_id=header.find("cell id"), is_one_slide=True)


def merscope(header: Header) -> Layout | None:
    """Vizgen's cell metadata: micrometres of the whole slide, by its documentation."""
    x, y = header.find("center x"), header.find("center y")
    if not (x and y and header.find("fov") and header.find("volume")):
        return None
    cell_id = header.find("entityid", "cell id")
    return Layout("MERSCOPE", (x,), (y,), "um", cell_id=cell_id, is_one_slide=True)


def cosmx(header: Header) -> Layout | None:
    """CosMx's metadata: pixels of the slide, or its millimetres; fields of view."""
    x = header.find("centerx global px", "x slide mm")
    y = header.find("centery global px", "y slide mm")
    if not (x and y):
        return None
    return Layout(
        tool="CosMx",
        x=(x,),
        y=(y,),
        unit=unit_of_both(x, y),
        slide=header.find("slide id", "slide", "run tissue name", "slide id numeric"),
        roi=header.find("fov"),
        cell_id=header.find("cell id", "cell"),
        is_one_slide=True,
    )


def codex(header: Header) -> Layout | None:
    """CODEX and CellSeg: x, y and z within a region of the run."""
    x, y = header.find("x", "x x"), header.find("y", "y y")
    region = header.find("region", "reg", "region region")
    if not (x and y and header.find("z", "z z") and region):
        return None
    cell_id = header.find("cell id", "cellid", "cell id cell id")
    return Layout("CODEX", (x,), (y,), None, roi=region, cell_id=cell_id)


def named_plainly(header: Header) -> Layout | None:
    """No tool's convention, but columns that can only be positions."""
    found = position_columns(header)
    if found is None:
        return None
    x, y = found
    category = header.find("tissue category")
    return Layout("a table", (x,), (y,), unit_of_both(x, y), tissue_category=category)
