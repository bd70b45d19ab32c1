"""The documentation as a site: python -m sphinx -W --keep-going -b html docs docs/_build/html

Pages are Markdown and read well without it; here they get a search, a reference made from the
docstrings and the command line, and one order to be read in. Nothing is loaded from elsewhere.
"""

from __future__ import annotations

import sys
from pathlib import Path

import macprox

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "extensions"))

project = "macprox"
author = "The macprox developers"
project_copyright = "the macprox developers, BSD-3-Clause"
version = release = macprox.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "command_line",  # docs/extensions: a section for every command
    "outside_pages",  # the same: pages of the repository that lie outside this folder
]
exclude_patterns = ["_build", "data", "extensions"]
language = "en_GB"
# A name in single backticks becomes a link where it is one of ours, and is code elsewhere.
default_role = "py:obj"
nitpicky = False
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence", "attrs_inline"]

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings say shapes and units; annotations say less
autodoc_class_signature = "mixed"
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
python_maximum_signature_line_length = 88
toc_object_entries_show_parents = "hide"


def _without_words_of_python(sphinx, what, name, value, options, lines: list[str]) -> None:
    """A constant has no docstring; what Python says of tuples is not about it."""
    if what == "data":
        lines.clear()


def setup(sphinx) -> None:
    sphinx.connect("autodoc-process-docstring", _without_words_of_python)


html_theme = "furo"
html_title = f"macprox {version}"
html_static_path = ["_static"]
html_css_files = ["macprox.css"]
html_show_sourcelink = False
html_copy_source = False
html_show_sphinx = False
html_theme_options = {
    "light_css_variables": {
        "color-brand-primary": "#0b6e99",
        "color-brand-content": "#0b6e99",
        "color-brand-visited": "#5b4b8a",
    },
    "dark_css_variables": {
        "color-brand-primary": "#6cc0e5",
        "color-brand-content": "#6cc0e5",
        "color-brand-visited": "#b9a5ec",
    },
}
