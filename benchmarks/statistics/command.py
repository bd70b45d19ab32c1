"""Time every registered benchmark beside its peers; print a table each."""

from __future__ import annotations

import argparse
import logging
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

# Imported for what they register.
from benchmarks.statistics import distances, graph_functions, pair_functions, peers  # noqa: F401
from benchmarks.statistics.registry import REGISTERED, Benchmark, Contest, Missing
from benchmarks.statistics.slides import BenchmarkSlide
from benchmarks.statistics.timing import Spent, added_mb, added_mb_alone, in_turn, once

OURS = "macprox"
FEW_CELLS = 3000  # everything is compiled on so many


def main() -> None:
    """Parse and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", help="parts of names", default=[""])
    parser.add_argument("--cells", type=int, nargs="+", help="only these sizes")
    parser.add_argument("--most-cells", type=int, default=1_000_000)
    parser.add_argument("--kind", choices=("even", "nests"), default="nests")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--no-memory", action="store_true", help="leave out peak memory")
    parser.add_argument("--peak-of", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peak_of:
        peers.ASKED = False
        print(_added_mb(REGISTERED[options.peak_of], options.cells[0], options.kind))
        return
    warnings.simplefilter("ignore")  # of peers, as are the messages
    logging.disable(logging.INFO)
    for name, found in REGISTERED.items():
        if any(part in name for part in options.only):
            sizes = [n for n in found.n_cells if n <= options.most_cells]
            for n_cells in options.cells or sizes:
                print(f"\n{name}, {n_cells:,} cells, {options.kind}", flush=True)
                table = pd.DataFrame(_rows(found, n_cells, options))
                print(table.to_string(index=False, na_rep=""), flush=True)


def _rows(found: Benchmark, n_cells: int, options: argparse.Namespace) -> list[dict[str, Any]]:
    few = found.contest(BenchmarkSlide.of(FEW_CELLS, options.kind))
    for method in _present(few).values():
        method()
    contest = found.contest(BenchmarkSlide.of(n_cells, options.kind))
    for peer, method in contest.others.items():
        if isinstance(method, Missing):
            print(f"without {peer}: {method.why}", flush=True)
    methods = _present(contest)
    first = _checked(contest, methods)
    spent = in_turn(methods, first, options.repeats)
    rows = []
    for name, taken in spent.items():
        row = {"method": name, **taken._asdict()}
        row = {key: round(v, 4) if isinstance(v, float) else v for key, v in row.items()}
        if name == OURS:
            row["bar"] = f"{found.seconds[n_cells]:g} s" if n_cells in found.seconds else ""
            if not options.no_memory:
                peak = added_mb_alone(found.name, n_cells, options.kind)
                row["peak_mb_per_million"] = round(peak / n_cells * 1e6)
        else:
            row["ratio_cpu"] = round(taken.cpu_s / spent[OURS].cpu_s, 1)
            row["ratio_wall"] = round(taken.wall_s / spent[OURS].wall_s, 1)
            bar = found.bars.get((name, n_cells))
            row["bar"] = f"{bar:g} x" if bar else ""
        rows.append(row)
    return rows


def _present(contest: Contest) -> dict[str, Callable[[], Any]]:
    others = {name: m for name, m in contest.others.items() if not isinstance(m, Missing)}
    return {OURS: contest.ours, **others}


def _checked(contest: Contest, methods: Mapping[str, Callable[[], Any]]) -> dict[str, Spent]:
    """The first time of each, once its answer is ours."""
    answers, first = {}, {}
    for name, method in methods.items():
        answers[name], first[name] = once(method)
        if name != OURS:
            contest.check(name, answers[OURS], answers.pop(name))
    return first


def _added_mb(found: Benchmark, n_cells: int, kind: str) -> float:
    found.contest(BenchmarkSlide.of(FEW_CELLS, kind)).ours()
    return added_mb(found.contest(BenchmarkSlide.of(n_cells, kind)).ours)
