"""labels.zarr as OME-Zarr 0.5: by the facts of the specification, and by its own checkers."""

import json

import numpy as np
import pytest
import zarr

from macprox.io.labels import LabelImage, write_label_index

PX = 0.497
SHAPE = (700, 1100)


@pytest.fixture
def folder(tmp_path):
    """What `macprox run` writes, of two label images."""
    ids = np.zeros(SHAPE, np.uint32)
    ids[10:30, 40:80], ids[600:690, 1000:1090] = 1, 2
    for name in ("nuclei", "cells"):
        image = LabelImage(tmp_path / "labels.zarr" / name, SHAPE, 512)
        image.create()
        for y in range(0, SHAPE[0], 512):
            for x in range(0, SHAPE[1], 512):
                image.write_tile(y, x, ids[y : y + 512, x : x + 512])
        image.finish(PX)
    write_label_index(tmp_path / "labels.zarr", ("nuclei", "cells"))
    return tmp_path / "labels.zarr"


def metadata(path) -> dict:
    return json.loads((path / "zarr.json").read_text(encoding="utf-8"))


def test_the_group_lists_its_label_images(folder):
    group = metadata(folder)
    assert (group["zarr_format"], group["node_type"]) == (3, "group")
    assert group["attributes"] == {"ome": {"version": "0.5", "labels": ["nuclei", "cells"]}}


@pytest.mark.parametrize("name", ["nuclei", "cells"])
def test_a_label_image_says_what_the_specification_asks_for(folder, name):
    ome = metadata(folder / name)["attributes"]["ome"]
    assert ome["version"] == "0.5"
    assert "image-label" in ome
    (multiscale,) = ome["multiscales"]
    assert multiscale["axes"] == [
        {"name": axis, "type": "space", "unit": "micrometer"} for axis in "yx"
    ]
    levels = multiscale["datasets"]
    assert [level["path"] for level in levels] == ["0", "1", "2"]
    sides = []
    for number, level in enumerate(levels):
        array = metadata(folder / name / level["path"])
        assert array["data_type"] == "uint32"  # integers: ids
        assert array["dimension_names"] == ["y", "x"]  # the axes, in their order
        (scale,) = level["coordinateTransformations"]
        assert scale == {"type": "scale", "scale": [PX * 2**number] * 2}
        sides.append(tuple(array["shape"]))
    assert sides == [(700, 1100), (350, 550), (175, 275)]  # the largest first


def test_the_specification_s_models_accept_it(folder):
    models = pytest.importorskip(
        "ome_zarr_models.v05", reason="ome-zarr-models is not installed here"
    )
    group = zarr.open_group(str(folder), mode="r+")
    labels = models.Labels.from_zarr(group)
    assert list(labels.ome_attributes.labels) == ["nuclei", "cells"]
    for name in ("nuclei", "cells"):
        image = models.ImageLabel.from_zarr(group[name])
        assert len(image.ome_attributes.multiscales[0].datasets) == 3
    broken = dict(group["nuclei"].attrs["ome"])  # control: axes in no order that is allowed
    broken["multiscales"] = [broken["multiscales"][0] | {"axes": [{"name": "y", "type": "space"}]}]
    group["nuclei"].attrs["ome"] = broken
    with pytest.raises(ValueError, match="axes"):
        models.ImageLabel.from_zarr(group["nuclei"])


def test_ome_zarr_s_own_reader_finds_both(folder):
    io = pytest.importorskip("ome_zarr.io", reason="ome-zarr is not installed here")
    reader = pytest.importorskip("ome_zarr.reader", reason="ome-zarr is not installed here")
    nodes = {
        node.metadata["name"]: node
        for node in reader.Reader(io.parse_url(str(folder)))()
        if node.metadata
    }
    assert set(nodes) == {"nuclei", "cells"}
    levels = nodes["cells"].data
    assert [level.shape for level in levels] == [(700, 1100), (350, 550), (175, 275)]
    assert np.unique(np.asarray(levels[0])).tolist() == [0, 1, 2]
