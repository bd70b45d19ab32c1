"""What hangs on doubtful cells: the headline with and without them, and where the image is poor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from macprox.report.numbers import (
    Shown,
    Table,
    count_text,
    is_number,
    percent_text,
    ratio_text,
    shown,
)
from macprox.report.overview import artefact_colour
from macprox.report.rows import POSITION, Direction, SavedNumbers, at_radius
from macprox.report.sentences import Answer, all_directions, with_a

if TYPE_CHECKING:
    import pandas as pd

BOTH = "af_suspect or artefact"
LEFT_OUT = {
    "af_suspect": "bright in autofluorescence",
    "artefact": "in flagged areas",
    "anucleate": "whose nucleus is not in the plane",
    BOTH: "either",
}
NO_NUMBER = "without these cells there is nothing to compare"


def sensitivity_table(manifest: dict, saved: SavedNumbers, study) -> Table:
    """The headline as it is and without each kind of doubtful cells; empty where there are none."""
    table = Table([("Left out", False), ("cells", True), ("n", True),
                   ("observed", True), ("expected", True), ("ratio", True)])  # fmt: skip
    found = _by_direction(manifest)
    for direction in (known for known in all_directions(study) if known in found):
        title = with_a(direction, study)
        radius = f"{study.proximity.primary_radius_um:g} µm"
        table.rows.append([Shown(f"{title[:1].upper()}{title[1:]} within {radius}")])
        whole = at_radius(saved.shares(direction, POSITION), study.proximity.primary_radius_um)
        if whole is not None:
            table.add("nothing: the headline", "0", *_numbers(whole))
        for row in found[direction]:
            words = LEFT_OUT[row["left_out"]]
            table.add(words, count_text(row["n_left_out"]), *_numbers(row))
    return table


def _numbers(row: Any) -> list[Shown]:
    return [
        shown(row["n_source"], count_text, NO_NUMBER),
        shown(row["value"], percent_text, NO_NUMBER),
        shown(row["expected"], percent_text, NO_NUMBER),
        shown(row["ratio"], ratio_text, NO_NUMBER),
    ]


def _by_direction(manifest: dict) -> dict[Direction, list[dict[str, Any]]]:
    found: dict[Direction, list[dict[str, Any]]] = {}
    for row in manifest.get("sensitivity") or []:
        found.setdefault(Direction(row["source"], row["target"]), []).append(row)
    return found


def sensitivity_notice(manifest: dict, lead: Answer | None) -> list[str]:
    """A sentence for each kind of doubtful cells that changes the leading number as printed."""
    if lead is None:
        return []
    told = []
    for row in _by_direction(manifest).get(lead.direction, []):
        share, ratio = _numbers(row)[1].text, _numbers(row)[3].text
        unchanged = (share, ratio) == (lead.observed.text, lead.ratio.text)
        if unchanged or row["left_out"] == BOTH:
            continue
        n, words = count_text(row["n_left_out"]), LEFT_OUT[row["left_out"]]
        told.append(
            f"Without the {n} cells {words} it is {share} ({ratio} expected) instead of "
            f"{lead.observed.text} ({lead.ratio.text})."
            if is_number(row["value"])
            else f"Without the {n} cells {words} there is no number."
        )
    return told


def artefact_legend(manifest: dict) -> list[dict[str, str]]:
    """Colour, name and share of the tissue of each kind of flagged area."""
    return [
        {
            "colour": artefact_colour(found["reason"]),
            "reason": found["reason"],
            "share": percent_text(found["tissue_frac"]),
        }
        for found in manifest.get("artefacts") or []
    ]


def widest_changes(table: pd.DataFrame) -> list[str]:
    """A line a slide and direction: the headline, and the change that moves it most.

    Parameters
    ----------
    table : DataFrame
        From `macprox.pipeline.variations.vary_slide`, of one slide or several.
    """
    told = []
    for (slide_id, source, target), rows in table.groupby(["slide_id", "source", "target"]):
        (as_run,) = rows.loc[rows["kind"] == "as run", "ratio"]
        changed = rows[rows["kind"].isin(["gate", "expansion"]) & rows["ratio"].notna()]
        if not is_number(as_run) or changed.empty:
            continue
        kinds = " and ".join({"gate": "gates"}.get(k, k) for k in dict.fromkeys(changed["kind"]))
        low, high = changed["ratio"].min(), changed["ratio"].max()
        told.append(
            f"{slide_id}, {source} → {target}: {ratio_text(as_run)} expected; {ratio_text(low)} "
            f"to {ratio_text(high)} under changed {kinds}."
        )
    return told + _unmade(table)


def _unmade(table: pd.DataFrame) -> list[str]:
    missing = table[table["reason"].fillna("") != ""]
    return [f"{slide}: {reason}" for slide, reason in dict.fromkeys(
        zip(missing["slide_id"], missing["reason"], strict=True))]  # fmt: skip
