"""The documentation as a site: it builds without a warning; nothing is missing or out of reach."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import takewhile
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urldefrag

import pytest
import typer.main

import macprox as mp
from macprox import cohort, spatial
from macprox.cli import app
from test_report import CHROMIUM, CHROMIUM_ARGS
from walks import DOCS

ROOT = DOCS.parent
PAGES = [*sorted(DOCS.glob("**/[a-z]*.md")), ROOT / "README.md"]
MADE_BY_SPHINX = {"genindex.html", "py-modindex.html", "search.html"}
COMMANDS: dict[str, Any] = typer.main.get_command(app).commands
FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.S | re.M)


# --- quick: what the pages say is there


def fenced(kinds: set[str]) -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for kind, text in FENCE.findall(page.read_text(encoding="utf-8")):
            if kind in kinds:
                yield page.name, text


def test_every_script_of_the_pages_is_python():
    scripts = list(fenced({"python"}))
    assert len(scripts) > 30  # control: they were found
    for page, text in scripts:
        compile(text, page, "exec")


def typed(text: str) -> Iterator[list[str]]:
    """The words of each call of macprox in a block of a shell."""
    for line in text.replace("\\\n", " ").splitlines():
        command = re.match(r"\s*(?:\S*bin/)?macprox ([a-z].*)", line)
        if command and not line.lstrip().startswith("#"):
            words = shlex.shlex(command[1], posix=True, punctuation_chars="|&>")
            words.whitespace_split = True
            yield list(takewhile(lambda word: set(word) - set("|&>"), words))


def test_commands_and_options_of_the_pages_exist():
    calls = [(page, words) for page, text in fenced({"sh", ""}) for words in typed(text)]
    assert len(calls) > 50
    for page, (name, *words) in calls:
        assert name in COMMANDS, f"{page}: macprox {name}"
        known = {
            option
            for parameter in COMMANDS[name].params
            for option in (*parameter.opts, *parameter.secondary_opts)  # --self-test, --no-...
        }
        given = {word.split("=")[0] for word in words if re.match(r"--?[a-z]", word)}
        assert given <= known, f"{page}: macprox {name} has no {given - known}"


def test_a_command_that_is_not_there_would_be_found():
    assert list(typed("macprox rnu slides --outt x  # so\n")) == [["rnu", "slides", "--outt", "x"]]
    assert list(typed("a && b\n.venv/bin/macprox demo || true\n")) == [["demo"]]
    assert list(typed("macprox stats --gate 'A = B > 1' > log\n")) == [
        ["stats", "--gate", "A = B > 1"]
    ]


@pytest.mark.parametrize("page", ["pathologist", "batch", "scripting"])
def test_a_first_hour_begins_with_the_line_of_the_readme(page):
    line = re.search(
        r"<!-- command: demo -->\n```sh\n(.*) && ", ROOT.joinpath("README.md").read_text()
    )
    assert f"\n{line[1]}\n. .venv/bin/activate\n" in (DOCS / f"first_hour_{page}.md").read_text(
        "utf-8"
    )


def test_the_explanations_quote_the_numbers_of_their_figures():
    numbers = json.loads((DOCS / "data" / "explanations.json").read_text(encoding="utf-8"))
    text = {
        name: " ".join((DOCS / f"{name}.md").read_text(encoding="utf-8").split())
        for name in ("tile_independence", "nulls", "patients_not_cells")
    }
    tiles, nulls, patients = (numbers[name] for name in ("tiles", "nulls", "patients"))
    short, enough = tiles["halo of 8 px"], tiles["halo of 120 px"]
    assert (enough["differ"], enough["nuclei"]) == (0, tiles["nuclei"])
    assert f"{short['differ']:,} pixels of this slide depend" in text["tile_independence"]
    assert (
        f"{short['nuclei']:,} nuclei are counted in place of {tiles['nuclei']}"
        in text["tile_independence"]
    )
    for_every_tile = [of["judged per tile"] for of in tiles["tiles"].values()]
    assert (min(for_every_tile) // 1000 + 1, max(for_every_tile) // 1000) == (34, 44)
    assert "34,000 to 44,000 pixels differ" in text["tile_independence"]
    assert all(of["64"] == 0 < of["32"] for of in tiles["tiles"].values())

    early, late = (
        round(20 * nulls[f"among all, {group}"]["rejected"]) for group in ("early", "late")
    )
    assert f"{early} of 20 early slides" in text["nulls"]
    assert f"{late} of 20 late ones" in text["nulls"]
    within = sum(
        round(20 * nulls[f"within places, {group}"]["rejected"]) for group in ("early", "late")
    )
    assert f"{within} of 40 slides" in text["nulls"]

    assert patients["cohorts"] == 400
    assert f"{patients['over cells']:.0%}" == "74%"
    assert "74 of 100 cohorts" in text["patients_not_cells"]
    assert f"{patients['over cells alone']:.0%}" == "68%"
    assert "they do in 68 of 100" in text["patients_not_cells"]
    assert f"{patients['over patients']:.0%}" == "6%"


# --- the site itself


@dataclass
class Page(HTMLParser):
    """Links, names of places and what a browser would load."""

    links: set[str] = field(default_factory=set)
    ids: set[str] = field(default_factory=set)
    loads: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        of = {name: value or "" for name, value in attrs}
        self.ids |= {of["id"]} if "id" in of else set()
        if tag == "a" and "href" in of:
            self.links.add(of["href"])
        elif tag == "link" and of.get("rel") in ("stylesheet", "icon", "preload"):
            self.loads.add(of["href"])
        elif "src" in of:
            self.loads.add(of["src"])


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html",
         "-d", str(folder / "doctrees"), str(DOCS), str(folder / "html")],
        capture_output=True, text=True, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder / "html"


@pytest.fixture(scope="module")
def pages(site) -> dict[str, Page]:
    read = {}
    for path in site.rglob("*.html"):
        read[path.relative_to(site).as_posix()] = page = Page()
        page.feed(path.read_text(encoding="utf-8"))
    return read


@pytest.fixture(scope="module")
def inventory(site) -> set[tuple[str, str]]:
    """(kind, name) of everything that can be linked to."""
    content = (site / "objects.inv").read_bytes().split(b"\n", 4)[4]
    lines = zlib.decompress(content).decode().splitlines()
    found = (re.match(r"(.+?)\s+(\S+)\s+-?\d+\s+\S*\s+.*", line) for line in lines)
    return {(entry[2], entry[1]) for entry in found if entry}


def target(page: str, link: str) -> tuple[str, str]:
    """Page or file that a link leads to, from the site's root, and the place in it."""
    address, place = urldefrag(link)
    folder = Path(page).parent
    path = os.path.normpath(folder / unquote(address)) if address else page
    return Path(path).as_posix(), unquote(place)


