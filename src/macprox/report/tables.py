"""The printed tables: saved numbers, rounded, each dash with its reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

from macprox.celltable import AMBIGUOUS, OTHER
from macprox.report import sentences, style
from macprox.report.numbers import (
    Shown,
    Table,
    count_text,
    is_number,
    missing,
    p_text,
    percent_text,
    ratio_text,
    shown,
    significant_text,
)
from macprox.report.rows import (
    ALL,
    CSR,
    LINEAGE,
    NO_ROW,
    POSITION,
    Direction,
    Row,
    SavedNumbers,
    at_radius,
    micrometres,
    null_kind,
    text_of,
    under_null,
)
from macprox.spatial.slide import ALL_MACROPHAGES

if TYPE_CHECKING:
    import pandas as pd

ZONES = (ALL, "core", "inner_margin", "outer_margin", "distant")
TOGETHER = "all classes together: there is nothing to exchange"


def phenotype_table(cells: pd.DataFrame, statistics: pd.DataFrame, colours: dict, study) -> Table:
    """Number, share and densities of every phenotype; densities as saved, a column a region."""
    density = statistics[statistics["statistic"] == "density_per_mm2"]
    density = density[density["roi_id"] == ALL]
    saved = set(density["region"].map(text_of))
    regions = [*(zone for zone in ZONES if zone in saved), *sorted(saved - set(ZONES))]
    titles = [_per_mm2(density, region) for region in regions]
    table = Table([("Phenotype", False), ("Cells", True), ("Share of cells", True)])
    table.columns += [(title, True) for title in titles]
    counts = cells["phenotype"].astype(str).value_counts()
    markers = style.macrophage_markers(study.proximity.macrophages)
    first = [study.proximity.tumour, *study.proximity.macrophages]
    last = [OTHER, AMBIGUOUS]
    order = [*first, *(n for n in study.phenotypes if n not in first), *last]
    for name in [*order, *(n for n in counts.index if n not in order)]:
        n = int(counts.get(name, 0))
        share = Shown(percent_text(n / len(cells))) if len(cells) else missing("no cells")
        table.add(
            Shown(name, colour=colours.get(name, style.QUIET), marker=markers.get(name, "o")),
            count_text(n),
            share,
            *(_density(density, name, region) for region in regions),
        )
    if len(study.proximity.macrophages) > 1:
        n = int(counts.reindex(study.proximity.macrophages).fillna(0).sum())
        densities = (_density(density, ALL_MACROPHAGES, region) for region in regions)
        table.add(ALL_MACROPHAGES, count_text(n), "", *densities)
    table.add("All cells", count_text(len(cells)), "", *("" for _ in regions))
    return table


def _per_mm2(density: pd.DataFrame, region: str) -> str:
    """A density's title names what it is divided by: the row's target, within its region."""
    denominator = text_of(density.loc[density["region"] == region, "target"].iloc[0])
    if region != ALL:
        return f"… in its {region.replace('_', ' ')}" if region != "distant" else "… distant"
    return f"per mm² of {denominator or 'tissue'}"


def _density(density: pd.DataFrame, phenotype: str, region: str) -> Shown:
    rows = density[(density["source"] == phenotype) & (density["region"].map(text_of) == region)]
    if not len(rows):
        return missing("no such cells on this slide")
    row = rows.iloc[0]
    return shown(row["value"], significant_text, micrometres(text_of(row["reason"])))


def area_table(regions) -> Table:
    """Areas in mm², measured on the saved polygons."""
    table = Table([("Area", False), ("mm²", True), ("What it is", False)])
    tumour = {
        "auto": "found automatically from tumour-marker cells",
        "file": "drawn, from a file",
        "reviewer": "drawn by a reviewer",
        "none": "no tumour region on this slide",
    }
    source = getattr(regions, "tumour_source", "none")
    listed = [
        ("Window", regions.tissue_window, "scanned tissue, airspaces included, no bare glass"),
        ("Airspace", regions.airspace, "empty spaces inside the window"),
        ("Tumour", regions.tumour, tumour.get(source, source)),
    ]
    listed += [
        (f"Excluded: {reason}", area, "left out of every number")
        for reason, area in getattr(regions, "exclusion_reasons", ())
    ]
    if not getattr(regions, "exclusion_reasons", ()):
        listed.append(("Excluded", regions.exclusions, "left out of every number"))
    for name, area, words in listed:
        table.add(name, significant_text(area.area / 1e6), words)
    return table


def share_table(saved: SavedNumbers, directions: list[Direction], study) -> Table:
    """Observed and expected shares at every radius: a group a direction, a row a radius."""
    columns = ["r (µm)", "n", "observed"]
    columns += ["expected: position", "ratio", "p"]
    several = len(study.proximity.macrophages) > 1
    columns += ["expected: lineage", "ratio", "p"] if several else []
    table = Table([(title, True) for title in columns])
    for direction in directions:
        position = saved.shares(direction, POSITION)
        lineage = saved.shares(direction, LINEAGE)
        together = ALL_MACROPHAGES in (direction.source, direction.target)
        absent = TOGETHER if together else NO_ROW
        table.rows.append([Shown(_sentence_case(f"{sentences.with_a(direction, study)} within r"))])
        if not saved.has_shares(direction):
            first = next(iter([*position, *lineage]), None)
            reason = NO_ROW if first is None else micrometres(text_of(first["reason"]))
            table.add("all", *(missing(reason) for _ in columns[1:]))
            continue
        for radius in study.proximity.radii_um:
            seen = at_radius(position, radius)
            other = at_radius(lineage, radius)
            first = seen if seen is not None else other
            cells = [_field(first, "n_source", count_text), _field(first, "value", percent_text)]
            cells += _against(seen)
            cells += _against(other, absent) if several else []
            table.add(f"{radius:g}", *cells)
    return table


def _sentence_case(text: str) -> str:
    return text[:1].upper() + text[1:]


def _against(row: Row | None, absent: str = NO_ROW) -> list[Shown]:
    if row is None:
        return [missing(absent)] * 3
    return [
        _field(row, "expected", percent_text),
        _field(row, "ratio", ratio_text),
        _field(row, "p", lambda p: p_text(p, row["n_permutations"])),
    ]


def _field(row, name: str, text) -> Shown:
    if row is None:
        return missing(NO_ROW)
    return shown(row[name], text, micrometres(text_of(row["reason"])))


def distance_table(saved: SavedNumbers, directions: list[Direction], radius_um: float) -> Table:
    """Nearest distances and neighbour counts, both directions."""
    titles = ["n", "median nearest", "mean nearest", "expected mean", "ratio", "p"]
    table = Table([("Direction", False), *((f"{t} (µm)" if "nearest" in t or "expected" in t else t,
                                            True) for t in titles)])  # fmt: skip
    table.columns.append((f"mean number within {radius_um:g} µm", True))
    for direction in directions:
        mean = _whole(saved, direction, "nearest_mean_um")
        median = _whole(saved, direction, "nearest_median_um")
        count = at_radius(_preferred(saved.rows("count_within", direction)), radius_um)
        table.add(
            direction.text,
            _field(mean if mean is not None else median, "n_source", count_text),
            _field(median, "value", significant_text),
            _field(mean, "value", significant_text),
            _field(mean, "expected", significant_text),
            _field(mean, "ratio", ratio_text),
            _field(mean, "p", lambda p, row=mean: p_text(p, row["n_permutations"])),
            _field(count, "value", significant_text),
        )
    return table


def _whole(saved: SavedNumbers, direction: Direction, name: str) -> Row | None:
    return next(iter(_preferred(saved.rows(name, direction))), None)


def _preferred(rows: list[Row]) -> list[Row]:
    """Rows under the position null first, then those without a null."""
    rank = {POSITION: 0, "": 1, LINEAGE: 2, CSR: 3}
    return sorted(rows, key=lambda row: rank[null_kind(row)])


def contact_table(saved: SavedNumbers, directions: list[Direction]) -> Table:
    """Who touches whom, both directions; empty where no slide's labels could tell."""
    titles = ["n", "in contact", "expected", "ratio", "p", "mean number touched"]
    table = Table([("Direction", False), *((title, True) for title in titles)])
    for direction in directions:
        share = _whole(saved, direction, "contact_fraction")
        if share is not None and is_number(share["value"]):
            table.add(
                direction.text,
                _field(share, "n_source", count_text),
                _field(share, "value", percent_text),
                *_against(share),
                _field(_whole(saved, direction, "contact_count"), "value", significant_text),
            )
    return table


