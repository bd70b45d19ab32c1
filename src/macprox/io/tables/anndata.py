"""AnnData, in HDF5 or zarr: the table of observations, and its positions with their unit."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from macprox.celltable import REQUIRED_COLUMNS
from macprox.errors import TableError, reason_of, shortened
from macprox.io.tables.layout import Layout, Unit, unit_of_both
from macprox.io.tables.opened import Opened, as_text
from macprox.io.tables.recognition import recognised
from macprox.io.tables.text import Header

NAMES = "obs_names"
SLAB_ROWS = 2**16
_KEYS = ("spatial", "X_spatial", "spatial_um", "spatial_px", "centroid", "centroids")
X, Y = "obsm spatial x", "obsm spatial y"
# What h5py, zarr and their codecs raise for a damaged file; SystemError is blosc's.
DAMAGE = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    RuntimeError,
    AttributeError,
    IndexError,
    SystemError,
    MemoryError,  # a length that no machine has room for
)

Group = Any  # h5py.Group or zarr.Group: both are mappings with attributes
Access = Callable[[], AbstractContextManager[Group]]


def open_h5ad(path: Path) -> Opened:
    """Open an AnnData file; parameters and errors as of `open_anndata`."""

    @contextmanager
    def access() -> Iterator[Group]:
        import h5py

        with h5py.File(path, "r") as file:
            _require_self_contained(file, path)
            yield file

    return open_anndata(access, path)


def _require_self_contained(file: Group, path: Path) -> None:
    """A stranger's file must not bring in what other files of this computer hold."""
    import h5py

    def link_outside(name: str, link: Any) -> str | None:
        return name if isinstance(link, h5py.ExternalLink) else None

    def kept_outside(name: str, item: Any) -> str | None:
        is_outside = isinstance(item, h5py.Dataset) and (item.external or item.is_virtual)
        return name if is_outside else None

    name = file.visititems_links(link_outside) or file.visititems(kept_outside)
    if name:
        raise TableError(
            f"{path} takes {shortened(repr(name))} from another file. Only what is in it is read: "
            "open it with anndata and save it again."
        )


def open_anndata(access: Access, path: Path, positions: pd.DataFrame | None = None) -> Opened:
    """The observations of an AnnData store; X is read only where a marker of it is asked for.

    Parameters
    ----------
    access : callable
        Gives a context in which the store's group is open.
    path : Path
        For messages.
    positions : DataFrame, optional
        Two columns with a row an observation, whose names say the unit; where ``obsm`` has none.

    Raises
    ------
    TableError
        If anndata is not installed, or the store is damaged or something else.
    """
    element = _reader(path)
    try:
        with access() as group, warnings.catch_warnings():
            # stores of older versions are read; anndata says so, in categories that change
            warnings.simplefilter("ignore")
            obs = element(group["obs"])
            markers = [str(name) for name in element(group["var"]).index] if "var" in group else []
            found = _positions(group, element, len(obs)) if positions is None else positions
    except DAMAGE as error:
        raise TableError(
            f"{path} is no AnnData (HDF5 or zarr) that can be read: {reason_of(error)}."
        ) from None
    if not isinstance(obs, pd.DataFrame):
        raise TableError(f"{path} has observations of another form than AnnData's since 0.7.")
    store = _Store(path, access, _with_positions(obs, found), tuple(markers))
    own = store.own(found) if found is None or _unit(found) == "um" else None
    return Opened(store.header, store.columns, own, None if found is None else store.layout(found))


def _reader(path: Path) -> Callable[[Any], Any]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            from anndata.io import read_elem
    except ImportError:
        raise TableError(
            f'Reading {path.name} needs anndata: pip install "macprox[anndata]".'
        ) from None

    def element(stored: Any) -> Any:
        try:
            return read_elem(stored)
        except Exception as error:
            if type(error).__name__ != "IORegistryError":  # anndata does not export its class
                raise
            raise ValueError(reason_of(error)) from None

    return element


def _positions(group: Group, element: Callable[[Any], Any], n: int) -> pd.DataFrame | None:
    """Two columns whose names say the unit, if the store does."""
    obsm = group.get("obsm", {})
    key = next((key for key in _KEYS if key in obsm), None)
    if key is None:
        return None
    length = getattr(obsm[key], "shape", (n,))[:1]
    if length != (n,):  # asked before room is made for it
        raise ValueError(f"obsm[{key!r}] has length {length}, expected {n} rows of x and y")
    found = element(obsm[key])
    said = _said_unit(group, element) or unit_of_both(key, key)
    if isinstance(found, pd.DataFrame):
        said = unit_of_both(*map(str, found.columns[:2])) or said
    xy = np.asarray(found, dtype=float)
    is_flat = xy.ndim == 2 and xy.shape[0] == n and xy.shape[1] >= 2
    if not is_flat or (n and np.ptp(xy[:, 2:], axis=0).any()):  # a z that is the same is none
        raise ValueError(f"obsm[{key!r}] is {xy.shape}, expected {n} rows of x and y")
    end = f" {said}" if said else ""
    return pd.DataFrame({X + end: xy[:, 0], Y + end: xy[:, 1]})


