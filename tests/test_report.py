"""The report: what is said, what is shown, and what a browser makes of it."""

from __future__ import annotations

import re
import shutil
import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import shapely
from scipy.spatial import cKDTree

from macprox.celltable import mean_column, nearest_column, positive_column
from macprox.phenotype.colours import phenotype_colours
from macprox.regions import Regions, lesion_shapes
from macprox.report import (
    doubt,
    numbers,
    overview,
    sentences,
    style,
    write_index,
    write_slide_report,
)
from macprox.report.index import FailedSlide
from macprox.report.reviewed import review_line, sign_off_status
from macprox.report.rows import SavedNumbers
from macprox.study import Study

WIDTH_UM, HEIGHT_UM = 2000.0, 1500.0
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
CHROMIUM_ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
HOSTILE_CHANNEL = "<script>alert(1)</script>"
HOSTILE_PHENOTYPE = "=cmd()"
STUDY = f"""
[image]
nucleus = "DAPI"
[markers.CD68]
[markers.FOXP3]
compartment = "nucleus"
[markers."{HOSTILE_CHANNEL}"]
[phenotypes]
"Tumour" = "panCK+ CD68- in:tumour"
"Normal epithelium" = "panCK+ CD68- not in:tumour"
"AM/TRM-like" = "CD68+ MARCO+ panCK-"
"Mo-mac-like" = "CD68+ CD14+ panCK-"
"Treg" = "FOXP3+ CD68- panCK-"
"{HOSTILE_PHENOTYPE}" = "CD14+ CD68-"
[proximity]
macrophages = ["AM/TRM-like", "Mo-mac-like"]
"""
COLUMNS = """slide_id roi_id statistic source target region r_um value expected ratio ci_low ci_high
p alternative n_source n_target source_per_mm2 target_per_mm2 correction null moved fixed eligible
n_permutations seed reason""".split()  # noqa: SIM905
MACROPHAGES = ("AM/TRM-like", "Mo-mac-like")
ARTEFACTS = (
    ("out of focus", shapely.box(256, 960, 512, 1216)),
    ("saturated CD68", shapely.box(1500, 200, 1628, 328)),
)


def nest() -> shapely.Polygon:
    """An irregular tumour in the middle of the slide, with a hole."""
    angle = np.linspace(0, 2 * np.pi, 240, endpoint=False)
    radius = 420 + 60 * np.sin(3 * angle) + 35 * np.sin(7 * angle + 1) + 12 * np.sin(17 * angle)
    x, y = 950 + 1.25 * radius * np.cos(angle), 760 + radius * np.sin(angle)
    return shapely.Polygon(np.c_[x, y]) - shapely.Point(1000, 800).buffer(70)


def make_cells(n: int, tumour: shapely.Geometry, rng: np.random.Generator) -> pd.DataFrame:
    x, y = rng.uniform(0, WIDTH_UM, n), rng.uniform(0, HEIGHT_UM, n)
    inside = shapely.contains_xy(tumour, x, y) if n else np.zeros(0, bool)
    names = ["Tumour", "Normal epithelium", *MACROPHAGES, "Treg", HOSTILE_PHENOTYPE, "Other",
             "Ambiguous"]  # fmt: skip
    outer = rng.choice(names, n, p=[0, 0.07, 0.09, 0.11, 0.06, 0.04, 0.6, 0.03])
    inner = rng.choice(names, n, p=[0.75, 0, 0.02, 0.09, 0.02, 0.01, 0.1, 0.01])
    phenotype = np.where(inside, inner, outer)
    cells = pd.DataFrame(
        {"slide_id": "S1", "cell_id": np.arange(1, n + 1), "x_um": x, "y_um": y,
         "phenotype": phenotype}
    )  # fmt: skip
    high = {
        "panCK": np.isin(phenotype, ["Tumour", "Normal epithelium"]),
        "CD68": np.isin(phenotype, MACROPHAGES),
        "MARCO": phenotype == "AM/TRM-like",
        "CD14": np.isin(phenotype, ["Mo-mac-like", HOSTILE_PHENOTYPE]),
        "FOXP3": phenotype == "Treg",
        HOSTILE_CHANNEL: np.zeros(n, bool),
    }
    for marker, positive in high.items():
        signal = rng.lognormal(3.2, 0.6, n) + positive * rng.lognormal(5.6, 0.5, n)
        for compartment in ("nucleus", "ring", "cell"):
            cells[mean_column(marker, compartment)] = signal
        cells[positive_column(marker)] = positive
    for target in ("Tumour", *MACROPHAGES):
        cells[nearest_column(target)] = nearest(cells, target)
    return cells


