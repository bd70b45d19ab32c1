"""`macprox init`: a commented study.toml to start from, with channels guessed from their names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from macprox.errors import PanelError
from macprox.phenotype.logic import Marker

# What a channel's name says about it, as patterns on the name in lower case without separators.
# Earlier entries are preferred where a panel has several.
NUCLEUS = (r"dapi", r"hoechst", r"^hh3|histone", r"dna|draq5|nuclei|^ir19[13]")
BLANK = (r"^af\d*$|autofluo", r"blank|empty|background")
TUMOUR = (
    r"pan(cyto)?(ck|k|cytokeratin|keratin|krt)|keratinpan|cytokeratinpan|ckpan",
    r"ckepcam|^(cyto)?keratin$|^cytokeratin|^ck$|^krt$|^ckae1|ae1ae3",
    r"sox10|melan|^mart1|s100b",
    r"epcam|ecad|^ck\d+|^krt\d+",
)
MACROPHAGE = (r"^cd68", r"^cd163", r"^iba1|^aif1", r"^cd206|^mrc1", r"^cd14$")
OTHER_ROLES = {
    "resident": (r"^marco", r"^pparg", r"^fabp4"),
    "monocytic": (r"^trem2", r"^spp1", r"^ccr2", r"^cd14$"),
    "interstitial": (r"^folr2", r"^lyve1"),
    "t_cells": (r"^cd8", r"^cd3", r"^cd4$"),
    "regulatory": (r"^foxp3",),
}
NUCLEAR = (r"^foxp3|^pparg|ttf1|nkx21|^p40|^p63|^ki67|^sox\d|^tbet|^gata\d|^pcna",)

LINEAGES: tuple[str, ...] = ("AM/TRM-like", "Mo-mac-like", "IM-like")

_COHORT = """\
[cohort]  # who is compared: macprox cohort
# samples = "samples.csv"     # columns slide_id, patient, group, covariates
# groups = ["early", "late"]  # late minus early"""

RULE_HELP = """\
# "+" and "-" read a marker's gate; a space (or "and"), "or", "not" and brackets combine them;
# "in:tumour" (core, inner_margin, outer_margin, distant, epithelium, stroma, airspace, vessel)
# asks where the cell lies; "otherwise" takes only cells that no other rule takes.
# No rule matches: "Other". Several match: "Ambiguous"; both are always counted."""


class NamedChannels(Protocol):
    """What `macprox inspect` knows of a slide, or the slide itself."""

    @property
    def slide_id(self) -> str: ...
    @property
    def channels(self) -> tuple[str, ...]: ...
    @property
    def pixel_size_um(self) -> float | None: ...


@dataclass(frozen=True)
class Panel:
    """Roles of the channels that all slides share; None or empty where no name fits."""

    nucleus: str | None
    blank: str | None
    tumour: str | None
    macrophages: tuple[str, ...]
    resident: tuple[str, ...]
    monocytic: tuple[str, ...]
    interstitial: tuple[str, ...]
    t_cells: tuple[str, ...]
    regulatory: tuple[str, ...]
    others: tuple[str, ...]

    @property
    def used(self) -> tuple[str, ...]:
        """Markers that the starter's rules read."""
        groups = (self.macrophages[:1], self.resident, self.monocytic, self.interstitial)
        named = [m for group in (*groups, self.t_cells, self.regulatory) for m in group]
        return tuple(dict.fromkeys([*([self.tumour] if self.tumour else []), *named]))


def guess_panel(channels: Sequence[str]) -> Panel:
    """Which channel is what, by name alone."""
    nucleus = _matching(channels, NUCLEUS)[:1]
    blank = _matching([c for c in channels if c not in nucleus], BLANK)[:1]
    markers = [c for c in channels if c not in (*nucleus, *blank)]
    tumour = _matching(markers, TUMOUR)[:1]
    macrophages = _matching(markers, MACROPHAGE)
    main = macrophages[:1]
    roles = {
        role: tuple(c for c in _matching(markers, patterns) if c not in main)
        for role, patterns in OTHER_ROLES.items()
    }
    known = {c for group in (tumour, main, *roles.values()) for c in group}
    return Panel(
        nucleus=next(iter(nucleus), None),
        blank=next(iter(blank), None),
        tumour=next(iter(tumour), None),
        macrophages=macrophages,
        others=tuple(c for c in markers if c not in known),
        **roles,
    )