def _said_unit(group: Group, element: Callable[[Any], Any]) -> Unit | None:
    """What macprox notes beside positions, ``uns["macprox"]["spatial_unit"]``."""
    notes = group["uns/macprox"] if "uns" in group and "macprox" in group["uns"] else {}
    if "spatial_unit" not in notes:
        return None
    said = str(element(notes["spatial_unit"]))
    return unit_of_both(said, said)


def _unit(positions: pd.DataFrame) -> Unit | None:
    return unit_of_both(*map(str, positions.columns[:2]))


def _with_positions(obs: pd.DataFrame, positions: pd.DataFrame | None) -> pd.DataFrame:
    frame = obs.set_axis(list(map(str, obs.columns)), axis="columns")
    extra: dict[str, Any] = {} if NAMES in frame else {NAMES: obs.index.astype(str)}
    if positions is not None:
        extra |= {str(name): positions[name].to_numpy() for name in positions}
    return frame.assign(**extra).reset_index(drop=True)


@dataclass(frozen=True, eq=False)
class _Store:
    """Observations in memory, intensities still in the file."""

    path: Path
    access: Access
    frame: pd.DataFrame
    markers: tuple[str, ...]

    @property
    def header(self) -> Header:
        names = dict.fromkeys((*map(str, self.frame.columns), *self.markers))
        return Header(self.path, tuple(names), "", "", markers=self.markers)

    def layout(self, positions: pd.DataFrame) -> Layout | None:
        """Positions of ``obsm``, unless a tool's columns say a unit and ``obsm`` does not."""
        said = Header(self.path, tuple(map(str, self.frame.columns)), "", "")
        tool = recognised(Header(self.path, tuple(n for n in said.columns if n != NAMES), "", ""))
        x, y = map(str, positions.columns[:2])
        unit = _unit(positions)
        if tool is not None and tool.x and tool.unit and unit is None and tool.x != (x,):
            return replace(tool, cell_id=tool.cell_id or self._names())
        return Layout(
            tool="AnnData",
            x=(x,),
            y=(y,),
            unit=unit,
            roi=said.find("roi id", "roi", "fov", "tma core", "core"),
            cell_id=said.find("cell id", "cellid") or self._names(),
            tissue_category=said.find("tissue category"),
        )

    def _names(self) -> str | None:
        return NAMES if NAMES in self.frame and self.frame[NAMES].is_unique else None

    def own(
        self, positions: pd.DataFrame | None
    ) -> Callable[[tuple[str, ...]], pd.DataFrame] | None:
        """The whole table, where it is macprox's own; positions may stand beside it."""
        frame = self.frame.drop(columns=NAMES, errors="ignore")
        beside = [] if positions is None else list(map(str, positions.columns[:2]))
        names = dict(zip(beside, ("x_um", "y_um"), strict=False))
        if {"x_um", "y_um"} <= set(frame.columns):
            frame = frame.drop(columns=list(names), errors="ignore")
        frame = frame.rename(columns=names)
        if not {*REQUIRED_COLUMNS, "phenotype"} <= set(frame.columns):
            return None
        texts = frame.select_dtypes("category").columns
        first = [*REQUIRED_COLUMNS, "phenotype"]
        rest = [name for name in frame.columns if name not in first]
        whole = frame.astype({name: object for name in texts})[[*first, *rest]]
        return lambda _: whole

    def columns(self, columns: Sequence[str]) -> pd.DataFrame:
        asked = list(dict.fromkeys(columns))
        of_x = [name for name in asked if name not in self.frame.columns]
        table = self.frame[[name for name in asked if name in self.frame.columns]]
        return as_text(table.assign(**self._intensities(of_x)), asked)

    def _intensities(self, names: list[str]) -> dict[str, np.ndarray]:
        """Columns of X, dense or sparse."""
        if not names:
            return {}
        element = _reader(self.path)
        places = [self.markers.index(name) for name in names]
        try:
            with self.access() as group:
                is_dense = hasattr(group["X"], "shape")
                found = (
                    _dense_columns(group["X"], places)
                    if is_dense
                    else element(group["X"])[:, places].toarray()
                )
        except DAMAGE as error:
            raise TableError(f"{self.path}: X cannot be read: {reason_of(error)}.") from None
        return dict(zip(names, found.T, strict=True))


def _dense_columns(stored: Any, places: list[int]) -> np.ndarray:
    # By slabs of rows: each column alone would unpack the whole matrix again.
    n_rows = stored.shape[0]
    found = np.empty((n_rows, len(places)), stored.dtype)
    for first in range(0, n_rows, SLAB_ROWS):
        rows = slice(first, min(first + SLAB_ROWS, n_rows))
        found[rows] = np.asarray(stored[rows])[:, places]
    return found
