"""A slide as SpatialData: labels, cells, regions and overview that know where they lie."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from macprox.errors import MacproxError
from macprox.exports.anndata import UNIT, to_anndata, writing
from macprox.io.atomic import replacing_folder
from macprox.io.store import LABEL_NAMES
from macprox.results import SlideResult

if TYPE_CHECKING:
    from spatialdata import SpatialData

PIXELS = "global"  # SpatialData's own name for what everything shares: full-resolution pixels here
CELLS = "cells"
ELEMENT = "spatial_element"  # the table's "region" is the place relative to the tumour border


def to_spatialdata(result: SlideResult) -> SpatialData:
    """One slide's results; labels stay on disk until they are asked for.

    Parameters
    ----------
    result : SlideResult

    Returns
    -------
    SpatialData
        Labels ``cells`` and ``nuclei`` (multiscale), shapes ``regions``, image ``overview`` (at
        low resolution), table ``table`` as `to_anndata` gives it, its rows tied to ``cells`` by
        ``cell_id``. Results of a table alone have points ``cells`` in place of labels. Coordinate
        systems: ``um``, and ``global`` in pixels of full resolution, both from the outer corner of
        the first pixel.

    Raises
    ------
    MacproxError
        If it is no slide's result, spatialdata is not installed, or the slide is not finished.
    """
    if not isinstance(result, SlideResult):
        raise MacproxError(
            f"SpatialData is made of one slide, as macprox.open_result gives it; found "
            f"{type(result).__name__}."
        )
    try:
        from spatialdata import SpatialData
    except ImportError as error:
        raise MacproxError(
            'Writing SpatialData needs spatialdata: pip install "macprox[spatialdata]".'
        ) from error
    elements: dict[str, Any] = {}
    if result.folder.labels.exists():
        elements |= {name: _labels(result, name) for name in LABEL_NAMES}
    else:
        elements[CELLS] = _points(result)
    for name, element in (("regions", _regions(result)), ("overview", _overview(result))):
        if element is not None:
            elements[name] = element
    return SpatialData.init_from_elements(elements | {"table": _table(result)})


def export_spatialdata(result: SlideResult, folder: Path) -> list[Path]:
    """Write ``spatialdata.zarr``; see `to_spatialdata`."""
    data = to_spatialdata(result)
    path = folder / "spatialdata.zarr"
    with replacing_folder(path) as temporary, writing():
        data.write(temporary)
    return [path]


def _scaled(pixel_size_um: float, unit_px: float = 1.0) -> dict[str, Any]:
    """Where an element of pixels lies, each ``unit_px`` pixels of full resolution wide."""
    from spatialdata.transformations import Identity, Scale

    def scale(factor: float) -> Any:
        return Scale([factor, factor], axes=("x", "y"))

    return {
        UNIT: scale(pixel_size_um * unit_px),
        PIXELS: Identity() if unit_px == 1 else scale(unit_px),
    }


def _of_micrometres(pixel_size_um: float) -> dict[str, Any]:
    from spatialdata.transformations import Identity, Scale

    return {UNIT: Identity(), PIXELS: Scale([1 / pixel_size_um] * 2, axes=("x", "y"))}


def _labels(result: SlideResult, name: str) -> Any:
    """The pyramid as it lies on disk: no level is computed again."""
    from spatialdata.models import Labels2DModel
    from spatialdata.transformations import set_transformation
    from xarray import DataArray, Dataset, DataTree

    levels = [result.labels(name, i) for i in range(len(result.label_levels(name)))]
    tree = {}
    for i, level in enumerate(levels):
        centres = {
            axis: (np.arange(level.shape[k]) + 0.5) * (levels[0].shape[k] / level.shape[k])
            for k, axis in enumerate(("y", "x"))
        }
        tree[f"scale{i}"] = Dataset({"image": DataArray(level, dims=("y", "x"), coords=centres)})
    element = DataTree.from_dict(tree)
    set_transformation(element, _scaled(result.pixel_size_um), set_all=True)
    Labels2DModel().validate(element)
    return element


def _points(result: SlideResult) -> Any:
    from spatialdata.models import PointsModel

    cells = result.cells().set_index("cell_id")
    places = cells[["x_um", "y_um"]].set_axis(["x", "y"], axis=1)
    return PointsModel.parse(places, transformations=_of_micrometres(result.pixel_size_um))


def _regions(result: SlideResult) -> Any | None:
    """A row an area: its name, and for what is left out or flagged the reason."""
    from geopandas import GeoDataFrame
    from spatialdata.models import ShapesModel

    if not result.folder.regions.exists():
        return None
    regions = result.regions()
    rows = [
        *((name, "", getattr(regions, name)) for name in ("tissue_window", "airspace", "tumour")),
        *(("exclusion", reason, area) for reason, area in regions.exclusion_reasons),
        *(("artefact", reason, area) for reason, area in result.artefacts()),
    ]
    rows = [row for row in rows if not row[2].is_empty]
    if not rows:
        return None
    names, reasons, areas = zip(*rows, strict=True)
    table = GeoDataFrame({"name": names, "reason": reasons}, geometry=list(areas))
    return ShapesModel.parse(table, transformations=_of_micrometres(result.pixel_size_um))


def _overview(result: SlideResult) -> Any | None:
    from spatialdata.models import Image2DModel

    overview = result.overview()
    if overview is None:
        return None
    return Image2DModel.parse(
        overview.mean,
        dims=("c", "y", "x"),
        c_coords=list(overview.channels),
        transformations=_scaled(
            result.pixel_size_um, overview.pixel_size_um / result.pixel_size_um
        ),
    )


def _table(result: SlideResult) -> Any:
    from pandas import Categorical
    from spatialdata.models import TableModel

    table = to_anndata(result)
    if table.n_obs == 0:
        return TableModel.parse(table)
    table.obs[ELEMENT] = Categorical([CELLS] * table.n_obs)
    return TableModel.parse(table, region=CELLS, region_key=ELEMENT, instance_key="cell_id")