def _matching(channels: Sequence[str], patterns: Sequence[str]) -> tuple[str, ...]:
    found = [c for pattern in patterns for c in channels if re.search(pattern, _plain(c))]
    return tuple(dict.fromkeys(found))


def _plain(name: str) -> str:
    """``"CD68 (Opal 620)"`` is ``"cd68"``: dyes and separators do not say what is stained."""
    return re.sub(r"\(.*?\)|[^a-z0-9]", "", name.lower()) or name.lower()


def starter_study(slides: Sequence[NamedChannels]) -> str:
    """The text of a study.toml for these slides; it parses, and fits each of them.

    Parameters
    ----------
    slides : sequence of Slide or SlideInfo
        Only channels that all of them have are used.

    Raises
    ------
    PanelError
        Without slides, or if they share no channel.
    """
    if not slides:
        raise PanelError("Expected at least one slide to guess the channels from, found none.")
    shared = [c for c in slides[0].channels if all(c in slide.channels for slide in slides)]
    if not shared:
        raise PanelError(
            f"Slides {slides[0].slide_id!r} and the {len(slides) - 1} others share no channel; "
            "write one study for each panel."
        )
    panel = guess_panel(shared)
    rules = phenotype_rules(panel)
    parts = [
        _introduction(slides, shared),
        _image(panel, shared, slides),
        _segmentation(panel),
        *_markers(panel),
        '[regions]\ntumour = "auto"  # from tumour-marker cells; or "none", or a GeoJSON file',
        _phenotypes(panel, rules),
        _proximity(panel, rules),
        _COHORT,
    ]
    return "\n\n".join(parts) + "\n"


def phenotype_rules(panel: Panel) -> dict[str, str]:
    """Rules from the markers there are."""
    rules: dict[str, str] = {}
    main = panel.macrophages[0] if panel.macrophages else None
    not_tumour = [_sign(panel.tumour, "-")] if panel.tumour else []
    not_macrophage = [_sign(main, "-")] if main else []
    if panel.tumour:
        positive = [_sign(panel.tumour, "+"), *not_macrophage]
        rules["Tumour"] = " ".join([*positive, "in:tumour"])
        rules["Normal epithelium"] = " ".join([*positive, "not in:tumour"])
    if main:
        rules |= _macrophage_rules(panel, _sign(main, "+"), not_tumour)
    others = [*not_macrophage, *not_tumour]
    regulatory = panel.regulatory[:1]
    if regulatory:
        rules["Treg"] = " ".join([_sign(regulatory[0], "+"), *others])
    no_treg = [_sign(marker, "-") for marker in regulatory]
    if panel.t_cells:
        first = panel.t_cells[0]
        name = "CD8 T cell" if _plain(first).startswith("cd8") else "T cell"
        rules[name] = " ".join([_sign(first, "+"), *no_treg, *others])
        helpers = [m for m in panel.t_cells[1:] if name == "CD8 T cell"]
        if helpers:
            rules["Other T cell"] = " ".join(
                [_either(helpers), _sign(first, "-"), *no_treg, *others]
            )
    return rules


def _macrophage_rules(panel: Panel, main: str, not_tumour: list[str]) -> dict[str, str]:
    """Lineages do not exclude each other: a cell with both is "Ambiguous", and counted as such."""
    rules = {}
    if panel.resident:
        rules["AM/TRM-like"] = " ".join([main, _either(panel.resident), *not_tumour])
    if panel.monocytic:
        rules["Mo-mac-like"] = " ".join([main, _either(panel.monocytic), *not_tumour])
    if panel.interstitial:
        excluded = [_sign(marker, "-") for marker in panel.resident]
        rules["IM-like"] = " ".join([main, _either(panel.interstitial), *excluded, *not_tumour])
    if rules:
        rules["Macrophage, unclassified"] = " ".join([main, *not_tumour, "otherwise"])
    else:
        rules["Macrophage"] = " ".join([main, *not_tumour])
    return rules


def _either(markers: Sequence[str]) -> str:
    words = " or ".join(_sign(marker, "+") for marker in markers)
    return f"({words})" if len(markers) > 1 else words


def _sign(marker: str, sign: str) -> str:
    return str(Marker(marker, sign == "+"))


# --- sections ----------------------------------------------------------------------------------