def nearest(cells: pd.DataFrame, target: str) -> np.ndarray:
    xy = cells[["x_um", "y_um"]].to_numpy()
    to = xy[(cells["phenotype"] == target).to_numpy()]
    return cKDTree(to).query(xy)[0] if len(to) else np.full(len(xy), np.nan)


def stat(**values) -> dict:
    row = dict.fromkeys(COLUMNS, np.nan) | {
        "slide_id": "S1", "roi_id": "all", "region": "all", "reason": "", "correction": "none",
        "null": "", "moved": "", "fixed": "", "eligible": "", "alternative": "two-sided",
        "seed": 0, "target": "",
    }  # fmt: skip
    return row | values


def pair_rows(cells: pd.DataFrame, source: str, target: str) -> list[dict]:
    """Rows of one direction; the expectation is a plausible number, not a computed one."""
    d = cells.loc[cells["phenotype"] == source, nearest_column(target)].to_numpy(float)
    ok = d.size and np.isfinite(d).all()
    reason = "" if ok else f"there is no {source if not d.size else target} cell on this slide"
    common = {"source": source, "target": target, "n_source": d.size, "reason": reason}
    rows = []
    for eligible, factor in (("all non-Tumour cells", 0.72), (" or ".join(MACROPHAGES), 1.06)):
        for r in (10, 20, 30, 50, 100):
            value = float((d <= r).mean()) if ok else np.nan
            expected = min(1.0, value * factor) if ok else np.nan
            rows.append(
                stat(
                    statistic="g", r_um=r, value=value, expected=expected,
                    ratio=value / expected if ok and expected else np.nan,
                    p=(0.001 if factor < 1 else 0.34) if ok else np.nan, null="relabel",
                    n_permutations=999,
                    moved="macrophages", fixed="Tumour", eligible=eligible, **common,
                )
            )  # fmt: skip
    mean = float(d.mean()) if ok else np.nan
    median = float(np.median(d)) if ok else np.nan
    rows.append(stat(statistic="nearest_mean_um", value=mean, expected=1.2 * mean, **common))
    rows.append(stat(statistic="nearest_median_um", value=median, **common))
    rows.append(stat(statistic="count_within", r_um=20, value=0.61 if ok else np.nan, **common))
    rows.append(
        stat(statistic="g", r_um=20, value=0.3 if ok else np.nan, expected=0.4 if ok else np.nan,
             correction="km", null="csr", **common)
    )  # fmt: skip
    return rows


def make_statistics(cells: pd.DataFrame, with_border: bool) -> pd.DataFrame:
    rows = []
    for macrophage in MACROPHAGES:
        rows += pair_rows(cells, "Tumour", macrophage) + pair_rows(cells, macrophage, "Tumour")
        n = int((cells["phenotype"] == macrophage).sum())
        rows.append(
            stat(
                statistic="density_per_mm2",
                source=macrophage,
                target="tissue window",
                value=n / 3.0,
            )
        )
        for r in np.arange(-290, 510, 20.0) if with_border else ():
            blank = r < -230
            rows.append(
                stat(
                    statistic="border_profile_per_mm2", source=macrophage, r_um=r,
                    value=np.nan if blank else 160 + 120 * np.tanh(r / 90) + 20 * np.sin(r),
                    reason="less than 0.01 mm² of tissue in the band" if blank else "",
                )
            )  # fmt: skip
    return pd.DataFrame(rows, columns=COLUMNS)


