"""Windows as they fail: what the probe of a plugin may say, or not, before it ends."""

import json
import os
import sys
import time

ASKED = {"step": "libraries", "missing": {}}
BINDING = {"step": "binding", "name": "PySide6", "version": "6.8.1"}
NAPARI = {"step": "napari", "version": "0.9.2"}
XCB = {"step": "platform", "name": "xcb"}


def say(*steps):
    for step in steps:
        sys.stdout.write(json.dumps(step) + "\n")
    sys.stdout.flush()


def good():
    say(ASKED, BINDING, NAPARI, XCB, {"step": "opengl", "version": "4.6", "renderer": "RTX"})


def in_software():
    say(ASKED, BINDING, NAPARI, XCB, {"step": "opengl", "version": "4.5", "renderer": "llvmpipe"})


def without_opengl():
    say(ASKED, BINDING, NAPARI, XCB, {"step": "opengl", "error": "Qt makes no OpenGL context"})


def without_qt():
    say(ASKED, {"step": "binding", "error": "ModuleNotFoundError: No module named 'qtpy'"})


def without_napari():
    say(ASKED, BINDING, {"step": "napari", "error": "PackageNotFoundError: napari"}, XCB)


def without_libraries():
    missing = {"libEGL.so.1": "libegl1", "libGL.so.1": "libgl1"}
    say({"step": "libraries", "missing": missing}, {"step": "binding", "error": "ImportError"})


def dies():
    say(ASKED, BINDING, NAPARI)
    sys.stderr.write("qt.qpa.xcb: could not connect to display nurse-pc:7\n")
    sys.stderr.write("This application failed to start.\n")
    sys.stderr.flush()
    os.abort()


def hangs():
    say(ASKED, BINDING, NAPARI, XCB)
    time.sleep(600)


def raises():
    raise RuntimeError("the plugin itself is broken")


def speaks_nonsense():
    sys.stdout.write("libGL: some chatter\n[1, 2]\n{")
