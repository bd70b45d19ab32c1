"""Who reads what strangers wrote, and how each one's input is broken."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np

import macprox as mp
from fuzzing import samples, sound_results
from fuzzing.damage import damaged
from fuzzing.samples import Sample
from fuzzing.text_damage import damaged_json, damaged_json_lines, damaged_text
from fuzzing.tiff_damage import damaged_tiff
from macprox.edits import EditLog
from macprox.errors import PixelSizeError
from macprox.io.drawn_areas import read_drawn
from macprox.io.images import inspect_slide, open_slide
from macprox.io.label_file import open_label_file
from macprox.io.masks import read_mask
from macprox.io.samples import read_samples
from macprox.io.tables import read_cells
from macprox.phenotype.rules import parse_rule
from macprox.study import Study

READ_PX = 48  # a side of the regions that are read
MOST_READ = 8  # of levels and of channels

Step = Callable[[], object]


@dataclass(frozen=True)
class Target:
    """A kind of input.

    Parameters
    ----------
    name : str
    samples : callable
        Gives the sound inputs that damage begins with.
    steps : callable
        What is done with an input's path, one thing after the other; each may refuse it.
    share : int
        How many of a hundred inputs are of this kind.
    """

    name: str
    samples: Callable[[], tuple[Sample, ...]]
    steps: Callable[[Path], Iterable[Step]]
    share: int


def broken(target: Target, seed: int) -> Sample:
    """The input of a seed: a sound one with something wrong in one of its files, or in two."""
    rng = random.Random(f"{target.name}/{seed}")
    sound = rng.choice(target.samples())
    files = dict(sound.files)
    for name in rng.sample(sorted(files), k=min(len(files), rng.choice((1, 1, 1, 2)))):
        other = rng.choice(target.samples())
        donor = other.files[rng.choice(sorted(other.files))]
        files[name] = _broken_file(name, files[name], donor, rng)
        if len(files) > 1 and rng.random() < 0.05:
            del files[name]
    return Sample(sound.opened, files)


def _broken_file(name: str, data: bytes, donor: bytes, rng: random.Random) -> bytes:
    """Where the format of a file is known, more often by that than bytes alone."""
    if rng.random() < 0.35:
        return damaged(data, rng, donor)
    if data[:2] in (b"II", b"MM"):
        return damaged_tiff(data, rng)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return damaged(data, rng, donor)
    if name.endswith(".jsonl"):
        text = damaged_json_lines(text, rng)
    elif text[:1] in ("{", "[") and rng.random() < 0.8:
        text = damaged_json(text, rng)
    else:
        text = damaged_text(text, rng)
    return text.encode("utf-8", "surrogatepass")


def _slide_steps(path: Path) -> Iterator[Step]:
    yield partial(inspect_slide, path)
    opened: list[mp.Slide] = []

    def reopened() -> None:
        try:
            opened.append(open_slide(path))
        except PixelSizeError:
            opened.append(open_slide(path, pixel_size_um=0.5))

    yield reopened
    for slide in opened:
        yield partial(getattr, slide, "level_shapes")
        n_levels, n_channels = len(slide.level_shapes), len(slide.channels)
        for level, channel in product(
            range(min(n_levels, MOST_READ)), range(min(n_channels, MOST_READ))
        ):
            for y, x in _corners(slide.level_shapes[level]):
                yield partial(_read, slide, channel, y, x, level)


def _read(slide: mp.Slide, channel: int, y: slice, x: slice, level: int) -> None:
    pixels = slide.read(channel, y, x, level)
    assert pixels.shape == (y.stop - y.start, x.stop - x.start), pixels.shape


def _corners(shape: tuple[int, int]) -> list[tuple[slice, slice]]:
    height, width = shape
    first = slice(0, min(READ_PX, height)), slice(0, min(READ_PX, width))
    last = slice(max(0, height - READ_PX), height), slice(max(0, width - READ_PX), width)
    return [first, last]


def _label_steps(path: Path) -> Iterator[Step]:
    def read() -> None:
        labels = open_label_file(path, "nuclei")
        for y, x in _corners(labels.shape):
            labels.read(y, x)

    yield read


def _study_steps(path: Path) -> Iterator[Step]:
    def again() -> None:
        study = Study.from_toml(path)
        written = study.to_toml()
        assert Study.from_text(written) == study
        study.to_dict()

    yield again


def _rule_steps(path: Path) -> Iterator[Step]:
    text = path.read_bytes().decode("utf-8", "replace")

    def again() -> None:
        rule = parse_rule(text)
        assert parse_rule(str(rule)) == rule
        one_cell = np.ones(1, dtype=bool)
        markers, regions = (
            dict.fromkeys(names, one_cell) for names in (rule.markers, rule.regions)
        )
        rule.without_region().evaluate(markers, regions)

    yield again


def _region_steps(path: Path) -> Iterator[Step]:
    for kind in ("tumour", "exclusion", "tissue_window"):
        yield partial(read_drawn, path, 0.5, kind, (1000, 1000))


def _log_steps(path: Path) -> Iterator[Step]:
    log = EditLog(path)
    yield log.read
    yield lambda: (log.corrections().content(), log.corrections().by_reviewer())
    yield lambda: log.is_torn


def _result_steps(path: Path) -> Iterator[Step]:
    results: list[mp.SlideResult] = []
    yield lambda: results.append(mp.open_result(path))
    for result in results:
        for name in ("manifest", "study", "pixel_size_um", "slide_id"):
            yield partial(getattr, result, name)
        for name in ("cells", "gates", "statistics", "sensitivity", "calibration"):
            yield getattr(result, name)
        for name in ("regions", "artefacts", "window", "overview", "label_levels"):
            yield getattr(result, name)
        yield lambda result=result: result.labels("nuclei")[:READ_PX, :READ_PX].compute()


def _texts(kind: str) -> Callable[[], tuple[Sample, ...]]:
    return lambda: sound_results.texts()[kind]


TARGETS = {
    target.name: target
    for target in (
        Target("slide", samples.slides, _slide_steps, share=44),
        Target("labels", samples.label_images, _label_steps, share=4),
        Target("mask", samples.masks, lambda p: [partial(read_mask, p)], share=4),
        Target("study", _texts("study"), _study_steps, share=10),
        Target("rule", _texts("rules"), _rule_steps, share=6),
        Target("table", _texts("tables"), lambda p: [partial(read_cells, p, pixel_size_um=0.5)], 7),
        Target("samples", _texts("samples"), lambda p: [partial(read_samples, p)], share=3),
        Target("regions", _texts("drawn"), _region_steps, share=7),
        Target("log", _texts("log"), _log_steps, share=5),
        Target("result", sound_results.results, _result_steps, share=10),
    )
}
