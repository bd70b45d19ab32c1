"""Columns of tables without a convention: what can only be one thing is taken, else we ask."""

from __future__ import annotations

from macprox.errors import TableError
from macprox.io.tables.mapping import listed
from macprox.io.tables.text import Header, plain

# Columns in which tools without a convention keep the phenotype.
_PHENOTYPE_NAMES = (
    *("phenotype", "cell type", "celltype", "cell class", "classification", "class"),
    *("cell phenotype", "cellphenotype", "cell type name", "cluster name", "clustername"),
    *("detailed cell type", "broad cell type", "annotation", "lineage", "cluster"),
)
# What tools and people call the image that a cell lies on, and a piece of it.
_SLIDE_NAMES = (
    *("slide id", "slide", "slide name", "slideid", "image id", "image", "image name", "imageid"),
    *("sample id", "sample", "sample name", "sampleid", "file name", "filename"),
)
_FIELD_NAMES = (
    "fov",
    "fov id",
    "fov name",
    "core",
    "core id",
    "tma core",
    "roi",
    "roi id",
    "field",
)
# What they call a centroid; `{}` is x or y.
_POSITION_NAMES = (
    *("{}", "{} um", "{} px", "{} pixel", "{} pixels", "{} micron", "{} microns"),
    *("centroid {}", "{} centroid", "cell {}", "cell {} position", "{} position", "position {}"),
    *("pos {}", "{} pos", "{} coord", "coord {}", "{} coordinate", "{} loc", "{} location"),
    *("center {}", "centre {}", "{} center", "{} centre", "nucleus {}", "{}c", "{} cent"),
    *("location center {}", "cell {} um", "centroid {} microns", "{} um centroid"),
)


def position_columns(header: Header) -> tuple[str, str] | None:
    """The columns that can only be positions."""
    for form in _POSITION_NAMES:
        x, y = header.find(form.format("x")), header.find(form.format("y"))
        if x and y:
            return x, y
    return None


def slide_column(header: Header, roi: str | None) -> str | None:
    """The column that tells slides apart: to pool slides would make neighbours of strangers.

    Raises
    ------
    TableError
        If several could be it.
    """
    for names in (_SLIDE_NAMES, _FIELD_NAMES):
        candidates = [name for name in header.columns if plain(name) in names and name != roi]
        if len(candidates) > 1:
            raise TableError(
                f"{header.path}: which column is the slide? {listed(candidates)} could be it. "
                "Name it with --slide-column."
            )
        if candidates:
            return candidates[0]
    return None


def phenotype_column(header: Header) -> str:
    """The column of the phenotype.

    Raises
    ------
    TableError
        If none or several could be it.
    """
    candidates = [name for name in header.columns if plain(name) in _PHENOTYPE_NAMES]
    if len(candidates) == 1:
        return candidates[0]
    found = f"{listed(candidates)} could be it" if candidates else "no column looks like it"
    raise TableError(
        f"{header.path}: which column is the phenotype? {found}. Name it with --phenotype; it has "
        f"{listed(header.columns)}."
    )
