"""What a window needs, asked step by step: one line of JSON each, for a step may be the last.

`macprox doctor` runs this in a process of its own. Qt ends the interpreter where a library or the
screen is missing; what was said before stands.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from collections.abc import Callable
from functools import lru_cache
from importlib.metadata import version
from typing import Any

# What Qt loads at run time, and the Debian package of each. The first ones are needed by the
# import, those of xcb by a window under X11.
LIBRARIES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libglib-2.0.so.0": "libglib2.0-0",
}
XCB_LIBRARIES = {
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
}
_VENDOR, _RENDERER, _VERSION = 0x1F00, 0x1F01, 0x1F02  # of glGetString


def main() -> None:
    """Say what is here: libraries, binding, napari, platform, OpenGL."""
    _step("libraries", lambda: {"missing": missing_libraries()})
    if not _step("binding", _binding):
        return
    _step("napari", lambda: {"version": version("napari")})
    _step("platform", _platform)
    _step("opengl", _opengl)


def missing_libraries() -> dict[str, str]:
    """Shared libraries that the loader does not find, and their Debian packages."""
    if not sys.platform.startswith("linux"):
        return {}
    wanted = dict(LIBRARIES)
    if os.environ.get("DISPLAY") and os.environ.get("QT_QPA_PLATFORM") != "offscreen":
        wanted |= XCB_LIBRARIES
    return {name: package for name, package in wanted.items() if not _loads(name)}


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _step(name: str, asked: Callable[[], dict[str, Any]]) -> bool:
    """Whether a step ended well; what it found is on its way either way."""
    try:
        said = asked()
    except Exception as error:  # noqa: BLE001  whatever a broken installation raises is the answer
        said = {"error": f"{type(error).__name__}: {error}"}
    sys.stdout.write(json.dumps({"step": name, **said}) + "\n")
    sys.stdout.flush()
    return "error" not in said


def _binding() -> dict[str, Any]:
    import qtpy
    from qtpy import QtCore, QtGui, QtWidgets  # noqa: F401  (each loads libraries of its own)

    return {"name": qtpy.API_NAME, "version": qtpy.PYSIDE_VERSION or qtpy.PYQT_VERSION}


def _platform() -> dict[str, Any]:
    return {"name": _application().platformName()}


@lru_cache(maxsize=1)  # kept: PyQt ends an application with the last reference to it
def _application() -> Any:
    from qtpy.QtGui import QGuiApplication

    return QGuiApplication.instance() or QGuiApplication([])


def _opengl() -> dict[str, Any]:
    from qtpy.QtGui import QOffscreenSurface, QOpenGLContext

    surface = QOffscreenSurface()
    surface.create()
    context = QOpenGLContext()
    if not context.create():
        return {"error": "Qt makes no OpenGL context"}
    if not context.makeCurrent(surface):
        return {"error": "the OpenGL context cannot be used"}
    names = {"vendor": _VENDOR, "renderer": _RENDERER, "version": _VERSION}
    functions = context.functions()
    return {name: str(functions.glGetString(number)) for name, number in names.items()}