def make_gates(study: Study) -> pd.DataFrame:
    rows = []
    for marker, parameters in study.markers.items():
        hopeless = marker == HOSTILE_CHANNEL
        rows.append(
            {
                "marker": marker, "compartment": parameters.compartment, "parent": "",
                "value": np.nan if hopeless else 110.0, "source": "auto", "confirmed": False,
                "bimodal": not hopeless,
                "reason": "one population: no valley between negative and positive cells"
                if hopeless else "", "by": "", "time": "",
                "percent_positive": np.nan if hopeless else 19.4,
                "percent_positive_minus10": np.nan if hopeless else 21.0,
                "percent_positive_plus10": np.nan if hopeless else 18.1,
            }
        )  # fmt: skip
    gates = pd.DataFrame(rows)
    gates.loc[gates["marker"] == "CD68", ["source", "confirmed", "by", "time"]] = [
        "reviewer", True, "R. Virchow", "2026-11-22T09:30:00",
    ]  # fmt: skip
    return gates


def make_overview(cells: pd.DataFrame, rng: np.random.Generator) -> SimpleNamespace:
    from scipy.ndimage import gaussian_filter

    channels = ("DAPI", "panCK", "CD68", "MARCO", "CD14", "FOXP3", HOSTILE_CHANNEL)
    shape = (int(HEIGHT_UM / 4), int(WIDTH_UM / 4))
    iy, ix = (cells["y_um"] / 4).astype(int), (cells["x_um"] / 4).astype(int)
    planes = []
    for channel in channels:
        on = cells.get(positive_column(channel), pd.Series(1.0, cells.index)).astype(float)
        plane = np.zeros(shape)
        np.add.at(plane, (np.minimum(iy, shape[0] - 1), np.minimum(ix, shape[1] - 1)), on * 900)
        planes.append(gaussian_filter(plane, 1.1) + rng.normal(20, 3, shape))
    return SimpleNamespace(channels=channels, mean=np.array(planes, np.float32), pixel_size_um=4.0)


def make_manifest(slide_id: str) -> dict:
    return {
        "slide_id": slide_id,
        "source": {
            "path": f"slides/{slide_id}.ome.tif", "format": "OME-TIFF", "fingerprint": "5f1e90ab",
            "shape": [3000, 4000], "pixel_size_um": 0.5, "channels": ["DAPI", "panCK", "CD68",
            "MARCO", "CD14", "FOXP3", HOSTILE_CHANNEL],
        },
        "stages": {"survey": {"seconds": 1.2}, "measure": {"seconds": 9.8}},
        "versions": {"macprox": "0.1.0", "python": "3.12.1", "numpy": "2.2.0"},
        "seed": 0,
        "quality": [
            {"flag": "focus", "value": 0.82, "message": "Sharp everywhere.", "level": "info"},
            {"flag": "small_tissue", "value": 0.8, "level": "warning",
             "message": "Less than 1 mm² of tissue was scanned."},
        ],
        "warnings": ["A name from the file: <b>bold</b>"],
        "counts": {},
        "artefacts": [{"reason": r, "area_mm2": a.area / 1e6, "tissue_frac": 0.034, "cells": 41}
                      for r, a in ARTEFACTS],
        "sensitivity": [
            {"left_out": name, "n_left_out": n, "source": s, "target": t, "r_um": 20.0,
             "value": 0.123, "expected": 0.1, "ratio": 1.23, "n_source": 300, "n_target": 90}
            for name, n in (("af_suspect", 17), ("artefact", 41), ("af_suspect or artefact", 50))
            for s, t in (("AM/TRM-like", "Tumour"), ("Tumour", "AM/TRM-like"))
        ],
    }  # fmt: skip


