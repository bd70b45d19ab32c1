"""How long a reviewer waits, in a real window: opening, zooming, dragging a gate, one decision.

    python -m benchmarks.review RESULTS/slides/ID [--repeat 2]

Needs a screen (``xvfb-run -s "-screen 0 1600x1000x24"`` is one, with OpenGL in software). With
``--repeat n`` the slide's results are first put n x n times side by side, without an image, so that
a slide of a million cells needs no run of hours. Works on a copy: the results stay as they are.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
from benchmarks.review.repeat import repeated

N_STEPS = 15
PATIENCE_S = 300


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("slide", type=Path)
    parser.add_argument("--repeat", type=int, default=1)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.slide.parents[1]) as scratch:
        copy = Path(scratch) / "results" / "slides" / chosen.slide.name
        copy.parent.mkdir(parents=True)
        shutil.copy(chosen.slide.parents[1] / "study.toml", copy.parents[1])
        if chosen.repeat > 1:
            repeated(chosen.slide, copy, chosen.repeat)
        else:
            shutil.copytree(chosen.slide, copy)
        for line in measured(copy):
            print(line, flush=True)


def measured(slide: Path):
    """One line a measurement."""
    import napari

    from macprox.slide import Slide
    from napari_macprox.desk import desk_in

    n_read = _count_pixels(Slide)
    started = time.perf_counter()
    viewer = napari.Viewer(show=True)
    desk = desk_in(viewer)
    review = desk.review
    _settle(viewer)
    yield f"empty window and desk: {time.perf_counter() - started:.1f} s, {_rss_mb():.0f} MB"
    seconds, cpu = _until(review.opened, lambda: review.open_slide(slide), viewer, n_frames=1)
    session = review.session
    n_cells = len(session.called.cells)
    yield (
        f"{n_cells} cells opened and first drawn: {seconds:.1f} s wall, {cpu:.1f} s CPU, "
        f"{n_read[0] / 1e6:.1f} Mpx read, {_rss_mb():.0f} MB"
    )
    seconds, _ = _until(review.answered, lambda: None, viewer)
    yield f"first answer after another {seconds:.1f} s, {_rss_mb():.0f} MB"
    yield f"zoom and pan: {_zooms(viewer, n_read)}"
    yield f"a gate dragged: {_drags(desk, viewer)}"
    review.rename_reviewer("benchmark")
    cell_id = int(session.called.cells["cell_id"].iloc[n_cells // 2])
    name = session.study.proximity.macrophages[0]
    seconds, cpu = _until(
        review.answered, lambda: review.do(lambda s: s.set_phenotype([cell_id], name)), viewer
    )
    yield f"one cell relabelled, saved, drawn and answered: {seconds:.2f} s wall, {cpu:.2f} s CPU"
    marker = next(iter(session.study.markers))
    value = session.called.gates.set_index("marker")["value"][marker] * 1.1
    seconds, cpu = _until(
        review.answered, lambda: review.do(lambda s: s.move_gate(marker, value)), viewer
    )
    yield f"a gate moved and answered: {seconds:.2f} s wall, {cpu:.2f} s CPU, {_rss_mb():.0f} MB"
    viewer.close()


def _count_pixels(kind: type) -> list[int]:
    """Of the slide's image, counted as they are asked for."""
    n_read, read = [0], kind.read

    def counted(self, *args, **kwargs):
        pixels = read(self, *args, **kwargs)
        n_read[0] += pixels.size
        return pixels

    kind.read = counted
    return n_read


def _until(signal, begin: Callable[[], object], viewer, n_frames: int = 3) -> tuple[float, float]:
    """Wall and CPU seconds until a signal came and what it changed was drawn."""
    from qtpy.QtWidgets import QApplication

    came: list[bool] = []
    signal.connect(lambda: came.append(True))
    wall, cpu = time.perf_counter(), time.process_time()
    begin()
    while not came:
        QApplication.processEvents()
        time.sleep(0.002)
        if time.perf_counter() - wall > PATIENCE_S:
            raise TimeoutError("the window did not answer")
    _settle(viewer, n_frames)
    return time.perf_counter() - wall, time.process_time() - cpu


def _settle(viewer, n_frames: int = 3) -> None:
    """A pyramid changes its level while it is drawn: the third frame is the picture."""
    from qtpy.QtWidgets import QApplication

    for _ in range(n_frames):
        QApplication.processEvents()
        viewer.screenshot(canvas_only=True, flash=False)


def _zooms(viewer, n_read: list[int]) -> str:
    before, times, places = n_read[0], [], np.random.default_rng(0)
    zoom, centre = viewer.camera.zoom, np.array(viewer.camera.center[1:])
    for step in range(N_STEPS):
        started = time.perf_counter()
        viewer.camera.zoom = zoom * 2.0 ** (step % 6)
        viewer.camera.center = (0, *(centre * places.uniform(0.4, 1.6, 2)))
        _settle(viewer)
        times.append(1000 * (time.perf_counter() - started) / 3)
    n_mpx = (n_read[0] - before) / 1e6 / N_STEPS
    return f"{median(times):.0f} ms a frame (worst {max(times):.0f}), {n_mpx:.1f} Mpx read a view"


def _drags(desk, viewer) -> str:
    from qtpy.QtWidgets import QApplication

    from napari_macprox.histogram import GateHistogram

    histogram = desk.turn_to("Gates").findChild(GateHistogram)
    session = desk.review.session
    marker = next(iter(session.study.markers))
    value = float(session.called.gates.set_index("marker")["value"][marker])
    viewer.reset_view()
    _settle(viewer)
    times = []
    for step in range(N_STEPS):
        started = time.perf_counter()
        histogram.dragged.emit(value * (0.8 + 0.03 * step))
        QApplication.processEvents()
        times.append(1000 * (time.perf_counter() - started))
    return f"{median(times):.0f} ms a step (worst {max(times):.0f})"


def _rss_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
