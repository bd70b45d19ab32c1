"""Called cells for tests of the review: of a finished result, or made up in memory."""

from __future__ import annotations

import numpy as np
import pandas as pd
from shapely import box

from macprox.pipeline.areas import Areas
from macprox.pipeline.calling import CalledCells
from macprox.regions import Regions
from macprox.results import SlideResult
from macprox.spatial import annotate_regions
from macprox.study import Study

STUDY = """
[image]
nucleus = "DAPI"
[markers.panCK]
gate = 300
[markers.CD68]
gate = 300
[markers.MARCO]
gate = 100
[phenotypes]
"Tumour" = "panCK+ CD68-"
"TRM" = "CD68+ MARCO+ panCK-"
"Mo-mac" = "CD68+ MARCO- panCK-"
[proximity]
macrophages = ["TRM", "Mo-mac"]
n_permutations = 99
"""
SIDE_UM = 600.0


def study(*changes: tuple[str, str]) -> Study:
    """The study of made-up slides, with pieces of its text replaced."""
    text = STUDY
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return Study.from_text(text)


def saved_calls(result: SlideResult) -> CalledCells:
    """What the last run left on the disk."""
    areas = Areas(result.regions())
    return CalledCells(result.cells(), result.gates(), areas, result.artefacts(), [])


def made_up(n: int = 1500, seed: int = 0, has_tumour: bool = True) -> CalledCells:
    """Cells at random places, intensities that say what they are; the left half is tumour."""
    rng = np.random.default_rng(seed)
    xy = rng.uniform(0, SIDE_UM, (n, 2))
    left = xy[:, 0] < SIDE_UM / 2
    kind = np.where(left & (rng.random(n) < 0.6), "Tumour", "Other").astype(object)
    kind[(kind == "Other") & (rng.random(n) < 0.2)] = "TRM"
    kind[(kind == "Other") & (rng.random(n) < 0.2)] = "Mo-mac"
    is_macrophage = np.isin(kind, ["TRM", "Mo-mac"])
    cells = pd.DataFrame(
        {
            "slide_id": "made-up",
            "cell_id": np.arange(1, n + 1),
            "anchor_px": np.arange(n, dtype=np.uint64) * 7,
            "x_um": xy[:, 0],
            "y_um": xy[:, 1],
            "has_nucleus": True,
            "mean_panck_ring": rng.lognormal(3, 0.4, n) + 900 * (kind == "Tumour"),
            "mean_cd68_cell": rng.lognormal(3, 0.4, n) + 900 * is_macrophage,
            "mean_marco_cell": rng.lognormal(3, 0.4, n) + 400 * (kind == "TRM"),
            "artefact": "",
            "af_suspect": False,
            "clump": False,
            "edge": False,
            "in_window": True,
            "excluded": False,
            "lesion_id": left.astype(np.int32),
            "compartment": np.where(left, "epithelium", "stroma"),
            "phenotype": kind,
            "phenotype_source": "auto",
        }
    )
    tumour = [box(0, 0, SIDE_UM / 2, SIDE_UM)] if has_tumour else []
    regions = Regions(box(0, 0, SIDE_UM, SIDE_UM))
    if tumour:
        regions = regions.with_tumour(tumour[0], "auto")
    gates = pd.DataFrame(
        {
            "marker": ["panCK", "CD68", "MARCO"],
            "compartment": ["ring", "cell", "cell"],
            "parent": "",
            "value": [300.0, 300.0, 100.0],
            "source": ["study", "study", "auto"],
            "confirmed": [True, True, False],
            "bimodal": True,
            "reason": "",
            "by": "",
            "time": "",
        }
    )
    for marker, compartment, gate in zip(
        gates["marker"], gates["compartment"], gates["value"], strict=True
    ):
        slug = marker.lower()
        cells[f"{slug}_positive"] = cells[f"mean_{slug}_{compartment}"] > gate
    cells = annotate_regions(cells, regions.tumour, regions.margin_um)
    return CalledCells(cells, gates, Areas(regions), (), [])
