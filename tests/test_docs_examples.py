"""The examples of the pages run, in order, as one script a page."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE = (DOCS / "spatial.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", PAGE, re.S | re.M)


def test_the_examples_of_the_page_run_in_order():
    assert len(EXAMPLES) >= 15  # control: they were found
    exec(compile("\n".join(EXAMPLES), "docs/spatial.md", "exec"), {})  # noqa: S102


# anndata 0.13 asks for options that pandas 3.1 retires.
@pytest.mark.filterwarnings("ignore:The '.*' option is deprecated")
def test_the_examples_about_the_ecosystem_run_in_order(small_result, tmp_path):
    anndata = pytest.importorskip("anndata", reason="anndata is not installed here")
    page = (DOCS / "ecosystem.md").read_text(encoding="utf-8")
    examples = "\n".join(re.findall(r"^```python\n(.*?)^```$", page, re.S | re.M))
    assert "into_obsp" in examples  # control: they were found
    examples = examples.replace("AM/TRM-like", "Macrophage")  # of the small slide
    names = {"result": small_result, "folder": tmp_path}
    exec(compile(examples, "docs/ecosystem.md", "exec"), names)  # noqa: S102
    again = anndata.read_h5ad(tmp_path / "with_answers.h5ad")
    assert again.uns["proximity"]["value"].notna().any()


def test_every_picture_and_page_that_is_pointed_to_is_there():
    for page in ("spatial.md", "statistics.md", "cohort.md", "early_versus_late.md"):
        text = (DOCS / page).read_text(encoding="utf-8")
        places = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text)
        assert places
        assert not [place for place in places if not (DOCS / place).exists()]