def make_result(n: int = 1500, slide_id: str = "S1", tumour=None, drop: tuple[str, ...] = ()):
    """A finished slide as the report sees it; ``drop`` are phenotypes it lacks."""
    rng = np.random.default_rng(7)
    tumour = nest() if tumour is None else tumour
    cells = make_cells(n, tumour, rng)
    cells.loc[cells["phenotype"].isin(drop), "phenotype"] = "Other"
    for target in ("Tumour", *MACROPHAGES):
        cells[nearest_column(target)] = nearest(cells, target)
    study = Study.from_text(STUDY)
    regions = Regions(
        tissue_window=shapely.box(40, 30, WIDTH_UM - 40, HEIGHT_UM - 30),
        airspace=shapely.Point(300, 300).buffer(120),
        tumour=tumour,
        exclusions=shapely.box(1700, 1100, 1900, 1400),
        tumour_source="none" if tumour.is_empty else "auto",
        exclusion_reasons=(("tissue fold", shapely.box(1700, 1100, 1900, 1400)),),
        reason="No tumour region: nowhere do tumour-marker cells fill 5,000 um2."
        if tumour.is_empty
        else "Dense panCK+ cells.",
    )
    tables = SimpleNamespace(
        cells=cells,
        statistics=make_statistics(cells, with_border=not tumour.is_empty),
        gates=make_gates(study),
        overview=make_overview(cells, rng),
    )
    return SimpleNamespace(
        sensitivity=lambda: None,
        calibration=lambda: None,
        slide_id=slide_id,
        path=None,
        manifest=make_manifest(slide_id),
        study=study,
        cells=lambda: tables.cells,
        gates=lambda: tables.gates,
        statistics=lambda: tables.statistics,
        regions=lambda: regions,
        overview=lambda: tables.overview,
        artefacts=lambda: ARTEFACTS,
        lesions=lambda: make_lesions(regions),
    )


def make_lesions(regions: Regions, n: int = 1) -> pd.DataFrame:
    """Of a slide with ``n`` lesions, the first of which is real; the second has no clear border."""
    shapes = lesion_shapes(regions)
    table = pd.concat([shapes] * n, ignore_index=True) if len(shapes) else shapes
    k = np.arange(len(table))
    return table.assign(
        lesion_id=k + 1,
        area_um2=table["area_um2"] / (k + 1.0),
        at_window_edge=np.where(k == 2, 0.25, 0.0),
        n_tumour_cells=1000 - k,
        border_contrast=np.select([k == 1, k == 2], [0.12, np.nan], 0.93),
        no_clear_border=pd.array(np.select([k == 1], [True], False), "boolean"),
        reason=np.where(k == 2, "9 cells within 30 um outside; a share needs 20", ""),
    )


def page_of(result, folder) -> str:
    return write_slide_report(result, folder / "report.html").read_text(encoding="utf-8")


def words(html: str) -> str:
    """The page's text as read: no tags, one kind of space."""
    text = re.sub(r"<[^>]+>", " ", re.sub(r"(?s)<(style|svg).*?</\1>", " ", html))
    for entity, sign in (("&lt;", "<"), ("&gt;", ">"), ("&#39;", "'"), ("&amp;", "&")):
        text = text.replace(entity, sign)
    return re.sub(r"\s+", " ", text)


@pytest.fixture(scope="module")
def result():
    return make_result(3000)


@pytest.fixture(scope="module")
def page(result, tmp_path_factory) -> str:
    return page_of(result, tmp_path_factory.mktemp("page"))


def test_the_first_sentence_is_the_table_s_primary_row(result, page):
    rows = result.statistics()
    row = rows[
        (rows["statistic"] == "g")
        & (rows["source"] == "Tumour")
        & (rows["target"] == "AM/TRM-like")
        & (rows["r_um"] == 20)
        & rows["eligible"].str.startswith("all non-")
    ].iloc[0]
    assert (
        f"{numbers.percent_text(row['value'])} of {round(row['n_source']):,} tumour cells have an "
        "AM/TRM-like macrophage within 20 µm. If the AM/TRM-like macrophages were placed at random "
        "among the non-tumour cells of the same region and compartment, "
        f"{numbers.percent_text(row['expected'])} would be expected: observed is "
        f"{numbers.ratio_text(row['ratio'])} expected (p ≤ 0.001, two-sided, 999 permutations; "
        "stratified relabelling)."
    ).replace("\u00a0", " ") in words(page)


def test_both_directions_and_the_lineage_null_stand_below_it(page):
    text = words(page)
    assert "The other way round:" in text
    assert "AM/TRM-like macrophages have a tumour cell within 20 µm" in text
    assert "the class names were exchanged among all macrophages of the same region" in text


def test_unconfirmed_gates_are_said_before_the_numbers(page):
    text = words(page)
    notice = text.index("5 gates are automatic proposals nobody has confirmed")
    assert notice < text.index("The slide, and what became of it")
    assert "1 of them found no two populations to separate" in text


