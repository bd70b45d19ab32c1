"""Draw docs/images/cohort: the page of the tutorial's cohort and single figures of it.

Run the commands of docs/early_versus_late.md, then
python docs/cohort_pictures.py early_late/results
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

import macprox as mp

SIZE_PX = {"width": 1180, "height": 900}
FIGURES = ("C1", "C1-curve", "C2", "C3", "sensitivity")
PICTURES = Path(__file__).parent / "images" / "cohort"


def main(results: Path) -> None:
    PICTURES.mkdir(exist_ok=True)
    found = mp.open_cohort(results)
    for name in FIGURES:
        mp.cohort_figure(found, name).save(PICTURES / f"{name}.png")
    page_to(found.report, PICTURES / "page.png")
    for path in PICTURES.glob("*.png"):
        Image.open(path).convert("RGB").quantize(128, kmeans=4).save(path, optimize=True)


def page_to(report: Path, picture: Path) -> None:
    """The page's beginning: the answer, and what speaks against it."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport=SIZE_PX)
        page.goto(report.resolve().as_uri())
        page.screenshot(path=picture)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
