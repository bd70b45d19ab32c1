"""One colour for one phenotype: in reports, in napari, in files for other programs."""

from __future__ import annotations

from collections.abc import Sequence

from macprox.celltable import AMBIGUOUS, OTHER

# Okabe and Ito (2008), darkened where the original vanishes on white. Macrophages also differ in
# shape, so that no reading depends on colour alone.
TUMOUR_COLOUR = "#56a8d8"
MACROPHAGE_COLOURS = ("#d1450b", "#7b2d8e", "#b8860b", "#8c1c13", "#3b3b98")
OTHER_COLOURS = ("#00875f", "#e0b400", "#c2629b", "#5d4a2f", "#7fbf3f", "#1f3f77")
FIXED_COLOURS = {OTHER: "#c9ced5", AMBIGUOUS: "#5b6570"}


def phenotype_colours(
    phenotypes: Sequence[str], tumour: str, macrophages: Sequence[str]
) -> dict[str, str]:
    """Colour of every phenotype, fixed by the study and not by what a slide happens to hold.

    Parameters
    ----------
    phenotypes : sequence of str
        In the study's order; ``Other`` and ``Ambiguous`` are added.
    tumour : str
    macrophages : sequence of str

    Returns
    -------
    dict of str to str
        In drawing order: what matters most is last, and so on top.
    """
    rest = [
        p for p in phenotypes if p != tumour and p not in macrophages and p not in FIXED_COLOURS
    ]
    colours = dict(FIXED_COLOURS)
    colours |= {p: OTHER_COLOURS[i % len(OTHER_COLOURS)] for i, p in enumerate(rest)}
    colours[tumour] = TUMOUR_COLOUR
    for i, phenotype in enumerate(macrophages):
        colours[phenotype] = MACROPHAGE_COLOURS[i % len(MACROPHAGE_COLOURS)]
    return colours
