"""One slide, one self-contained page."""

from __future__ import annotations

import os
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from shapely import MultiPolygon

from macprox.errors import ResultError
from macprox.io.atomic import write_text
from macprox.regions import Regions
from macprox.report import (
    border,
    distances,
    doubt,
    gates,
    lesions,
    lights,
    methods,
    overview,
    reviewed,
    sentences,
    tables,
)
from macprox.report.calibration import calibration_figure
from macprox.report.rows import LINEAGE, POSITION, Direction, SavedNumbers, micrometres, text_of
from macprox.report.variations import variations_figure
from macprox.spatial.counted import is_observed

GATE_COLUMNS = ("marker", "compartment", "value", "source", "confirmed", "bimodal")


@cache
def environment() -> Environment:
    """Templates of this package; every name from a file is escaped on its way into the page."""
    made = Environment(
        loader=PackageLoader("macprox.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["capitalize_first"] = lambda text: text[:1].upper() + text[1:]
    made.globals["css"] = Markup(
        files("macprox.report").joinpath("templates", "style.css").read_text(encoding="utf-8")
    )
    return made


def write_slide_report(result, path: str | os.PathLike) -> Path:
    """Write one slide's report.

    Parameters
    ----------
    result : SlideResult
        A finished slide: its tables are read, nothing is computed from pixels.
    path : path-like
        The HTML file. One file: pictures, style and figures are inside; it needs no network and
        no script.

    Returns
    -------
    Path
    """
    html = environment().get_template("slide.html.j2").render(slide_context(result))
    write_text(Path(path), html)
    return Path(path)


def slide_context(result) -> dict[str, Any]:
    """Everything the template shows, by the section that shows it."""
    measured, statistics, study = result.cells(), result.statistics(), result.study
    cells = observed(measured)
    seen, manifest = result.overview(), result.manifest
    saved = SavedNumbers(statistics)
    gate_rows, regions = saved_gates(result, seen), saved_regions(result, seen)
    colours = study.colours()
    answer = _answer_context(cells, saved, gate_rows, regions, study)
    layout = overview.layout_of(seen, cells)
    drawing = (cells, regions, result.artefacts(), layout)
    return {
        "slide_id": result.slide_id,
        "manifest": manifest,
        "review": reviewed.review_line(manifest),
        "study": study,
        "study_toml": study.to_toml(),
        "answer": answer,
        "doubt": doubt.sensitivity_notice(manifest, answer["lead"]),
        "pictures": _picture_context(seen, drawing, colours, study),
        "flagged": doubt.artefact_legend(manifest),
        "sensitivity": doubt.sensitivity_table(manifest, saved, study),
        "variations": _variations(result, study),
        "calibration": _calibration(result),
        "n_left_out": len(measured) - len(cells),
        "phenotypes": tables.phenotype_table(cells, statistics, colours, study),
        "region_flags": [flag.replace("_", " ") for flag in regions.flags],
        "areas": tables.area_table(regions),
        "lesions": lesions.lesion_context(result.lesions()) if regions.has_tumour else None,
        "tumour_reason": micrometres(text_of(regions.reason)),
        "gates": gates.panels(gate_rows, cells),
        "proximity": _proximity_context(cells, saved, colours, study),
        "border": _border_context(statistics, colours, study),
        "light": lights.light_box(manifest.get("quality") or []),
        "quality": _quality(manifest),
        "warnings": [micrometres(str(warning)) for warning in manifest.get("warnings") or []],
        "methods": methods.methods_paragraph(manifest, study, gate_rows, regions),
        "definitions": methods.definitions(study),
    }


def _variations(result, study) -> str:
    table = result.sensitivity()
    return "" if table is None else variations_figure(table, study)


def _calibration(result) -> str:
    table = result.calibration()
    return "" if table is None else calibration_figure(table)


def observed(cells: pd.DataFrame) -> pd.DataFrame:
    """The cells that statistics are made of: inside the window and not excluded."""
    return cells[is_observed(cells)]


def _quality(manifest: dict) -> list[dict[str, Any]]:
    """The flags, each sentence once: several may point at the same finding."""
    flags = [
        {**flag, "message": micrometres(str(flag["message"]))}
        for flag in manifest.get("quality") or []
    ]
    return list({flag["message"]: flag for flag in reversed(flags)}.values())[::-1]


def saved_gates(result, seen) -> pd.DataFrame:
    """The gates; none for a slide that came as another tool's table, without pixels."""
    try:
        return result.gates()
    except ResultError:
        if seen is not None:
            raise
        return pd.DataFrame(columns=list(GATE_COLUMNS))


def saved_regions(result, seen) -> Regions:
    """The regions; empty for a slide that came as another tool's table, without any."""
    try:
        return result.regions()
    except ResultError:
        if seen is not None:
            raise
        return Regions(MultiPolygon(), reason="No regions were given with the table.")


def _answer_context(cells, saved, gate_rows, regions, study) -> dict[str, Any]:
    position = sentences.answers(saved, study, POSITION)
    lineage = sentences.answers(saved, study, LINEAGE)
    lead = sentences.headline(saved, study)
    why = [] if lead else sentences.no_headline_reasons(cells, regions, saved, study)
    return {
        "lead": lead,
        "why_not": why,
        "also": _also(lead, position, lineage),
        "position": position,
        "lineage": [a for a in lineage if a.given] if len(study.proximity.macrophages) > 1 else [],
        "gate_notice": sentences.gate_notice(gate_rows),
        "labels": {a.direction: sentences.with_a(a.direction, study) for a in position},
        "axis_max": axis_max([*position, *lineage]),
        "radius": f"{study.proximity.primary_radius_um:g}",
        "strata": sentences.strata_text(study),
    }


def _also(lead, position, lineage) -> list:
    """What stands under the lead: the reverse direction, and the lineage null of the lead."""
    if lead is None:
        return []
    back = Direction(lead.direction.target, lead.direction.source)
    reverse = [a for a in position if a.direction == back and a.given]
    return reverse + [a for a in lineage if a.direction == lead.direction and a.given]


def axis_max(answers) -> float:
    """A round end for the small share axis, so that rare events stay apart."""
    shown = [f for a in answers for f in (a.observed_frac, a.expected_frac) if f is not None]
    return next((top for top in (0.1, 0.2, 0.5) if max(shown, default=1.0) <= top), 1.0)


def _picture_context(seen, drawing, colours, study) -> dict[str, Any]:
    cells, regions, artefacts, layout = drawing
    chosen = [] if seen is None else overview.stains(tuple(seen.channels), study)
    composite = ""
    if chosen:
        composite = overview.stain_picture(seen, chosen, regions, layout, artefacts)
    return {
        "stains": chosen,
        "composite": composite,
        "map": overview.phenotype_map(cells, regions, layout, colours, study, artefacts),
        "wide": layout.width_um > 1.7 * layout.height_um,
        "has_tumour": not regions.tumour.is_empty,
        "thinned": len(cells) > overview.MAX_POINTS,
        "max_points": overview.MAX_POINTS,
        "white": overview.WHITE_PERCENTILE,
    }


def _proximity_context(cells, saved, colours, study) -> dict[str, Any]:
    pairs, every = sentences.directions(study), sentences.all_directions(study)
    p = study.proximity
    frame = distances.Frame(p.primary_radius_um, distances.axis_range_um(p.radii_um), colours)
    known = [d for d in pairs if saved.has_shares(d)]
    figure = distances.nearest_figure(cells, saved, pairs, frame) if known else ""
    return {
        "pairs": pairs,
        "figure": Markup(figure),
        "shares": tables.share_table(saved, every, study),
        "distances": tables.distance_table(saved, every, p.primary_radius_um),
        "contact": tables.contact_table(saved, every),
        "csr": tables.csr_table(saved, pairs, p.primary_radius_um),
        "provenance": tables.provenance(saved, pairs),
    }


def _border_context(statistics, colours, study) -> dict[str, Any]:
    macrophages = list(study.proximity.macrophages)
    rows = border.profile_rows(statistics, macrophages)
    figure = border.border_figure(rows, macrophages, colours, study.proximity.band_um)
    return {"figure": Markup(figure), "blank": border.blank_reasons(rows), "empty": not len(rows)}
