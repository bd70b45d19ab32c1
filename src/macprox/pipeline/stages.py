"""Which stages are done: a stage's fingerprint covers everything that its output depends on."""

from __future__ import annotations

import hashlib
import json
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from macprox import __version__
from macprox.io.store import SlideFolder, read_manifest, write_manifest
from macprox.quality import light_of

REPORTED_PACKAGES = (
    "numpy",
    "scipy",
    "scikit-image",
    "tifffile",
    "zarr",
    "dask",
    "numba",
    "pandas",
    "shapely",
)


def fingerprint(*parts: Any) -> str:
    """Hash of anything JSON can hold, and of macprox's version: newer code redoes old results."""
    text = json.dumps([__version__, *parts], sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def versions() -> dict[str, str]:
    """What computed this: macprox, Python and the packages whose numbers we use."""
    found = {"macprox": __version__, "python": platform.python_version()}
    for name in REPORTED_PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


@dataclass
class Ledger:
    """The manifest while a slide is being worked on; every change is written at once."""

    folder: SlideFolder
    manifest: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def open(cls, folder: SlideFolder) -> Ledger:
        return cls(folder, read_manifest(folder))

    def is_done(self, stage: str, mark: str) -> bool:
        """Whether a stage was finished from exactly these inputs."""
        return self.manifest["stages"].get(stage, {}).get("fingerprint") == mark

    def note(self, **facts: Any) -> None:
        """Write facts into the manifest."""
        self.manifest.update(facts)
        write_manifest(self.folder, self.manifest)

    def note_light(self) -> None:
        """Write the slide's light, if it is another than before."""
        light = light_of(self.manifest)
        if self.manifest.get("light") != light:
            self.note(light=light)

    @contextmanager
    def stage(self, name: str, mark: str) -> Iterator[None]:
        """Do a stage: not done while inside, done once the block ends well."""
        if self.manifest["stages"].pop(name, None) is not None:
            self.note()
        started = time.perf_counter()
        yield
        self.manifest["stages"][name] = {
            "fingerprint": mark,
            "seconds": round(time.perf_counter() - started, 3),
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        self.note(versions=versions())
