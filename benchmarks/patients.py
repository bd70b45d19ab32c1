"""Cohorts whose truth is known, through the claims' own functions: how often a test errs.

    python -m benchmarks.patients null --cohorts 5000 --rows null.jsonl
    python -m benchmarks.patients redistribution --cohorts 100

Every cohort is 8 against 8 patients of one simulated slide each (`macprox.simulate`). Its slides
are measured as `macprox cohort` measures them, patients are compared by the same test, and one line
a measure is appended to `patients.jsonl`: how often p <= 0.05, the mean effect, the true one where
there is one, and how often the interval holds it. The seed stands here, committed before a run.
With ``--rows`` the cohorts of an earlier run are not simulated again.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from macprox import __version__, cohort
from macprox.claims import lineage, periphery
from macprox.claims.measures import Row, measure, to_measures
from macprox.claims.slide import ClaimSlide
from macprox.cohort import KEY
from macprox.cohort.parameters import CohortParameters
from macprox.regions import Regions, lesion_zone_areas
from macprox.simulate import (
    SimulatedCohort,
    scenario,
    simulate_cohort,
    true_difference,
    true_values,
)
from macprox.spatial import ProximityParameters
from macprox.spatial.sensitivity import headline_at
from macprox.study import GIVEN, ImageParameters, Study

SEED = 20_261_129
ALPHA = 0.05
LINES = Path(__file__).with_name("patients.jsonl")
TRM, MDM, TUMOUR, TREG = "AM/TRM-like", "Mo-mac-like", "Tumour", "Treg"
STUDY = Study(
    image=ImageParameters(nucleus="(simulated cells)"),
    phenotypes=dict.fromkeys((TUMOUR, TRM, MDM, TREG), GIVEN),
    proximity=ProximityParameters(macrophages=(TRM,), tumour=TUMOUR),
    cohort=CohortParameters(resident=TRM, recruited=MDM),
)
KEPT = ("g", "g_excess", "periphery_share_excess", "lineage_share")
CELLS = "cells as replicates"  # what not to do: the control of the whole exercise
UNSTRATIFIED = "g_excess_unstratified"
TRUE_SHARE = "true periphery_share_excess"
# Which of the scene's truths belongs to which measure.
TRUTH_OF = {
    ("C2", "log2_periphery_core", TRM): "log2_periphery_core_trm",
    ("C2", "periphery_share_excess", TRM): TRUE_SHARE,
    ("C1", "g", TUMOUR): "tumour_near_trm",
    ("C1", "g_excess", TRM): "trm_excess",
}


def measured(simulated: SimulatedCohort, controls: bool) -> pd.DataFrame:
    """The measures of every slide of a cohort, and what misleads where controls are asked for."""
    rows: list[Row] = []
    for slide_id in simulated.slide_ids:
        cells = simulated.slide_cells(slide_id).reset_index(drop=True)
        regions = _regions(simulated, slide_id)
        slide = ClaimSlide(slide_id, cells, pd.DataFrame(), regions, STUDY)
        rows += _nearby(slide, slide.proximity, "g_excess")
        if controls:
            rows += _nearby(slide, replace(slide.proximity, strata=()), UNSTRATIFIED)
        rows += periphery.ratios(slide)
        rows += [row for row in lineage.measure_slide(slide) if row["compartment"] == ""]
    kept = (*KEPT, UNSTRATIFIED)
    return to_measures(row for row in rows if row["statistic"] in kept)


def _nearby(slide: ClaimSlide, parameters: ProximityParameters, name: str) -> Iterator[Row]:
    for found in headline_at(slide.cells, parameters, (20.0,)):
        said = {key: found[key] for key in ("source", "target", "r_um")}
        said |= {"slide_id": slide.slide_id, "weight": float(found["n_source"])}
        yield measure("C1", name, found["value"] - found["expected"], **said)
        if name != UNSTRATIFIED:
            yield measure("C1", "g", found["value"], **said)


def tested(number: int, name: str) -> list[dict[str, Any]]:
    """Every measure of one cohort, compared between the groups."""
    return [{"cohort": number, **row} for row in _tested(number, name)]


def _tested(number: int, name: str) -> list[dict[str, Any]]:
    simulated = simulate_cohort(scenario(name), seed=[SEED, number])  # type: ignore[arg-type]
    measures = measured(simulated, controls=name == "compartment_artefact")
    values = cohort.aggregate(measures, simulated.samples)
    people = simulated.samples.drop(columns="slide_id").drop_duplicates("patient")
    rows = []
    for key, of_key in values.groupby(list(KEY), dropna=False, sort=False):
        frame = people.merge(of_key[["patient", "value"]], on="patient", how="left")
        found = cohort.compare(frame, "value", "group", groups=("early", "late"))
        told = found.iloc[0]
        rows.append({**dict(zip(KEY, key, strict=True)), **_numbers(told)})
    nothing = dict.fromkeys(KEY, "")
    rows.append({**nothing, "statistic": CELLS, "p": _of_cells(simulated)})
    if name == "redistribution":
        rows.append({**nothing, "statistic": TRUE_SHARE, "effect": _true_share(simulated)})
    return rows


def _true_share(simulated: SimulatedCohort) -> float:
    """Difference in the true `periphery.SHARE` of the patients there are, from their densities."""
    truth = true_values(simulated).set_index("patient")["log2_periphery_core_trm"]
    shares: dict[str, list[float]] = {"early": [], "late": []}
    for row in simulated.samples.to_dict("records"):
        zones = lesion_zone_areas(_regions(simulated, row["slide_id"]))
        core, around = float(zones["core_um2"].iloc[0]), float(zones["periphery_um2"].iloc[0])
        cells = around * 2.0 ** float(truth[row["patient"]])
        shares[row["group"]].append(cells / (cells + core) - around / (around + core))
    return float(np.mean(shares["late"]) - np.mean(shares["early"]))


def _regions(simulated: SimulatedCohort, slide_id: str) -> Regions:
    window = simulated.window.shape.polygon()
    return Regions(window, tumour=simulated.tumour(slide_id), tumour_source="file")


def _numbers(told: pd.Series) -> dict[str, float]:
    return {name: float(told[name]) for name in ("effect", "ci_low", "ci_high", "p")}


def _of_cells(simulated: SimulatedCohort) -> float:
    """Mann-Whitney of tumour cells' distances to the nearest TRM, every cell a replicate."""
    from macprox.spatial import nearest_distance

    distances: dict[str, list[np.ndarray]] = {"early": [], "late": []}
    for slide_id, group in simulated.samples[["slide_id", "group"]].itertuples(index=False):
        cells = simulated.slide_cells(slide_id)
        place = {name: of[["x_um", "y_um"]].to_numpy() for name, of in cells.groupby("phenotype")}
        if TRM in place and TUMOUR in place:
            distances[group].append(nearest_distance(place[TUMOUR], place[TRM]))
    early, late = (np.concatenate(of_group) for of_group in distances.values())
    return float(stats.mannwhitneyu(early, late).pvalue)


