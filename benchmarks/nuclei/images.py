"""The images, their outlines and their stated scale."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import tifffile
from benchmarks.nuclei.split import SPLIT

FOLDER_VARIABLE = "MACPROX_DATA"
BESIDE = Path(__file__).resolve().parents[3] / "shared" / "data"


def data_folder() -> Path:
    """``$MACPROX_DATA``, or the folder ``shared/data`` beside the repository."""
    folder = Path(os.environ.get(FOLDER_VARIABLE, BESIDE))
    if not (folder / "nuclei_dsb2018").is_dir():
        raise FileNotFoundError(
            f"No folder nuclei_dsb2018 in {folder}. Set {FOLDER_VARIABLE} to the folder that "
            "holds nuclei_dsb2018 and nuclei_stardist."
        )
    return folder


def rows(
    part: Literal["tune", "held_out", "all"],
    of_set: Literal["dsb", "stardist"] = "dsb",
    n: int | None = None,
) -> pd.DataFrame:
    """Lines of `split.csv`: set, file, group, part, tissue_like, pixel_size_um.

    ``n``: that many images at random, the same ones every time.
    """
    chosen = pd.read_csv(SPLIT)
    chosen = chosen[chosen["set"] == of_set]
    if part != "all":
        chosen = chosen[chosen["part"] == part]
    if n is not None and n < len(chosen):
        chosen = chosen.sample(n, random_state=0).sort_index()
    return chosen


def read(of_set: str, file: str) -> tuple[np.ndarray, np.ndarray]:
    """Stain and true labels of one image, both (y, x)."""
    if of_set == "stardist":
        folder = data_folder() / "nuclei_stardist"
        return tifffile.imread(folder / file), tifffile.imread(folder / "mask2d.tif")
    folder = data_folder() / "nuclei_dsb2018"
    return tifffile.imread(folder / "images" / file), tifffile.imread(folder / "labels" / file)
