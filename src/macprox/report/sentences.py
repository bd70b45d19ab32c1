"""The answer in words. What was seen, what the null expects, of how many; never a verdict."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from macprox.phenotype.gate_table import gate_name
from macprox.report.numbers import (
    NBSP,
    Shown,
    count_text,
    is_number,
    missing,
    p_text,
    percent_text,
    ratio_text,
    shown,
)
from macprox.report.rows import (
    LINEAGE,
    NO_ROW,
    POSITION,
    Direction,
    SavedNumbers,
    at_radius,
    has_value,
    micrometres,
    text_of,
)
from macprox.spatial.slide import ALL_MACROPHAGES

if TYPE_CHECKING:
    import pandas as pd

MACROPHAGE_MARKER = re.compile(
    r"\b(CD68|CD163|CD206|MRC1|MARCO|IBA1|AIF1|CSF1R|F4/80|CD169)\+", re.I
)
RELABEL_NAMES = {"relabel": "stratified relabelling", "permute": "stratified permutation"}


@dataclass(frozen=True)
class Answer:
    """One direction at the primary radius under one null."""

    direction: Direction
    null: str
    sentence: str
    observed: Shown
    expected: Shown
    ratio: Shown
    p: Shown
    n: Shown
    observed_frac: float | None
    expected_frac: float | None
    given: bool


def directions(study) -> list[Direction]:
    """Tumour to macrophage and back, for every macrophage class of the study."""
    tumour = study.proximity.tumour
    return [
        pair
        for macrophage in study.proximity.macrophages
        for pair in (Direction(tumour, macrophage), Direction(macrophage, tumour))
    ]


def all_directions(study) -> list[Direction]:
    """The same, and for all classes together where there are several."""
    tumour = study.proximity.tumour
    if len(study.proximity.macrophages) < 2:
        return directions(study)
    together = (Direction(tumour, ALL_MACROPHAGES), Direction(ALL_MACROPHAGES, tumour))
    return [*directions(study), *together]


def answers(saved: SavedNumbers, study, kind: str) -> list[Answer]:
    """An answer for every direction, NaN with its reason where there is none."""
    pairs = all_directions(study) if kind == POSITION else directions(study)
    return [_answer(saved, study, direction, kind) for direction in pairs]


def _answer(saved: SavedNumbers, study, direction: Direction, kind: str) -> Answer:
    radius = study.proximity.primary_radius_um
    row = at_radius(saved.shares(direction, kind), radius)
    reason = micrometres(text_of(row["reason"])) if row is not None else NO_ROW
    given = has_value(row)

    def get(name: str) -> Any:
        return None if row is None else row[name]

    return Answer(
        direction=direction,
        null=kind,
        sentence=_sentence(row, direction, study, kind) if given else "",
        observed=shown(get("value"), percent_text, reason),
        expected=shown(get("expected"), percent_text, reason),
        ratio=shown(get("ratio"), ratio_text, reason),
        p=_p(row, reason),
        n=shown(get("n_source"), count_text, reason),
        observed_frac=float(get("value")) if is_number(get("value")) else None,
        expected_frac=float(get("expected")) if is_number(get("expected")) else None,
        given=given,
    )


def _p(row, reason: str) -> Shown:
    if row is None or not (is_number(row["value"]) and is_number(row["p"])):
        return missing(reason)
    return Shown(p_text(row["p"], row["n_permutations"]))


def _sentence(row, direction: Direction, study, kind: str) -> str:
    """Seen, then expected, then how sure: in that order, so that nobody reads p first."""
    saw = seen(row, direction, study)
    if not is_number(row["expected"]):
        return f"{saw} What the null expects is not known: {text_of(row['reason'])}."
    tumour = study.proximity.tumour
    moved = direction.target if direction.source == tumour else direction.source
    if kind == LINEAGE:
        supposed = "the class names were exchanged among all macrophages"
    else:
        supposed = f"the {noun(moved, study, plural=True)} were placed at random among the "
        supposed += "non-tumour cells"
    return (
        f"{saw} If {supposed}{strata_text(study)}, {percent_text(row['expected'])} would be "
        f"expected{_comparison(row, study)}."
    )


def seen(row, direction: Direction, study) -> str:
    """``"14 % of 812 tumour cells have a macrophage within 20 µm."``"""
    n = count_text(row["n_source"])
    share, have = (percent_text(row["value"]), "have") if row["value"] else ("None", "has")
    source = noun(direction.source, study, plural=True)
    target = _a(noun(direction.target, study))
    radius = f"{study.proximity.primary_radius_um:g}{NBSP}µm"
    return f"{share} of {n} {source} {have} {target} within {radius}."


def with_a(direction: Direction, study) -> str:
    """``"tumour cells with an AM/TRM-like macrophage"``."""
    source = noun(direction.source, study, plural=True)
    return f"{source} with {_a(noun(direction.target, study))}"


def _comparison(row, study) -> str:
    if not is_number(row["ratio"]):
        return f" ({_test(row, study)})"
    return f": observed is {ratio_text(row['ratio'])} expected ({_test(row, study)})"


def strata_text(study) -> str:
    """``" of the same region and compartment"``, or the whole slide."""
    strata = [name.replace("_", " ") for name in study.proximity.strata]
    return f" of the same {' and '.join(strata)}" if strata else " of the slide"


def _test(row, study) -> str:
    """How sure: p, its sides, and whether it is exact or from how many permutations."""
    name = RELABEL_NAMES.get(study.proximity.null, study.proximity.null)
    if not is_number(row["p"]):
        return f"no p-value; {name}"
    p = p_text(row["p"], row["n_permutations"])
    sign = "" if p[0] in "<≤" else f"={NBSP}"
    sided = text_of(row["alternative"]).replace("_", "-") or "two-sided"
    if is_number(row["n_permutations"]) and row["n_permutations"] > 0:
        drawn = f"{count_text(row['n_permutations'])} permutations"
    else:
        drawn = "exact"
    return f"p{NBSP}{sign}{p}, {sided}, {drawn}; {name}"


def noun(phenotype: str, study, plural: bool = False) -> str:
    """A phenotype as a noun: "tumour cell", "AM/TRM-like macrophage", "Treg cell".

    The study's ``macrophages`` may hold another cell type where a panel has none (CD8, say), so
    "macrophage" is said only where the phenotype's rule asks for a macrophage marker.
    """
    end = "s" if plural else ""
    if phenotype == ALL_MACROPHAGES:
        return "macrophages of all classes" if plural else "macrophage of any class"
    if phenotype.lower() in ("tumour", "tumor"):
        return f"{phenotype.lower()} cell{end}"
    if re.search(r"\bcells?$|macrophage", phenotype, re.I):
        return f"{phenotype} cells" if plural else phenotype
    return f"{phenotype} {'macrophage' if is_macrophage(phenotype, study) else 'cell'}{end}"


def is_macrophage(phenotype: str, study) -> bool:
    """Whether the phenotype's rule asks for a macrophage marker."""
    return MACROPHAGE_MARKER.search(study.phenotypes.get(phenotype, "")) is not None


