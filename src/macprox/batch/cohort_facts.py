"""What the report of a cohort says besides numbers: who, on which terms, what was left out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from macprox import __version__
from macprox.batch.gathering import Found
from macprox.claims import CLAIMS, Roles
from macprox.claims.terms import LEVEL, Terms
from macprox.cohort.patients import in_order, label_of, labels_in
from macprox.pipeline.stages import versions
from macprox.study import Study


def facts_of(
    study: Study,
    terms: Terms,
    found: Sequence[Found],
    slides: pd.DataFrame,
    problems: Sequence[str],
) -> dict[str, Any]:
    """The content of ``cohort.json``."""
    groups = list(terms.groups)
    if not groups and terms.group is not None:
        groups = list(in_order(labels_in(slides, terms.group)))
    return {
        "macprox": __version__,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": terms.seed,
        "level": LEVEL,
        "group": terms.group,
        "groups": groups,
        "study": "../study.toml",
        "primary": {key: _plain(value) for key, value in terms.primary.items()},
        "primary_radius_um": study.proximity.primary_radius_um,
        "problems": list(problems),
        "slides": [_of_slide(one, slides, terms) for one in found],
        "claims": [_of_claim(claim, terms.roles) for claim in CLAIMS],
        "roles": _of_roles(terms.roles),
        "covariates": list(terms.covariates),
        "time": terms.time or "",
        "event": terms.event or "",
        "versions": versions(),
        "gates": _of_gates(found),
    }


def _plain(value: Any) -> Any:
    return None if value != value else value  # JSON knows no NaN


def _of_slide(one: Found, slides: pd.DataFrame, terms: Terms) -> dict[str, Any]:
    row = slides[slides["slide_id"] == one.slide_id]
    known = not row.empty
    reason = one.reason or ("" if known else "the sample sheet does not say whose slide it is")
    return {
        **one.facts(),
        "patient": str(row["patient"].iloc[0]) if known else "",
        "group": label_of(row[terms.group].iloc[0]) if known and terms.group is not None else "",
        "used": known and not one.reason,
        "reason": reason,
    }


def _of_claim(claim: Any, roles: Roles) -> dict[str, Any]:
    words = ("id", "title", "question", "estimand", "null", "limits")
    return {**{name: getattr(claim, name) for name in words}, "reason": claim.lacking(roles)}


def _of_roles(roles: Roles) -> dict[str, str]:
    names = ("tumour", "resident", "recruited", "regulatory", "cytotoxic", "marker")
    return {name: getattr(roles, name) for name in names}


def _of_gates(found: Sequence[Found]) -> dict[str, int]:
    """How many gates a person has set or confirmed, over all slides that speak."""
    confirmed = unconfirmed = 0
    for one in found:
        if not one.reason:
            gates = one.result.gates()
            n = int(gates["confirmed"].astype(bool).sum()) if len(gates) else 0
            confirmed, unconfirmed = confirmed + n, unconfirmed + len(gates) - n
    return {"confirmed": confirmed, "unconfirmed": unconfirmed}
