"""Columns of tables without a convention: what can only be one thing is taken, else we ask."""

from __future__ import annotations

from macprox.celltable import MICROMETRES
from macprox.errors import TableError, shortened
from macprox.io.tables.intensities import intensities_of
from macprox.io.tables.mapping import listed
from macprox.io.tables.text import Header, plain

# Columns in which tools without a convention keep the phenotype.
_PHENOTYPE_NAMES = (
    *("phenotype", "cell type", "celltype", "cell class", "classification", "class"),
    *("cell phenotype", "cellphenotype", "cell type name", "cluster name", "clustername"),
    *("detailed cell type", "broad cell type", "annotation", "lineage", "cluster"),
    *("cell meta cluster", "cell types", "celltypes", "phenotypes", "cell phenotypes"),
)
# What tools and people call the image that a cell lies on, and a piece of it.
_SLIDE_NAMES = (
    *("slide id", "slide", "slide name", "slideid", "image id", "image", "image name", "imageid"),
    *("sample id", "sample", "sample name", "sampleid", "file name", "filename"),
    *("library id", "library", "libraryid"),
)
_FIELD_NAMES = (
    *("fov", "fov id", "fov name", "field", "roi", "roi id"),
    *("core", "core id", "tma core"),
)
# What stands beside x and y in the name of a centroid.
_BESIDE = frozenset(
    (
        *("cell", "nucleus", "object", "centroid", "center", "centre", "global", "mean"),
        *("position", "pos", "coord", "coordinate", "coordinates", "location", "loc"),
        *("px", "pixel", "pixels", *MICROMETRES),
    )
)


def position_columns(header: Header) -> tuple[str, str] | None:
    """The columns that can only be positions: of several, those called x and y alone."""
    found: list[str] = []
    for axis in "xy":
        words = {name: plain(name).split() for name in header.columns}
        candidates = [
            name for name, said in words.items() if [w for w in said if w not in _BESIDE] == [axis]
        ]
        bare = [name for name in candidates if words[name] == [axis]]
        if len(bare or candidates) != 1:
            return None
        found += bare or candidates
    return found[0], found[1]


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


def phenotype_column(header: Header, has_gates: bool = False) -> str | None:
    """The column of the phenotype; None where gates take its place.

    Raises
    ------
    TableError
        If several could be it, or none and nobody gives gates.
    """
    candidates = [name for name in header.columns if plain(name) in _PHENOTYPE_NAMES]
    if len(candidates) == 1:
        return candidates[0]
    if not candidates and has_gates:
        return None
    found = f"{listed(candidates)} could be it" if candidates else "no column looks like it"
    gates = ""
    if not candidates and (measured := intensities_of(header)):
        some = [one.marker for one in measured.values()]
        first = shortened(some[0], 32)
        gates = f' Or give gates for its intensities ({listed(some)}): --gate "{first}=VALUE".'
    raise TableError(
        f"{header.path}: which column is the phenotype? {found}. Name it with --phenotype; it has "
        f"{listed(header.columns)}.{gates}"
    )