def test_what_hangs_on_doubtful_cells_is_told_below_the_headline_and_in_a_table(result, page):
    text = words(page)
    told = "Without the 41 cells in flagged areas it is 12 % (1.23 × expected) instead of"
    assert text.index("would be expected") < text.index(told) < text.index("The slide, and what")
    assert "Without the 50 cells" not in text  # both together: in the table only
    table = text[text.index("How much hangs on doubtful cells") :]
    lead = table.index("Tumour cells with an AM/TRM-like macrophage within 20")
    back = table.index("AM/TRM-like macrophages with a tumour cell within 20")
    assert lead < back
    assert "nothing: the headline 0" in table[:back]
    assert "bright in autofluorescence 17 300 12 % 10 % 1.23 ×" in table
    saved = SavedNumbers(result.statistics())
    answer = sentences.headline(saved, result.study)
    same = {"left_out": "artefact", "n_left_out": 3, "source": "Tumour", "target": "AM/TRM-like",
            "value": answer.observed_frac, "expected": answer.expected_frac, "n_source": 1,
            "ratio": answer.observed_frac / answer.expected_frac}  # fmt: skip
    assert doubt.sensitivity_notice({"sensitivity": [same]}, answer) == []
    gone = {**same, "value": None, "expected": None, "ratio": None}
    assert doubt.sensitivity_notice({"sensitivity": [gone]}, answer) == [
        "Without the 3 cells in flagged areas there is no number."
    ]
    assert doubt.sensitivity_notice({"sensitivity": [gone]}, None) == []
    assert not doubt.sensitivity_table({}, saved, result.study).rows


def test_flagged_areas_are_drawn_with_a_legend(page):
    text = words(page)
    assert "out of focus (3.4 % of the tissue)" in text
    assert "Coloured hatching: the image is doubtful there; its cells are counted." in text
    assert overview.artefact_colour("saturated CD68") == overview.ARTEFACT_COLOURS["saturated"]
    assert overview.artefact_colour("coffee") == style.QUIET


def test_confirmed_gates_raise_no_notice(result):
    gates = result.gates().assign(confirmed=True)
    assert sentences.gate_notice(result.gates())  # control
    assert sentences.gate_notice(gates) == ""


def test_a_gate_that_was_moved_and_not_confirmed_is_named_with_its_parent(result):
    gates = result.gates().query("marker == 'panCK'").assign(source="reviewer", confirmed=False)
    assert sentences.gate_notice(gates.assign(parent="CD68")) == (
        "1 gate was moved by a reviewer and not confirmed (panCK among CD68+). Every number below "
        "depends on them."
    )
    assert sentences.gate_notice(gates.assign(confirmed=True)) == ""


def test_who_signed_and_who_decided_is_one_line():
    assert review_line({}) == ""  # another tool's table
    unsigned = {"signed_off": None, "edits": {}}
    assert review_line(unsigned) == "Nobody has signed this slide off."
    assert sign_off_status(unsigned) == ""
    signed = {"by": "Dr B", "time": "2026-11-22T14:03:09+00:00", "comment": "a fold"}
    manifest = {"signed_off": {**signed, "changed_since": False}, "edits": {"A. R.": 12, "Dr B": 3}}
    assert review_line(manifest) == (
        "Signed off by Dr B on 2026-11-22, 14:03 UTC: “a fold”. Decisions by A. R. (12), Dr B (3)."
    )
    assert sign_off_status(manifest) == "signed off"
    changed = {"signed_off": {**signed, "comment": "", "changed_since": True}}
    assert "14:03 UTC. Changed since: the numbers below are not those" in review_line(changed)
    assert sign_off_status(changed) == "changed since sign-off"


def test_one_unconfirmed_gate_is_singular(result):
    gates = result.gates().query("marker == 'panCK'")
    assert sentences.gate_notice(gates).startswith("1 gate is an automatic proposal nobody has")


def test_names_from_files_stay_names(page):
    assert HOSTILE_CHANNEL not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<b>bold</b>" not in page
    assert HOSTILE_PHENOTYPE in words(page)


