"""Whether the review window can open: asked in a process of its own, for Qt ends its own."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from macprox.doctor.child import Answer, ask
from macprox.doctor.finding import NOTE, Finding, problem

PROBES = "macprox.doctor"  # entry points: functions that say what a window needs, step by step
TIMEOUT_S = 60.0
_NO_WINDOW = 'pip install "macprox[napari]"; the analysis needs no window'
_HELP = "send this table, made with --json, to who helps you; the analysis needs no window"


def screen() -> Iterator[Finding]:
    """The screen, then what the window's own package says of Qt and OpenGL."""
    there = _has_screen()
    yield _screen(there)
    found = list(entry_points(group=PROBES))
    if not found:
        yield Finding("window", "napari is not installed", NOTE, _NO_WINDOW)
    for probe in found:
        yield from _window(probe, there)


def _has_screen() -> bool:
    named = any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
    return named or not sys.platform.startswith("linux")


def _screen(there: bool) -> Finding:
    named = [name for name in ("DISPLAY", "WAYLAND_DISPLAY") if os.environ.get(name)]
    if there:
        return Finding("screen", f"{' and '.join(named) or sys.platform}: there")
    return Finding(
        "screen",
        "none: neither DISPLAY nor WAYLAND_DISPLAY is set",
        NOTE,
        "review on the computer in front of you; the analysis needs no screen",
    )


def _window(probe: EntryPoint, has_screen: bool) -> Iterator[Finding]:
    environment = dict(os.environ)
    if not has_screen:
        environment["QT_QPA_PLATFORM"] = "offscreen"
    answer = ask(probe.module, probe.attr, environment, TIMEOUT_S)
    missing = answer.steps.get("libraries", {}).get("missing", {})
    absent = [step for step in ("binding", "napari") if "error" in answer.steps.get(step, {})]
    if absent and not missing:
        why = answer.steps[absent[0]]["error"]
        yield Finding("window", f"Qt or napari is not installed ({why})", NOTE, _NO_WINDOW)
        return
    if missing:
        yield _libraries(missing)
    elif "libraries" in answer.steps:
        yield Finding("system libraries", "all that Qt asks for are there")
    unfit = answer.end or answer.steps.get("platform", {"error": "no word of it"}).get("error")
    if unfit:
        yield _broken_off(answer, unfit, missing)
        return
    yield Finding("window", _in_words(answer.steps), facts=answer.steps)
    yield _opengl(answer.steps.get("opengl", {}), has_screen)


def _libraries(missing: dict[str, str]) -> Finding:
    packages = " ".join(sorted(set(missing.values())))
    return problem(
        "system libraries",
        f"the window lacks {', '.join(missing)}",
        f"apt-get install {packages} (Debian's names); the analysis needs none of them",
        stops=False,
    )


def _broken_off(answer: Answer, end: str, missing: dict[str, str]) -> Finding:
    last = list(answer.steps)[-1] if answer.steps else "its start"
    # a DISPLAY may name somebody's computer
    words = answer.last_words.replace(os.environ.get("DISPLAY") or "\0", "$DISPLAY")
    remedy = _HELP
    if answer.hangs:
        remedy = "try LIBGL_ALWAYS_SOFTWARE=1: the graphics driver does not answer"
    elif missing:
        remedy = "install the system libraries named above"
    elif "could not connect to display" in words:
        remedy = "log in with ssh -X, or review on the computer in front of you: no screen answers"
    found = f"Qt broke off after the step {last} ({end}){': ' if words else ''}{words}"
    return problem("window", found, remedy, stops=False)


def _in_words(steps: dict[str, dict[str, Any]]) -> str:
    return ", ".join(
        f"{steps[step].get('name', step)} {steps[step].get('version', '')}".strip()
        for step in ("napari", "binding", "platform")
        if step in steps
    )


def _opengl(facts: dict[str, Any], has_screen: bool) -> Finding:
    if facts.get("version"):
        words = f"{facts['version']}, {facts.get('renderer', 'unknown renderer')}"
        if any(name in words.lower() for name in ("llvmpipe", "softpipe", "swrast")):
            slow = "nothing; with a graphics driver large slides move more smoothly"
            return Finding("OpenGL", f"{words}: in software", NOTE, slow, facts=facts)
        return Finding("OpenGL", words, facts=facts)
    if not has_screen:
        return Finding("OpenGL", "not asked: there is no screen", facts=facts)
    return problem(
        "OpenGL",
        f"no context could be made ({facts.get('error', 'no reason given')})",
        "apt-get install libgl1-mesa-dri, or install the graphics card's driver; "
        "the analysis needs none",
        stops=False,
    )