def summary(rows: list[dict[str, Any]], name: str) -> Iterator[dict[str, Any]]:
    """One line a measure."""
    truth = true_difference(scenario(name)).set_index("estimand")["difference"]
    shares = [row["effect"] for row in rows if row["statistic"] == TRUE_SHARE]
    truth[TRUE_SHARE] = np.mean(shares) if shares else np.nan  # of all patients of all cohorts
    table = pd.DataFrame(rows).drop(columns="cohort")
    for key, of_key in table.groupby(list(KEY), dropna=False, sort=False):
        labels = dict(zip(KEY, key, strict=True))
        p, effect = of_key["p"].dropna(), of_key["effect"]
        true = truth.get(_truth_of(labels, name), np.nan)
        covered = (of_key["ci_low"] <= true) & (true <= of_key["ci_high"])
        yield {
            **{column: value for column, value in labels.items() if value not in ("", None)},
            "n_cohorts": len(p),
            "rejected": float((p <= ALPHA).mean()),
            "rejected_down": float(((p <= ALPHA) & (effect.reindex(p.index) < 0)).mean()),
            "mean_effect": float(effect.mean()),
            "se_effect": float(effect.std() / np.sqrt(max(len(effect), 1))),
            "true_effect": float(true),
            "covered": float(covered.mean()) if np.isfinite(true) else np.nan,
        }


def _truth_of(labels: dict[str, Any], name: str) -> str:
    """Which of the scene's truths is that of a measure; empty for none."""
    if labels["statistic"] == "lineage_share":
        # The truth is that of another zone: the same where the share is the same everywhere.
        return "trm_share" if name == "replacement" else ""
    return TRUTH_OF.get((labels["claim"], labels["statistic"], labels["source"]), "")


def found_before(path: Path | None) -> list[dict[str, Any]]:
    """The rows of an earlier run, if it left any."""
    if path is None or not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scenario")
    parser.add_argument("--cohorts", type=int, default=5000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--rows", type=Path, help="where single cohorts are kept")
    asked = parser.parse_args()
    begun = datetime.now(UTC).isoformat(timespec="seconds")
    rows = found_before(asked.rows)
    missing = sorted(set(range(asked.cohorts)) - {row["cohort"] for row in rows})
    with ProcessPoolExecutor(asked.processes) as pool:
        for found in pool.map(partial(tested, name=asked.scenario), missing, chunksize=10):
            rows += found
            if asked.rows is not None:
                with asked.rows.open("a", encoding="utf-8") as lines:
                    lines.writelines(json.dumps(row) + "\n" for row in found)
    said = {"scenario": asked.scenario, "seed": SEED, "version": __version__, "begun": begun}
    with LINES.open("a", encoding="utf-8") as lines:
        for line in summary(rows, asked.scenario):
            shown = {k: v if v == v else None for k, v in line.items()}
            lines.write(json.dumps({**said, **shown}) + "\n")
            print(shown)


if __name__ == "__main__":
    main()
