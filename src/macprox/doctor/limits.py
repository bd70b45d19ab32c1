"""How much of the machine is lent to this process: cores and memory, by its control groups, too."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

ROOT = Path("/")


def lent_cores(root: Path = ROOT) -> float:
    """Cores that may be used at once: those of the machine, the affinity's, a quota's."""
    if hasattr(os, "sched_getaffinity"):
        cores = float(len(os.sched_getaffinity(0)))
    else:
        cores = float(os.cpu_count() or 1)
    for folder in _groups(root, "cpu"):
        quota = _words(folder / "cpu.max") or [
            *_words(folder / "cpu.cfs_quota_us"),
            *_words(folder / "cpu.cfs_period_us"),
        ]
        with suppress(ValueError, ZeroDivisionError):  # "max": no quota
            if len(quota) == 2 and float(quota[0]) > 0:
                cores = min(cores, float(quota[0]) / float(quota[1]))
    return cores


def lent_memory(root: Path = ROOT) -> int | None:
    """Bytes that can still be taken; None where nothing says so."""
    free = [_available(root)]
    for folder in _groups(root, "memory"):
        for most, used in (
            ("memory.max", "memory.current"),
            ("memory.limit_in_bytes", "memory.usage_in_bytes"),
        ):
            with suppress(ValueError, IndexError):  # "max", or no such file
                taken = int(_words(folder / used)[0]) - _given_back(folder)
                free.append(int(_words(folder / most)[0]) - taken)
    known = [number for number in free if number is not None]
    return max(min(known), 0) if known else None


def _given_back(folder: Path) -> int:
    """Bytes of files that the kernel keeps until somebody needs the room: they count as used."""
    for line in _text(folder / "memory.stat").splitlines():
        name, _, number = line.partition(" ")
        if name in ("inactive_file", "total_inactive_file") and number.isdigit():
            return int(number)
    return 0


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """Folders of this process's control groups and of those above them."""
    for line in _text(root / "proc/self/cgroup").splitlines():
        number, controllers, path = [*line.split(":", 2), "", ""][:3]
        if controllers and controller not in controllers.split(","):
            continue
        base = root / "sys/fs/cgroup" / ("" if number == "0" else controllers)
        own = base / path.strip("/")
        yield from (own, *(above for above in own.parents if above.is_relative_to(base)))


def _available(root: Path) -> int | None:
    for line in _text(root / "proc/meminfo").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None


def _words(path: Path) -> list[str]:
    return _text(path).split()


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
