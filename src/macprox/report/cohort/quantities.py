"""What a statistic is called between patients, its unit, and how its numbers are printed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from macprox.printable import printable
from macprox.report.numbers import DASH, NBSP, count_text, is_number, percent_text, significant_text

WHOLE = ("", "all")
NOTHING = 1e-12  # what rounding leaves of a zero
SHARE, POINTS, LOG2, COUNT, PLAIN = "share", "points", "log2", "count", "plain"


class Key(NamedTuple):
    """One measured quantity; ``r_um`` is -1 where no radius is meant, since NaN equals nothing."""

    claim: str
    statistic: str
    source: str
    target: str
    region: str
    compartment: str
    r_um: float

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Key:
        """The key of a row of a table, or of the primary test in ``cohort.json``."""
        radius = row.get("r_um")
        text = {name: printable(str(row.get(name) or "")) for name in cls._fields[:-1]}
        return cls(**text, r_um=round(float(radius), 6) if is_number(radius) else -1.0)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Quantity:
    """How the numbers of one statistic are printed.

    Parameters
    ----------
    words : str
        What is measured, for tables and sentences.
    axis : str
        The label of its axis, with the unit.
    kind : str
        ``share`` and ``points`` are fractions printed as percent and percentage points.
    unit : str
    """

    words: str
    axis: str
    kind: str = PLAIN
    unit: str = ""

    def value(self, number: float) -> str:
        """A patient's value or a group's mean."""
        if not is_number(number):
            return DASH
        if self.kind == SHARE:
            return percent_text(number)
        if self.kind == COUNT and float(number).is_integer():
            return count_text(number)
        return self.difference(number) if self.kind in (POINTS, LOG2) else self._plain(number)

    def difference(self, number: float) -> str:
        """A difference of two values, signed, with its unit."""
        unit = "pp" if self.kind in (SHARE, POINTS) else self.unit
        return self.signed(number) + (f"{NBSP}{unit}" if unit and is_number(number) else "")

    def signed(self, number: float) -> str:
        """The same without its unit, where the unit was said already."""
        if not is_number(number):
            return DASH
        number = 0.0 if abs(number) < NOTHING else number
        if self.kind in (SHARE, POINTS):
            return _signed(f"{100 * float(number):+.1f}")
        if self.kind == LOG2:
            return _signed(f"{float(number):+.2f}")
        return ("+" if number > 0 else "") + significant_text(number)

    def tick(self, number: float) -> str:
        """A number at an axis, whose label carries the unit."""
        scaled = 100 * number if self.kind in (SHARE, POINTS) else number
        return f"{scaled:,.4g}".replace("-", "−") if abs(scaled) > 1e-9 else "0"

    def _plain(self, number: float) -> str:
        return significant_text(number) + (f"{NBSP}{self.unit}" if self.unit else "")


PLAIN_NUMBER = Quantity("", "")  # of a test whose effect has no unit
_SHARE_AXIS = "share with one near (%)"
_KNOWN = {
    "g": Quantity("share with one within r", _SHARE_AXIS, SHARE),
    "g_expected": Quantity("expected share", "expected share (%)", SHARE),
    "g_excess": Quantity(
        "share with one within r, observed − expected",
        "observed − expected\n(percentage points)",
        POINTS,
    ),
    "g_excess_preference": Quantity(
        "preference: the first class's excess minus the second's",
        "difference of excesses\n(percentage points)",
        POINTS,
    ),
    "lineage_share": Quantity("share of the resident class", "resident share (%)", SHARE),
    "lineage_share_vs_adjacent": Quantity(
        "share of the resident class, tumour − adjacent tissue",
        "tumour − adjacent\n(percentage points)",
        POINTS,
    ),
    "g_excess_lineage": Quantity(
        "share with one within r, observed − expected among both lineages",
        "observed − expected\n(percentage points)",
        POINTS,
    ),
    "nearest_mean_um": Quantity("mean distance to the nearest", "nearest (µm)", unit="µm"),
    "nearest_excess_um": Quantity(
        "mean distance to the nearest, observed − expected",
        "observed − expected (µm)",
        unit="µm",
    ),
    "periphery_share_excess": Quantity(
        "share at the periphery, minus the periphery's share of the area",
        "periphery − its area\n(percentage points)",
        POINTS,
    ),
    "log2_periphery_core": Quantity(
        "density at the periphery over the core, log2", "log2 (periphery : core)", LOG2
    ),
    "log2_ratio": Quantity("ratio of densities, log2", "log2 (ratio)", LOG2),
    "marker_difference": Quantity(
        "marker level, near − far (sd)", "marker level,\nnear − far (sd)", unit="sd"
    ),
    "regulatory_per_mm2": Quantity(
        "regulatory T cells per mm²", "regulatory T cells\nper mm²", unit="per mm²"
    ),
    "n_lesions": Quantity("number of lesions", "lesions", COUNT),
    "lesion_area_mm2": Quantity("area of a lesion (mm²)", "lesion area (mm²)", unit="mm²"),
    "tumour_mm2": Quantity("tumour area (mm²)", "tumour area (mm²)", unit="mm²"),
    "density_per_mm2": Quantity("cells per mm²", "cells per mm²", unit="per mm²"),
}


def quantity(statistic: str) -> Quantity:
    """How this statistic is called and printed; of an unknown one, by its name's ending."""
    if statistic in _KNOWN:
        return _KNOWN[statistic]
    words = statistic
    for ending, unit in (("_per_mm2", "per mm²"), ("_mm2", "mm²"), ("_um2", "µm²"), ("_um", "µm")):
        if statistic.endswith(ending):
            words = statistic.removesuffix(ending).replace("_", " ")
            return Quantity(f"{words} ({unit})", f"{words} ({unit})", unit=unit)
    words = words.replace("_", " ")
    if "fraction" in words or "share" in words.split():
        return Quantity(words, f"{words} (%)", SHARE)
    return Quantity(words, words, LOG2 if words.startswith("log2 ") else PLAIN)


def place(key: Key) -> str:
    """``"core, epithelium"``; empty for the whole."""
    return ", ".join(p.replace("_", " ") for p in (key.region, key.compartment) if p not in WHOLE)


def about(key: Key) -> str:
    """Whose quantity it is: source and target, radius and place; without the quantity's name."""
    if key.statistic.startswith("lineage_share") and key.target:
        who = f"{key.source} among {key.source} and {key.target}"
    elif key.statistic == "marker_difference":
        who = f"{key.source}, near and far from {key.target}"
    elif key.statistic == "log2_ratio":
        who = f"{key.source} : {key.target}"
    else:
        who = " → ".join(name for name in (key.source, key.target) if name not in WHOLE)
    radius = f"{key.r_um:g}{NBSP}µm" if key.r_um >= 0 else ""
    return ", ".join(part for part in (who, radius, place(key)) if part)


def title(key: Key) -> str:
    """A panel's title: whose, or what where it is nobody's."""
    return about(key) or quantity(key.statistic).words


def _signed(text: str) -> str:
    return "0" + text[2:] if float(text) == 0 and text[0] in "+-" else text.replace("-", "−")
