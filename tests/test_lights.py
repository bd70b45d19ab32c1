"""One light a slide: each limit from both sides, through the pipeline, and how it is shown."""

from __future__ import annotations

import io
import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import shapely
from rich.console import Console

import macprox as mp
import small_runs
from macprox import quality
from macprox.edits import EditLog, RegionDrawn
from macprox.image.quality import artefact_flags, clipping_flags, scale_flags
from macprox.pipeline.quality_gate import autofluorescence_flags, extent_flags, tumour_flags
from macprox.progress import show_results
from macprox.quality import QualityFlag, light_of, light_reasons, worth_a_look
from macprox.regions import Regions
from macprox.regions.contours import as_multipolygon
from macprox.report import FailedSlide, write_index
from macprox.report.lights import light_box, light_text, severity, tally

STUDY = mp.Study.from_text(small_runs.STUDY)


def judged(flags: list[QualityFlag]) -> tuple[str | None, list[str]]:
    manifest = {"quality": [flag.to_dict() for flag in flags]}
    return light_of(manifest), light_reasons(manifest)


def square_mm(side_mm: float) -> shapely.MultiPolygon:
    return as_multipolygon(shapely.box(0, 0, 1000 * side_mm, 1000 * side_mm))


def with_tumour(n: int, study: mp.Study = STUDY, **regions) -> tuple[str | None, list[str]]:
    cells = pd.DataFrame({"phenotype": ["Tumour"] * n + ["Other"] * 7})
    return judged(tumour_flags(cells, Regions(square_mm(2), **regions), study))


def artefact(reason: str, counted_frac: float) -> list[QualityFlag]:
    found = {"area_mm2": 1.0, "tissue_frac": 0.2, "cells": 3}
    return artefact_flags([{**found, "reason": reason, "counted_frac": counted_frac}])


# --- each limit, from both sides


def test_a_hundred_tumour_cells_are_enough_and_one_fewer_is_red():
    assert with_tumour(100) == ("green", [])
    assert with_tumour(99) == ("red", ["few_tumour_cells"])


def test_no_tumour_region_is_red_unless_the_study_asks_for_none():
    flagged = {"flags": ("no_tumour_region",), "reason": "Nowhere."}
    assert with_tumour(500, **flagged) == ("red", ["no_tumour_region"])
    none_asked = replace(STUDY, regions=replace(STUDY.regions, tumour="none"))
    assert with_tumour(0, none_asked, **flagged) == ("green", [])
    assert with_tumour(500, flags=("tumour_sparse",)) == ("amber", ["tumour_sparse"])


def test_less_than_a_square_millimetre_of_counted_tissue_is_amber():
    whole = Regions(square_mm(1))
    assert judged(extent_flags(whole)) == ("green", [])
    cut = whole.with_exclusion(shapely.box(0, 0, 10, 10), "fold")
    assert judged(extent_flags(cut)) == ("amber", ["small_tissue"])
    assert judged(extent_flags(Regions(shapely.MultiPolygon()))) == ("red", ["no_tissue"])


@pytest.mark.parametrize(("height_um", "light"), [(8000, "green"), (8001, "red")])
def test_more_than_four_fifths_excluded_is_red(height_um, light):
    regions = Regions(square_mm(10)).with_exclusion(
        shapely.box(-500, 0, 10_000, height_um),
        "necrosis",  # what lies outside does not count
    )
    found, reasons = judged(extent_flags(regions))
    assert found == light
    assert reasons == (["mostly_excluded"] if light == "red" else [])


@pytest.mark.parametrize(
    ("counted_frac", "light"), [(0.0099, "green"), (0.01, "amber"), (0.5, "amber"), (0.51, "red")]
)
def test_out_of_focus_is_amber_from_a_hundredth_and_red_above_half(counted_frac, light):
    assert judged(artefact("out of focus", counted_frac))[0] == light
    other = judged(artefact("fold", counted_frac))[0]
    assert other == ("amber" if light == "red" else light)  # where the brightest are still read


def test_saturation_is_amber_above_a_thousandth():
    assert judged(clipping_flags({"CD68": 0.001}, None)) == ("green", [])
    assert judged(clipping_flags({"CD68": 0.0011}, None)) == ("amber", ["saturated_channel"])


def test_autofluorescence_is_amber_above_a_twentieth_of_the_cells():
    assert judged(autofluorescence_flags(50, 1000)) == ("green", [])
    assert judged(autofluorescence_flags(51, 1000)) == ("amber", ["autofluorescent_cells"])
    assert autofluorescence_flags(0, 0) == []


@pytest.mark.parametrize(
    ("pixel_size_um", "light"), [(0.099, "red"), (0.1, "green"), (2.0, "green"), (2.01, "red")]
)
def test_a_scale_that_cannot_be_is_red(pixel_size_um, light):
    assert judged(scale_flags(pixel_size_um))[0] == light


def test_the_worst_finding_gives_the_light_and_a_failure_is_red():
    many = [
        QualityFlag("a", 1, "A.", "info"),
        QualityFlag("b", 1, "B.", "warning"),
        QualityFlag("c", 1, "C.", "stop"),
        QualityFlag("c", 1, "C again.", "stop"),
    ]
    assert judged(many) == ("red", ["c"])
    assert judged(many[:2]) == ("amber", ["b"])
    manifest = {"quality": [flag.to_dict() for flag in many]}
    assert [flag["flag"] for flag in worth_a_look(manifest)] == ["c", "c", "b"]
    assert light_of({"stages": {}}) is None
    failed = {"failure": "truncated", "quality": []}
    assert (light_of(failed), light_reasons(failed)) == ("red", ["failed"])
    assert set(quality.LIGHTS) == {"green", "amber", "red"}


