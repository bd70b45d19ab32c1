"""Python, macprox and what it needs: there, new enough, and as tested or not."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from macprox import __version__
from macprox.doctor.finding import NOTE, Finding, problem

if TYPE_CHECKING:
    from packaging.requirements import Requirement

# Extras that users choose, and what each is for.
EXTRAS = {
    "napari": "the review window",
    "anndata": "AnnData files",
    "spatialdata": "SpatialData stores",
    "fcs": "FCS for flow cytometry programs",
    "cluster": "--scheduler and --processes",
    "jobqueue": "clusters under SLURM, PBS or LSF",
    "stardist": 'method = "stardist"',
    "cellpose": 'method = "cellpose"',
    "instanseg": 'method = "instanseg"',
}
_AGAIN = 'pip install --upgrade "macprox"'
# Beside the source only: hatch would copy it into site-packages of an editable installation, where
# a folder macprox without code would stay behind.
_CONSTRAINTS = Path(__file__).resolve().parents[3] / "constraints.txt"


def versions() -> Iterator[Finding]:
    """Python and system, the dependencies, what was tested, the extras."""
    yield _interpreter()
    try:
        required = _required()
    except ImportError:  # what compares versions is itself missing
        yield problem("dependencies", "packaging is missing", _AGAIN)
        return
    if not required:
        yield Finding(
            "dependencies",
            "unknown: macprox runs from its source and is not installed",
            NOTE,
            "pip install -e . in the folder that holds pyproject.toml",
        )
        return
    yield _dependencies(required.get("", []))
    yield _tested(required.get("", []))
    yield _extras(required)


def _interpreter() -> Finding:
    words = f"macprox {__version__}, Python {platform.python_version()}, {platform.platform()}"
    facts = {
        "macprox": __version__,
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "environment": "virtual" if sys.prefix != sys.base_prefix else "system or conda",
    }
    return Finding("versions", words, facts=facts)


def _required() -> dict[str, list[Requirement]]:
    """What each extra needs by what is installed here; under "" what every analysis needs."""
    from packaging.requirements import Requirement

    try:
        lines = metadata.requires("macprox") or []
        extras = metadata.metadata("macprox").get_all("Provides-Extra") or []
    except metadata.PackageNotFoundError:
        return {}
    wanted: dict[str, list[Requirement]] = {}
    for needed in map(Requirement, lines):
        for extra in ("", *extras):
            marker = needed.marker
            of_all = marker is None or marker.evaluate({"extra": ""})
            if of_all != (extra == "") or (marker and not marker.evaluate({"extra": extra})):
                continue
            wanted.setdefault(extra, []).append(needed)
    return wanted


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _lacking(required: list[Requirement]) -> list[str]:
    lacking = []
    for needed in required:
        found = _installed(needed.name)
        if found is None:
            lacking.append(f"{needed.name} is missing")
        elif not needed.specifier.contains(found, prereleases=True):
            lacking.append(f"{needed.name} is {found}, and macprox takes {needed.specifier}")
    return lacking


def _dependencies(required: list[Requirement]) -> Finding:
    lacking = _lacking(required)
    if lacking:
        return problem("dependencies", "; ".join(lacking), _AGAIN)
    here = {needed.name: _installed(needed.name) for needed in required}
    return Finding("dependencies", f"all {len(here)} are there, in versions that fit", facts=here)


def _tested(required: list[Requirement]) -> Finding:
    """Whether the versions are those that a release was tested with."""
    pins = _pins()
    if not pins:
        return Finding("tested versions", "not known: installed without its source")
    others = {
        needed.name: (found, pins[needed.name])
        for needed in required
        if (found := _installed(needed.name)) and pins.get(needed.name, found) != found
    }
    if not others:
        return Finding("tested versions", "the very ones that macprox was tested with")
    named = [f"{name} {found} (tested: {pin})" for name, (found, pin) in others.items()]
    more = f" and {len(named) - 4} more" if len(named) > 4 else ""
    return Finding(
        "tested versions",
        f"others than tested: {', '.join(named[:4])}{more}",
        NOTE,
        "nothing, if the self-test is ok; else pip install -c constraints.txt macprox",
        facts={name: {"found": found, "tested": pin} for name, (found, pin) in others.items()},
    )


def _pins() -> dict[str, str]:
    """The tested version of each package, for this Python and system."""
    from packaging.requirements import Requirement

    if not _CONSTRAINTS.exists():
        return {}
    pins = {}
    for line in _CONSTRAINTS.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            pinned = Requirement(line)
            if pinned.marker is None or pinned.marker.evaluate():
                pins[pinned.name] = str(pinned.specifier).removeprefix("==")
    return pins


def _extras(required: dict[str, list[Requirement]]) -> Finding:
    offered = {extra: what for extra, what in EXTRAS.items() if extra in required}
    lacking = {extra: _lacking(required[extra]) for extra in offered}
    present = [extra for extra in offered if not lacking[extra]]
    absent = [f"{extra} ({what})" for extra, what in offered.items() if lacking[extra]]
    words = f"there: {', '.join(present) or 'none'}; not there: {', '.join(absent) or 'none'}"
    return Finding("extras", words, facts={e: lacking[e] or "there" for e in offered})
