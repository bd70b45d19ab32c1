"""SpatialData: one table of a store, with positions of its own or of the elements it annotates."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from macprox.celltable import MICROMETRES
from macprox.errors import TableError, reason_of
from macprox.io.tables.anndata import DAMAGE, Group, open_anndata
from macprox.io.tables.layout import Unit, unit_in
from macprox.io.tables.mapping import listed
from macprox.io.tables.opened import Opened


def open_store(path: Path, table: str | None = None) -> Opened:
    """Open a zarr folder: AnnData, or a table of SpatialData.

    Parameters
    ----------
    path : Path
    table : str, optional
        Which table; needed where there are several.

    Raises
    ------
    TableError
        If it is neither, or several tables could be meant.
    """
    root = _group(path)
    if "obs" in root:
        return _open(path, "")
    folder = next((name for name in ("tables", "table") if name in root), None)
    names = [] if folder is None else sorted(root[folder].keys())
    if not names:
        raise TableError(
            f"{path} is zarr without a table of cells: expected AnnData, or SpatialData with one."
        )
    if table is not None and table not in names:
        raise TableError(f"{path} has no table {table!r}; it has {listed(names)}.")
    if table is None and len(names) > 1:
        raise TableError(f"{path} has several tables, {listed(names)}: name one with --table.")
    return _of_spatialdata(path, f"{folder}/{table or names[0]}")


def _group(path: Path) -> Group:
    import zarr

    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="zarr")
            return zarr.open_group(str(path), mode="r")
    except DAMAGE as error:
        raise TableError(f"{path} is no zarr group that can be read: {reason_of(error)}.") from None


def _open(path: Path, inside: str, positions: pd.DataFrame | None = None) -> Opened:
    @contextmanager
    def access() -> Iterator[Group]:
        root = _group(path)
        yield root[inside] if inside else root

    return open_anndata(access, path, positions)


def _of_spatialdata(path: Path, inside: str) -> Opened:
    opened = _open(path, inside)
    said = dict(_group(path)[inside].attrs)
    region = said.get("region_key")
    if opened.layout is None and opened.own is None and region and said.get("instance_key"):
        keys = opened.columns([region, said["instance_key"]])
        opened = _open(path, inside, _centroids(path, keys))
    layout = opened.layout
    if layout is None:
        return opened
    layout = replace(layout, tool="SpatialData")
    several = region in opened.header.columns and opened.columns([region])[region].nunique() > 1
    if several and layout.slide is None and opened.header.find("slide id") is None:
        layout = replace(layout, slide=region)  # elements lie in systems of their own
    return replace(opened, layout=layout)


def _centroids(path: Path, keys: pd.DataFrame) -> pd.DataFrame:
    """The centroid of each row's element; needs spatialdata.

    Parameters
    ----------
    keys : DataFrame
        Two columns of text: region and instance.
    """
    try:
        import spatialdata
    except ImportError:
        raise TableError(
            f"{path.name} keeps positions in its shapes or labels, not in its table. Reading them "
            'needs spatialdata: pip install "macprox[spatialdata]".'
        ) from None
    region, instance = keys.columns
    xy = np.full((len(keys), 2), np.nan)
    units = set()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a dozen libraries, none of them about the data
            store = spatialdata.read_zarr(path)
            for name, rows in keys.groupby(region).groups.items():
                element = store[str(name)]
                system = _system(element)
                units.add(_unit(path, str(name), system))
                found = spatialdata.get_centroids(element, coordinate_system=system).compute()
                found.index = found.index.astype(str)
                of_rows = found.reindex(keys.loc[rows, instance])[["x", "y"]]
                xy[rows] = of_rows.to_numpy(dtype=float)
    except DAMAGE as error:
        raise TableError(
            f"{path}: the elements of its table cannot be read: {reason_of(error)}."
        ) from None
    unit = units.pop() if len(units) == 1 else None
    end = f" {unit}" if unit else ""
    return pd.DataFrame(xy, columns=[f"centroid x{end}", f"centroid y{end}"])


def _system(element: Any) -> str:
    """The coordinate system in which an element's centroids are asked for.

    One called "um", as `macprox.spatial.cells_of` takes it, before SpatialData's own "global".
    """
    from spatialdata.transformations import get_transformation

    systems = sorted(map(str, get_transformation(element, get_all=True)))
    of_micrometres = [name for name in systems if name.lower() in MICROMETRES]
    return next(iter(of_micrometres), "global" if "global" in systems else systems[0])


def _unit(path: Path, name: str, system: str) -> Unit | None:
    """The unit in the name of a coordinate system, or that the file gives to its axes."""
    if system.lower() in MICROMETRES:
        return "um"
    root = _group(path)
    kind = next(kind for kind in ("shapes", "labels", "points") if name in root.get(kind, {}))
    said = dict(root[kind][name].attrs)
    scales = said.get("ome", said).get("multiscales") or [said]
    for one in scales[0].get("coordinateTransformations", []):
        output = one.get("output", {})
        if output.get("name") == system:
            axes = [axis for axis in output.get("axes", []) if axis.get("name") in ("x", "y")]
            units = {unit_in(str(axis.get("unit", ""))) for axis in axes}
            return units.pop() if len(units) == 1 else None
    return None
