"""Sound texts and tables, and a small result folder that took no analysis to make."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import shapely
import zarr

import small_runs
from fuzzing.samples import SHAPE, Sample, written
from macprox.edits import EditLog
from macprox.edits import events as said
from macprox.io.atomic import write_json, write_parquet
from macprox.io.labels import LabelImage, write_label_index
from macprox.io.region_files import write_artefacts, write_regions
from macprox.io.store import LABEL_NAMES, SlideFolder
from macprox.regions import Regions

PX_UM = 0.5
RULES = (
    "panCK+ CD68- in:tumour",
    "CD68+ (MARCO+ or PPARG+ or FABP4+) panCK- not in:tumour",
    "CD68+ panCK- otherwise",
    "not (CD3+ and 'HLA DR'+) or CD8⁺ FOXP3−",
)
STUDY = (
    small_runs.STUDY
    + """
[regions]
tumour = "auto"
smoothing_um = 20.0
margin_um = 100
exclusions = "drawn/{slide_id}.geojson"
[markers.MARCO]
compartment = "cell"
gate = "auto"
[cohort]
samples = "samples.csv"
"""
)
TABLES = {
    "inform.txt": "Sample Name\tTissue Category\tPhenotype\tCell ID\tCell X Position\t"
    "Cell Y Position\tNucleus Area (microns)\na.im3\tTumor\tCD68+\t1\t10.5\t20\t50\n"
    "a.im3\tStroma\t\t2\t30\t40,5\t50\na.im3\tStroma\tCK+\t3\t1\t2\t9\n",
    "qupath.csv": "Image,Object type,Classification,Centroid X µm,Centroid Y µm\n"
    "a.tif,Cell,Tumor,10.5,20\na.tif,Detection,CD68,30.25,4\na.tif,Annotation,,0,0\n",
    "halo.csv": "Image Location,Analysis Region,Object Id,XMin,XMax,YMin,YMax,CD68 Positive,"
    "CK Positive\nC:\\x\\a.tif,L1,1,0,10,0,8,1,0\nC:\\x\\a.tif,L1,2,20,30,5,9,0,1\n",
    "mcmicro.csv": "CellID,X_centroid,Y_centroid,phenotype\n1,10.5,20\n2,30,40\n",
    "cellprofiler.csv": "Image,Image,Nuclei,Nuclei,Nuclei,Nuclei\nImageNumber,Metadata_Sample,"
    "ObjectNumber,AreaShape_Center_X,AreaShape_Center_Y,Classify_CD68\n1,S1,1,3,4,1\n2,S1,1,5,6,0\n",
    "steinbock.csv": "Image,Object,area,centroid-0,centroid-1,cell_type\n"
    "a_1.tiff,1,50,4,30,Tumour\n",
    "ours.csv": "slide_id,cell_id,x_um,y_um,phenotype\n007,1,10.5,20,Tumour\n007,2,3,4,CD68+\n",
}
SAMPLE_SHEET = "slide_id,patient,group,age\na,P1,early,50\nb,P1,early,50\nc,P2,late,\n"


@cache
def texts() -> dict[str, tuple[Sample, ...]]:
    """Sound text files by kind."""

    def one(name: str, text: str) -> Sample:
        return Sample(name, {name: text.encode()})

    area = shapely.box(10, 10, 60, 50)
    holes = shapely.MultiPolygon([area - shapely.box(20, 20, 30, 30), shapely.box(70, 0, 90, 20)])
    return {
        "study": (one("study.toml", STUDY),),
        "rules": tuple(one("rule", rule) for rule in RULES),
        "tables": (
            *(one(name, text) for name, text in TABLES.items()),
            one("cells.geojson", json.dumps(_detections(area, holes))),
            _parquet_cells(),
        ),
        "samples": (one("samples.csv", SAMPLE_SHEET),),
        "drawn": tuple(
            one(f"{name}.geojson", json.dumps(content))
            for name, content in (
                ("qupath", _collection(area, holes)),
                ("list", _collection(area)["features"]),
                ("feature", _collection(holes)["features"][0]),
                ("geometry", shapely.geometry.mapping(holes)),
            )
        ),
        "log": (_log(),),
    }


def _collection(*areas: shapely.Geometry) -> dict:
    kinds = ({"name": "Tumor", "color": [200, 0, 0]}, {"names": ["Ignore*", "fold"]})
    features = [
        {
            "type": "Feature",
            "id": f"id{number}",
            "geometry": shapely.geometry.mapping(area),
            "properties": {
                "objectType": "annotation",
                "name": "by hand",
                "classification": kinds[number % 2],
                "metadata": {"kind": "", "reason": "fold"},
            },
        }
        for number, area in enumerate(areas)
    ]
    return {"type": "FeatureCollection", "features": features}


def _detections(*areas: shapely.Geometry) -> dict:
    collection = _collection(*areas, areas[0].centroid)
    for number, feature in enumerate(collection["features"]):
        feature["nucleusGeometry"] = shapely.geometry.mapping(shapely.box(12, 12, 20, 20))
        measured = {"CD68: Cell: Mean": 1.5}
        listed = [{"name": name, "value": value} for name, value in measured.items()]
        feature["properties"] |= {
            "objectType": ("cell", "detection")[number % 2],
            "metadata": {"cell_id": str(number + 1)},
            "measurements": (measured, listed)[number % 2],
        }
    return collection


def _cells() -> pd.DataFrame:
    n = 12
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "slide_id": "a",
            "cell_id": np.arange(1, n + 1),
            "x_um": rng.uniform(0, 50, n).round(2),
            "y_um": rng.uniform(0, 35, n).round(2),
            "phenotype": pd.Categorical(["Tumour", "Macrophage", "Other"] * (n // 3)),
        }
    )


def _parquet_cells() -> Sample:
    return written("cells.parquet", lambda path: write_parquet(path, _cells()))


def _log() -> Sample:
    who = {"slide_id": "a", "reviewer": "AB", "time": "2026-01-01T10:00:00+00:00"}
    at = {"anchor_px": 5, "x_um": 10.0, "y_um": 20.0}
    drawn = {**at, "cell": [20, 40, 45, 21, 40, 46], "nucleus": [20, 41, 43]}
    area = shapely.geometry.mapping(shapely.box(0, 0, 20, 20))
    events = (
        said.GateMoved(**who, marker="CD68", before=300.0, after=320.5),
        said.GateConfirmed(**who, marker="panCK", parent="Tumour", value=280.0),
        said.PhenotypeSet(**who, **at, before="Other", after="Tumour"),
        said.CellMarked(**who, x_um=11.0, y_um=3.5, after="debris"),
        said.CellDeleted(**who, x_um=30.0, y_um=4.0),
        said.CellRestored(**who, x_um=30.0, y_um=4.0),
        said.CellsRedrawn(**who, redraw_id="r1", removed=(drawn,), added=(drawn, drawn)),
        said.RegionDrawn(**who, kind="tumour", region_id="t1", after=area, reason="seen"),
        said.SampleDrawn(
            **who,
            sample_id="s",
            seed=1,
            sizes={"Tumour": 4},
            cells=({**at, "phenotype": "Tumour"},),
        ),
        said.CellRead(**who, sample_id="s", number=0, phenotype=None),
        said.SignedOff(**who, comment="fine"),
    )
    return written("edits.jsonl", lambda path: EditLog(path).append(*events))


@cache
def results() -> tuple[Sample, ...]:
    """A slide's result folder with everything that `SlideResult` reads."""
    return (written("slides/a", _write_result),)


