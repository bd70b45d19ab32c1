"""``{command-line}``: a section for every command of macprox, from the application itself."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

import typer.main
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from macprox.cli import app

SIGNS = r"([\\<>{}*_`\[\]$#|])"
# Options, and words in quotes: as prose, dashes would be joined and quotes curled.
TYPED = re.compile(r"(?<![\w-])--[a-z][a-z-]*|(?<!\w)'[^']+'(?!\w)|`[^`]+`")


class CommandLine(SphinxDirective):
    """Usage, arguments and options of each command, in the order of ``macprox --help``."""

    def run(self) -> list[nodes.Node]:
        text = "\n".join(pages())
        return self.parse_text_to_nodes(text, allow_section_headings=True)


def pages() -> Iterator[str]:
    """Markdown: one section a command."""
    group: Any = typer.main.get_command(app)
    context = group.make_context("macprox", [], resilient_parsing=True)
    for name in group.list_commands(context):
        command = group.commands[name]
        within = type(context)(command, info_name=name, parent=context)
        yield f"## macprox {name}\n"
        yield f"{prose(inspect.cleandoc(command.help or ''))}\n"
        yield f"```text\n{command.get_usage(within).removeprefix('Usage:').strip()}\n```\n"
        yield f"```{{program}} macprox {name}\n```\n"
        for parameter in command.params:  # without --help, which all of them have
            yield from entry(*parameter.get_help_record(within))


def entry(names: str, text: str) -> Iterator[str]:
    yield f"````{{option}} {names.strip()}\n{prose(text.strip())}\n````\n"


def prose(text: str) -> str:
    """Help as Markdown: what a reader may type is code, all other signs are meant as they stand."""
    parts = re.split(f"({TYPED.pattern})", text)
    for i, part in enumerate(parts):
        typed = i % 2  # what was split at
        parts[i] = "`" + part.strip("'`") + "`" if typed else re.sub(SIGNS, r"\\\1", part)
    return "".join(parts)


def setup(sphinx: Sphinx) -> dict[str, bool]:
    sphinx.add_directive("command-line", CommandLine)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
