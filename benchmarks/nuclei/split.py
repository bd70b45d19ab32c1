"""Which images may be tuned on, and the scale each is said to have: writes `split.csv`.

    python -m benchmarks.nuclei.split ../shared/data

The set mixes acquisitions and says neither which nor at what scale. An acquisition is recognised
by image shape and three statistics of the image alone (its masks are not looked at): the
background level, the distance at which grey levels stop resembling each other, and the 99th
percentile. The thresholds lie in the gaps of their scatter, and a contact sheet of every group was
looked at. A group goes to one part whole, so no method is scored on an acquisition it was tuned on.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import tifffile

SPLIT = Path(__file__).with_name("split.csv")
STARDIST = "img2d.tif"


@dataclass(frozen=True)
class Acquisition:
    """One group: its part, and its scale, stated once and never derived again from a mask.

    The scale makes the median outlined nucleus of the group 8 um across, 2 sqrt(area / pi).
    """

    part: Literal["tune", "held_out"]
    pixel_size_um: float


# Tuned on: small crowded nuclei of few pixels, large ones of many, dim noisy clumps, overlapping
# ones, a quarter of the images. Held out: the textured crowds (256 dark large), the largest nuclei
# (360), the fibroblasts (256 dark small), the biggest series (520 dark) and everything tissue-like.
# 260x347, 256x320 and 1040x1388 are 3, 4 and 1 images: their scale is that of few nuclei.
ACQUISITIONS = {
    "256x256 dark small": Acquisition("held_out", 0.613),
    "256x256 dark large": Acquisition("held_out", 0.411),
    "256x256 grey small": Acquisition("tune", 0.808),
    "256x256 grey large": Acquisition("held_out", 0.571),
    "256x320": Acquisition("tune", 0.326),
    "260x347": Acquisition("held_out", 0.616),
    "360x360": Acquisition("held_out", 0.172),
    "512x640": Acquisition("tune", 0.214),
    "520x696 dark": Acquisition("held_out", 0.282),
    "520x696 grey small": Acquisition("tune", 0.338),
    "520x696 grey large": Acquisition("tune", 0.166),
    "603x1272": Acquisition("held_out", 0.634),
    "1040x1388": Acquisition("held_out", 0.085),
    "stardist": Acquisition("held_out", 0.338),
}


def alike_px(stain: np.ndarray) -> float:
    """Distance at which the autocorrelation has fallen to one half, in pixels."""
    capped = np.minimum(stain, np.percentile(stain, 99.5)).astype(float)
    spectrum = np.abs(np.fft.rfft2(capped - capped.mean())) ** 2
    power = np.fft.irfft2(spectrum, s=stain.shape)
    reach = min(stain.shape) // 2
    profile = (power[:reach, 0] + power[0, :reach]) / max(2 * power[0, 0], 1e-9)
    below = int(np.argmax(profile < 0.5))
    if below == 0:
        return float(reach)
    return float(below - (0.5 - profile[below]) / (profile[below - 1] - profile[below]))


def _quarters(stain: np.ndarray) -> list[np.ndarray]:
    y, x = stain.shape[0] // 2, stain.shape[1] // 2
    return [stain[:y, :x], stain[:y, x:], stain[y:, :x], stain[y:, x:]]


def acquisition(stain: np.ndarray) -> str:
    """The group of an image, from the image alone."""
    shape = "x".join(map(str, stain.shape))
    if shape not in ("256x256", "520x696"):
        return shape
    grey = int(np.bincount(stain.ravel()).argmax()) >= 10
    if shape == "520x696":
        # The median quarter: one bright edge of debris does not speak for the nuclei.
        large = np.median([alike_px(quarter) for quarter in _quarters(stain)]) >= 17
        return f"{shape} grey {'large' if large else 'small'}" if grey else f"{shape} dark"
    if grey:
        return f"{shape} grey {'large' if alike_px(stain) >= 6.5 else 'small'}"
    large = alike_px(stain) >= 7.5 and np.percentile(stain, 99) >= 50
    return f"{shape} dark {'large' if large else 'small'}"


def split(data: Path) -> pd.DataFrame:
    """One row an image: set, file, group, part, tissue_like, pixel_size_um; sorted by file."""
    index = pd.read_csv(data / "nuclei_dsb2018" / "index.csv").sort_values("file")
    images = data / "nuclei_dsb2018" / "images"
    groups = [acquisition(tifffile.imread(images / file)) for file in index["file"]]
    rows = pd.DataFrame(
        {
            "set": "dsb",
            "file": index["file"].to_numpy(),
            "group": groups,
            "tissue_like": index["tissue_like"].to_numpy(),
        }
    )
    rows.loc[len(rows)] = ["stardist", STARDIST, "stardist", False]
    rows.insert(3, "part", [ACQUISITIONS[group].part for group in rows["group"]])
    rows["pixel_size_um"] = [ACQUISITIONS[group].pixel_size_um for group in rows["group"]]
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder with nuclei_dsb2018 and nuclei_stardist")
    rows = split(parser.parse_args().data)
    rows.to_csv(SPLIT, index=False)
    print(rows.groupby(["part", "group"]).size().to_string())


if __name__ == "__main__":
    main()
