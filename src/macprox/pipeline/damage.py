"""What of a slide does not decode: looked for where a run allows it, and left out of its tissue."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any

import shapely
from shapely import MultiPolygon

from macprox.errors import DamageError, SlideError
from macprox.image.damage import (
    Damage,
    damage_at,
    damage_of,
    damaged_pieces,
    n_damaged_px,
    stretches,
)
from macprox.image.tiles import Box
from macprox.io.store import SlideFolder
from macprox.pipeline.options import RunOptions
from macprox.pipeline.stages import Ledger
from macprox.quality import QualityFlag
from macprox.regions import Regions
from macprox.regions.contours import as_multipolygon
from macprox.slide import Slide

DAMAGED = "damaged"  # the reason of the exclusion
REACH_UM = 15.0  # cells nearer than this to a damaged place may have lost a part to it
N_NAMED = 3  # places that a sentence names; the manifest has more


def allowed_damage(slide: Slide, source: Mapping[str, Any], options: RunOptions) -> Damage | None:
    """What is damaged and may be; None where the run allows no damage, and looks for none.

    What an earlier run found holds as long as the file is the same and nothing was repaired.

    Parameters
    ----------
    slide : Slide
    source : dict
        The manifest's facts of the slide from an earlier run, if there was one.
    options : RunOptions

    Raises
    ------
    DamageError
        If no damage is allowed, and what an earlier run left out still does not decode: its
        results stay as they are.
    SlideError
        If nothing decodes.
    """
    known = source.get("damage") if source.get("fingerprint") == slide.fingerprint else None
    errors = list(_still(slide, Damage.from_dict(known)))
    if not options.allow_damaged:
        for error in filter(None, errors):
            raise error
        return None
    if known is not None and all(errors):
        return Damage.from_dict(known)
    return _look_everywhere(slide, options)


def _still(slide: Slide, damage: Damage) -> Iterator[DamageError | None]:
    """Of every box and level why it does not decode, or None where it does by now."""
    for box in damage.boxes:
        yield _first(
            damage_at(slide.source, 0, channel, box) for channel in range(len(slide.channels))
        )
    parts = stretches(slide) if damage.unused_levels else []
    for level in damage.unused_levels:
        yield _first(
            damage_at(slide.source, level, part.channel, part.box)
            for part in parts
            if part.level == level
        )


def _first(errors: Iterable[DamageError | None]) -> DamageError | None:
    return next(filter(None, errors), None)


def _look_everywhere(slide: Slide, options: RunOptions) -> Damage:
    parts = stretches(slide)
    advance = options.watcher.stage(slide.slide_id, "damage", len(parts))
    look = partial(damaged_pieces, source=slide.source)
    pieces = [piece for found in options.workers.map(look, parts, advance) for piece in found]
    damage = damage_of(pieces)
    if n_damaged_px(damage) == math.prod(slide.shape):
        raise SlideError(
            f"No part of {slide.path.name!r} decodes in all channels ({damage.places[0]} is the "
            "first that does not), so nothing is left to analyse. Copy or export it again."
        )
    return damage


def with_remedy(error: DamageError, folder: SlideFolder, options: RunOptions) -> DamageError:
    """The sentence of a place that stopped a run, with what the next run can do about it."""
    remedy = "Or run with --allow-damaged, which leaves such places out."
    if options.allow_damaged:
        ledger = Ledger.open(folder)
        ledger.manifest["source"].pop("damage", None)  # looked for anew, then
        ledger.note()
        remedy = "It did decode when damage was looked for; run again to have it left out."
    return DamageError(f"{error} {remedy}", error.place)


def damaged_area(source: Mapping[str, Any]) -> MultiPolygon:
    """Where no cell can be trusted for damage, micrometres: the places, and a cell's reach more.

    Parameters
    ----------
    source : dict
        The manifest's facts of the slide.
    """
    boxes = Damage.from_dict(source.get("damage")).boxes
    return area_around(boxes, source["shape"], source["pixel_size_um"]) if boxes else MultiPolygon()


def area_around(
    boxes: tuple[Box, ...], shape: tuple[int, int], pixel_size_um: float
) -> MultiPolygon:
    """Boxes grown by `REACH_UM`, micrometres, within a slide of this shape."""
    grown = [
        shapely.box(
            box.x0 * pixel_size_um - REACH_UM,
            box.y0 * pixel_size_um - REACH_UM,
            box.x1 * pixel_size_um + REACH_UM,
            box.y1 * pixel_size_um + REACH_UM,
        )
        for box in boxes
    ]
    rim = shapely.box(0, 0, shape[1] * pixel_size_um, shape[0] * pixel_size_um)
    return as_multipolygon(shapely.union_all(grown) & rim)


def damage_facts(source: Mapping[str, Any], regions: Regions) -> dict[str, float] | None:
    """For the manifest: ``area_mm2`` and ``tissue_frac`` of the tissue left out; None for none."""
    area = damaged_area(source)
    if area.is_empty:
        return None
    lost, tissue = (area & regions.tissue_window).area, regions.tissue_window.area
    return {"area_mm2": lost / 1e6, "tissue_frac": lost / tissue if tissue else 0.0}


def damage_flags(source: Mapping[str, Any], facts: Mapping[str, float] | None) -> list[QualityFlag]:
    """What a reader of the numbers should know about damage."""
    damage = Damage.from_dict(source.get("damage"))
    flags = []
    if facts is not None:
        flags.append(
            QualityFlag(
                "damaged",
                facts["tissue_frac"],
                f"Damaged: {facts['area_mm2']:.3g} mm² ({facts['tissue_frac']:.1%} of the tissue) "
                f"do not decode in all channels, or lie within {REACH_UM:g} µm of that, and are "
                f"left out: {_named(damage)}.",
            )
        )
    elif damage:
        message = f"A damaged level of the file's pyramid was not used: {_named(damage)}."
        flags.append(QualityFlag("damaged_pyramid", float(damage.n_pieces), message, "info"))
    return flags


def _named(damage: Damage) -> str:
    n_more = damage.n_pieces - len(damage.places[:N_NAMED])
    return "; ".join(damage.places[:N_NAMED]) + (f"; and {n_more} more" if n_more > 0 else "")
