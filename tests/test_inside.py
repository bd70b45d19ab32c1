"""A slide's metadata cannot make us read what lies outside the slide."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile
import zarr

import slide_files
from macprox.errors import ResultError, SlideError
from macprox.io.images import open_slide
from macprox.io.inside import leads_out
from macprox.io.label_file import open_label_file

OWN = '<TiffData FirstC="0" IFD="0" PlaneCount="1"/>'
OTHER = (
    '<TiffData FirstC="1" IFD="0" PlaneCount="1"><UUID FileName="{}">urn:uuid:b</UUID></TiffData>'
)


@pytest.mark.parametrize("path", ["0", "0/c/1/0", "a b", "größe", "..a", "a..", "b.ome.tif"])
def test_names_of_parts(path):
    assert not leads_out(path)


@pytest.mark.parametrize(
    "path", ["", "/", "/0", "..", ".", "0/..", "0//1", "a\\b", "\\\\host\\a", "C:/a", "http://a/b"]
)
def test_names_that_are_none_of_a_part(path):
    assert leads_out(path)


def ome_tiff_with_a_plane_in(folder, name):
    image = slide_files.pixels(2)
    folder.mkdir()
    xml = slide_files.ome_xml(image)
    xml = xml.replace('<TiffData IFD="0" PlaneCount="2"/>', OWN + OTHER.format(name))
    return slide_files.write_ome_with_xml(folder / "a.ome.tif", image[0], xml)


@pytest.mark.parametrize("name", ["../other.tif", "{}/other.tif", "x/../../other.tif", "C:a.tif"])
def test_an_ome_tiff_has_no_plane_outside_its_folder(tmp_path, name):
    plane = slide_files.pixels(2)[1]
    for place in (tmp_path / "other.tif", tmp_path / "beside.tif"):
        tifffile.imwrite(place, plane, photometric="minisblack", metadata=None)
    path = ome_tiff_with_a_plane_in(tmp_path / "in", name.format(tmp_path))
    with pytest.raises(SlideError, match=r"says that planes are in '.*'; expected the name of a"):
        open_slide(path, 0.5)
    path = ome_tiff_with_a_plane_in(tmp_path / "beside", "beside.tif")  # control
    (tmp_path / "beside.tif").rename(path.parent / "beside.tif")
    pixels = open_slide(path, 0.5).read(1, slice(0, 9), slice(0, 9))
    assert np.array_equal(pixels, plane[:9, :9])


def test_an_ome_tiff_may_call_itself_as_it_was_called_elsewhere(tmp_path):
    image = slide_files.pixels(1)
    itself = r'<UUID FileName="D:\scans\a.ome.tif">urn:uuid:a</UUID>'
    xml = slide_files.ome_xml(image).replace('ount="1"/>', f'ount="1">{itself}</TiffData>')
    xml = xml.replace("<OME ", '<OME UUID="urn:uuid:a" ')
    assert itself in xml
    slide = open_slide(slide_files.write_ome_with_xml(tmp_path / "a.ome.tif", image[0], xml), 0.5)
    assert np.array_equal(slide.read(0, slice(0, 150), slice(0, 220)), image[0])


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("name", ["../b.zarr/0", "{}/b.zarr/0", "..", "0/../../b.zarr/0"])
def test_an_ome_zarr_has_no_level_outside_itself(tmp_path, version, name):
    slide_files.write_ome_zarr(tmp_path / "b.zarr", slide_files.pixels(), version)
    path = slide_files.write_ome_zarr(tmp_path / "a.zarr", slide_files.pixels(), version)

    def lead_out(ome):
        ome["multiscales"][0]["datasets"][0]["path"] = name.format(tmp_path)

    slide_files.edit_zarr_attributes(path, lead_out)
    with pytest.raises(SlideError, match=r"'a\.zarr' calls '.*' a part of itself; expected"):
        open_slide(path)


def test_a_list_of_labels_names_none_outside_itself(tmp_path):
    slide_files.write_ome_zarr(tmp_path / "b.zarr", slide_files.pixels(1, dtype="uint8"), names="N")
    path = slide_files.write_ome_zarr(tmp_path / "a.zarr", slide_files.pixels())
    labels = zarr.open_group(str(path), mode="r+").create_group("labels")
    labels.attrs["ome"] = {"version": "0.5", "labels": ["../../b.zarr"]}
    assert open_label_file(path / "labels" / "../../b.zarr", "nuclei").shape == (150, 220)
    with pytest.raises(SlideError, match=r"'labels' calls '\.\./\.\./b\.zarr' a part of itself"):
        open_label_file(path, "nuclei")


def test_a_result_s_labels_have_no_level_outside_themselves(small_copy):
    file = small_copy.folder.labels / "cells" / "zarr.json"
    described = json.loads(file.read_text(encoding="utf-8"))
    (image,) = described["attributes"]["ome"]["multiscales"]
    image["datasets"][0]["path"] = "../nuclei/0"
    file.write_text(json.dumps(described), encoding="utf-8")
    with pytest.raises(ResultError, match=r"'cells' calls '\.\./nuclei/0' a part of itself"):
        small_copy.label_levels("cells")
