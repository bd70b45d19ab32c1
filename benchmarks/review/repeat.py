"""A slide's results n x n times side by side: many cells without a run of hours."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import shapely
import zarr

from macprox.io.labels import LabelImage, write_label_index
from macprox.io.region_files import read_regions, write_artefacts, write_regions
from macprox.io.store import LABEL_NAMES, SlideFolder
from macprox.regions import Regions

TILE_PX = 2048


def repeated(source: Path, target: Path, n: int) -> None:
    """Write the results of ``source`` n x n times into the folder ``target``; no image."""
    old, new = SlideFolder(source), SlideFolder(target)
    new.work.mkdir(parents=True)
    manifest = json.loads(old.manifest.read_text())
    facts = manifest["source"]
    height, width = facts["shape"]
    size_um = facts["pixel_size_um"]
    moves_um = [(column * width * size_um, row * height * size_um) for row in range(n)
                for column in range(n)]  # fmt: skip
    for table in ("cells", "measurements"):
        _repeat_table(getattr(old, table), getattr(new, table), moves_um)
    shutil.copy(old.gates, new.gates)
    shutil.copy(old.statistics, new.statistics)
    for name in ("regions", "tissue"):
        regions = _repeat_regions(read_regions(getattr(old, name), size_um), moves_um)
        write_regions(getattr(new, name), regions, size_um)
    write_artefacts(new.quality, (), size_um)
    _repeat_labels(old, new, n, size_um)
    manifest["source"] = {**facts, "shape": [height * n, width * n], "path": "no image"}
    manifest["slide_id"] = new.slide_id
    new.manifest.write_text(json.dumps(manifest))


def _repeat_table(source: Path, target: Path, moves_um: list[tuple[float, float]]) -> None:
    cells = pd.read_parquet(source)
    n_ids = int(cells["cell_id"].max())
    parts = []
    for number, (x_um, y_um) in enumerate(moves_um):
        part = cells.copy()
        part["cell_id"] += number * n_ids
        part["anchor_px"] += np.uint64(number * 2**34)
        part["x_um"] += x_um
        part["y_um"] += y_um
        parts.append(part)
    pd.concat(parts, ignore_index=True).to_parquet(target, index=False)


def _repeat_regions(regions: Regions, moves_um: list[tuple[float, float]]) -> Regions:
    def everywhere(area: shapely.MultiPolygon) -> shapely.MultiPolygon:
        moved = [shapely.transform(area, lambda xy, by=move: xy + by) for move in moves_um]
        return shapely.MultiPolygon([piece for part in moved for piece in part.geoms])

    return Regions(
        tissue_window=everywhere(regions.tissue_window),
        airspace=everywhere(regions.airspace),
        tumour=everywhere(regions.tumour),
        tumour_source=regions.tumour_source,
        margin_um=regions.margin_um,
    )


def _repeat_labels(old: SlideFolder, new: SlideFolder, n: int, pixel_size_um: float) -> None:
    n_ids = int(pd.read_parquet(old.cells, columns=["cell_id"])["cell_id"].max())
    for name in LABEL_NAMES:
        labels = zarr.open_array(str(old.labels / name / "0"), mode="r")
        height, width = labels.shape
        image = LabelImage(new.labels / name, (height * n, width * n), TILE_PX)
        image.create()
        for y in range(0, height, TILE_PX):
            for x in range(0, width, TILE_PX):
                ids = np.asarray(labels[y : y + TILE_PX, x : x + TILE_PX])
                for number in range(n * n):
                    row, column = divmod(number, n)
                    moved = np.where(ids > 0, ids + number * n_ids, 0).astype(np.uint32)
                    image.write_tile(y + row * height, x + column * width, moved)
        image.finish(pixel_size_um)
    write_label_index(new.labels, LABEL_NAMES)
