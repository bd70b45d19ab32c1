"""One light a slide: every finding about it is held against the limits that stand here.

A limit with a source is an exclusion rule of PMC8363080, table 2 (lung cancer slides that were left
out, and why). The others are our own choice, said so; none is tuned on the samples.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

# Beyond these the headline is not to be read: level "stop".
MIN_TUMOUR_CELLS = 100  # fewer say nothing of a tumour (PMC8363080)
MAX_EXCLUDED_FRAC = 0.8  # of the tissue; as their 80 % of necrosis or fibrosis (PMC8363080)
MAX_OUT_OF_FOCUS_FRAC = 0.5  # of the counted tissue; ours: the readable part is then the exception
PIXEL_SIZE_RANGE_UM = (0.1, 2.0)  # ours: outside, cells are hundreds of pixels wide, or a few

# Beyond these somebody should look before believing it: level "warning".
MIN_TISSUE_MM2 = 1.0  # counted tissue; a smaller biopsy is not representative (PMC8363080)
ARTEFACT_FRAC = 0.01  # of the counted tissue, from here on; ours, as are those below
SATURATED_FRAC = 0.001  # of the tissue's pixels, at a channel's highest value
AUTOFLUORESCENT_FRAC = 0.05  # of the counted cells, bright in the blank channel
ODD_CELLS_FRAC = 0.01  # of the counted cells, from here on: clumps, giant nuclei, streaks
# Of a lesion: share of tumour-marker cells in the 30 um inside its border less that outside it.
# Ours, by looking: borders that macprox finds have 0.28 to 0.81 in eleven breast images and 0.93
# or more in simulated lung; moved aside by 30 um, 75 % of them fall below, by 60 um all.
MIN_BORDER_CONTRAST = 0.25
UNCLEAR_BORDER_FRAC = 0.25  # of the tumour's area, in lesions below that contrast, from here on

INFO, WARNING, STOP = "info", "warning", "stop"
LEVELS = (STOP, WARNING, INFO)  # the worst first
GREEN, AMBER, RED = "green", "amber", "red"
LIGHTS = (RED, AMBER, GREEN)  # the worst first
_LEVEL_OF = {RED: STOP, AMBER: WARNING}
FAILED = "failed"


@dataclass(frozen=True)
class QualityFlag:
    """One finding.

    Parameters
    ----------
    flag : str
        A word for tables.
    value : float
        The number behind it.
    message : str
        A sentence for people.
    level : "info", "warning" or "stop"
        ``"warning"``: look before you believe the numbers; ``"stop"``: do not read the headline.
    """

    flag: str
    value: float
    message: str
    level: str = WARNING

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def light_of(manifest: Mapping[str, Any]) -> str | None:
    """The light of a slide: that of its worst finding.

    Parameters
    ----------
    manifest : mapping
        Its ``quality``, and ``failure`` where its last run ended with one.

    Returns
    -------
    "green", "amber", "red" or None
        None before anything is known of it.

    Examples
    --------
    >>> light_of({"quality": [{"flag": "clumps", "level": "warning"}]})
    'amber'
    """
    if manifest.get("failure"):
        return RED
    if "quality" not in manifest:
        return None
    levels = {flag["level"] for flag in manifest["quality"]}
    return RED if STOP in levels else AMBER if WARNING in levels else GREEN


def light_reasons(manifest: Mapping[str, Any]) -> list[str]:
    """The flags that gave a slide its light, each once; ``["failed"]``; none for a green one."""
    if manifest.get("failure"):
        return [FAILED]
    level = _LEVEL_OF.get(light_of(manifest) or "")
    flags = (flag["flag"] for flag in manifest.get("quality", []) if flag["level"] == level)
    return list(dict.fromkeys(flags))


def worth_a_look(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The flags that are more than a remark, those that stop first."""
    found = [flag for flag in manifest.get("quality") or [] if flag["level"] != INFO]
    return sorted(found, key=lambda flag: LEVELS.index(flag["level"]))
