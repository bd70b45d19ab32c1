"""PerkinElmer / Akoya page XML: the pages of inForm component TIFF and QPTIFF."""

from __future__ import annotations

from dataclasses import dataclass

from macprox.io import safe_xml

_ROOT = "PerkinElmer-QPI-ImageDescription"


@dataclass(frozen=True)
class InformPage:
    """What one page says of itself.

    Parameters
    ----------
    image_type : str
        ``"FullResolution"``, ``"ReducedResolution"``, ``"Thumbnail"``, ``"Overview"``,
        ``"Label"``, or empty.
    name : str
        The biomarker where the scanner knows it, else the dye; empty on colour pages.
    is_component : bool
        Whether pixels are unmixed components (inForm) rather than scanner counts.
    """

    image_type: str
    name: str
    is_component: bool


def looks_like_inform(description: str) -> bool:
    """Whether a page description is PerkinElmer's, even if it is cut short."""
    return f"<{_ROOT}" in description[:4096]


def parse_page(description: str, file_name: str) -> InformPage:
    """Read one page's description; `SlideError` where it is damaged."""
    root = safe_xml.parse(description, file_name, "PerkinElmer page XML")
    # Only direct children: the scan profile inside holds other, unrelated <Name> elements.
    facts = {safe_xml.local_name(child): (child.text or "").strip() for child in root}
    return InformPage(
        image_type=facts.get("ImageType", ""),
        name=facts.get("Biomarker") or facts.get("Name", ""),
        is_component=facts.get("IsUnmixedComponent", "").casefold() == "true",
    )
