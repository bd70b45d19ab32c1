"""Small slide files of every format, with known pixels, written the way their makers write them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import tifffile

NAMES = ("DAPI", "panCK", "CD68")


def pixels(n_channels=3, shape=(150, 220), dtype="uint16", seed=0):
    """``(c, y, x)``: smooth enough to compress, different everywhere."""
    rng = np.random.default_rng(seed)
    ramp = np.add.outer(np.arange(shape[0]), np.arange(shape[1]))[None]
    noise = rng.integers(0, 50, (n_channels, *shape))
    offset = 7 * np.arange(n_channels)[:, None, None]
    return ((ramp // 4 + noise + offset) % 250).astype(dtype)


def reduced(image, factor=2):
    return np.ascontiguousarray(image[:, ::factor, ::factor])


def write_ome(path, image, names=NAMES, levels=1, pixel_size_um=0.5, unit="µm", **options):
    """OME-TIFF; further levels as SubIFDs. ``pixel_size_um`` in ``unit``; None leaves it out."""
    metadata = {"axes": "CYX", "Channel": {"Name": list(names)}}
    if pixel_size_um is not None:
        for axis in "XY":
            metadata[f"PhysicalSize{axis}"] = pixel_size_um
            metadata[f"PhysicalSize{axis}Unit"] = unit
    options.setdefault("photometric", "minisblack")
    with tifffile.TiffWriter(path, bigtiff=options.pop("bigtiff", False), ome=True) as writer:
        writer.write(image, subifds=levels - 1, metadata=metadata, **options)
        for level in range(1, levels):
            writer.write(reduced(image, 2**level), subfiletype=1, **options)
    return Path(path)


def write_ome_with_xml(path, image, xml):
    """A TIFF whose description is exactly ``xml``, sound or not."""
    tifffile.imwrite(path, image, photometric="minisblack", metadata=None, description=xml)
    return Path(path)


def ome_xml(image, inside="", pixels_attributes="", head=""):
    n, height, width = image.shape
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>{head}'
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0">'
        f'<Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint16" SizeX="{width}" '
        f'SizeY="{height}" SizeC="{n}" SizeZ="1" SizeT="1" {pixels_attributes}>{inside}'
        f'<TiffData IFD="0" PlaneCount="{n}"/></Pixels></Image></OME>'
    )


def perkin_elmer_xml(image_type, name="", biomarker="", component=False):
    return (
        '<?xml version="1.0" encoding="utf-16"?>\r\n<PerkinElmer-QPI-ImageDescription>'
        f"<DescriptionVersion>2</DescriptionVersion><ImageType>{image_type}</ImageType>"
        f"<IsUnmixedComponent>{component}</IsUnmixedComponent>"
        + (f"<Name>{name}</Name>" if name else "")
        + (f"<Biomarker>{biomarker}</Biomarker>" if biomarker else "")
        + "<ScanProfile><root><Name>unrelated</Name></root></ScanProfile>"
        "</PerkinElmer-QPI-ImageDescription>"
    )


def write_qptiff(path, image, names=NAMES, levels=2, pixel_size_um=0.5, biomarkers=None):
    """Channels, a colour thumbnail, reduced channels, a macro and a label, as scanners order."""
    per_cm = 1e4 / pixel_size_um
    common = {"metadata": None, "software": "PerkinElmer-QPI"}
    scale = {"resolution": (per_cm, per_cm), "resolutionunit": "CENTIMETER"}
    tiled = {"photometric": "minisblack", "tile": (64, 64), "compression": "lzw"}
    thumbnail = np.full((40, 60, 3), 200, np.uint8)
    biomarkers = biomarkers or ("",) * len(names)
    with tifffile.TiffWriter(path, bigtiff=True) as writer:
        for level in range(levels):
            small = image[:, : image.shape[1] >> level << level, : image.shape[2] >> level << level]
            kind = "ReducedResolution" if level else "FullResolution"
            for plane, name, biomarker in zip(
                reduced(small, 2**level), names, biomarkers, strict=True
            ):
                xml = perkin_elmer_xml(kind, name, biomarker)
                writer.write(plane, description=xml, **common, **scale, **tiled)
            if level == 0:
                xml = perkin_elmer_xml("Thumbnail")
                writer.write(thumbnail, photometric="rgb", description=xml, **common)
        for kind in ("Overview", "Label"):
            xml = perkin_elmer_xml(kind)
            writer.write(thumbnail, photometric="rgb", description=xml, **common)
    return Path(path)


def write_imagej(path, image, names=NAMES, pixel_size_um=0.5, unit="micron", axes="CYX"):
    metadata = {"axes": axes, "unit": unit}
    if names:
        metadata["Labels"] = list(names)
    resolution = (1 / pixel_size_um, 1 / pixel_size_um) if pixel_size_um else None
    tifffile.imwrite(path, image, imagej=True, resolution=resolution, metadata=metadata)
    return Path(path)


def write_folder(folder, image, names=NAMES, **options):
    """One TIFF a channel."""
    folder = Path(folder)
    folder.mkdir()
    options.setdefault("photometric", "minisblack")
    for plane, name in zip(image, names, strict=True):
        tifffile.imwrite(folder / f"{name}.tif", plane, metadata=None, **options)
    return folder


def write_ome_zarr(
    path, image, version="0.5", names=NAMES, levels=1, scale=0.5, unit="micrometer", chunk=64
):
    """OME-Zarr by plain zarr; ``scale`` None leaves the transformations out."""
    import zarr

    zarr_format = 2 if version == "0.4" else 3
    group = zarr.open_group(str(path), mode="w", zarr_format=zarr_format)
    datasets = []
    for level in range(levels):
        data = reduced(image, 2**level)
        array = group.create_array(
            str(level), shape=data.shape, chunks=(1, chunk, chunk), dtype=data.dtype
        )
        array[...] = data
        dataset = {"path": str(level)}
        if scale is not None:
            um = scale * 2**level
            dataset["coordinateTransformations"] = [{"type": "scale", "scale": [1.0, um, um]}]
        datasets.append(dataset)
    space = {"type": "space"} | ({"unit": unit} if unit else {})
    axes = [{"name": "c", "type": "channel"}, {"name": "y", **space}, {"name": "x", **space}]
    ome = {"multiscales": [{"axes": axes, "datasets": datasets}]}
    if names:
        ome["omero"] = {"channels": [{"label": name} for name in names]}
    if version == "0.4":
        ome["multiscales"][0]["version"] = "0.4"
        group.attrs.update(ome)
    else:
        group.attrs["ome"] = {"version": version, **ome}
    return Path(path)


def edit_zarr_attributes(path, change):
    """Rewrite an OME-Zarr's attributes as ``change(ome)`` leaves them."""
    file = next(Path(path, name) for name in ("zarr.json", ".zattrs") if Path(path, name).exists())
    content = json.loads(file.read_text())
    ome = content["attributes"]["ome"] if file.name == "zarr.json" else content
    change(ome)
    file.write_text(json.dumps(content))


def cut(path, n_bytes):
    """Truncate to ``n_bytes`` (or, below 1, to that share)."""
    data = Path(path).read_bytes()
    Path(path).write_bytes(data[: int(n_bytes * len(data)) if n_bytes < 1 else n_bytes])


def first_page_counts(path):
    """How many pages a TIFF has, and how many bytes each tile of the first."""
    with tifffile.TiffFile(path) as tif:
        return len(tif.pages), tif.pages.first.databytecounts