def _introduction(slides: Sequence[NamedChannels], shared: Sequence[str]) -> str:
    names = ", ".join(slide.slide_id for slide in slides[:3])
    more = f" and {len(slides) - 3} more" if len(slides) > 3 else ""
    lines = [
        f"A starter study for {names}{more}. Channels were guessed from their names alone:",
        "read every line, correct it, then: macprox run SLIDES --study THIS_FILE --out results",
        f"Channels: {', '.join(shared)}.",
    ]
    partial = {c for slide in slides for c in slide.channels if c not in shared}
    if partial:
        lines.append(f"Not on every slide, so not used: {', '.join(sorted(partial))}.")
    return "\n".join(f"# {line}" for line in lines)


def _image(panel: Panel, shared: Sequence[str], slides: Sequence[NamedChannels]) -> str:
    lines = ["[image]"]
    if panel.nucleus is None:
        lines.append("# No channel is named like a nuclear stain; the first is a placeholder.")
    lines.append(f"nucleus = {_quoted(panel.nucleus or shared[0])}")
    if panel.blank:
        lines.append(f"autofluorescence = {_quoted(panel.blank)}")
    else:
        lines.append('# autofluorescence = "AF"  # no channel is named like a blank one')
    without = [slide.slide_id for slide in slides if slide.pixel_size_um is None]
    if without:
        lines += [
            f"# {', '.join(without[:3])}{' ...' if len(without) > 3 else ''}: the file does not",
            "# state micrometres per pixel. It is never guessed: look it up at the scanner, then",
            "# uncomment this line or give --pixel-size.",
        ]
    else:
        lines.append("# The files state their scale; this line is only for files that do not.")
    lines.append("# pixel_size_um = ")
    return "\n".join(lines)


def _segmentation(panel: Panel) -> str:
    lines = ["[segmentation]", "expansion_um = 4.0  # how far a cell extends beyond its nucleus"]
    if panel.macrophages:
        lines += [
            "",
            "[segmentation.macrophages]  # bodies follow this signal, with or without a nucleus",
            f"channels = [{_quoted(panel.macrophages[0])}]",
        ]
    return "\n".join(lines)


def _markers(panel: Panel) -> list[str]:
    sections: list[str] = []
    for marker in panel.used:
        nuclear = bool(_matching([marker], NUCLEAR))
        tumour = marker == panel.tumour
        compartment = "nucleus" if nuclear else "ring" if tumour else "cell"
        comment = "  # nucleus, ring or cell" if not sections else ""
        proposal = "  # or a number; a proposal until confirmed" if not sections else ""
        sections.append(
            f"[markers.{_quoted(marker)}]\n"
            f'compartment = "{compartment}"{comment}\ngate = "auto"{proposal}'
        )
    if panel.others:
        sections.append(f"# Measured, but without a rule here: {', '.join(panel.others)}.")
    return sections


def _phenotypes(panel: Panel, rules: dict[str, str]) -> str:
    lines = ["[phenotypes]", RULE_HELP]
    if not panel.tumour:
        lines.append(
            "# No channel is named like a tumour or epithelial marker: add a rule 'Tumour'."
        )
    if not panel.macrophages:
        lines.append("# No channel is named like a macrophage marker (CD68, CD163, IBA1).")
    lines += [f"{_quoted(name)} = {_quoted(rule)}" for name, rule in rules.items()]
    return "\n".join(lines)


def _proximity(panel: Panel, rules: dict[str, str]) -> str:
    sources: list[str] = [name for name in LINEAGES if name in rules]
    if len(sources) < 2:
        sources += [name for name in ("Macrophage, unclassified", "Macrophage") if name in rules]
    lines = ["[proximity]"]
    if not sources:
        sources += [name for name in ("CD8 T cell", "T cell", "Treg") if name in rules][:1]
        if sources:
            lines.append("# Without a macrophage marker another immune cell is the source.")
    if not sources or not panel.tumour:
        missing = "a tumour phenotype" if sources else "a macrophage phenotype"
        lines.append(f"# Distances need {missing}; name both once there are rules for them.")
        listed = ", ".join(map(_quoted, sources))
        return "\n".join([*lines, f"# macrophages = [{listed}]", '# tumour = "Tumour"'])
    return "\n".join(
        [
            *lines,
            f"macrophages = [{', '.join(map(_quoted, sources))}]",
            'tumour = "Tumour"',
            "radii_um = [10, 20, 30, 50, 100]",
            "primary_radius_um = 20  # the headline's one radius; choose it before looking",
        ]
    )


def _quoted(text: str) -> str:
    """A TOML string; one with quotation marks of its own stays readable."""
    if '"' in text and "'" not in text and text.isprintable():
        return f"'{text}'"
    import tomlkit

    return tomlkit.item(text).as_string()
