"""Nucleus accuracy of every method on the same images.

    python -m benchmarks.nuclei --part tune
    python -m benchmarks.nuclei --part all --by part group --methods textbook watershed
    python -m benchmarks.nuclei --part held_out --release 0.3.0

Prints one table; with --release, one line a method is appended to `../scores.jsonl` as well.
"""

from __future__ import annotations

import argparse

import pandas as pd
from benchmarks.nuclei import images, methods, releases
from benchmarks.nuclei.scores import count_images, tabulate


def table(counted: dict[str, pd.DataFrame], by: str) -> pd.DataFrame:
    """Scores, rows (value of ``by``, method)."""
    parts = {name: tabulate(of, by) for name, of in counted.items()}
    merged = pd.concat(parts, names=["method", by]).swaplevel()
    return merged.sort_index(level=0, sort_remaining=False)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    described = argparse.ArgumentParser(
        prog="python -m benchmarks.nuclei", description=__doc__.splitlines()[0]
    )
    add = described.add_argument
    add("--part", choices=("tune", "held_out", "all"), default="tune")
    add("--set", choices=("dsb", "stardist"), default="dsb", dest="of_set")
    add("--n", type=int, help="this many images at random, the same ones every time")
    add("--methods", nargs="+", help="default: all that run here")
    add("--by", default="part", choices=("part", "group", "tissue_like"), help="one line a value")
    add("--release", metavar="NAME", help="append the scores to scores.jsonl")
    return described


def main(arguments: list[str] | None = None) -> None:
    """Measure, print, keep."""
    asked = parser().parse_args(arguments)
    if asked.release and asked.n:
        parser().error("--release needs every image of its part: leave --n out")
    rows = images.rows(asked.part, asked.of_set, asked.n)
    chosen, absent = methods.available(asked.methods)
    for name, why in absent.items():
        print(f"{name}: not compared, {why}")
    counted = {name: count_images(method, rows) for name, method in chosen.items()}
    with pd.option_context("display.width", 250, "display.max_columns", 30):
        print(table(counted, asked.by).round(3).to_string())
    if asked.release:
        releases.append(asked.release, asked.part, counted)
