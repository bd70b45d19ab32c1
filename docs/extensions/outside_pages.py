"""What lies outside this folder, as pages of the site, and links that stay right in both places.

A page such as ``contributing.md`` is one line, ``{include} ../CONTRIBUTING.md``. Links in the
included text begin where the file lies, and links of our own pages point to the files of the
repository, as a reader of the repository needs them; both become links to the site's pages. Other
files are there to download; a folder is none that a site could show, and becomes its name.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from sphinx.application import Sphinx

# The file, from the repository's root -> the page that shows it. Missing files are no harm.
PAGES = {
    "README.md": "index",
    "CHANGELOG.md": "changelog",
    ".github/SECURITY.md": "security",
    "benchmarks/README.md": "benchmarks",
    "sample_data/README.md": "sample_data",
    "src/macprox/segment/weights/README.md": "model_card",
}
LINK = re.compile(r"\[([^\[\]]*)\]\((?!https?:|mailto:|#)([^)#\s]+)((?:#[^)\s]*)?)\)")
INCLUDE = re.compile(r"^```\{include\} (\S+)\n```$", re.M)


def mend(sphinx: Sphinx, page: str, content: list[str]) -> None:
    """The text of a page, with the files that it includes and with links of the site."""
    folder = posixpath.dirname(f"docs/{page}")

    def included(found: re.Match[str]) -> str:
        file = Path(sphinx.srcdir, posixpath.dirname(page), found[1]).resolve()
        sphinx.env.note_dependency(str(file))
        begin = posixpath.dirname(posixpath.normpath(posixpath.join(folder, found[1])))
        return relinked(file.read_text(encoding="utf-8"), begin, folder, root)

    root = Path(sphinx.srcdir).parent
    text = relinked(content[0], folder, folder, root)
    content[0] = INCLUDE.sub(included, text)


def relinked(text: str, begin: str, folder: str, root: Path) -> str:
    """``text`` whose links begin in ``begin``, for a page in ``folder``; from the root, both."""

    def link(found: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(begin, found[2]))
        if (root / target).is_dir():
            return found[1]
        shown = f"docs/{PAGES[target]}.md" if target in PAGES else target
        return f"[{found[1]}]({posixpath.relpath(shown, folder)}{found[3]})"

    return LINK.sub(link, text)


def setup(sphinx: Sphinx) -> dict[str, bool]:
    sphinx.connect("source-read", mend)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
