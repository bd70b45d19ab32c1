"""Which slides a run is about, what they are called, and which of them are this process's."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from macprox.errors import MacproxError, SlideError, TableError
from macprox.io.images import find_slides, unique_slide_ids
from macprox.io.samples import is_sheet, read_sheet
from macprox.io.store import SlideFolder, read_manifest, slide_folder
from macprox.slide import Url, location


@dataclass(frozen=True)
class Selection:
    """Which of the slides that were named are worked on.

    Parameters
    ----------
    shard, n_shards : int
        This process takes every ``n_shards``-th slide, from the ``shard``-th (from 1) on: several
        processes, on machines that know nothing of each other, share a folder of slides so.
    retry_failed : bool
        Only slides whose last run failed.
    """

    shard: int = 1
    n_shards: int = 1
    retry_failed: bool = False

    @classmethod
    def of(cls, shard: str | None, retry_failed: bool = False) -> Selection:
        """From what a person writes: ``"3/8"`` is the third of eight.

        Raises
        ------
        MacproxError
            If it is not a part of a whole.

        Examples
        --------
        >>> Selection.of("3/8")
        Selection(shard=3, n_shards=8, retry_failed=False)
        """
        if shard is None:
            return cls(retry_failed=retry_failed)
        found = re.fullmatch(r"\s*(\d{1,9})\s*/\s*(\d{1,9})\s*", shard)
        number, n_shards = (int(part) for part in found.groups()) if found else (0, 0)
        if not 1 <= number <= n_shards:
            raise MacproxError(
                f"--shard expects a part of a whole such as 3/8, from 1/8 to 8/8; found {shard!r}."
            )
        return cls(number, n_shards, retry_failed)

    @property
    def is_part(self) -> bool:
        """Whether other processes work on the other slides."""
        return self.n_shards > 1

    def __str__(self) -> str:
        return f"{self.shard}/{self.n_shards}"


ALL = Selection()


@dataclass(frozen=True)
class Planned:
    """A slide, where its results go, and what a sample sheet says of it."""

    path: Path | Url
    folder: SlideFolder

    @property
    def slide_id(self) -> str:
        return self.folder.slide_id


@dataclass(frozen=True)
class Plan:
    """All slides of a run, and those that are this process's.

    Parameters
    ----------
    slides : tuple of Planned
        In the order of their paths; ids are unique among them whatever part is worked on.
    ours : tuple of Planned
    samples : DataFrame or None
        The sample sheet that named the slides, if one did.
    """

    slides: tuple[Planned, ...]
    ours: tuple[Planned, ...]
    samples: pd.DataFrame | None = None


def plan_run(
    slides: str | Path | Url | Iterable[str | Path | Url], out: Path, selection: Selection
) -> Plan:
    """Find the slides and name them.

    Parameters
    ----------
    slides : path or iterable of paths
        Slide files, folders of slides, globs, addresses of OME-Zarr, and sample sheets (``.csv``)
        with the columns ``slide_id`` and ``path``; relative paths begin where the sheet lies.
    out : Path
    selection : Selection

    Raises
    ------
    SlideError, TableError
        If one is not there, or two slides would have one name.
    """
    given = [slides] if isinstance(slides, str | Path | Url) else list(slides)
    sheets = [read_sheet(str(path)) for path in given if is_sheet(path)]
    others = [path for path in given if not is_sheet(path)]
    named = [_the_slide(*row) for sheet in sheets for row in _rows(sheet)]
    listed = {path for path, _ in named}
    found = [path for path in find_slides(others) if path not in listed] if others else []
    named += zip(found, unique_slide_ids(found), strict=True)
    named.sort(key=lambda one: str(one[0]))
    _refuse_shared_names([name for _, name in named])
    planned = tuple(Planned(path, slide_folder(out, name)) for path, name in named)
    ours = planned[selection.shard - 1 :: selection.n_shards]
    if selection.retry_failed:
        ours = tuple(one for one in ours if has_failed(one.folder))
    return Plan(planned, ours, pd.concat(sheets, ignore_index=True) if sheets else None)


def _rows(sheet: pd.DataFrame) -> Iterable[tuple[str, str]]:
    return zip(sheet["slide_id"], sheet["path"], strict=True)


def _the_slide(name: str, place: str) -> tuple[Path | Url, str]:
    try:
        found = find_slides(place)
    except SlideError:
        return location(place), name  # told when its turn comes: it must not cost the others
    if len(found) > 1:
        raise TableError(
            f"The sample sheet gives {place} for slide {name!r}, which holds {len(found)} slides; "
            "expected one a row."
        )
    return found[0], name


def _refuse_shared_names(names: list[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name.casefold() in seen:  # some file systems cannot tell them apart
            raise TableError(
                f"Two slides would be called {name!r}; give each a slide_id of its own in one "
                "sample sheet."
            )
        seen.add(name.casefold())


def has_failed(folder: SlideFolder) -> bool:
    """Whether the last run of this slide ended with a failure, or left a manifest that is none."""
    try:
        return "failure" in read_manifest(folder)
    except MacproxError:
        return True
