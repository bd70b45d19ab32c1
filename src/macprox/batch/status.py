"""How far the slides of a result folder are, read from what lies there; nothing is computed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from macprox.batch import journal
from macprox.errors import MacproxError, ResultError
from macprox.io.lock import is_taken
from macprox.io.store import STUDY_FILE, SlideFolder, read_manifest, slide_folder
from macprox.pipeline.marks import is_current
from macprox.quality import light_of
from macprox.study import Study

FINISHED, OUTDATED, FAILED = "finished", "outdated", "failed"
RUNNING, STOPPED, WAITING = "running", "stopped", "waiting"
STATES = (FINISHED, OUTDATED, RUNNING, STOPPED, FAILED, WAITING)
SEEN_S = 1.0  # a slide that took less was there already: it says nothing about the others


@dataclass(frozen=True)
class SlideStatus:
    """One slide.

    Parameters
    ----------
    slide_id : str
    state : str
        ``finished``; ``outdated``: its numbers are of another study or from before the last
        edits; ``running``; ``stopped``: begun, and nobody is at it; ``failed``; ``waiting``.
    stage : str
        What is being done, or was when it stopped.
    tiles_done, n_tiles : int
        Of that stage, where it counts tiles.
    seconds : float or None
        How long the slide took when it was last worked on.
    reason : str
        Why it failed.
    light : str
        ``green``, ``amber`` or ``red`` (`macprox.quality`), of a finished slide.
    """

    slide_id: str
    state: str
    stage: str = ""
    tiles_done: int = 0
    n_tiles: int = 0
    seconds: float | None = None
    reason: str = ""
    light: str = ""


@dataclass(frozen=True)
class BatchStatus:
    """A result folder.

    Parameters
    ----------
    slides : tuple of SlideStatus
        In the order of the run that is or was at work.
    n_at_work : int
        Processes that are working in the folder.
    seconds_left : float or None
        Until they are through, if slides go on taking as long as they did.
    """

    slides: tuple[SlideStatus, ...]
    n_at_work: int
    seconds_left: float | None

    @property
    def counts(self) -> dict[str, int]:
        """How many slides are in each state."""
        found = Counter(slide.state for slide in self.slides)
        return {state: found[state] for state in STATES}

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "counts": self.counts,
            "n_at_work": self.n_at_work,
            "seconds_left": self.seconds_left,
            "slides": [asdict(slide) for slide in self.slides],
        }


@dataclass
class _Told:
    """What the log says."""

    planned: list[str] = field(default_factory=list)  # by the last run
    stage: dict[str, Mapping[str, Any]] = field(default_factory=dict)  # the last of each slide
    seconds: dict[str, float] = field(default_factory=dict)
    paces: list[float] = field(default_factory=list)  # seconds a slide in the last run's parts


def batch_status(results: str | Path) -> BatchStatus:
    """How far the slides are that the last run was given, and all others in the folder.

    Raises
    ------
    ResultError
        If no run ever began there.
    """
    results = Path(results)
    told = _told(journal.read_journal(results))
    there = sorted(path.parent.name for path in (results / "slides").glob("*/manifest.json"))
    names = list(dict.fromkeys([*told.planned, *there]))
    if not names:
        raise ResultError(
            f"No run in {results}: expected slides/<slide_id>/ or {journal.LOG_FILE} below it. "
            "Give the folder that `macprox run` writes (its --out)."
        )
    study = Study.from_toml(results / STUDY_FILE)
    slides = tuple(_slide(study, slide_folder(results, name), told) for name in names)
    n_at_work = sum(slide.state == RUNNING for slide in slides)  # each is at one slide
    return BatchStatus(slides, n_at_work, _seconds_left(slides, told.paces, n_at_work))


def _told(events: Iterable[Mapping[str, Any]]) -> _Told:
    told = _Told()
    for event in events:
        slide_id = str(event.get("slide_id", ""))
        match event["event"]:
            case journal.RUN_BEGINS:
                planned = event.get("planned")
                if isinstance(planned, list) and planned != told.planned:
                    told.planned, told.paces = [str(name) for name in planned], []
            case journal.STAGE_BEGINS:
                told.stage[slide_id] = event
            case journal.SLIDE_ENDS | journal.SLIDE_FAILS:
                told.seconds[slide_id] = float(event.get("seconds", 0.0))
                if told.seconds[slide_id] >= SEEN_S:
                    told.paces.append(told.seconds[slide_id])
    return told


def _slide(study: Study, folder: SlideFolder, told: _Told) -> SlideStatus:
    name, last = folder.slide_id, told.stage.get(folder.slide_id, {})
    known = SlideStatus(name, WAITING, seconds=told.seconds.get(name))
    midway = replace(
        known,
        stage=str(last.get("stage", "")),
        tiles_done=_tiles_done(folder),
        n_tiles=int(last.get("n_tiles", 0)),
    )
    try:
        manifest = read_manifest(folder)
        if is_taken(folder):
            return replace(midway, state=RUNNING)
        if failure := manifest.get("failure"):
            return replace(known, state=FAILED, reason=str(failure))
        if not manifest.get("source"):
            return known
        if is_current(study, folder):
            return replace(known, state=FINISHED, light=light_of(manifest) or "")
    except MacproxError as error:
        return replace(known, state=FAILED, reason=" ".join(str(error).split()))
    if "analysis" in manifest["stages"]:
        return replace(known, state=OUTDATED)
    return replace(midway, state=STOPPED)


def _tiles_done(folder: SlideFolder) -> int:
    return sum(path.stem.isdigit() for path in folder.work.glob("tiles-*/*.npz"))


def _seconds_left(
    slides: Iterable[SlideStatus], paces: list[float], n_at_work: int
) -> float | None:
    """By the mean of what slides took; None while nobody works or none is through."""
    if not (paces and n_at_work):
        return None
    n_left = sum(slide.state in (RUNNING, STOPPED, WAITING, OUTDATED) for slide in slides)
    return n_left * sum(paces) / len(paces) / n_at_work