def test_names_inside_figures_are_escaped():
    with style.drawing(2, 1) as figure:
        figure.subplots().set_title(f"{HOSTILE_CHANNEL} $x^2$")
        svg = style.to_svg(figure, "a", f'"{HOSTILE_CHANNEL}')
    assert "<script" not in svg
    assert "&lt;script&gt;alert(1)&lt;/script&gt; $x^2$" in svg
    assert 'aria-label="&quot;&lt;script' in svg


def test_the_page_refers_to_nothing_outside_itself(page):
    attributes = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert len(attributes) > 10  # control: there are some
    assert [a for a in attributes if not a.startswith(("data:", "#"))] == []
    assert "<script" not in page
    assert "@import" not in page
    assert "url(http" not in page


def test_every_id_is_unique_and_every_reference_is_met(page):
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) > 50  # control
    assert len(ids) == len(set(ids))
    references = re.findall(r'url\(#([^)]+)\)|href="#([^"]+)"', page)
    assert {a or b for a, b in references} <= set(ids)


def test_the_same_slide_gives_the_same_bytes_and_leaves_matplotlib_as_it_was(page, tmp_path):
    from matplotlib import rcParams

    before = dict(rcParams)
    assert page_of(make_result(3000), tmp_path) == page
    assert dict(rcParams) == before


@pytest.mark.parametrize(
    ("slide", "said"),
    [
        (
            {"tumour": shapely.Polygon(), "drop": ("Tumour",)},
            "No tumour region: nowhere do tumour-marker cells fill 5,000 µm². No cell was called "
            "Tumour.",
        ),
        (
            {"drop": MACROPHAGES},
            "No cell was called AM/TRM-like or Mo-mac-like.",
        ),
        ({"n": 0}, "No cell was found on this slide."),
    ],
    ids=["no tumour", "no macrophages", "no cells"],
)
def test_a_slide_without_an_answer_says_why(slide, said, tmp_path):
    text = words(page_of(make_result(**slide), tmp_path))
    assert f"No proximity answer for this slide. {said}" in text
    assert "would be expected" not in text
    assert "nan" not in re.findall(r"\w+", text.lower())


def test_a_missing_number_is_a_dash_with_its_reason(tmp_path):
    html = page_of(make_result(1500, drop=("AM/TRM-like",)), tmp_path)
    reason = "there is no AM/TRM-like cell on this slide"
    assert f'title="{reason}">–</span><sup>' in html
    assert f"– : {reason}" in words(html)


def test_tables_of_other_tools_need_no_pixels_gates_or_regions(tmp_path):
    from macprox.errors import ResultError

    def absent():
        raise ResultError("no such file")

    result = make_result(800)
    result.gates = result.regions = absent
    with pytest.raises(ResultError, match="no such file"):  # a slide with pixels must have them
        page_of(result, tmp_path)
    result.overview = lambda: None
    text = words(page_of(result, tmp_path))
    assert "No marker is gated" in text
    assert "tumour cells have an AM/TRM-like macrophage within 20 µm" in text


def test_a_large_slide_stays_small(tmp_path):
    result = make_result(100_000)
    write_slide_report(result, tmp_path / "report.html")
    assert (tmp_path / "report.html").stat().st_size < 3e6


def test_a_report_of_ten_thousand_cells_takes_seconds(page, tmp_path):
    result = make_result(10_000)  # the fixture ``page`` has warmed up fonts and templates
    start = time.process_time()
    write_slide_report(result, tmp_path / "report.html")
    assert time.process_time() - start < 6


def test_numbers_are_rounded_to_what_they_mean():
    plain = [numbers.percent_text(f) for f in (0, 0.0004, 0.031, 0.314, 0.995, 0.9996, 1)]
    assert [p.replace("\u00a0", " ") for p in plain] == [
        "0 %", "< 0.1 %", "3.1 %", "31 %", "99.5 %", "> 99.9 %", "100 %",
    ]  # fmt: skip
    ratios = [numbers.ratio_text(r)[:-2] for r in (0, 0.914, 1.418, 12.34)]
    assert ratios == ["0", "0.91", "1.42", "12.3"]
    assert numbers.significant_text(1234.9) == "1,235"
    assert numbers.significant_text(0.01234) == "0.0123"
    assert numbers.significant_text(-3.14159) == "−3.14"


