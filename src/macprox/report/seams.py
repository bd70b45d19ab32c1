"""Whether the tiling shows, in sentences."""

from __future__ import annotations

from typing import Any


def seam_sentences(manifest: dict[str, Any]) -> list[str]:
    """What is known of a slide's seams; nothing of an exact method that was not checked."""
    views = manifest.get("segmentation", {}).get("views")
    check = manifest.get("seam_check")
    said = [_of_views(views)] if views else []
    return [*said, _of_check(check)] if check else said


def seams_hold(manifest: dict[str, Any]) -> bool:
    """Whether the seam check, where there was one, found what the method promises."""
    check = manifest.get("seam_check")
    return not (check and check["exact"] and check["nuclei_differ"] + check["cells_differ"])


def _of_check(check: dict[str, Any]) -> str:
    if not check["windows"]:
        return "No cell lies near a seam between tiles; there was nothing to check."
    compared = f"{check['nuclei']:,} nuclei"
    differ = check["nuclei_differ"] + check["cells_differ"]
    if check["exact"]:
        compared += f" and {check['cells']:,} cells"
        how = "to the pixel"
    else:
        how = "by more than an IoU of 0.9 allows"
    share = f" ({differ / check['nuclei']:.1%})" if differ and not check["exact"] else ""
    return (
        f"{check['windows']} windows across seams of {check['tile_px']} px tiles were segmented "
        f"again: of {compared}, {differ:,}{share} differ {how}."
    )


def _of_views(views: dict[str, Any]) -> str:
    if not views["crossing"]:
        return "No nucleus lies across a seam between tiles."
    share = views["without_twin"] / views["crossing"]
    return (
        f"{views['crossing']:,} of {views['objects']:,} nuclei lie across seams between tiles; "
        f"{views['without_twin']:,} of them ({share:.1%}) have an outline that depends on the tile "
        f"(IoU below 0.9), {views['unmatched']:,} were seen by one tile only. Where tiles overlap, "
        f"{views['joined']:,} nuclei were matched and {views['cut']:,} lost pixels to another."
    )
