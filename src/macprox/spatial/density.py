"""Cells per mm2 of tissue window: the denominator is always named."""

from __future__ import annotations

import numpy as np

from macprox.spatial.pattern import UM2_PER_MM2, Group, Pattern
from macprox.spatial.table import ALL, WINDOW, Row, row

MIN_AREA_UM2 = 0.01 * UM2_PER_MM2  # a density over less says nothing


def density(n: int, area_um2: float, no_window_reason: str = "") -> tuple[float, str]:
    """Cells per mm2 and, where the area is too small or unknown, NaN with the reason."""
    if no_window_reason:
        return np.nan, no_window_reason
    if area_um2 < MIN_AREA_UM2:
        return np.nan, f"only {area_um2 / UM2_PER_MM2:.4f} mm2 of window, less than 0.01"
    return n / area_um2 * UM2_PER_MM2, ""


def density_rows(
    pattern: Pattern,
    groups: list[Group],
    region: str = ALL,
    inside: np.ndarray | None = None,
    area_um2: float | None = None,
) -> list[Row]:
    """Cells per mm2 of window, overall or among the cells ``inside`` a region of known area."""
    area_um2 = pattern.area_um2 if area_um2 is None else area_um2
    rows = []
    for group in groups:
        of_group = pattern.is_a(group.phenotypes)
        n = int((of_group if inside is None else of_group & inside).sum())
        value, reason = density(n, area_um2, pattern.no_window_reason)
        # An area without such cells has density 0; a slide without them may mean a failed stain.
        remark = "" if of_group.any() else f"no cells of {group.name!r}"
        rows.append(
            row(
                slide_id=pattern.slide_id,
                roi_id=pattern.roi_id,
                statistic="density_per_mm2",
                source=group.name,
                target=WINDOW,
                region=region,
                value=value,
                n_source=n,
                source_per_mm2=value,
                reason=reason or remark,
            )
        )
    return rows
