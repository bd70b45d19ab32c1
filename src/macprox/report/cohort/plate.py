"""A figure of the cohort's report: drawn once, shown in the page, saved with its data beside it."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from macprox.errors import ResultError
from macprox.io.atomic import replacing, write_text
from macprox.io.spreadsheet import without_formulas
from macprox.printable import printable
from macprox.report import style

WIDTH_IN = 10.6  # the page's, as in the report of a slide
XML = '<?xml version="1.0" encoding="utf-8"?>\n'
FORMATS = (".svg", ".pdf", ".png")

# Groups are no phenotypes and must not look like any: two hues that those palettes leave free, far
# apart in lightness so that grey prints and dichromats keep them apart; shape says the same again.
GROUP_COLOURS = ("#17a398", "#4a2545", "#c77a30", "#8d99ae", "#5f7161", "#d68fb0")
GROUP_MARKERS = ("o", "D", "^", "s", "v", "P")


@dataclass(frozen=True)
class Look:
    """How a group is drawn."""

    colour: str
    marker: str


@dataclass(frozen=True)
class Plate:
    """One figure.

    Parameters
    ----------
    name : str
        Of the files; unique in the report.
    said : str
        What a screen reader says.
    caption : str
        How to read it.
    size_in : (float, float)
        Width and height in inches.
    draw : callable
        Puts the drawing onto an empty figure in the house style.
    data : DataFrame
        Every number that is drawn.
    """

    name: str
    said: str
    caption: str
    size_in: tuple[float, float]
    draw: Callable[[Figure], None]
    data: pd.DataFrame

    def save(self, path: str | os.PathLike) -> Path:
        """Write the figure as ``.svg``, ``.pdf`` or ``.png``, by the path's name.

        Raises
        ------
        ResultError
            If the name ends otherwise.
        """
        path = Path(path)
        if path.suffix not in FORMATS:
            raise ResultError(
                f"A figure is saved as {', '.join(FORMATS)}; found {path.name!r}. Rename it."
            )
        with style.drawing(*self.size_in) as figure:
            self.draw(figure)
            return style.to_file(figure, path)

    def publish(self, folder: Path) -> str:
        """Write ``.svg``, ``.pdf`` and ``.csv`` into a folder; return the inline ``<svg>``."""
        with replacing(folder / f"{self.name}.csv") as temporary:
            without_formulas(self.data).to_csv(temporary, index=False, lineterminator="\n")
        with style.drawing(*self.size_in) as figure:
            self.draw(figure)
            figure.draw_without_rendering()
            figure.set_layout_engine("none")  # laid out once, not once a format
            style.to_file(figure, folder / f"{self.name}.pdf")
            svg = style.to_svg(figure, self.name, self.said)
        write_text(folder / f"{self.name}.svg", f"{XML}{svg}")
        return svg


def looks(groups: tuple[str, ...]) -> dict[str, Look]:
    """Colour and shape of every group, by its place in the order of comparison."""
    return {
        group: Look(GROUP_COLOURS[i % len(GROUP_COLOURS)], GROUP_MARKERS[i % len(GROUP_MARKERS)])
        for i, group in enumerate(groups)
    }


def wrapped(text: str, width: int, most_lines: int = 3) -> str:
    """A name that anybody may have written, in short lines that fit beside others."""
    lines = textwrap.wrap(printable(text), width) or [""]
    kept = lines[:most_lines]
    if len(lines) > most_lines:
        kept[-1] = kept[-1][: width - 1] + "…"
    return "\n".join(kept)


def contrast_label(first: str, second: str, width: int) -> str:
    """``"late − early"``; of long names a line each, so that neither is lost."""
    joined = f"{printable(second)} − {printable(first)}"
    if len(joined) <= width:
        return joined
    return f"{wrapped(second, width, 1)} −\n{wrapped(first, width, 1)}"