@pytest.mark.parametrize(
    ("p", "n_permutations", "said"),
    [
        (0.001, 999, "≤ 0.001"),  # the floor of 999 permutations
        (0.01, 99, "≤ 0.01"),
        (0.002, 999, "0.002"),
        (0.0004, 0, "< 0.001"),  # exact: no floor
        (0.0004, np.nan, "< 0.001"),
        (0.34, 999, "0.34"),
    ],
)
def test_p_is_never_smaller_than_it_can_be(p, n_permutations, said):
    assert numbers.p_text(p, n_permutations).replace("\u00a0", " ") == said


def test_a_phenotype_has_one_colour_whatever_the_slide_holds(result):
    study = result.study
    args = (study.proximity.tumour, study.proximity.macrophages)
    colours = phenotype_colours(list(study.phenotypes), *args)
    assert len(set(colours.values())) == len(colours)
    assert list(colours)[-2:] == list(MACROPHAGES)  # drawn last, on top


def test_only_what_asks_for_a_macrophage_marker_is_called_macrophage(result):
    assert sentences.noun("AM/TRM-like", result.study) == "AM/TRM-like macrophage"
    assert sentences.noun("Treg", result.study, plural=True) == "Treg cells"
    assert sentences.noun("Tumour", result.study) == "tumour cell"


def test_the_composite_of_pure_noise_stays_dark():
    from macprox.report.overview import Stain, composite

    rng = np.random.default_rng(0)
    noise = rng.normal(100, 5, (1, 200, 200)).astype(np.float32)
    chosen = [Stain("A", "#ffffff", "marker")]
    assert np.median(composite(noise, ("A",), chosen)) < 0.05
    signal = noise.copy()
    signal[0, 50:60, 50:60] += 2000
    assert composite(signal, ("A",), chosen)[55, 55].min() > 0.9  # control: a signal is bright


def test_the_index_links_reports_and_names_failures(tmp_path):
    good, bad = make_result(1500, "S1"), FailedSlide("S2", "Damaged TIFF:\n<b>page 3</b>")
    lost = make_result(800, "S3", tumour=shapely.Polygon(), drop=("Tumour",))
    for result in (good, lost):
        result.path = tmp_path / "slides" / f"{result.slide_id} a#b"
        result.path.mkdir(parents=True)
        (result.path / "report.html").touch()
    html = write_index([good, bad, lost], tmp_path / "index.html").read_text(encoding="utf-8")
    text = words(html)
    assert 'href="slides/S1%20a%23b/report.html"' in html
    assert "3 slides: 2 amber (small tissue 2), 1 red (failed 1). 2 finished, 1 failed;" in text
    assert text.index("S2 red") < text.index("S1 amber") < text.index("S3 amber")
    assert "S2 red Failed: Damaged TIFF: <b>page 3</b>" in text
    assert "<b>page" not in html
    assert "finished, 2 warnings, gates unconfirmed" in text
    assert "No cell was called Tumour." in text


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
def test_a_browser_shows_the_report_without_network_errors_or_overflow(result, tmp_path):
    from playwright.sync_api import sync_playwright

    path = write_slide_report(result, tmp_path / "report.html")
    complaints, requests = [], []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGS)
        view = browser.new_page(viewport={"width": 1200, "height": 900}, java_script_enabled=True)
        view.on("console", lambda message: complaints.append(message.text))
        view.on("pageerror", lambda error: complaints.append(str(error)))
        view.on("dialog", lambda dialog: complaints.append(dialog.message))
        view.on("request", lambda request: requests.append(request.url))
        view.goto(path.as_uri())
        seen = re.sub(r"\s+", " ", view.inner_text("main"))
        overflow = view.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        loaded = view.evaluate("[...document.images].every(i => i.complete && i.naturalWidth > 0)")
        figures = view.locator("svg.figure").count()
        index = write_index([FailedSlide("S2", "Damaged.")], tmp_path / "index.html")
        view.goto(index.as_uri())
        icons = view.evaluate("[...document.querySelectorAll('svg')].map(i => i.clientHeight)")
        browser.close()
    assert complaints == []
    fetched = [url for url in requests if not url.startswith("data:")]
    assert fetched == [path.as_uri(), index.as_uri()]
    assert 0 < max(icons) < 40  # an icon without a size fills the page
    assert "would be expected" in seen
    assert "5 gates are automatic proposals nobody has confirmed" in seen
    assert HOSTILE_CHANNEL in seen
    assert overflow <= 0
    assert loaded
    assert figures == len(result.gates()) + 2