# --- through the pipeline


def exclude(result, share: float) -> None:
    """As the reviewer draws it: the upper part of the slide, full-resolution pixels."""
    height, width = result.manifest["source"]["shape"][-2:]
    drawn = shapely.geometry.mapping(shapely.box(0, 0, width, share * height))
    EditLog(result.folder.edits).append(
        RegionDrawn(
            slide_id=result.slide_id, reviewer="A. Reviewer", time="2026-01-01T00:00:00+00:00",
            kind="exclusion", region_id="r1", after=drawn, reason="necrosis",
        )
    )  # fmt: skip


def test_the_light_is_saved_and_follows_an_exclusion_drawn_by_hand(small_copy):
    assert small_copy.manifest["light"] == "amber"
    assert light_reasons(small_copy.manifest) == ["small_tissue"]
    exclude(small_copy, 0.9)
    with small_runs.without_reports(), small_runs.no_pixels():
        (after,) = mp.update(small_copy.path.parents[1])
    assert after.manifest["light"] == "red"
    assert {"mostly_excluded", "few_tumour_cells"} <= set(light_reasons(after.manifest))


def test_a_failed_slide_is_red_until_it_is_mended(small_copy):
    results = small_copy.path.parents[1]
    tissue = small_copy.folder.tissue
    kept = tissue.read_text(encoding="utf-8")
    small_copy.folder.cells.unlink()
    tissue.write_text("{")
    assert small_runs.macprox("update", results, "--quiet").code == 1
    manifest = json.loads(small_copy.folder.manifest.read_text(encoding="utf-8"))
    assert (manifest["light"], light_reasons(manifest)) == ("red", ["failed"])
    tissue.write_text(kept, encoding="utf-8")
    with small_runs.without_reports():
        (mended,) = mp.update(results)
    assert mended.manifest["light"] == "amber"


def test_a_table_of_another_tool_has_a_light_too(tmp_path):
    rng = np.random.default_rng(0)
    n = 400
    table = pd.DataFrame(
        {"x_um": rng.uniform(0, 900, n), "y_um": rng.uniform(0, 900, n),
         "phenotype": ["Tumour"] * 100 + ["Macrophage"] * 60 + ["Other"] * (n - 160)}
    )  # fmt: skip
    path = tmp_path / "t.csv"
    ask = ("--source", "Macrophage", "--target", "Tumour", "--json")
    lights = []
    for name in ("Tumour", "Other"):
        table.iloc[0, table.columns.get_loc("phenotype")] = name
        table.to_csv(path, index=False)
        with small_runs.without_reports():
            ended = small_runs.macprox("stats", path, *ask, "--out", tmp_path / name)
        assert ended.code == 0, ended.err
        (slide,) = json.loads(ended.out)
        lights.append((slide["light"], slide["light_reasons"]))
    assert lights == [
        ("amber", ["not_stratified"]),
        ("amber", ["not_stratified", "few_target_cells"]),
    ]


# --- as it is shown


def manifest_of(*flags: tuple[str, str]) -> dict:
    return {"quality": [{"flag": f, "level": lv, "message": f"{f}!"} for f, lv in flags]}


def test_the_tally_counts_lights_and_why():
    red = manifest_of(("few_tumour_cells", "stop"), ("small_tissue", "warning"))
    amber = manifest_of(("small_tissue", "warning"), ("clumps", "warning"))
    also = manifest_of(("small_tissue", "warning"))
    assert tally([manifest_of(), red, amber, also, {"failure": "cut"}]) == (
        "5 slides: 1 green, 2 amber (small tissue 2, clumps 1), "
        "2 red (few tumour cells 1, failed 1)"
    )
    assert tally([{}]) == "1 slide: none judged"


def test_a_light_is_a_sign_and_a_word():
    assert [light_text(light) for light in ("green", "amber", "red", None)] == [
        "✓ green",
        "⚠ amber",
        "✖ red",
        "–",
    ]
    assert sorted(["green", None, "red", "amber"], key=severity) == ["red", "amber", "green", None]
    box = light_box(manifest_of(("a", "warning"), ("b", "stop"), ("c", "info"))["quality"])
    assert box["title"] == "Red: do not read this slide's headline."
    assert box["sentences"] == ["b!", "a!"]
    assert light_box([])["title"].startswith("Green: ")


def test_the_table_at_the_end_of_a_run_names_lights_and_what_stops(small_copy):
    manifest = small_copy.manifest
    manifest["quality"].append(QualityFlag("x", 1, "Too few of something.", "stop").to_dict())
    console = Console(file=io.StringIO(), width=120, color_system=None)
    show_results([small_copy], console)
    said = console.file.getvalue()
    assert "✖ red" in said
    assert "1 slide: 1 red (x 1)." in said
    assert "field: Too few of something." in said
    assert "says little" not in said  # warnings are counted; the report has their sentences


def test_red_slides_stand_first_in_the_index(small_copy, tmp_path):
    shutil.copytree(small_copy.path, small_copy.path.with_name("zebra"))
    worse = mp.open_result(small_copy.path.with_name("zebra"))
    worse.manifest["quality"].append(QualityFlag("few_tumour_cells", 9, "9.", "stop").to_dict())
    shown = [FailedSlide("apple", "Cut."), small_copy, worse]
    html = write_index(shown, tmp_path / "index.html").read_text(encoding="utf-8")
    places = [html.index(f">{name}<") for name in ("apple", "zebra", "field")]
    assert places == sorted(places)
    assert "3 slides: 1 amber (small tissue 1), 2 red (failed 1, few tumour cells 1)." in html
