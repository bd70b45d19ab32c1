"""Who looked at a slide, and who stands by it, in one line."""

from __future__ import annotations

from typing import Any


def review_line(manifest: dict[str, Any]) -> str:
    """Sign-off and decisions; empty for a slide that cannot be reviewed, another tool's table."""
    if "signed_off" not in manifest:
        return ""
    decided = manifest.get("edits") or {}
    whose = ", ".join(f"{who} ({n})" for who, n in decided.items())
    decisions = f" Decisions by {whose}." if whose else ""
    return _signed(manifest["signed_off"]) + decisions


def sign_off_status(manifest: dict[str, Any]) -> str:
    """In two or three words; empty where nobody signed."""
    signed = manifest.get("signed_off")
    if not signed:
        return ""
    return "changed since sign-off" if signed["changed_since"] else "signed off"


def _signed(signed: dict[str, Any] | None) -> str:
    if signed is None:
        return "Nobody has signed this slide off."
    date, _, time = signed["time"].partition("T")
    comment = f": “{signed['comment']}”." if signed["comment"] else "."
    line = f"Signed off by {signed['by']} on {date}, {time[:5]} UTC{comment}"
    if signed["changed_since"]:
        line += " Changed since: the numbers below are not those that were signed."
    return line
