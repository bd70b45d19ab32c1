"""What kind of file is it? By its content: text, JSON, Parquet, HDF5, zip, or a folder."""

from __future__ import annotations

import warnings
from functools import partial
from pathlib import Path

import pandas as pd

from macprox.celltable import REQUIRED_COLUMNS
from macprox.errors import TableError, reason_of
from macprox.io.spreadsheet import with_formulas
from macprox.io.tables import files_beside
from macprox.io.tables.opened import Opened, of_frame
from macprox.io.tables.text import Header, read_bytes, read_columns, read_header, read_start
from macprox.io.zarr_group import is_zarr_group

_HDF5, _PARQUET, _BOM = b"\x89HDF", b"PAR1", b"\xef\xbb\xbf"
# Names, whatever they look like: a slide may be called 007, a phenotype 1 or NA.
_NAMES = ("slide_id", "roi_id", "phenotype", "tissue_category", "region", "compartment")
_NO_NUMBER = ("", "NA", "NaN", "nan", "NULL", "null", "None", "<NA>", "N/A", "n/a", "#N/A")


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
    if table is not None:
        raise TableError(
            f"{path} is one table: --table names one of several in a SpatialData store. Leave it "
            "out."
        )
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
    own = partial(_read_own_text, header) if is_own else None
    opened = Opened(header, partial(read_columns, header), own)
    return files_beside.with_sources(files_beside.with_images(opened))


def _open_folder(path: Path, table: str | None) -> Opened:
    if files_beside.is_steinbock(path):
        return files_beside.open_steinbock(path)
    if not is_zarr_group(path):
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


def _read_own_text(header: Header, texts: tuple[str, ...] = ()) -> pd.DataFrame:
    """macprox's own table; names and these columns stay as they are written."""
    names = {*_NAMES, *texts}
    missing = {name: [""] if name in names else [*_NO_NUMBER] for name in header.columns}
    try:
        with warnings.catch_warnings():
            # Before 3.0 pandas rounds one number in seven in its last bit unless told not to; from
            # 3.1 on, which always reads them exactly, it warns of being told.
            warnings.simplefilter("ignore", DeprecationWarning)
            table = pd.read_csv(
                header.path,
                sep=header.separator,
                encoding="utf-8-sig",  # macprox writes no other, and a guess would change names
                skiprows=header.n_before,
                dtype=dict.fromkeys(names, str),
                na_values=missing,
                keep_default_na=False,
                low_memory=False,
                float_precision="round_trip",
            )
    except (OSError, EOFError, ValueError) as error:
        raise TableError(f"{header.path} is damaged: {reason_of(error)}.") from None
    return with_formulas(table)
