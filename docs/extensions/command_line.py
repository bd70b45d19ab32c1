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
    """Help as Markdown: signs that mean something there are meant as they stand."""
    return re.sub(r"([\\<>{}*_`\[\]$#|])", r"\\\1", text)


def setup(sphinx: Sphinx) -> dict[str, bool]:
    sphinx.add_directive("command-line", CommandLine)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
