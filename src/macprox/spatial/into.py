"""Results put where scanpy and squidpy look for them; nothing else changes an AnnData.

Four verbs, one a slot, each ``(adata, result, key)``: what is one number a cell goes into ``obs``,
one row a cell into ``obsm``, a graph into ``obsp``, any other table into ``uns``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from macprox.errors import TableError
from macprox.spatial.annotated import cells_of
from macprox.spatial.graphs.graph import Graph


def into_obs(adata: Any, result: Any, key: str | None = None) -> None:
    """Per-cell values as columns of ``obs``.

    Parameters
    ----------
    adata : AnnData
        Changed in place.
    result : DataFrame, Series or (n_obs,) array
        A DataFrame or Series with the row names of ``adata``, in any order; of a DataFrame, such
        as `annotate_neighbours` gives, every column but the positions. Whole-number niches and
        text become categories, which is what scanpy groups by.
    key : str, optional
        Name of the column; needed for an array, and a Series' own name by default.

    Raises
    ------
    TableError
        If the rows are not those of ``adata``, or there is no name.
    """
    _require_anndata(adata)
    if isinstance(result, pd.DataFrame):
        if key is not None:
            raise TableError(f"A table has names of its own; {key!r} is one too many.")
        columns = _aligned(adata, result).drop(columns=["x_um", "y_um"], errors="ignore")
    else:
        series = result if isinstance(result, pd.Series) else pd.Series(_one_each(adata, result))
        name = key if key is not None else series.name
        if name is None:
            raise TableError("A column needs a name: give key.")
        if not isinstance(result, pd.Series):
            series = series.set_axis(adata.obs_names)
        columns = _aligned(adata, series.to_frame(str(name)))
    for name in columns:
        adata.obs[name] = _groupable(columns[name], grouped=name == "niche")


def into_obsm(adata: Any, result: Any, key: str) -> None:
    """One row a cell, such as a neighbourhood's composition, as ``obsm[key]``.

    Parameters
    ----------
    adata : AnnData
        Changed in place.
    result : (n_obs, k) DataFrame or array
        Rows in the order of ``adata``, or named as its rows are. Column names go to
        ``uns[key]["columns"]``: phenotypes may be called what no file may call a column.
    key : str

    Raises
    ------
    TableError
        If there is not one row a cell.
    """
    _require_anndata(adata)
    if isinstance(result, pd.DataFrame):
        named = not isinstance(result.index, pd.RangeIndex)
        rows = _aligned(adata, result) if named else result
        values, names = rows.to_numpy(), [str(name) for name in rows.columns]
    else:
        values, names = np.asarray(result), []
    if values.ndim != 2 or len(values) != adata.n_obs:
        raise TableError(
            f"obsm[{key!r}] needs one row for each of {adata.n_obs} cells, found {values.shape}."
        )
    adata.obsm[key] = values
    if names:
        adata.uns[key] = {"columns": np.array(names, dtype=object)}


def into_obsp(
    adata: Any, result: Graph, key: str = "spatial", params: Mapping[str, Any] | None = None
) -> None:
    """A graph of cells, as `squidpy.gr.spatial_neighbors` leaves one.

    ``obsp[key + "_connectivities"]`` holds ones, ``obsp[key + "_distances"]`` micrometres, and
    ``uns[key + "_neighbors"]`` says where they are: squidpy takes the default key unasked, scanpy
    by ``neighbors_key``.

    Parameters
    ----------
    adata : AnnData
        Changed in place; its positions give the lengths.
    result : Graph
        Over the cells of ``adata``, in its order.
    key : str
    params : mapping, optional
        How the graph was made, such as ``{"radius_um": 20}``; kept beside it.

    Raises
    ------
    TableError
        If it is no graph, or has another number of cells.
    """
    import scipy.sparse as sp

    _require_anndata(adata)
    if not isinstance(result, Graph):
        raise TableError(
            f"Expected a Graph, such as radius_graph gives, found {type(result).__name__}."
        )
    if result.n_cells != adata.n_obs:
        raise TableError(
            f"The graph has {result.n_cells} cells, the AnnData {adata.n_obs}; expected one of "
            "the other."
        )
    shape = (result.n_cells, result.n_cells)
    length_um = result.edge_length_um(cells_of(adata)[["x_um", "y_um"]].to_numpy())
    for name, values in (("connectivities", np.ones(result.n_edges)), ("distances", length_um)):
        # Both packages ask for the matrix class; the array class fails in some of their functions.
        matrix = sp.csr_matrix((values, result.indices, result.indptr), shape=shape)
        adata.obsp[f"{key}_{name}"] = matrix
    adata.uns[f"{key}_neighbors"] = {
        "connectivities_key": f"{key}_connectivities",
        "distances_key": f"{key}_distances",
        "params": {
            "coord_type": "generic",
            "n_neighbors": int(result.degree.max(initial=0)),  # scanpy asks for a number
            "made_by": "macprox",
            "unit": "um",
            "directed": bool(result.directed),
            **dict(params or {}),
        },
    }


def into_uns(adata: Any, result: pd.DataFrame, key: str) -> None:
    """Any other table, such as `proximity`'s, as ``uns[key]``.

    Parameters
    ----------
    adata : AnnData
        Changed in place.
    result : DataFrame
        Text that is missing becomes "", row names become text: what a file can hold.
    key : str

    Raises
    ------
    TableError
        If it is no table, or a column has "/" in its name: that separates groups in the files of
        AnnData.
    """
    _require_anndata(adata)
    if not isinstance(result, pd.DataFrame):
        raise TableError(f"Expected a table, found {type(result).__name__}; name its numbers.")
    table = result.rename(columns=str)
    slashed = [name for name in table.columns if "/" in name]
    if slashed:
        raise TableError(
            f"The column {slashed[0]!r} has '/' in its name, which no AnnData file can hold; "
            "rename it, or give the table with rows and columns exchanged (.T)."
        )
    adata.uns[key] = storable(table)


def storable(table: pd.DataFrame) -> pd.DataFrame:
    """A table as ``uns`` can hold it: text is text, "" where there is none; row names are text."""
    text = [name for name in table if not pd.api.types.is_numeric_dtype(table[name])]
    plain = table.set_axis(table.index.astype(str))
    for name in text:
        known = plain[name].astype(object)
        plain[name] = known.where(known.notna(), "").map(str)
    return plain


def _require_anndata(adata: Any) -> None:
    if not (hasattr(adata, "obs_names") and hasattr(adata, "uns")):
        raise TableError(
            f"Expected an AnnData to write into, found {type(adata).__name__}. Of a SpatialData "
            "give its table: data['table']."
        )


def _aligned(adata: Any, table: pd.DataFrame) -> pd.DataFrame:
    if not table.index.is_unique or set(table.index) != set(adata.obs_names):
        raise TableError(
            f"The result has {len(table)} rows, called {table.index[0]!r} and so on; expected "
            f"one for each of {adata.n_obs} cells, by their names in the AnnData. Compute it "
            "from this AnnData."
            if len(table)
            else f"The result has no rows; expected one for each of {adata.n_obs} cells."
        )
    return table.loc[adata.obs_names]


def _one_each(adata: Any, values: ArrayLike) -> np.ndarray:
    column = np.asarray(values)
    if column.shape != (adata.n_obs,):
        raise TableError(
            f"Expected one value for each of {adata.n_obs} cells, found shape {column.shape}."
        )
    return column


def _groupable(column: pd.Series, grouped: bool) -> Any:
    if grouped or not pd.api.types.is_numeric_dtype(column):
        if isinstance(column.dtype, pd.CategoricalDtype):
            return column
        in_order = [str(value) for value in sorted(column.dropna().unique())]
        return pd.Categorical(column.map(str, na_action="ignore"), in_order)
    return column
