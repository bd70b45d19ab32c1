"""Draw docs/images/report.png: first sentence and pictures of a demo report, in a browser.

macprox demo && python docs/readme_picture.py macprox-demo/slides/P01_early/report.html
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

SIZE_PX = {"width": 1180, "height": 900}
# The README's reader needs the answer and the pictures; the page itself holds much more.
EXTRACT = """
nav, #answer > :not(.lead), section:not(#answer):not(#picture) { display: none !important; }
main { padding-bottom: 12px !important; }
"""
PICTURE = Path(__file__).parent / "images" / "report.png"


def main(report: Path) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport=SIZE_PX)
        page.goto(report.resolve().as_uri())
        page.add_style_tag(content=EXTRACT)
        page.locator("main").screenshot(path=PICTURE)
        browser.close()
    Image.open(PICTURE).convert("RGB").quantize(256, kmeans=8).save(PICTURE, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
