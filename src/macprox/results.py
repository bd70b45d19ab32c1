"""`SlideResult`: one slide's finished folder as tables, labels, regions and a window."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from macprox.errors import ResultError, reason_of, shortened
from macprox.io.inside import require_inside
from macprox.io.plausible import could_hold
from macprox.io.store import LABEL_NAMES, STUDY_FILE, SlideFolder, read_manifest, read_table
from macprox.io.zarr_damage import UNREADABLE, StoredArray
from macprox.study import Study

if TYPE_CHECKING:
    import dask.array as da
    import pandas as pd
    import zarr
    from shapely import MultiPolygon

    from macprox.regions import Regions
    from macprox.window import Window

_REDO = "Delete that folder and run the slide again; corrections are kept."
OVERVIEW_SIDE_PX = 2000  # the longest side of the overview that people look at


@dataclass(frozen=True)
class Overview:
    """The slide at low resolution.

    Parameters
    ----------
    channels : tuple of str
    mean : (c, y, x) float32
        Area averages of the raw pixels.
    pixel_size_um : float
    """

    channels: tuple[str, ...]
    mean: np.ndarray
    pixel_size_um: float


@dataclass(frozen=True)
class SlideResult:
    """What was found on one slide; every table is read when asked for.

    Parameters
    ----------
    path : Path
        ``results/slides/<slide_id>``.
    """

    path: Path

    @property
    def folder(self) -> SlideFolder:
        return SlideFolder(Path(os.path.abspath(self.path)))  # "." has no name and no parents

    @property
    def slide_id(self) -> str:
        return self.folder.slide_id

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """Stages done, fingerprints, versions, quality flags, counts."""
        return read_manifest(self.folder)

    @cached_property
    def study(self) -> Study:
        """The effective study, every default written out."""
        return Study.from_toml(self.folder.results / STUDY_FILE)

    @property
    def pixel_size_um(self) -> float:
        size = self.manifest.get("source", {}).get("pixel_size_um")
        if size is None:
            raise ResultError(self._unfinished("pixel size"))
        if not isinstance(size, (int, float)) or not 0 < size < float("inf"):
            raise ResultError(
                f"{self.folder.manifest} says that a pixel is {shortened(repr(size))} um wide; "
                "delete it to redo the slide."
            )
        return float(size)

    def cells(self) -> pd.DataFrame:
        """The cell table."""
        return self._table(self.folder.cells)

    def gates(self) -> pd.DataFrame:
        """Where each marker becomes positive, and who says so."""
        return self._table(self.folder.gates)

    def lesions(self) -> pd.DataFrame:
        """The connected pieces of tumour, one a row: size, depth, cells, clarity of the border."""
        return self._table(self.folder.lesions)

    def statistics(self) -> pd.DataFrame:
        """The tidy statistics table, one number a row."""
        return self._table(self.folder.statistics)

    def sensitivity(self) -> pd.DataFrame | None:
        """The headline under changed gates, expansion and radius (`macprox sensitivity`).

        None if it was not asked for, or of results that have changed since.
        """
        return self._asked_for("varied", self.folder.sensitivity)

    def calibration(self) -> pd.DataFrame | None:
        """The type-I error of each test on this slide's geometry (`macprox calibrate`).

        None if it was not asked for, or of results that have changed since.
        """
        return self._asked_for("calibrated", self.folder.calibration)

    def _asked_for(self, fact: str, path: Path) -> pd.DataFrame | None:
        analysis = self.manifest["stages"].get("analysis", {}).get("fingerprint")
        if self.manifest.get(fact) != analysis or not path.exists():
            return None
        return self._table(path)

    def regions(self) -> Regions:
        """Tissue, airspace, tumour, exclusions; polygons in micrometres."""
        from macprox.io.region_files import read_regions

        self._require(self.folder.regions)
        with _damage_told(self.folder.regions):
            return read_regions(self.folder.regions, self.pixel_size_um)

    def artefacts(self) -> tuple[tuple[str, MultiPolygon], ...]:
        """Areas that are out of focus, saturated, folded ..., by reason; micrometres.

        Empty for cells that another tool found: nobody has seen their pixels.
        """
        from macprox.io.region_files import read_artefacts

        if not self.folder.quality.exists():
            return ()
        with _damage_told(self.folder.quality):
            return read_artefacts(self.folder.quality, self.pixel_size_um)

    def window(self) -> Window:
        """Where cells could have been observed: the tissue window without the exclusions."""
        from macprox.window import Window

        regions = self.regions()
        with _damage_told(self.folder.regions):
            return Window.from_polygon(regions.observed)

    def labels(self, name: str = "cells", level: int = 0) -> da.Array:
        """Label image ``(y, x)``: pixels hold ``cell_id``, 0 is background.

        Parameters
        ----------
        name : "nuclei" or "cells"
        level : int
            Pyramid level; 0 is full resolution.
        """
        import dask.array as da

        if name not in LABEL_NAMES:
            raise ResultError(
                f"Slide {self.slide_id!r} has labels {', '.join(LABEL_NAMES)}; found {name!r}."
            )
        path = self.folder.labels / name / str(level)
        self._require(path)
        stored = StoredArray(path)
        return da.from_array(stored, chunks=stored.chunks, name=False)

    def label_levels(self, name: str = "cells") -> list[zarr.Array]:
        """The label pyramid, full resolution first; no pixel is read.

        Raises
        ------
        ResultError
            If a level is missing or damaged.
        """
        import zarr

        place = self.folder.labels / name
        try:
            described: Any = zarr.open_group(str(place), mode="r").attrs["ome"]
            paths = [level["path"] for level in described["multiscales"][0]["datasets"]]
            inside = [place / require_inside(path, name) for path in paths]
            return [zarr.open_array(str(path), mode="r") for path in inside]
        except UNREADABLE as error:
            raise ResultError(
                f"The outlines in {place} cannot be read ({reason_of(error)})."
            ) from error

    def overview(self) -> Overview | None:
        """The slide for people: 4 um per pixel, finer if it is small; None without pixels.

        Raises
        ------
        ResultError
            If it is damaged.
        """
        folder = self.folder
        path = folder.picture if folder.picture.exists() else folder.overview
        if not path.exists():
            return None
        stored = StoredArray(path)
        facts = stored.attributes
        if not could_hold(stored.n_bytes, math.prod(stored.shape) * stored.dtype.itemsize):
            raise ResultError(f"The overview {path} is damaged. {_REDO}")
        try:
            step = max(1, -(-max(stored.shape[1:]) // OVERVIEW_SIDE_PX))
            channels, size_um = tuple(map(str, facts["channels"])), float(facts["pixel_size_um"])
        except (KeyError, TypeError, ValueError) as error:
            raise ResultError(f"The overview {path} is damaged. {_REDO}") from error
        return Overview(channels, np.asarray(stored[:, ::step, ::step]), size_um * step)

    def _table(self, path: Path) -> pd.DataFrame:
        self._require(path)
        return read_table(path)

    def _require(self, path: Path) -> None:
        if not path.exists():
            raise ResultError(self._unfinished(path.name))

    def _unfinished(self, what: str) -> str:
        return (
            f"Slide {self.slide_id!r} has no {what} in {self.path}: the run stopped before it. "
            "Run the same `macprox run` command again; it goes on from there."
        )


@contextmanager
def _damage_told(path: Path) -> Iterator[None]:
    """What to do about a file of ours: others, drawn in QuPath, are to be exported again."""
    from shapely.errors import GEOSException

    try:
        yield
    except (ResultError, GEOSException) as error:  # GEOS: outlines that cross themselves
        raise ResultError(
            f"{path} is damaged ({shortened(str(error), 300)}) Delete this file and give the slide "
            "to `macprox run` again: it makes what is missing, and keeps corrections."
        ) from error


def open_result(path: str | Path) -> SlideResult:
    """One slide's finished folder.

    Parameters
    ----------
    path : path
        ``results/slides/<slide_id>``.

    Raises
    ------
    ResultError
        If there is no manifest.
    """
    result = SlideResult(Path(path))
    if not result.folder.manifest.exists():
        slides = sorted(found.parent for found in Path(path).glob("slides/*/manifest.json"))
        remedy = "Expected a folder such as results/slides/<slide_id>."
        if slides:
            remedy = f"It holds the results of {len(slides)} slides; give one, such as {slides[0]}."
        raise ResultError(f"{path} is not the result of a slide: it has no manifest.json. {remedy}")
    return result
