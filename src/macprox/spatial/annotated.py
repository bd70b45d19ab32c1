"""Cells as a table, whoever holds them: a DataFrame, an AnnData or a SpatialData."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from macprox.celltable import MICROMETRES, centroids_um
from macprox.errors import TableError

_REMEDY = (
    "Multiply obsm['spatial'] by the micrometres that one unit is, and set "
    "uns['spatial_unit'] = 'um'."
)


def cells_of(cells: Any, table: str | None = None) -> pd.DataFrame:
    """The cell table that every function of `macprox.spatial` computes with.

    Parameters
    ----------
    cells : DataFrame, AnnData or SpatialData
        A DataFrame with ``x_um, y_um`` is given back as it is. Of an AnnData: ``obs``, and
        ``obsm["spatial"]`` as ``x_um, y_um``. That key has no unit of its own; it is taken as
        micrometres unless ``uns["spatial_unit"]``, ``uns["macprox"]["spatial_unit"]`` or a Visium
        ``spot_diameter_fullres`` says otherwise. Of a SpatialData: a table, with the centroids of
        the elements that it annotates in a coordinate system of micrometres.
    table : str, optional
        Name of a SpatialData's table; needed where there are several.

    Returns
    -------
    DataFrame
        With the index of ``cells``. Where a SpatialData's table annotates several elements and
        names no slides, each element is a ``slide_id``: neighbours never cross them.

    Raises
    ------
    TableError
        If there are no positions, they are not in micrometres, or a row belongs to no element.
    """
    if isinstance(cells, pd.DataFrame):
        return cells
    if hasattr(cells, "tables"):
        return _of_spatialdata(cells, table)
    if hasattr(cells, "obs") and hasattr(cells, "obsm"):
        return _of_anndata(cells)
    raise TableError(
        "Expected a cell table (DataFrame), an AnnData with obsm['spatial'] in micrometres, or a "
        f"SpatialData, found {type(cells).__name__}."
    )


def placed(cells: Any, group: ArrayLike | None) -> tuple[Any, ArrayLike | None]:
    """Positions and fields, of arrays as of tables; a table's own fields if none are given."""
    is_table = isinstance(cells, pd.DataFrame) and len(cells.columns) != 2  # two are x and y
    if not (is_table or hasattr(cells, "tables") or hasattr(cells, "obsm")):
        return cells, group
    if is_table and not {"x_um", "y_um"} <= set(cells.columns):
        raise TableError(
            f"The cell table lacks x_um and y_um; found {', '.join(map(str, cells.columns[:12]))}."
        )
    table = cells_of(cells)
    if group is None:
        columns = [name for name in ("slide_id", "roi_id") if name in table]
        group = table.groupby(columns, dropna=False, observed=True).ngroup() if columns else None
    return centroids_um(table), None if group is None else np.asarray(group)


def _of_anndata(adata: Any) -> pd.DataFrame:
    if "spatial" not in adata.obsm:
        found = ", ".join(map(repr, adata.obsm)) or "nothing"
        raise TableError(
            "The AnnData has no obsm['spatial'] with the cells' positions in micrometres; its obsm "
            f"holds {found}. Put them there, or give a DataFrame with x_um and y_um."
        )
    _require_micrometres(getattr(adata, "uns", {}))
    try:
        xy = np.asarray(adata.obsm["spatial"], dtype=float)
    except (ValueError, TypeError):
        raise TableError("obsm['spatial'] must hold numbers, columns x and y.") from None
    if xy.ndim != 2 or xy.shape[1] != 2:
        raise TableError(
            f"obsm['spatial'] must be (n, 2), columns x and y; found {xy.shape}. Leave out a z."
        )
    return adata.obs.assign(x_um=xy[:, 0], y_um=xy[:, 1])


def _unit_said(uns: Mapping[str, Any]) -> str | None:
    """The unit of positions, in small letters; None where nothing is said of it."""
    own = uns.get("macprox")
    unit = uns.get("spatial_unit", own.get("spatial_unit") if isinstance(own, Mapping) else None)
    return None if unit is None else str(unit).lower()


def _require_micrometres(uns: Mapping[str, Any]) -> None:
    said = _unit_said(uns)
    if said is not None and said not in MICROMETRES:
        raise TableError(f"obsm['spatial'] is in {said!r}, expected micrometres. {_REMEDY}")
    libraries = uns.get("spatial")
    if said is None and isinstance(libraries, Mapping):
        for name, library in libraries.items():
            if "spot_diameter_fullres" in dict(library.get("scalefactors", {})):
                raise TableError(
                    f"obsm['spatial'] is in pixels: uns['spatial'][{name!r}] has the scale factors "
                    f"of a Visium image. Expected micrometres. {_REMEDY}"
                )


def _of_spatialdata(data: Any, name: str | None) -> pd.DataFrame:
    names = list(data.tables)
    if name is None and len(names) != 1:
        raise TableError(
            f"The SpatialData has {len(names)} tables ({', '.join(map(repr, names))}), expected "
            "one. Choose with macprox.spatial.cells_of(data, table=...) and give what it returns."
        )
    if name is not None and name not in names:
        raise TableError(f"No table {name!r}; found {', '.join(map(repr, names)) or 'none'}.")
    table = data.tables[names[0] if name is None else name]
    if _unit_said(table.uns) in MICROMETRES and "spatial" in table.obsm:
        return _of_anndata(table)  # of ours: the nucleus, where a label's centroid is the body's
    keys = table.uns.get("spatialdata_attrs")
    if not keys:
        raise TableError(
            f"Table {name or names[0]!r} annotates no element, so its cells have no place. Set "
            "one with SpatialData's TableModel.parse(table, region=..., region_key=...)."
        )
    element_of = table.obs[keys["region_key"]].astype(str).to_numpy()
    instance = table.obs[keys["instance_key"]].to_numpy()
    xy = np.full((table.n_obs, 2), np.nan)
    for region in dict.fromkeys(element_of):
        here = element_of == region
        xy[here] = _centroids(data, region).reindex(instance[here]).to_numpy()
    if not np.isfinite(xy).all():
        row = int(np.flatnonzero(~np.isfinite(xy).all(axis=1))[0])
        raise TableError(
            f"Row {row} of the table annotates number {instance[row]} of {element_of[row]!r}, "
            "which has no such object; drop it first (spatialdata.match_table_to_element)."
        )
    placed_table = table.obs.assign(x_um=xy[:, 0], y_um=xy[:, 1])
    if "slide_id" in placed_table or len(set(element_of)) < 2:
        return placed_table
    return placed_table.assign(slide_id=element_of)


def _centroids(data: Any, region: str) -> pd.DataFrame:
    """``x, y`` in micrometres by instance; reads a label image whole."""
    from spatialdata import get_centroids
    from spatialdata.transformations import get_transformation

    if region not in data:
        raise TableError(
            f"The table annotates {region!r}, which the SpatialData does not have. Add it, "
            "or drop the rows of it."
        )
    systems = list(get_transformation(data[region], get_all=True))
    of_micrometres = [name for name in systems if name.lower() in MICROMETRES]
    if not of_micrometres:
        raise TableError(
            f"{region!r} has no coordinate system of micrometres: found "
            f"{', '.join(map(repr, systems))}, expected 'um'. Set one with spatialdata."
            "transformations.set_transformation(element, Scale([um_per_px] * 2, axes=('x', 'y')), "
            "to_coordinate_system='um')."
        )
    return get_centroids(data[region], of_micrometres[0]).compute()[["x", "y"]]
