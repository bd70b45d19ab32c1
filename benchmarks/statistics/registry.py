"""What is compared: a benchmark is a function from a slide to a `Contest`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmarks.statistics.slides import BenchmarkSlide

Method = Callable[[], Any]


@dataclass(frozen=True)
class Missing:
    """A peer that cannot take part, and why."""

    why: str


@dataclass(frozen=True)
class Contest:
    """One statistic of one slide by us and by others.

    ``check(name, ours, theirs)`` raises an AssertionError unless both mean the same; where a peer
    computes something else under the name, it says so and compares what can be compared.
    """

    ours: Method
    others: Mapping[str, Method | Missing]
    check: Callable[[str, Any, Any], None]


@dataclass(frozen=True)
class Benchmark:
    """A registered benchmark."""

    name: str
    contest: Callable[[BenchmarkSlide], Contest]
    n_cells: tuple[int, ...]
    # At least so many times cheaper in CPU than a peer, at so many cells.
    bars: Mapping[tuple[str, int], float] = field(default_factory=dict)
    # At most so many seconds of wall time, at so many cells.
    seconds: Mapping[int, float] = field(default_factory=dict)


REGISTERED: dict[str, Benchmark] = {}


def benchmark(
    name: str,
    n_cells: tuple[int, ...],
    bars: Mapping[tuple[str, int], float] | None = None,
    seconds: Mapping[int, float] | None = None,
) -> Callable[[Callable[[BenchmarkSlide], Contest]], Callable[[BenchmarkSlide], Contest]]:
    """Register a function from a slide to a contest under a name."""

    def register(
        contest: Callable[[BenchmarkSlide], Contest],
    ) -> Callable[[BenchmarkSlide], Contest]:
        REGISTERED[name] = Benchmark(name, contest, n_cells, bars or {}, seconds or {})
        return contest

    return register
