"""The light of a slide in signs and words: never colour alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from macprox.quality import AMBER, GREEN, LIGHTS, RED, light_of, light_reasons, worth_a_look
from macprox.report.numbers import DASH
from macprox.report.rows import micrometres

SIGNS = {GREEN: "✓", AMBER: "⚠", RED: "✖"}
ICONS = {GREEN: "ok", AMBER: "warning", RED: "stop"}
_MEANINGS = {
    GREEN: "no limit of the quality gate is reached.",
    AMBER: "look at this before you believe the numbers.",
    RED: "do not read this slide's headline.",
}


def light_text(light: str | None) -> str:
    """``"✖ red"``; a dash where nothing is known."""
    return f"{SIGNS[light]} {light}" if light else DASH


def severity(light: str | None) -> int:
    """For sorting: the worst first, what nobody has judged last."""
    return LIGHTS.index(light) if light else len(LIGHTS)


def light_box(quality: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What stands at the top of a report: the light, its meaning, and what gave it.

    Parameters
    ----------
    quality : sequence of mappings
        The manifest's flags.
    """
    flags = {"quality": list(quality)}
    light = light_of(flags) or GREEN
    sentences = dict.fromkeys(micrometres(str(f["message"])) for f in worth_a_look(flags))
    return {
        "light": light,
        "icon": ICONS[light],
        "title": f"{light.capitalize()}: {_MEANINGS[light]}",
        "sentences": list(sentences),
    }


def tally(manifests: Sequence[Mapping[str, Any]]) -> str:
    """``"12 slides: 9 green, 2 amber (out of focus 2), 1 red (few tumour cells 1)"``.

    Parameters
    ----------
    manifests : sequence of mappings
        One a slide; of a failed one ``failure`` is enough. A slide may have several reasons.
    """
    n = len(manifests)
    parts = []
    for light in reversed(LIGHTS):
        alike = [manifest for manifest in manifests if light_of(manifest) == light]
        reasons = Counter(reason for manifest in alike for reason in light_reasons(manifest))
        why = ", ".join(f"{reason_text(name)} {count}" for name, count in reasons.most_common())
        if alike:
            parts.append(f"{len(alike)} {light}" + (f" ({why})" if why else ""))
    return f"{n} slide{'' if n == 1 else 's'}: {', '.join(parts) or 'none judged'}"


def reason_text(flag: str) -> str:
    """A flag as it is read."""
    return flag.replace("_", " ")
