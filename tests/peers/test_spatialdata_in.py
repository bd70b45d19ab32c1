"""A SpatialData store gives its cells: from the table, or from the elements that it annotates."""

import sys
import warnings

import numpy as np
import pandas as pd
import pytest

from macprox import spatial
from macprox.errors import TableError
from macprox.io.tables import ColumnMapping, read_cells

spatialdata = pytest.importorskip("spatialdata", reason="spatialdata is not installed here")


@pytest.fixture(autouse=True)
def _quiet():
    """Warnings of a dozen libraries are theirs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def table_of(region="cells", n=3, spatial=None, **obs):
    import anndata
    from spatialdata.models import TableModel

    regions = [region] * n if isinstance(region, str) else list(region)
    frame = pd.DataFrame(
        {"region": pd.Categorical(regions), "instance": range(n), "cell_type": ["Mac"] * n} | obs,
        index=[f"c{i}" for i in range(n)],
    )
    data = anndata.AnnData(np.ones((n, 1)), obs=frame)
    if spatial is not None:
        data.obsm["spatial"] = np.asarray(spatial, float)
    return TableModel.parse(
        data, region=sorted(set(regions)), region_key="region", instance_key="instance"
    )


def circles(xy, scale=1.0, um_scale=None):
    import geopandas
    import shapely
    from spatialdata.models import ShapesModel
    from spatialdata.transformations import Scale

    frame = geopandas.GeoDataFrame({"radius": [1.0] * len(xy)}, geometry=shapely.points(xy))
    transformations = {"global": Scale([scale, scale], axes=("x", "y"))}
    if um_scale:
        transformations["um"] = Scale([um_scale, um_scale], axes=("x", "y"))
    return ShapesModel.parse(frame, transformations=transformations)


def saved(folder, **elements):
    path = folder / "s.zarr"
    spatialdata.SpatialData(**elements).write(path)
    return path


XY = [[1, 2], [3, 4], [5, 6]]


def test_positions_come_from_the_shapes_that_a_table_annotates(tmp_path):
    path = saved(tmp_path, shapes={"cells": circles(XY, 2)}, tables={"table": table_of()})
    with pytest.raises(TableError, match="says the unit of positions"):
        read_cells(path)
    cells = read_cells(path, pixel_size_um=0.5)
    np.testing.assert_allclose(cells[["x_um", "y_um"]], XY)  # scaled by 2, then by 0.5
    assert cells["slide_id"].unique().tolist() == ["s"]


def test_a_system_of_micrometres_needs_no_pixel_size(tmp_path):
    shapes = {"cells": circles(XY, 2, um_scale=0.5)}
    path = saved(tmp_path, shapes=shapes, tables={"table": table_of()})
    cells = read_cells(path)
    np.testing.assert_allclose(cells[["x_um", "y_um"]], np.multiply(XY, 0.5))
    own = spatial.cells_of(spatialdata.read_zarr(path))
    np.testing.assert_allclose(own[["x_um", "y_um"]], cells[["x_um", "y_um"]])


def test_positions_come_from_labels(tmp_path):
    from spatialdata.models import Labels2DModel

    image = np.zeros((20, 20), np.int32)
    image[2:4, 10:14] = 1
    labels = Labels2DModel.parse(image, dims=("y", "x"))
    table = table_of(n=1, region="nuclei", instance=[1])
    path = saved(tmp_path, labels={"nuclei": labels}, tables={"table": table})
    cells = read_cells(path, pixel_size_um=1)
    np.testing.assert_allclose(cells[["x_um", "y_um"]], [[12, 3]])  # corner of the first pixel is 0


def test_the_unit_of_the_axes_is_read(tmp_path):
    import json

    path = saved(tmp_path, shapes={"cells": circles(XY)}, tables={"table": table_of()})
    file = path / "shapes" / "cells" / "zarr.json"
    file.write_text(file.read_text().replace('"unit": "unit"', '"unit": "micrometer"'))
    whole = path / "zarr.json"
    content = json.loads(whole.read_text())
    content.pop("consolidated_metadata", None)
    whole.write_text(json.dumps(content))
    np.testing.assert_allclose(read_cells(path)[["x_um", "y_um"]], XY)


def test_each_region_of_a_table_is_a_slide(tmp_path):
    table = table_of(region=["a", "a", "b"], instance=[0, 1, 0])
    path = saved(
        tmp_path, shapes={"a": circles(XY[:2]), "b": circles(XY[2:])}, tables={"table": table}
    )
    cells = read_cells(path, pixel_size_um=1)
    assert cells["slide_id"].tolist() == ["a", "a", "b"]
    np.testing.assert_allclose(cells[["x_um", "y_um"]], XY)


def test_a_table_with_positions_needs_no_spatialdata(tmp_path, monkeypatch):
    from macprox.io.tables import gate_of_text

    path = saved(tmp_path, shapes={"cells": circles(XY)}, tables={"table": table_of(spatial=XY)})
    bare = saved(tmp_path / "bare", shapes={"cells": circles(XY)}, tables={"table": table_of()})
    monkeypatch.setitem(sys.modules, "spatialdata", None)
    cells = read_cells(path, pixel_size_um=2)
    np.testing.assert_allclose(cells[["x_um", "y_um"]], 2 * np.array(XY))
    mapping = ColumnMapping(gates=(gate_of_text("0=auto"),))
    assert "mean_0_cell" in read_cells(path, mapping=mapping, pixel_size_um=2)
    with pytest.raises(
        TableError, match=r'needs spatialdata: pip install "macprox\[spatialdata\]"'
    ):
        read_cells(bare, pixel_size_um=1)


def test_several_tables_are_asked_about(tmp_path):
    tables = {"of_cells": table_of(spatial=XY), "of_nuclei": table_of(spatial=XY, cell_type="Tum")}
    path = saved(tmp_path, shapes={"cells": circles(XY)}, tables=tables)
    with pytest.raises(
        TableError, match="several tables, 'of_cells', 'of_nuclei': name one with --table"
    ):
        read_cells(path, pixel_size_um=1)
    with pytest.raises(TableError, match="has no table 'spots'"):
        read_cells(path, mapping=ColumnMapping(table="spots"), pixel_size_um=1)
    cells = read_cells(path, mapping=ColumnMapping(table="of_nuclei"), pixel_size_um=1)
    assert cells["phenotype"].tolist() == ["Tum"] * 3


def test_an_element_that_is_not_there_is_one_sentence(tmp_path):
    import shutil

    path = saved(tmp_path, shapes={"cells": circles(XY)}, tables={"table": table_of()})
    shutil.rmtree(path / "shapes" / "cells")
    with pytest.raises(TableError, match="elements of its table cannot be read") as told:
        read_cells(path, pixel_size_um=1)
    assert "\n" not in str(told.value)
