"""Speed and memory by size of slide and method, in one run, as ratios to decoding.

    python -m benchmarks.throughput FOLDER [--sides 4096 8192 16384] [--methods watershed]
        [--workers 2] [--tile 2048] [--keep]

Slides come from `make_slide.py` and are made in FOLDER where they are not there yet; 32768 needs
about 20 GB there. Per slide and method, each in a process of its own: CPU seconds of decoding all
planes once (the floor), of the pipeline until cells are measured and labels on disk, and until the
report; peak memory; how often a tile of the nuclear channel is decoded; and where the time goes.
A small slide is run first, so that no compilation is measured.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.throughput.make_slide import make_slide

ROOT = Path(__file__).resolve().parents[2]
WARM_UP_SIDE = 1024


def measured(*arguments: object) -> dict:
    command = [sys.executable, "-m", "benchmarks.throughput.one_run", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def slide_of(folder: Path, side: int) -> Path:
    path = folder / f"throughput_{side}.ome.tif"
    if not path.exists():
        unfinished = folder / f"unfinished_{side}.ome.tif"
        make_slide(unfinished, side)
        unfinished.rename(path)
    return path


def run_of(folder: Path, side: int, method: str, chosen: argparse.Namespace) -> dict:
    path, out = slide_of(folder, side), folder / f"results_{side}_{method}"
    before = measured("floor", path, chosen.workers)
    found = measured("pipeline", path, out, method, chosen.workers, chosen.tile)
    after = measured("floor", path, chosen.workers)
    if not chosen.keep:
        shutil.rmtree(out)
    return {
        "side": side,
        "method": method,
        "floor_cpu_s": (before["cpu_s"] + after["cpu_s"]) / 2,
        **found,
    }


def show(run: dict) -> None:
    floor, mpx = run["floor_cpu_s"], run["side"] ** 2 / 1e6
    cells, everything = run["cells_cpu_s"], run["all_cpu_s"]
    peaks = "".join(f", {mb:.0f} after {part}" for part, mb in run["peak_mb_after"].items())
    print(
        f"{run['side']} px, {run['method']}: {run['n_cells']} cells; floor {floor:.1f} cpu-s\n"
        f"  cells and labels {cells:8.1f} cpu-s {cells / floor:6.2f} x floor, "
        f"{mpx / cells:.2f} Mpx of slide per cpu-s\n"
        f"  until the report {everything:8.1f} cpu-s {everything / floor:6.2f} x floor\n"
        f"  peak {run['peak_mb']:.0f} MB{peaks}\n"
        f"  a nuclear tile is decoded {run['nucleus_decodes']:.2f} times, "
        f"any {run['decodes']:.2f}"
    )
    for part, seconds in sorted(run["parts_cpu_s"].items(), key=lambda item: -item[1]):
        print(f"    {part:24s} {seconds:8.2f} cpu-s {seconds / floor:6.2f} x floor")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sides", type=int, nargs="+", default=[4096, 8192, 16384])
    parser.add_argument("--methods", nargs="+", default=["watershed"])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--tile", type=int, default=2048)
    parser.add_argument("--keep", action="store_true", help="keep the result folders")
    chosen = parser.parse_args()
    folder = chosen.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    runs = []
    for method in chosen.methods:
        run_of(folder, WARM_UP_SIDE, method, chosen)
        for side in chosen.sides:
            runs.append(run_of(folder, side, method, chosen))
            show(runs[-1])
    (folder / "throughput.json").write_text(json.dumps(runs, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