def test_lesions_are_listed_the_largest_first_with_what_is_not_known(result, tmp_path):
    regions = result.regions()
    twelve = make_lesions(regions, 12).sample(frac=1, random_state=1)
    many = SimpleNamespace(**{**vars(result), "lesions": lambda: twelve})
    html = page_of(many, tmp_path)
    said = words(html)
    assert "2 smaller ones are in lesions.parquet" in said
    table = html[html.index("<h3>Lesions</h3>") :]
    first = [re.sub(r"<[^>]+>", "", row) for row in re.findall(r"(?s)<tr>.*?</tr>", table)[1:11]]
    assert [row[0] for row in first[:3]] == ["1", "2", "3"]
    assert "0.12 (not clear)" in said
    assert "9 cells within 30 µm outside; a share needs 20" in said
    assert "lower bounds" in said


def test_a_slide_without_tumour_lists_no_lesion(tmp_path):
    assert "<h3>Lesions</h3>" not in page_of(make_result(tumour=shapely.Polygon()), tmp_path)


def with_real_statistics(result, n_permutations: int = 99):
    """The same slide with the table that the pipeline writes."""
    from macprox.spatial import annotate_regions, slide_statistics
    from macprox.window import Window

    regions, study = result.regions(), result.study
    cells = annotate_regions(result.cells(), regions.tumour, study.regions.margin_um)
    located = regions.locate(cells[["x_um", "y_um"]].to_numpy())
    cells = cells.assign(**{c: located[c].to_numpy() for c in ("compartment", "in_window")})
    cells = cells.assign(excluded=located["excluded"].to_numpy())
    parameters = replace(study.proximity, n_permutations=n_permutations)
    statistics = slide_statistics(
        cells[cells["in_window"] & ~cells["excluded"]],
        Window.from_polygon(regions.observed),
        regions.tumour,
        parameters,
    )
    result.cells, result.statistics = lambda: cells, lambda: statistics
    return result


@pytest.fixture(scope="module")
def real():
    return with_real_statistics(make_result(2500))


def test_the_pipeline_s_statistics_fill_every_table(real, tmp_path):
    html = page_of(real, tmp_path)
    text = words(html)
    assert "no such row" not in text
    assert "macrophages of all classes with a tumour cell within r" in text.lower()
    assert "per mm² of tissue window … in its core … in its inner margin" in text
    assert "further cells lie outside the window or in excluded areas" in text
    assert re.search(r"\(p (=|<|≤) [\d.]+, two-sided, (exact|99 permutations); strat", text)
    assert "For reference only: complete spatial randomness" in text


def test_the_pipeline_s_reasons_reach_the_reader(tmp_path):
    result = make_result(600, tumour=shapely.Polygon())
    text = words(page_of(with_real_statistics(result, n_permutations=0), tmp_path))
    assert "no tumour region: automatic detection found none and none was drawn" in text


def test_none_is_said_in_words(result):
    from macprox.report.rows import POSITION, SavedNumbers

    rows = result.statistics().copy()
    assert "None of" not in sentences.headline(SavedNumbers(rows), result.study).sentence  # control
    rows.loc[rows["statistic"] == "g", ["value", "ratio"]] = 0.0
    said = sentences.answers(SavedNumbers(rows), result.study, POSITION)[0].sentence
    assert re.match(r"None of [\d,]+ tumour cells has an AM/TRM-like macrophage within", said)


def test_blank_bands_that_differ_only_in_size_share_one_reason():
    from macprox.report.border import blank_reasons

    reasons = ["only 0.0002 mm2 of window, less than 0.01", "", "no tumour region"]
    reasons.append("only 0.0093 mm2 of window, less than 0.01")
    rows = pd.DataFrame({"value": [np.nan, 3.0, np.nan, np.nan], "reason": reasons})
    assert blank_reasons(rows) == [
        "less than 0.01 mm² of window in the band",
        "no tumour region",
    ]
