"""Sample slide beside real tissue: pictures, nuclear intensity, nearest-neighbour distances.

usage: sample_realism.py SHARED_DATA [PICTURE]

SHARED_DATA holds ``inform_component_fihc4`` (DAPI of dense lymphoid tissue) and
``lung_inform_set4`` (composite and cell positions of a lung cancer field).
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import tifffile
from scipy.spatial import cKDTree

SAMPLES = Path(__file__).resolve().parents[1] / "sample_data"
COLOURS = dict(
    DAPI=(0.12, 0.2, 1),
    panCK=(0, 0.7, 0.7),
    CD68=(0.9, 0, 0.9),
    FOXP3=(1, 0.5, 0),
    CD3=(0.9, 0.9, 0),
)
CROP_PX = 520


def main() -> None:
    shared = Path(sys.argv[1])
    default = Path(__file__).resolve().parents[1] / "docs" / "images" / "sample_realism.png"
    picture = Path(sys.argv[2]) if len(sys.argv) > 2 else default
    figure, axes = plt.subplots(2, 2, figsize=(8, 7.6), layout="constrained")
    show_tissue(axes[0], shared)
    intensities(axes[1, 0], shared)
    neighbours(axes[1, 1], shared)
    picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(picture, dpi=72)


def show_tissue(axes, shared: Path) -> None:
    slide = tifffile.imread(SAMPLES / "slides" / "P02_late.ome.tif")
    names = ("DAPI", "panCK", "CD68", "MARCO", "TREM2", "FOXP3", "CD3", "AF")
    seen = np.zeros((*slide.shape[1:], 3))
    for name, colour in COLOURS.items():
        plane = slide[names.index(name)].astype(float)
        low, high = np.percentile(plane, [40, 99.7])
        seen += np.clip((plane - low) / (high - low), 0, 1)[..., None] * colour
    axes[0].imshow(np.clip(seen, 0, 1)[150 : 150 + CROP_PX, 350 : 350 + CROP_PX])
    axes[0].set_title("simulated (P02_late)")
    real = plt.imread(next((shared / "lung_inform_set4").glob("*composite*.jpg")))
    axes[1].imshow(real[200 : 200 + CROP_PX, 700 : 700 + CROP_PX])
    axes[1].set_title("real lung (Vectra composite)")
    for ax in axes:
        ax.set_xlabel("260 µm: DAPI, CK, CD68, FOXP3, T cells")
        ax.set_xticks([])
        ax.set_yticks([])


def intensities(ax, shared: Path) -> None:
    """DAPI, scaled so that the darkest 2 % are 0 and the brightest 0.3 % are 1."""
    component = next((shared / "inform_component_fihc4").glob("*component_data.tif"))
    planes = {
        "real, lymphoid (FIHC4)": tifffile.imread(component, key=3),
        "real, breast (B14)": tifffile.imread(next((shared / "breast_mif").glob("*B14*.ome.tif")))[
            0
        ],
    }
    for path in sorted((SAMPLES / "slides").glob("*.ome.tif")):
        dapi = tifffile.imread(path)[0].astype(float)
        tissue = tifffile.imread(path)[-1] > 4  # airspaces out: the real crops have none
        planes[f"simulated ({path.name[:3]})"] = dapi[tissue]
    for name, plane in planes.items():
        low, high = np.percentile(plane, [2, 99.7])
        scaled = np.clip((plane.ravel() - low) / (high - low), 0, 1)
        draw(ax, scaled, np.linspace(0, 1, 41), name)
    ax.set(xlabel="DAPI in tissue, relative", ylabel="density of pixels", yscale="log")
    ax.legend(frameon=False, fontsize=7)


def neighbours(ax, shared: Path) -> None:
    table = pd.read_csv(shared / "lung_inform_set4" / "set4_cell_seg_data.csv.gz")
    positions = {"real lung (set 4)": table[["Cell X Position", "Cell Y Position"]].to_numpy(float)}
    for path in sorted((SAMPLES / "truth").glob("*_truth.csv")):
        positions[f"simulated ({path.name[:3]})"] = pd.read_csv(path)[["x_um", "y_um"]].to_numpy()
    for name, xy in positions.items():
        nearest = cKDTree(xy).query(xy, k=2)[0][:, 1]
        draw(ax, nearest, np.arange(0, 30.5, 1), f"{name}: median {np.median(nearest):.1f} µm")
    ax.set(xlabel="nearest neighbour, centroid to centroid (µm)", ylabel="density of cells")
    ax.legend(frameon=False, fontsize=7)


def draw(ax, values: np.ndarray, bins: np.ndarray, name: str) -> None:
    style: dict = dict(lw=1.2)
    if name.startswith("real"):
        style = dict(lw=2.2, color="dimgrey" if "breast" in name else "black")
    ax.hist(values, bins, density=True, histtype="step", label=name, **style)


if __name__ == "__main__":
    main()