def csr_table(saved: SavedNumbers, directions: list[Direction], radius_um: float) -> Table:
    """Edge-corrected G beside CSR at the primary radius; empty when none is saved."""
    table = Table(
        [("Direction", False), ("estimate", False), ("observed", True), ("CSR", True),
         ("ratio", True)]
    )  # fmt: skip
    for direction in directions:
        for row in under_null(saved.rows("g", direction), CSR):
            if is_number(row["r_um"]) and abs(row["r_um"] - radius_um) < 1e-6:
                table.add(
                    direction.text,
                    f"G({radius_um:g} µm), {text_of(row['correction'])}",
                    _field(row, "value", percent_text),
                    _field(row, "expected", percent_text),
                    _field(row, "ratio", ratio_text),
                )
    return table


def provenance(saved: SavedNumbers, directions: list[Direction]) -> list[str]:
    """What the nulls moved, held and allowed, as saved beside the numbers; each once."""
    lines = []
    for direction in directions:
        for kind in (POSITION, LINEAGE):
            for row in saved.shares(direction, kind)[:1]:
                parts = [f"null {text_of(row['null'])}", f"correction {text_of(row['correction'])}"]
                for name in ("moved", "fixed", "eligible"):
                    if text_of(row[name]):
                        parts.append(f"{name}: {text_of(row[name])}")
                for name in ("n_permutations", "seed"):
                    if is_number(row[name]):
                        parts.append(f"{name.replace('n_', '')} {int(row[name])}")
                lines.append(f"{direction.text}: {', '.join(parts)}")
    return list(dict.fromkeys(lines))
