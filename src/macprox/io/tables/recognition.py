"""Whose table is it? One small function a tool, each looking for its columns."""

from __future__ import annotations

from dataclasses import replace

from macprox.errors import TableError
from macprox.io.tables import viewers, workflows
from macprox.io.tables.cells import no_cells
from macprox.io.tables.guesses import phenotype_column, slide_column, which_slide
from macprox.io.tables.layout import Layout, unit_of_both
from macprox.io.tables.mapping import ColumnMapping, listed
from macprox.io.tables.text import Header

RECOGNISERS = (
    viewers.macprox,
    viewers.inform,
    viewers.qupath,
    viewers.halo,
    workflows.xenium,
    workflows.merscope,
    workflows.cosmx,
    workflows.cellprofiler,
    workflows.regionprops,
    workflows.mcmicro,
    workflows.codex,
    workflows.named_plainly,
)


def recognised(header: Header) -> Layout | None:
    """The layout of the first tool whose columns these are."""
    return next((found for recognise in RECOGNISERS if (found := recognise(header))), None)


def layout_of(header: Header, mapping: ColumnMapping | None, known: Layout | None = None) -> Layout:
    """The layout a table is recognised by, with what the mapping says instead.

    Parameters
    ----------
    header : Header
    mapping : ColumnMapping or None
    known : Layout, optional
        Of a file that is not recognised by its columns: AnnData.

    Returns
    -------
    Layout
        Without a phenotype only where the mapping has gates and no column looks like one.

    Raises
    ------
    TableError
        If neither the table nor the mapping says where positions and phenotypes are, or a known
        tool's table holds no cells.
    """
    mapping = mapping or ColumnMapping()
    layout = with_positions(header, mapping, known or recognised(header))
    return with_phenotype(header, mapping, with_slide(header, mapping, layout))


def with_positions(header: Header, mapping: ColumnMapping, layout: Layout | None) -> Layout:
    """The layout, with positions where the mapping says they are."""
    if layout is not None and layout.is_summary:
        raise TableError(no_cells(header.path, f"{layout.tool}'s images or cores"))
    if mapping.x or mapping.y:
        if not (mapping.x and mapping.y):
            raise TableError("Give both --x and --y; one of them alone is not a position.")
        unit = unit_of_both(mapping.x, mapping.y)
        base = layout or Layout("a table", (), (), None)
        return replace(base, x=(mapping.x,), y=(mapping.y,), unit=unit, to_corner=0.0)
    if layout is None:
        raise TableError(
            f"{header.path}: no table of a known tool. Say where the positions are with --x and "
            f"--y, and --phenotype; it has {listed(header.columns)}."
        )
    if not layout.x:
        raise TableError(
            f"{header.path} is {layout.tool}'s, but has no positions. Export it again with "
            f"'Centroid X µm' and 'Centroid Y µm', or name the columns with --x and --y; it has "
            f"{listed(header.columns)}."
        )
    return layout


def with_slide(header: Header, mapping: ColumnMapping, layout: Layout) -> Layout:
    """The layout, with slides, fields and ids where the mapping says they are."""
    given = {
        name: getattr(mapping, name)
        for name in ("slide", "roi", "cell_id", "tissue_category")
        if getattr(mapping, name)
    }
    layout = replace(layout, **given)
    if layout.slide is None and layout.slide_choices:
        raise TableError(which_slide(header, layout.slide_choices))
    if layout.slide is None and not layout.is_one_slide:
        layout = replace(layout, slide=slide_column(header, layout.roi))
    return layout


def with_phenotype(header: Header, mapping: ColumnMapping, layout: Layout) -> Layout:
    """The layout, with the columns of the phenotype."""
    if mapping.phenotype:
        return replace(layout, phenotype=mapping.phenotypes)
    if layout.phenotype:
        return layout
    found = phenotype_column(header, has_gates=bool(mapping.gates))
    return replace(layout, phenotype=(found,) if found else ())
