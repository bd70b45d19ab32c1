"""What the review remembers between sessions: who reviews."""

from __future__ import annotations

from qtpy.QtCore import QSettings

NAME = "reviewer"


def reviewer() -> str:
    """The name that was entered last; empty the first time."""
    return str(_settings().value(NAME, "") or "")


def remember_reviewer(name: str) -> None:
    _settings().setValue(NAME, name)


def _settings() -> QSettings:
    return QSettings(QSettings.Format.IniFormat, QSettings.Scope.UserScope, "macprox", "review")