def inside(page: Page) -> Iterator[str]:
    yield from (link for link in page.links if not re.match(r"(https?|mailto|data):", link))


@pytest.mark.slow
def test_every_page_is_reached_from_the_index(pages):
    reached, left = set(), {"index.html"}
    while left:
        page = left.pop()
        reached.add(page)
        found = {target(page, link)[0] for link in inside(pages[page])}
        left |= {name for name in found if name in pages} - reached
    assert set(pages) - reached <= MADE_BY_SPHINX
    written = {path.relative_to(DOCS).with_suffix(".html").as_posix() for path in PAGES[:-1]}
    assert len(written) > 30
    assert written <= reached


@pytest.mark.slow
def test_links_and_pictures_lead_somewhere(site, pages):
    for name, page in pages.items():
        for link in inside(page):
            path, place = target(name, link)
            assert (site / path).exists(), f"{name}: {link}"
            if place and path in pages and path not in MADE_BY_SPHINX:
                assert place in pages[path].ids, f"{name}: {link}"
        for link in page.loads:
            assert (site / target(name, link.split("?")[0])[0]).exists(), f"{name}: {link}"


@pytest.mark.slow
def test_nothing_is_loaded_from_elsewhere(site, pages):
    assert not [link for page in pages.values() for link in page.loads if "//" in link]
    for style in site.rglob("*.css"):
        fetched = re.findall(r"url\(['\"]?(https?:|//)", style.read_text(encoding="utf-8"))
        assert not fetched, style


@pytest.mark.slow
def test_every_public_name_has_an_entry(inventory):
    names = {name for kind, name in inventory if kind.startswith("py:")}
    for module in (mp, spatial, cohort, mp.segment, mp.phenotype, mp.simulate):
        missing = {f"{module.__name__}.{name}" for name in module.__all__} - names
        assert not missing, missing
    assert "macprox.spatial.no_such_name" not in names


@pytest.mark.slow
def test_every_command_and_option_has_an_entry(inventory):
    names = {name for kind, name in inventory if kind == "std:cmdoption"}
    for command, of in COMMANDS.items():
        for parameter in of.params:
            for option in parameter.opts:
                assert not option.startswith("-") or f"macprox-{command}.{option}" in names
    assert "macprox-run.--no-such" not in names


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
def test_pages_show_offline_on_a_desk_and_on_a_phone(site, pages):
    sync_api = pytest.importorskip("playwright.sync_api")
    complaints = []
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGS)
        context = browser.new_context(offline=True)
        page = context.new_page()
        page.on("console", lambda said: complaints.append((page.url, said.text)))
        page.on("pageerror", lambda error: complaints.append((page.url, str(error))))
        page.on("requestfailed", lambda asked: complaints.append((page.url, asked.url)))
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 844})
            for name in sorted(pages):
                page.goto((site / name).as_uri())
                shown = page.evaluate("document.documentElement.scrollWidth")
                assert shown <= width, f"{name} is {shown} px wide on a screen of {width}"
        browser.close()
    assert not complaints


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
def test_the_search_finds_a_function(site):
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGS)
        page = browser.new_page()
        page.goto((site / "search.html").as_uri() + "?q=cross_pcf")
        first = page.wait_for_selector("#search-results li a", timeout=20_000)
        assert "spatial" in first.get_attribute("href")
        browser.close()
