"""Tables as Parquet whose columns say what they hold: pyarrow, R's arrow, polars, DuckDB."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from macprox import __version__
from macprox.exports.columns import column
from macprox.io.atomic import replacing
from macprox.results import SlideResult

if TYPE_CHECKING:
    import pandas as pd


def export_parquet(result: SlideResult, folder: Path) -> list[Path]:
    """Write ``cells``, ``statistics`` and ``gates``; see `write_parquet_table`.

    Returns
    -------
    list of Path
        What was written.
    """
    facts = {"slide_id": result.slide_id}
    tables = {
        "cells": result.cells(),
        "statistics": result.statistics(),
        "gates": result.gates(),
    }
    return [
        write_parquet_table(table, name, folder / f"{name}.parquet", facts)
        for name, table in tables.items()
    ]


def write_parquet_table(
    table: pd.DataFrame, name: str, path: Path, facts: dict[str, str] | None = None
) -> Path:
    """Write one table; units and meanings stand in each column's own metadata.

    Parameters
    ----------
    table : DataFrame
        Its index is not written.
    name : "cells", "statistics" or "gates"
        Whose columns are described; a column that is not ours is written without a description.
    path : Path
    facts : dict of str to str, optional
        Kept in the file's metadata beside ``macprox`` (the version) and ``macprox_table``.

    Returns
    -------
    Path
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrow = pa.Table.from_pandas(table, preserve_index=False)
    fields = []
    for field in arrow.schema:
        what = column(name, field.name)
        said = {"description": what.description, "unit": what.unit} if what else {}
        fields.append(field.with_metadata({key: text for key, text in said.items() if text}))
    about = {"macprox": __version__, "macprox_table": name, **(facts or {})}
    metadata = {**(arrow.schema.metadata or {}), **about}
    with replacing(path) as temporary:
        # zstd is read by every reader named above, and a third smaller than snappy
        pq.write_table(arrow.cast(pa.schema(fields, metadata)), temporary, compression="zstd")
    return path
