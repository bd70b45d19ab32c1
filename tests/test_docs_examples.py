"""The examples of docs/spatial.md run, in order, as one script."""

import re
from pathlib import Path

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE = (DOCS / "spatial.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", PAGE, re.S | re.M)


def test_the_examples_of_the_page_run_in_order():
    assert len(EXAMPLES) >= 15  # control: they were found
    exec(compile("\n".join(EXAMPLES), "docs/spatial.md", "exec"), {})  # noqa: S102


def test_every_picture_and_page_that_is_pointed_to_is_there():
    for page in ("spatial.md", "statistics.md", "cohort.md", "early_versus_late.md"):
        text = (DOCS / page).read_text(encoding="utf-8")
        places = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text)
        assert places
        assert not [place for place in places if not (DOCS / place).exists()]
