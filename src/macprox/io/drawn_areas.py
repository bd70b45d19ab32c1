"""Areas that people drew in QuPath, or in any tool that writes GeoJSON in pixels."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from shapely import MultiPolygon

from macprox.errors import ResultError, shortened
from macprox.io.geojson import (
    classification_of,
    features_of,
    geometry_of,
    in_um,
    load,
    table_in,
)
from macprox.io.region_files import CLASSES
from macprox.regions.contours import as_multipolygon

# What people call these classes; QuPath's own are "Tumor", "Ignore*", "Necrosis". Not the tumour:
# "Non-tumor", "Peritumoural", "Tumour-free".
_NOT = [f"(?<!{word}{gap})" for word in ("non", "no", "peri") for gap in ("", "[-_ ]")]
_TUMOUR = r"(?:tumou?r|cancer|carcinoma|neoplas|lesion)(?!\w*[-_ ]?free)"
MOST_PX = 1e8  # a hundred times the widest slide; sums of squares stay exact enough
MEANT = {
    "tumour": re.compile("".join(_NOT) + _TUMOUR, re.IGNORECASE),
    "tissue_window": re.compile(r"window|tissue|field|core", re.IGNORECASE),
    "exclusion": re.compile(r"exclu|ignore|art[ei]fact|fold|necro|debris", re.IGNORECASE),
}
_Area = tuple[str, str, MultiPolygon]  # class, label, where in pixels


@dataclass(frozen=True)
class Drawn:
    """Areas somebody drew.

    Attributes
    ----------
    area : MultiPolygon
        Micrometres; the union.
    by_reason : tuple of (str, MultiPolygon)
        The same by the name or class that was given to them.
    messages : tuple of str
        What was left out or repaired, for the manifest's warnings.
    """

    area: MultiPolygon
    by_reason: tuple[tuple[str, MultiPolygon], ...]
    messages: tuple[str, ...] = ()


def read_drawn(
    path: Path,
    pixel_size_um: float,
    kind: str,
    shape: tuple[int, int] | None = None,
    name: str | None = None,
) -> Drawn:
    """Read areas drawn in QuPath or any tool that writes GeoJSON in pixels.

    Of the annotations those count whose class is named, or means what is wanted ("Tumor",
    "Cancer", ...); where no class does, all of them, if they are of one class or of none. Of a
    file for the tumour, classes that say "leave out" never count.

    Parameters
    ----------
    path : Path
        Text, or packed (``.gz``, ``.zip``).
    pixel_size_um : float
        Of the slide at full resolution, whose pixels the file's coordinates are.
    kind : {"tumour", "exclusion", "tissue_window"}
    shape : (int, int), optional
        ``(y, x)`` of the slide in pixels: areas that do not touch it are refused.
    name : str, optional
        The class that counts, in any case.

    Raises
    ------
    ResultError
        If the file is not GeoJSON, holds no area, or several classes of which none is meant.
    """
    path = Path(path)
    areas, messages = _areas_in(path)
    return _drawn(_meant(areas, kind, name, path), messages, path, pixel_size_um, shape)


def excluded_beside(
    path: Path, pixel_size_um: float, shape: tuple[int, int] | None = None
) -> Drawn | None:
    """The areas of a file for the tumour whose class says that they are to be left out.

    None where there are none. Else as `read_drawn`, which tells what was repaired.
    """
    areas = [item for item in _areas_in(Path(path))[0] if _is_left_out(item)]
    return _drawn(areas, [], Path(path), pixel_size_um, shape) if areas else None


def _areas_in(path: Path) -> tuple[list[_Area], list[str]]:
    """Every area with its class and its label, in pixels; and what was left out or repaired."""
    features = features_of(load(path), path)
    areas, messages = [], []
    for number, feature in enumerate(features, start=1):
        geometry = geometry_of(feature, path)
        if shapely.get_dimensions(geometry) < 2:  # not its area: a bow tie has none
            continue
        if not geometry.is_valid:
            why = shapely.is_valid_reason(geometry)
            geometry = shapely.make_valid(geometry)
            messages.append(f"{path.name}: area {number} was repaired ({why}).")
        if not np.abs(geometry.bounds).max() < MOST_PX:  # NaN is none
            raise ResultError(
                f"{path}: area {number} reaches to {np.abs(geometry.bounds).max():.3g} pixels, "
                "which no slide has. Export it again."
            )
        areas.append((_class_name(feature), _label(feature), as_multipolygon(geometry)))
    if len(areas) < len(features):
        messages.append(f"{path.name}: {len(features) - len(areas)} points or lines left out.")
    return areas, messages


def _drawn(
    areas: list[_Area],
    messages: list[str],
    path: Path,
    pixel_size_um: float,
    shape: tuple[int, int] | None,
) -> Drawn:
    drawn = as_multipolygon(shapely.union_all([area for _, _, area in areas]))
    if shape is not None and not drawn.intersects(shapely.box(0, 0, shape[1], shape[0])):
        raise ResultError(
            f"{path}: its areas (x {drawn.bounds[0]:g} to {drawn.bounds[2]:g}) lie outside the "
            f"slide of {shape[1]} x {shape[0]} pixels. Expected full-resolution pixels of this "
            "slide, as QuPath exports them."
        )
    return Drawn(
        area=in_um(drawn, pixel_size_um),
        by_reason=tuple((label, in_um(area, pixel_size_um)) for _, label, area in areas),
        messages=tuple(messages),
    )


def _class_name(feature: dict[str, Any]) -> str:
    """What an area is called by class: by ours, else by QuPath's; empty without one."""
    properties = table_in(feature, "properties")
    kind = table_in(properties, "metadata").get("kind") or properties.get("kind")
    return str(kind or "") or classification_of(feature)


def _label(feature: dict[str, Any]) -> str:
    properties = table_in(feature, "properties")
    reason = table_in(properties, "metadata").get("reason") or properties.get("reason")
    return str(reason or properties.get("name") or _class_name(feature))


def _meant(areas: list[_Area], kind: str, name: str | None, path: Path) -> list[_Area]:
    if not areas:
        raise ResultError(
            f"{path} holds no area: expected at least one annotation drawn as a polygon."
        )
    classes = Counter(item[0] or "unclassified" for item in areas)
    listed = shortened(", ".join(f"{told} ({n})" for told, n in classes.most_common()), 200)
    if name is not None:
        named = [item for item in areas if item[0].lower() == name.lower()]
        if not named:
            raise ResultError(f"{path} has no annotation of class {name!r}, but {listed}.")
        return named
    if kind == "tumour":
        areas = [item for item in areas if not _is_left_out(item)]
    meant = [item for item in areas if MEANT[kind].search(item[0])]
    if not meant and len({item[0] for item in areas}) != 1:
        problem = f"has annotations of several classes, none of which says {kind}"
        if not areas:
            problem = "has only areas to leave out"
        raise ResultError(
            f"{path} {problem}: {listed}. Give those meant the class '{CLASSES[kind]}'."
        )
    return meant or areas


def _is_left_out(area: _Area) -> bool:
    return bool(MEANT["exclusion"].search(area[0]))
