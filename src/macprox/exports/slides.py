"""Whose results are to be exported: one slide's, or several slides'."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from macprox.errors import MacproxError
from macprox.results import SlideResult


def slides_of(results: SlideResult | Iterable[SlideResult]) -> list[SlideResult]:
    """One slide as a list, several as they are.

    Raises
    ------
    MacproxError
        If there is none, or something else.
    """
    slides: list[Any] = [results]
    if isinstance(results, Iterable) and not isinstance(results, str):
        slides = list(results)
    if not slides:
        raise MacproxError("There is no slide to export; give at least one that is finished.")
    for slide in slides:
        if not isinstance(slide, SlideResult):
            raise MacproxError(
                f"Expected the results of slides, found {type(slide).__name__}. Open one with "
                "macprox.open_result(folder)."
            )
    return slides
