"""What kind of file is it? By its content: text, JSON, Parquet, HDF5, zip, or a folder."""

from __future__ import annotations

import warnings
from functools import partial
from pathlib import Path

import pandas as pd

from macprox.celltable import REQUIRED_COLUMNS
from macprox.errors import TableError, reason_of
from macprox.io.tables import files_beside
from macprox.io.tables.opened import Opened, of_frame
from macprox.io.tables.text import read_bytes, read_columns, read_header, read_start

_HDF5, _PARQUET, _BOM = b"\x89HDF", b"PAR1", b"\xef\xbb\xbf"


def open_table(path: Path, table: str | None = None) -> Opened:
    """Open a table of cells of any kind.

    Parameters
    ----------
    path : Path
        CSV or TSV, GeoJSON (each also ``.gz`` or alone in a ``.zip``), Parquet, ``.h5ad``, zarr of
        AnnData or SpatialData, or a steinbock folder.
    table : str, optional
        Which table of SpatialData.

    Raises
    ------
    TableError
        If there is no such file, or it is damaged or none of these.
    """
    if path.is_dir():
        return _open_folder(path, table)
    start = read_start(path)
    if start.startswith(_HDF5):
        from macprox.io.tables.anndata import open_h5ad

        return open_h5ad(path)
    if start.startswith(_PARQUET) or path.suffix.lower() == ".parquet":
        return _open_parquet(path)
    if start.removeprefix(_BOM).lstrip()[:1] in (b"{", b"["):
        from macprox.io.tables.geojson import open_objects

        return open_objects(read_bytes(path), path)
    if files_beside.is_regionprops(path):
        return files_beside.open_regionprops(path)
    header = read_header(path)
    is_own = set(REQUIRED_COLUMNS) <= set(header.columns)
    own = partial(_read_own_text, path) if is_own else None
    opened = Opened(header, partial(read_columns, header), own)
    return files_beside.with_sources(files_beside.with_images(opened))


def _open_folder(path: Path, table: str | None) -> Opened:
    if files_beside.is_steinbock(path):
        return files_beside.open_steinbock(path)
    if not any((path / name).is_file() for name in (".zgroup", ".zattrs", "zarr.json")):
        raise TableError(
            f"{path} is a folder, but neither zarr (AnnData, SpatialData) nor steinbock's with "
            f"{files_beside.REGIONPROPS}/. Give its tables one by one."
        )
    from macprox.io.tables.spatialdata import open_store

    return open_store(path, table)


def _open_parquet(path: Path) -> Opened:
    try:
        frame = pd.read_parquet(path)
    except (OSError, ValueError, KeyError, TypeError, NotImplementedError) as error:
        raise TableError(f"{path} is not a Parquet table: {reason_of(error)}.") from None
    return of_frame(frame, path, is_own=set(REQUIRED_COLUMNS) <= set(map(str, frame.columns)))


def _read_own_text(path: Path, texts: tuple[str, ...] = ()) -> pd.DataFrame:
    """macprox's own table; these columns besides slide_id stay as they are written."""
    kinds = dict.fromkeys(("slide_id", *texts), str)
    try:
        with warnings.catch_warnings():
            # Before 3.0 pandas rounds one number in seven in its last bit unless told not to; from
            # 3.1 on, which always reads them exactly, it warns of being told.
            warnings.simplefilter("ignore", DeprecationWarning)
            return pd.read_csv(path, dtype=kinds, low_memory=False, float_precision="round_trip")
    except (OSError, EOFError, ValueError) as error:
        raise TableError(f"{path} is damaged: {reason_of(error)}.") from None
