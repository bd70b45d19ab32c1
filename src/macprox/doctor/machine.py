"""Folders, memory, cores, settings and text encoding of this computer."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from macprox.doctor.finding import NOTE, PROBLEM, Finding, private, problem
from macprox.doctor.limits import lent_cores, lent_memory

GB = 1e9
# Ours: the results of a sample slide, 1,024 px wide, take 14 MB; labels grow with the slide.
LEAST_DISK_GB, ENOUGH_DISK_GB = 0.1, 5.0
# Peak memory on two threads was 0.8 to 1.4 GB (docs/segmentation.md), whatever the slide's size.
LEAST_MEMORY_GB, ENOUGH_MEMORY_GB = 0.5, 2.0
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def machine(folder: Path) -> Iterator[Finding]:
    """Where to write, how much memory and how many cores, what settings say."""
    yield _writable("results folder", folder, "give a folder of yours with --out")
    yield _temporary()
    yield _compiled()
    yield _memory()
    yield _cores()
    yield _settings()
    yield _encoding()


def _writable(about: str, folder: Path, remedy: str) -> Finding:
    """Whether a file can be written, and how much more."""
    shown = private(str(folder.resolve()))
    nearest = next((path for path in (folder, *folder.resolve().parents) if path.exists()), folder)
    reason = _why_not(nearest)
    if reason:
        return problem(about, f"{shown} cannot be written ({reason})", remedy)
    free_gb = shutil.disk_usage(nearest).free / GB
    words = f"{shown}: {free_gb:.1f} GB free"
    facts = {"path": shown, "free_gb": round(free_gb, 1)}
    if free_gb < LEAST_DISK_GB:
        return Finding(about, words, PROBLEM, "free some space there", True, facts)
    if free_gb < ENOUGH_DISK_GB:
        return Finding(about, words, NOTE, "make room before a batch of slides", facts=facts)
    return Finding(about, words, facts=facts)


def _why_not(folder: Path) -> str:
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"macprox")
    except OSError as error:
        return error.strerror or type(error).__name__
    return ""


def _temporary() -> Finding:
    remedy = "set TMPDIR to a folder that you can write to"
    try:
        folder = Path(tempfile.gettempdir())
    except FileNotFoundError:
        return problem("temporary folder", "there is none that can be written", remedy)
    return _writable("temporary folder", folder, remedy)


def _compiled() -> Finding:
    """Where numba keeps what it compiled: without such a place macprox does not even import."""
    about = "compiled code"
    asked = os.environ.get("NUMBA_CACHE_DIR")
    own = Path(__file__).resolve().parents[1]
    user = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    for folder in [Path(asked)] if asked else [own, user]:
        nearest = next((p for p in (folder, *folder.resolve().parents) if p.exists()), folder)
        if not _why_not(nearest):
            return Finding(about, f"kept under {private(str(folder))}")
    return problem(
        about,
        f"cannot be kept: {private(asked or f'{own} and {user}')} cannot be written",
        "set NUMBA_CACHE_DIR to a folder that you can write to",
    )


def _memory() -> Finding:
    free = lent_memory()
    if free is None:
        return Finding("memory", "this system does not say how much is free")
    words, facts = f"{free / GB:.1f} GB can be taken", {"free_gb": round(free / GB, 1)}
    if free < LEAST_MEMORY_GB * GB:
        return Finding("memory", words, PROBLEM, "close other programs", True, facts)
    if free < ENOUGH_MEMORY_GB * GB:
        return Finding("memory", words, NOTE, "run with --workers 1 --tile 1024", facts=facts)
    return Finding("memory", words, facts=facts)


def _cores() -> Finding:
    there, lent = os.cpu_count() or 1, lent_cores()
    words, facts = f"{lent:g} of {there} can be used", {"lent": lent, "there": there}
    if lent < there:
        # the default of --workers is every core of the machine
        remedy = f"run with --workers {max(1, int(lent))}: more only take turns"
        return Finding("cores", words, NOTE, remedy, facts=facts)
    return Finding("cores", words, facts=facts)


def _settings() -> Finding:
    names = [*_THREADS, *sorted(name for name in os.environ if name.startswith("DASK_"))]
    facts = {name: private(os.environ[name]) for name in names if name in os.environ}
    if os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0"):
        return problem(
            "settings",
            "NUMBA_DISABLE_JIT is set: an analysis would take a hundred times as long",
            "unset NUMBA_DISABLE_JIT",
        )
    said = ", ".join(f"{name}={value}" for name, value in facts.items())
    return Finding("settings", said or "no variable changes threads", facts=facts)


def _encoding() -> Finding:
    files, output = sys.getfilesystemencoding(), getattr(sys.stdout, "encoding", None) or "none"
    words = f"file names {files}, output {output}"
    if {files.lower(), output.lower()} - {"utf-8", "utf8"}:
        remedy = "set PYTHONUTF8=1: names with µ or accents may not come through"
        return Finding("text", words, NOTE, remedy)
    return Finding("text", words)
