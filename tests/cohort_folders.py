"""Saved folders of cohorts, as `macprox cohort` leaves them, with numbers that follow each other.

Tests of groups are Welch's here: the report shows what is saved and does not care which test it is.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from math import comb
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from macprox.cohort.columns import ASSOCIATION, BETWEEN, SURVIVAL
from macprox.cohort.cox import PERMUTED
from macprox.cohort.life_table import HIGH, LOW
from macprox.cohort.sample_size import CAUTIOUS, POOLED

KEY = ("claim", "statistic", "source", "target", "region", "compartment", "r_um")
TRM, MDM, TREG = "AM/TRM-like", "Mo-mac-like", "Treg"
RADII = (10.0, 20.0, 30.0, 50.0, 100.0)
TITLES = {
    "C1": "Tumour cells with a resident macrophage nearby",
    "C2": "Macrophages at the periphery and in the core",
    "C3": "Who replaces the resident macrophages",
    "C4": "Regulatory T cells near resident macrophages",
    "C5": "Tumour marker near resident macrophages",
    "C6": "Lesions and their cells",
    "C7": "Regulatory T cells and the size of lesions",
}
HOSTILE = '<script>alert("1")</script> $\\frac{a}{b}$ =cmd() & "quoted"'


@dataclass
class Cohort:
    """What is written: arms (group to number of patients) and the names in it."""

    arms: dict[str, int] = field(default_factory=lambda: {"early": 8, "late": 8})
    group: str | None = "stage"
    resident: str = TRM
    recruited: str = MDM
    regulatory: str = TREG
    prefix: str = "P"
    seed: int = 1
    effect: float = 0.08

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)
        names = [name for name, n in self.arms.items() for _ in range(n)]
        self.patients = pd.DataFrame(
            {"patient": [f"{self.prefix}{i + 1}" for i in range(len(names))], "arm": names}
        )

    # -- values and tests ------------------------------------------------------------------

    def draw(self, mean: float, step: float, sd: float) -> np.ndarray:
        """A number a patient; each arm lies ``step`` beyond the one before it."""
        place = {name: i for i, name in enumerate(self.arms)}
        return self.rng.normal([mean + step * place[a] for a in self.patients["arm"]], sd)

    def value_rows(self, key: dict, numbers: np.ndarray) -> list[dict]:
        full = {**dict.fromkeys(KEY, ""), "r_um": np.nan, **key}
        return [
            {"patient": p, **full, "value": v, "value_unweighted": 0.97 * v, "n_slides": 2,
             "n_lesions": 3, "weight": 400.0,
             "reason": "" if np.isfinite(v) else "no such cell on any slide"}
            for p, v in zip(self.patients["patient"], numbers, strict=True)
        ]  # fmt: skip

    def test_rows(self, key: dict, numbers: np.ndarray, primary: bool = False) -> list[dict]:
        full = {**dict.fromkeys(KEY, ""), "r_um": np.nan, **key}
        names = list(self.arms) if self.group else []
        pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
        if not self.group:
            return []
        return [
            {**full, "group": self.group, **_welch(self._arm(a, numbers), self._arm(b, numbers)),
             "contrast": f"{b} - {a}", "question": BETWEEN, "test": "studentised permutation",
             "seed": 0,
             "primary": primary and i == 0}
            for i, (a, b) in enumerate(pairs)
        ]  # fmt: skip

    def _arm(self, name: str, numbers: np.ndarray) -> np.ndarray:
        kept = numbers[(self.patients["arm"] == name).to_numpy()]
        return kept[np.isfinite(kept)]

    # -- the tables ------------------------------------------------------------------------

    def quantities(self):
        """(key, numbers) of every quantity of every claim; the primary one first."""
        for target, step in ((self.resident, -self.effect), (self.recruited, 0.02)):
            excess = self.draw(0.09, step, 0.03)
            for r in (20.0, 10.0, 30.0, 50.0, 100.0):
                expected = np.clip(self.draw(0.2 + r / 400, 0.0, 0.04), 0.02, 0.9)
                pair = {"claim": "C1", "source": "Tumour", "target": target, "r_um": r}
                grown = excess * (r / 20) ** 0.5
                yield {**pair, "statistic": "g_excess"}, grown
                yield {**pair, "statistic": "g"}, expected + grown
                yield {**pair, "statistic": "g_expected"}, expected
        for source, step in ((self.resident, 1.3), (self.recruited, -0.2)):
            yield (
                {"claim": "C2", "statistic": "log2_periphery_core", "source": source},
                self.draw(-0.2, step, 0.6),
            )
        pair = {"source": self.resident, "target": self.recruited}
        inside = {}
        for region, compartment, mean in (
            ("tumour", "", 0.55), ("core", "epithelium", 0.5), ("core", "stroma", 0.45),
            ("inner_margin", "stroma", 0.5), ("distant", "", 0.75),
        ):  # fmt: skip
            step = -0.02 if region == "distant" else -0.25
            share = 1 / (1 + np.exp(-(self.draw(mean, step, 0.1) - 0.5) * 4))
            if region == "core" and compartment == "stroma":
                share[0] = np.nan
            inside[region] = share
            place = {"region": region, "compartment": compartment}
            yield {"claim": "C3", "statistic": "lineage_share", **pair, **place}, share
        yield (
            {"claim": "C3", "statistic": "lineage_share_vs_adjacent", **pair, "region": "tumour"},
            inside["tumour"] - inside["distant"],
        )
        near = {}
        for target, mean in ((self.resident, 0.1), (self.recruited, 0.03)):
            near[target] = self.draw(mean, -0.02, 0.05)
            key = {"claim": "C4", "statistic": "g_excess", "source": self.regulatory,
                   "target": target, "r_um": 20.0}  # fmt: skip
            yield key, near[target]
        key = {"claim": "C4", "statistic": "g_excess_preference", "source": self.regulatory,
               "r_um": 20.0}  # fmt: skip
        yield key, near[self.resident] - near[self.recruited]
        key = {"claim": "C5", "statistic": "marker_difference", "source": "Tumour",
               "target": self.resident}  # fmt: skip
        yield key, self.draw(-12.0, 8.0, 9.0)
        yield {"claim": "C6", "statistic": "n_lesions"}, np.round(abs(self.draw(3, 2, 2)) + 1)
        yield {"claim": "C6", "statistic": "lesion_area_mm2"}, np.exp(self.draw(-2.5, 1.0, 0.5))
        yield {"claim": "C6", "statistic": "tumour_mm2"}, np.exp(self.draw(-1.2, 1.3, 0.5))
        for source in (self.resident, self.recruited, self.regulatory):
            key = {"claim": "C6", "statistic": "density_per_mm2", "source": source}
            yield key, np.exp(self.draw(4.5, 0.3, 0.5))
        key = {"claim": "C6", "statistic": "log2_ratio", "source": "CD8 T cell",
               "target": self.regulatory}  # fmt: skip
        yield key, self.draw(1.0, -0.8, 0.7)
        yield {"claim": "table", "statistic": "nearest_mean_um", "source": "Tumour",
               "target": self.resident}, self.draw(40.0, 15.0, 9.0)  # fmt: skip

    def write(self, results: Path, without: tuple[str, ...] = ()) -> Path:
        """The folder ``results/cohort``; ``without`` names tables that are left out."""
        folder = results / "cohort"
        folder.mkdir(parents=True)
        values, tests, primary = [], [], None
        for i, (key, numbers) in enumerate(self.quantities()):
            primary = primary or {**dict.fromkeys(KEY, ""), **key}
            values += self.value_rows(key, numbers)
            tests += self.test_rows(key, numbers, primary=i == 0)
        tests += self.other_tests()
        made = {
            "values": pd.DataFrame(values),
            "tests": _adjusted(pd.DataFrame(tests)),
            "patients": self.patient_table(),
            "measures": self.measure_table(pd.DataFrame(values)),
            "curves": self.curve_table(),
            "lesions": self.lesion_table(),
            "sensitivity": self.sensitivity_table(tests),
            "power": self.power_table(),
            "kaplan_meier": self.kaplan_meier_table(),
        }
        for name, table in made.items():
            if name not in without:
                table.to_parquet(folder / f"{name}.parquet", index=False)
        facts = self.facts(primary)
        (folder / "cohort.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")
        return folder

    def other_tests(self) -> list[dict]:
        full = {**dict.fromkeys(KEY, ""), "r_um": np.nan, "group": "", "seed": 0, "primary": False}
        n = len(self.patients)
        c7 = {
            **full,
            "claim": "C7",
            "question": ASSOCIATION,
            "source": self.regulatory,
            "contrast": "",
            "n_patients": n,
        }
        cox = {**full, "claim": "C1", "statistic": "g_excess", "source": "Tumour",
               "target": self.resident, "r_um": 20.0, "question": SURVIVAL,
               "contrast": "per standard deviation", "test": PERMUTED,
               "effect": -0.4, "ci_low": -1.0, "ci_high": 0.1, "p": 0.12, "p_min": 1e-4,
               "n_patients": n, "reason": ""}  # fmt: skip
        return [
            {**c7, "statistic": "regulatory_per_mm2", "test": "Spearman correlation, permutation",
             "effect": 0.42, "ci_low": -0.1,
             "ci_high": 0.76, "p": 0.11, "p_min": 1e-4, "n_arrangements": 9999, "exact": False,
             "reason": ""},
            {**c7, "statistic": "regulatory_per_mm2", "test": "slope within patients, mixed model",
             "reason": "the model did not converge"},
            cox,
        ]  # fmt: skip

    def patient_table(self) -> pd.DataFrame:
        n = len(self.patients)
        table = pd.DataFrame(
            {"patient": self.patients["patient"], "age": self.rng.integers(50, 80, n),
             "n_slides": 2, "n_cells": self.rng.integers(8_000, 30_000, n)}
        )  # fmt: skip
        return table.assign(**{self.group: self.patients["arm"]}) if self.group else table

    def measure_table(self, values: pd.DataFrame) -> pd.DataFrame:
        first = values.head(len(self.patients))
        slides = [first.assign(slide_id=first["patient"] + suffix, lesion_id=0)
                  for suffix in ("a", "b")]  # fmt: skip
        table = pd.concat(slides, ignore_index=True)
        table.loc[:2, "value"] = np.nan
        table.loc[:2, "reason"] = "no tumour region: nowhere do tumour-marker cells fill 5,000 um2"
        return table[[*KEY, "slide_id", "lesion_id", "value", "weight", "reason"]]

    def curve_table(self) -> pd.DataFrame:
        rows = []
        border = np.arange(-190, 300, 20.0)
        series = [
            ("C1", "g_excess", "Tumour", self.resident, np.arange(2, 101, 2.0), _excess),
            ("C2", "density_per_mm2", self.resident, "", border, _ring),
            ("C2", "density_per_mm2", self.recruited, "", border, _ring),
            ("C5", "marker_level", "Tumour", self.resident, np.arange(5, 105, 10.0), _level),
        ]
        for claim, statistic, source, target, x, shape in series:
            key = {"claim": claim, "statistic": statistic, "source": source, "target": target}
            lines = {}
            for patient, arm in self.patients.itertuples(index=False):
                late = list(self.arms).index(arm)
                y = shape(x, late) * self.rng.lognormal(0, 0.25)
                lines.setdefault(arm, []).append(y)
                rows += [{**key, "kind": "patient", "patient": patient,
                          "group": arm if self.group else "", "x": a, "value": b}
                         for a, b in zip(x, y, strict=True)]  # fmt: skip
            rows += self._summaries(key, x, lines)
        return pd.DataFrame(rows)

    def _summaries(self, key: dict, x: np.ndarray, lines: dict) -> list[dict]:
        rows = []
        for arm, drawn in lines.items():
            mean, spread = np.mean(drawn, axis=0), np.std(drawn, axis=0)
            group = arm if self.group else ""
            rows += [
                {**key, "kind": "group", "group": group, "x": a, "value": m, "ci_low": m - s,
                 "ci_high": m + s, "n_patients": len(drawn)}
                for a, m, s in zip(x, mean, 0.7 * spread, strict=True)
            ]  # fmt: skip
        names = list(lines)
        if self.group and len(names) == 2:
            difference = np.mean(lines[names[1]], axis=0) - np.mean(lines[names[0]], axis=0)
            wide = 0.6 * np.max(np.abs(difference)) * np.ones_like(difference)
            rows += [
                {**key, "kind": "difference", "contrast": f"{names[1]} - {names[0]}", "x": a,
                 "value": d, "envelope_low": -w, "envelope_high": w, "p": 0.004}
                for a, d, w in zip(x, difference, wide, strict=True)
            ]  # fmt: skip
        return rows

    def lesion_table(self) -> pd.DataFrame:
        rows = []
        for patient, arm in self.patients.itertuples(index=False):
            for i in range(int(self.rng.integers(1, 6))):
                area = float(self.rng.lognormal(11 + list(self.arms).index(arm), 0.8))
                rows.append(
                    {"slide_id": f"{patient}a", "patient": patient,
                     "group": arm if self.group else "", "lesion_id": i + 1, "area_um2": area,
                     "inradius_um": (area / 9) ** 0.5,
                     "treg_per_mm2": float(self.rng.lognormal(3 + 0.2 * np.log(area / 6e4), 0.5))}
                )  # fmt: skip
        return pd.DataFrame(rows)

    def sensitivity_table(self, tests: list[dict]) -> pd.DataFrame:
        first = [row for row in tests if row.get("primary")]
        if not first:
            return pd.DataFrame({"kind": [], "what": [], "change": []})
        changed = [
            ("radius", "", 10.0), ("radius", "", 50.0), ("gate", "CD68", -0.1),
            ("gate", "CD68", 0.1), ("gate", "MARCO", -0.1), ("gate", "MARCO", 0.1),
            ("weights", "slides weighted alike", np.nan),
            ("with red slides", "", np.nan), ("without one patient", "P3", np.nan),
        ]  # fmt: skip
        rows = []
        for i, (kind, what, change) in enumerate(changed):
            shift = 0.012 * ((i % 3) - 1)
            moved = {k: first[0].get(k, np.nan) + shift for k in ("effect", "ci_low", "ci_high")}
            rows.append({**first[0], **moved, "kind": kind, "what": what, "change": change})
        return pd.DataFrame(rows)

    def power_table(self) -> pd.DataFrame:
        rows = []
        for basis, sd in ((POOLED, 0.03), (CAUTIOUS, 0.04)):
            for size in (0.5, 0.8, 1.2, 1.5):
                effect = size * 0.03
                for n in (3, 4, 5, 6, 8, 10, 15, 20, 30, 50, 80):
                    power = stats.norm.cdf(effect / sd * (n / 2) ** 0.5 - 1.96)
                    rows.append({"n_per_arm": n, "effect": effect, "effect_size": size, "sd": sd,
                                 "power": power, "spread": basis})  # fmt: skip
        return pd.DataFrame(rows)

    def kaplan_meier_table(self) -> pd.DataFrame:
        rows = []
        for half, drop in ((LOW, 0.09), (HIGH, 0.05)):
            for i in range(8):
                s = (1 - drop) ** (i + 1)
                rows.append({"group": half, "time": 120.0 * (i + 1), "survival": s,
                             "ci_low": s - 0.12, "ci_high": min(1.0, s + 0.1),
                             "n_at_risk": 8 - i})  # fmt: skip
        return pd.DataFrame(rows)

    def facts(self, primary: dict | None) -> dict:
        return {
            "macprox": "0.4.0", "created": "2026-11-23T10:00:00Z", "seed": 0, "level": 0.95,
            "group": self.group, "groups": list(self.arms) if self.group else [],
            "samples": "samples.csv", "study": "../study.toml", "primary": primary,
            "primary_radius_um": 20,
            "problems": ["Slide P99 is in the sample sheet and was not run."],
            "slides": [self._slide(i, p, a) for i, (p, a) in
                       enumerate(self.patients.itertuples(index=False))],
            "claims": [
                {"id": name, "title": title, "question": f"The question of {name}?",
                 "estimand": f"What {name} is.", "null": "relabelling among non-tumour cells",
                 "limits": "Centroids: touching cells can be 20 um apart.", "reason": ""}
                for name, title in TITLES.items()
            ] + [{"id": "table", "title": "Other statistics", "question": "", "estimand": "",
                  "null": "", "limits": "", "reason": ""}],
            "roles": {"tumour": "Tumour", "resident": self.resident, "recruited": self.recruited,
                      "regulatory": self.regulatory, "cytotoxic": "CD8 T cell",
                      "marker": "ECAD"},
            "covariates": ["age"], "time": "survival_days", "event": "dead",
            "versions": {"macprox": "0.4.0", "numpy": "2.2.0", "scipy": "1.15.0"},
            "gates": {"confirmed": 10, "unconfirmed": 6},
        }  # fmt: skip

    def _slide(self, i: int, patient: str, arm: str) -> dict:
        light = ("green", "amber", "red")[0 if i % 5 else 1 if i % 2 else 2]
        return {
            "slide_id": f"{patient}a", "patient": patient, "group": arm if self.group else "",
            "used": i != 3, "reason": "" if i != 3 else "no tumour region on this slide",
            "light": light, "light_reasons": [] if light == "green" else ["small tissue"],
            "signed_off": "R. Virchow, 2026-11-22" if i % 2 else None,
            "cells": 12_345 + i, "tissue_mm2": 14.2, "tumour_mm2": 3.1, "excluded_mm2": 0.4,
            "exclusions": [{"reason": "tissue fold", "mm2": 0.3},
                           {"reason": "out of focus", "mm2": 0.1}],
            "link": f"../slides/{patient}a/report.html",
        }  # fmt: skip


def few() -> Cohort:
    return Cohort(arms={"early": 3, "late": 2})


def ungrouped() -> Cohort:
    return Cohort(arms={"all": 9}, group=None)


def hostile() -> Cohort:
    return Cohort(
        arms={HOSTILE: 4, "=late - early" + "x" * 60: 4}, group='stage "<b>"', resident=HOSTILE,
        recruited="@import", regulatory="-Treg $x$", prefix="<i>P</i>",
    )  # fmt: skip


def _welch(first: np.ndarray, second: np.ndarray) -> dict:
    n1, n2 = len(first), len(second)
    row = {
        "effect": second.mean() - first.mean(), "n_first": n1, "n_second": n2,
        "n_patients": n1 + n2, "mean_first": first.mean(), "mean_second": second.mean(),
        "sd_first": np.std(first, ddof=1) if n1 > 1 else np.nan,
        "sd_second": np.std(second, ddof=1) if n2 > 1 else np.nan,
    }  # fmt: skip
    if min(n1, n2) < 3:
        return {**row, "reason": f"{n2} patients in the second group: 3 are the least for a test; "
                "the points stand"}  # fmt: skip
    test = stats.ttest_ind(second, first, equal_var=False)
    low, high = test.confidence_interval()
    pooled = np.sqrt((row["sd_first"] ** 2 + row["sd_second"] ** 2) / 2)
    g = row["effect"] / pooled
    n_ways = comb(n1 + n2, n1)
    p_min = (2 if n1 == n2 else 1) / n_ways
    return row | {
        "ci_low": low, "ci_high": high, "p": max(test.pvalue, p_min), "p_min": p_min,
        "effect_size": g, "effect_size_low": g - 1, "effect_size_high": g + 1,
        "n_arrangements": n_ways if n_ways <= 200_000 else 9999, "exact": n_ways <= 200_000,
        "reason": "",
    }  # fmt: skip


def _adjusted(tests: pd.DataFrame) -> pd.DataFrame:
    known = tests["p"].notna() & ~tests["primary"].astype(bool)
    adjusted = pd.Series(np.nan, tests.index)
    if known.any():
        adjusted[known] = stats.false_discovery_control(tests.loc[known, "p"].to_numpy(float))
    return tests.assign(p_adjusted=adjusted)


def _excess(x: np.ndarray, late: int) -> np.ndarray:
    return (0.16 - 0.12 * late) * np.sin(np.pi * x / 110)


def _ring(x: np.ndarray, late: int) -> np.ndarray:
    return 120 + 60 * np.tanh(x / 60) + 90 * late * np.exp(-((x - 30) ** 2) / 3000)


def _level(x: np.ndarray, late: int) -> np.ndarray:
    return 180 - 60 * (1 - late) * np.exp(-x / 30)
