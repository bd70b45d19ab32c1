"""Columns of tables without a convention: what can only be one thing is taken, else we ask."""

from __future__ import annotations

from collections.abc import Sequence

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
        *("px", "pixel", "pixels", "mm", *MICROMETRES),
    )
)


def position_columns(header: Header) -> tuple[str, str] | None:
    """The two columns that can only be positions: of several pairs, those called x and y alone.

    A pair differs in nothing but its axis: R's ``X`` of row names is no partner of ``center_y``.
    """
    by_words: dict[tuple[str, ...], dict[str, list[str]]] = {}
    for name in header.columns:
        words = plain(name).split()
        axes = [word for word in words if word not in _BESIDE]
        if axes in (["x"], ["y"]):
            beside = tuple(word for word in words if word in _BESIDE)
            by_words.setdefault(beside, {}).setdefault(axes[0], []).append(name)
    pairs = {words: found for words, found in by_words.items() if len(found) == 2}
    chosen = pairs.get((), next(iter(pairs.values())) if len(pairs) == 1 else {})
    if [len(names) for names in chosen.values()] != [1, 1]:
        return None
    return chosen["x"][0], chosen["y"][0]


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
            raise TableError(which_slide(header, candidates))
        if candidates:
            return candidates[0]
    return None


def which_slide(header: Header, candidates: Sequence[str]) -> str:
    """The question where several columns could tell slides apart."""
    return (
        f"{header.path}: which column is the slide? {listed(candidates)} could be it. "
        "Name it with --slide-column."
    )


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