def _write_result(path: Path) -> None:
    folder = SlideFolder(path)
    folder.work.mkdir(parents=True)
    (folder.results / "study.toml").write_text(small_runs.STUDY, encoding="utf-8")
    write_json(folder.manifest, _manifest())
    write_parquet(folder.cells, _cells())
    write_parquet(folder.gates, pd.DataFrame({"marker": ["CD68"], "parent": [""], "value": [3.0]}))
    rows = pd.DataFrame({"statistic": ["g", "k"], "r_um": [20.0, 20.0], "value": [0.5, np.nan]})
    for table in (folder.statistics, folder.sensitivity, folder.calibration):
        write_parquet(table, rows)
    height, width = (side * PX_UM for side in SHAPE)
    area, fold = (shapely.MultiPolygon([shapely.box(0, 0, x, height)]) for x in (width, 9))
    regions = Regions(
        tissue_window=area, tumour=fold, exclusions=fold, tumour_source="auto", flags=("few",),
        reason="seen", exclusion_reasons=(("fold", fold),),
    )  # fmt: skip
    write_regions(folder.regions, regions, PX_UM)
    write_artefacts(folder.quality, (("out of focus", fold),), PX_UM)
    for name in LABEL_NAMES:
        image = LabelImage(folder.labels / name, SHAPE, 512)
        image.create()
        image.write_tile(0, 0, np.eye(*SHAPE, dtype=np.uint32))
        image.finish(PX_UM)
    write_label_index(folder.labels, LABEL_NAMES)
    overview = zarr.create_array(str(folder.overview), data=np.ones((3, 9, 12), np.float32))
    overview.attrs.update({"channels": list(small_runs.CHANNELS), "pixel_size_um": 4.0})


def _manifest() -> dict:
    stages = {name: {"fingerprint": "f", "seconds": 1.0} for name in ("survey", "analysis")}
    return {
        "slide_id": "a",
        "stages": stages,
        "source": {"path": "a.tif", "pixel_size_um": PX_UM, "shape": list(SHAPE), "channels": []},
        "varied": "f",
        "calibrated": "f",
        "quality": [{"name": "few", "value": 1.0, "message": "few cells", "severity": "info"}],
        "warnings": ["one"],
        "counts": {"cells": 12, "by_phenotype": {"Tumour": 4}},
        "seed": 0,
    }
