"""One measured run in a process of its own; `python -m benchmarks.throughput` starts it.

    python -m benchmarks.throughput.one_run floor SLIDE WORKERS
    python -m benchmarks.throughput.one_run pipeline SLIDE OUT METHOD WORKERS TILE

Prints one line of JSON. CPU is user and system time of the whole process, imports included; the
timers are put around the product's functions from here, by thread.
"""

from __future__ import annotations

import functools
import importlib
import json
import resource
import shutil
import sys
import threading
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

STUDY = Path(__file__).with_name("study.toml")
# Where the time goes. Timed by thread; what is nested counts for the inner one only.
PARTS = {
    "decode": ("macprox.io.tiff_pages", "Page._segment"),
    "read": ("macprox.slide", "Slide.read"),
    "correct": ("macprox.image.correction", "Correction.apply"),
    "label": ("macprox.pipeline.labelling", "Labeller.label"),
    "measure": ("macprox.pipeline.segmentation", "measure_tile"),
    "name labels": ("macprox.pipeline.segmentation", "name_labels"),
    "write labels": ("macprox.io.labels", "LabelImage.write_tile"),
    "table": ("macprox.pipeline.segmentation", "cell_table"),
    "survey": ("macprox.pipeline.run", "survey_slide"),
    "tile, the rest": ("macprox.pipeline.segmentation", "_TileJob.__call__"),
    "segmentation, the rest": ("macprox.pipeline.run", "segment_slide"),
    "contacts": ("macprox.pipeline.run", "contacts"),
    "analysis": ("macprox.pipeline.run", "analyse_slide"),
}
CELLS_DONE = "contacts"  # before it, cells are measured and labels on disk


class Timers:
    """CPU seconds of named functions, without what they call that has a name too."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self.begun_at: dict[str, float] = {}
        self._open = threading.local()
        self._lock = threading.Lock()

    def wrap(self, part: str, function):
        @functools.wraps(function)
        def timed(*args, **kwargs):
            self.begun_at.setdefault(part, time.process_time())
            stack = self._open.__dict__.setdefault("stack", [])
            stack.append(0.0)
            start = time.thread_time()
            try:
                return function(*args, **kwargs)
            finally:
                took = time.thread_time() - start
                within = stack.pop()
                if stack:
                    stack[-1] += took
                with self._lock:
                    self.seconds[part] += took - within

        return timed

    def install(self) -> None:
        for part, (module, name) in PARTS.items():
            owner = importlib.import_module(module)
            *classes, last = name.split(".")
            for inner in classes:
                owner = getattr(owner, inner)
            setattr(owner, last, self.wrap(part, getattr(owner, last)))


class Decodes:
    """How many compressed tiles were decoded, by channel; full resolution only."""

    def __init__(self, slide) -> None:
        from macprox.io import tiff_tiles
        from macprox.io.tiff_pages import Page

        self.n: Counter[int] = Counter()
        pages = [
            tiff_tiles._open_file(plane.path).page(plane.ifd_offset)
            for plane in slide.source.planes[0]
        ]
        self.n_tiles = len(pages[0]._offsets)
        lock, segment = threading.Lock(), Page._segment

        def counted(page, *args):
            if page in pages:
                with lock:
                    self.n[pages.index(page)] += 1
            return segment(page, *args)

        Page._segment = counted

    def per_tile(self, channel: int) -> float:
        return self.n[channel] / self.n_tiles


def floor(path: Path, n_workers: int) -> dict:
    """Every plane decoded once, in regions of whole tiles.

    By as many threads as the pipeline has: two busy cores are slower than one beside an idle one.
    """
    from macprox.image.tiles import tile_grid
    from macprox.io.images import open_slide
    from macprox.pipeline import Workers

    slide = open_slide(path)
    slide.read(0, slice(0, 1), slice(0, 1))

    def read_all(tile) -> None:
        for channel in slide.channels:
            slide.read(channel, *tile.core.slices)

    start = time.process_time()
    Workers(n_workers).map(read_all, tile_grid(slide.shape, 2048, 0))
    return {"cpu_s": time.process_time() - start, "shape": slide.shape}


def pipeline(path: Path, out: Path, method: str, n_workers: int, tile_px: int) -> dict:
    """The whole pipeline, from the slide to its report."""
    from macprox.io.images import open_slide
    from macprox.io.store import slide_folder
    from macprox.pipeline import RunOptions, Workers, run_slide
    from macprox.study import Study

    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    study = Study.from_toml(STUDY)
    study = replace(study, segmentation=replace(study.segmentation, method=method))
    (out / "study.toml").write_text(study.to_toml(), encoding="utf-8")
    slide = open_slide(path)
    decodes, timers = Decodes(slide), Timers()
    timers.install()
    peaks = {}
    for part in ("survey", "segmentation, the rest"):
        _note_peak(peaks, part)
    result = run_slide(
        slide, study, slide_folder(out, slide.slide_id), RunOptions(tile_px, Workers(n_workers))
    )
    return {
        "cells_cpu_s": timers.begun_at[CELLS_DONE],
        "all_cpu_s": time.process_time(),
        "peak_mb": _peak_mb(),
        "peak_mb_after": peaks,
        "n_cells": len(result.cells()),
        "nucleus_decodes": decodes.per_tile(slide.channel_index(study.image.nucleus)),
        "decodes": sum(decodes.n.values()) / decodes.n_tiles / len(slide.channels),
        "parts_cpu_s": {part: round(timers.seconds[part], 2) for part in PARTS}
        | {"before the survey: imports": round(timers.begun_at["survey"], 2)},
    }


def _note_peak(peaks: dict[str, float], part: str) -> None:
    """Write down the peak so far when a part ends."""
    module, name = PARTS[part]
    owner = importlib.import_module(module)
    function = getattr(owner, name)

    def noted(*args, **kwargs):
        found = function(*args, **kwargs)
        peaks[part] = _peak_mb()
        return found

    setattr(owner, name, noted)


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # kilobytes on Linux


def main() -> None:
    what, path, *more = sys.argv[1:]
    if what == "floor":
        found = floor(Path(path), int(more[0]))
    else:
        out, method, n_workers, tile_px = more
        found = pipeline(Path(path), Path(out), method, int(n_workers), int(tile_px))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