def _a(text: str) -> str:
    """With its article, as the first word is spoken: "an AM/TRM-like", "a Mo-mac", "an FOXP3"."""
    first = re.split(r"[\s/-]", text)[0]
    acronym = len(first) > 1 and first[:2].isupper()
    return f"{'an' if first[:1].lower() in ('aefhilmnorsx' if acronym else 'aeio') else 'a'} {text}"


def headline(saved: SavedNumbers, study) -> Answer | None:
    """Tumour to the first macrophage class under the position null, if there is a number."""
    given = [a for a in answers(saved, study, POSITION) if a.given]
    return given[0] if given else None


def no_headline_reasons(cells: pd.DataFrame, regions, saved: SavedNumbers, study) -> list[str]:
    """Why there is no answer, the first cause first, each as a sentence of its own."""
    reasons = []
    if len(cells) == 0:
        return ["No cell was found on this slide."]
    tumour = study.proximity.tumour
    phenotype = cells["phenotype"].astype(str)
    if regions.tumour.is_empty:
        reasons.append(micrometres(text_of(regions.reason)) or "There is no tumour region.")
    if not (phenotype == tumour).any():
        reasons.append(f"No cell was called {tumour}.")
    if not study.proximity.macrophages:
        reasons.append("The study names no macrophage phenotype under [proximity] macrophages.")
    absent = [m for m in study.proximity.macrophages if not (phenotype == m).any()]
    if absent:
        reasons.append(f"No cell was called {' or '.join(absent)}.")
    if study.proximity.null == "csr":
        reasons.append(
            "The study compares with complete spatial randomness only, which tissue never is; "
            "set the null to relabel for an answer."
        )
    if not reasons:
        found = (a.observed.reason for a in answers(saved, study, POSITION))
        reasons = list(dict.fromkeys(f"{r[:1].upper()}{r[1:].rstrip('.')}." for r in found if r))
    return reasons or ["The statistics table holds no number at the primary radius."]


def gate_notice(gates: pd.DataFrame) -> str:
    """Says aloud which gates nobody stands by yet; empty when all are confirmed."""
    source = gates["source"].map(text_of)
    is_open = ~gates["confirmed"].astype(bool)
    proposed, moved = gates[is_open & (source == "auto")], gates[is_open & (source == "reviewer")]
    said = []
    if n := len(proposed):
        what = "gate is an automatic proposal" if n == 1 else "gates are automatic proposals"
        said.append(f"{n} {what} nobody has confirmed ({_names(proposed)}).")
    if unimodal := int((~proposed["bimodal"].astype(bool)).sum()):
        said.append(f"{unimodal} of them found no two populations to separate.")
    if n := len(moved):
        what = "gate was" if n == 1 else "gates were"
        said.append(f"{n} {what} moved by a reviewer and not confirmed ({_names(moved)}).")
    return " ".join([*said, "Every number below depends on them."]) if said else ""


def _names(gates: pd.DataFrame) -> str:
    parents = gates["parent"].map(text_of) if "parent" in gates else [""] * len(gates)
    return ", ".join(map(gate_name, gates["marker"].astype(str), parents))
