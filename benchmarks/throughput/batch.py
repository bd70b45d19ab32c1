"""A folder of slides: slides and cells an hour, and what the engine that hands out tiles costs.

    python -m benchmarks.throughput.batch FOLDER [--side 4096] [--slides 4] [--workers 2]

The same slide under several names is run through `macprox run` on threads and on worker processes
(a dask.distributed scheduler on the loopback interface), each in a process of its own, after a
warm-up that compiles. The engine alone: tiles that do nothing, CPU of the whole process tree a
tile, less what starting up costs; its share is relative to the CPU that a real tile takes here.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
from benchmarks.throughput.__main__ import ROOT, slide_of

STUDY = Path(__file__).with_name("study.toml")
N_EMPTY_TILES = 2000
EMPTY_TILES = """
import sys
from macprox.pipeline import Workers
n, processes = int(sys.argv[1]), sys.argv[2] == "processes"
with Workers(2, processes=processes).started() as workers:
    workers.map(abs, range(n))
"""


def cpu_of(*command: object) -> tuple[float, float]:
    """CPU seconds of a command with all its children, and seconds on the clock."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    run = [sys.executable, *map(str, command)]
    subprocess.run(run, check=True, stdout=subprocess.DEVNULL, cwd=ROOT)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return used, time.perf_counter() - begun


def cpu_an_empty_tile(engine: str) -> float:
    """CPU seconds that an engine needs to hand out one tile."""
    few, many = (
        cpu_of("-c", EMPTY_TILES, n, engine)[0] for n in (N_EMPTY_TILES // 10, N_EMPTY_TILES)
    )
    return (many - few) / (N_EMPTY_TILES - N_EMPTY_TILES // 10)


def run_of(slides: Path, out: Path, *options: object) -> tuple[float, float, int]:
    """CPU seconds, seconds on the clock and cells of one `macprox run`."""
    shutil.rmtree(out, ignore_errors=True)
    command = "from macprox import cli; cli.main()"
    used, took = cpu_of(
        "-c", command, "run", slides, "--study", STUDY, "--out", out, "--quiet", *options
    )
    tables = out.glob("slides/*/cells.parquet")
    return used, took, sum(len(pd.read_parquet(path, columns=["cell_id"])) for path in tables)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--side", type=int, default=4096)
    parser.add_argument("--slides", type=int, default=4)
    parser.add_argument("--workers", type=int, default=2)
    chosen = parser.parse_args()
    folder = chosen.folder.resolve()
    slides = folder / f"batch_{chosen.side}"
    shutil.rmtree(slides, ignore_errors=True)
    slides.mkdir(parents=True)
    original = slide_of(folder, chosen.side)
    for number in range(chosen.slides):
        os.link(original, slides / f"slide_{number}.ome.tif")
    run_of(slide_of(folder, 1024), folder / "batch_warm_up")
    n_tiles = chosen.slides * (-(-chosen.side // 2048)) ** 2
    for engine in ("threads", "processes"):
        options = ["--workers", chosen.workers, *(["--processes"] if engine != "threads" else [])]
        used, took, n_cells = run_of(slides, folder / f"batch_{engine}", *options)
        empty, tile = cpu_an_empty_tile(engine), used / n_tiles
        print(
            f"{chosen.slides} slides of {chosen.side} px, {chosen.workers} {engine}: "
            f"{used:.0f} cpu-s, {took:.0f} s; {3600 * chosen.slides / took:.0f} slides and "
            f"{3600 * n_cells / took:.0f} cells an hour\n"
            f"  a tile takes {tile:.2f} cpu-s, handing it out {1000 * empty:.2f} cpu-ms: "
            f"{empty / tile:.2%}"
        )


if __name__ == "__main__":
    main()
