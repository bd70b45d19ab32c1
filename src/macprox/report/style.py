"""One look for every figure: small and quiet. Colours of cells: `macprox.phenotype.colours`."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from macprox.io.atomic import replacing

INK = "#1f2933"
QUIET = "#66707b"
FAINT = "#d5dae0"
EXPECTED = "#7b8794"  # whatever the null expects is grey, dashed and hollow
ACCENT = "#0b6e99"

MACROPHAGE_MARKERS = ("^", "s", "D", "v", "P")

RC: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 8.5,
    "text.color": INK,
    "text.parse_math": False,  # a marker called "$x$" is a name, not a formula
    "axes.edgecolor": QUIET,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.7,
    "axes.titlesize": 9.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.unicode_minus": True,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "lines.linewidth": 1.6,
    "figure.facecolor": "white",
    "svg.fonttype": "none",  # text stays text: searchable, small, in the page's own font
    "svg.hashsalt": "macprox",  # the same figure is the same bytes
}

PADS_IN: dict[str, Any] = {"w_pad": 0.08, "h_pad": 0.07, "wspace": 0.03, "hspace": 0.04}


@contextmanager
def drawing(width_in: float, height_in: float) -> Iterator[Figure]:
    """A figure in the report's style; nothing global is left changed."""
    with rc_context(RC):
        figure = Figure(figsize=(width_in, height_in), layout=ConstrainedLayoutEngine(**PADS_IN))
        FigureCanvasAgg(figure)
        yield figure


def quiet_axes(axes: Axes) -> None:
    """Only the two spines that carry a scale, and a faint horizontal grid."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color=FAINT, linewidth=0.6)
    axes.set_axisbelow(True)


def to_svg(figure: Figure, name: str, description: str) -> str:
    """The figure as an inline ``<svg>`` element; call inside `drawing`.

    Parameters
    ----------
    figure : Figure
    name : str
        Unique on the page: becomes the prefix of every id inside, since several inline SVGs
        share one document and clip paths are looked up by id.
    description : str
        What a screen reader says.
    """
    buffer = io.StringIO()
    no_metadata = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    figure.savefig(buffer, format="svg", transparent=True, metadata=no_metadata)
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", svg, flags=re.S)
    svg = re.sub(r"<!--.*?-->", "", svg, flags=re.S)  # comments repeat every text of the figure
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r'(url\(#|href="#)', rf"\g<1>{name}-", svg)
    role = f'<svg class="figure" role="img" aria-label="{_attribute(description)}"'
    return svg.replace("<svg", role, 1)


def to_data_uri(figure: Figure, kind: str, pixels_per_inch: float, quality: int = 88) -> str:
    """The figure as a ``data:`` address, ``kind`` ``"png"`` or ``"jpeg"``; inside `drawing`."""
    buffer = io.BytesIO()
    options = {"quality": quality} if kind == "jpeg" else {"optimize": True}
    figure.savefig(buffer, format=kind, dpi=pixels_per_inch, pil_kwargs=options)
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def to_file(figure: Figure, path: Path) -> Path:
    """The figure as ``.svg``, ``.pdf`` or ``.png``, by the path's name; call inside `drawing`."""
    with replacing(path) as temporary:
        figure.savefig(temporary, format=path.suffix[1:], dpi=150)
    return path


def macrophage_markers(macrophages: Sequence[str]) -> dict[str, str]:
    """Plot marker of each macrophage phenotype; every other cell is a dot."""
    return {p: MACROPHAGE_MARKERS[i % len(MACROPHAGE_MARKERS)] for i, p in enumerate(macrophages)}


def _attribute(text: str) -> str:
    escapes = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}
    return "".join(escapes.get(character, character) for character in text)
